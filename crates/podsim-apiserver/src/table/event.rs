//! The columns of Events.

use super::{Column, col, timestamp, wide};
use crate::duration::age;
use jiff::Timestamp;
use serde_json::{Value, json};

pub(super) const COLUMNS: &[Column] = &[
    col("Last Seen"),
    col("Type"),
    col("Reason"),
    col("Object"),
    wide("Subobject"),
    wide("Source"),
    col("Message"),
    wide("First Seen"),
    wide("Count"),
    wide("Name"),
];

pub(super) fn cells(event: &Value, now: Timestamp) -> Vec<Value> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let first = timestamp(&event["firstTimestamp"]).or_else(|| timestamp(&event["eventTime"]));
    let series = &event["series"];
    let last = timestamp(&series["lastObservedTime"])
        .or_else(|| timestamp(&event["lastTimestamp"]))
        .or(first);
    let count = series["count"]
        .as_u64()
        .or_else(|| event["count"].as_u64())
        .unwrap_or(1)
        .max(1);
    let object = &event["involvedObject"];
    let source = &event["source"];
    let component = source["component"]
        .as_str()
        .or_else(|| event["reportingComponent"].as_str())
        .unwrap_or_default();
    let host = source["host"]
        .as_str()
        .or_else(|| event["reportingInstance"].as_str())
        .unwrap_or_default();
    vec![
        json!(age(last, now)),
        event["type"].clone(),
        event["reason"].clone(),
        json!(format!(
            "{}/{}",
            text(&object["kind"]).to_lowercase(),
            text(&object["name"])
        )),
        json!(text(&object["fieldPath"])),
        json!(if host.is_empty() {
            component.to_owned()
        } else {
            format!("{component}, {host}")
        }),
        json!(text(&event["message"]).trim()),
        json!(age(first, now)),
        json!(count),
        event["metadata"]["name"].clone(),
    ]
}

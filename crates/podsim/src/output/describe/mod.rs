//! `kubectl describe`: text whose columns are laid out by Go's tabwriter (`kubectl/pkg/describe`).

mod container;
mod node;
mod pod;

pub(crate) use node::node;
pub(crate) use pod::pod;

use super::{tabwriter, yaml};
use jiff::Timestamp;
use podsim_apiserver::duration::human_duration;
use serde_json::Value;
use std::fmt::Write;

/// Lines with tabs, indented by level.
#[derive(Default)]
struct Text(String);

impl Text {
    /// A line at a level; each level is two spaces.
    fn line(&mut self, level: usize, text: impl AsRef<str>) {
        // Writing into a string cannot fail.
        let _ = writeln!(self.0, "{:width$}{}", "", text.as_ref(), width = level * 2);
    }

    /// `Title:  a=b`, one pair a line, or `<none>`.
    fn map(&mut self, title: &str, map: &Value, separator: &str) {
        let mut first = format!("{title}:\t");
        let pairs = map.as_object().into_iter().flatten().filter(|(key, _)| !is_noise(key));
        for (key, value) in pairs {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self.line(0, format!("{first}{key}{separator}{}", value.trim_end()));
            first = "\t".to_owned();
        }
        if first != "\t" {
            self.line(0, format!("{first}<none>"));
        }
    }

    fn lay_out(&self) -> String {
        tabwriter::layout(&self.0, 0, 2)
    }
}

/// What kubectl leaves out: it is long and the same as the object.
fn is_noise(annotation: &str) -> bool {
    annotation == "kubectl.kubernetes.io/last-applied-configuration"
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "<none>" } else { text }
}

/// `Tue, 17 Jun 2025 14:41:00 +0000`.
fn time(value: &Value) -> String {
    match text(value).parse::<Timestamp>() {
        Ok(time) => time.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string(),
        Err(_) => "<unset>".to_owned(),
    }
}

/// The table of events at the end.
fn events(out: &mut Text, events: &[Value], now: Timestamp) {
    if events.is_empty() {
        out.line(0, "Events:\t<none>");
        return;
    }
    out.line(0, "Events:");
    out.line(1, "Type\tReason\tAge\tFrom\tMessage");
    out.line(1, "----\t------\t----\t----\t-------");
    let since = |value: &Value| {
        let time = text(value).parse::<Timestamp>().ok();
        time.map(|time| human_duration(now.as_second() - time.as_second()))
    };
    for event in events {
        let last = since(&event["lastTimestamp"]).or_else(|| since(&event["eventTime"]));
        let last = last.unwrap_or_else(|| "<unknown>".to_owned());
        let age = match (event["count"].as_u64(), since(&event["firstTimestamp"])) {
            (Some(count @ 2..), Some(first)) => format!("{last} (x{count} over {first})"),
            _ => last,
        };
        let from = event["source"]["component"]
            .as_str()
            .or(event["reportingComponent"].as_str())
            .unwrap_or_default();
        let (kind, reason) = (text(&event["type"]), text(&event["reason"]));
        out.line(
            1,
            format!("{kind}\t{reason}\t{age}\t{from}\t{}", text(&event["message"]).trim()),
        );
    }
}

/// Any other object: its names, and the rest as it is.
pub(crate) fn other(object: &Value) -> String {
    let mut out = Text::default();
    let metadata = &object["metadata"];
    out.line(0, format!("Name:\t{}", text(&metadata["name"])));
    if let Some(namespace) = metadata["namespace"].as_str() {
        out.line(0, format!("Namespace:\t{namespace}"));
    }
    out.map("Labels", &metadata["labels"], "=");
    out.map("Annotations", &metadata["annotations"], ": ");
    let mut rest = object.clone();
    if let Some(rest) = rest.as_object_mut() {
        rest.retain(|key, _| !matches!(key.as_str(), "metadata" | "kind" | "apiVersion"));
    }
    format!("{}\n{}", out.lay_out(), yaml::document(&rest))
}

#[cfg(test)]
mod tests;

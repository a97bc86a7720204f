//! `events.k8s.io/v1`: the second view of the same Events. A request for it is made one for the core group's, and the answer is told in
//! the other words again (`pkg/apis/events/v1/conversion.go`).

use crate::body::content_type;
use crate::second_view;
use crate::status::Result;
use axum::extract::Request;
use axum::response::Response;
use serde_json::Value;

/// The group.
pub(crate) const GROUP: &str = "events.k8s.io";
const API_VERSION: &str = "events.k8s.io/v1";

/// Fields by their names here and in the core group.
const FIELDS: &[(&str, &str)] = &[
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedCount", "count"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
];

/// The request as the core group takes it.
pub(crate) async fn to_core(request: Request, rest: &[&str]) -> Result<Request> {
    let query = request.uri().query().map(core_query);
    let path = format!("/api/v1/{}", rest.join("/"));
    let patch = content_type(request.headers()) == "application/json-patch+json";
    second_view::request(request, &path, query, GROUP, |value| {
        if patch {
            rename_paths(value);
        } else {
            rename(value, true);
        }
    })
    .await
}

/// The answer in the words of this group: an object, a list, a table, or a line for each event of a watch.
pub(crate) async fn from_core(answer: Response) -> Result<Response> {
    second_view::answer(answer, |value| rename(value, false)).await
}

/// Renames the fields of an Event, wherever it is in the answer.
fn rename(value: &mut Value, to_core: bool) {
    let kind = value["kind"].as_str().unwrap_or_default().to_owned();
    match kind.as_str() {
        "Status" => {}
        "EventList" => {
            value["apiVersion"] = API_VERSION.into();
            for item in value["items"].as_array_mut().into_iter().flatten() {
                rename(item, to_core);
            }
        }
        "Table" => {
            for row in value["rows"].as_array_mut().into_iter().flatten() {
                if row["object"]["kind"] == "Event" {
                    rename(&mut row["object"], to_core);
                }
            }
        }
        _ if value["object"].is_object() && value["type"].is_string() && value["metadata"].is_null() => {
            rename(&mut value["object"], to_core);
        }
        "PartialObjectMetadata" | "PartialObjectMetadataList" | "DeleteOptions" => {}
        // An Event, or a patch of one.
        _ => {
            let Some(object) = value.as_object_mut() else { return };
            for (here, core) in FIELDS {
                let (from, to) = if to_core { (here, core) } else { (core, here) };
                if let Some(field) = object.remove(*from) {
                    object.insert((*to).to_owned(), field);
                }
            }
            if object.contains_key("apiVersion") {
                let version = if to_core { "v1" } else { API_VERSION };
                object.insert("apiVersion".into(), version.into());
            }
        }
    }
}

/// The paths of a JSON patch.
fn rename_paths(patch: &mut Value) {
    for operation in patch.as_array_mut().into_iter().flatten() {
        for key in ["path", "from"] {
            let Some(path) = operation[key].as_str() else { continue };
            let (first, rest) = path
                .strip_prefix('/')
                .unwrap_or_default()
                .split_once('/')
                .unwrap_or((path.strip_prefix('/').unwrap_or_default(), ""));
            if let Some((_, core)) = FIELDS.iter().find(|(here, _)| *here == first) {
                let slash = if rest.is_empty() { "" } else { "/" };
                operation[key] = format!("/{core}{slash}{rest}").into();
            }
        }
    }
}

/// The fields that a selector may name.
fn core_query(query: &str) -> String {
    query
        .replace("regarding.", "involvedObject.")
        .replace("reportingController", "reportingComponent")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_goes_there_and_back() {
        let new = json!({
            "kind": "Event", "apiVersion": "events.k8s.io/v1", "note": "n", "regarding": {"name": "p"}, "reportingController": "c",
            "deprecatedCount": 2, "type": "Normal",
        });
        let core = json!({
            "kind": "Event", "apiVersion": "v1", "message": "n", "involvedObject": {"name": "p"}, "reportingComponent": "c",
            "count": 2, "type": "Normal",
        });
        let mut value = new.clone();
        rename(&mut value, true);
        assert_eq!(value, core);
        for (answer, told) in [
            (core.clone(), new.clone()),
            (
                json!({"type": "ADDED", "object": core}),
                json!({"type": "ADDED", "object": new}),
            ),
            (
                json!({"kind": "EventList", "apiVersion": "v1", "items": [core]}),
                json!({"kind": "EventList", "apiVersion": "events.k8s.io/v1", "items": [new]}),
            ),
            (
                json!({"kind": "Status", "apiVersion": "v1", "message": "m"}),
                json!({"kind": "Status", "apiVersion": "v1", "message": "m"}),
            ),
        ] {
            let mut value = answer;
            rename(&mut value, false);
            assert_eq!(value, told);
        }
        let mut patch =
            json!([{"op": "replace", "path": "/note", "value": "x"}, {"op": "remove", "path": "/regarding/uid"}]);
        rename_paths(&mut patch);
        assert_eq!(
            (&patch[0]["path"], &patch[1]["path"]),
            (&json!("/message"), &json!("/involvedObject/uid"))
        );
    }
}

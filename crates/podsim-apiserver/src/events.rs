//! `events.k8s.io/v1`: the second view of the same Events. A request for it is made one for the core group's, and the answer is told in
//! the other words again (`pkg/apis/events/v1/conversion.go`).

use crate::body::content_type;
use crate::status::{ApiError, Result};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Uri, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::BodyExt;
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

/// A larger body is cut off when it is read; this is only what is kept of it meanwhile.
const LIMIT: usize = 3 << 20;

/// The request as the core group takes it.
pub(crate) async fn to_core(request: Request, rest: &[&str]) -> Result<Request> {
    let (mut parts, body) = request.into_parts();
    let query = parts
        .uri
        .query()
        .map(|query| format!("?{}", core_query(query)))
        .unwrap_or_default();
    let uri = format!("/api/v1/{}{query}", rest.join("/"));
    parts.uri = uri.parse::<Uri>().map_err(|_| ApiError::no_such_path())?;
    let patch = content_type(&parts.headers) == "application/json-patch+json";
    if !matches!(
        content_type(&parts.headers),
        "" | "application/json"
            | "application/json-patch+json"
            | "application/merge-patch+json"
            | "application/strategic-merge-patch+json"
    ) {
        return Err(ApiError::unsupported_media_type(
            "events.k8s.io is spoken in JSON - accepted media types include: application/json",
        ));
    }
    let bytes = http_body_util::Limited::new(body, LIMIT).collect().await;
    let bytes = bytes.map_err(|_| ApiError::too_large(LIMIT))?.to_bytes();
    let bytes = match serde_json::from_slice::<Value>(&bytes) {
        Ok(mut value) => {
            if patch {
                rename_paths(&mut value);
            } else {
                rename(&mut value, true);
            }
            Bytes::from(value.to_string())
        }
        // Nothing, or nothing that can be read: the next one says so.
        Err(_) => bytes,
    };
    parts
        .headers
        .insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    parts.headers.remove(header::TRANSFER_ENCODING);
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

/// The answer in the words of this group: an object, a list, a table, or a line for each event of a watch.
pub(crate) async fn from_core(answer: Response) -> Result<Response> {
    let (mut parts, body) = answer.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let watch = body.size_hint_is_open();
    if !watch {
        let bytes = body.collect().await.map_err(ApiError::internal)?.to_bytes();
        return Ok(Response::from_parts(parts, Body::from(convert(&bytes))));
    }
    // Each piece of a watch's body is whole lines.
    let whole = |piece: Bytes| -> Bytes {
        let lines = piece.split_inclusive(|byte| *byte == b'\n');
        let lines: Vec<Bytes> = lines.map(|line| convert(&piece.slice_ref(line))).collect();
        Bytes::from(lines.concat())
    };
    let lines = body.into_data_stream().map(move |piece| piece.map(whole));
    Ok(Response::from_parts(parts, Body::from_stream(lines)))
}

trait SizeHint {
    fn size_hint_is_open(&self) -> bool;
}

impl SizeHint for Body {
    fn size_hint_is_open(&self) -> bool {
        hyper::body::Body::size_hint(self).exact().is_none()
    }
}

fn convert(bytes: &Bytes) -> Bytes {
    let Ok(mut value) = serde_json::from_slice::<Value>(bytes) else {
        return bytes.clone();
    };
    rename(&mut value, false);
    let end = if bytes.ends_with(b"\n") { "\n" } else { "" };
    Bytes::from(format!("{value}{end}"))
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

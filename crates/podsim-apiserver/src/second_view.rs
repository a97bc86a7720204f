//! A second group or version of stored objects: a request for it is made one for the stored kind, and the answer is told in the other's
//! words again. What the words are, its users know ([`crate::events`], [`crate::autoscaling`]).

use crate::body::content_type;
use crate::protobuf;
use crate::status::{ApiError, Result};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Uri, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::BodyExt;
use serde_json::Value;

/// A larger body is cut off when it is read; this is only what is kept of it meanwhile.
const LIMIT: usize = 3 << 20;

/// The request to `path`, its body converted.
pub(crate) async fn request(
    request: Request,
    path: &str,
    query: Option<String>,
    group: &str,
    convert: impl FnOnce(&mut Value),
) -> Result<Request> {
    let (mut parts, body) = request.into_parts();
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    parts.uri = format!("{path}{query}")
        .parse::<Uri>()
        .map_err(|_| ApiError::no_such_path())?;
    let binary = content_type(&parts.headers) == protobuf::MEDIA_TYPE;
    if !matches!(
        content_type(&parts.headers),
        "" | protobuf::MEDIA_TYPE
            | "application/json"
            | "application/json-patch+json"
            | "application/merge-patch+json"
            | "application/strategic-merge-patch+json"
    ) {
        return Err(ApiError::unsupported_media_type(format!(
            "{group} is not read from {} - accepted media types include: application/json",
            content_type(&parts.headers)
        )));
    }
    let bytes = http_body_util::Limited::new(body, LIMIT).collect().await;
    let bytes = bytes.map_err(|_| ApiError::too_large(LIMIT))?.to_bytes();
    let value = if binary && !bytes.is_empty() {
        parts
            .headers
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(protobuf::decode(&bytes)?)
    } else {
        serde_json::from_slice::<Value>(&bytes)
    };
    let bytes = match value {
        Ok(mut value) => {
            convert(&mut value);
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

/// The answer converted: an object, a list, a table, or a line for each event of a watch.
pub(crate) async fn answer(
    answer: Response,
    convert: impl Fn(&mut Value) + Clone + Send + 'static,
) -> Result<Response> {
    let (mut parts, body) = answer.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let watch = hyper::body::Body::size_hint(&body).exact().is_none();
    if !watch {
        let bytes = body.collect().await.map_err(ApiError::internal)?.to_bytes();
        return Ok(Response::from_parts(parts, Body::from(text(&bytes, &convert))));
    }
    // Each piece of a watch's body is whole lines.
    let whole = move |piece: Bytes| -> Bytes {
        let lines = piece.split_inclusive(|byte| *byte == b'\n');
        let lines: Vec<Bytes> = lines.map(|line| text(&piece.slice_ref(line), &convert)).collect();
        Bytes::from(lines.concat())
    };
    let lines = body.into_data_stream().map(move |piece| piece.map(&whole));
    Ok(Response::from_parts(parts, Body::from_stream(lines)))
}

fn text(bytes: &Bytes, convert: &impl Fn(&mut Value)) -> Bytes {
    let Ok(mut value) = serde_json::from_slice::<Value>(bytes) else {
        return bytes.clone();
    };
    convert(&mut value);
    let end = if bytes.ends_with(b"\n") { "\n" } else { "" };
    Bytes::from(format!("{value}{end}"))
}

/// Does it for each object of the kind that is in an answer, whose lists are of this `apiVersion`.
pub(crate) fn each(value: &mut Value, kind: &str, api_version: &str, convert: &impl Fn(&mut Value)) {
    let found = value["kind"].as_str().unwrap_or_default().to_owned();
    if found == kind {
        convert(value);
        value["apiVersion"] = api_version.into();
    } else if found == format!("{kind}List") {
        value["apiVersion"] = api_version.into();
        for item in value["items"].as_array_mut().into_iter().flatten() {
            convert(item);
            if item["apiVersion"].is_string() {
                item["apiVersion"] = api_version.into();
            }
        }
    } else if found == "Table" {
        for row in value["rows"].as_array_mut().into_iter().flatten() {
            each(&mut row["object"], kind, api_version, convert);
        }
    } else if value["object"].is_object() && value["type"].is_string() {
        each(&mut value["object"], kind, api_version, convert);
    }
}

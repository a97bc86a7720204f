//! Reading the body of a request, with limits.

use crate::protobuf;
use crate::status::{ApiError, Result};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde_json::Value;
use std::time::Duration;

/// As Kubernetes: etcd's limit twice.
const LIMIT: usize = 3 << 20;
/// How much is read of a body that is too large.
const DRAIN: usize = 64 << 20;
/// How long a client may take to send a body. Host time: this is about the connection.
const PATIENCE: Duration = Duration::from_secs(30);

async fn read(body: Body) -> Result<Bytes> {
    tokio::time::timeout(PATIENCE, collect(body))
        .await
        .map_err(|_| ApiError::timeout("the body of the request did not arrive in time"))?
}

async fn collect(mut body: Body) -> Result<Bytes> {
    let (mut bytes, mut length) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ApiError::bad_request(error.to_string()))?;
        let data = frame.into_data().unwrap_or_default();
        length += data.len();
        // What is too much is still read for a while: a client that is cut off while it sends never sees the answer.
        if length > DRAIN {
            break;
        }
        if length <= LIMIT {
            bytes.extend_from_slice(&data);
        }
    }
    if length > LIMIT {
        return Err(ApiError::too_large(LIMIT));
    }
    Ok(bytes.freeze())
}

/// The content type, without its parameters.
pub(crate) fn content_type(headers: &HeaderMap) -> &str {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

/// The object in the body: JSON or protobuf.
pub(crate) async fn read_object(request: Request) -> Result<Value> {
    read_optional(request)
        .await?
        .filter(Value::is_object)
        .ok_or_else(|| ApiError::bad_request("the body of the request is not an object"))
}

/// The object in the body, if there is a body.
pub(crate) async fn read_optional(request: Request) -> Result<Option<Value>> {
    let binary = match content_type(request.headers()) {
        "" | "application/json" => false,
        protobuf::MEDIA_TYPE => true,
        other => {
            return Err(ApiError::unsupported_media_type(format!(
                "the body of the request was in an unknown format ({other}) - accepted media types include: application/json"
            )));
        }
    };
    let bytes = read(request.into_body()).await?;
    match (bytes.is_empty(), binary) {
        (true, _) => Ok(None),
        (false, true) => protobuf::decode(&bytes).map(Some),
        (false, false) => parse(&bytes).map(Some),
    }
}

/// Text: an applied configuration, in YAML or JSON.
pub(crate) async fn read_text(request: Request) -> Result<String> {
    let bytes = read(request.into_body()).await?;
    String::from_utf8(bytes.into()).map_err(|_| ApiError::bad_request("the body of the request is not UTF-8"))
}

/// Any JSON: a patch.
pub(crate) async fn read_json(request: Request) -> Result<Value> {
    parse(&read(request.into_body()).await?)
}

fn parse(bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes)
        .map_err(|error| ApiError::bad_request(format!("the body of the request is not JSON: {error}")))
}

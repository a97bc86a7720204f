//! [`Client`]: the API of a node, spoken through the `kube` crate.
//!
//! Objects are plain JSON here: the verbs print and forward them more than they look into them. No discovery: the kinds
//! are known, and a verb costs as many round trips as it needs.

use crate::cluster::Endpoint;
use crate::errors::{ApiFailure, Failure};
use anyhow::{Context, Result};
use futures_util::AsyncBufRead;
use hyper::Request;
use kube::client::Connection;
use podsim_store::{Kind, kinds};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Write;

/// A client of one node.
#[derive(Clone)]
pub(crate) struct Client {
    kube: kube::Client,
    endpoint: Endpoint,
}

/// The body of a request and what it is.
pub(crate) enum Body<'a> {
    None,
    Json(&'a Value),
    StrategicPatch(&'a Value),
}

impl Client {
    /// For this node. Makes no connection yet.
    pub(crate) fn new(endpoint: Endpoint) -> Result<Self> {
        let url = format!("http://{}", endpoint.address)
            .parse()
            .context("the node's address")?;
        let mut config = kube::Config::new(url);
        config.auth_info.token = Some(endpoint.token.clone().into());
        // A followed log may be silent for hours.
        config.read_timeout = None;
        config.write_timeout = None;
        let kube = kube::Client::try_from(config).context("the client")?;
        Ok(Self { kube, endpoint })
    }

    /// The node.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The text of an answer.
    pub(crate) async fn text(&self, method: &str, path: &str, body: Body<'_>, accept: &str) -> Result<String> {
        let request = request(method, path, body, accept)?;
        self.kube
            .request_text(request)
            .await
            .map_err(|error| self.failure(error))
    }

    /// The JSON of an answer.
    pub(crate) async fn json<T: DeserializeOwned>(&self, method: &str, path: &str, body: Body<'_>) -> Result<T> {
        let text = self.text(method, path, body, "application/json").await?;
        serde_json::from_str(&text).with_context(|| format!("the answer to {method} {path}"))
    }

    /// An object.
    pub(crate) async fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Result<Value> {
        self.json("GET", &object_path(kind, namespace, name), Body::None).await
    }

    /// An object, if it is there.
    pub(crate) async fn find(&self, kind: &Kind, namespace: &str, name: &str) -> Result<Option<Value>> {
        match self.get(kind, namespace, name).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A Pod.
    pub(crate) async fn pod(&self, namespace: &str, name: &str) -> Result<Value> {
        self.get(&kinds::POD, namespace, name).await
    }

    /// Objects.
    pub(crate) async fn list(&self, kind: &Kind, namespace: Option<&str>, query: &Query) -> Result<Vec<Value>> {
        let path = format!("{}{}", collection_path(kind, namespace), query.text());
        let mut list: Value = self.json("GET", &path, Body::None).await?;
        match list["items"].take() {
            Value::Array(items) => Ok(items),
            _ => Ok(Vec::new()),
        }
    }

    /// Creates an object.
    pub(crate) async fn create(&self, kind: &Kind, namespace: &str, object: &Value) -> Result<Value> {
        self.json("POST", &collection_path(kind, Some(namespace)), Body::Json(object))
            .await
    }

    /// Deletes an object.
    pub(crate) async fn delete(&self, kind: &Kind, namespace: &str, name: &str, grace: Option<i64>) -> Result<Value> {
        let mut query = Query::default();
        if let Some(grace) = grace {
            query.add("gracePeriodSeconds", grace);
        }
        let path = format!("{}{}", object_path(kind, namespace, name), query.text());
        self.json("DELETE", &path, Body::None).await
    }

    /// An answer that is read while it comes: a log, a watch.
    pub(crate) async fn stream(&self, path: &str, accept: &str) -> Result<impl AsyncBufRead + Send + Unpin + use<>> {
        let request = request("GET", path, Body::None, accept)?;
        let stream = self
            .kube
            .request_stream(request)
            .await
            .map_err(|error| self.failure(error))?;
        Ok(Box::pin(stream))
    }

    /// A WebSocket: exec, attach.
    pub(crate) async fn connect(&self, path: &str) -> Result<Connection> {
        let request = request("GET", path, Body::None, "*/*")?;
        self.kube.connect(request).await.map_err(|error| self.failure(error))
    }

    fn failure(&self, error: kube::Error) -> anyhow::Error {
        match error {
            kube::Error::Api(status) => ApiFailure { status, context: None }.into(),
            kube::Error::Service(error) => {
                let mut cause: &dyn std::error::Error = error.as_ref();
                while let Some(next) = cause.source() {
                    cause = next;
                }
                let Endpoint { name, address, .. } = &self.endpoint;
                Failure::new(format!(
                    "error: the node {name:?} at {address} does not answer: {cause}"
                ))
                .into()
            }
            error => error.into(),
        }
    }
}

/// Whether it is Kubernetes' NotFound.
pub(crate) fn is_not_found(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<ApiFailure>()
        .is_some_and(|failure| failure.status.reason == "NotFound")
}

/// Says what was being done when the server refused.
pub(crate) fn while_doing(error: anyhow::Error, what: String) -> anyhow::Error {
    match error.downcast::<ApiFailure>() {
        Ok(failure) if failure.status.reason != "Invalid" => ApiFailure {
            context: Some(what),
            ..failure
        }
        .into(),
        Ok(failure) => failure.into(),
        Err(error) => error,
    }
}

fn request(method: &str, path: &str, body: Body<'_>, accept: &str) -> Result<Request<Vec<u8>>> {
    let (content_type, body) = match body {
        Body::None => (None, None),
        Body::Json(value) => (Some("application/json"), Some(value)),
        Body::StrategicPatch(value) => (Some("application/strategic-merge-patch+json"), Some(value)),
    };
    let mut request = Request::builder().method(method).uri(path).header("accept", accept);
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    let body = body.map(|value| value.to_string().into_bytes()).unwrap_or_default();
    request
        .body(body)
        .with_context(|| format!("the request {method} {path}"))
}

/// `/api/v1/namespaces/default/pods`; all namespaces without one.
pub(crate) fn collection_path(kind: &Kind, namespace: Option<&str>) -> String {
    let root = if kind.group.is_empty() {
        "/api/".to_owned()
    } else {
        format!("/apis/{}/", kind.group)
    };
    match namespace.filter(|_| kind.namespaced) {
        Some(namespace) => format!(
            "{root}{}/namespaces/{}/{}",
            kind.version,
            escape(namespace),
            kind.plural
        ),
        None => format!("{root}{}/{}", kind.version, kind.plural),
    }
}

/// `/api/v1/namespaces/default/pods/web`.
pub(crate) fn object_path(kind: &Kind, namespace: &str, name: &str) -> String {
    format!("{}/{}", collection_path(kind, Some(namespace)), escape(name))
}

/// Query parameters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(String);

impl Query {
    /// Adds one.
    pub(crate) fn add(&mut self, key: &str, value: impl std::fmt::Display) {
        let separator = if self.0.is_empty() { '?' } else { '&' };
        // Writing into a string cannot fail.
        let _ = write!(self.0, "{separator}{key}={}", escape(&value.to_string()));
    }

    /// Adds `key=true` if it is.
    pub(crate) fn flag(&mut self, key: &str, value: bool) {
        if value {
            self.add(key, true);
        }
    }

    /// With the `?` before it, or nothing.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

/// Percent-encodes everything that is not plain.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

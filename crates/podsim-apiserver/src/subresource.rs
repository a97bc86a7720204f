//! Subresources that are neither the status nor a stream: scale, and the way to eviction.

use crate::body::{content_type, read_json, read_object};
use crate::managed::{self, Manager};
use crate::objects::writable_store;
use crate::patch::PatchKind;
use crate::query::Query;
use crate::server::{App, json_response};
use crate::status::{ApiError, Result};
use crate::target::Target;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

pub(crate) async fn handle(
    app: &App,
    target: &Target,
    name: &str,
    query: &Query,
    method: Method,
    request: Request,
) -> Result<Response> {
    match (method, target.subresource.as_deref()) {
        (Method::POST, Some("eviction")) => crate::eviction::evict(app, target, name, query, request).await,
        (Method::GET, Some("scale")) => {
            let object = app.store.get(target.kind, target.namespace_or_none(), name)?;
            Ok(json_response(StatusCode::OK, scale(&object).to_string()))
        }
        (Method::PUT, Some("scale")) => {
            let manager = Manager::of(query, request.headers(), target);
            let wanted = read_object(request).await?;
            set_scale(app, target, name, query, &wanted, &manager)
        }
        (Method::PATCH, Some("scale")) => {
            let kind = PatchKind::of(content_type(request.headers()))?;
            let manager = Manager::of(query, request.headers(), target);
            let patch = read_json(request).await?;
            let object = app.store.get(target.kind, target.namespace_or_none(), name)?;
            let wanted = kind.apply(&scale(&object), &patch)?;
            set_scale(app, target, name, query, &wanted, &manager)
        }
        _ => Err(ApiError::method_not_allowed()),
    }
}

/// The `Scale` of an object.
fn scale(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let selector = object["spec"]["selector"].as_object();
    let labels = selector.map(|selector| {
        selector
            .get("matchLabels")
            .and_then(Value::as_object)
            .unwrap_or(selector)
    });
    let labels: Vec<String> = labels
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
        .collect();
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"], "creationTimestamp": metadata["creationTimestamp"],
        },
        "spec": {"replicas": object["spec"]["replicas"].as_i64().unwrap_or(0)},
        "status": {"replicas": object["status"]["replicas"].as_i64().unwrap_or(0), "selector": labels.join(",")},
    })
}

fn set_scale(
    app: &App,
    target: &Target,
    name: &str,
    query: &Query,
    wanted: &Value,
    manager: &Manager,
) -> Result<Response> {
    let store = writable_store(app, query)?;
    let replicas = wanted["spec"]["replicas"].as_i64().unwrap_or(0);
    if replicas < 0 {
        let message = format!(
            "Scale.autoscaling \"{name}\" is invalid: spec.replicas: Invalid value: {replicas}: must be greater than or equal to 0"
        );
        return Err(ApiError::unprocessable(message));
    }
    let old = store.get(target.kind, target.namespace_or_none(), name)?;
    let mut object = old.as_ref().clone();
    let version = wanted["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    if !version.is_empty() {
        object["metadata"]["resourceVersion"] = version.into();
    }
    object["spec"]["replicas"] = replicas.into();
    managed::updated(app, target.kind, &old, &mut object, manager);
    let object = store.update(target.kind, target.namespace_or_none(), object)?;
    Ok(json_response(StatusCode::OK, scale(&object).to_string()))
}

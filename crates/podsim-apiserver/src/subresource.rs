//! Subresources that are neither the status nor a stream: scale and eviction.

use crate::body::{content_type, read_json, read_object};
use crate::managed::{self, Manager};
use crate::objects::{delete_options_of, success, writable_store};
use crate::patch::PatchKind;
use crate::query::Query;
use crate::server::{App, json_response};
use crate::status::{ApiError, Result};
use crate::target::Target;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use podsim_store::{Selectors, kinds};
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
        (Method::POST, Some("eviction")) => evict(app, target, name, query, request).await,
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

/// `pods/eviction`: a deletion that disruption budgets may refuse.
async fn evict(app: &App, target: &Target, name: &str, query: &Query, request: Request) -> Result<Response> {
    let eviction = read_object(request).await?;
    let namespace = target.namespace_or_none();
    let pod = app.store.get(&kinds::POD, namespace, name)?;
    let (store, options) = delete_options_of(app, query, &eviction["deleteOptions"])?;
    let budgets = app
        .store
        .list(&kinds::POD_DISRUPTION_BUDGET, Some(namespace), &Selectors::default());
    for budget in &budgets.items {
        if selects(&budget["spec"]["selector"], &pod) && !allows(app, namespace, budget) {
            let mut error =
                ApiError::too_many_requests("Cannot evict pod as it would violate the pod's disruption budget.");
            let message = format!(
                "The disruption budget {} needs the Pod",
                budget["metadata"]["name"].as_str().unwrap_or_default()
            );
            error.details = Some(json!({"causes": [{"reason": "DisruptionBudget", "message": message}]}));
            return Err(error);
        }
    }
    store.delete(&kinds::POD, namespace, name, &options)?;
    Ok(json_response(StatusCode::CREATED, success(Value::Null).to_string()))
}

fn selects(selector: &Value, pod: &Value) -> bool {
    let labels = &pod["metadata"]["labels"];
    let wanted = selector["matchLabels"].as_object();
    selector.is_object() && wanted.into_iter().flatten().all(|(key, value)| labels[key] == *value)
}

/// Whether one Pod less would still be enough.
fn allows(app: &App, namespace: &str, budget: &Value) -> bool {
    let pods = app
        .store
        .list(&kinds::POD, Some(namespace), &Selectors::default())
        .items;
    let pods: Vec<_> = pods
        .iter()
        .filter(|pod| selects(&budget["spec"]["selector"], pod))
        .collect();
    let ready = |pod: &Value| {
        let conditions = pod["status"]["conditions"].as_array();
        conditions
            .into_iter()
            .flatten()
            .any(|c| c["type"] == "Ready" && c["status"] == "True")
    };
    let (all, healthy) = (pods.len(), pods.iter().filter(|pod| ready(pod)).count());
    let amount = |value: &Value| -> Option<usize> {
        match value.as_str().and_then(|text| text.strip_suffix('%')) {
            Some(percent) => Some((all * percent.parse::<usize>().ok()?).div_ceil(100)),
            None => value.as_u64().and_then(|n| usize::try_from(n).ok()),
        }
    };
    let spec = &budget["spec"];
    let needed = match (amount(&spec["minAvailable"]), amount(&spec["maxUnavailable"])) {
        (Some(least), _) => least,
        (None, Some(most)) => all.saturating_sub(most),
        (None, None) => all.saturating_sub(1),
    };
    healthy > needed
}

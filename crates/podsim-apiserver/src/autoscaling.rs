//! `autoscaling/v1`: the first version of HorizontalPodAutoscalers, which knows one metric (`pkg/apis/autoscaling/v1/conversion.go`). They are
//! kept in v2. What v1 has no field for stays as it is when a v1 client writes the object back; Kubernetes shows it in annotations meanwhile.

use crate::body::{content_type, read_json};
use crate::patch::PatchKind;
use crate::second_view;
use crate::server::App;
use crate::status::Result;
use crate::target::Target;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, header};
use axum::response::Response;
use podsim_store::kinds;
use serde_json::{Value, json};

/// The group.
pub(crate) const GROUP: &str = "autoscaling";
const KIND: &str = "HorizontalPodAutoscaler";
const V1: &str = "autoscaling/v1";
const V2: &str = "autoscaling/v2";

/// The request as v2 takes it. A patch is of v1's fields: what comes of it is put.
pub(crate) async fn to_v2(app: &App, request: Request, target: &Target, rest: &[&str]) -> Result<Request> {
    let path = format!("/apis/{V2}/{}", rest.join("/"));
    let query = request.uri().query().map(str::to_owned);
    let name = target.name.as_deref().unwrap_or_default();
    let kind = &kinds::HORIZONTAL_POD_AUTOSCALER;
    let old = app.store.get(kind, target.namespace_or_none(), name);
    let mut request = request;
    if *request.method() == Method::PATCH {
        let patch = PatchKind::of(content_type(request.headers()))?;
        let (mut parts, body) = request.into_parts();
        let changes = read_json(Request::new(body)).await?;
        let mut object = old.as_deref().map_err(Clone::clone)?.clone();
        second_view::each(&mut object, KIND, V1, &to_v1);
        let patched = patch.apply(&object, &changes)?.to_string();
        parts.method = Method::PUT;
        parts
            .headers
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request = Request::from_parts(parts, Body::from(patched));
    }
    let old = old.map(|old| old.as_ref().clone()).unwrap_or_default();
    second_view::request(request, &path, query, V1, |value| {
        if value["kind"] == KIND || value["kind"].is_null() {
            from_v1(value, &old);
        }
    })
    .await
}

/// The answer in v1's words.
pub(crate) async fn from_v2(answer: Response) -> Result<Response> {
    second_view::answer(answer, |value| second_view::each(value, KIND, V1, &to_v1)).await
}

fn is_cpu(metric: &Value) -> bool {
    metric["type"] == "Resource" && metric["resource"]["name"] == "cpu"
}

/// The metric that v1 has a field for.
fn is_plain(metric: &Value) -> bool {
    is_cpu(metric) && !metric["resource"]["target"]["averageUtilization"].is_null()
}

fn to_v1(object: &mut Value) {
    for (part, list, end, field) in [
        ("spec", "metrics", "target", "targetCPUUtilizationPercentage"),
        ("status", "currentMetrics", "current", "currentCPUUtilizationPercentage"),
    ] {
        let Some(part) = object.get_mut(part).and_then(Value::as_object_mut) else {
            continue;
        };
        let metrics = part.remove(list).unwrap_or_default();
        let cpu = metrics.as_array().into_iter().flatten().find(|metric| is_cpu(metric));
        let percentage = cpu.map(|cpu| cpu["resource"][end]["averageUtilization"].clone());
        if let Some(percentage) = percentage.filter(|percentage| !percentage.is_null()) {
            part.insert(field.into(), percentage);
        }
        part.remove("behavior");
        part.remove("conditions");
    }
}

/// `old` is what is stored, null if nothing is.
fn from_v1(object: &mut Value, old: &Value) {
    if object["apiVersion"] == V1 {
        object["apiVersion"] = V2.into();
    }
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        let percentage = spec.remove("targetCPUUtilizationPercentage").unwrap_or_default();
        let kept = old["spec"]["metrics"].as_array().into_iter().flatten();
        let mut metrics: Vec<Value> = kept.filter(|metric| !is_plain(metric)).cloned().collect();
        if !percentage.is_null() {
            let target = json!({"type": "Utilization", "averageUtilization": percentage});
            metrics.push(json!({"type": "Resource", "resource": {"name": "cpu", "target": target}}));
        }
        if !metrics.is_empty() {
            spec.insert("metrics".into(), metrics.into());
        }
        if !old["spec"]["behavior"].is_null() {
            spec.insert("behavior".into(), old["spec"]["behavior"].clone());
        }
    }
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        let percentage = status.remove("currentCPUUtilizationPercentage").unwrap_or_default();
        if !percentage.is_null() {
            let current = json!({"averageUtilization": percentage});
            let metric = json!({"type": "Resource", "resource": {"name": "cpu", "current": current}});
            status.insert("currentMetrics".into(), json!([metric]));
        }
        if !old["status"]["conditions"].is_null() {
            status.insert("conditions".into(), old["status"]["conditions"].clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_autoscaler_goes_there_and_back_and_loses_nothing() {
        let cpu = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}});
        let pods = json!({"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "3"}}});
        let stored = json!({
            "kind": KIND, "apiVersion": V2,
            "spec": {"maxReplicas": 3, "metrics": [pods, cpu], "behavior": {"scaleDown": {}}},
            "status": {"desiredReplicas": 0, "conditions": [{"type": "Progressing"}]},
        });
        let mut told = stored.clone();
        second_view::each(&mut told, KIND, V1, &to_v1);
        assert_eq!(
            told,
            json!({
                "kind": KIND, "apiVersion": V1,
                "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 50}, "status": {"desiredReplicas": 0},
            })
        );
        let mut back = told.clone();
        from_v1(&mut back, &stored);
        assert_eq!(back, stored);
        let mut new =
            json!({"kind": KIND, "apiVersion": V1, "spec": {"maxReplicas": 1, "targetCPUUtilizationPercentage": 50}});
        from_v1(&mut new, &Value::Null);
        assert_eq!(
            new,
            json!({"kind": KIND, "apiVersion": V2, "spec": {"maxReplicas": 1, "metrics": [cpu]}})
        );
        let mut list = json!({"kind": "HorizontalPodAutoscalerList", "apiVersion": V2, "items": [stored.clone()]});
        second_view::each(&mut list, KIND, V1, &to_v1);
        assert_eq!((&list["apiVersion"], &list["items"][0]), (&json!(V1), &told));
        let mut event = json!({"type": "ADDED", "object": stored});
        second_view::each(&mut event, KIND, V1, &to_v1);
        assert_eq!(event["object"], told);
    }
}

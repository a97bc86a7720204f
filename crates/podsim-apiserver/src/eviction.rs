//! `pods/eviction`: a deletion that disruption budgets may refuse (`pkg/registry/core/pod/storage/eviction.go`).
//!
//! No controller keeps the status of a budget here: what it allows is counted when somebody asks.

use crate::body::read_object;
use crate::objects::{delete_options_of, success};
use crate::query::Query;
use crate::server::{App, json_response};
use crate::status::{ApiError, Result};
use crate::target::Target;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use podsim_store::{Selectors, kinds};
use serde_json::{Value, json};

/// POST of an `Eviction`.
pub(crate) async fn evict(app: &App, target: &Target, name: &str, query: &Query, request: Request) -> Result<Response> {
    let eviction = read_object(request).await?;
    let namespace = target.namespace_or_none();
    let pod = app.store.get(&kinds::POD, namespace, name)?;
    let (store, options) = delete_options_of(app, query, &eviction["deleteOptions"])?;
    let all = |kind| app.store.list(kind, Some(namespace), &Selectors::default()).items;
    let mut budgets = all(&kinds::POD_DISRUPTION_BUDGET);
    budgets.retain(|budget| selects(&budget["spec"]["selector"], &pod));
    match budgets.as_slice() {
        [] => {}
        _ if needs_no_budget(&pod) => {}
        [budget] => {
            let mut pods = all(&kinds::POD);
            pods.retain(|pod| selects(&budget["spec"]["selector"], pod));
            let healthy = pods.iter().filter(|pod| is_ready(pod)).count();
            let need = Need {
                needed: needed(&budget["spec"], pods.len()),
                healthy,
            };
            if !need.allows(&budget["spec"], &pod) {
                return Err(refusal(&budget["metadata"]["name"], &need));
            }
        }
        _ => {
            let message =
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
            return Err(ApiError::plain(500, message));
        }
    }
    store.delete(&kinds::POD, namespace, name, &options)?;
    Ok(json_response(StatusCode::CREATED, success(Value::Null).to_string()))
}

/// How many healthy Pods a budget asks for, and how many there are.
struct Need {
    needed: usize,
    healthy: usize,
}

impl Need {
    /// Whether this Pod may go. One that is not ready takes nothing from a budget that is met
    /// (`unhealthyPodEvictionPolicy`).
    fn allows(&self, spec: &Value, pod: &Value) -> bool {
        if is_ready(pod) {
            return self.healthy > self.needed;
        }
        spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow" || (self.healthy >= self.needed && self.needed > 0)
    }
}

fn refusal(budget: &Value, need: &Need) -> ApiError {
    let mut error = ApiError::too_many_requests("Cannot evict pod as it would violate the pod's disruption budget.");
    let message = format!(
        "The disruption budget {} needs {} healthy pods and has {} currently",
        budget.as_str().unwrap_or_default(),
        need.needed,
        need.healthy
    );
    error.details = Some(json!({"causes": [{"reason": "DisruptionBudget", "message": message}]}));
    error
}

/// A Pod that does not run, or ends already, is no loss (`canIgnorePDB`).
fn needs_no_budget(pod: &Value) -> bool {
    let phase = pod["status"]["phase"].as_str().unwrap_or_default();
    matches!(phase, "Succeeded" | "Failed" | "Pending") || !pod["metadata"]["deletionTimestamp"].is_null()
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|c| c["type"] == "Ready" && c["status"] == "True")
}

/// Whether a `LabelSelector` selects the Pod. An empty one selects all, none at all selects nothing (`policy/v1`).
fn selects(selector: &Value, pod: &Value) -> bool {
    let labels = &pod["metadata"]["labels"];
    let equal = selector["matchLabels"].as_object();
    let expressions = selector["matchExpressions"].as_array();
    selector.is_object()
        && equal.into_iter().flatten().all(|(key, value)| labels[key] == *value)
        && expressions.into_iter().flatten().all(|expression| {
            let label = &labels[expression["key"].as_str().unwrap_or_default()];
            let values = expression["values"].as_array();
            let listed = values.is_some_and(|values| values.contains(label));
            match expression["operator"].as_str().unwrap_or_default() {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => !label.is_null(),
                "DoesNotExist" => label.is_null(),
                _ => false,
            }
        })
}

/// How many of `all` Pods must stay healthy. Percents are rounded up.
fn needed(spec: &Value, all: usize) -> usize {
    let amount = |value: &Value| -> Option<usize> {
        match value.as_str().and_then(|text| text.strip_suffix('%')) {
            Some(percent) => Some(all.saturating_mul(percent.parse::<usize>().ok()?).div_ceil(100)),
            None => value.as_u64().and_then(|n| usize::try_from(n).ok()),
        }
    };
    match (amount(&spec["minAvailable"]), amount(&spec["maxUnavailable"])) {
        (Some(least), _) => least,
        (None, Some(most)) => all.saturating_sub(most),
        (None, None) => all.saturating_sub(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(labels: &Value, ready: &str) -> Value {
        json!({"metadata": {"labels": labels}, "status": {"conditions": [{"type": "Ready", "status": ready}]}})
    }

    #[test]
    fn a_selector_selects_by_all_that_it_says() {
        let pod = pod(&json!({"app": "web", "tier": "front"}), "True");
        let by = |operator: &str, key: &str, values: Value| {
            let expression = json!({"key": key, "operator": operator, "values": values});
            selects(
                &json!({"matchLabels": {"app": "web"}, "matchExpressions": [expression]}),
                &pod,
            )
        };
        for (operator, key, values, selected) in [
            ("In", "tier", json!(["front", "back"]), true),
            ("In", "tier", json!(["back"]), false),
            ("In", "none", json!(["back"]), false),
            ("NotIn", "tier", json!(["front"]), false),
            ("NotIn", "none", json!(["front"]), true),
            ("Exists", "tier", Value::Null, true),
            ("Exists", "none", Value::Null, false),
            ("DoesNotExist", "tier", Value::Null, false),
            ("DoesNotExist", "none", Value::Null, true),
            ("Near", "tier", Value::Null, false),
        ] {
            assert_eq!(by(operator, key, values.clone()), selected, "{operator} {key} {values}");
        }
        assert!(selects(&json!({}), &pod));
        assert!(!selects(&Value::Null, &pod));
        assert!(!selects(&json!({"matchLabels": {"app": "db"}}), &pod));
    }

    #[test]
    fn a_budget_allows_what_it_can_spare() {
        let (well, ill) = (pod(&Value::Null, "True"), pod(&Value::Null, "False"));
        for (spec, all, healthy, pod, allowed) in [
            (json!({"minAvailable": 1}), 2, 2, &well, true),
            (json!({"minAvailable": 2}), 2, 2, &well, false),
            (json!({"minAvailable": "50%"}), 3, 3, &well, true),
            (json!({"minAvailable": "50%"}), 3, 2, &well, false),
            (json!({"maxUnavailable": 1}), 3, 3, &well, true),
            (json!({"maxUnavailable": 1}), 3, 2, &well, false),
            (json!({"maxUnavailable": 0}), 3, 3, &well, false),
            (json!({"minAvailable": 2}), 3, 2, &ill, true),
            (json!({"minAvailable": 2}), 3, 1, &ill, false),
            (
                json!({"minAvailable": 2, "unhealthyPodEvictionPolicy": "AlwaysAllow"}),
                3,
                1,
                &ill,
                true,
            ),
        ] {
            let need = Need {
                needed: needed(&spec, all),
                healthy,
            };
            assert_eq!(need.allows(&spec, pod), allowed, "{spec}: {healthy} of {all}");
        }
    }

    #[test]
    fn pods_that_do_not_run_need_no_budget() {
        for (pod, free) in [
            (json!({"status": {"phase": "Running"}}), false),
            (json!({"status": {"phase": "Pending"}}), true),
            (json!({"status": {"phase": "Failed"}}), true),
            (
                json!({"status": {"phase": "Running"}, "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}),
                true,
            ),
        ] {
            assert_eq!(needs_no_budget(&pod), free, "{pod}");
        }
    }
}

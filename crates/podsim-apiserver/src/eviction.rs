//! `pods/eviction`: a deletion that disruption budgets may refuse (`pkg/registry/core/pod/storage/eviction.go`).
//!
//! What a budget allows is in its status, which a controller keeps ([`crate::controllers`]); an eviction takes one off it and names the
//! Pod in `disruptedPods`, so that two at a time cannot both have the last one.

use crate::body::read_object;
use crate::controllers::disruption;
use crate::label_selector::selects;
use crate::objects::{delete_options_of, success};
use crate::query::Query;
use crate::server::{App, json_response};
use crate::status::{ApiError, Result};
use crate::target::Target;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use podsim_store::{Object, Selectors, Store, StoreError, kinds, time};
use serde_json::{Value, json};

/// As `MaxDisruptedPodSize`.
const MOST_DISRUPTED: usize = 2000;
/// How often an eviction that met another's is tried again.
const ATTEMPTS: usize = 20;

/// POST of an `Eviction`.
pub(crate) async fn evict(app: &App, target: &Target, name: &str, query: &Query, request: Request) -> Result<Response> {
    let eviction = read_object(request).await?;
    if eviction["metadata"]["name"] != name {
        return Err(ApiError::bad_request(
            "name in URL does not match name in Eviction object",
        ));
    }
    let namespace = target.namespace_or_none();
    let (store, mut options) = delete_options_of(app, query, &eviction["deleteOptions"])?;
    let mut attempt = 1;
    let unready = loop {
        let pod = app.store.get(&kinds::POD, namespace, name)?;
        match verdict(&pod, &budgets_of(&app.store, namespace, &pod))? {
            Verdict::Free => break None,
            // It may become ready in between, and would then be guarded.
            Verdict::Unready { budget } => {
                let version = pod["metadata"]["resourceVersion"].as_str().map(str::to_owned);
                break options.resource_version.is_none().then_some((budget, version));
            }
            Verdict::Take { budget } => match take(&store, namespace, &budget, name) {
                Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
                taken => {
                    taken?;
                    break None;
                }
            },
        }
    };
    if let Some((budget, version)) = unready {
        options.resource_version = version;
        match store.delete(&kinds::POD, namespace, name, &options) {
            Err(StoreError::Conflict { .. }) => return Err(still_processed(&budget)),
            deleted => deleted?,
        };
    } else {
        store.delete(&kinds::POD, namespace, name, &options)?;
    }
    Ok(json_response(StatusCode::CREATED, success(Value::Null).to_string()))
}

/// What the budgets say to an eviction.
#[derive(Debug)]
enum Verdict {
    /// None has a say.
    Free,
    /// The Pod is not ready, which takes nothing from this budget.
    Unready { budget: String },
    /// It takes one from what this budget allows.
    Take { budget: Object },
}

fn budgets_of(store: &Store, namespace: &str, pod: &Value) -> Vec<Object> {
    let all = store.list(&kinds::POD_DISRUPTION_BUDGET, Some(namespace), &Selectors::default());
    let mut budgets = all.items;
    budgets.retain(|budget| selects(&budget["spec"]["selector"], pod));
    budgets
}

fn verdict(pod: &Value, budgets: &[Object]) -> Result<Verdict> {
    if needs_no_budget(pod) {
        return Ok(Verdict::Free);
    }
    let budget = match budgets {
        [] => return Ok(Verdict::Free),
        [budget] => budget,
        _ => {
            let message =
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
            return Err(ApiError::plain(500, message));
        }
    };
    let (status, name) = (
        &budget["status"],
        budget["metadata"]["name"].as_str().unwrap_or_default(),
    );
    let count = |field: &str| status[field].as_i64().unwrap_or(0);
    let (healthy, desired) = (count("currentHealthy"), count("desiredHealthy"));
    let free = budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow" || (healthy >= desired && desired > 0);
    if !disruption::is_ready(pod) && free {
        return Ok(Verdict::Unready {
            budget: name.to_owned(),
        });
    }
    if count("observedGeneration") < budget["metadata"]["generation"].as_i64().unwrap_or(0) {
        return Err(still_processed(name));
    }
    let forbidden = |why: &str| {
        Err(ApiError::forbidden(format!(
            "poddisruptionbudget.policy \"{name}\" is forbidden: {why}"
        )))
    };
    if count("disruptionsAllowed") < 0 {
        return forbidden("pdb disruptions allowed is negative");
    }
    if status["disruptedPods"]
        .as_object()
        .is_some_and(|pods| pods.len() > MOST_DISRUPTED)
    {
        return forbidden("DisruptedPods map too big - too many evictions not confirmed by PDB controller");
    }
    if count("disruptionsAllowed") == 0 {
        let message = format!("The disruption budget {name} needs {desired} healthy pods and has {healthy} currently");
        return Err(refusal(&message, 0));
    }
    Ok(Verdict::Take { budget: budget.clone() })
}

/// Takes one from what the budget allows. A conflict: it has changed since it was read.
fn take(store: &Store, namespace: &str, budget: &Object, pod: &str) -> std::result::Result<(), StoreError> {
    let mut budget = budget.as_ref().clone();
    let now = time::now(store.clock().as_ref());
    let status = &mut budget["status"];
    let left = status["disruptionsAllowed"].as_i64().unwrap_or(0) - 1;
    status["disruptionsAllowed"] = left.into();
    status["disruptedPods"][pod] = json!(now);
    if left == 0 {
        budget["status"]["conditions"] = disruption::conditions(store, &budget);
    }
    store.update_status(&kinds::POD_DISRUPTION_BUDGET, namespace, budget)?;
    Ok(())
}

fn refusal(cause: &str, retry_after: u32) -> ApiError {
    let mut error = ApiError::too_many_requests("Cannot evict pod as it would violate the pod's disruption budget.");
    let mut details = json!({"causes": [{"reason": "DisruptionBudget", "message": cause}]});
    if retry_after > 0 {
        details["retryAfterSeconds"] = retry_after.into();
    }
    error.details = Some(details);
    error
}

fn still_processed(budget: &str) -> ApiError {
    refusal(
        &format!("The disruption budget {budget} is still being processed by the server."),
        10,
    )
}

/// A Pod that does not run, or ends already, is no loss (`canIgnorePDB`).
fn needs_no_budget(pod: &Value) -> bool {
    let phase = pod["status"]["phase"].as_str().unwrap_or_default();
    matches!(phase, "Succeeded" | "Failed" | "Pending") || !pod["metadata"]["deletionTimestamp"].is_null()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn told(pod: &Value, budgets: &[Value]) -> String {
        let budgets: Vec<Object> = budgets.iter().cloned().map(Arc::new).collect();
        match verdict(pod, &budgets) {
            Ok(Verdict::Free) => "free".into(),
            Ok(Verdict::Unready { .. }) => "unready".into(),
            Ok(Verdict::Take { .. }) => "take".into(),
            Err(error) => {
                let cause = error.details.unwrap_or_default()["causes"][0]["message"].clone();
                format!("{} {}", error.code, cause.as_str().unwrap_or(&error.message))
            }
        }
    }

    #[test]
    fn a_budget_allows_what_its_status_says() {
        let pod =
            |ready: &str| json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}});
        let (well, ill) = (pod("True"), pod("False"));
        let budget = |spec: Value, observed: i64, desired: i64, healthy: i64, allowed: i64| {
            json!({
                "metadata": {"name": "b", "generation": 2}, "spec": spec,
                "status": {
                    "observedGeneration": observed, "desiredHealthy": desired, "currentHealthy": healthy,
                    "disruptionsAllowed": allowed,
                },
            })
        };
        let plain = |observed, desired, healthy, allowed| budget(json!({}), observed, desired, healthy, allowed);
        let always = json!({"unhealthyPodEvictionPolicy": "AlwaysAllow"});
        for (pod, budgets, verdict) in [
            (&well, vec![], "free"),
            (&well, vec![plain(2, 1, 2, 1)], "take"),
            (
                &well,
                vec![plain(2, 2, 2, 0)],
                "429 The disruption budget b needs 2 healthy pods and has 2 currently",
            ),
            (
                &well,
                vec![plain(1, 1, 2, 1)],
                "429 The disruption budget b is still being processed by the server.",
            ),
            (
                &well,
                vec![plain(2, 1, 2, -1)],
                "403 poddisruptionbudget.policy \"b\" is forbidden: pdb disruptions allowed is negative",
            ),
            // One that is not ready is free where the budget is met, or where its policy says so.
            (&ill, vec![plain(2, 2, 2, 0)], "unready"),
            (
                &ill,
                vec![plain(2, 2, 1, 0)],
                "429 The disruption budget b needs 2 healthy pods and has 1 currently",
            ),
            (
                &ill,
                vec![plain(2, 0, 0, 0)],
                "429 The disruption budget b needs 0 healthy pods and has 0 currently",
            ),
            (&ill, vec![budget(always, 1, 2, 1, 0)], "unready"),
            (
                &well,
                vec![plain(2, 1, 2, 1), plain(2, 1, 2, 1)],
                "500 This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
            ),
        ] {
            assert_eq!(told(pod, &budgets), verdict, "{budgets:?}");
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

//! Disruption budgets: their status says how many Pods may be evicted now (`pkg/controller/disruption/disruption.go`).

pub(crate) use super::pods::is_ready;
use super::{all, condition, event, is_deleted, set_status, text};
use crate::label_selector::selects;
use jiff::{SignedDuration, Timestamp};
use podsim_store::{Object, Selectors, Store, kinds, time};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// How long a Pod that was evicted may stay before the budget counts it again (`DeletionTimeout`).
const DELETION_TIMEOUT: SignedDuration = SignedDuration::from_mins(2);

pub(super) fn reconcile(store: &Store) {
    for budget in all(store, &kinds::POD_DISRUPTION_BUDGET) {
        if !is_deleted(&budget) {
            sync(store, &budget);
        }
    }
}

fn sync(store: &Store, budget: &Object) {
    let namespace = text(budget, "namespace");
    let mut pods = store.list(&kinds::POD, Some(namespace), &Selectors::default()).items;
    pods.retain(|pod| selects(&budget["spec"]["selector"], pod));
    let mut new = budget.as_ref().clone();
    match expected(store, &budget["spec"], &pods) {
        Err(error) => {
            let told = budget["status"]["conditions"][0]["message"] == error;
            if !told {
                let message = format!("Failed to calculate the number of expected pods: {error}");
                event(
                    store,
                    budget,
                    "controllermanager",
                    "Warning",
                    "CalculateExpectedPodCountFailed",
                    &message,
                );
            }
            new["status"]["disruptionsAllowed"] = 0.into();
            let failed = condition(
                store,
                &budget["status"],
                "DisruptionAllowed",
                "False",
                "SyncFailed",
                &error,
            );
            new["status"]["conditions"] = json!([failed]);
        }
        Ok((expected, desired)) => {
            let now = time::timestamp(store.clock().as_ref());
            let disrupted = disrupted(&budget["status"]["disruptedPods"], &pods, now);
            let healthy = pods
                .iter()
                .filter(|pod| !is_deleted(pod) && !disrupted.contains_key(text(pod, "name")) && is_ready(pod))
                .count();
            let healthy = i64::try_from(healthy).unwrap_or(i64::MAX);
            let allowed = if expected <= 0 { 0 } else { (healthy - desired).max(0) };
            new["status"] = json!({
                "observedGeneration": budget["metadata"]["generation"], "currentHealthy": healthy, "desiredHealthy": desired,
                "expectedPods": expected, "disruptionsAllowed": allowed, "conditions": budget["status"]["conditions"],
            });
            if !disrupted.is_empty() {
                new["status"]["disruptedPods"] = disrupted.into();
            }
            new["status"]["conditions"] = conditions(store, &new);
        }
    }
    set_status(store, &kinds::POD_DISRUPTION_BUDGET, budget, new["status"].take());
}

/// The one condition of a budget (`UpdateDisruptionAllowedCondition`).
pub(crate) fn conditions(store: &Store, budget: &Value) -> Value {
    let (status, reason) = match budget["status"]["disruptionsAllowed"].as_i64() {
        Some(1..) => ("True", "SufficientPods"),
        _ => ("False", "InsufficientPods"),
    };
    let mut condition = condition(store, &budget["status"], "DisruptionAllowed", status, reason, "");
    // A `metav1.Condition` has no time of update, and says which generation it is about.
    if let Some(condition) = condition.as_object_mut() {
        condition.remove("lastUpdateTime");
        condition.insert(
            "observedGeneration".into(),
            budget["status"]["observedGeneration"].clone(),
        );
    }
    json!([condition])
}

/// How many Pods are expected, and how many have to be healthy. A budget with neither bound asks for none and allows none.
fn expected(store: &Store, spec: &Value, pods: &[Object]) -> Result<(i64, i64), String> {
    let (least, most) = (&spec["minAvailable"], &spec["maxUnavailable"]);
    if !most.is_null() {
        let expected = scale(store, pods)?;
        return Ok((expected, (expected - amount(most, expected)?).max(0)));
    }
    match least {
        Value::Null => Ok((0, 0)),
        Value::String(_) => {
            let expected = scale(store, pods)?;
            Ok((expected, amount(least, expected)?))
        }
        number => Ok((i64::try_from(pods.len()).unwrap_or(i64::MAX), amount(number, 0)?)),
    }
}

/// A number, or percents of `all`, rounded up.
fn amount(value: &Value, all: i64) -> Result<i64, String> {
    let Some(text) = value.as_str() else {
        return Ok(value.as_i64().unwrap_or(0));
    };
    let percent = text.strip_suffix('%').and_then(|percent| percent.parse::<i64>().ok());
    let percent =
        percent.ok_or_else(|| format!("invalid value for IntOrString: invalid type: {text:?} is not a percentage"))?;
    Ok((all.saturating_mul(percent) + 99).div_euclid(100))
}

/// The replicas that the controllers of these Pods want, all together. Pods of none are not counted.
fn scale(store: &Store, pods: &[Object]) -> Result<i64, String> {
    let mut scales: BTreeMap<String, i64> = BTreeMap::new();
    for pod in pods {
        let owners = pod["metadata"]["ownerReferences"].as_array();
        let Some(owner) = owners.into_iter().flatten().find(|owner| owner["controller"] == true) else {
            continue;
        };
        let (scaled, replicas) = controller(store, text(pod, "namespace"), owner)
            .ok_or_else(|| format!("found no controllers for pod {:?}", text(pod, "name")))?;
        scales.insert(scaled, replicas);
    }
    Ok(scales.values().sum())
}

/// The uid and the replicas of what scales a Pod's controller: a ReplicaSet's Deployment, if it has one.
fn controller(store: &Store, namespace: &str, owner: &Value) -> Option<(String, i64)> {
    let kind = store
        .kinds()
        .into_iter()
        .find(|kind| owner["kind"] == kind.kind && owner["apiVersion"] == kind.api_version() && kind.scalable)?;
    let object = store.get(kind, namespace, owner["name"].as_str()?).ok()?;
    if object["metadata"]["uid"] != owner["uid"] {
        return None;
    }
    let above = object["metadata"]["ownerReferences"].as_array();
    let above = above
        .into_iter()
        .flatten()
        .find(|above| above["controller"] == true && above["kind"] == "Deployment");
    if let Some(above) = above.filter(|_| *kind == kinds::REPLICA_SET) {
        return controller(store, namespace, above);
    }
    Some((
        text(&object, "uid").to_owned(),
        object["spec"]["replicas"].as_i64().unwrap_or(1),
    ))
}

/// Those that were evicted lately and are still there.
fn disrupted(old: &Value, pods: &[Object], now: Timestamp) -> Map<String, Value> {
    let mut left = Map::new();
    for pod in pods.iter().filter(|pod| !is_deleted(pod)) {
        let at = &old[text(pod, "name")];
        let since = at.as_str().and_then(|at| at.parse::<Timestamp>().ok());
        if since.is_some_and(|since| since + DELETION_TIMEOUT >= now) {
            left.insert(text(pod, "name").to_owned(), at.clone());
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use podsim_sys::ManualClock;
    use std::sync::Arc;
    use std::time::Duration;

    /// The status that the controller gives: expected, desired, healthy, allowed, reason.
    fn status_of(spec: Value, ready: usize, all: usize, replicas: Option<i64>) -> String {
        let store = Store::new(Arc::new(ManualClock::new(Duration::from_secs(9))), || 7);
        let template =
            json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}});
        let owner = replicas.map(|replicas| {
            let set = json!({
                "metadata": {"name": "s"},
                "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "a"}}, "template": template},
            });
            store.create(&kinds::REPLICA_SET, "default", set).unwrap()
        });
        for number in 0..all {
            let mut pod = template.clone();
            pod["metadata"]["name"] = format!("p{number}").into();
            if let Some(owner) = &owner {
                pod["metadata"]["ownerReferences"] = json!([super::super::controller_reference(owner)]);
            }
            store.create(&kinds::POD, "default", pod).unwrap();
            if number < ready {
                let name = format!("p{number}");
                store
                    .modify_status(&kinds::POD, "default", &name, |pod| {
                        pod["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
                        Ok(())
                    })
                    .unwrap();
            }
        }
        let mut spec = spec;
        spec["selector"] = json!({"matchLabels": {"app": "a"}});
        let budget = json!({"metadata": {"name": "b"}, "spec": spec});
        store.create(&kinds::POD_DISRUPTION_BUDGET, "default", budget).unwrap();
        reconcile(&store);
        let status = store.get(&kinds::POD_DISRUPTION_BUDGET, "default", "b").unwrap()["status"].clone();
        let condition = &status["conditions"][0];
        format!(
            "{} {} {} {} {} {}",
            status["expectedPods"],
            status["desiredHealthy"],
            status["currentHealthy"],
            status["disruptionsAllowed"],
            condition["status"].as_str().unwrap(),
            condition["reason"].as_str().unwrap()
        )
    }

    #[test]
    fn a_budgets_status_says_what_it_can_spare() {
        for (spec, ready, all, replicas, status) in [
            (json!({"minAvailable": 1}), 2, 2, None, "2 1 2 1 True SufficientPods"),
            (json!({"minAvailable": 2}), 2, 3, None, "3 2 2 0 False InsufficientPods"),
            (json!({"minAvailable": 1}), 0, 0, None, "0 1 0 0 False InsufficientPods"),
            // Percents and maxUnavailable are of what the controllers want, rounded up.
            (
                json!({"minAvailable": "50%"}),
                3,
                3,
                Some(3),
                "3 2 3 1 True SufficientPods",
            ),
            (
                json!({"maxUnavailable": 1}),
                3,
                3,
                Some(4),
                "4 3 3 0 False InsufficientPods",
            ),
            (
                json!({"maxUnavailable": "30%"}),
                3,
                3,
                Some(3),
                "3 2 3 1 True SufficientPods",
            ),
            // Pods of no controller are not counted then.
            (
                json!({"maxUnavailable": 1}),
                3,
                3,
                None,
                "0 0 3 0 False InsufficientPods",
            ),
            // Neither: none may go.
            (json!({}), 3, 3, Some(3), "0 0 3 0 False InsufficientPods"),
            (json!({"minAvailable": "x"}), 1, 1, Some(1), "0 0 0 0 False SyncFailed"),
        ] {
            assert_eq!(status_of(spec.clone(), ready, all, replicas), status, "{spec}");
        }
    }
}

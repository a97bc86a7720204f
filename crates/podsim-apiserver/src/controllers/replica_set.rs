//! ReplicaSets and ReplicationControllers: as many Pods as are wanted.

use super::pods::{self, is_active, is_ready};
use super::{all, condition, is_deleted, set_status, text};
use podsim_store::{Store, kinds};
use serde_json::{Value, json};
use std::cmp::Reverse;

/// How many Pods are made or deleted at a look, so that a large number does not hold up everything else.
const BURST: usize = 100;

pub(super) fn reconcile(store: &Store) {
    for (kind, component) in [
        (&kinds::REPLICA_SET, "replicaset-controller"),
        (&kinds::REPLICATION_CONTROLLER, "replication-controller"),
    ] {
        for set in all(store, kind) {
            let failed = !is_deleted(&set) && !one(store, &set, component);
            set_status(store, kind, &set, status(store, &set, failed));
        }
    }
}

/// One step of one set; `false` if a Pod could not be made.
fn one(store: &Store, set: &Value, component: &str) -> bool {
    let wanted = set["spec"]["replicas"]
        .as_u64()
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(0);
    let mut active = pods::of(store, set);
    active.retain(|pod| is_active(pod));
    // Asked before anything is tried again: a template that no Pod can be made of would fill the events.
    let failed = set["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|c| c["type"] == "ReplicaFailure");
    if failed && set["status"]["observedGeneration"] == set["metadata"]["generation"] {
        return false;
    }
    if active.len() < wanted {
        return (active.len()..wanted)
            .take(BURST)
            .all(|_| pods::create(store, set, component));
    }
    // The ones that matter least go first: not scheduled, not ready, young.
    active.sort_by_key(|pod| {
        let scheduled = pod["spec"]["nodeName"].is_string();
        (
            scheduled,
            is_ready(pod),
            Reverse(text(pod, "creationTimestamp").to_owned()),
        )
    });
    for pod in active.iter().take((active.len() - wanted).min(BURST)) {
        pods::delete(store, set, pod, component);
    }
    true
}

fn status(store: &Store, set: &Value, failed: bool) -> Value {
    let mut active = pods::of(store, set);
    active.retain(|pod| is_active(pod));
    let ready = active.iter().filter(|pod| is_ready(pod)).count();
    let mut status = json!({
        "replicas": active.len(),
        "observedGeneration": set["metadata"]["generation"].as_i64().unwrap_or(1),
    });
    for (field, count) in [
        ("fullyLabeledReplicas", active.len()),
        ("readyReplicas", ready),
        ("availableReplicas", ready),
    ] {
        if count > 0 {
            status[field] = count.into();
        }
    }
    if failed {
        let message = "a Pod could not be created: see the events";
        let mut condition = condition(store, &set["status"], "ReplicaFailure", "True", "FailedCreate", message);
        // Conditions of sets have one time only.
        if let Some(condition) = condition.as_object_mut() {
            condition.remove("lastUpdateTime");
        }
        status["conditions"] = json!([condition]);
    }
    status
}

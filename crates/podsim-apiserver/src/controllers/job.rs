//! Jobs: Pods until enough have succeeded, or too many have failed. (`completionMode: Indexed` is taken as `NonIndexed`; a Pod that
//! failed is followed by the next one at once.)

use super::pods::{self, is_active, phase};
use super::{all, condition, event, is_deleted, set_status, text};
use podsim_store::{Store, kinds, time};
use serde_json::{Value, json};

const COMPONENT: &str = "job-controller";

pub(super) fn reconcile(store: &Store) {
    for job in all(store, &kinds::JOB) {
        let finished = job["status"]["conditions"].as_array().into_iter().flatten();
        let mut finished = finished.filter(|c| c["status"] == "True");
        if is_deleted(&job) || finished.any(|c| c["type"] == "Complete" || c["type"] == "Failed") {
            continue;
        }
        one(store, &job);
    }
}

fn one(store: &Store, job: &Value) {
    let spec = &job["spec"];
    let number = |value: &Value, otherwise: i64| value.as_i64().unwrap_or(otherwise);
    let pods = pods::of(store, job);
    let count = |wanted: &str| pods.iter().filter(|pod| phase(pod) == wanted).count() as i64;
    let (succeeded, failed) = (count("Succeeded"), count("Failed"));
    let mut active: Vec<_> = pods.iter().filter(|pod| is_active(pod)).collect();
    let parallelism = number(&spec["parallelism"], 1);
    // Without a number of completions the first success is enough, once all others have ended.
    let (enough, wanted) = match spec["completions"].as_i64() {
        Some(completions) => (succeeded >= completions, parallelism.min(completions - succeeded)),
        None if succeeded > 0 => (active.is_empty(), 0),
        None => (false, parallelism),
    };
    let now = json!(time::now(store.clock().as_ref()));
    let old = &job["status"];
    let mut status = json!({"startTime": old["startTime"]});
    let suspended = spec["suspend"] == true;
    if status["startTime"].is_null() && !suspended {
        status["startTime"] = now.clone();
    }
    let mut conditions = Vec::new();
    let mut conclude = |kind: &str, reason: &str, message: &str| {
        let mut condition = condition(store, old, kind, "True", reason, message);
        condition["lastProbeTime"] = now.clone();
        if let Some(condition) = condition.as_object_mut() {
            condition.remove("lastUpdateTime");
        }
        conditions.push(condition);
    };
    if enough {
        let message = "Reached expected number of succeeded pods";
        conclude("SuccessCriteriaMet", "CompletionsReached", message);
        conclude("Complete", "CompletionsReached", message);
        status["completionTime"] = now.clone();
        event(store, job, COMPONENT, "Normal", "Completed", "Job completed");
    } else if failed > number(&spec["backoffLimit"], 6) {
        let message = "Job has reached the specified backoff limit";
        conclude("FailureTarget", "BackoffLimitExceeded", message);
        conclude("Failed", "BackoffLimitExceeded", message);
        event(store, job, COMPONENT, "Warning", "BackoffLimitExceeded", message);
    } else if suspended {
        conclude("Suspended", "JobSuspended", "Job suspended");
    }
    let target = if conditions.is_empty() { wanted.max(0) } else { 0 };
    let mut running = active.len() as i64;
    while running < target && pods::create(store, job, COMPONENT) {
        running += 1;
    }
    while running > target
        && let Some(pod) = active.pop()
    {
        pods::delete(store, job, pod, COMPONENT);
        running -= 1;
    }
    for (field, count) in [("active", running), ("succeeded", succeeded), ("failed", failed)] {
        if count > 0 {
            status[field] = count.into();
        }
    }
    let now_active = pods::of(store, job);
    let ready = now_active
        .iter()
        .filter(|pod| is_active(pod) && pods::is_ready(pod))
        .count();
    status["ready"] = ready.into();
    if !conditions.is_empty() {
        status["conditions"] = conditions.into();
    }
    if let Some(status) = status.as_object_mut() {
        status.retain(|_, value| !value.is_null());
    }
    tracing::trace!("job {}: {running} of {target} run", text(job, "name"));
    set_status(store, &kinds::JOB, job, status);
}

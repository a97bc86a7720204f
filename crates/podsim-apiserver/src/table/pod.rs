//! The columns of Pods. STATUS says more than the phase: see [`status`].

use super::{Column, col, or_none, timestamp, wide};
use crate::duration::{age, human_duration};
use jiff::Timestamp;
use serde_json::{Value, json};

pub(super) const COLUMNS: &[Column] = &[
    col("Name"),
    col("Ready"),
    col("Status"),
    col("Restarts"),
    col("Age"),
    wide("IP"),
    wide("Node"),
    wide("Nominated Node"),
    wide("Readiness Gates"),
];

pub(super) fn cells(pod: &Value, now: Timestamp) -> Vec<Value> {
    let summary = status(pod);
    let restarts = match summary.last_restart {
        Some(at) if summary.restarts > 0 => {
            format!(
                "{} ({} ago)",
                summary.restarts,
                human_duration(now.as_second() - at.as_second())
            )
        }
        _ => summary.restarts.to_string(),
    };
    vec![
        pod["metadata"]["name"].clone(),
        json!(format!("{}/{}", summary.ready, summary.total)),
        json!(summary.status),
        json!(restarts),
        json!(age(timestamp(&pod["metadata"]["creationTimestamp"]), now)),
        or_none(pod["status"]["podIP"].as_str().unwrap_or_default()),
        or_none(pod["spec"]["nodeName"].as_str().unwrap_or_default()),
        or_none(pod["status"]["nominatedNodeName"].as_str().unwrap_or_default()),
        readiness_gates(pod),
    ]
}

fn readiness_gates(pod: &Value) -> Value {
    let gates = items(&pod["spec"]["readinessGates"]);
    if gates.is_empty() {
        return json!("<none>");
    }
    let open = gates
        .iter()
        .filter(|gate| condition_is_true(pod, gate["conditionType"].as_str().unwrap_or_default()));
    json!(format!("{}/{}", open.count(), gates.len()))
}

/// What READY, STATUS and RESTARTS say.
pub(super) struct Summary {
    ready: usize,
    total: usize,
    pub(super) status: String,
    restarts: u64,
    last_restart: Option<Timestamp>,
}

impl Summary {
    fn count_restarts(&mut self, container: &Value) {
        self.restarts += container["restartCount"].as_u64().unwrap_or(0);
        let ended = timestamp(&container["lastState"]["terminated"]["finishedAt"]);
        self.last_restart = self.last_restart.max(ended);
    }
}

/// The summary of a Pod, in the order in which `printPod` of Kubernetes looks at things.
pub(super) fn status(pod: &Value) -> Summary {
    let (spec, pod_status) = (&pod["spec"], &pod["status"]);
    let phase = pod_status["phase"].as_str().unwrap_or("Unknown");
    let pod_reason = pod_status["reason"].as_str().unwrap_or_default();
    let init_specs = items(&spec["initContainers"]);
    let restartable = |name: &Value| {
        init_specs
            .iter()
            .any(|container| container["name"] == *name && container["restartPolicy"] == "Always")
    };
    let sidecars = init_specs
        .iter()
        .filter(|container| container["restartPolicy"] == "Always")
        .count();
    let gated = items(&pod_status["conditions"])
        .iter()
        .any(|condition| condition["type"] == "PodScheduled" && condition["reason"] == "SchedulingGated");

    let reason = if gated {
        "SchedulingGated"
    } else if pod_reason.is_empty() {
        phase
    } else {
        pod_reason
    };
    let mut summary = Summary {
        ready: 0,
        total: items(&spec["containers"]).len() + sidecars,
        status: reason.to_owned(),
        restarts: 0,
        last_restart: None,
    };
    let mut sidecar_restarts = Summary {
        ready: 0,
        total: 0,
        status: String::new(),
        restarts: 0,
        last_restart: None,
    };

    let mut initializing = false;
    for (index, container) in items(&pod_status["initContainerStatuses"]).iter().enumerate() {
        summary.count_restarts(container);
        let sidecar = restartable(&container["name"]);
        if sidecar {
            sidecar_restarts.count_restarts(container);
        }
        let terminated = &container["state"]["terminated"];
        let waiting = container["state"]["waiting"]["reason"].as_str().unwrap_or_default();
        if terminated.is_object() && terminated["exitCode"] == 0 {
            continue;
        }
        if sidecar && container["started"] == true {
            summary.ready += usize::from(container["ready"] == true);
            continue;
        }
        summary.status = if terminated.is_object() {
            format!("Init:{}", terminated_reason(terminated))
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            format!("Init:{index}/{}", init_specs.len())
        };
        initializing = true;
        break;
    }

    if !initializing || condition_is_true(pod, "Initialized") {
        (summary.restarts, summary.last_restart) = (sidecar_restarts.restarts, sidecar_restarts.last_restart);
        let mut running = false;
        for container in items(&pod_status["containerStatuses"]).iter().rev() {
            summary.count_restarts(container);
            let state = &container["state"];
            let waiting = state["waiting"]["reason"].as_str().unwrap_or_default();
            if !waiting.is_empty() {
                summary.status = waiting.to_owned();
            } else if state["terminated"].is_object() {
                summary.status = terminated_reason(&state["terminated"]);
            } else if container["ready"] == true && state["running"].is_object() {
                running = true;
                summary.ready += 1;
            }
        }
        if summary.status == "Completed" && running {
            summary.status = if condition_is_true(pod, "Ready") {
                "Running"
            } else {
                "NotReady"
            }
            .into();
        }
    }

    // kubectl says Unknown only of lost Pods that are being deleted too, as a cluster does with them in the end. Here the phase
    // itself is Unknown, and that is what the column is for.
    if pod_reason == "NodeLost" {
        summary.status = "Unknown".into();
    } else if pod["metadata"]["deletionTimestamp"].is_string() && !matches!(phase, "Succeeded" | "Failed") {
        summary.status = "Terminating".into();
    }
    summary
}

fn terminated_reason(terminated: &Value) -> String {
    match (terminated["reason"].as_str(), terminated["signal"].as_i64()) {
        (Some(reason), _) if !reason.is_empty() => reason.to_owned(),
        (_, Some(signal)) if signal != 0 => format!("Signal:{signal}"),
        _ => format!("ExitCode:{}", terminated["exitCode"]),
    }
}

fn condition_is_true(pod: &Value, kind: &str) -> bool {
    items(&pod["status"]["conditions"])
        .iter()
        .any(|condition| condition["type"] == kind && condition["status"] == "True")
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

//! The Pod's conditions (`pkg/kubelet/status/generate.go`).

use super::any_regular_started;
use crate::containers::{init_containers, is_sidecar};
use crate::pod_worker::{names, resizing};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use podsim_store::{Store, StoreError, time};

/// What the conditions follow from.
pub(super) struct Facts<'a> {
    pub(super) pod: &'a Pod,
    pub(super) phase: &'a str,
    pub(super) init: &'a [ContainerStatus],
    pub(super) regular: &'a [ContainerStatus],
    pub(super) previous: &'a PodStatus,
    /// How far a resize has come.
    pub(super) resize: &'a [resizing::Condition],
    /// Is there a sandbox, and with a network?
    pub(super) sandbox_usable: bool,
    pub(super) now: &'a Time,
}

/// Notes that a Pod is going to be ended, and why (`apis.DisruptionTarget`).
pub(crate) fn disrupt(store: &Store, pod: &Pod, reason: &str, message: &str) -> Result<(), StoreError> {
    let now = time::now(store.clock().as_ref());
    let (namespace, name) = names(pod);
    let noted = store.api::<Pod>().modify_status(namespace, name, |pod| {
        let conditions = pod.status.get_or_insert_default().conditions.get_or_insert_default();
        conditions.retain(|c| c.type_ != "DisruptionTarget");
        conditions.push(PodCondition {
            type_: "DisruptionTarget".to_owned(),
            status: "True".to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message.to_owned()),
            last_transition_time: Some(now),
            observed_generation: pod.metadata.generation,
            ..PodCondition::default()
        });
    });
    noted.map(drop)
}

/// The conditions that the kubelet writes (`PodConditionByKubelet`), and `PodScheduled`; all others are somebody else's.
const OWN: [&str; 5] = [
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
];

/// Those are only there while there is something to say; they come first.
const RESIZE: [&str; 2] = ["PodResizePending", "PodResizeInProgress"];

/// Is this condition the kubelet's to write?
pub(crate) fn is_own(condition: &PodCondition) -> bool {
    is_own_type(&condition.type_)
}

/// As [`is_own`], by the condition's type.
pub(crate) fn is_own_type(type_: &str) -> bool {
    OWN.contains(&type_) || RESIZE.contains(&type_)
}

/// Are these the same, but for conditions that are not the kubelet's?
pub(crate) fn same_but_others(a: &PodStatus, b: &PodStatus) -> bool {
    fn own(status: &PodStatus) -> Vec<&PodCondition> {
        let mut own: Vec<_> = status.conditions.iter().flatten().filter(|c| is_own(c)).collect();
        own.sort_by_key(|c| &c.type_);
        own
    }
    let without = |status: &PodStatus| PodStatus {
        conditions: None,
        ..status.clone()
    };
    own(a) == own(b) && without(a) == without(b)
}

/// Why a condition is not true, or (with `true`) what is to be said of it although it is.
type Why = (bool, Option<&'static str>, Option<String>);

const TRUE: Why = (true, None, None);

/// All conditions: the kubelet's own, then those of others.
pub(super) fn all(facts: &Facts<'_>) -> Vec<PodCondition> {
    let containers_ready = containers_ready(facts);
    let own = [
        (facts.sandbox_usable, None, None),
        initialized(facts),
        ready(facts, &containers_ready),
        containers_ready,
        TRUE,
    ];
    let others = facts
        .previous
        .conditions
        .iter()
        .flatten()
        .filter(|c| !is_own(c))
        .cloned();
    let resize = facts.resize.iter().map(|told| PodCondition {
        observed_generation: told.generation,
        ..condition(facts, told.type_, (true, told.reason, told.message.clone()))
    });
    let own = OWN
        .into_iter()
        .zip(own)
        .map(|(type_, why)| condition(facts, type_, why));
    resize.chain(own).chain(others).collect()
}

fn condition(facts: &Facts<'_>, type_: &str, (is_true, reason, message): Why) -> PodCondition {
    let status = if is_true { "True" } else { "False" };
    let mut previous = facts.previous.conditions.iter().flatten();
    let same = previous.find(|c| c.type_ == type_ && c.status == status);
    PodCondition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.map(str::to_owned),
        message,
        last_transition_time: same
            .and_then(|c| c.last_transition_time.clone())
            .or_else(|| Some(facts.now.clone())),
        observed_generation: facts.pod.metadata.generation,
        ..PodCondition::default()
    }
}

fn containers_ready(facts: &Facts<'_>) -> Why {
    match facts.phase {
        "Succeeded" => return (false, Some("PodCompleted"), None),
        "Failed" => return (false, Some("PodFailed"), None),
        _ => {}
    }
    let sidecars = init_containers(facts.pod).iter().zip(facts.init);
    let sidecars = sidecars.filter(|(c, _)| is_sidecar(c)).map(|(_, status)| status);
    let unready: Vec<_> = sidecars
        .chain(facts.regular)
        .filter(|s| !s.ready)
        .map(|s| s.name.as_str())
        .collect();
    if unready.is_empty() {
        return TRUE;
    }
    let message = format!("containers with unready status: [{}]", unready.join(" "));
    (false, Some("ContainersNotReady"), Some(message))
}

fn ready(facts: &Facts<'_>, containers_ready: &Why) -> Why {
    if !containers_ready.0 {
        return containers_ready.clone();
    }
    let gates = facts.pod.spec.iter().flat_map(|s| s.readiness_gates.iter().flatten());
    let complaints: Vec<_> = gates
        .filter_map(|gate| {
            let type_ = &gate.condition_type;
            let mut conditions = facts.previous.conditions.iter().flatten();
            match conditions.find(|c| c.type_ == *type_) {
                None => Some(format!(
                    "corresponding condition of pod readiness gate \"{type_}\" does not exist."
                )),
                Some(c) if c.status != "True" => Some(format!(
                    "the status of pod readiness gate \"{type_}\" is not \"True\", but {}",
                    c.status
                )),
                Some(_) => None,
            }
        })
        .collect();
    if complaints.is_empty() {
        TRUE
    } else {
        (false, Some("ReadinessGatesNotReady"), Some(complaints.join(", ")))
    }
}

fn initialized(facts: &Facts<'_>) -> Why {
    if facts.phase == "Succeeded" {
        return (true, Some("PodCompleted"), None);
    }
    // Sidecars that start anew do not take a Pod back.
    if any_regular_started(facts.regular) {
        return TRUE;
    }
    let done = |sidecar: bool, status: &ContainerStatus| {
        if sidecar {
            status.started == Some(true)
        } else {
            status.ready
        }
    };
    let all = init_containers(facts.pod).iter().zip(facts.init);
    let incomplete: Vec<_> = all
        .filter(|(container, status)| !done(is_sidecar(container), status))
        .map(|(container, _)| container.name.as_str())
        .collect();
    if incomplete.is_empty() {
        return TRUE;
    }
    let message = format!("containers with incomplete status: [{}]", incomplete.join(" "));
    (false, Some("ContainersNotInitialized"), Some(message))
}

//! The Pod's status as the API shows it (`generateAPIPodStatus`): a pure function of the Pod, of what runs, and of what keeps
//! its containers waiting.

use crate::KubeletConfig;
use crate::runtime_status::{PodRuntimeStatus, restart_policy, should_be_restarted};
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
    HostIP, Pod, PodCondition, PodIP, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use podsim_cri::{self as cri, ContainerId};
use std::collections::{HashMap, HashSet};

/// What the status depends on besides the Pod and the runtime.
pub struct StatusInput<'a> {
    /// The node.
    pub config: &'a KubeletConfig,
    /// The scheme of container ids.
    pub runtime_name: &'a str,
    /// Reason and message of containers that wait, by name.
    pub waiting: &'a HashMap<String, (String, String)>,
    /// Containers whose postStart hook runs or has failed: they count as not started.
    pub hooks_pending: &'a HashSet<ContainerId>,
    /// The Pod ends and all its containers have ended: the phase must be a final one.
    pub terminated: bool,
    /// Reason and message of what makes the Pod fail as a whole, whatever its containers do.
    pub failure: Option<(&'static str, &'static str)>,
    /// Now, in whole seconds.
    pub now: Time,
}

/// Builds the status. `previous` gives the times of what has not changed, and a final phase that is never left.
#[must_use]
pub fn generate(pod: &Pod, runtime: &PodRuntimeStatus, previous: &PodStatus, input: &StatusInput<'_>) -> PodStatus {
    let Some(spec) = &pod.spec else { return previous.clone() };
    let init_containers = spec.init_containers.as_deref().unwrap_or_default();
    let initialized = initialized(pod, init_containers, runtime);
    let statuses = |containers: &[Container], default: &str| -> Vec<ContainerStatus> {
        containers
            .iter()
            .map(|c| container_status(pod, c, runtime, default, input))
            .collect()
    };
    let init = statuses(init_containers, "PodInitializing");
    let default = if initialized {
        "ContainerCreating"
    } else {
        "PodInitializing"
    };
    let regular = statuses(&spec.containers, default);
    let phase = match previous.phase.as_deref() {
        Some(last @ ("Succeeded" | "Failed")) => last.to_owned(),
        _ if input.failure.is_some() => "Failed".to_owned(),
        _ => phase(pod, &init, &regular, initialized, input.terminated).to_owned(),
    };
    let host_network = spec.host_network == Some(true);
    let ips: Vec<String> = match runtime.sandbox() {
        Some(_) if host_network => input.config.addresses.iter().map(ToString::to_string).collect(),
        Some(sandbox) if !sandbox.ips.is_empty() => sandbox.ips.iter().map(ToString::to_string).collect(),
        _ => previous.pod_ips.iter().flatten().map(|p| p.ip.clone()).collect(),
    };
    let hosts = input.config.addresses.iter().map(ToString::to_string);
    let conditions = conditions(pod, runtime, &phase, initialized, &regular, previous, input);
    PodStatus {
        conditions: Some(conditions),
        container_statuses: Some(regular),
        init_container_statuses: (!init.is_empty()).then_some(init),
        host_ip: input.config.host_ip().map(|ip| ip.to_string()),
        host_ips: Some(hosts.map(|ip| HostIP { ip }).collect()),
        pod_ip: ips.first().cloned(),
        pod_ips: (!ips.is_empty()).then(|| ips.into_iter().map(|ip| PodIP { ip }).collect()),
        phase: Some(phase),
        reason: input.failure.map(|(reason, _)| reason.to_owned()),
        message: input.failure.map(|(_, message)| message.to_owned()),
        qos_class: Some(podsim_store::pod::qos_class(pod).to_owned()),
        start_time: previous.start_time.clone().or_else(|| Some(input.now.clone())),
        observed_generation: pod.metadata.generation,
        ..PodStatus::default()
    }
}

/// Have the init containers done their work?
fn initialized(pod: &Pod, init_containers: &[Container], runtime: &PodRuntimeStatus) -> bool {
    let regular = pod.spec.iter().flat_map(|s| &s.containers);
    let started = regular.clone().any(|c| runtime.newest(&c.name).is_some());
    let done = |c: &Container| runtime.newest(&c.name).is_some_and(|s| s.exit_code == Some(0));
    started || init_containers.iter().all(done)
}

fn terminated(status: &cri::ContainerStatus, runtime: &PodRuntimeStatus, input: &StatusInput<'_>) -> ContainerState {
    let message = runtime
        .messages
        .get(&status.id)
        .cloned()
        .or_else(|| Some(status.message.clone()));
    ContainerState {
        terminated: Some(ContainerStateTerminated {
            container_id: Some(format!("{}://{}", input.runtime_name, status.id)),
            exit_code: status.exit_code.unwrap_or(0),
            finished_at: status.finished_at.map(Time),
            // Kubernetes shows the epoch for a container that never started.
            started_at: Some(Time(status.started_at.unwrap_or_default())),
            reason: Some(status.reason.clone()),
            message: message.filter(|m| !m.is_empty()),
            signal: status.signal.map(|s| i32::from(s.number())),
        }),
        ..ContainerState::default()
    }
}

fn waiting(reason: &str, message: &str) -> ContainerState {
    ContainerState {
        waiting: Some(ContainerStateWaiting {
            reason: Some(reason.to_owned()),
            message: Some(message.to_owned()).filter(|m| !m.is_empty()),
        }),
        ..ContainerState::default()
    }
}

fn container_status(
    pod: &Pod,
    container: &Container,
    runtime: &PodRuntimeStatus,
    default: &str,
    input: &StatusInput<'_>,
) -> ContainerStatus {
    let mut all = runtime.containers_named(&container.name);
    let (newest, older) = (all.next(), all.next());
    let mut status = ContainerStatus {
        name: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        state: Some(waiting(default, "")),
        started: Some(false),
        ..ContainerStatus::default()
    };
    let waits = input.waiting.get(&container.name);
    let Some(newest) = newest else {
        if let Some((reason, message)) = waits {
            status.state = Some(waiting(reason, message));
        }
        return status;
    };
    status.restart_count = i32::try_from(newest.metadata.attempt).unwrap_or(i32::MAX);
    status.container_id = Some(format!("{}://{}", input.runtime_name, newest.id));
    status.image_id = newest.image_id.clone();
    let last = older.filter(|o| o.state == cri::ContainerState::Exited);
    status.last_state = Some(last.map_or_else(ContainerState::default, |o| terminated(o, runtime, input)));
    let running = newest.state == cri::ContainerState::Running && !input.hooks_pending.contains(&newest.id);
    match newest.state {
        cri::ContainerState::Running if running => {
            status.ready = true;
            status.started = Some(true);
            status.state = Some(ContainerState {
                running: Some(ContainerStateRunning {
                    started_at: newest.started_at.map(Time),
                }),
                ..ContainerState::default()
            });
        }
        // Upstream's worker is busy with the hook, so that the status stays what it was.
        cri::ContainerState::Running | cri::ContainerState::Created => {
            if let Some((reason, message)) = waits {
                status.state = Some(waiting(reason, message));
            }
        }
        cri::ContainerState::Exited => {
            let ended = terminated(newest, runtime, input);
            match waits {
                Some((reason, message)) if should_be_restarted(container, pod, runtime) => {
                    status.last_state = Some(ended);
                    status.state = Some(waiting(reason, message));
                }
                _ => status.state = Some(ended),
            }
        }
    }
    let is_init = pod
        .spec
        .iter()
        .flat_map(|s| s.init_containers.iter().flatten())
        .any(|c| c.name == container.name);
    if is_init {
        let exit = newest.exit_code;
        status.ready = exit == Some(0);
    }
    status
}

/// The phase (`getPhase`).
fn phase(
    pod: &Pod,
    init: &[ContainerStatus],
    regular: &[ContainerStatus],
    initialized: bool,
    all_ended: bool,
) -> &'static str {
    let ended = |s: &ContainerStatus| {
        s.state
            .as_ref()
            .and_then(|s| s.terminated.as_ref())
            .map(|t| t.exit_code)
    };
    let ended_before = |s: &ContainerStatus| s.last_state.as_ref().and_then(|s| s.terminated.as_ref()).is_some();
    let is_running = |s: &&ContainerStatus| s.state.as_ref().is_some_and(|s| s.running.is_some());
    let policy = restart_policy(pod);
    if policy == "Never" && !initialized && init.iter().any(|s| ended(s).is_some_and(|c| c != 0)) {
        return "Failed";
    }
    let running = regular.iter().filter(is_running).count();
    let stopped = regular.iter().filter(|s| ended(s).is_some()).count();
    let succeeded = regular.iter().filter(|s| ended(s) == Some(0)).count();
    let waits = |s: &&ContainerStatus| s.state.as_ref().is_some_and(|s| s.waiting.is_some());
    let backing_off = regular.iter().filter(waits).filter(|s| ended_before(s)).count();
    let waiting = regular.iter().filter(waits).filter(|s| !ended_before(s)).count();
    if all_ended {
        // A Pod that was deleted ends in a final phase (KEP-3329).
        let failed = succeeded < regular.len();
        return if failed { "Failed" } else { "Succeeded" };
    }
    if !initialized || waiting > 0 {
        "Pending"
    } else if running > 0 {
        "Running"
    } else if backing_off == 0 && stopped > 0 && policy != "Always" {
        match (succeeded == stopped, policy) {
            (true, _) => "Succeeded",
            (false, "Never") => "Failed",
            (false, _) => "Running",
        }
    } else {
        "Running"
    }
}

fn conditions(
    pod: &Pod,
    runtime: &PodRuntimeStatus,
    phase: &str,
    initialized: bool,
    regular: &[ContainerStatus],
    previous: &PodStatus,
    input: &StatusInput<'_>,
) -> Vec<PodCondition> {
    let unready: Vec<_> = regular.iter().filter(|s| !s.ready).map(|s| s.name.as_str()).collect();
    let incomplete: Vec<_> = pod
        .spec
        .iter()
        .flat_map(|s| s.init_containers.iter().flatten())
        .filter(|c| runtime.newest(&c.name).is_none_or(|s| s.exit_code != Some(0)))
        .map(|c| c.name.as_str())
        .collect();
    let sandbox_ready = runtime
        .ready_sandbox()
        .is_some_and(|s| !s.ips.is_empty() || s.namespaces.network == cri::NamespaceMode::Node);
    let not_ready = match phase {
        "Succeeded" => Some(("PodCompleted", None)),
        "Failed" => Some(("PodFailed", None)),
        _ if !unready.is_empty() => Some((
            "ContainersNotReady",
            Some(format!("containers with unready status: [{}]", unready.join(" "))),
        )),
        _ => None,
    };
    let not_initialized = match phase {
        "Succeeded" => None,
        _ if initialized => None,
        _ => Some((
            "ContainersNotInitialized",
            Some(format!("containers with incomplete status: [{}]", incomplete.join(" "))),
        )),
    };
    let initialized_reason = (phase == "Succeeded").then_some("PodCompleted");
    [
        ("PodReadyToStartContainers", sandbox_ready, None),
        (
            "Initialized",
            not_initialized.is_none(),
            not_initialized.or(initialized_reason.map(|r| (r, None))),
        ),
        ("Ready", not_ready.is_none(), not_ready.clone()),
        ("ContainersReady", not_ready.is_none(), not_ready),
        ("PodScheduled", true, None),
    ]
    .into_iter()
    .map(|(type_, is_true, why)| {
        let status = if is_true { "True" } else { "False" };
        let old = previous
            .conditions
            .iter()
            .flatten()
            .find(|c| c.type_ == type_ && c.status == status);
        let (reason, message) = why.map_or((None, None), |(r, m)| (Some(r.to_owned()), m));
        PodCondition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason,
            message,
            last_transition_time: old
                .and_then(|c| c.last_transition_time.clone())
                .or_else(|| Some(input.now.clone())),
            observed_generation: pod.metadata.generation,
            ..PodCondition::default()
        }
    })
    .collect()
}

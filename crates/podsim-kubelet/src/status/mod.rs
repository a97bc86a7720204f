//! The Pod's status as the API shows it (`generateAPIPodStatus`): a pure function of the Pod, of what runs, of what keeps its
//! containers waiting, and of what the probes say.

pub(crate) mod conditions;

use crate::KubeletConfig;
use crate::actions::pod_sandbox_changed;
use crate::containers::{
    Role, as_container, ephemeral_containers, init_containers, is_sidecar, regular_containers, should_restart,
};
use crate::pod_worker::resizing;
use crate::prober::ProbeResults;
use crate::runtime_status::{PodRuntimeStatus, should_be_restarted};
use conditions::Facts;
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
    HostIP, Pod, PodIP, PodStatus, ResourceRequirements, VolumeMountStatus,
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
    /// What the probes say.
    pub probes: &'a ProbeResults,
    /// The Pod ends and all its containers have ended: the phase must be a final one.
    pub terminated: bool,
    /// Reason and message of what makes the Pod fail as a whole, whatever its containers do.
    pub failure: Option<(&'a str, &'a str)>,
    /// What the containers run with.
    pub actual: &'a HashMap<ContainerId, ResourceRequirements>,
    /// How far a resize has come.
    pub(crate) resize: &'a [resizing::Condition],
    /// Now, in whole seconds.
    pub now: Time,
}

/// Builds the status. `previous` gives the times of what has not changed, conditions of others, and a final phase that is
/// never left.
#[must_use]
pub fn generate(pod: &Pod, runtime: &PodRuntimeStatus, previous: &PodStatus, input: &StatusInput<'_>) -> PodStatus {
    let Some(spec) = &pod.spec else { return previous.clone() };
    let one = |container: &Container, role: Role| container_status(pod, container, role, runtime, input);
    let init: Vec<_> = init_containers(pod)
        .iter()
        .map(|c| one(c, if is_sidecar(c) { Role::Sidecar } else { Role::Init }))
        .collect();
    let mut regular: Vec<_> = spec.containers.iter().map(|c| one(c, Role::Regular)).collect();
    let mut ephemeral: Vec<_> = ephemeral_containers(pod)
        .iter()
        .map(|c| one(&as_container(c), Role::Ephemeral))
        .collect();
    let (phase, reason, message) = outcome(pod, runtime, previous, input, &init, &regular);
    let host_network = spec.host_network == Some(true);
    let ips: Vec<String> = match runtime.sandbox() {
        Some(_) if host_network => input.config.addresses.iter().map(ToString::to_string).collect(),
        Some(sandbox) if !sandbox.ips.is_empty() => sandbox.ips.iter().map(ToString::to_string).collect(),
        _ => previous.pod_ips.iter().flatten().map(|p| p.ip.clone()).collect(),
    };
    let hosts = input.config.addresses.iter().map(ToString::to_string);
    let facts = Facts {
        pod,
        phase: &phase,
        init: &init,
        regular: &regular,
        previous,
        resize: input.resize,
        sandbox_usable: !pod_sandbox_changed(pod, runtime).0,
        now: &input.now,
    };
    let conditions = conditions::all(&facts);
    // `convertToAPIContainerStatuses` in kubelet_pods.go: by name, but those of init containers as in the manifest.
    for statuses in [&mut regular, &mut ephemeral] {
        statuses.sort_by(|a: &ContainerStatus, b| a.name.cmp(&b.name));
    }
    PodStatus {
        conditions: Some(conditions),
        container_statuses: Some(regular),
        init_container_statuses: (!init.is_empty()).then_some(init),
        ephemeral_container_statuses: (!ephemeral.is_empty()).then_some(ephemeral),
        host_ip: input.config.host_ip().map(|ip| ip.to_string()),
        host_ips: Some(hosts.map(|ip| HostIP { ip }).collect()),
        pod_ip: ips.first().cloned(),
        pod_ips: (!ips.is_empty()).then(|| ips.into_iter().map(|ip| PodIP { ip }).collect()),
        phase: Some(phase),
        reason,
        message,
        qos_class: Some(podsim_store::pod::qos_class(pod).to_owned()),
        start_time: previous.start_time.clone().or_else(|| Some(input.now.clone())),
        observed_generation: pod.metadata.generation,
        ..PodStatus::default()
    }
}

/// Phase, reason and message.
///
/// They are preserved as long as the phase is (`generateAPIPodStatus` in `pkg/kubelet/kubelet_pods.go`), a final phase for good. And nobody
/// hears that a Pod is over while something of it runs (`mergePodStatus` in `pkg/kubelet/status/status_manager.go`): until then all
/// three stay what they were.
fn outcome(
    pod: &Pod,
    runtime: &PodRuntimeStatus,
    previous: &PodStatus,
    input: &StatusInput<'_>,
    init: &[ContainerStatus],
    regular: &[ContainerStatus],
) -> (String, Option<String>, Option<String>) {
    let told = |status: &PodStatus, phase: &str| (phase.to_owned(), status.reason.clone(), status.message.clone());
    // Whoever has said it.
    for status in std::iter::once(previous).chain(&pod.status) {
        if let Some(last) = status.phase.as_deref().filter(|last| is_final(last)) {
            return told(status, last);
        }
    }
    let last = previous.phase.as_deref();
    let next = match input.failure {
        Some(_) => "Failed",
        None => phase(pod, init, regular, input.terminated),
    };
    if is_final(next) && runtime.running().next().is_some() {
        return told(previous, last.unwrap_or("Pending"));
    }
    match input.failure {
        Some((reason, message)) => (next.to_owned(), Some(reason.to_owned()), Some(message.to_owned())),
        None if last == Some(next) => told(previous, next),
        None => (next.to_owned(), None, None),
    }
}

/// Is this a phase that is never left?
pub(crate) fn is_final(phase: &str) -> bool {
    matches!(phase, "Succeeded" | "Failed")
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
    role: Role,
    runtime: &PodRuntimeStatus,
    input: &StatusInput<'_>,
) -> ContainerStatus {
    let mut all = runtime.containers_named(&container.name);
    let (newest, older) = (all.next(), all.next());
    // In a Pod with init containers all containers wait for those at first, and that is what is said of them.
    let default = match (init_containers(pod), role) {
        ([], _) | (_, Role::Ephemeral) => "ContainerCreating",
        _ => "PodInitializing",
    };
    let mut status = ContainerStatus {
        name: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        state: Some(waiting(default, "")),
        started: (role != Role::Ephemeral).then_some(false),
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
    if role != Role::Ephemeral {
        // What it was given, and what it really has as long as it runs (`convertContainerStatusResources`).
        let given = container.resources.clone().unwrap_or_default();
        status.allocated_resources.clone_from(&given.requests);
        let actual = input
            .actual
            .get(&newest.id)
            .filter(|_| newest.state == cri::ContainerState::Running);
        status.resources = Some(actual.cloned().unwrap_or(given));
    }
    let running = newest.state == cri::ContainerState::Running && !input.hooks_pending.contains(&newest.id);
    match newest.state {
        cri::ContainerState::Running if running => {
            status.state = Some(ContainerState {
                running: Some(ContainerStateRunning {
                    started_at: newest.started_at.map(Time),
                }),
                ..ContainerState::default()
            });
            if matches!(role, Role::Regular | Role::Sidecar) {
                status.started = Some(input.probes.started(container, &newest.id));
                status.ready = input.probes.ready(container, &newest.id);
            } else if role == Role::Init {
                status.started = Some(true);
            }
        }
        // Upstream's worker is busy with the hook, so that the status stays what it was.
        cri::ContainerState::Running | cri::ContainerState::Created => {
            if let Some((reason, message)) = waits {
                status.state = Some(waiting(reason, message));
            }
        }
        cri::ContainerState::Exited => {
            let ended = terminated(newest, runtime, input);
            let again = match role {
                Role::Ephemeral => false,
                Role::Init => newest.exit_code != Some(0) && should_be_restarted(container, pod, runtime),
                _ => should_be_restarted(container, pod, runtime),
            };
            match waits {
                Some((reason, message)) if again => {
                    status.last_state = Some(ended);
                    status.state = Some(waiting(reason, message));
                }
                _ => status.state = Some(ended),
            }
        }
    }
    if role == Role::Init {
        status.ready = newest.exit_code == Some(0);
    }
    let mounts = container.volume_mounts.iter().flatten().map(|mount| VolumeMountStatus {
        name: mount.name.clone(),
        mount_path: mount.mount_path.clone(),
        read_only: mount.read_only.filter(|r| *r),
        recursive_read_only: (mount.read_only == Some(true)).then(|| {
            let enabled = crate::container_config::recursively_readonly(mount);
            (if enabled { "Enabled" } else { "Disabled" }).to_owned()
        }),
    });
    let mounts: Vec<_> = mounts.collect();
    status.volume_mounts = (!mounts.is_empty()).then_some(mounts);
    status.stop_signal = container.lifecycle.as_ref().and_then(|l| l.stop_signal.clone());
    status
}

/// How a container that has ended did so, now or before the wait that it is in.
fn exit(status: &ContainerStatus) -> Option<i32> {
    let code = |state: &Option<ContainerState>| state.as_ref()?.terminated.as_ref().map(|t| t.exit_code);
    code(&status.state).or_else(|| code(&status.last_state).filter(|_| is_waiting(status)))
}

fn is_waiting(status: &ContainerStatus) -> bool {
    status.state.as_ref().is_some_and(|s| s.waiting.is_some())
}

fn is_running(status: &ContainerStatus) -> bool {
    status.state.as_ref().is_some_and(|s| s.running.is_some())
}

/// Has a container of the Pod proper been started already? (`HasAnyRegularContainerStarted`)
pub(crate) fn any_regular_started(regular: &[ContainerStatus]) -> bool {
    regular.iter().any(|s| is_running(s) || exit(s).is_some())
}

/// The phase (`getPhase`).
fn phase(pod: &Pod, init: &[ContainerStatus], regular: &[ContainerStatus], all_ended: bool) -> &'static str {
    let (mut pending_init, mut pending_sidecars) = (0, 0);
    let (mut running, mut waiting, mut stopped, mut stopped_for_good, mut succeeded) = (0, 0, 0, 0, 0);
    for (container, status) in init_containers(pod).iter().zip(init) {
        match (is_sidecar(container), exit(status)) {
            (false, Some(0)) => {}
            (false, Some(code)) => {
                if !should_restart(container, pod, code) {
                    return "Failed";
                }
            }
            (false, None) => pending_init += 1,
            // A sidecar that has ended says nothing about the phase.
            (true, Some(_)) => {}
            (true, None) if is_running(status) => {
                running += 1;
                pending_sidecars += usize::from(status.started != Some(true));
            }
            (true, None) => {
                pending_sidecars += 1;
                waiting += 1;
            }
        }
    }
    for (container, status) in regular_containers(pod).iter().zip(regular) {
        match exit(status) {
            Some(code) => {
                stopped += 1;
                succeeded += usize::from(code == 0);
                stopped_for_good += usize::from(!should_restart(container, pod, code));
            }
            None if is_running(status) => running += 1,
            None => waiting += 1,
        }
    }
    if all_ended {
        // A Pod that was deleted ends in a final phase (KEP-3329).
        return if succeeded < regular.len() {
            "Failed"
        } else {
            "Succeeded"
        };
    }
    if pending_init > 0 || pending_sidecars > 0 && !any_regular_started(regular) || waiting > 0 {
        "Pending"
    } else if running > 0 || stopped_for_good < stopped {
        "Running"
    } else if succeeded == stopped {
        "Succeeded"
    } else {
        "Failed"
    }
}

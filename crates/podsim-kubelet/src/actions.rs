//! What to do about a Pod (`computePodActions` of upstream's kuberuntime manager): a pure function of what is wanted and what
//! there is.

use crate::containers::{ephemeral_containers, init_containers, is_sidecar, regular_containers, should_restart};
use crate::prober::{ProbeResult, ProbeResults};
use crate::resize::{self, Step};
use crate::runtime_status::{PodRuntimeStatus, definition_changed, restart_policy, should_be_restarted};
use k8s_openapi::api::core::v1::{Container, Pod, ResourceRequirements};
use podsim_cri::{ContainerId, ContainerState, ContainerStatus, NamespaceMode, SandboxId};
use std::collections::{HashMap, HashSet};

/// Why a container is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillReason {
    /// The Pod ends.
    PodTerminating,
    /// Its image was changed.
    DefinitionChanged,
    /// Its postStart hook failed.
    PostStartHookFailed,
    /// Its liveness probe failed often enough.
    LivenessProbe,
    /// Its startup probe failed often enough.
    StartupProbe,
    /// It is to have other resources, and its resize policy wants it to be started with them.
    Resize,
}

/// A container to be killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerToKill {
    /// Its id.
    pub id: ContainerId,
    /// Its name.
    pub name: String,
    /// What for.
    pub reason: KillReason,
    /// For the event.
    pub message: String,
}

/// A running container whose limits are to be changed.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerToUpdate {
    /// Its id.
    pub id: ContainerId,
    /// Its name.
    pub name: String,
    /// What it is to have.
    pub resources: ResourceRequirements,
}

/// What to do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodActions {
    /// Kill all containers and the sandbox.
    pub kill_pod: bool,
    /// Make a sandbox (after killing, if both).
    pub create_sandbox: bool,
    /// The sandbox to go on with.
    pub sandbox: Option<SandboxId>,
    /// How many sandboxes there were before the one that is to be made.
    pub attempt: u32,
    /// Indices of the init containers to start, in this order.
    pub init_containers_to_start: Vec<usize>,
    /// Indices of the ephemeral containers to start, in this order.
    pub ephemeral_containers_to_start: Vec<usize>,
    /// Indices of the containers to start, in this order.
    pub containers_to_start: Vec<usize>,
    /// Containers to kill.
    pub containers_to_kill: Vec<ContainerToKill>,
    /// Containers whose limits change; those that give memory back come first.
    pub containers_to_update: Vec<ContainerToUpdate>,
}

impl PodActions {
    /// Is there nothing to start?
    #[must_use]
    pub fn starts_nothing(&self) -> bool {
        self.init_containers_to_start.is_empty()
            && self.ephemeral_containers_to_start.is_empty()
            && self.containers_to_start.is_empty()
    }
}

/// What is under way and need not be decided again, and what the probes say.
#[derive(Clone, Debug, Default)]
pub struct InFlight {
    /// Containers that are being killed.
    pub killing: HashSet<ContainerId>,
    /// Containers whose postStart hook has failed.
    pub hook_failed: HashSet<ContainerId>,
    /// The results of the probes.
    pub probes: ProbeResults,
    /// What the containers run with.
    pub actual: HashMap<ContainerId, ResourceRequirements>,
    /// Containers that were ended to start with other resources, whatever their policy.
    pub resized: HashSet<ContainerId>,
}

/// Decides what to do.
#[must_use]
pub fn compute_pod_actions(pod: &Pod, status: &PodRuntimeStatus, in_flight: &InFlight) -> PodActions {
    if pod.spec.is_none() {
        return PodActions::default();
    }
    let (changed, attempt, sandbox) = pod_sandbox_changed(pod, status);
    let mut actions = PodActions {
        kill_pod: changed,
        create_sandbox: changed,
        sandbox,
        attempt,
        ..PodActions::default()
    };
    if changed {
        start_anew(pod, status, &mut actions);
        return actions;
    }
    // Ephemeral containers do not wait for the init containers, and are never started twice.
    for (index, container) in ephemeral_containers(pod).iter().enumerate() {
        if status.newest(&container.name).is_none() {
            actions.ephemeral_containers_to_start.push(index);
        }
    }
    let initialized = compute_init_container_actions(pod, status, in_flight, &mut actions);
    if actions.kill_pod || !initialized {
        return actions;
    }
    let mut kept = 0;
    for (index, container) in regular_containers(pod).iter().enumerate() {
        let running = status
            .newest(&container.name)
            .filter(|s| s.state == ContainerState::Running);
        let Some(running) = running else {
            let resized = |s: &ContainerStatus| in_flight.resized.contains(&s.id);
            if should_be_restarted(container, pod, status) || status.newest(&container.name).is_some_and(resized) {
                actions.containers_to_start.push(index);
            }
            continue;
        };
        kept += 1;
        if in_flight.killing.contains(&running.id) {
            continue;
        }
        if let Some((reason, message)) = why_kill(pod, container, running, in_flight) {
            actions.containers_to_kill.push(to_kill(running, reason, message));
        } else {
            compute_resize_action(container, running, in_flight, &mut actions);
        }
    }
    // `markContainerForUpdate`.
    let shrinks = |update: &ContainerToUpdate| {
        let before = in_flight.actual.get(&update.id).and_then(resize::memory_limit);
        before.is_some_and(|before| resize::memory_limit(&update.resources).is_some_and(|after| after < before))
    };
    actions.containers_to_update.sort_by_key(|update| !shrinks(update));
    if kept == 0 && actions.containers_to_start.is_empty() {
        actions.kill_pod = true;
        // Sidecars do not keep a Pod alive.
        actions.init_containers_to_start.clear();
    }
    actions
}

/// What to start in a sandbox that is yet to be made.
fn start_anew(pod: &Pod, status: &PodRuntimeStatus, actions: &mut PodActions) {
    let may_restart = restart_policy(pod) != "Never" || any_could_restart(pod, status);
    if !may_restart && actions.attempt != 0 && !status.containers.is_empty() {
        // A Pod that may not restart does not come back after its sandbox has gone.
        actions.create_sandbox = false;
        return;
    }
    let done = |c: &Container| {
        let last = status.newest(&c.name).filter(|s| s.state == ContainerState::Exited);
        last.is_some_and(|s| match c.restart_policy {
            Some(_) => !should_restart(c, pod, s.exit_code.unwrap_or(0)),
            None => restart_policy(pod) == "OnFailure" && s.exit_code == Some(0),
        })
    };
    let regular = regular_containers(pod).iter().enumerate();
    actions.containers_to_start = regular.filter(|(_, c)| !done(c)).map(|(i, _)| i).collect();
    if actions.containers_to_start.is_empty() {
        actions.create_sandbox = false;
    } else if !init_containers(pod).is_empty() {
        actions.containers_to_start.clear();
        actions.init_containers_to_start = vec![0];
    }
}

/// Does a container's own policy bring it back although the Pod's would not?
fn any_could_restart(pod: &Pod, status: &PodRuntimeStatus) -> bool {
    regular_containers(pod).iter().any(|c| {
        let ended = status.newest(&c.name).and_then(|s| s.exit_code);
        c.restart_policy.is_some() && ended.is_some_and(|code| should_restart(c, pod, code))
    })
}

fn to_kill(running: &ContainerStatus, reason: KillReason, message: String) -> ContainerToKill {
    ContainerToKill {
        id: running.id.clone(),
        name: running.metadata.name.clone(),
        reason,
        message,
    }
}

/// Why a running container of the Pod proper has to be killed, if it has to.
fn why_kill(
    pod: &Pod,
    container: &Container,
    running: &ContainerStatus,
    in_flight: &InFlight,
) -> Option<(KillReason, String)> {
    let name = &container.name;
    if in_flight.hook_failed.contains(&running.id) {
        return Some((KillReason::PostStartHookFailed, "FailedPostStartHook".to_owned()));
    }
    let (reason, message, restart) = if definition_changed(container, running) {
        // A changed container starts anew whatever the policy.
        let message = format!("Container {name} definition changed");
        (KillReason::DefinitionChanged, message, true)
    } else {
        let (reason, probe) = in_flight.probes.failed(&running.id)?;
        let policy = container.restart_policy.as_deref().unwrap_or(restart_policy(pod));
        let message = format!("Container {name} failed {probe} probe");
        (reason, message, policy != "Never")
    };
    let message = if restart {
        format!("{message}, will be restarted")
    } else {
        message
    };
    Some((reason, message))
}

/// What a running container needs to have what the Pod was given (`computePodResizeAction`).
fn compute_resize_action(
    container: &Container,
    running: &ContainerStatus,
    in_flight: &InFlight,
    actions: &mut PodActions,
) {
    let Some(actual) = in_flight.actual.get(&running.id) else {
        return;
    };
    match resize::step(container, actual) {
        None => {}
        Some(Step::Update) => actions.containers_to_update.push(ContainerToUpdate {
            id: running.id.clone(),
            name: container.name.clone(),
            resources: container.resources.clone().unwrap_or_default(),
        }),
        Some(Step::Restart) => {
            let message = format!("Container {} resize requires restart", container.name);
            actions
                .containers_to_kill
                .push(to_kill(running, KillReason::Resize, message));
        }
    }
}

/// Is a new sandbox needed? Also gives the attempt of that one, and the sandbox that there is (`PodSandboxChanged`).
pub(crate) fn pod_sandbox_changed(pod: &Pod, status: &PodRuntimeStatus) -> (bool, u32, Option<SandboxId>) {
    let Some(sandbox) = status.sandbox() else {
        return (true, 0, None);
    };
    let next = sandbox.metadata.attempt + 1;
    let host_network = pod.spec.as_ref().is_some_and(|s| s.host_network == Some(true));
    let wrong_network = (sandbox.namespaces.network == NamespaceMode::Node) != host_network;
    let no_address = !host_network && sandbox.ips.is_empty();
    if status.ready_sandbox().is_none() || wrong_network || no_address {
        return (true, next, Some(sandbox.id.clone()));
    }
    (false, sandbox.metadata.attempt, Some(sandbox.id.clone()))
}

/// Decides about the init containers, and says whether the containers proper may run (`computeInitContainerActions`).
///
/// It goes from the last init container to the first, because older ones may have been removed already: the last that is
/// known says how far initialisation has come. Those before it only matter if they are sidecars, which are kept running.
fn compute_init_container_actions(
    pod: &Pod,
    status: &PodRuntimeStatus,
    in_flight: &InFlight,
    actions: &mut PodActions,
) -> bool {
    let all = init_containers(pod);
    if all.is_empty() {
        return true;
    }
    let here = |s: &&ContainerStatus| status.sandbox().is_some_and(|x| x.id == s.sandbox);
    // Once a container of the Pod proper was made in this sandbox, initialisation was over.
    let mut initialized = regular_containers(pod)
        .iter()
        .any(|c| status.newest(&c.name).filter(here).is_some());
    // All init containers before the one that is looked at have done their part.
    let mut passed = initialized;
    let mut starts = vec![];
    for (index, container) in all.iter().enumerate().rev() {
        let sidecar = is_sidecar(container);
        let Some(last) = status.newest(&container.name).filter(here) else {
            if passed && sidecar {
                starts.push(index);
            }
            continue;
        };
        if passed && !sidecar {
            continue;
        }
        let is_last = index + 1 == all.len();
        match last.state {
            ContainerState::Created => starts.push(index),
            ContainerState::Running if sidecar => {
                if in_flight.killing.contains(&last.id) {
                    // It will be seen again when it has ended.
                } else if let Some((reason, message)) = why_kill_sidecar(container, last, in_flight) {
                    if reason == KillReason::LivenessProbe || reason == KillReason::DefinitionChanged {
                        initialized |= is_last;
                    }
                    actions.containers_to_kill.push(to_kill(last, reason, message));
                } else if sidecar_started(container, last, in_flight) {
                    if is_last {
                        initialized = true;
                    } else if !passed {
                        starts.push(index + 1);
                    }
                    compute_resize_action(container, last, in_flight, actions);
                }
            }
            ContainerState::Running => {}
            ContainerState::Exited if sidecar => starts.push(index),
            ContainerState::Exited if last.exit_code == Some(0) => {
                if is_last {
                    initialized = true;
                } else {
                    starts.push(index + 1);
                }
            }
            ContainerState::Exited if should_restart(container, pod, last.exit_code.unwrap_or(1)) => starts.push(index),
            ContainerState::Exited => {
                actions.kill_pod = true;
                return false;
            }
        }
        passed = true;
    }
    if !passed {
        starts.push(0);
    }
    starts.reverse();
    actions.init_containers_to_start = starts;
    initialized
}

/// Has a running sidecar come so far that the next container may start?
fn sidecar_started(container: &Container, running: &ContainerStatus, in_flight: &InFlight) -> bool {
    container.startup_probe.is_none() || in_flight.probes.startup.get(&running.id) == Some(&ProbeResult::Success)
}

fn why_kill_sidecar(
    container: &Container,
    running: &ContainerStatus,
    in_flight: &InFlight,
) -> Option<(KillReason, String)> {
    let name = &container.name;
    if in_flight.hook_failed.contains(&running.id) {
        return Some((KillReason::PostStartHookFailed, "FailedPostStartHook".to_owned()));
    }
    if definition_changed(container, running) {
        let message = format!("Init container {name} definition changed");
        return Some((KillReason::DefinitionChanged, message));
    }
    let (reason, probe) = in_flight.probes.failed(&running.id)?;
    Some((reason, format!("Init container {name} failed {probe} probe")))
}

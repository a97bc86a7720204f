//! What to do about a Pod (`computePodActions` of upstream's kuberuntime manager): a pure function of what is wanted and what
//! there is.

use crate::runtime_status::{PodRuntimeStatus, definition_changed, restart_policy, should_be_restarted};
use k8s_openapi::api::core::v1::{Container, Pod};
use podsim_cri::{ContainerId, ContainerState, ContainerStatus, NamespaceMode, SandboxId};
use std::collections::HashSet;

/// Why a container is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillReason {
    /// The Pod ends.
    PodTerminating,
    /// Its image was changed.
    DefinitionChanged,
    /// Its postStart hook failed.
    PostStartHookFailed,
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

/// What to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodActions {
    /// Kill all containers and the sandbox.
    pub kill_pod: bool,
    /// Make a sandbox (after killing, if both).
    pub create_sandbox: bool,
    /// The sandbox to go on with.
    pub sandbox: Option<SandboxId>,
    /// How many sandboxes there were before the one that is to be made.
    pub attempt: u32,
    /// Index of the init container to start.
    pub init_container_to_start: Option<usize>,
    /// Indices of the containers to start, in this order.
    pub containers_to_start: Vec<usize>,
    /// Containers to kill.
    pub containers_to_kill: Vec<ContainerToKill>,
}

/// What is under way and need not be decided again.
#[derive(Clone, Debug, Default)]
pub struct InFlight {
    /// Containers that are being killed.
    pub killing: HashSet<ContainerId>,
    /// Containers whose postStart hook has failed.
    pub hook_failed: HashSet<ContainerId>,
}

/// Decides what to do.
#[must_use]
pub fn compute_pod_actions(pod: &Pod, status: &PodRuntimeStatus, in_flight: &InFlight) -> PodActions {
    let Some(spec) = &pod.spec else {
        return PodActions::default();
    };
    let init_containers = spec.init_containers.as_deref().unwrap_or_default();
    let (changed, attempt, sandbox) = pod_sandbox_changed(pod, status);
    let mut actions = PodActions {
        kill_pod: changed,
        create_sandbox: changed,
        sandbox,
        attempt,
        ..PodActions::default()
    };
    if changed {
        let may_restart = restart_policy(pod) != "Never";
        if !may_restart && attempt != 0 && !status.containers.is_empty() {
            // A Pod that may not restart does not come back after its sandbox has gone.
            actions.create_sandbox = false;
            return actions;
        }
        let done = |c: &Container| restart_policy(pod) == "OnFailure" && succeeded(status.newest(&c.name));
        actions.containers_to_start = indices(&spec.containers, |c| !done(c));
        if actions.containers_to_start.is_empty() {
            actions.create_sandbox = false;
            return actions;
        }
        if !init_containers.is_empty() {
            actions.containers_to_start.clear();
            actions.init_container_to_start = Some(0);
        }
        return actions;
    }
    match next_init_container(pod, init_containers, status) {
        Init::Done => {}
        Init::Wait => return actions,
        Init::Failed => {
            actions.kill_pod = true;
            return actions;
        }
        Init::Start(index) => {
            actions.init_container_to_start = Some(index);
            return actions;
        }
    }
    let mut kept = 0;
    for (index, container) in spec.containers.iter().enumerate() {
        let running = status
            .newest(&container.name)
            .filter(|s| s.state == ContainerState::Running);
        let Some(running) = running else {
            if should_be_restarted(container, pod, status) {
                actions.containers_to_start.push(index);
            }
            continue;
        };
        kept += 1;
        if in_flight.killing.contains(&running.id) {
            continue;
        }
        let (reason, message) = if definition_changed(container, running) {
            let message = format!("Container {} definition changed, will be restarted", container.name);
            (KillReason::DefinitionChanged, message)
        } else if in_flight.hook_failed.contains(&running.id) {
            (KillReason::PostStartHookFailed, "FailedPostStartHook".to_owned())
        } else {
            continue;
        };
        actions.containers_to_kill.push(ContainerToKill {
            id: running.id.clone(),
            name: container.name.clone(),
            reason,
            message,
        });
    }
    if kept == 0 && actions.containers_to_start.is_empty() {
        actions.kill_pod = true;
    }
    actions
}

fn indices(containers: &[Container], wanted: impl Fn(&Container) -> bool) -> Vec<usize> {
    containers
        .iter()
        .enumerate()
        .filter(|(_, c)| wanted(c))
        .map(|(i, _)| i)
        .collect()
}

fn succeeded(status: Option<&ContainerStatus>) -> bool {
    status.is_some_and(|s| s.state == ContainerState::Exited && s.exit_code == Some(0))
}

/// Is a new sandbox needed? Also gives the attempt of that one, and the sandbox that there is (`PodSandboxChanged`).
fn pod_sandbox_changed(pod: &Pod, status: &PodRuntimeStatus) -> (bool, u32, Option<SandboxId>) {
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

enum Init {
    Done,
    Wait,
    Failed,
    Start(usize),
}

fn next_init_container(pod: &Pod, init_containers: &[Container], status: &PodRuntimeStatus) -> Init {
    let regular = pod.spec.iter().flat_map(|s| &s.containers);
    // Once a container of the Pod proper was made in this sandbox, initialisation was over.
    let here = |s: &ContainerStatus| status.sandbox().is_some_and(|x| x.id == s.sandbox);
    if regular.clone().any(|c| status.newest(&c.name).is_some_and(here)) {
        return Init::Done;
    }
    for (index, container) in init_containers.iter().enumerate().rev() {
        let Some(last) = status.newest(&container.name).filter(|s| here(s)) else {
            continue;
        };
        return match last.state {
            ContainerState::Running => Init::Wait,
            ContainerState::Created => Init::Start(index),
            ContainerState::Exited if last.exit_code == Some(0) => {
                if index + 1 < init_containers.len() {
                    Init::Start(index + 1)
                } else {
                    Init::Done
                }
            }
            ContainerState::Exited if restart_policy(pod) == "Never" => Init::Failed,
            ContainerState::Exited => Init::Start(index),
        };
    }
    if init_containers.is_empty() {
        Init::Done
    } else {
        Init::Start(0)
    }
}

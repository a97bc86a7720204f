//! Probes (`pkg/kubelet/prober`): each container that runs has a task for each of its probes, which asks and counts, and tells
//! the Pod's worker when the result changes.
//!
//! * [`ProbeResults`] is what the worker knows; [`crate::actions`] and [`crate::status`] read it.
//! * `worker` is the task; `handler` asks once, over `dial`, `http` and `grpc`.
//!
//! Probes of the network go through `RuntimeService::dial`, which connects from the node's network to the Pod's address as the kubelet of a
//! real node does: a server that listens on the loopback address of the Pod alone is not reached.

pub(crate) mod dial;
mod grpc;
pub(crate) mod handler;
pub(crate) mod http;
mod worker;

pub(crate) use worker::{ProbeUpdate, ProbeWorker};

use crate::actions::KillReason;
use k8s_openapi::api::core::v1::{Container, Probe};
use podsim_cri::ContainerId;
use std::collections::HashMap;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProbeKind {
    /// Has it to be restarted?
    Liveness,
    /// May it be given work?
    Readiness,
    /// Has it started?
    Startup,
}

impl ProbeKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Startup, Self::Liveness, Self::Readiness];

    /// As it stands in events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
            Self::Startup => "Startup",
        }
    }

    /// The container's probe of this kind.
    #[must_use]
    pub fn of(self, container: &Container) -> Option<&Probe> {
        match self {
            Self::Liveness => container.liveness_probe.as_ref(),
            Self::Readiness => container.readiness_probe.as_ref(),
            Self::Startup => container.startup_probe.as_ref(),
        }
    }
}

/// What a probe has come to, thresholds considered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeResult {
    /// All is well.
    Success,
    /// It is not.
    Failure,
}

/// The results of the probes of a Pod. A container without an entry has none yet, or no such probe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeResults {
    /// Of the liveness probes.
    pub liveness: HashMap<ContainerId, ProbeResult>,
    /// Of the readiness probes.
    pub readiness: HashMap<ContainerId, ProbeResult>,
    /// Of the startup probes.
    pub startup: HashMap<ContainerId, ProbeResult>,
}

impl ProbeResults {
    /// The results of a kind.
    pub fn of_mut(&mut self, kind: ProbeKind) -> &mut HashMap<ContainerId, ProbeResult> {
        match kind {
            ProbeKind::Liveness => &mut self.liveness,
            ProbeKind::Readiness => &mut self.readiness,
            ProbeKind::Startup => &mut self.startup,
        }
    }

    /// Has a probe failed for which the container is to be killed? With the probe's name in messages.
    #[must_use]
    pub fn failed(&self, id: &ContainerId) -> Option<(KillReason, &'static str)> {
        let is = |results: &HashMap<ContainerId, ProbeResult>| results.get(id) == Some(&ProbeResult::Failure);
        if is(&self.liveness) {
            Some((KillReason::LivenessProbe, "liveness"))
        } else if is(&self.startup) {
            Some((KillReason::StartupProbe, "startup"))
        } else {
            None
        }
    }

    /// Has this running container started? (`isContainerStarted`)
    #[must_use]
    pub fn started(&self, container: &Container, id: &ContainerId) -> bool {
        container.startup_probe.is_none() || self.startup.get(id) == Some(&ProbeResult::Success)
    }

    /// Is this running container ready? (`UpdatePodStatus`)
    #[must_use]
    pub fn ready(&self, container: &Container, id: &ContainerId) -> bool {
        let ready = container.readiness_probe.is_none() || self.readiness.get(id) == Some(&ProbeResult::Success);
        ready && self.started(container, id)
    }
}

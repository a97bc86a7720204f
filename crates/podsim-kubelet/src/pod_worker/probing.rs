//! The probes of a Pod: a task for each probe of each container that runs, and what they have come to.

use super::PodWorker;
use crate::containers::{self, Role};
use crate::prober::{ProbeKind, ProbeResult, ProbeResults, ProbeUpdate, ProbeWorker};
use crate::runtime_status::PodRuntimeStatus;
use k8s_openapi::api::core::v1::Pod;
use podsim_cri::ContainerId;
use podsim_store::time;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

/// The tasks and their results. Dropping it ends the tasks.
pub(super) struct Probes {
    tasks: JoinSet<()>,
    running: HashMap<(ContainerId, ProbeKind), AbortHandle>,
    /// Whether a container has started: opens the other probes.
    started: HashMap<ContainerId, watch::Sender<bool>>,
    results: ProbeResults,
    sender: mpsc::UnboundedSender<ProbeUpdate>,
    receiver: mpsc::UnboundedReceiver<ProbeUpdate>,
}

impl Default for Probes {
    fn default() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self {
            tasks: JoinSet::new(),
            running: HashMap::new(),
            started: HashMap::new(),
            results: ProbeResults::default(),
            sender,
            receiver,
        }
    }
}

impl Probes {
    pub(super) fn results(&self) -> &ProbeResults {
        &self.results
    }

    /// Ends when a result has changed.
    pub(super) async fn changed(&mut self) {
        // It has a sender itself, so there is always one.
        if let Some(update) = self.receiver.recv().await {
            self.take(update);
        }
    }

    /// Takes the results that have come. What is decided next has to consider them, for nothing else tells of them again.
    pub(super) fn take_all(&mut self) {
        while let Ok(update) = self.receiver.try_recv() {
            self.take(update);
        }
    }

    fn take(&mut self, ProbeUpdate { id, kind, result }: ProbeUpdate) {
        // The container may be gone.
        let Some(started) = self.started.get(&id) else { return };
        if kind == ProbeKind::Startup && result == ProbeResult::Success {
            started.send_replace(true);
        }
        self.results.of_mut(kind).insert(id, result);
    }

    /// Ends the probes that `keep` does not want.
    fn retain(&mut self, keep: impl Fn(&ContainerId, ProbeKind) -> bool) {
        self.running.retain(|(id, kind), task| {
            let wanted = keep(id, *kind);
            if !wanted {
                task.abort();
            }
            wanted
        });
    }
}

impl PodWorker {
    /// Starts the probes of the containers that run, and ends those of containers that do not.
    ///
    /// It takes no results: those that come after the decision was made stay in the channel, where they wake the worker to
    /// make another one.
    pub(super) fn watch_probes(&mut self, pod: &Pod, runtime: &PodRuntimeStatus) {
        while self.probes.tasks.try_join_next().is_some() {}
        let running: HashSet<_> = runtime.running().map(|s| s.id.clone()).collect();
        self.probes.retain(|id, _| running.contains(id));
        self.probes.started.retain(|id, _| running.contains(id));
        for kind in ProbeKind::ALL {
            self.probes.results.of_mut(kind).retain(|id, _| running.contains(id));
        }
        for status in runtime.running() {
            let pending = self.hooks_running.contains(&status.id) || self.hooks_failed.contains(&status.id);
            let sandbox = runtime.sandboxes.iter().find(|s| s.id == status.sandbox);
            let container = containers::find(pod, &status.metadata.name);
            let (Some(sandbox), Some((Role::Regular | Role::Sidecar, container)), false) =
                (sandbox, container, pending)
            else {
                continue;
            };
            if self.probes.started.contains_key(&status.id) || self.kills.contains_key(&status.id) {
                continue;
            }
            let (sender, started) = watch::channel(container.startup_probe.is_none());
            self.probes.started.insert(status.id.clone(), sender);
            let ran = status
                .started_at
                .map(|at| at.duration_until(time::timestamp(self.node.clock.as_ref())));
            let ran = ran.and_then(|r| Duration::try_from(r).ok()).unwrap_or_default();
            let started_at = self.node.clock.monotonic().saturating_sub(ran);
            for kind in ProbeKind::ALL {
                let Some(probe) = kind.of(&container).cloned() else {
                    continue;
                };
                let worker = ProbeWorker {
                    subject: self.subject(pod, sandbox, status.id.clone(), container.clone()),
                    kind,
                    probe,
                    started_at,
                    started: started.clone(),
                    updates: self.probes.sender.clone(),
                };
                let task = self.probes.tasks.spawn(worker.run(self.teller(pod, &container.name)));
                self.probes.running.insert((status.id.clone(), kind), task);
            }
        }
    }

    /// In a Pod that ends nothing is restarted any more, but it may become unready (`StopLivenessAndStartup`).
    pub(super) fn stop_liveness_and_startup(&mut self) {
        self.probes.retain(|_, kind| kind == ProbeKind::Readiness);
    }
}

//! The end of a Pod, by deletion or because it is over: containers are killed gracefully, then the sandbox is stopped.

use super::{Done, Next, PodWorker, full_name, names};
use crate::actions::{ContainerToKill, KillReason};
use crate::containers::{self, Role, init_containers, is_sidecar};
use crate::events::Severity;
use crate::lifecycle::{self, KillPlan};
use crate::runtime_status::PodRuntimeStatus;
use crate::static_pods;
use k8s_openapi::api::core::v1::{Container, Pod};
use podsim_store::DeleteOptions;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A container that is being killed.
pub(super) struct Kill {
    /// When its grace is over, in monotonic time.
    deadline: watch::Sender<Duration>,
    /// Closed when it has ended.
    done: watch::Receiver<()>,
}

impl PodWorker {
    /// Ends what still runs of a Pod that is over; its containers are kept for their logs until it is deleted.
    pub(super) async fn wind_down(&mut self, pod: &Arc<Pod>, runtime: &PodRuntimeStatus) -> Next {
        self.stop_liveness_and_startup();
        let alive = self.kill_all(pod, runtime, self.evicted_until);
        if !alive && let Err(error) = self.stop_sandboxes(pod, runtime, false).await {
            tracing::warn!("cannot stop the sandbox of {}: {error}", self.uid);
        }
        if let Ok(runtime) = self.look(pod).await {
            self.report(pod, &runtime, false);
        }
        Next::Wait(None)
    }

    /// Ends the Pod: all containers, then the sandbox, then the object in the store.
    pub(super) async fn terminate(&mut self, pod: &Arc<Pod>, removed: bool, runtime: &PodRuntimeStatus) -> Next {
        self.stop_liveness_and_startup();
        let now = self.node.clock.monotonic();
        let since = *self.terminating_since.get_or_insert(now);
        let own = pod.spec.as_ref().and_then(|s| s.termination_grace_period_seconds);
        let grace = if static_pods::is_static(pod) {
            own
        } else if removed {
            Some(1)
        } else {
            pod.metadata.deletion_grace_period_seconds.or(own)
        };
        let grace = Duration::from_secs(u64::try_from(grace.unwrap_or(30)).unwrap_or(1).max(1));
        // A Pod that was taken from the store was deleted by force now, not when its end began.
        let deadline = if removed { now + grace } else { since + grace };
        let alive = self.kill_all(pod, runtime, Some(deadline));
        if alive {
            if !removed {
                self.report(pod, runtime, false);
            }
            return Next::Wait(None);
        }
        if !removed {
            self.report(pod, runtime, true);
        }
        self.tasks.abort_all();
        for sandbox in runtime.sandboxes.iter().filter(|sandbox| !self.past.has(&sandbox.id)) {
            if let Err(error) = self.node.runtime.remove_pod_sandbox(&sandbox.id).await {
                tracing::warn!("cannot remove sandbox {}: {error}", sandbox.id);
                return Next::Wait(Some(now + Duration::from_secs(10)));
            }
        }
        let mut volumes: Vec<_> = self
            .volumes
            .drain()
            .chain(self.termination_volumes.drain().map(|(_, v)| v))
            .collect();
        volumes.sort();
        for volume in volumes {
            if let Err(error) = self.node.runtime.remove_volume(&volume).await {
                tracing::warn!("cannot remove volume {volume}: {error}");
            }
        }
        // Without the API it cannot be told yet that the Pod has ended.
        while !removed && *self.partitioned.borrow() {
            if self.partitioned.changed().await.is_err() {
                return Next::Finished;
            }
        }
        if !removed {
            let options = DeleteOptions {
                grace_period_seconds: Some(0),
                uid: Some(self.uid.clone()),
                ..DeleteOptions::default()
            };
            let (namespace, name) = names(pod);
            self.node.store.api::<Pod>().delete(namespace, name, &options).ok();
        }
        Next::Finished
    }

    /// Kills all that runs; `deadline` is when the grace ends (by default the Pod's grace from now on). Says whether
    /// anything is still alive.
    pub(super) fn kill_all(&mut self, pod: &Pod, runtime: &PodRuntimeStatus, deadline: Option<Duration>) -> bool {
        let mut alive = false;
        let mut running: Vec<_> = runtime.running().collect();
        // Sidecars wait for the others, and each for those that were started after it: so those have to be known first.
        running.sort_by_key(|s| termination_order(pod, &s.metadata.name));
        for status in running {
            alive = true;
            match (self.kills.get(&status.id), deadline) {
                (Some(kill), Some(new)) => {
                    kill.deadline.send_if_modified(|old| {
                        let sooner = new < *old;
                        *old = (*old).min(new);
                        sooner
                    });
                }
                (Some(_), None) => {}
                (None, _) => {
                    let kill = ContainerToKill {
                        id: status.id.clone(),
                        name: status.metadata.name.clone(),
                        reason: KillReason::PodTerminating,
                        message: format!("Stopping container {}", status.metadata.name),
                    };
                    let after = self.have_to_end_before(pod, &status.metadata.name, runtime);
                    self.kill(pod, &kill, runtime, deadline, after);
                }
            }
        }
        alive || !self.kills.is_empty()
    }

    /// What ends before a sidecar does (`newTerminationOrdering`): the containers proper, and the next sidecar.
    fn have_to_end_before(&self, pod: &Pod, name: &str, runtime: &PodRuntimeStatus) -> Vec<watch::Receiver<()>> {
        let Some(at) = init_containers(pod)
            .iter()
            .position(|c| c.name == name && is_sidecar(c))
        else {
            return vec![];
        };
        let runs = |name: &str| runtime.running().find(|s| s.metadata.name == name);
        let mut later = init_containers(pod).iter().skip(at + 1);
        let next = later.find(|c| is_sidecar(c) && runs(&c.name).is_some());
        let proper = containers::regular_containers(pod).iter();
        let first = proper.chain(next).filter_map(|c| runs(&c.name));
        first
            .filter_map(|s| self.kills.get(&s.id).map(|k| k.done.clone()))
            .collect()
    }

    /// Begins to kill a container; `after` are those that have to end first.
    pub(crate) fn kill(
        &mut self,
        pod: &Pod,
        kill: &ContainerToKill,
        runtime: &PodRuntimeStatus,
        deadline: Option<Duration>,
        after: Vec<watch::Receiver<()>>,
    ) {
        let Some(status) = runtime.containers.iter().find(|c| c.id == kill.id) else {
            return;
        };
        let Some(sandbox) = runtime.sandboxes.iter().find(|s| s.id == status.sandbox) else {
            return;
        };
        let container = containers::find(pod, &kill.name).map_or_else(Default::default, |(_, container)| container);
        self.tell(pod, Some(&kill.name), Severity::Normal, "Killing", &kill.message);
        let own = grace(pod, &container, kill.reason);
        let deadline = deadline.unwrap_or_else(|| self.node.clock.monotonic() + own);
        let (deadline, receiver) = watch::channel(deadline);
        let (ended, done) = watch::channel(());
        self.kills.insert(kill.id.clone(), Kill { deadline, done });
        let plan = KillPlan {
            pod: full_name(pod),
            deadline: receiver,
            after,
        };
        let tell = self.teller(pod, &kill.name);
        let id = kill.id.clone();
        let subject = self.subject(pod, sandbox, id.clone(), container);
        self.tasks.spawn(async move {
            if let Err(error) = lifecycle::kill_container(subject, plan, &tell).await {
                tracing::warn!("cannot stop container {id}: {error}");
            }
            drop(ended);
            Done::Killed(id)
        });
    }

    pub(super) async fn stop_sandboxes(
        &self,
        pod: &Pod,
        runtime: &PodRuntimeStatus,
        again: bool,
    ) -> podsim_cri::Result<()> {
        if again && runtime.sandbox().is_some() {
            let message = "Pod sandbox changed, it will be killed and re-created.";
            self.tell(pod, None, Severity::Normal, "SandboxChanged", message);
        }
        for sandbox in runtime.sandboxes.iter().filter(|sandbox| !self.past.has(&sandbox.id)) {
            if again || sandbox.state == podsim_cri::PodSandboxState::Ready {
                self.node.runtime.stop_pod_sandbox(&sandbox.id).await?;
            }
        }
        Ok(())
    }
}

/// Which containers are looked at first when all are killed: sidecars after the others, the last sidecar first.
fn termination_order(pod: &Pod, name: &str) -> usize {
    match containers::find(pod, name) {
        Some((Role::Sidecar, _)) => {
            let all = init_containers(pod);
            all.len() - all.iter().position(|c| c.name == name).unwrap_or(0)
        }
        _ => 0,
    }
}

/// The grace of a container that is killed while its Pod lives on (`setTerminationGracePeriod`).
fn grace(pod: &Pod, container: &Container, reason: KillReason) -> Duration {
    let probe = match reason {
        KillReason::LivenessProbe => container.liveness_probe.as_ref(),
        KillReason::StartupProbe => container.startup_probe.as_ref(),
        _ => None,
    };
    let of_probe = probe.and_then(|p| p.termination_grace_period_seconds);
    let of_pod = pod.spec.as_ref().and_then(|s| s.termination_grace_period_seconds);
    let seconds = pod
        .metadata
        .deletion_grace_period_seconds
        .or(of_probe)
        .or(of_pod)
        .unwrap_or(30);
    Duration::from_secs(u64::try_from(seconds).unwrap_or(1))
}

//! The end of a Pod, by deletion or because it is over: containers are killed gracefully, then the sandbox is stopped.

use super::{Done, Next, PodWorker, find_container, names};
use crate::actions::{ContainerToKill, KillReason};
use crate::events::{Severity, pod_reference};
use crate::lifecycle::{self, Target};
use crate::runtime_status::PodRuntimeStatus;
use k8s_openapi::api::core::v1::Pod;
use podsim_store::DeleteOptions;
use std::time::Duration;
use tokio::sync::watch;

impl PodWorker {
    /// Ends what still runs of a Pod that is over; its containers are kept for their logs until it is deleted.
    pub(super) async fn wind_down(&mut self, pod: &Pod, runtime: &PodRuntimeStatus) -> Next {
        let alive = self.kill_all(pod, runtime, None);
        if !alive && let Err(error) = self.stop_sandboxes(pod, runtime, false).await {
            tracing::warn!("cannot stop the sandbox of {}: {error}", self.uid);
        }
        if let Ok(runtime) = self.look(pod).await {
            self.report(pod, &runtime, false);
        }
        Next::Wait(None)
    }

    /// Ends the Pod: all containers, then the sandbox, then the object in the store.
    pub(super) async fn terminate(&mut self, pod: &Pod, removed: bool, runtime: &PodRuntimeStatus) -> Next {
        let now = self.node.clock.monotonic();
        let since = *self.terminating_since.get_or_insert(now);
        let own = pod.spec.as_ref().and_then(|s| s.termination_grace_period_seconds);
        let grace = if removed {
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
        for sandbox in &runtime.sandboxes {
            if let Err(error) = self.node.runtime.remove_pod_sandbox(&sandbox.id).await {
                tracing::warn!("cannot remove sandbox {}: {error}", sandbox.id);
                return Next::Wait(Some(now + Duration::from_secs(10)));
            }
        }
        let volumes: Vec<_> = self
            .volumes
            .drain()
            .chain(self.termination_volumes.drain().map(|(_, v)| v))
            .collect();
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
        for status in runtime.running() {
            alive = true;
            match (self.kills.get(&status.id), deadline) {
                (Some(kill), Some(new)) => {
                    kill.send_if_modified(|old| {
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
                    self.kill(pod, &kill, runtime, deadline);
                }
            }
        }
        alive || !self.kills.is_empty()
    }

    /// Begins to kill a container.
    pub(crate) fn kill(
        &mut self,
        pod: &Pod,
        kill: &ContainerToKill,
        runtime: &PodRuntimeStatus,
        deadline: Option<Duration>,
    ) {
        let Some(status) = runtime.containers.iter().find(|c| c.id == kill.id) else {
            return;
        };
        let container = find_container(pod, &kill.name).cloned().unwrap_or_default();
        self.tell(pod, Some(&kill.name), Severity::Normal, "Killing", &kill.message);
        let own = pod
            .spec
            .as_ref()
            .and_then(|s| s.termination_grace_period_seconds)
            .unwrap_or(30);
        let own = Duration::from_secs(u64::try_from(own).unwrap_or(1));
        let deadline = deadline.unwrap_or_else(|| self.node.clock.monotonic() + own);
        let (sender, receiver) = watch::channel(deadline);
        self.kills.insert(kill.id.clone(), sender);
        let target = Target {
            runtime: self.node.runtime.clone(),
            clock: self.node.clock.clone(),
            sandbox: status.sandbox.clone(),
            id: kill.id.clone(),
            container,
        };
        let (node, about, id) = (self.node.clone(), pod_reference(pod, Some(&kill.name)), kill.id.clone());
        self.tasks.spawn(async move {
            let hook_failed = |why: &str| {
                tracing::info!("preStop of container {id} failed: {why}");
                node.recorder.event(
                    about.clone(),
                    Severity::Warning,
                    "FailedPreStopHook",
                    "PreStopHook failed",
                );
            };
            if let Err(error) = lifecycle::kill_container(target, receiver, hook_failed).await {
                tracing::warn!("cannot stop container {id}: {error}");
            }
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
        for sandbox in &runtime.sandboxes {
            if again || sandbox.state == podsim_cri::PodSandboxState::Ready {
                self.node.runtime.stop_pod_sandbox(&sandbox.id).await?;
            }
        }
        Ok(())
    }
}

//! Resizing in place: what the Pod asks for is given to it if there is enough, then its containers are changed, and the conditions and events
//! tell how far it has come (`pkg/kubelet/allocation/allocation_manager.go`, `doPodResizeAction` in `pkg/kubelet/kuberuntime`).

use super::PodWorker;
use crate::actions::ContainerToUpdate;
use crate::container_config;
use crate::containers::lasting_containers;
use crate::events::Severity;
use crate::resize::{self, DEFERRED, Refusal};
use crate::runtime_status::PodRuntimeStatus;
use k8s_openapi::api::core::v1::{Node, Pod, ResourceRequirements};
use podsim_cri::ContainerId;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// How long to wait after a failure.
const RETRY: Duration = Duration::from_secs(10);
/// A resize that has to wait is tried again after this, whatever happens (`retryDelay`).
const DEFERRED_RETRY: Duration = Duration::from_secs(180);

/// A condition of a resize: there is none, or it is true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    /// Its type.
    pub(crate) type_: &'static str,
    /// Its reason, if there is one.
    pub(crate) reason: Option<&'static str>,
    /// Its message, if there is one.
    pub(crate) message: Option<String>,
    /// The generation of the Pod that is meant.
    pub(crate) generation: Option<i64>,
}

/// How far the resizes of a Pod have come.
#[derive(Default)]
pub(crate) struct Resizing {
    /// `PodResizePending`.
    pending: Option<Condition>,
    /// `PodResizeInProgress`.
    in_progress: Option<Condition>,
    /// What the containers run with.
    pub(crate) actual: HashMap<ContainerId, ResourceRequirements>,
    /// Containers that are ended to start with other resources.
    pub(super) restarted: HashSet<ContainerId>,
}

impl Resizing {
    /// The conditions that there are.
    pub(super) fn conditions(&self) -> Vec<Condition> {
        self.pending.iter().chain(&self.in_progress).cloned().collect()
    }

    /// Forgets a container that is gone.
    pub(super) fn forget(&mut self, id: &ContainerId) {
        self.actual.remove(id);
        self.restarted.remove(id);
    }
}

impl PodWorker {
    /// The Pod with what it was given.
    pub(super) fn allocated(&self, pod: &Arc<Pod>) -> Arc<Pod> {
        match self.node.admitted.given(&self.uid) {
            Some(given) => resize::with_allocation(pod, &given),
            None => pod.clone(),
        }
    }

    /// Gives the Pod what it asks for, if that has changed and there is enough. `true`: it was given something else just now.
    pub(super) fn allocate(&mut self, pod: &Arc<Pod>) -> bool {
        let Some(given) = self.node.admitted.given(&self.uid) else {
            return false;
        };
        if !resize::differs(pod, &given) {
            self.resizing.pending = None;
            self.node.admitted.content(&self.uid);
            return false;
        }
        let node = self.node.store.api::<Node>().get("", &self.node.config.node_name);
        // Nobody can say what the node has: it stays as it is.
        let Ok(object) = node else { return false };
        let store = &self.node.store;
        let generation = pod.metadata.generation;
        match self.node.admitted.resize(&self.uid, pod, &object, store, &self.wake) {
            Ok(()) => {
                self.resizing.pending = None;
                self.resizing.in_progress = Some(in_progress(generation, None));
                let message = resize::message("started", pod, "");
                self.tell(pod, None, Severity::Normal, "ResizeStarted", &message);
                true
            }
            Err(Refusal { reason, message }) => {
                let pending = Condition {
                    type_: "PodResizePending",
                    reason: Some(reason),
                    message: Some(message.clone()),
                    generation,
                };
                if self.resizing.pending.as_ref() != Some(&pending) {
                    let event = format!("Resize{reason}");
                    let told = resize::message(reason, pod, &message);
                    self.tell(pod, None, Severity::Warning, &event, &told);
                    self.resizing.pending = Some(pending);
                }
                false
            }
        }
    }

    /// When a resize that waits is tried again although nothing has happened, in monotonic time.
    pub(super) fn deferred_retry(&self) -> Option<Duration> {
        let pending = self.resizing.pending.as_ref()?;
        (pending.reason == Some(DEFERRED)).then(|| self.node.clock.monotonic() + DEFERRED_RETRY)
    }

    /// Changes the limits of running containers, all or none. Gives the time at which to try again if that fails.
    pub(super) async fn update_containers(&mut self, pod: &Pod, updates: &[ContainerToUpdate]) -> Option<Duration> {
        if updates.is_empty() {
            return None;
        }
        let failed = match self.memory_suffices(updates).await {
            Ok(()) => self.apply(updates).await.err(),
            Err(message) => Some(message),
        };
        let Some(message) = failed else {
            if let Some(condition) = &mut self.resizing.in_progress {
                (condition.reason, condition.message) = (None, None);
            }
            return None;
        };
        let condition = in_progress(pod.metadata.generation, Some(message.clone()));
        if self.resizing.in_progress.as_ref() != Some(&condition) {
            let told = resize::message("error", pod, &message);
            self.tell(pod, None, Severity::Warning, "ResizeError", &told);
            self.resizing.in_progress = Some(condition);
        }
        Some(self.node.clock.monotonic() + RETRY)
    }

    /// A memory limit may not go below what is in use (`validateMemoryResizeAction`). It is only looked at: what is used in between is killed.
    async fn memory_suffices(&self, updates: &[ContainerToUpdate]) -> Result<(), String> {
        let mut wrong = vec![];
        for update in updates {
            let before = self.resizing.actual.get(&update.id).and_then(resize::memory_limit);
            let Some(limit) = resize::memory_limit(&update.resources) else {
                continue;
            };
            if before.is_some_and(|before| before <= limit) {
                continue;
            }
            let stats = self.node.runtime.container_stats(&update.id).await;
            let used = stats.map_err(|error| error.to_string())?.memory_working_set;
            if limit <= i128::from(used) {
                wrong.push(format!(
                    "attempting to set container {:?} memory limit ({limit}) below current usage ({used})",
                    update.name
                ));
            }
        }
        match wrong.as_slice() {
            [] => Ok(()),
            [one] => Err(one.clone()),
            many => Err(format!("[{}]", many.join(", "))),
        }
    }

    async fn apply(&mut self, updates: &[ContainerToUpdate]) -> Result<(), String> {
        for update in updates {
            let resources = container_config::resources(&update.resources);
            let done = self
                .node
                .runtime
                .update_container_resources(&update.id, &resources)
                .await;
            done.map_err(|error| format!("failed to update resources for container {:?}: {error}", update.name))?;
            self.resizing.actual.insert(update.id.clone(), update.resources.clone());
        }
        Ok(())
    }

    /// A resize is over when all that runs has what it was given.
    pub(super) fn end_resize(&mut self, pod: &Pod, runtime: &PodRuntimeStatus) {
        if self.resizing.in_progress.is_none() {
            return;
        }
        let behind = lasting_containers(pod).any(|container| {
            let running = runtime.running().find(|s| s.metadata.name == container.name);
            let actual = running.and_then(|s| self.resizing.actual.get(&s.id));
            actual.is_some_and(|actual| resize::step(container, actual).is_some())
        });
        if !behind {
            self.resizing.in_progress = None;
            let message = resize::message("completed", pod, "");
            self.tell(pod, None, Severity::Normal, "ResizeCompleted", &message);
        }
    }
}

fn in_progress(generation: Option<i64>, error: Option<String>) -> Condition {
    Condition {
        type_: "PodResizeInProgress",
        reason: error.is_some().then_some("Error"),
        message: error,
        generation,
    }
}

//! Pods that take more disk than they may are evicted (`localStorageEviction` in `pkg/kubelet/eviction/eviction_manager.go`). What their
//! containers log is not counted.

use super::PodWorker;
use crate::containers::lasting_containers;
use crate::events::Severity;
use crate::runtime_status::PodRuntimeStatus;
use crate::status::conditions;
use k8s_openapi::api::core::v1::{Container, EmptyDirVolumeSource, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use podsim_cri::{ContainerState, ContainerStatus};
use podsim_store::pod::quantity;
use std::time::Duration;

/// How often it is looked (`monitoringInterval`).
const INTERVAL: Duration = Duration::from_secs(10);
/// The grace of what is evicted (`immediateEvictionGracePeriodSeconds`).
const GRACE: Duration = Duration::from_secs(1);
/// The resource.
const STORAGE: &str = "ephemeral-storage";

fn limit(container: &Container) -> Option<&Quantity> {
    container.resources.as_ref()?.limits.as_ref()?.get(STORAGE)
}

/// The limit of a volume that is on disk.
fn size_limit(source: &EmptyDirVolumeSource) -> Option<&Quantity> {
    let on_disk = source.medium.as_deref() != Some("Memory");
    let limit = source.size_limit.as_ref();
    limit.filter(|limit| on_disk && bytes(limit) > 0)
}

fn bytes(quantity: &Quantity) -> i128 {
    quantity::units(&quantity.0).unwrap_or(0)
}

impl PodWorker {
    /// Looks how much the Pod takes, if it is time, and evicts it if that is too much. Gives the monotonic time of the next look; `None` where
    /// nothing is limited.
    pub(super) async fn check_storage(&mut self, pod: &Pod, runtime: &PodRuntimeStatus) -> Option<Duration> {
        let volumes = pod.spec.iter().flat_map(|s| s.volumes.iter().flatten());
        let mut limits = volumes.filter_map(|v| v.empty_dir.as_ref().and_then(size_limit));
        if limits.next().is_none() && lasting_containers(pod).all(|c| limit(c).is_none()) {
            return None;
        }
        let now = self.node.clock.monotonic();
        let at = *self.storage_check.get_or_insert(now + INTERVAL);
        if now < at {
            return Some(at);
        }
        if let Some(message) = self.too_much(pod, runtime).await {
            self.evict(pod, message);
            return None;
        }
        self.storage_check = Some(now + INTERVAL);
        self.storage_check
    }

    /// What takes too much, in upstream's words (the blank at the end is theirs).
    async fn too_much(&self, pod: &Pod, runtime: &PodRuntimeStatus) -> Option<String> {
        let mut total = 0;
        for volume in crate::volumes::of(pod) {
            let Some(source) = &volume.empty_dir else { continue };
            let id = self.pod_volumes.mounted.get(&volume.name).and_then(|m| m.volume());
            let Some(id) = id.filter(|_| source.medium.as_deref() != Some("Memory")) else {
                continue;
            };
            let used = i128::from(self.node.runtime.volume_usage(id).await.unwrap_or(0));
            if let Some(limit) = size_limit(source).filter(|limit| used > bytes(limit)) {
                return Some(format!(
                    "Usage of EmptyDir volume {:?} exceeds the limit {:?}. ",
                    volume.name, limit.0
                ));
            }
            total += used;
        }
        let running = |name: &str| {
            let found = runtime.newest(name);
            found.filter(|status: &&ContainerStatus| status.state == ContainerState::Running)
        };
        let mut exceeded = None;
        for container in lasting_containers(pod) {
            let limit = limit(container);
            let Some(status) = running(&container.name) else {
                continue;
            };
            let stats = self.node.runtime.container_stats(&status.id).await;
            let used = i128::from(stats.map_or(0, |stats| stats.writable_layer));
            total += used;
            if let Some(limit) = limit.filter(|limit| used > bytes(limit)) {
                exceeded.get_or_insert_with(|| {
                    format!(
                        "Container {} exceeded its local ephemeral storage limit {:?}. ",
                        container.name, limit.0
                    )
                });
            }
        }
        let limits = lasting_containers(pod).filter_map(limit).map(bytes);
        if let Some(whole) = limits.reduce(|a, b| a + b).filter(|whole| total > *whole) {
            return Some(format!(
                "Pod ephemeral local storage usage exceeds the total limit of containers {}. ",
                quantity::binary(whole)
            ));
        }
        exceeded
    }

    fn evict(&mut self, pod: &Pod, message: String) {
        self.tell(pod, None, Severity::Warning, "Evicted", &message);
        if !*self.partitioned.borrow() {
            // A Pod that is gone needs no condition.
            let _ = conditions::disrupt(&self.node.store, pod, "TerminationByKubelet", &message);
        }
        self.evicted_until = Some(self.node.clock.monotonic() + GRACE);
        self.failure = Some(("Evicted", message));
    }
}

//! A node with a fake runtime and a manual clock.

use crate::{Kubelet, KubeletConfig, NodeController, Scheduler, node_controller};
use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use podsim_cri::fake::{FakeImageService, FakeRuntimeService};
use podsim_store::{DeleteOptions, Selectors, Store, kinds};
use podsim_sys::{Clock, ManualClock};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Harness {
    pub(super) clock: Arc<ManualClock>,
    pub(super) store: Store,
    pub(super) runtime: Arc<FakeRuntimeService>,
    pub(super) images: Arc<FakeImageService>,
    pub(super) kubelet: Arc<Kubelet>,
}

/// Lets every task go on until all wait for something.
pub(super) async fn settle() {
    for _ in 0..400 {
        tokio::task::yield_now().await;
    }
}

impl Harness {
    pub(super) async fn new() -> Self {
        Self::with(KubeletConfig::default()).await
    }

    /// A node that is told more about itself.
    pub(super) async fn with(config: KubeletConfig) -> Self {
        let clock = Arc::new(ManualClock::new(Duration::from_secs(1_700_000_000)));
        let mut serial = 0_u64;
        let entropy = move || {
            serial += 1;
            serial.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        };
        let store = Store::new(clock.clone(), entropy);
        let runtime = Arc::new(FakeRuntimeService::new(clock.clone()));
        let images = Arc::new(FakeImageService::with_images(&["busybox", "nginx"]));
        let config = KubeletConfig {
            node_name: "node-1".to_owned(),
            node_hosts: "127.0.0.1 localhost\n".to_owned(),
            ..config
        };
        let kubelet = Arc::new(Kubelet::new(
            config,
            store.clone(),
            runtime.clone(),
            images.clone(),
            clock.clone() as Arc<dyn Clock>,
        ));
        let (running, scheduler) = (kubelet.clone(), Scheduler::new(store.clone()));
        let controller = NodeController::new(store.clone(), node_controller::GRACE_PERIOD);
        running.register().await.expect("the node is registered");
        tokio::spawn(async move { running.run().await });
        tokio::spawn(async move { scheduler.run().await });
        tokio::spawn(async move { controller.run().await });
        settle().await;
        Self {
            clock,
            store,
            runtime,
            images,
            kubelet,
        }
    }

    /// Creates a Pod named `x` with this spec.
    pub(super) async fn pod(&self, spec: Value) {
        let object = json!({ "metadata": { "name": "x" }, "spec": spec });
        self.store
            .create(&kinds::POD, "default", object)
            .expect("the Pod is good");
        settle().await;
    }

    pub(super) fn get(&self) -> Option<Pod> {
        self.store.api::<Pod>().get("default", "x").ok()
    }

    pub(super) fn phase(&self) -> String {
        self.get()
            .and_then(|p| p.status?.phase)
            .unwrap_or_else(|| "gone".to_owned())
    }

    pub(super) fn container(&self, name: &str) -> ContainerStatus {
        let status = self.get().and_then(|p| p.status).unwrap_or_default();
        let all = status
            .container_statuses
            .into_iter()
            .flatten()
            .chain(status.init_container_statuses.into_iter().flatten());
        all.into_iter().find(|c| c.name == name).unwrap_or_default()
    }

    /// The state of a container in one line.
    pub(super) fn state(&self, name: &str) -> String {
        let state = self.container(name).state.unwrap_or_default();
        if let Some(waiting) = state.waiting {
            format!(
                "waiting {}: {}",
                waiting.reason.unwrap_or_default(),
                waiting.message.unwrap_or_default()
            )
        } else if let Some(ended) = state.terminated {
            format!("terminated {} {}", ended.exit_code, ended.reason.unwrap_or_default())
        } else if state.running.is_some() {
            "running".to_owned()
        } else {
            "none".to_owned()
        }
    }

    /// The events of the Pod, oldest first, with counts above one.
    pub(super) fn events(&self) -> Vec<String> {
        let mut events = self
            .store
            .api::<Event>()
            .list(Some("default"), &Selectors::default())
            .unwrap_or_default();
        events.retain(|e| e.involved_object.kind.as_deref() == Some("Pod"));
        let version = |e: &Event| {
            e.metadata
                .name
                .as_deref()
                .and_then(|n| n.rsplit('.').next().map(str::to_owned))
        };
        events.sort_by_key(version);
        let line = |e: Event| {
            let count = e
                .count
                .filter(|c| *c > 1)
                .map_or_else(String::new, |c| format!(" (x{c})"));
            format!(
                "{}: {}{count}",
                e.reason.unwrap_or_default(),
                e.message.unwrap_or_default()
            )
        };
        events.into_iter().map(line).collect()
    }

    pub(super) async fn delete(&self, grace: Option<i64>) {
        let options = DeleteOptions {
            grace_period_seconds: grace,
            ..DeleteOptions::default()
        };
        self.store
            .delete(&kinds::POD, "default", "x", &options)
            .expect("delete");
        settle().await;
    }

    /// Moves the clock second by second, so that timers fire in order.
    pub(super) async fn seconds(&self, seconds: u64) {
        for _ in 0..seconds {
            self.clock.advance(Duration::from_secs(1));
            settle().await;
        }
    }

    /// The calls to the runtime of these kinds.
    pub(super) fn calls(&self, kinds: &[&str]) -> Vec<String> {
        let wanted = |c: &String| kinds.iter().any(|k| c.starts_with(&format!("{k} ")));
        self.runtime.calls().into_iter().filter(wanted).collect()
    }
}

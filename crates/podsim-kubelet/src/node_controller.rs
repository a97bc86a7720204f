//! Notices that a node no longer reports (the node lifecycle controller): its condition `Ready` becomes `Unknown`, and so does
//! the phase of its Pods, with the reason `NodeLost`.
//!
//! Today's Kubernetes leaves the phase as it was and only takes the Pods' `Ready` away; the `Unknown` phase is how its
//! documents, and older releases, tell of a node that cannot be reached, and what podsim shows. The node gets the taint
//! `node.kubernetes.io/unreachable`, which every Pod tolerates for 300 seconds unless it says otherwise; then it is deleted
//! (`taint_eviction`), and is gone when the node hears of that.

use crate::events::{EventRecorder, Severity, pod_reference};
use crate::node::LEASES;
use crate::taint_eviction::TaintEviction;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod, Taint};
use podsim_store::{Selectors, Since, Store, StoreError, WatchEventType, kinds, time};
use podsim_sys::{Clock, sleep_until};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The taint of a node that does not report.
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

/// How long a node may be silent: Kubernetes' `--node-monitor-grace-period`.
pub const GRACE_PERIOD: Duration = Duration::from_secs(40);

/// Watches the nodes' leases.
pub struct NodeController {
    store: Store,
    clock: Arc<dyn Clock>,
    grace: Duration,
    recorder: EventRecorder,
}

impl NodeController {
    /// A controller that gives a node this long.
    #[must_use]
    pub fn new(store: Store, grace: Duration) -> Self {
        let clock = store.clock().clone();
        let recorder = EventRecorder::new(store.clone(), "node-controller", "");
        Self {
            store,
            clock,
            grace,
            recorder,
        }
    }

    /// Runs for ever; an error only if the store cannot be watched. Evicts Pods from tainted nodes, too.
    pub async fn run(&self) -> Result<(), StoreError> {
        let eviction = TaintEviction::new(self.store.clone());
        tokio::select! {
            biased;
            result = self.watch_leases() => result,
            result = eviction.run() => result,
        }
    }

    async fn watch_leases(&self) -> Result<(), StoreError> {
        let watch = || {
            self.store
                .api::<Lease>()
                .watch(Some(LEASES), &Selectors::default(), Since::Start)
        };
        let mut leases = watch()?;
        // When each node was heard of last, in this controller's own time.
        let mut heard: HashMap<String, Duration> = HashMap::new();
        loop {
            let due = heard.values().min().map(|at| *at + self.grace);
            let alarm = async {
                match due {
                    Some(at) => sleep_until(&self.clock, at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                lease = leases.next() => match lease {
                    None => leases = watch()?,
                    Some((kind, lease)) => {
                        let name = lease.metadata.name.unwrap_or_default();
                        if kind == WatchEventType::Deleted {
                            heard.remove(&name);
                        } else {
                            if heard.insert(name.clone(), self.clock.monotonic()).is_none() {
                                self.found(&name)?;
                            }
                        }
                    }
                },
                () = alarm => {
                    let now = self.clock.monotonic();
                    let silent: Vec<_> = heard.iter().filter(|(_, at)| **at + self.grace <= now).map(|(n, _)| n.clone()).collect();
                    for node in silent {
                        heard.remove(&node);
                        self.lost(&node)?;
                    }
                }
            }
        }
    }

    /// A node reports (again): nothing keeps Pods from it any more.
    fn found(&self, node: &str) -> Result<(), StoreError> {
        let tainted = match self.store.api::<Node>().get("", node) {
            Ok(object) => object
                .spec
                .iter()
                .flat_map(|s| s.taints.iter().flatten())
                .any(|t| t.key == UNREACHABLE),
            Err(_) => false,
        };
        if tainted {
            self.store.api::<Node>().modify("", node, |object| {
                let taints = object.spec.get_or_insert_default().taints.get_or_insert_default();
                taints.retain(|t| t.key != UNREACHABLE);
            })?;
        }
        Ok(())
    }

    fn lost(&self, node: &str) -> Result<(), StoreError> {
        let now = time::now(self.clock.as_ref());
        let marked = self.store.api::<Node>().modify_status("", node, |object| {
            for condition in object.status.iter_mut().flat_map(|s| s.conditions.iter_mut().flatten()) {
                condition.status = "Unknown".to_owned();
                condition.reason = Some("NodeStatusUnknown".to_owned());
                condition.message = Some("Kubelet stopped posting node status.".to_owned());
                condition.last_transition_time = Some(now.clone());
            }
        });
        match marked {
            Err(StoreError::NotFound { .. }) => return Ok(()),
            other => other.map(drop)?,
        }
        self.store.api::<Node>().modify("", node, |object| {
            let taints = object.spec.get_or_insert_default().taints.get_or_insert_default();
            taints.retain(|t| t.key != UNREACHABLE);
            taints.extend(["NoSchedule", "NoExecute"].map(|effect| Taint {
                key: UNREACHABLE.to_owned(),
                effect: effect.to_owned(),
                time_added: (effect == "NoExecute").then(|| now.clone()),
                ..Taint::default()
            }));
        })?;
        let selectors = Selectors::parse(&kinds::POD, "", &format!("spec.nodeName={node}"))?;
        for pod in self.store.api::<Pod>().list(None, &selectors)? {
            let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
            if matches!(phase, Some("Succeeded" | "Failed")) {
                continue;
            }
            let (namespace, name) = crate::pod_worker::names(&pod);
            let written = self.store.api::<Pod>().modify_status(namespace, name, |pod| {
                let status = pod.status.get_or_insert_default();
                status.phase = Some("Unknown".to_owned());
                status.reason = Some("NodeLost".to_owned());
                status.message = Some(format!("Node {node} which was running pod {name} is unresponsive"));
                for condition in status.conditions.iter_mut().flatten().filter(|c| c.type_ == "Ready") {
                    condition.status = "False".to_owned();
                    condition.last_transition_time = Some(now.clone());
                }
            });
            if written.is_ok() {
                self.recorder.event(
                    pod_reference(&pod, None),
                    Severity::Warning,
                    "NodeNotReady",
                    "Node is not ready",
                );
            }
        }
        Ok(())
    }
}

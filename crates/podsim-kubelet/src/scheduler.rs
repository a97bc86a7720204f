//! A scheduler for few nodes: gives each Pod without a node to the first that is ready, that it selects and that tolerates it.
//! Resources are not weighed.

use crate::events::{EventRecorder, Severity, pod_reference};
use k8s_openapi::api::core::v1::{Node, Pod, PodCondition};
use podsim_store::{Selectors, Since, Store, StoreError, WatchEventType, kinds, time};
use std::collections::BTreeMap;

/// The scheduler.
pub struct Scheduler {
    store: Store,
    recorder: EventRecorder,
}

impl Scheduler {
    /// A scheduler; it does nothing until [`run`](Self::run).
    #[must_use]
    pub fn new(store: Store) -> Self {
        let recorder = EventRecorder::new(store.clone(), "default-scheduler", "");
        Self { store, recorder }
    }

    /// Runs for ever; an error only if the store cannot be watched.
    pub async fn run(&self) -> Result<(), StoreError> {
        let unscheduled = Selectors::parse(&kinds::POD, "", "spec.nodeName=,spec.schedulerName=default-scheduler")?;
        let watch_pods = || self.store.api::<Pod>().watch(None, &unscheduled, Since::Start);
        let watch_nodes = || {
            self.store
                .api::<Node>()
                .watch(None, &Selectors::default(), Since::Start)
        };
        let (mut pods, mut nodes) = (watch_pods()?, watch_nodes()?);
        let mut pending: BTreeMap<(String, String), Pod> = BTreeMap::new();
        let mut known: BTreeMap<String, Node> = BTreeMap::new();
        loop {
            tokio::select! {
                // Nodes first: a Pod should not fail for a node that is being told of in the same moment.
                biased;
                change = nodes.next() => match change {
                    None => nodes = watch_nodes()?,
                    Some((kind, node)) => {
                        let name = node.metadata.name.clone().unwrap_or_default();
                        if kind == WatchEventType::Deleted { known.remove(&name) } else { known.insert(name, node) };
                        pending.retain(|_, pod| !self.schedule(pod, &known));
                    }
                },
                change = pods.next() => match change {
                    None => pods = watch_pods()?,
                    Some((kind, pod)) => {
                        let (namespace, name) = crate::pod_worker::names(&pod);
                        let key = (namespace.to_owned(), name.to_owned());
                        if kind == WatchEventType::Deleted {
                            pending.remove(&key);
                        } else if kind == WatchEventType::Added && !self.schedule(&pod, &known) {
                            pending.insert(key, pod);
                        }
                    }
                },
            }
        }
    }

    /// Binds the Pod if there is a node for it. Says whether the Pod needs no more care.
    fn schedule(&self, pod: &Pod, nodes: &BTreeMap<String, Node>) -> bool {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        let fit = nodes.iter().find(|(_, node)| match unfit(pod, node) {
            Some(reason) => {
                *reasons.entry(reason).or_default() += 1;
                false
            }
            None => true,
        });
        let (namespace, name) = crate::pod_worker::names(pod);
        if let Some((node, _)) = fit {
            if self.store.bind(namespace, name, node).is_ok() {
                let message = format!("Successfully assigned {namespace}/{name} to {node}");
                self.recorder
                    .event(pod_reference(pod, None), Severity::Normal, "Scheduled", &message);
            }
            return true;
        }
        let message = if nodes.is_empty() {
            "no nodes available to schedule pods".to_owned()
        } else {
            let reasons: Vec<_> = reasons
                .iter()
                .map(|(reason, count)| format!("{count} {reason}"))
                .collect();
            format!("0/{} nodes are available: {}.", nodes.len(), reasons.join(", "))
        };
        self.recorder.event(
            pod_reference(pod, None),
            Severity::Warning,
            "FailedScheduling",
            &message,
        );
        let now = time::now(self.store.clock().as_ref());
        let written = self.store.api::<Pod>().modify_status(namespace, name, |pod| {
            let conditions = pod.status.get_or_insert_default().conditions.get_or_insert_default();
            conditions.retain(|c| c.type_ != "PodScheduled");
            conditions.push(PodCondition {
                type_: "PodScheduled".to_owned(),
                status: "False".to_owned(),
                reason: Some("Unschedulable".to_owned()),
                message: Some(message.clone()),
                last_transition_time: Some(now.clone()),
                ..PodCondition::default()
            });
        });
        // A Pod that is gone needs no care either.
        matches!(written, Err(StoreError::NotFound { .. }))
    }
}

/// Why the Pod cannot go to this node, if it cannot, in the words of the scheduler's plug-ins.
fn unfit(pod: &Pod, node: &Node) -> Option<&'static str> {
    let spec = node.spec.as_ref();
    let conditions = node.status.iter().flat_map(|s| s.conditions.iter().flatten());
    let mut ready = conditions.filter(|c| c.type_ == "Ready");
    let tolerations = pod.spec.iter().flat_map(|s| s.tolerations.iter().flatten());
    let mut taints = spec.into_iter().flat_map(|s| s.taints.iter().flatten());
    let tolerated = |taint: &k8s_openapi::api::core::v1::Taint| {
        tolerations.clone().any(|t| {
            let same_key = t.key.as_deref().is_none_or(|k| k.is_empty() || k == taint.key);
            let same_effect = t.effect.as_deref().is_none_or(|e| e.is_empty() || e == taint.effect);
            let same_value = t.operator.as_deref() == Some("Exists") || t.value == taint.value;
            same_key && same_effect && same_value
        })
    };
    let labels = node.metadata.labels.clone().unwrap_or_default();
    let mut selected = pod.spec.iter().flat_map(|s| s.node_selector.iter().flatten());
    if ready.any(|c| c.status != "True") {
        Some("node(s) had untolerated taint {node.kubernetes.io/unreachable: }")
    } else if spec.is_some_and(|s| s.unschedulable == Some(true)) {
        Some("node(s) were unschedulable")
    } else if taints.any(|t| t.effect != "PreferNoSchedule" && !tolerated(t)) {
        Some("node(s) had untolerated taint(s)")
    } else if selected.any(|(key, value)| labels.get(key) != Some(value)) {
        Some("node(s) didn't match Pod's node affinity/selector")
    } else {
        None
    }
}

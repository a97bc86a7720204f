//! What the kubelet itself asks of a Pod before it runs it (`pkg/kubelet/lifecycle/predicate.go`): a Pod may have come to the
//! node past the scheduler, by its `nodeName`.

use crate::fit::{affinity, is_active, ports, resources, taints};
use crate::sysctls;
use k8s_openapi::api::core::v1::{Node, Pod};
use parking_lot::Mutex;
use podsim_store::Store;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why a Pod is not run: reason and message of its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// The Pods that were admitted and have not ended, by uid. The order in which Pods come decides who gets what is left.
#[derive(Default)]
pub(crate) struct Admitted {
    pods: Mutex<BTreeMap<String, Arc<Pod>>>,
}

impl Admitted {
    /// Admits the Pod, or says why not. Those that are over for the API are left out, although their workers may not have said so yet
    /// (`GetActivePods`): the scheduler has counted on it.
    pub(crate) fn admit(&self, uid: &str, pod: &Arc<Pod>, node: &Node, store: &Store) -> Result<(), Rejection> {
        let mut pods = self.pods.lock();
        let others = pods.iter().filter(|(other, _)| *other != uid).map(|(_, p)| p.as_ref());
        let others: Vec<&Pod> = others.filter(|other| is_there(other, store)).collect();
        let others = || others.iter().copied();
        check(pod, node, others)?;
        pods.insert(uid.to_owned(), pod.clone());
        Ok(())
    }

    /// Takes a Pod in that runs already.
    pub(crate) fn insert(&self, uid: &str, pod: &Arc<Pod>) {
        self.pods.lock().insert(uid.to_owned(), pod.clone());
    }

    /// The Pod has ended.
    pub(crate) fn release(&self, uid: &str) {
        self.pods.lock().remove(uid);
    }
}

/// Whether the API has this Pod, and as one that has not ended.
fn is_there(pod: &Pod, store: &Store) -> bool {
    let meta = &pod.metadata;
    let name = meta.name.as_deref().unwrap_or_default();
    let found = store
        .api::<Pod>()
        .get(meta.namespace.as_deref().unwrap_or_default(), name);
    found.is_ok_and(|now| now.metadata.uid == meta.uid && is_active(&now))
}

/// The label by which a Pod may ask for an operating system.
const OS_LABEL: &str = "kubernetes.io/os";

/// The general predicates in their order; the first that fails is told.
fn check<'a, I: Iterator<Item = &'a Pod>>(pod: &Pod, node: &Node, others: impl Fn() -> I) -> Result<(), Rejection> {
    let os = |name: &str| node.metadata.labels.as_ref().and_then(|l| l.get(name));
    let spec = pod.spec.as_ref();
    if let Some(spec) = spec {
        sysctls::check(spec)?;
    }
    let selected = spec.and_then(|s| s.node_selector.as_ref()?.get(OS_LABEL));
    if selected.is_some_and(|wanted| os(OS_LABEL).is_some_and(|has| has != wanted)) {
        return Err(Rejection {
            reason: "PodOSSelectorNodeLabelDoesNotMatch".to_owned(),
            message: "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label".to_owned(),
        });
    }
    let named = spec.and_then(|s| s.os.as_ref()).map(|os| os.name.as_str());
    if named.is_some_and(|name| !name.is_empty() && name != "linux") {
        return Err(Rejection {
            reason: "PodOSNotSupported".to_owned(),
            message: "Failed to admit pod as the OS field doesn't match node OS".to_owned(),
        });
    }
    if let Some(lack) = resources::insufficient(pod, node, others()).first() {
        return Err(Rejection {
            reason: format!("OutOf{}", lack.resource),
            message: format!(
                "Node didn't have enough resource: {}, requested: {}, used: {}, capacity: {}",
                lack.resource, lack.requested, lack.used, lack.capacity
            ),
        });
    }
    let failed = |predicate: &str, why: &str| {
        Err(Rejection {
            reason: predicate.to_owned(),
            message: format!("Predicate {predicate} failed: {why}"),
        })
    };
    if !affinity::matches(pod, node) {
        return failed("NodeAffinity", affinity::MISMATCH);
    }
    if ports::conflict(pod, others()) {
        return failed("NodePorts", ports::TAKEN);
    }
    if taints::untolerated(pod, node, &["NoExecute"]).is_some() {
        return failed("TaintToleration", "node(s) had taints that the pod didn't tolerate");
    }
    Ok(())
}

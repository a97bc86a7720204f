//! What the kubelet itself asks of a Pod before it runs it (`pkg/kubelet/lifecycle/predicate.go`): a Pod may have come to the
//! node past the scheduler, by its `nodeName`.

use crate::fit::{affinity, ports, resources, taints};
use k8s_openapi::api::core::v1::{Node, Pod};
use parking_lot::Mutex;
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
    /// Admits the Pod, or says why not.
    pub(crate) fn admit(&self, uid: &str, pod: &Arc<Pod>, node: &Node) -> Result<(), Rejection> {
        let mut pods = self.pods.lock();
        let others = || pods.iter().filter(|(other, _)| *other != uid).map(|(_, p)| p.as_ref());
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

/// The general predicates in their order; the first that fails is told.
fn check<'a, I: Iterator<Item = &'a Pod>>(pod: &Pod, node: &Node, others: impl Fn() -> I) -> Result<(), Rejection> {
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

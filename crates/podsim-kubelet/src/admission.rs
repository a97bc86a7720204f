//! What the kubelet itself asks of a Pod before it runs it (`pkg/kubelet/lifecycle/predicate.go`): a Pod may have come to the
//! node past the scheduler, by its `nodeName`.

use crate::fit::{affinity, is_active, ports, resources, taints};
use crate::resize::{DEFERRED, INFEASIBLE, Refusal};
use crate::sysctls;
use k8s_openapi::api::core::v1::{Node, Pod};
use parking_lot::Mutex;
use podsim_store::Store;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Notify;

/// Why a Pod is not run: reason and message of its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// The Pods that were admitted and have not ended, by uid, with what they were given. The order in which Pods come decides who gets what is
/// left.
#[derive(Default)]
pub(crate) struct Admitted {
    pods: Mutex<BTreeMap<String, Arc<Pod>>>,
    /// Pods that wait for more than they were given.
    deferred: Mutex<BTreeMap<String, Deferred>>,
}

/// A Pod whose resize has to wait.
struct Deferred {
    /// As it is to be.
    pod: Arc<Pod>,
    /// How many waited before it.
    turn: usize,
    /// Wakes its worker.
    wake: Arc<Notify>,
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
        pods.insert(uid.to_owned(), without_status(pod));
        Ok(())
    }

    /// What the Pod was given.
    pub(crate) fn given(&self, uid: &str) -> Option<Arc<Pod>> {
        self.pods.lock().get(uid).cloned()
    }

    /// Gives a Pod that is admitted what it asks for now, or says why not (`handlePodResourcesResize`, and `canResizePod` for the words).
    /// One that has to wait is woken when there is more.
    pub(crate) fn resize(
        &self,
        uid: &str,
        pod: &Arc<Pod>,
        node: &Node,
        store: &Store,
        wake: &Arc<Notify>,
    ) -> Result<(), Refusal> {
        let wanted = without_status(pod);
        let refusal = {
            let mut pods = self.pods.lock();
            let others = pods.iter().filter(|(other, _)| *other != uid).map(|(_, p)| p.as_ref());
            let others: Vec<&Pod> = others.filter(|other| is_there(other, store)).collect();
            match too_large(&wanted, node) {
                Some(message) => Err(Refusal {
                    reason: INFEASIBLE,
                    message,
                }),
                None => check(&wanted, node, || others.iter().copied()).map_err(|rejection| Refusal {
                    reason: DEFERRED,
                    message: rejection.message,
                }),
            }
            .inspect(|()| drop(pods.insert(uid.to_owned(), wanted)))
        };
        let mut deferred = self.deferred.lock();
        match &refusal {
            Err(refusal) if refusal.reason == DEFERRED => {
                let turn = deferred.values().map(|d| d.turn + 1).max().unwrap_or(0);
                let turn = deferred.get(uid).map_or(turn, |d| d.turn);
                let (pod, wake) = (pod.clone(), wake.clone());
                deferred.insert(uid.to_owned(), Deferred { pod, turn, wake });
            }
            _ => drop(deferred.remove(uid)),
        }
        drop(deferred);
        if refusal.is_ok() {
            // It may have given something back.
            self.wake_deferred();
        }
        refusal
    }

    /// The Pod no longer asks for more.
    pub(crate) fn content(&self, uid: &str) {
        self.deferred.lock().remove(uid);
    }

    /// Wakes those that wait, in the order in which they are served (`sortPendingResizes`).
    fn wake_deferred(&self) {
        let deferred = self.deferred.lock();
        let pods = self.pods.lock();
        let rank = |(uid, waiting): &(&String, &Deferred)| {
            let wants_more = |name: &str| {
                let of = |pod: &Pod| resources::requests(pod).get(name).copied().unwrap_or(0);
                pods.get(*uid).is_some_and(|given| of(&waiting.pod) > of(given))
            };
            let spec = waiting.pod.spec.as_ref();
            (
                wants_more("cpu") || wants_more("memory"),
                Reverse(spec.and_then(|s| s.priority).unwrap_or(0)),
                podsim_store::pod::qos_class(&waiting.pod) != "Guaranteed",
                waiting.turn,
            )
        };
        let mut waiting: Vec<_> = deferred.iter().collect();
        waiting.sort_by_key(rank);
        waiting.iter().for_each(|(_, waiting)| waiting.wake.notify_one());
    }

    /// Takes a Pod in that runs already.
    pub(crate) fn insert(&self, uid: &str, pod: &Arc<Pod>) {
        self.pods.lock().insert(uid.to_owned(), without_status(pod));
    }

    /// The Pod has ended.
    pub(crate) fn release(&self, uid: &str) {
        self.content(uid);
        if self.pods.lock().remove(uid).is_some() {
            self.wake_deferred();
        }
    }
}

/// What is told of a Pod changes; what it was given is in its spec.
fn without_status(pod: &Arc<Pod>) -> Arc<Pod> {
    Arc::new(Pod {
        status: None,
        ..pod.as_ref().clone()
    })
}

/// Does the Pod ask for more than the node has at all?
fn too_large(pod: &Pod, node: &Node) -> Option<String> {
    let lacks = resources::insufficient(pod, node, std::iter::empty());
    let of = |name: &str| lacks.iter().find(|lack| lack.resource == name);
    let lack = of("memory").or_else(|| of("cpu"))?;
    Some(format!(
        "Node didn't have enough capacity: {}, requested: {}, capacity: {}",
        lack.resource, lack.requested, lack.capacity
    ))
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

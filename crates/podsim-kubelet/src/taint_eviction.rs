//! Deletes Pods from nodes with `NoExecute` taints that they do not tolerate, or tolerate for a while only
//! (`pkg/controller/tainteviction`).

use crate::events::{EventRecorder, Severity, pod_reference};
use crate::fit::{is_active, taints::tolerates};
use crate::pod_worker::names;
use crate::status::conditions;
use k8s_openapi::api::core::v1::{Node, Pod, Taint};
use podsim_store::{DeleteOptions, Selectors, Since, Store, StoreError, WatchEventType};
use podsim_sys::{Clock, sleep_until};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The controller.
pub(crate) struct TaintEviction {
    store: Store,
    clock: Arc<dyn Clock>,
    recorder: EventRecorder,
}

/// Namespace, name and uid.
type Key = (String, String, String);

/// An eviction to come.
#[derive(Clone, Copy)]
struct Planned {
    /// Since when the taint is endured.
    since: Duration,
    /// When it is endured no longer.
    at: Duration,
}

/// How long a Pod stays with these taints: `None` is for ever.
fn endures(pod: &Pod, taints: &[&Taint]) -> Option<Duration> {
    let tolerations: Vec<_> = pod.spec.iter().flat_map(|s| s.tolerations.iter().flatten()).collect();
    let mut shortest: Option<i64> = None;
    for taint in taints {
        let mut matching = tolerations.iter().filter(|t| tolerates(t, taint)).peekable();
        if matching.peek().is_none() {
            return Some(Duration::ZERO);
        }
        for seconds in matching.filter_map(|t| t.toleration_seconds) {
            shortest = Some(shortest.map_or(seconds, |s| s.min(seconds)));
        }
    }
    shortest.map(|s| Duration::from_secs(u64::try_from(s).unwrap_or(0)))
}

fn no_execute(node: &Node) -> Vec<&Taint> {
    let taints = node.spec.iter().flat_map(|s| s.taints.iter().flatten());
    taints.filter(|t| t.effect == "NoExecute").collect()
}

impl TaintEviction {
    pub(crate) fn new(store: Store) -> Self {
        let clock = store.clock().clone();
        let recorder = EventRecorder::new(store.clone(), "taint-eviction-controller", "");
        Self { store, clock, recorder }
    }

    /// Runs for ever; an error only if the store cannot be watched.
    pub(crate) async fn run(&self) -> Result<(), StoreError> {
        let everything = Selectors::default();
        let watch_pods = || self.store.api::<Pod>().watch(None, &everything, Since::Start);
        let watch_nodes = || self.store.api::<Node>().watch(None, &everything, Since::Start);
        let (mut pods, mut nodes) = (watch_pods()?, watch_nodes()?);
        let mut known: BTreeMap<String, Node> = BTreeMap::new();
        let mut plans: BTreeMap<Key, Planned> = BTreeMap::new();
        loop {
            let next = plans.values().map(|p| p.at).min();
            let alarm = async {
                match next {
                    Some(at) => sleep_until(&self.clock, at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                change = nodes.next() => match change {
                    None => nodes = watch_nodes()?,
                    Some((kind, node)) => {
                        let name = node.metadata.name.clone().unwrap_or_default();
                        let taints_of = |n: Option<&Node>| n.map(|n| no_execute(n).into_iter().cloned().collect::<Vec<_>>());
                        let before = taints_of(known.get(&name)).unwrap_or_default();
                        if kind == WatchEventType::Deleted {
                            known.remove(&name);
                            continue;
                        }
                        let changed = before != taints_of(Some(&node)).unwrap_or_default();
                        known.insert(name.clone(), node);
                        if changed {
                            let selectors = Selectors::parse(&podsim_store::kinds::POD, "", &format!("spec.nodeName={name}"))?;
                            for pod in self.store.api::<Pod>().list(None, &selectors)? {
                                self.look(&pod, &known, &mut plans);
                            }
                        }
                    }
                },
                change = pods.next() => match change {
                    None => pods = watch_pods()?,
                    Some((WatchEventType::Deleted, pod)) => drop(plans.remove(&key(&pod))),
                    Some((_, pod)) => self.look(&pod, &known, &mut plans),
                },
                () = alarm => {
                    let now = self.clock.monotonic();
                    let due: Vec<_> = plans.iter().filter(|(_, p)| p.at <= now).map(|(k, _)| k.clone()).collect();
                    for key in due {
                        plans.remove(&key);
                        self.evict(&key);
                    }
                }
            }
        }
    }

    /// Plans, keeps or gives up the eviction of a Pod.
    fn look(&self, pod: &Pod, nodes: &BTreeMap<String, Node>, plans: &mut BTreeMap<Key, Planned>) {
        let key = key(pod);
        let node = pod
            .spec
            .as_ref()
            .and_then(|s| s.node_name.as_deref())
            .unwrap_or_default();
        let over = pod.metadata.deletion_timestamp.is_some() || !is_active(pod);
        let taints = nodes.get(node).map(no_execute).filter(|_| !over).unwrap_or_default();
        let stays = if taints.is_empty() { None } else { endures(pod, &taints) };
        let Some(time) = stays else {
            if plans.remove(&key).is_some() && !over {
                self.tell(pod, "Cancelling deletion of");
            }
            return;
        };
        let now = self.clock.monotonic();
        // A taint that comes later does not prolong the time of an earlier one.
        let since = plans.get(&key).map_or(now, |p| p.since);
        if time.is_zero() {
            plans.remove(&key);
            self.evict(&key);
        } else {
            plans.insert(
                key,
                Planned {
                    since,
                    at: since + time,
                },
            );
        }
    }

    fn tell(&self, pod: &Pod, what: &str) {
        let (namespace, name) = names(pod);
        self.recorder.event(
            pod_reference(pod, None),
            Severity::Normal,
            "TaintManagerEviction",
            &format!("{what} Pod {namespace}/{name}"),
        );
    }

    fn evict(&self, (namespace, name, uid): &Key) {
        let pods = self.store.api::<Pod>();
        let Ok(pod) = pods.get(namespace, name) else { return };
        if pod.metadata.uid.as_ref() != Some(uid) || pod.metadata.deletion_timestamp.is_some() {
            return;
        }
        self.tell(&pod, "Marking for deletion");
        let message = "Taint manager: deleting due to NoExecute taint";
        let marked = conditions::disrupt(&self.store, &pod, "DeletionByTaintManager", message);
        let options = DeleteOptions {
            uid: Some(uid.clone()),
            ..DeleteOptions::default()
        };
        if let Err(error) = marked.and_then(|()| pods.delete(namespace, name, &options)) {
            tracing::warn!("cannot evict {namespace}/{name}: {error}");
        }
    }
}

fn key(pod: &Pod) -> Key {
    let (namespace, name) = names(pod);
    let uid = pod.metadata.uid.clone().unwrap_or_default();
    (namespace.to_owned(), name.to_owned(), uid)
}

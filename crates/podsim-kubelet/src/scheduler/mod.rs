//! A scheduler for few nodes: gives each Pod without a node to the best of those that pass the filters of upstream's scheduler, and
//! tells in upstream's words why there is none. A Pod may have to make room for one of a higher priority.
//!
//! * [`filter`]: why a Pod cannot go to a node. (`fit::score` says which node is the best.)
//! * [`preemption`]: who would have to go for it.

mod filter;
mod preemption;

use crate::events::{EventRecorder, Severity, pod_reference};
use crate::fit::claims::Claims;
use crate::fit::cluster::View;
use crate::fit::{is_active, resources, score};
use crate::volumes::{self, claim};
use filter::Filter;
use k8s_openapi::api::core::v1::{Namespace, Node, PersistentVolumeClaim, Pod, PodCondition};
use podsim_store::{Selectors, Since, Store, StoreError, WatchEventType, time};
use std::collections::BTreeMap;

/// The scheduler.
pub struct Scheduler {
    store: Store,
    recorder: EventRecorder,
}

type Key = (String, String);

/// What the scheduler knows.
#[derive(Default)]
struct Cluster {
    nodes: BTreeMap<String, Node>,
    /// Pods that wait for a node.
    pending: BTreeMap<Key, Pod>,
    /// Pods that have a node, and use what they ask for.
    assigned: BTreeMap<Key, Pod>,
}

impl Cluster {
    fn view(&self, store: &Store) -> View<'_> {
        let namespaces = store.api::<Namespace>().list(None, &Selectors::default());
        let namespace = |n: Namespace| Some((n.metadata.name?, n.metadata.labels.unwrap_or_default()));
        View {
            nodes: self.nodes.iter().map(|(name, node)| (name.as_str(), node)).collect(),
            pods: self
                .assigned
                .values()
                .filter_map(|pod| Some((node_of(pod)?, pod)))
                .collect(),
            namespaces: namespaces
                .unwrap_or_default()
                .into_iter()
                .filter_map(namespace)
                .collect(),
        }
    }
}

/// Who is first: the highest priority, then the oldest.
fn rank(pod: &Pod) -> impl Ord + use<> {
    let created = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
    (std::cmp::Reverse(preemption::priority(pod)), created)
}

fn node_of(pod: &Pod) -> Option<&str> {
    let name = pod.spec.as_ref().and_then(|s| s.node_name.as_deref());
    name.filter(|n| !n.is_empty())
}

/// What became of an attempt.
#[derive(PartialEq)]
enum Attempt {
    /// It has this node now.
    Bound(String),
    /// It has to wait.
    Waits,
    /// There is nothing more to be done.
    Gone,
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
        let everything = Selectors::default();
        let watch_pods = || self.store.api::<Pod>().watch(None, &everything, Since::Start);
        let watch_nodes = || self.store.api::<Node>().watch(None, &everything, Since::Start);
        let watch_claims = || {
            let claims = self.store.api::<PersistentVolumeClaim>();
            claims.watch(None, &everything, Since::Now)
        };
        let (mut pods, mut nodes, mut claims) = (watch_pods()?, watch_nodes()?, watch_claims()?);
        let mut cluster = Cluster::default();
        loop {
            tokio::select! {
                // Nodes first: a Pod should not fail for a node that is being told of in the same moment.
                biased;
                change = nodes.next() => match change {
                    None => {
                        cluster.nodes.clear();
                        nodes = watch_nodes()?;
                    }
                    Some((kind, node)) => {
                        let name = node.metadata.name.clone().unwrap_or_default();
                        if kind == WatchEventType::Deleted {
                            cluster.nodes.remove(&name);
                        } else {
                            cluster.nodes.insert(name, node);
                        }
                        self.retry(&mut cluster);
                    }
                },
                change = claims.next() => {
                    if change.is_none() {
                        claims = watch_claims()?;
                    }
                    self.retry_claiming(&mut cluster);
                }
                change = pods.next() => match change {
                    None => {
                        cluster.pending.clear();
                        cluster.assigned.clear();
                        pods = watch_pods()?;
                    }
                    Some((kind, pod)) => self.pod_changed(&mut cluster, kind, pod),
                },
            }
        }
    }

    fn pod_changed(&self, cluster: &mut Cluster, kind: WatchEventType, pod: Pod) {
        let (namespace, name) = crate::pod_worker::names(&pod);
        let key = (namespace.to_owned(), name.to_owned());
        let gone = kind == WatchEventType::Deleted;
        if gone || !is_active(&pod) {
            cluster.pending.remove(&key);
            // What it had is free now.
            if cluster.assigned.remove(&key).is_some() {
                self.retry(cluster);
            }
            return;
        }
        if node_of(&pod).is_some() {
            cluster.pending.remove(&key);
            let now = resources::requests(&pod);
            let before = cluster.assigned.insert(key, pod);
            // A resize has given something back.
            let less = |before: &Pod| {
                let mut before = resources::requests(before).into_iter();
                before.any(|(name, amount)| now.get(&name).is_none_or(|now| *now < amount))
            };
            if before.as_ref().is_some_and(less) {
                self.retry(cluster);
            }
            return;
        }
        let scheduler = pod.spec.as_ref().and_then(|s| s.scheduler_name.as_deref());
        let mine = scheduler.is_none_or(|s| s == "default-scheduler") && pod.metadata.deletion_timestamp.is_none();
        // Its status is written here, too: only a change of its spec is worth another try.
        let same =
            |old: &Pod| old.metadata.uid == pod.metadata.uid && old.metadata.generation == pod.metadata.generation;
        if mine && !cluster.pending.get(&key).is_some_and(same) {
            self.attempt(cluster, key, pod);
        }
    }

    fn retry(&self, cluster: &mut Cluster) {
        let pending = std::mem::take(&mut cluster.pending);
        self.attempt_all(cluster, pending.into_iter().collect());
    }

    fn attempt_all(&self, cluster: &mut Cluster, mut pods: Vec<(Key, Pod)>) {
        pods.sort_by_key(|(_, pod)| rank(pod));
        for (key, pod) in pods {
            self.attempt(cluster, key, pod);
        }
    }

    /// A claim has changed: what waits for one may have it now.
    fn retry_claiming(&self, cluster: &mut Cluster) {
        let claims = |pod: &Pod| volumes::of(pod).any(|volume| claim::name(pod, volume).is_some());
        let waiting = cluster.pending.iter().filter(|(_, pod)| claims(pod));
        let waiting = waiting.map(|(key, pod)| (key.clone(), pod.clone())).collect();
        self.attempt_all(cluster, waiting);
    }

    fn attempt(&self, cluster: &mut Cluster, key: Key, mut pod: Pod) {
        match self.schedule(&pod, cluster) {
            Attempt::Bound(node) => {
                pod.spec.get_or_insert_default().node_name = Some(node);
                cluster.pending.remove(&key);
                cluster.assigned.insert(key, pod);
            }
            Attempt::Waits => drop(cluster.pending.insert(key, pod)),
            Attempt::Gone => drop(cluster.pending.remove(&key)),
        }
    }

    /// Binds the Pod if there is a node for it.
    fn schedule(&self, pod: &Pod, cluster: &Cluster) -> Attempt {
        let (namespace, name) = crate::pod_worker::names(pod);
        let gates = pod.spec.as_ref().and_then(|s| s.scheduling_gates.as_ref());
        if gates.is_some_and(|g| !g.is_empty()) {
            let message = "Scheduling is blocked due to non-empty scheduling gates";
            return self.not_scheduled(pod, "SchedulingGated", message);
        }
        let view = cluster.view(&self.store);
        let claims = match Claims::of(pod, &self.store) {
            Ok(claims) => claims,
            Err(reason) => {
                let helpless = BTreeMap::from([(preemption::NOT_HELPFUL.to_owned(), view.nodes.len())]);
                let told = preemption::told(view.nodes.len(), &helpless);
                return self.unschedulable(pod, &describe(view.nodes.len(), &reason, &told));
            }
        };
        let filter = Filter { pod, claims: &claims };
        let (mut candidates, mut unfit) = (vec![], BTreeMap::new());
        for name in view.nodes.keys() {
            match filter.check(name, &view) {
                None => candidates.push(*name),
                Some(why) => drop(unfit.insert(*name, why)),
            }
        }
        if let Some(node) = score::best(pod, &candidates, &view) {
            return match self.store.bind(namespace, name, node) {
                Ok(_) => {
                    let message = format!("Successfully assigned {namespace}/{name} to {node}");
                    self.recorder
                        .event(pod_reference(pod, None), Severity::Normal, "Scheduled", &message);
                    Attempt::Bound(node.to_owned())
                }
                Err(_) => Attempt::Gone,
            };
        }
        let reasons = count(unfit.values().flat_map(|unfit| unfit.reasons.iter().cloned()));
        let after = match preemption::plan(&filter, &unfit, &view) {
            Ok(plan) => {
                self.preempt(pod, &plan);
                String::new()
            }
            Err(told) => told,
        };
        let message = describe(view.nodes.len(), &lines(&reasons), &after);
        self.unschedulable(pod, &message)
    }

    fn unschedulable(&self, pod: &Pod, message: &str) -> Attempt {
        let about = pod_reference(pod, None);
        self.recorder
            .event(about, Severity::Warning, "FailedScheduling", message);
        self.not_scheduled(pod, "Unschedulable", message)
    }

    fn not_scheduled(&self, pod: &Pod, reason: &str, message: &str) -> Attempt {
        let (namespace, name) = crate::pod_worker::names(pod);
        let now = time::now(self.store.clock().as_ref());
        let written = self.store.api::<Pod>().modify_status(namespace, name, |pod| {
            let conditions = pod.status.get_or_insert_default().conditions.get_or_insert_default();
            let since = conditions
                .iter()
                .find(|c| c.type_ == "PodScheduled" && c.status == "False");
            let since = since.and_then(|c| c.last_transition_time.clone());
            conditions.retain(|c| c.type_ != "PodScheduled");
            conditions.push(PodCondition {
                type_: "PodScheduled".to_owned(),
                status: "False".to_owned(),
                reason: Some(reason.to_owned()),
                message: Some(message.to_owned()),
                last_transition_time: since.or_else(|| Some(now.clone())),
                observed_generation: pod.metadata.generation,
                ..PodCondition::default()
            });
        });
        // A Pod that is gone needs no care.
        match written {
            Err(StoreError::NotFound { .. }) => Attempt::Gone,
            _ => Attempt::Waits,
        }
    }
}

/// How often each reason is given.
fn count(reasons: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for reason in reasons {
        *counted.entry(reason).or_default() += 1;
    }
    counted
}

/// Reasons with their numbers, in order.
fn lines(reasons: &BTreeMap<String, usize>) -> String {
    let mut lines: Vec<_> = reasons
        .iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    lines.sort();
    lines.join(", ")
}

/// The message of `FailedScheduling` (`framework.FitError`). What upstream's DynamicResources and DefaultPreemption add comes after the
/// filters; there are no claims of devices here. Nothing is added if somebody makes room.
fn describe(nodes: usize, reasons: &str, preemption: &str) -> String {
    if nodes == 0 {
        return "no nodes available to schedule pods".to_owned();
    }
    let after = match preemption {
        "" => String::new(),
        told => format!(" no new claims to deallocate, preemption: {told}"),
    };
    format!("0/{nodes} nodes are available: {reasons}.{after}")
}

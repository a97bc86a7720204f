//! A scheduler for few nodes: gives each Pod without a node to the first that passes the filters of upstream's scheduler, and
//! tells in upstream's words why there is none. It does not score, and no Pod has to make room for another.

use crate::events::{EventRecorder, Severity, pod_reference};
use crate::fit::claims::{self, Claims};
use crate::fit::{affinity, is_active, ports, resources, taints};
use crate::volumes::{self, claim};
use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod, PodCondition};
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
    fn on_node<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a Pod> {
        self.assigned.values().filter(move |p| node_of(p) == Some(node))
    }
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
        for (key, pod) in std::mem::take(&mut cluster.pending) {
            self.attempt(cluster, key, pod);
        }
    }

    /// A claim has changed: what waits for one may have it now.
    fn retry_claiming(&self, cluster: &mut Cluster) {
        let claims = |pod: &Pod| volumes::of(pod).any(|volume| claim::name(pod, volume).is_some());
        let waiting = cluster.pending.iter().filter(|(_, pod)| claims(pod));
        let waiting: Vec<_> = waiting.map(|(key, pod)| (key.clone(), pod.clone())).collect();
        for (key, pod) in waiting {
            self.attempt(cluster, key, pod);
        }
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
        let claims = match Claims::of(pod, &self.store) {
            Ok(claims) => claims,
            Err(reason) => {
                let message = describe(cluster.nodes.len(), &reason, cluster.nodes.len());
                return self.unschedulable(pod, &message);
            }
        };
        let taken = claims.taken(pod, cluster.assigned.values());
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        let mut helpless = 0;
        for (node_name, node) in &cluster.nodes {
            let found = unfit(pod, node, &claims, taken, || cluster.on_node(node_name));
            if found.reasons.is_empty() {
                return match self.store.bind(namespace, name, node_name) {
                    Ok(_) => {
                        let message = format!("Successfully assigned {namespace}/{name} to {node_name}");
                        self.recorder
                            .event(pod_reference(pod, None), Severity::Normal, "Scheduled", &message);
                        Attempt::Bound(node_name.clone())
                    }
                    Err(_) => Attempt::Gone,
                };
            }
            helpless += usize::from(!found.others_could_go);
            for reason in found.reasons {
                *reasons.entry(reason).or_default() += 1;
            }
        }
        let mut lines: Vec<_> = reasons
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        lines.sort();
        let message = describe(cluster.nodes.len(), &lines.join(", "), helpless);
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

/// The message of `FailedScheduling` (`framework.FitError`).
fn describe(nodes: usize, reasons: &str, helpless: usize) -> String {
    if nodes == 0 {
        return "no nodes available to schedule pods".to_owned();
    }
    let mut preemption = vec![];
    if nodes > helpless {
        preemption.push(format!(
            "{} No preemption victims found for incoming pod",
            nodes - helpless
        ));
    }
    if helpless > 0 {
        preemption.push(format!("{helpless} Preemption is not helpful for scheduling"));
    }
    preemption.sort();
    // What upstream's DynamicResources and DefaultPreemption add after the filters; there are no claims here, and no priorities.
    format!(
        "0/{nodes} nodes are available: {reasons}. no new claims to deallocate, preemption: 0/{nodes} nodes are available: {}.",
        preemption.join(", ")
    )
}

/// Why a Pod cannot go to a node.
struct Unfit {
    /// None: it can.
    reasons: Vec<String>,
    /// It could if other Pods went.
    others_could_go: bool,
}

/// The filters in the order of upstream's default plug-ins; the first that fails is told, with all its reasons.
fn unfit<'a, I: Iterator<Item = &'a Pod>>(
    pod: &Pod,
    node: &Node,
    claims: &Claims,
    taken: bool,
    others: impl Fn() -> I,
) -> Unfit {
    let never = |reason: String| Unfit {
        reasons: vec![reason],
        others_could_go: false,
    };
    let spec = node.spec.as_ref();
    let unschedulable = taints::no_schedule("node.kubernetes.io/unschedulable");
    if spec.is_some_and(|s| s.unschedulable == Some(true)) && !taints::tolerated(pod, &unschedulable) {
        return never("node(s) were unschedulable".to_owned());
    }
    // podsim's node controller sets no taints: a node that is not ready has the one that upstream's would set.
    let conditions = node.status.iter().flat_map(|s| s.conditions.iter().flatten());
    let mut ready = conditions.filter(|c| c.type_ == "Ready");
    let implied = ready.find(|c| c.status != "True").map(|c| {
        let unknown = c.status == "Unknown";
        taints::no_schedule(if unknown {
            "node.kubernetes.io/unreachable"
        } else {
            "node.kubernetes.io/not-ready"
        })
    });
    let implied = implied.filter(|t| !taints::tolerated(pod, t));
    let untolerated = taints::untolerated(pod, node, &["NoSchedule", "NoExecute"])
        .cloned()
        .or(implied);
    if let Some(taint) = untolerated {
        let value = taint.value.unwrap_or_default();
        return never(format!("node(s) had untolerated taint {{{}: {value}}}", taint.key));
    }
    if !affinity::matches(pod, node) {
        return never(affinity::MISMATCH.to_owned());
    }
    let could = |reasons: Vec<String>| Unfit {
        reasons,
        others_could_go: true,
    };
    if ports::conflict(pod, others()) {
        return could(vec![ports::TAKEN.to_owned()]);
    }
    let lacks = resources::insufficient(pod, node, others());
    if !lacks.is_empty() {
        return Unfit {
            // More than the node has at all: no Pod that went would help.
            others_could_go: !lacks.iter().any(|l| l.requested > l.capacity),
            reasons: lacks.iter().map(resources::Insufficient::reason).collect(),
        };
    }
    if taken {
        return could(vec![claims::TAKEN.to_owned()]);
    }
    match claims.unusable(node) {
        Some(reason) => never(reason.to_owned()),
        None => could(vec![]),
    }
}

//! Who would have to go for a Pod of a higher priority (upstream's plug-in DefaultPreemption). Disruption budgets are not looked at.

use super::filter::{Filter, Unfit};
use super::{Scheduler, count, lines};
use crate::events::{Severity, pod_reference};
use crate::fit::cluster::View;
use crate::status::conditions;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use podsim_store::{DeleteOptions, kinds};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// That other Pods are not what is in the way.
pub(super) const NOT_HELPFUL: &str = "Preemption is not helpful for scheduling";
/// That nobody there has a lower priority.
const NO_VICTIMS: &str = "No preemption victims found for incoming pod";

/// Which Pods go from which node.
#[derive(Debug)]
pub(super) struct Plan {
    node: String,
    victims: Vec<Pod>,
}

/// The priority of a Pod.
pub(super) fn priority(pod: &Pod) -> i32 {
    pod.spec.as_ref().and_then(|s| s.priority).unwrap_or(0)
}

fn started(pod: &Pod) -> Option<Timestamp> {
    let status = pod.status.as_ref()?;
    status.start_time.as_ref().map(|time| time.0)
}

/// What is said where preemption does not help.
pub(super) fn told(nodes: usize, reasons: &BTreeMap<String, usize>) -> String {
    format!("0/{nodes} nodes are available: {}.", lines(reasons))
}

/// Who has to go, or why nobody can.
pub(super) fn plan(filter: &Filter<'_>, unfit: &BTreeMap<&str, Unfit>, view: &View<'_>) -> Result<Plan, String> {
    let spec = filter.pod.spec.as_ref();
    if spec.is_some_and(|s| s.preemption_policy.as_deref() == Some("Never")) {
        return Err("not eligible due to preemptionPolicy=Never.".to_owned());
    }
    let status = filter.pod.status.as_ref();
    let nominated = status
        .and_then(|s| s.nominated_node_name.as_deref())
        .unwrap_or_default();
    let leaves = |(at, pod): &(&str, &Pod)| {
        *at == nominated && pod.metadata.deletion_timestamp.is_some() && priority(pod) < priority(filter.pod)
    };
    if view.pods.iter().any(leaves) {
        return Err("not eligible due to a terminating pod on the nominated node.".to_owned());
    }
    let (mut plans, mut reasons) = (vec![], vec![]);
    for (node, unfit) in unfit {
        if !unfit.others_could_go {
            reasons.push(NOT_HELPFUL.to_owned());
            continue;
        }
        match victims(filter, node, view) {
            Ok(victims) => plans.push(Plan {
                node: (*node).to_owned(),
                victims,
            }),
            Err(why) => reasons.extend(why),
        }
    }
    // The least important first victim, then the least in all, then the fewest, then those that have run for the shortest time.
    let cost = |plan: &Plan| {
        let priorities = || plan.victims.iter().map(|pod| i64::from(priority(pod)));
        let earliest = plan.victims.iter().filter_map(started).min();
        (
            priorities().max(),
            priorities().sum::<i64>(),
            plan.victims.len(),
            Reverse(earliest),
        )
    };
    let best = plans.into_iter().min_by_key(cost);
    best.ok_or_else(|| told(view.nodes.len(), &count(reasons.into_iter())))
}

/// The Pods without which the Pod fits on the node: as few and as unimportant ones as possible.
fn victims(filter: &Filter<'_>, node: &str, view: &View<'_>) -> Result<Vec<Pod>, Vec<String>> {
    let lower = |(at, pod): &(&str, &Pod)| *at == node && priority(pod) < priority(filter.pod);
    let mut potential: Vec<_> = view.pods.iter().filter(|p| lower(p)).copied().collect();
    if potential.is_empty() {
        return Err(vec![NO_VICTIMS.to_owned()]);
    }
    let mut left = View {
        nodes: view.nodes.clone(),
        pods: view.pods.iter().filter(|p| !lower(p)).copied().collect(),
        namespaces: view.namespaces.clone(),
    };
    if let Some(unfit) = filter.check(node, &left) {
        return Err(unfit.reasons);
    }
    // The most important one is the first that may stay.
    potential.sort_by_key(|(_, pod)| (Reverse(priority(pod)), started(pod)));
    let mut victims = vec![];
    for (at, pod) in potential {
        left.pods.push((at, pod));
        if filter.check(node, &left).is_some() {
            left.pods.pop();
            victims.push(pod.clone());
        }
    }
    Ok(victims)
}

impl Scheduler {
    /// Has the victims go, with their grace, and notes for whom (`prepareCandidate`).
    pub(super) fn preempt(&self, pod: &Pod, plan: &Plan) {
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        for victim in &plan.victims {
            let (namespace, name) = crate::pod_worker::names(victim);
            let why = "default-scheduler: preempting to accommodate a higher priority pod";
            // One that has gone meanwhile is as good.
            let _ = conditions::disrupt(&self.store, victim, "PreemptionByScheduler", why);
            let _ = self
                .store
                .delete(&kinds::POD, namespace, name, &DeleteOptions::default());
            let message = format!("Preempted by pod {uid} on node {}", plan.node);
            self.recorder
                .event(pod_reference(victim, None), Severity::Normal, "Preempted", &message);
        }
        let (namespace, name) = crate::pod_worker::names(pod);
        let _ = self.store.api::<Pod>().modify_status(namespace, name, |pod| {
            pod.status.get_or_insert_default().nominated_node_name = Some(plan.node.clone());
        });
    }
}

//! Pods that are to be spread over the parts of a cluster (upstream's plug-in PodTopologySpread).

use super::cluster::{View, labels_of};
use super::{affinity, labels, taints};
use k8s_openapi::api::core::v1::{Pod, TopologySpreadConstraint};
use std::collections::BTreeMap;

/// As the scheduler says that there are too many of a kind already.
pub const UNEVEN: &str = "node(s) didn't match pod topology spread constraints";
/// That the node is in no part.
pub const NOWHERE: &str = "node(s) didn't match pod topology spread constraints (missing required label)";

fn constraints<'a>(pod: &'a Pod, when: &str) -> Vec<&'a TopologySpreadConstraint> {
    let all = pod
        .spec
        .iter()
        .flat_map(|s| s.topology_spread_constraints.iter().flatten());
    all.filter(|c| c.when_unsatisfiable == when).collect()
}

/// Does a constraint of the Pod count this Pod?
fn counts(constraint: &TopologySpreadConstraint, pod: &Pod, other: &Pod) -> bool {
    let (own, theirs) = (labels_of(pod), labels_of(other));
    crate::pod_worker::names(pod).0 == crate::pod_worker::names(other).0
        && other.metadata.deletion_timestamp.is_none()
        && labels::selects(constraint.label_selector.as_ref(), &theirs)
        && labels::same(constraint.match_label_keys.as_deref(), &own, &theirs)
}

/// How many Pods that count are in each part of the cluster, for one of these constraints: those parts that the Pod could be in.
fn matches<'a>(
    constraint: &TopologySpreadConstraint,
    all: &[&TopologySpreadConstraint],
    pod: &Pod,
    view: &'a View<'_>,
) -> BTreeMap<&'a str, i64> {
    let affinity_counts = constraint.node_affinity_policy.as_deref() != Some("Ignore");
    let taints_count = constraint.node_taints_policy.as_deref() == Some("Honor");
    let mut found = BTreeMap::new();
    for (name, node) in &view.nodes {
        let everywhere = all.iter().all(|c| view.domain(name, &c.topology_key).is_some());
        let tainted = || taints::untolerated(pod, node, &["NoSchedule", "NoExecute"]).is_some();
        if !everywhere || affinity_counts && !affinity::matches(pod, node) || taints_count && tainted() {
            continue;
        }
        if let Some(domain) = view.domain(name, &constraint.topology_key) {
            let here = view
                .pods
                .iter()
                .filter(|(at, other)| at == name && counts(constraint, pod, other));
            *found.entry(domain).or_default() += i64::try_from(here.count()).unwrap_or(i64::MAX);
        }
    }
    found
}

/// Why the Pod cannot be on this node, if it cannot, and whether it could if others went.
#[must_use]
pub fn conflict(pod: &Pod, node: &str, view: &View<'_>) -> Option<(&'static str, bool)> {
    let all = constraints(pod, "DoNotSchedule");
    for constraint in &all {
        let Some(domain) = view.domain(node, &constraint.topology_key) else {
            return Some((NOWHERE, false));
        };
        let matches = matches(constraint, &all, pod, view);
        let enough = i64::try_from(matches.len()).unwrap_or(i64::MAX) >= i64::from(constraint.min_domains.unwrap_or(1));
        let least = matches.values().min().copied().filter(|_| enough).unwrap_or(0);
        let own = i64::from(counts(constraint, pod, pod));
        let here = matches.get(domain).copied().unwrap_or(0);
        if here + own - least > i64::from(constraint.max_skew) {
            return Some((UNEVEN, true));
        }
    }
    None
}

/// How many Pods are in the node's parts of the cluster already, of those that are to be spread as well as can be; `None` where the Pod does not
/// say so, or the node is in no part.
#[must_use]
pub fn crowd(pod: &Pod, node: &str, view: &View<'_>) -> Option<i64> {
    let all = constraints(pod, "ScheduleAnyway");
    let mut total = None;
    for constraint in &all {
        let domain = view.domain(node, &constraint.topology_key)?;
        let here = matches(constraint, &all, pod, view).get(domain).copied().unwrap_or(0);
        total = Some(total.unwrap_or(0) + here);
    }
    total
}

//! Pods that want to be near others, or far from them (upstream's plug-in InterPodAffinity).

use super::cluster::{View, labels_of};
use super::labels;
use k8s_openapi::api::core::v1::{Affinity, Pod, PodAffinityTerm};

/// As the scheduler says that nobody is there that the Pod wants to be near.
pub const NOT_NEAR: &str = "node(s) didn't match pod affinity rules";
/// That somebody is there that it does not want to be near.
pub const TOO_NEAR: &str = "node(s) didn't match pod anti-affinity rules";
/// That somebody is there that does not want to be near it.
pub const UNWANTED: &str = "node(s) didn't satisfy existing pods anti-affinity rules";

/// How much it counts that a Pod is near another that has to be near such (`DefaultHardPodAffinityWeight`).
const HARD_WEIGHT: i64 = 1;

/// Why a Pod cannot be on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// As the scheduler says it.
    pub reason: &'static str,
    /// It could be there if others went.
    pub others_could_go: bool,
}

fn affinity(pod: &Pod) -> Option<&Affinity> {
    pod.spec.as_ref()?.affinity.as_ref()
}

fn near(pod: &Pod) -> &[PodAffinityTerm] {
    let terms = affinity(pod).and_then(|a| {
        a.pod_affinity
            .as_ref()?
            .required_during_scheduling_ignored_during_execution
            .as_deref()
    });
    terms.unwrap_or_default()
}

fn far(pod: &Pod) -> &[PodAffinityTerm] {
    let terms = affinity(pod).and_then(|a| {
        a.pod_anti_affinity
            .as_ref()?
            .required_during_scheduling_ignored_during_execution
            .as_deref()
    });
    terms.unwrap_or_default()
}

/// The terms that only count, with their weights: negative for those that keep away.
fn preferred(pod: &Pod) -> impl Iterator<Item = (i64, &PodAffinityTerm)> {
    let near = affinity(pod).and_then(|a| {
        a.pod_affinity
            .as_ref()?
            .preferred_during_scheduling_ignored_during_execution
            .as_ref()
    });
    let far = affinity(pod).and_then(|a| {
        a.pod_anti_affinity
            .as_ref()?
            .preferred_during_scheduling_ignored_during_execution
            .as_ref()
    });
    let near = near
        .into_iter()
        .flatten()
        .map(|t| (i64::from(t.weight), &t.pod_affinity_term));
    let far = far
        .into_iter()
        .flatten()
        .map(|t| (-i64::from(t.weight), &t.pod_affinity_term));
    near.chain(far)
}

/// Does a term of `owner` mean `other`?
fn means(term: &PodAffinityTerm, owner: &Pod, other: &Pod, view: &View<'_>) -> bool {
    let (own, namespace) = (crate::pod_worker::names(owner).0, crate::pod_worker::names(other).0);
    let named = term.namespaces.as_deref().unwrap_or_default();
    let selector = term.namespace_selector.as_ref();
    let in_namespace = if named.is_empty() && selector.is_none() {
        own == namespace
    } else {
        named.iter().any(|name| name == namespace)
            || selector.is_some_and(|selector| view.selects_namespace(selector, namespace))
    };
    let (mine, theirs) = (labels_of(owner), labels_of(other));
    in_namespace
        && labels::selects(term.label_selector.as_ref(), &theirs)
        && labels::same(term.match_label_keys.as_deref(), &mine, &theirs)
        && labels::different(term.mismatch_label_keys.as_deref(), &mine, &theirs)
}

/// Why the Pod cannot be on this node, if it cannot.
#[must_use]
pub fn conflict(pod: &Pod, node: &str, view: &View<'_>) -> Option<Conflict> {
    let same_domain = |term: &PodAffinityTerm, other: &str| {
        let here = view.domain(node, &term.topology_key);
        here.is_some() && here == view.domain(other, &term.topology_key)
    };
    let terms = near(pod);
    if !terms.is_empty() {
        let all_mean = |other: &Pod| terms.iter().all(|term| means(term, pod, other, view));
        let companions: Vec<&str> = view
            .pods
            .iter()
            .filter(|(_, p)| all_mean(p))
            .map(|(at, _)| *at)
            .collect();
        let there = |term: &PodAffinityTerm| companions.iter().any(|at| same_domain(term, at));
        // The first of a group that wants to be near its own like has nobody to be near.
        let first = companions.is_empty() && all_mean(pod);
        let has_domains = terms.iter().all(|term| view.domain(node, &term.topology_key).is_some());
        if !(terms.iter().all(there) || first && has_domains) {
            return Some(Conflict {
                reason: NOT_NEAR,
                others_could_go: false,
            });
        }
    }
    let could = |reason| {
        Some(Conflict {
            reason,
            others_could_go: true,
        })
    };
    let meets = |term: &PodAffinityTerm| {
        view.pods
            .iter()
            .any(|(at, other)| same_domain(term, at) && means(term, pod, other, view))
    };
    if far(pod).iter().any(meets) {
        return could(TOO_NEAR);
    }
    let minds = |(at, other): &(&str, &Pod)| {
        far(other)
            .iter()
            .any(|term| same_domain(term, at) && means(term, other, pod, view))
    };
    if view.pods.iter().any(minds) {
        return could(UNWANTED);
    }
    None
}

/// How much the Pod and those that are there want to be near each other on this node; below zero: far.
#[must_use]
pub fn attraction(pod: &Pod, node: &str, view: &View<'_>) -> i64 {
    let mut total = 0;
    for (at, other) in &view.pods {
        let counts = |(weight, term): (i64, &PodAffinityTerm), owner: &Pod, meant: &Pod| {
            let here = view.domain(node, &term.topology_key);
            let near = here.is_some() && here == view.domain(at, &term.topology_key);
            if near && means(term, owner, meant, view) {
                weight
            } else {
                0
            }
        };
        total += preferred(pod).map(|term| counts(term, pod, other)).sum::<i64>();
        total += preferred(other).map(|term| counts(term, other, pod)).sum::<i64>();
        total += near(other)
            .iter()
            .map(|term| counts((HARD_WEIGHT, term), other, pod))
            .sum::<i64>();
    }
    total
}

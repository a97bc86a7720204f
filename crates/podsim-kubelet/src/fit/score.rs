//! Which of the nodes that a Pod could go to is the best: upstream's plug-ins NodeResourcesFit (LeastAllocated), NodeResourcesBalancedAllocation,
//! TaintToleration, NodeAffinity, InterPodAffinity and PodTopologySpread, with their weights. (ImageLocality is left out: all nodes have the
//! same images.)

use super::cluster::View;
use super::resources::{self, Amounts};
use super::{affinity, pod_affinity, taints, topology_spread};
use crate::containers::regular_containers;
use k8s_openapi::api::core::v1::{Node, Pod};

/// The best that a plug-in can say (`MaxNodeScore`).
const MOST: i64 = 100;
/// What a container counts as that asks for nothing, in thousandths (`GetNonzeroRequests`): 0.1 CPUs, 200 MB.
const LEAST: [(&str, i128); 2] = [("cpu", 100), ("memory", 200 * 1024 * 1024 * 1000)];

/// The best of these nodes; of equals the first.
#[must_use]
pub fn best<'a>(pod: &Pod, candidates: &[&'a str], view: &View<'_>) -> Option<&'a str> {
    if let [only] = candidates {
        return Some(only);
    }
    let each = |score: &dyn Fn(&str, &Node) -> i64| -> Vec<i64> {
        let node = |name: &str| view.nodes.get(name).map_or(0, |node| score(name, node));
        candidates.iter().map(|name| node(name)).collect()
    };
    let weighted = [
        (1, each(&|name, node| free(pod, name, node, view).0)),
        (1, each(&|name, node| free(pod, name, node, view).1)),
        (3, reversed(&each(&|_, node| untolerated(pod, node)))),
        (2, normalised(&each(&|_, node| affinity::preference(pod, node)))),
        (2, spanned(&each(&|name, _| pod_affinity::attraction(pod, name, view)))),
        (
            2,
            reversed(&each(&|name, _| topology_spread::crowd(pod, name, view).unwrap_or(0))),
        ),
    ];
    let mut best: Option<(&str, i64)> = None;
    for (at, name) in candidates.iter().enumerate() {
        let scores = weighted
            .iter()
            .filter_map(|(weight, scores)| Some(weight * scores.get(at)?));
        let total = scores.sum();
        if best.is_none_or(|(_, most)| total > most) {
            best = Some((name, total));
        }
    }
    best.map(|(name, _)| name)
}

/// How much is free on a node with the Pod, and how evenly.
fn free(pod: &Pod, name: &str, node: &Node, view: &View<'_>) -> (i64, i64) {
    let there = view.pods.iter().filter(|(at, _)| *at == name).map(|(_, pod)| *pod);
    let mut used = Amounts::new();
    for pod in there.chain([pod]) {
        for (resource, amount) in asked(pod) {
            *used.entry(resource).or_default() += amount;
        }
    }
    let capacity = resources::allocatable(node);
    let share = |resource: &str| {
        let all = capacity.get(resource).copied().filter(|all| *all > 0)?;
        let used = used.get(resource).copied().unwrap_or(0).min(all);
        i64::try_from(used * i128::from(MOST) / all).ok()
    };
    let [cpu, memory] = ["cpu", "memory"].map(|resource| share(resource).unwrap_or(MOST));
    // The standard deviation of two is half of what they differ by.
    (MOST - (cpu + memory) / 2, MOST - (cpu - memory).abs() / 2)
}

fn asked(pod: &Pod) -> Amounts {
    let mut asked = resources::requests(pod);
    let containers = i128::try_from(regular_containers(pod).len()).unwrap_or(1);
    for (resource, least) in LEAST {
        let amount = asked.entry(resource.to_owned()).or_default();
        if *amount == 0 {
            *amount = least * containers;
        }
    }
    asked
}

fn untolerated(pod: &Pod, node: &Node) -> i64 {
    let all = node.spec.iter().flat_map(|s| s.taints.iter().flatten());
    let bad = all.filter(|taint| taint.effect == "PreferNoSchedule" && !taints::tolerated(pod, taint));
    i64::try_from(bad.count()).unwrap_or(i64::MAX)
}

/// The highest is the best (`DefaultNormalizeScore`).
fn normalised(scores: &[i64]) -> Vec<i64> {
    let most = scores.iter().max().copied().unwrap_or(0);
    let one = |score: &i64| if most == 0 { 0 } else { score * MOST / most };
    scores.iter().map(one).collect()
}

/// The lowest is the best.
fn reversed(scores: &[i64]) -> Vec<i64> {
    normalised(scores).iter().map(|score| MOST - score).collect()
}

/// The highest is the best and the lowest the worst, whatever they are.
fn spanned(scores: &[i64]) -> Vec<i64> {
    let (least, most) = (scores.iter().min().copied(), scores.iter().max().copied());
    let (least, most) = (least.unwrap_or(0), most.unwrap_or(0));
    let one = |score: &i64| {
        if most == least {
            0
        } else {
            (score - least) * MOST / (most - least)
        }
    };
    scores.iter().map(one).collect()
}

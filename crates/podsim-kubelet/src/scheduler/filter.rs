//! Why a Pod cannot go to a node: the filters in the order of upstream's default plug-ins; the first that fails is told, with all its reasons.

use crate::fit::claims::{self, Claims};
use crate::fit::cluster::View;
use crate::fit::{affinity, pod_affinity, ports, resources, taints, topology_spread};
use k8s_openapi::api::core::v1::{Node, Pod, Taint};

/// A Pod to be placed.
pub(super) struct Filter<'a> {
    pub(super) pod: &'a Pod,
    /// What it claims.
    pub(super) claims: &'a Claims,
}

/// Why it cannot go to a node.
pub(super) struct Unfit {
    pub(super) reasons: Vec<String>,
    /// It could if other Pods went.
    pub(super) others_could_go: bool,
}

/// The taint of a node that is not ready, which upstream's node controller would have set.
fn implied(node: &Node) -> Option<Taint> {
    let mut conditions = node.status.iter().flat_map(|s| s.conditions.iter().flatten());
    let ready = conditions.find(|c| c.type_ == "Ready" && c.status != "True")?;
    Some(taints::no_schedule(if ready.status == "Unknown" {
        "node.kubernetes.io/unreachable"
    } else {
        "node.kubernetes.io/not-ready"
    }))
}

impl Filter<'_> {
    /// Why the Pod cannot go to this node, if it cannot.
    pub(super) fn check(&self, name: &str, view: &View<'_>) -> Option<Unfit> {
        let (pod, node) = (self.pod, view.nodes.get(name)?);
        let unfit = |reason: &str, others_could_go| {
            Some(Unfit {
                reasons: vec![reason.to_owned()],
                others_could_go,
            })
        };
        let others = || view.pods.iter().filter(|(at, _)| *at == name).map(|(_, pod)| *pod);
        let unschedulable = taints::no_schedule("node.kubernetes.io/unschedulable");
        let cordoned = node.spec.as_ref().is_some_and(|s| s.unschedulable == Some(true));
        if cordoned && !taints::tolerated(pod, &unschedulable) {
            return unfit("node(s) were unschedulable", false);
        }
        let implied = implied(node).filter(|t| !taints::tolerated(pod, t));
        let untolerated = taints::untolerated(pod, node, &["NoSchedule", "NoExecute"])
            .cloned()
            .or(implied);
        if let Some(taint) = untolerated {
            let value = taint.value.unwrap_or_default();
            return unfit(
                &format!("node(s) had untolerated taint {{{}: {value}}}", taint.key),
                false,
            );
        }
        if !affinity::matches(pod, node) {
            return unfit(affinity::MISMATCH, false);
        }
        if ports::conflict(pod, others()) {
            return unfit(ports::TAKEN, true);
        }
        let lacks = resources::insufficient(pod, node, others());
        if !lacks.is_empty() {
            return Some(Unfit {
                // More than the node has at all: no Pod that went would help.
                others_could_go: !lacks.iter().any(|l| l.requested > l.capacity),
                reasons: lacks.iter().map(resources::Insufficient::reason).collect(),
            });
        }
        if self.claims.taken(pod, view.pods.iter().map(|(_, pod)| *pod)) {
            return unfit(claims::TAKEN, true);
        }
        if let Some(reason) = self.claims.unusable(node) {
            return unfit(reason, false);
        }
        if let Some((reason, others_could_go)) = topology_spread::conflict(pod, name, view) {
            return unfit(reason, others_could_go);
        }
        let conflict = pod_affinity::conflict(pod, name, view)?;
        unfit(conflict.reason, conflict.others_could_go)
    }
}

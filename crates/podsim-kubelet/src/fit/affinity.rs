//! `nodeSelector` and node affinity (`nodeaffinity.GetRequiredNodeAffinity`).

use super::labels;
use k8s_openapi::api::core::v1::{Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod};

/// As the scheduler and the kubelet say that it does not match.
pub const MISMATCH: &str = "node(s) didn't match Pod's node affinity/selector";

/// May the Pod go to this node, by the node's labels and name?
#[must_use]
pub fn matches(pod: &Pod, node: &Node) -> bool {
    let spec = pod.spec.as_ref();
    let label = |key: &str| node.metadata.labels.as_ref().and_then(|l| l.get(key));
    let mut selector = spec.into_iter().flat_map(|s| s.node_selector.iter().flatten());
    if !selector.all(|(key, value)| label(key) == Some(value)) {
        return false;
    }
    let affinity = spec.and_then(|s| s.affinity.as_ref()?.node_affinity.as_ref());
    let Some(required) = affinity.and_then(|a| a.required_during_scheduling_ignored_during_execution.as_ref()) else {
        return true;
    };
    selects(required, node)
}

/// Does a selector select the node: does one of its terms match?
#[must_use]
pub fn selects(selector: &NodeSelector, node: &Node) -> bool {
    selector.node_selector_terms.iter().any(|term| term_matches(term, node))
}

/// All of a term has to match; a term without requirements matches nothing.
fn term_matches(term: &NodeSelectorTerm, node: &Node) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    let label = |key: &str| {
        node.metadata
            .labels
            .as_ref()
            .and_then(|l| l.get(key))
            .map(String::as_str)
    };
    let name = |key: &str| node.metadata.name.as_deref().filter(|_| key == "metadata.name");
    !(expressions.is_empty() && fields.is_empty())
        && expressions.iter().all(|r| holds(r, label(&r.key)))
        && fields.iter().all(|r| holds(r, name(&r.key)))
}

fn holds(requirement: &NodeSelectorRequirement, has: Option<&str>) -> bool {
    labels::holds(&requirement.operator, requirement.values.as_deref(), has)
}

/// How much the Pod would like to be on this node: the weights of its preferences that the node meets.
#[must_use]
pub fn preference(pod: &Pod, node: &Node) -> i64 {
    let affinity = pod
        .spec
        .as_ref()
        .and_then(|s| s.affinity.as_ref()?.node_affinity.as_ref());
    let terms = affinity.and_then(|a| a.preferred_during_scheduling_ignored_during_execution.as_ref());
    let met = terms
        .into_iter()
        .flatten()
        .filter(|term| term_matches(&term.preference, node));
    met.map(|term| i64::from(term.weight)).sum()
}

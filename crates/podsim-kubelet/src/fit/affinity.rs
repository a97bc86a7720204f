//! `nodeSelector` and required node affinity (`nodeaffinity.GetRequiredNodeAffinity`).

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
    let values = requirement.values.as_deref().unwrap_or_default();
    let listed = || has.is_some_and(|has| values.iter().any(|v| v == has));
    let compare = |greater: bool| {
        let number = |text: &str| text.parse::<i64>().ok();
        let (has, bound) = (has.and_then(number), values.first().and_then(|v| number(v)));
        match (has, bound) {
            (Some(has), Some(bound)) => {
                if greater {
                    has > bound
                } else {
                    has < bound
                }
            }
            _ => false,
        }
    };
    match requirement.operator.as_str() {
        "In" => listed(),
        "NotIn" => !listed(),
        "Exists" => has.is_some(),
        "DoesNotExist" => has.is_none(),
        "Gt" => compare(true),
        "Lt" => compare(false),
        _ => false,
    }
}

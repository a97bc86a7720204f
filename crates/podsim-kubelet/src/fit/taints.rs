//! Taints and tolerations (`v1helper.FindMatchingUntoleratedTaint`).

use k8s_openapi::api::core::v1::{Node, Pod, Taint, Toleration};

fn text(field: &Option<String>) -> &str {
    field.as_deref().unwrap_or_default()
}

/// Does this toleration tolerate this taint? (`Toleration.ToleratesTaint`)
#[must_use]
pub fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let (key, effect) = (text(&toleration.key), text(&toleration.effect));
    let same_key = key.is_empty() || key == taint.key;
    let same_effect = effect.is_empty() || effect == taint.effect;
    let same_value = match text(&toleration.operator) {
        "Exists" => true,
        "" | "Equal" => text(&toleration.value) == text(&taint.value),
        _ => false,
    };
    same_key && same_effect && same_value
}

/// Does the Pod tolerate it?
#[must_use]
pub fn tolerated(pod: &Pod, taint: &Taint) -> bool {
    let tolerations = pod.spec.iter().flat_map(|s| s.tolerations.iter().flatten());
    let mut tolerations = tolerations;
    tolerations.any(|t| tolerates(t, taint))
}

/// The first taint with one of these effects that the Pod does not tolerate.
#[must_use]
pub fn untolerated<'a>(pod: &Pod, node: &'a Node, effects: &[&str]) -> Option<&'a Taint> {
    let mut taints = node.spec.iter().flat_map(|s| s.taints.iter().flatten());
    taints.find(|t| effects.contains(&t.effect.as_str()) && !tolerated(pod, t))
}

/// A taint without a value, as the node lifecycle controller sets them.
#[must_use]
pub fn no_schedule(key: &str) -> Taint {
    Taint {
        key: key.to_owned(),
        effect: "NoSchedule".to_owned(),
        ..Taint::default()
    }
}

//! What of a Pod may change once it is there (`ValidatePodUpdate`).

use crate::FieldError;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, Toleration};
use serde_json::Value;
use std::collections::BTreeMap;

type Labels = BTreeMap<String, String>;

/// The changes that may not be.
#[must_use]
pub fn validate_update(new: &Pod, old: &Pod) -> Vec<FieldError> {
    let mut errors = vec![];
    let (Some(new_spec), Some(old_spec)) = (&new.spec, &old.spec) else {
        return errors;
    };
    let lists = |spec: &PodSpec| [spec.containers.len(), spec.init_containers.as_ref().map_or(0, Vec::len)];
    for ((list, new), old) in ["containers", "initContainers"]
        .into_iter()
        .zip(lists(new_spec))
        .zip(lists(old_spec))
    {
        if new != old {
            let detail = "pod updates may not add or remove containers";
            errors.push(FieldError::forbidden(format!("spec.{list}"), detail));
        }
    }
    if !errors.is_empty() {
        return errors;
    }
    deadline_may_only_shrink(new_spec, old_spec, &mut errors);
    tolerations_may_only_be_added(new_spec, old_spec, &mut errors);
    gates_may_only_be_removed(new_spec, old_spec, &mut errors);
    if !errors.is_empty() {
        return errors;
    }
    // What may change is made equal; what then differs may not.
    let mut masked = new_spec.clone();
    masked.scheduling_gates.clone_from(&old_spec.scheduling_gates);
    if old_spec.scheduling_gates.as_ref().is_some_and(|g| !g.is_empty()) {
        // As long as a Pod is gated, it may be told better where it can go (KEP-3838).
        masked.node_selector = added_to(&old_spec.node_selector, masked.node_selector.take());
        if old_spec
            .affinity
            .as_ref()
            .and_then(|a| a.node_affinity.as_ref())
            .is_none()
        {
            masked.affinity.clone_from(&old_spec.affinity);
        }
    }
    masked.active_deadline_seconds = old_spec.active_deadline_seconds;
    masked.tolerations.clone_from(&old_spec.tolerations);
    if old_spec.termination_grace_period_seconds.is_some_and(|s| s < 0) {
        masked.termination_grace_period_seconds = old_spec.termination_grace_period_seconds;
    }
    copy_images(&mut masked.containers, &old_spec.containers);
    if let (Some(new), Some(old)) = (masked.init_containers.as_mut(), &old_spec.init_containers) {
        copy_images(new, old);
    }
    if masked != *old_spec {
        let mut detail = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)".to_owned();
        // Kubernetes adds a diff of its internal types here; the paths say the same.
        let mut changed = vec![];
        let json = |spec: &PodSpec| serde_json::to_value(spec).unwrap_or_default();
        differences("spec", &json(old_spec), &json(&masked), &mut changed);
        detail.push_str(&format!("\nchanged: {}", changed.join(", ")));
        errors.push(FieldError::forbidden("spec", detail));
    }
    errors
}

/// The old selector if the new one only adds to it, else the new one.
fn added_to(old: &Option<Labels>, new: Option<Labels>) -> Option<Labels> {
    let kept = |(key, value): (&String, &String)| new.as_ref().and_then(|n| n.get(key)) == Some(value);
    if old.iter().flatten().all(kept) {
        old.clone()
    } else {
        new
    }
}

fn deadline_may_only_shrink(new: &PodSpec, old: &PodSpec, errors: &mut Vec<FieldError>) {
    let field = "spec.activeDeadlineSeconds";
    match (new.active_deadline_seconds, old.active_deadline_seconds) {
        (None, Some(_)) => {
            let detail = "must not update from a positive integer to nil value";
            errors.push(FieldError::invalid_raw(field, "null", detail));
        }
        (Some(new), Some(old)) if new > old => {
            let detail = "must be less than or equal to previous value";
            errors.push(FieldError::invalid_raw(field, new, detail));
        }
        _ => {}
    }
}

fn tolerations_may_only_be_added(new: &PodSpec, old: &PodSpec, errors: &mut Vec<FieldError>) {
    let same = |a: &Toleration, b: &Toleration| {
        let seconds = b.toleration_seconds;
        Toleration {
            toleration_seconds: seconds,
            ..a.clone()
        } == *b
    };
    let kept = |old: &Toleration| new.tolerations.iter().flatten().any(|n| same(old, n));
    if !old.tolerations.iter().flatten().all(kept) {
        let detail = "existing toleration can not be modified except its tolerationSeconds";
        errors.push(FieldError::forbidden("spec.tolerations", detail));
    }
}

fn gates_may_only_be_removed(new: &PodSpec, old: &PodSpec, errors: &mut Vec<FieldError>) {
    let had = |name: &String| old.scheduling_gates.iter().flatten().any(|g| g.name == *name);
    for gate in new.scheduling_gates.iter().flatten().filter(|g| !had(&g.name)) {
        let detail = format!(
            "only deletion is allowed, but found new scheduling gate '{}'",
            gate.name
        );
        errors.push(FieldError::forbidden("spec.schedulingGates", detail));
    }
}

fn copy_images(to: &mut [Container], from: &[Container]) {
    to.iter_mut()
        .zip(from)
        .for_each(|(to, from)| to.image.clone_from(&from.image));
}

fn differences(path: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let side = |side: &serde_json::Map<String, Value>| side.get(key).cloned().unwrap_or_default();
                differences(&format!("{path}.{key}"), &side(a), &side(b), found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter()
                .zip(b)
                .enumerate()
                .for_each(|(i, (a, b))| differences(&format!("{path}[{i}]"), a, b, found));
        }
        (a, b) if a != b => found.push(path.to_owned()),
        _ => {}
    }
}

//! What of a Pod may change once it is there (`ValidatePodUpdate`).

use crate::FieldError;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use serde_json::Value;

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
    // What may change is made equal; what then differs may not.
    let mut masked = new_spec.clone();
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

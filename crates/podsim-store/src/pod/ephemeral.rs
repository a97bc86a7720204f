//! Ephemeral containers: what they may be, and that they can only be added (`validateEphemeralContainers`,
//! `ValidatePodEphemeralContainersUpdate`).

use super::validate_container::{Context, validate_container};
use crate::FieldError;
use k8s_openapi::api::core::v1::{Container, EphemeralContainer, Pod, PodSpec};
use std::collections::BTreeSet;

/// Adds what is wrong with the ephemeral containers.
pub(super) fn validate_ephemeral(spec: &PodSpec, context: &Context<'_>, errors: &mut Vec<FieldError>) {
    let others = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let others: BTreeSet<&str> = others.map(|c| c.name.as_str()).collect();
    let mut seen = others.clone();
    for (i, ephemeral) in spec.ephemeral_containers.iter().flatten().enumerate() {
        let path = format!("spec.ephemeralContainers[{i}]");
        let value = serde_json::to_value(ephemeral).unwrap_or_default();
        let container: Container = serde_json::from_value(value).unwrap_or_default();
        validate_container(&path, &container, context, errors);
        if !ephemeral.name.is_empty() && !seen.insert(&ephemeral.name) {
            errors.push(FieldError::duplicate(format!("{path}.name"), &ephemeral.name));
        }
        let target = ephemeral.target_container_name.as_deref().filter(|t| !t.is_empty());
        if let Some(target) = target.filter(|t| !others.contains(t)) {
            errors.push(FieldError::not_found(format!("{path}.targetContainerName"), target));
        }
        let resources = container.resources.as_ref();
        let forbidden = [
            ("ports", container.ports.is_some()),
            (
                "resources",
                resources.is_some_and(|r| r.limits.is_some() || r.requests.is_some() || r.claims.is_some()),
            ),
            ("livenessProbe", container.liveness_probe.is_some()),
            ("readinessProbe", container.readiness_probe.is_some()),
            ("startupProbe", container.startup_probe.is_some()),
            ("lifecycle", container.lifecycle.is_some()),
            ("resizePolicy", container.resize_policy.is_some()),
            ("restartPolicy", container.restart_policy.is_some()),
            ("restartPolicyRules", container.restart_policy_rules.is_some()),
        ];
        let detail = "cannot be set for an Ephemeral Container";
        for (field, _) in forbidden.iter().filter(|(_, set)| *set) {
            errors.push(FieldError::forbidden(format!("{path}.{field}"), detail));
        }
        for (j, mount) in container.volume_mounts.iter().flatten().enumerate() {
            for (field, value) in [("subPath", &mount.sub_path), ("subPathExpr", &mount.sub_path_expr)] {
                if value.as_ref().is_some_and(|v| !v.is_empty()) {
                    let field = format!("{path}.volumeMounts[{j}].{field}");
                    errors.push(FieldError::forbidden(field, detail));
                }
            }
        }
    }
}

/// The changes to the ephemeral containers that may not be. Nothing else of the Pod is looked at.
#[must_use]
pub fn validate_ephemeral_update(new: &Pod, old: &Pod) -> Vec<FieldError> {
    fn list(pod: &Pod) -> &[EphemeralContainer] {
        let spec = pod.spec.as_ref();
        spec.and_then(|s| s.ephemeral_containers.as_deref()).unwrap_or_default()
    }
    let mut errors = vec![];
    for old in list(old) {
        let name = &old.name;
        match list(new).iter().enumerate().find(|(_, c)| c.name == *name) {
            None => errors.push(FieldError::forbidden(
                "spec.ephemeralContainers",
                format!("existing ephemeral containers \"{name}\" may not be removed\n"),
            )),
            Some((_, new)) if new == old => {}
            Some((i, _)) => errors.push(FieldError::forbidden(
                format!("spec.ephemeralContainers[{i}]"),
                format!("existing ephemeral containers \"{name}\" may not be changed\n"),
            )),
        }
    }
    errors
}

//! Requests, limits and resize policies.

use super::quantity;
use crate::FieldError;
use k8s_openapi::api::core::v1::{Container, ResourceRequirements};
use std::collections::BTreeSet;

type Errors = Vec<FieldError>;

pub(super) fn validate_resources(path: &str, resources: &ResourceRequirements, errors: &mut Errors) {
    for (list, quantities) in [("limits", &resources.limits), ("requests", &resources.requests)] {
        for (name, value) in quantities.iter().flatten() {
            let field = format!("{path}.{list}[{name}]");
            match quantity::millis(&value.0) {
                None => errors.push(FieldError::invalid(field, &value.0, quantity::MALFORMED)),
                Some(n) if n < 0 => {
                    errors.push(FieldError::invalid(
                        field,
                        &value.0,
                        "must be greater than or equal to 0",
                    ));
                }
                Some(_) => {}
            }
        }
    }
    let limits = resources.limits.clone().unwrap_or_default();
    for (name, request) in resources.requests.iter().flatten() {
        if let Some(limit) = limits.get(name)
            && let (Some(asked), Some(most)) = (quantity::millis(&request.0), quantity::millis(&limit.0))
            && asked > most
        {
            let detail = format!("must be less than or equal to {name} limit of {}", limit.0);
            errors.push(FieldError::invalid(format!("{path}.requests"), &request.0, detail));
        }
    }
}

/// `validateResizePolicy`.
pub(super) fn validate_resize_policy(path: &str, container: &Container, pod_policy: Option<&str>, errors: &mut Errors) {
    let path = format!("{path}.resizePolicy");
    let mut seen = BTreeSet::new();
    for (i, policy) in container.resize_policy.iter().flatten().enumerate() {
        let (resource, restart) = (policy.resource_name.as_str(), policy.restart_policy.as_str());
        if !seen.insert(resource) {
            errors.push(FieldError::duplicate(format!("{path}[{i}]"), resource));
        }
        match resource {
            "cpu" | "memory" => {}
            "" => errors.push(FieldError::required(&path, "")),
            other => errors.push(FieldError::not_supported(&path, other, &["cpu", "memory"])),
        }
        match restart {
            "NotRequired" | "RestartContainer" => {}
            "" => errors.push(FieldError::required(&path, "")),
            other => {
                let known = ["NotRequired", "RestartContainer"];
                errors.push(FieldError::not_supported(&path, other, &known));
            }
        }
        if pod_policy == Some("Never") && restart != "NotRequired" {
            let detail = "must be 'NotRequired' when `restartPolicy` is 'Never'";
            errors.push(FieldError::invalid(&path, restart, detail));
        }
    }
}

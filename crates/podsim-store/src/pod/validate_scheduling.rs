//! Is what a Pod says to the scheduler well-formed? Tolerations, node affinity, gates (`ValidateTolerations`,
//! `ValidateNodeSelector`, `validateSchedulingGates`).

use super::names;
use super::validate::invalid_if;
use crate::FieldError;
use k8s_openapi::api::core::v1::{NodeSelectorRequirement, PodSpec, Toleration};
use std::collections::BTreeSet;

type Errors = Vec<FieldError>;

pub(super) fn validate_scheduling(spec: &PodSpec, errors: &mut Errors) {
    for (key, value) in spec.node_selector.iter().flatten() {
        invalid_if("spec.nodeSelector", key, names::qualified_name(key), errors);
        invalid_if("spec.nodeSelector", value, names::label_value(value), errors);
    }
    for (i, toleration) in spec.tolerations.iter().flatten().enumerate() {
        validate_toleration(&format!("spec.tolerations[{i}]"), toleration, errors);
    }
    let affinity = spec.affinity.as_ref().and_then(|a| a.node_affinity.as_ref());
    if let Some(required) = affinity.and_then(|a| a.required_during_scheduling_ignored_during_execution.as_ref()) {
        let path = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
        if required.node_selector_terms.is_empty() {
            errors.push(FieldError::required(path, "must have at least one node selector term"));
        }
        for (i, term) in required.node_selector_terms.iter().enumerate() {
            for (j, requirement) in term.match_expressions.iter().flatten().enumerate() {
                validate_requirement(&format!("{path}[{i}].matchExpressions[{j}]"), requirement, errors);
            }
        }
    }
    let mut seen = BTreeSet::new();
    for (i, gate) in spec.scheduling_gates.iter().flatten().enumerate() {
        let path = format!("spec.schedulingGates[{i}]");
        invalid_if(&path, &gate.name, names::qualified_name(&gate.name), errors);
        if !seen.insert(&gate.name) {
            errors.push(FieldError::duplicate(path, &gate.name));
        }
    }
    for (i, gate) in spec.readiness_gates.iter().flatten().enumerate() {
        let (path, type_) = (format!("spec.readinessGates[{i}].conditionType"), &gate.condition_type);
        invalid_if(&path, type_, names::qualified_name(type_), errors);
    }
}

fn validate_toleration(path: &str, toleration: &Toleration, errors: &mut Errors) {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let (key, operator, value, effect) = (
        text(&toleration.key),
        text(&toleration.operator),
        text(&toleration.value),
        text(&toleration.effect),
    );
    if !key.is_empty() {
        invalid_if(&format!("{path}.key"), &key, names::qualified_name(&key), errors);
    } else if operator != "Exists" {
        let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
        errors.push(FieldError::invalid(format!("{path}.operator"), &operator, detail));
    }
    if toleration.toleration_seconds.is_some() && effect != "NoExecute" {
        let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
        errors.push(FieldError::invalid(format!("{path}.effect"), &effect, detail));
    }
    match operator.as_str() {
        "" | "Equal" => invalid_if(&format!("{path}.operator"), &value, names::label_value(&value), errors),
        "Exists" if !value.is_empty() => {
            let detail = "value must be empty when `operator` is 'Exists'";
            errors.push(FieldError::invalid(format!("{path}.operator"), &value, detail));
        }
        "Exists" => {}
        other => errors.push(FieldError::not_supported(
            format!("{path}.operator"),
            other,
            &["Equal", "Exists"],
        )),
    }
    let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
    if !effect.is_empty() && !effects.contains(&effect.as_str()) {
        errors.push(FieldError::not_supported(format!("{path}.effect"), &effect, &effects));
    }
}

fn validate_requirement(path: &str, requirement: &NodeSelectorRequirement, errors: &mut Errors) {
    let values = requirement.values.as_deref().unwrap_or_default();
    let field = format!("{path}.values");
    match requirement.operator.as_str() {
        "In" | "NotIn" if values.is_empty() => {
            let detail = "must be specified when `operator` is 'In' or 'NotIn'";
            errors.push(FieldError::required(field, detail));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errors.push(FieldError::forbidden(field, detail));
        }
        "Gt" | "Lt" if values.len() != 1 => {
            let detail = "must be specified single value when `operator` is 'Lt' or 'Gt'";
            errors.push(FieldError::required(field, detail));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        other => errors.push(FieldError::invalid(
            format!("{path}.operator"),
            other,
            "not a valid selector operator",
        )),
    }
    let key = &requirement.key;
    invalid_if(&format!("{path}.key"), key, names::qualified_name(key), errors);
}

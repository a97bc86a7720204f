//! Resources of a Pod as a whole (KEP-2837): what is filled in, and what is refused.

use super::quantity;
use super::validate_resources::validate_resources;
use crate::FieldError;
use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

/// Those that a Pod can have as a whole.
const SUPPORTED: [&str; 2] = ["cpu", "memory"];

/// What the containers ask for together, in thousandths (`AggregateContainerRequests`): the containers and sidecars, or one init container, if
/// that is more.
fn requests(spec: &PodSpec) -> BTreeMap<String, i128> {
    let of = |container: &Container, name: &str| {
        let requests = container.resources.as_ref().and_then(|r| r.requests.as_ref());
        requests.and_then(|r| quantity::millis(&r.get(name)?.0)).unwrap_or(0)
    };
    let total = |name: &str| {
        let init = || spec.init_containers.iter().flatten();
        let sidecars = init().filter(|c| c.restart_policy.as_deref() == Some("Always"));
        let together = spec
            .containers
            .iter()
            .chain(sidecars)
            .map(|c| of(c, name))
            .sum::<i128>();
        init().map(|c| of(c, name)).fold(together, i128::max)
    };
    let all = SUPPORTED.iter().map(|name| ((*name).to_owned(), total(name)));
    all.filter(|(_, amount)| *amount > 0).collect()
}

/// An amount in thousandths as one writes it.
fn written(name: &str, amount: i128) -> Quantity {
    Quantity(match name {
        "cpu" if amount % 1000 == 0 => (amount / 1000).to_string(),
        "cpu" => format!("{amount}m"),
        _ => quantity::binary(amount / 1000),
    })
}

/// What a Pod asks for that has resources of its own: what its containers ask for, else what it may have (`setDefaultPodRequests`).
pub(super) fn set_defaults(spec: &mut PodSpec) {
    let of_containers = requests(spec);
    let Some(own) = spec.resources.as_mut() else { return };
    let limits = own.limits.clone().unwrap_or_default();
    if limits.is_empty() && own.requests.is_none() {
        return;
    }
    let asked = own.requests.get_or_insert_default();
    for (name, amount) in of_containers {
        asked.entry(name.clone()).or_insert_with(|| written(&name, amount));
    }
    for (name, limit) in limits {
        asked.entry(name).or_insert(limit);
    }
}

/// `validatePodResources`.
pub(super) fn validate(spec: &PodSpec, errors: &mut Vec<FieldError>) {
    let Some(own) = &spec.resources else { return };
    validate_resources("spec.resources", own, errors);
    for (list, quantities) in [("limits", &own.limits), ("requests", &own.requests)] {
        for name in quantities.iter().flatten().map(|(name, _)| name) {
            if !SUPPORTED.contains(&name.as_str()) {
                let field = format!("spec.resources.{list}[{name}]");
                errors.push(FieldError::not_supported(field, name, &SUPPORTED));
            }
        }
    }
    for (name, together) in requests(spec) {
        let asked = own.requests.as_ref().and_then(|r| r.get(&name));
        if let Some(asked) = asked.filter(|asked| quantity::millis(&asked.0).is_some_and(|a| a < together)) {
            let detail = format!(
                "must be greater than or equal to aggregate container requests of {}",
                written(&name, together).0
            );
            errors.push(FieldError::invalid(
                format!("spec.resources.requests[{name}]"),
                &asked.0,
                detail,
            ));
        }
    }
    for (i, container) in spec.containers.iter().enumerate() {
        let limits = container.resources.as_ref().and_then(|r| r.limits.as_ref());
        for (name, limit) in limits.into_iter().flatten() {
            let most = own.limits.as_ref().and_then(|l| l.get(name));
            if let Some(most) = most
                && quantity::millis(&limit.0) > quantity::millis(&most.0)
            {
                let detail = format!("must be less than or equal to pod limits of {}", most.0);
                let field = format!("spec.containers[{i}].resources.limits[{name}]");
                errors.push(FieldError::invalid(field, &limit.0, detail));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn spec(own: Value, containers: &[Value]) -> PodSpec {
        let containers: Vec<Value> = containers
            .iter()
            .map(|resources| json!({ "name": "a", "resources": resources }))
            .collect();
        serde_json::from_value(json!({ "resources": own, "containers": containers })).expect("a spec")
    }

    #[test]
    fn a_pod_asks_for_what_its_containers_ask_for_or_for_what_it_may_have() {
        let cpu = |cpu: &str| json!({ "requests": { "cpu": cpu } });
        for (own, containers, expected) in [
            (json!({}), vec![cpu("1")], json!(null)),
            (
                json!({ "limits": { "cpu": "2", "memory": "1Gi" } }),
                vec![cpu("250m"), cpu("1")],
                json!({ "cpu": "1250m", "memory": "1Gi" }),
            ),
            (
                json!({ "requests": { "cpu": "3" } }),
                vec![cpu("1"), json!({ "requests": { "memory": "32Mi" } })],
                json!({ "cpu": "3", "memory": "32Mi" }),
            ),
        ] {
            let mut spec = spec(own.clone(), &containers);
            set_defaults(&mut spec);
            let requests = spec.resources.and_then(|resources| resources.requests);
            assert_eq!(json!(requests), expected, "{own}");
        }
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        for (own, container, expected) in [
            (
                json!({ "limits": { "cpu": "1" } }),
                json!({ "limits": { "cpu": "1" } }),
                vec![],
            ),
            (
                json!({ "limits": { "cpu": "1" }, "requests": { "cpu": "2", "hugepages-2Mi": "2Mi" } }),
                json!({}),
                vec![
                    "spec.resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1",
                    "spec.resources.requests[hugepages-2Mi]: Unsupported value: \"hugepages-2Mi\": supported values: \"cpu\", \"memory\"",
                ],
            ),
            (
                json!({ "limits": { "cpu": "1" }, "requests": { "cpu": "500m" } }),
                json!({ "limits": { "cpu": "2" }, "requests": { "cpu": "600m" } }),
                vec![
                    "spec.resources.requests[cpu]: Invalid value: \"500m\": must be greater than or equal to aggregate container requests \
                     of 600m",
                    "spec.containers[0].resources.limits[cpu]: Invalid value: \"2\": must be less than or equal to pod limits of 1",
                ],
            ),
        ] {
            let mut errors = vec![];
            validate(&spec(own.clone(), &[container]), &mut errors);
            let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
            assert_eq!(said, expected, "{own}");
        }
    }
}

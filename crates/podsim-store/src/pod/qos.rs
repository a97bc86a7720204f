//! The quality-of-service class of a Pod (`qos.ComputePodQOS`).

use super::quantity;
use k8s_openapi::api::core::v1::{Container, Pod};

/// `Guaranteed`, `Burstable` or `BestEffort`.
#[must_use]
pub fn qos_class(pod: &Pod) -> &'static str {
    let Some(spec) = &pod.spec else { return "BestEffort" };
    let containers: Vec<&Container> = spec
        .containers
        .iter()
        .chain(spec.init_containers.iter().flatten())
        .collect();
    // What the Pod says for itself comes before what its containers say (KEP-2837).
    let of_pod = spec
        .resources
        .clone()
        .filter(|r| r.limits.is_some() || r.requests.is_some());
    let whole = Container {
        resources: of_pod.clone(),
        ..Container::default()
    };
    let containers = if of_pod.is_some() { vec![&whole] } else { containers };
    let amount = |container: &Container, limits: bool, name: &str| {
        let resources = container.resources.as_ref()?;
        let list = if limits {
            resources.limits.as_ref()
        } else {
            resources.requests.as_ref()
        };
        list?.get(name).and_then(|q| quantity::millis(&q.0)).filter(|n| *n > 0)
    };
    let any = |c: &&Container| {
        ["cpu", "memory"]
            .iter()
            .any(|n| amount(c, true, n).is_some() || amount(c, false, n).is_some())
    };
    let full = |c: &&Container| {
        ["cpu", "memory"]
            .iter()
            .all(|n| amount(c, true, n).is_some() && amount(c, true, n) == amount(c, false, n))
    };
    if !containers.iter().any(any) {
        "BestEffort"
    } else if containers.iter().all(full) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

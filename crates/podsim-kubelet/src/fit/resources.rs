//! What Pods ask for, and what is left of a node (`resourcehelper.PodRequests`, the scheduler's plug-in NodeResourcesFit).

use crate::containers::{init_containers, is_sidecar, regular_containers};
use k8s_openapi::api::core::v1::{Container, Node, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use podsim_store::pod::quantity;
use std::collections::BTreeMap;

/// Amounts in thousandths, by the resource's name.
pub type Amounts = BTreeMap<String, i128>;

fn amounts(list: Option<&BTreeMap<String, Quantity>>) -> Amounts {
    let read = |(name, quantity): (&String, &Quantity)| Some((name.clone(), quantity::millis(&quantity.0)?));
    list.into_iter().flatten().filter_map(read).collect()
}

fn add(to: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        *to.entry(name.clone()).or_default() += amount;
    }
}

fn at_least(to: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        let entry = to.entry(name.clone()).or_default();
        *entry = (*entry).max(*amount);
    }
}

/// What a container asks for, was given, and has, whichever is more: a resize counts before it is done and until it is done
/// (`determineContainerReqs`). One that will never be done does not count.
fn container_requests(pod: &Pod, container: &Container) -> Amounts {
    let asked = amounts(container.resources.as_ref().and_then(|r| r.requests.as_ref()));
    let Some(told) = &pod.status else { return asked };
    let (init, regular) = (&told.init_container_statuses, &told.container_statuses);
    let mut all = init.iter().chain(regular).flatten();
    let Some(status) = all.find(|s| s.name == container.name) else {
        return asked;
    };
    let mut conditions = told.conditions.iter().flatten();
    let never = conditions.any(|c| c.type_ == "PodResizePending" && c.reason.as_deref() == Some("Infeasible"));
    let mut most = if never { Amounts::new() } else { asked };
    at_least(
        &mut most,
        &amounts(status.resources.as_ref().and_then(|r| r.requests.as_ref())),
    );
    at_least(&mut most, &amounts(status.allocated_resources.as_ref()));
    most
}

/// What a Pod asks for as a whole: the sum of its containers and sidecars, or what an init container needs beside the
/// sidecars before it, whichever is more; and its overhead.
#[must_use]
pub fn requests(pod: &Pod) -> Amounts {
    let of = |c: &Container| container_requests(pod, c);
    let mut total = Amounts::new();
    for container in regular_containers(pod) {
        add(&mut total, &of(container));
    }
    let (mut sidecars, mut most) = (Amounts::new(), Amounts::new());
    for container in init_containers(pod) {
        let mut needed = of(container);
        if is_sidecar(container) {
            add(&mut total, &needed);
            add(&mut sidecars, &needed);
            needed.clone_from(&sidecars);
        } else {
            add(&mut needed, &sidecars);
        }
        at_least(&mut most, &needed);
    }
    at_least(&mut total, &most);
    let spec = pod.spec.as_ref();
    // What the Pod says for itself comes before what its containers say (KEP-2837).
    let own = spec
        .and_then(|s| s.resources.as_ref())
        .and_then(|r| r.requests.as_ref());
    total.extend(amounts(own));
    add(&mut total, &amounts(spec.and_then(|s| s.overhead.as_ref())));
    total
}

/// What a node has for Pods.
pub(super) fn allocatable(node: &Node) -> Amounts {
    let status = node.status.as_ref();
    amounts(status.and_then(|s| s.allocatable.as_ref().or(s.capacity.as_ref())))
}

/// A resource of which a node has not enough left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insufficient {
    /// Its name.
    pub resource: String,
    /// What the Pod asks for: thousandths of CPUs, else units.
    pub requested: i128,
    /// What other Pods have.
    pub used: i128,
    /// What there is.
    pub capacity: i128,
}

impl Insufficient {
    /// As the scheduler says it.
    #[must_use]
    pub fn reason(&self) -> String {
        match self.resource.as_str() {
            "pods" => "Too many pods".to_owned(),
            other => format!("Insufficient {other}"),
        }
    }
}

/// Everything that the node has too little of for this Pod beside these others.
#[must_use]
pub fn insufficient<'a>(pod: &Pod, node: &Node, others: impl Iterator<Item = &'a Pod>) -> Vec<Insufficient> {
    let allocatable = allocatable(node);
    let (mut used, mut count) = (Amounts::new(), 0);
    for other in others {
        add(&mut used, &requests(other));
        count += 1;
    }
    let mut found = vec![];
    if let Some(pods) = allocatable.get("pods").map(|p| p / 1000)
        && count + 1 > pods
    {
        found.push(Insufficient {
            resource: "pods".to_owned(),
            requested: 1,
            used: count,
            capacity: pods,
        });
    }
    for (resource, requested) in requests(pod) {
        let capacity = match allocatable.get(&resource) {
            Some(capacity) => *capacity,
            // A node that does not say how much disk it has is not asked.
            None if resource == "ephemeral-storage" => continue,
            None => 0,
        };
        let in_use = used.get(&resource).copied().unwrap_or(0);
        if requested > 0 && requested > capacity - in_use {
            let unit = |n: i128| if resource == "cpu" { n } else { n / 1000 };
            found.push(Insufficient {
                requested: unit(requested),
                used: unit(in_use),
                capacity: unit(capacity),
                resource,
            });
        }
    }
    found
}

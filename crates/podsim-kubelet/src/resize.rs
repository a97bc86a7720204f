//! Resizing Pods in place (KEP-1287), as far as it can be decided without a runtime: what a Pod was given of what it asks for
//! (`pkg/kubelet/allocation`), and what has to be done to a container that runs with something else (`computePodResizeAction`).

use crate::containers::{init_containers, lasting_containers, regular_containers};
use k8s_openapi::api::core::v1::{Container, Pod, ResourceRequirements};
use podsim_store::pod::quantity;
use serde_json::{Value, json};
use std::sync::Arc;

/// Why a Pod does not get what it asks for: reason and message of `PodResizePending`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// `Deferred` (when others have gone it will fit) or `Infeasible` (it never will).
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// The node has less than this, whoever goes.
pub(crate) const INFEASIBLE: &str = "Infeasible";
/// It does not fit beside the others.
pub(crate) const DEFERRED: &str = "Deferred";

fn resources(container: &Container) -> ResourceRequirements {
    container.resources.clone().unwrap_or_default()
}

/// Does the Pod ask for something else than it was given?
pub(crate) fn differs(pod: &Pod, given: &Pod) -> bool {
    let of = |pod: &Pod| lasting_containers(pod).map(resources).collect::<Vec<_>>();
    of(pod) != of(given)
}

/// The Pod with the resources that it was given (`UpdatePodFromAllocation`).
pub(crate) fn with_allocation(pod: &Arc<Pod>, given: &Pod) -> Arc<Pod> {
    if !differs(pod, given) {
        return pod.clone();
    }
    let mut pod = pod.as_ref().clone();
    if let Some(spec) = pod.spec.as_mut() {
        for container in spec.init_containers.iter_mut().flatten().chain(&mut spec.containers) {
            if let Some(given) = lasting_containers(given).find(|g| g.name == container.name) {
                container.resources.clone_from(&given.resources);
            }
        }
    }
    Arc::new(pod)
}

/// A Pod that waited for more when podsim ended has what its status says (upstream keeps it in a file, `allocated_pods_state`).
pub(crate) fn as_told(pod: &Arc<Pod>) -> Arc<Pod> {
    let status = pod.status.as_ref();
    let mut conditions = status.into_iter().flat_map(|s| s.conditions.iter().flatten());
    if !conditions.any(|c| c.type_ == "PodResizePending") {
        return pod.clone();
    }
    let mut told = pod.as_ref().clone();
    let statuses = status.into_iter().flat_map(|s| {
        let init = s.init_container_statuses.iter().flatten();
        init.chain(s.container_statuses.iter().flatten())
    });
    if let Some(spec) = told.spec.as_mut() {
        for status in statuses.filter(|s| s.resources.is_some()) {
            let mut all = spec.init_containers.iter_mut().flatten().chain(&mut spec.containers);
            if let Some(container) = all.find(|c| c.name == status.name) {
                let mut resources = status.resources.clone().unwrap_or_default();
                resources.requests = status.allocated_resources.clone().or(resources.requests);
                container.resources = Some(resources);
            }
        }
    }
    with_allocation(pod, &told)
}

fn amount(resources: &ResourceRequirements, limits: bool, name: &str) -> Option<i128> {
    let list = if limits { &resources.limits } else { &resources.requests };
    quantity::millis(&list.as_ref()?.get(name)?.0)
}

/// The memory limit in bytes.
pub(crate) fn memory_limit(resources: &ResourceRequirements) -> Option<i128> {
    amount(resources, true, "memory").map(|millis| millis / 1000)
}

/// What has to be done to a container that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Its limits are changed.
    Update,
    /// It is ended and started again: its resize policy says so.
    Restart,
}

/// What it takes to give a running container, which runs with `actual`, what it was given; `None`: it has that.
pub(crate) fn step(container: &Container, actual: &ResourceRequirements) -> Option<Step> {
    let wanted = resources(container);
    let changed = |name: &&str| {
        let of = |r: &ResourceRequirements| (amount(r, true, name), amount(r, false, name));
        of(&wanted) != of(actual)
    };
    let changed: Vec<_> = ["cpu", "memory"].into_iter().filter(|name| changed(name)).collect();
    // A resource without a policy needs no restart.
    let restarts = |name: &str| {
        let mut policies = container.resize_policy.iter().flatten();
        policies.any(|p| p.resource_name == name && p.restart_policy == "RestartContainer")
    };
    if changed.is_empty() {
        None
    } else if changed.iter().any(|name| restarts(name)) {
        Some(Step::Restart)
    } else {
        Some(Step::Update)
    }
}

/// The message of an event of a resize (`podResizeMessage` in `pkg/kubelet/events`).
pub(crate) fn message(what: &str, pod: &Pod, error: &str) -> String {
    let list = |containers: &[Container]| -> Vec<Value> {
        let one = |c: &Container| json!({ "name": c.name, "resources": resources(c) });
        containers.iter().map(one).collect()
    };
    // In the order of Go's fields.
    let mut fields = vec![];
    for (name, containers) in [
        ("initContainers", init_containers(pod)),
        ("containers", regular_containers(pod)),
    ] {
        if !containers.is_empty() {
            fields.push(format!("\"{name}\":{}", Value::Array(list(containers))));
        }
    }
    fields.push(format!("\"generation\":{}", pod.metadata.generation.unwrap_or(0)));
    if !error.is_empty() {
        fields.push(format!("\"error\":{}", Value::from(error)));
    }
    format!("Pod resize {what}: {{{}}}", fields.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(fields: Value) -> Container {
        let mut value = json!({ "name": "a" });
        for (key, field) in fields.as_object().into_iter().flatten() {
            value[key] = field.clone();
        }
        serde_json::from_value(value).expect("a container")
    }

    #[test]
    fn a_container_is_updated_or_restarted_as_its_policy_says() {
        let memory = json!([{ "resourceName": "memory", "restartPolicy": "RestartContainer" }]);
        let both = |cpu: &str, memory: &str| json!({ "requests": { "cpu": cpu, "memory": memory } });
        for (name, wanted, actual, expected) in [
            ("the same", both("1", "1Mi"), both("1", "1Mi"), None),
            (
                "the same in other words",
                both("1000m", "1024Ki"),
                both("1", "1Mi"),
                None,
            ),
            ("more CPU", both("2", "1Mi"), both("1", "1Mi"), Some(Step::Update)),
            ("more memory", both("1", "2Mi"), both("1", "1Mi"), Some(Step::Restart)),
            (
                "a limit more",
                json!({ "limits": { "cpu": "1" } }),
                json!({}),
                Some(Step::Update),
            ),
            (
                "disk does not count",
                json!({ "requests": { "ephemeral-storage": "1" } }),
                json!({}),
                None,
            ),
        ] {
            let container = container(json!({ "resources": wanted, "resizePolicy": memory }));
            let actual = serde_json::from_value(actual).expect("resources");
            assert_eq!(step(&container, &actual), expected, "{name}");
        }
    }

    #[test]
    fn what_a_pod_has_is_told_by_its_status_while_it_waits_for_more() {
        let pod = |conditions: Value| -> Arc<Pod> {
            let value = json!({
                "spec": { "containers": [{ "name": "a", "resources": { "requests": { "cpu": "5" }, "limits": { "cpu": "6" } } }] },
                "status": {
                    "conditions": conditions,
                    "containerStatuses": [{
                        "name": "a", "image": "", "imageID": "", "ready": true, "restartCount": 0,
                        "resources": { "requests": { "cpu": "1" }, "limits": { "cpu": "3" } }, "allocatedResources": { "cpu": "2" },
                    }],
                },
            });
            Arc::new(serde_json::from_value(value).expect("a Pod"))
        };
        let cpu = |pod: &Pod| json!(regular_containers(pod)[0].resources);
        assert_eq!(
            cpu(&as_told(&pod(
                json!([{ "type": "PodResizePending", "status": "True" }])
            ))),
            json!({ "requests": { "cpu": "2" }, "limits": { "cpu": "3" } })
        );
        assert_eq!(cpu(&as_told(&pod(json!([]))))["requests"]["cpu"], "5");
    }

    #[test]
    fn events_name_all_containers() {
        let value = json!({
            "metadata": { "generation": 2 },
            "spec": { "containers": [{ "name": "a", "resources": { "limits": { "cpu": "1" } } }, { "name": "b" }] },
        });
        let pod: Pod = serde_json::from_value(value).expect("a Pod");
        assert_eq!(
            message("Deferred", &pod, "no \"room\""),
            r#"Pod resize Deferred: {"containers":[{"name":"a","resources":{"limits":{"cpu":"1"}}},{"name":"b","resources":{}}],"generation":2,"error":"no \"room\""}"#
        );
    }
}

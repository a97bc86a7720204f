//! The `resize` subresource: only the CPU and memory of containers and sidecars can be changed with it (`podResizeStrategy` in
//! `pkg/registry/core/pod/strategy.go`, `ValidatePodResize` in `pkg/apis/core/validation/validation.go`).

use super::{qos_class, validate};
use crate::FieldError;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

type Quantities = BTreeMap<String, Quantity>;

fn init(spec: &PodSpec) -> &[Container] {
    spec.init_containers.as_deref().unwrap_or_default()
}

/// The old Pod with what a resize may carry of the new one: resources and resize policies. Containers that were added, removed, renamed or
/// put in another order are left as they came, for the validation to find (`dropNonResizeUpdates`).
#[must_use]
pub fn only_resize(new: &Pod, old: &Pod) -> Pod {
    let (Some(new_spec), Some(old_spec)) = (&new.spec, &old.spec) else {
        return new.clone();
    };
    let merged = |new: &[Container], old: &[Container]| -> Vec<Container> {
        let same = new.len() == old.len() && new.iter().zip(old).all(|(new, old)| new.name == old.name);
        if !same {
            return new.to_vec();
        }
        let one = |(new, old): (&Container, &Container)| Container {
            resources: new.resources.clone(),
            resize_policy: new.resize_policy.clone(),
            ..old.clone()
        };
        new.iter().zip(old).map(one).collect()
    };
    let init_containers = merged(init(new_spec), init(old_spec));
    let mut pod = old.clone();
    pod.metadata.managed_fields.clone_from(&new.metadata.managed_fields);
    pod.spec = Some(PodSpec {
        containers: merged(&new_spec.containers, &old_spec.containers),
        init_containers: (!init_containers.is_empty()).then_some(init_containers),
        ..old_spec.clone()
    });
    pod
}

/// Everything that is wrong with a resize from `old` to `new`, which is made by [`only_resize`].
#[must_use]
pub fn validate_resize(new: &Pod, old: &Pod) -> Vec<FieldError> {
    let (Some(new_spec), Some(old_spec)) = (&new.spec, &old.spec) else {
        return vec![];
    };
    let whole = |spec: &PodSpec| {
        let resources = spec.resources.as_ref();
        resources.is_some_and(|r| r.requests.iter().chain(&r.limits).any(|list| !list.is_empty()))
    };
    if whole(new_spec) || whole(old_spec) {
        let detail = "pods with pod-level resources cannot be resized";
        return vec![FieldError::forbidden("", detail)];
    }
    let annotations = old.metadata.annotations.as_ref();
    if annotations.is_some_and(|a| a.contains_key("kubernetes.io/config.mirror")) {
        return vec![FieldError::forbidden("", "static pods cannot be resized")];
    }
    let mut errors = validate(new);
    let class = old.status.as_ref().and_then(|s| s.qos_class.clone());
    let class = class.unwrap_or_else(|| qos_class(old).to_owned());
    if class != qos_class(new) {
        let detail = "Pod QOS Class may not change as a result of resizing";
        errors.push(FieldError::invalid("spec", &class, detail));
    }
    if !is_supported(old) {
        errors.push(FieldError::forbidden(
            "spec",
            "Pod running on node without support for resize",
        ));
    }
    let order = same_order(new_spec, old_spec);
    if !order.is_empty() {
        errors.extend(order);
        return errors;
    }
    let sidecar = |c: &Container| c.restart_policy.as_deref() == Some("Always");
    let pairs = |list: &'static str, new, old| paired(list, new, old);
    let of_init = pairs("initContainers", init(new_spec), init(old_spec)).filter(|(_, _, old)| sidecar(old));
    for (path, new, old) in of_init.chain(pairs("containers", &new_spec.containers, &old_spec.containers)) {
        nothing_removed(&path, new, old, &mut errors);
    }
    for (_, new, old) in pairs("containers", &new_spec.containers, &old_spec.containers) {
        if without_cpu_and_memory(new, old) != *old {
            errors.push(FieldError::forbidden(
                "spec",
                "only cpu and memory resources are mutable",
            ));
        }
    }
    for (_, new, old) in pairs("initContainers", init(new_spec), init(old_spec)) {
        let detail = if sidecar(new) {
            "only cpu and memory resources for sidecar containers are mutable"
        } else {
            "resources for non-sidecar init containers are immutable"
        };
        let changed = match sidecar(new) {
            true => without_cpu_and_memory(new, old) != *old,
            false => new != old,
        };
        if changed {
            errors.push(FieldError::forbidden("spec", detail));
        }
    }
    errors
}

fn paired<'a>(
    list: &'static str,
    new: &'a [Container],
    old: &'a [Container],
) -> impl Iterator<Item = (String, &'a Container, &'a Container)> {
    let both = new.iter().zip(old).enumerate();
    both.map(move |(i, (new, old))| (format!("spec.{list}[{i}]"), new, old))
}

/// A node says that it can resize by telling the resources of what runs (`isPodResizeRequestSupported`).
fn is_supported(pod: &Pod) -> bool {
    let statuses = pod.status.iter().flat_map(|s| s.container_statuses.iter().flatten());
    let mut running = statuses.filter(|s| s.state.as_ref().is_some_and(|s| s.running.is_some()));
    running.next().is_none_or(|first| first.resources.is_some())
}

/// `validatePodResizeContainerOrdering`.
fn same_order(new: &PodSpec, old: &PodSpec) -> Vec<FieldError> {
    let mut errors = vec![];
    for (list, new, old) in [
        ("containers", new.containers.as_slice(), old.containers.as_slice()),
        ("initContainers", init(new), init(old)),
    ] {
        if new.len() != old.len() {
            let detail = format!("{list} may not be added or removed on resize");
            errors.push(FieldError::forbidden(format!("spec.{list}"), detail));
            continue;
        }
        for (path, _, _) in paired(list, new, old).filter(|(_, new, old)| new.name != old.name) {
            let detail = format!("{list} may not be renamed or reordered on resize");
            errors.push(FieldError::forbidden(format!("{path}.name"), detail));
        }
    }
    errors
}

fn lists(container: &Container) -> [(&'static str, Quantities); 2] {
    let resources = container.resources.clone().unwrap_or_default();
    [
        ("requests", resources.requests.unwrap_or_default()),
        ("limits", resources.limits.unwrap_or_default()),
    ]
}

fn nothing_removed(path: &str, new: &Container, old: &Container, errors: &mut Vec<FieldError>) {
    for ((list, new), (_, old)) in lists(new).into_iter().zip(lists(old)) {
        if old.keys().any(|name| !new.contains_key(name)) {
            let detail = format!("resource {list} cannot be removed");
            errors.push(FieldError::forbidden(format!("{path}.resources.{list}"), detail));
        }
    }
}

/// The new container with the old one's CPU and memory.
fn without_cpu_and_memory(new: &Container, old: &Container) -> Container {
    let restored = |new: &Option<Quantities>, old: &Option<Quantities>| {
        let mut list = new.clone().unwrap_or_default();
        for name in ["cpu", "memory"] {
            match old.as_ref().and_then(|old| old.get(name)) {
                Some(amount) => list.insert(name.to_owned(), amount.clone()),
                None => list.remove(name),
            };
        }
        (!list.is_empty() || old.is_some()).then_some(list)
    };
    let (of_new, of_old) = (
        new.resources.clone().unwrap_or_default(),
        old.resources.clone().unwrap_or_default(),
    );
    let resources = ResourceRequirements {
        limits: restored(&of_new.limits, &of_old.limits),
        requests: restored(&of_new.requests, &of_old.requests),
        claims: of_new.claims,
    };
    let nothing = old.resources.is_none() && resources == ResourceRequirements::default();
    Container {
        resources: (!nothing).then_some(resources),
        ..new.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(container: &Value, sidecar: &Value, init: &Value) -> Pod {
        let one = |name: &str, policy: Value, fields: &Value| {
            let mut container = json!({ "name": name, "image": "nginx", "restartPolicy": policy });
            for (key, value) in fields.as_object().into_iter().flatten() {
                container[key] = value.clone();
            }
            container
        };
        let mut value = json!({
            "metadata": { "name": "x", "namespace": "default" },
            "spec": {
                "containers": [one("a", Value::Null, container)],
                "initContainers": [one("s", json!("Always"), sidecar), one("i", Value::Null, init)],
            },
            "status": {},
        });
        value["spec"]["volumes"] = json!([]);
        let mut pod: Pod = serde_json::from_value(value).expect("a Pod");
        super::super::set_defaults(&mut pod);
        pod
    }

    #[test]
    fn what_a_resize_may_do() {
        let some = json!({ "resources": { "requests": { "cpu": "1", "memory": "1Mi" }, "limits": { "cpu": "2" } } });
        let plain = json!({});
        let with = |resources: Value| json!({ "resources": resources });
        let no: [&str; 0] = [];
        for (name, (new, sidecar, init), expected) in [
            ("nothing changes", (some.clone(), &plain, &plain), no.as_slice()),
            (
                "CPU and memory, and a limit more",
                (
                    with(
                        json!({ "requests": { "cpu": "500m", "memory": "2Mi" }, "limits": { "cpu": "3", "memory": "3Mi" } }),
                    ),
                    &plain,
                    &plain,
                ),
                &no,
            ),
            (
                "a sidecar too",
                (some.clone(), &with(json!({ "requests": { "cpu": "1" } })), &plain),
                &no,
            ),
            (
                "an image is not even looked at",
                (
                    json!({ "image": "other", "resources": some["resources"] }),
                    &plain,
                    &plain,
                ),
                &no,
            ),
            (
                "a request is gone",
                (
                    with(json!({ "requests": { "cpu": "1" }, "limits": { "cpu": "2" } })),
                    &plain,
                    &plain,
                ),
                &["spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed"],
            ),
            (
                "a limit is gone",
                (
                    with(json!({ "requests": { "cpu": "1", "memory": "1Mi" } })),
                    &plain,
                    &plain,
                ),
                &["spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed"],
            ),
            (
                "another resource",
                (
                    with(
                        json!({ "requests": { "cpu": "1", "memory": "1Mi" }, "limits": { "cpu": "2", "ephemeral-storage": "1" } }),
                    ),
                    &plain,
                    &plain,
                ),
                &["spec: Forbidden: only cpu and memory resources are mutable"],
            ),
            (
                "an init container",
                (some.clone(), &plain, &with(json!({ "requests": { "cpu": "1" } }))),
                &["spec: Forbidden: resources for non-sidecar init containers are immutable"],
            ),
            (
                "a sidecar's disk",
                (
                    some.clone(),
                    &with(json!({ "requests": { "ephemeral-storage": "1" } })),
                    &plain,
                ),
                &["spec: Forbidden: only cpu and memory resources for sidecar containers are mutable"],
            ),
            (
                "more than the limit",
                (
                    with(json!({ "requests": { "cpu": "3", "memory": "1Mi" }, "limits": { "cpu": "2" } })),
                    &plain,
                    &plain,
                ),
                &[
                    "spec.containers[0].resources.requests: Invalid value: \"3\": must be less than or equal to cpu limit of 2",
                ],
            ),
            (
                "another name",
                (json!({ "name": "b", "resources": some["resources"] }), &plain, &plain),
                &["spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize"],
            ),
        ] {
            let old = pod(&some, &plain, &plain);
            let new = only_resize(&pod(&new, sidecar, init), &old);
            let said: Vec<_> = validate_resize(&new, &old).iter().map(ToString::to_string).collect();
            assert_eq!(said, expected, "{name}");
        }
    }

    #[test]
    fn the_class_of_a_pod_stays() {
        let of = |resources: Value| {
            let mut pod = pod(&json!({ "resources": resources }), &json!({}), &json!({}));
            pod.spec.get_or_insert_default().init_containers = None;
            pod
        };
        let mut old = of(json!({ "limits": { "cpu": "1", "memory": "1Mi" } }));
        old.status.get_or_insert_default().qos_class = Some("Guaranteed".to_owned());
        let new =
            of(json!({ "requests": { "cpu": "500m", "memory": "1Mi" }, "limits": { "cpu": "1", "memory": "1Mi" } }));
        let said = |new: &Pod, old: &Pod| {
            let errors = validate_resize(&only_resize(new, old), old);
            errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(
            said(&new, &old),
            "spec: Invalid value: \"Guaranteed\": Pod QOS Class may not change as a result of resizing"
        );
        assert_eq!(
            said(&of(json!({ "limits": { "cpu": "2", "memory": "1Mi" } })), &old),
            ""
        );
        old.metadata.annotations = Some([("kubernetes.io/config.mirror".to_owned(), String::new())].into());
        assert_eq!(said(&old, &old), ": Forbidden: static pods cannot be resized");
    }

    #[test]
    fn a_node_without_the_feature_is_found_by_what_it_tells() {
        let old = |status: Value| {
            let mut pod = pod(&json!({}), &json!({}), &json!({}));
            pod.status = serde_json::from_value(json!({ "containerStatuses": [status] })).expect("a status");
            pod
        };
        let base = json!({ "name": "a", "image": "", "imageID": "", "ready": true, "restartCount": 0 });
        for (state, resources, supported) in [
            (json!({ "running": {} }), Value::Null, false),
            (json!({ "running": {} }), json!({}), true),
            (json!({ "waiting": {} }), Value::Null, true),
        ] {
            let mut status = base.clone();
            (status["state"], status["resources"]) = (state, resources);
            assert_eq!(is_supported(&old(status.clone())), supported, "{status}");
        }
    }
}

//! What the API server's admission plug-ins do to a new Pod: ServiceAccount, RuntimeClass, Priority, LimitRanger. They come after the defaults
//! and before validation.
//!
//! The other objects are looked up by their kind's name: a kind that the store does not keep has no objects.

use super::{limit_range, service_account};
use k8s_openapi::api::core::v1::{LimitRange, Pod, PodSpec};
use k8s_openapi::api::node::v1::RuntimeClass;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeSet;

/// Where other objects are found.
pub(crate) trait Objects {
    /// An object by `apiVersion`, kind and name; a namespaced one is in the Pod's namespace.
    fn get(&self, api_version: &str, kind: &str, name: &str) -> Option<Value>;
    /// All objects of a kind, in the Pod's namespace.
    fn list(&self, api_version: &str, kind: &str) -> Vec<Value>;
    /// The addresses of all Services, of whatever namespace.
    fn cluster_ips(&self) -> BTreeSet<String>;
    /// The name for a volume with a token for a new Pod; `None` where nobody signs tokens.
    fn token_volume(&self) -> Option<&str>;
}

fn read<K: DeserializeOwned>(value: Option<Value>) -> Option<K> {
    serde_json::from_value(value?).ok()
}

/// Changes the Pod, or says (after `pods "NAME" is forbidden: `) why it may not be.
pub(crate) fn admit(pod: &mut Pod, objects: &dyn Objects) -> Result<(), String> {
    service_account::admit(pod, objects)?;
    let Some(spec) = pod.spec.as_mut() else { return Ok(()) };
    runtime_class(spec, objects)?;
    priority(spec, objects)?;
    let ranges = ranges(objects);
    limit_range::set_defaults(pod, &ranges);
    within(pod, &ranges)
}

fn ranges(objects: &dyn Objects) -> Vec<LimitRange> {
    let all = objects.list("v1", "LimitRange").into_iter();
    all.filter_map(|value| read(Some(value))).collect()
}

/// The same for a resize: the bounds of LimitRanges hold for it, and nothing is filled in.
pub(crate) fn admit_resize(pod: &Pod, objects: &dyn Objects) -> Result<(), String> {
    within(pod, &ranges(objects))
}

fn within(pod: &Pod, ranges: &[LimitRange]) -> Result<(), String> {
    match limit_range::violations(pod, ranges).as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        many => Err(format!("[{}]", many.join(", "))),
    }
}

/// `plugin/pkg/admission/runtimeclass`.
fn runtime_class(spec: &mut PodSpec, objects: &dyn Objects) -> Result<(), String> {
    let name = spec.runtime_class_name.clone().filter(|n| !n.is_empty());
    let class: Option<RuntimeClass> = match &name {
        None => None,
        Some(name) => {
            let found = read(objects.get("node.k8s.io/v1", "RuntimeClass", name));
            Some(found.ok_or_else(|| format!("pod rejected: RuntimeClass \"{name}\" not found"))?)
        }
    };
    let defined = class.as_ref().and_then(|c| c.overhead.as_ref()?.pod_fixed.clone());
    match (&spec.overhead, defined) {
        (None, defined) => spec.overhead = defined,
        (Some(own), Some(defined)) if *own == defined => {}
        (Some(own), None) if own.is_empty() => {}
        (Some(_), Some(_)) => {
            return Err("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead".to_owned());
        }
        (Some(_), None) => {
            return Err(
                "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead".to_owned(),
            );
        }
    }
    let Some(scheduling) = class.and_then(|c| c.scheduling) else {
        return Ok(());
    };
    for (key, value) in scheduling.node_selector.into_iter().flatten() {
        let selector = spec.node_selector.get_or_insert_default();
        if selector.get(&key).is_some_and(|own| *own != value) {
            return Err(format!(
                "pod rejected: conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; pod.spec.nodeSelector[{key}] = {}",
                selector.get(&key).map(String::as_str).unwrap_or_default()
            ));
        }
        selector.insert(key, value);
    }
    let tolerations = spec.tolerations.get_or_insert_default();
    for toleration in scheduling.tolerations.into_iter().flatten() {
        if !tolerations.contains(&toleration) {
            tolerations.push(toleration);
        }
    }
    Ok(())
}

/// `plugin/pkg/admission/priority`. The two classes of the system are always there.
fn priority(spec: &mut PodSpec, objects: &dyn Objects) -> Result<(), String> {
    let name = spec.priority_class_name.clone().filter(|n| !n.is_empty());
    let (value, policy) = match name.as_deref() {
        None => return Ok(()),
        Some("system-cluster-critical") => (2_000_000_000, None),
        Some("system-node-critical") => (2_000_001_000, None),
        Some(name) => {
            let found: Option<PriorityClass> = read(objects.get("scheduling.k8s.io/v1", "PriorityClass", name));
            let class = found.ok_or_else(|| format!("no PriorityClass with name {name} was found"))?;
            (class.value, class.preemption_policy)
        }
    };
    spec.priority = Some(value);
    if policy.is_some() {
        spec.preemption_policy = policy;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Fake(Vec<Value>);

    impl Objects for Fake {
        fn get(&self, api_version: &str, kind: &str, name: &str) -> Option<Value> {
            let mut all = self.list(api_version, kind).into_iter();
            all.find(|o| o["metadata"]["name"] == name)
        }

        fn list(&self, api_version: &str, kind: &str) -> Vec<Value> {
            let is = |o: &&Value| o["apiVersion"] == api_version && o["kind"] == kind;
            self.0.iter().filter(is).cloned().collect()
        }

        fn cluster_ips(&self) -> BTreeSet<String> {
            BTreeSet::new()
        }

        fn token_volume(&self) -> Option<&str> {
            None
        }
    }

    fn admitted(spec: Value, objects: Vec<Value>) -> Result<Value, String> {
        let value = json!({ "metadata": { "name": "x" }, "spec": spec });
        let mut pod: Pod = serde_json::from_value(value).unwrap_or_default();
        admit(&mut pod, &Fake(objects))?;
        Ok(serde_json::to_value(pod.spec).unwrap_or_default())
    }

    fn class(kind: &str, api_version: &str, fields: Value) -> Value {
        let mut object = json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": "c" } });
        for (key, value) in fields.as_object().into_iter().flatten() {
            object[key] = value.clone();
        }
        object
    }

    #[test]
    fn classes_have_to_be_there() {
        let spec = json!({ "containers": [], "runtimeClassName": "c" });
        assert_eq!(
            admitted(spec, vec![]).unwrap_err(),
            "pod rejected: RuntimeClass \"c\" not found"
        );
        let spec = json!({ "containers": [], "priorityClassName": "c" });
        assert_eq!(
            admitted(spec, vec![]).unwrap_err(),
            "no PriorityClass with name c was found"
        );
        let spec = json!({ "containers": [], "priorityClassName": "system-node-critical" });
        assert_eq!(
            admitted(spec, vec![]).map(|s| s["priority"].clone()),
            Ok(json!(2_000_001_000))
        );
    }

    #[test]
    fn classes_add_to_the_pod() {
        let runtime = json!({ "handler": "h", "overhead": { "podFixed": { "cpu": "100m" } },
            "scheduling": { "nodeSelector": { "a": "b" }, "tolerations": [{ "key": "k", "operator": "Exists" }] } });
        let spec = json!({ "containers": [], "runtimeClassName": "c" });
        let spec = admitted(spec, vec![class("RuntimeClass", "node.k8s.io/v1", runtime.clone())]).unwrap_or_default();
        assert_eq!(spec["overhead"], json!({ "cpu": "100m" }));
        assert_eq!(spec["nodeSelector"], json!({ "a": "b" }));
        assert_eq!(spec["tolerations"], json!([{ "key": "k", "operator": "Exists" }]));
        let other = json!({ "containers": [], "runtimeClassName": "c", "overhead": { "cpu": "1" } });
        assert_eq!(
            admitted(other, vec![class("RuntimeClass", "node.k8s.io/v1", runtime)]).unwrap_err(),
            "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
        );
        let priority = json!({ "value": 7, "preemptionPolicy": "Never" });
        let spec = json!({ "containers": [], "priorityClassName": "c" });
        let spec = admitted(spec, vec![class("PriorityClass", "scheduling.k8s.io/v1", priority)]).unwrap_or_default();
        assert_eq!(
            (&spec["priority"], &spec["preemptionPolicy"]),
            (&json!(7), &json!("Never"))
        );
    }

    #[test]
    fn limit_ranges_set_what_is_not_set_and_bound_what_is() {
        let range = json!({ "spec": { "limits": [{ "type": "Container",
            "default": { "cpu": "500m", "memory": "500Mi" }, "defaultRequest": { "cpu": "100m" },
            "min": { "memory": "100Mi" }, "max": { "cpu": "1" }, "maxLimitRequestRatio": { "cpu": "5" } }] } });
        let ranges = || vec![class("LimitRange", "v1", range.clone())];
        let with = |resources: Value| json!({ "containers": [{ "name": "a", "resources": resources }] });
        let spec = admitted(with(json!({})), ranges()).unwrap_or_default();
        assert_eq!(
            spec["containers"][0]["resources"],
            json!({ "limits": { "cpu": "500m", "memory": "500Mi" }, "requests": { "cpu": "100m", "memory": "500Mi" } })
        );
        let spec = admitted(with(json!({ "requests": { "cpu": "200m" } })), ranges()).unwrap_or_default();
        assert_eq!(spec["containers"][0]["resources"]["requests"]["cpu"], "200m");
        for (resources, expected) in [
            (
                json!({ "limits": { "cpu": "2", "memory": "1Gi" }, "requests": { "cpu": "1", "memory": "50Mi" } }),
                "[minimum memory usage per Container is 100Mi, but request is 50Mi, maximum cpu usage per Container is 1, but limit is 2]",
            ),
            (
                json!({ "limits": { "cpu": "1" }, "requests": { "cpu": "100m" } }),
                "cpu max limit to request ratio per Container is 5, but provided ratio is 10.000000",
            ),
        ] {
            assert_eq!(admitted(with(resources), ranges()).unwrap_err(), expected);
        }
    }
}

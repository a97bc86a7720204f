//! Who is behind a Service: its Endpoints and EndpointSlices, from the Pods that it selects (`pkg/controller/endpoint`,
//! `pkg/controller/endpointslice`).

use super::pods::{is_ready, phase};
use super::{all, controller_reference, is_deleted, text};
use podsim_store::{DeleteOptions, Kind, Object, Selectors, Store, StoreError, kinds};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;

const SERVICE_NAME: &str = "kubernetes.io/service-name";
const SLICE_MANAGER: (&str, &str) = (
    "endpointslice.kubernetes.io/managed-by",
    "endpointslice-controller.k8s.io",
);
const ENDPOINTS_MANAGER: (&str, &str) = ("endpoints.kubernetes.io/managed-by", "endpoint-controller");
const HEADLESS: &str = "service.kubernetes.io/headless";

pub(super) fn reconcile(store: &Store) {
    let services = all(store, &kinds::SERVICE);
    for service in &services {
        let selector = service["spec"]["selector"]
            .as_object()
            .filter(|selector| !selector.is_empty());
        if let Some(selector) = selector.filter(|_| service["spec"]["type"] != "ExternalName" && !is_deleted(service)) {
            sync(store, service, selector);
        }
    }
    // Slices belong to their Service and go with it; Endpoints do not.
    for endpoints in all(store, &kinds::ENDPOINTS) {
        let (namespace, name) = (text(&endpoints, "namespace"), text(&endpoints, "name"));
        let ours = endpoints["metadata"]["labels"][ENDPOINTS_MANAGER.0] == ENDPOINTS_MANAGER.1;
        if ours && store.get(&kinds::SERVICE, namespace, name).is_err() {
            let _ = store.delete(&kinds::ENDPOINTS, namespace, name, &DeleteOptions::default());
        }
    }
}

/// Pods behind a Service, by the ports that they have for it: a named port may be another number in each Pod.
type Groups = BTreeMap<String, (Value, Vec<Object>)>;

fn sync(store: &Store, service: &Object, selector: &Map<String, Value>) {
    let namespace = text(service, "namespace");
    let mut pods = store.list(&kinds::POD, Some(namespace), &Selectors::default()).items;
    pods.retain(|pod| {
        let labels = &pod["metadata"]["labels"];
        let ends = matches!(phase(pod), "Succeeded" | "Failed");
        let addressed = pod["status"]["podIP"].as_str().is_some_and(|ip| !ip.is_empty());
        selector.iter().all(|(key, value)| labels[key] == *value) && addressed && !ends
    });
    let mut groups = Groups::new();
    for pod in pods {
        let ports = ports(service, &pod);
        groups
            .entry(ports.to_string())
            .or_insert_with(|| (ports, vec![]))
            .1
            .push(pod);
    }
    sync_endpoints(store, service, &groups);
    sync_slices(store, service, groups);
}

/// The Service's ports as numbers of this Pod; a named one that the Pod has not is left out.
fn ports(service: &Value, pod: &Value) -> Value {
    let number = |port: &Value| {
        let target = &port["targetPort"];
        let Some(wanted) = target.as_str() else {
            return target.as_u64().or(port["port"].as_u64());
        };
        let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
        let mut ports = containers.flat_map(|container| container["ports"].as_array().into_iter().flatten());
        let protocol = |of: &Value| of["protocol"].as_str().unwrap_or("TCP").to_owned();
        let found = ports.find(|own| own["name"] == wanted && protocol(own) == protocol(port));
        found.and_then(|own| own["containerPort"].as_u64())
    };
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    let ports = ports.filter_map(|port| {
        let mut one = json!({"port": number(port)?, "protocol": port["protocol"].as_str().unwrap_or("TCP")});
        for field in ["name", "appProtocol"] {
            if port[field].is_string() {
                one[field] = port[field].clone();
            }
        }
        Some(one)
    });
    ports.collect()
}

fn counts(service: &Value, pod: &Value) -> bool {
    service["spec"]["publishNotReadyAddresses"] == true || (is_ready(pod) && !is_deleted(pod))
}

fn target(pod: &Value) -> Value {
    let metadata = &pod["metadata"];
    json!({"kind": "Pod", "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]})
}

fn labels(service: &Value, more: &[(&str, &str)]) -> Value {
    let own = service["metadata"]["labels"].as_object().cloned();
    let mut labels = own.unwrap_or_default();
    for (key, value) in more {
        labels.insert((*key).to_owned(), (*value).into());
    }
    if service["spec"]["clusterIP"] == "None" {
        labels.insert(HEADLESS.to_owned(), "".into());
    }
    labels.into()
}

fn sync_endpoints(store: &Store, service: &Value, groups: &Groups) {
    let subset = |(ports, pods): &(Value, Vec<Object>)| {
        let (mut ready, mut others) = (vec![], vec![]);
        for pod in pods.iter().filter(|pod| counts(service, pod) || !is_deleted(pod)) {
            let mut address =
                json!({"ip": pod["status"]["podIP"], "nodeName": pod["spec"]["nodeName"], "targetRef": target(pod)});
            if pod["spec"]["subdomain"] == service["metadata"]["name"] && pod["spec"]["hostname"].is_string() {
                address["hostname"] = pod["spec"]["hostname"].clone();
            }
            if counts(service, pod) {
                ready.push(address)
            } else {
                others.push(address)
            }
        }
        let mut subset = json!({});
        for (field, list) in [("addresses", ready), ("notReadyAddresses", others)] {
            if !list.is_empty() {
                subset[field] = list.into();
            }
        }
        if ports.as_array().is_some_and(|ports| !ports.is_empty()) {
            subset["ports"] = ports.clone();
        }
        subset
    };
    let subsets: Vec<Value> = groups
        .values()
        .map(subset)
        .filter(|subset| subset["addresses"].is_array() || subset["notReadyAddresses"].is_array())
        .collect();
    let mut object = json!({
        "metadata": {
            "name": service["metadata"]["name"], "labels": labels(service, &[ENDPOINTS_MANAGER]),
        },
    });
    if !subsets.is_empty() {
        object["subsets"] = subsets.into();
    }
    let namespace = text(service, "namespace");
    let old = store.get(&kinds::ENDPOINTS, namespace, text(service, "name")).ok();
    put(store, &kinds::ENDPOINTS, namespace, old.as_ref(), object, &["subsets"]);
}

fn sync_slices(store: &Store, service: &Value, groups: Groups) {
    let (namespace, name) = (text(service, "namespace"), text(service, "name"));
    let mut old = store
        .list(&kinds::ENDPOINT_SLICE, Some(namespace), &Selectors::default())
        .items;
    old.retain(|slice| {
        let labels = &slice["metadata"]["labels"];
        labels[SERVICE_NAME] == name && labels[SLICE_MANAGER.0] == SLICE_MANAGER.1
    });
    let mut groups: Vec<(Value, Vec<Object>)> = groups.into_values().collect();
    // Even a Service that nobody is behind has a slice.
    if groups.is_empty() {
        groups.push((Value::Null, vec![]));
    }
    for (ports, pods) in groups {
        let endpoint = |pod: &Object| {
            let (ready, ends) = (is_ready(pod), is_deleted(pod));
            let conditions = json!({"ready": counts(service, pod), "serving": ready, "terminating": ends});
            json!({
                "addresses": [pod["status"]["podIP"]], "conditions": conditions, "nodeName": pod["spec"]["nodeName"],
                "targetRef": target(pod),
            })
        };
        let endpoints: Vec<Value> = pods.iter().map(endpoint).collect();
        // Their ports have a name even if it is empty: kubectl relies on it.
        let mut ports = ports;
        for port in ports.as_array_mut().into_iter().flatten() {
            if port["name"].is_null() {
                port["name"] = "".into();
            }
        }
        // The slice that has these ports already; one of others is not turned into it: names are not in the order of ports.
        let same = old
            .iter()
            .position(|slice| slice["ports"] == ports || (ports.is_null() && slice["endpoints"] == json!([])));
        let before = same.map(|at| old.remove(at));
        let object = json!({
            "metadata": {
                "generateName": format!("{name}-"), "labels": labels(service, &[SLICE_MANAGER, (SERVICE_NAME, name)]),
                "ownerReferences": [controller_reference(service)],
            },
            "addressType": "IPv4", "endpoints": endpoints, "ports": ports,
        });
        put(
            store,
            &kinds::ENDPOINT_SLICE,
            namespace,
            before.as_ref(),
            object,
            &["endpoints", "ports"],
        );
    }
    for left in old {
        let _ = store.delete(
            &kinds::ENDPOINT_SLICE,
            namespace,
            text(&left, "name"),
            &DeleteOptions::default(),
        );
    }
}

/// Fields that are not set are not there.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// Creates the object, or writes what differs of its labels and of these fields.
fn put(store: &Store, kind: &'static Kind, namespace: &str, old: Option<&Object>, mut new: Value, fields: &[&str]) {
    without_nulls(&mut new);
    let written = match old {
        None => store.create(kind, namespace, new).map(drop),
        Some(old) => {
            let mut changed = old.as_ref().clone();
            for field in fields {
                changed[*field] = new[*field].take();
            }
            changed["metadata"]["labels"] = new["metadata"]["labels"].take();
            without_nulls(&mut changed);
            // Nothing is written where nothing has changed: the store sees to it.
            store.update(kind, namespace, changed).map(drop)
        }
    };
    match written {
        Ok(()) | Err(StoreError::AlreadyExists { .. } | StoreError::Conflict { .. }) => {}
        Err(error) => tracing::debug!("{} in {namespace}: {error}", kind.kind),
    }
}

/// Says where the Service `kubernetes` leads: to the API server itself.
pub(super) fn publish_api(store: &Store, address: SocketAddr) {
    let port = json!([{"name": "https", "port": address.port(), "protocol": "TCP"}]);
    let ip = address.ip().to_string();
    let kind = if address.is_ipv6() { "IPv6" } else { "IPv4" };
    let metadata = |labels: Value| json!({"name": "kubernetes", "labels": labels});
    let subsets = json!([{"addresses": [{"ip": ip}], "ports": port}]);
    let mirrored = json!({"endpointslice.kubernetes.io/skip-mirror": "true"});
    let slice = json!({
        "metadata": metadata(json!({(SERVICE_NAME): "kubernetes"})), "addressType": kind,
        "endpoints": [{"addresses": [ip], "conditions": {"ready": true}}], "ports": port,
    });
    let endpoints = json!({"metadata": metadata(mirrored), "subsets": subsets});
    let old = |kind| store.get(kind, "default", "kubernetes").ok();
    put(
        store,
        &kinds::ENDPOINTS,
        "default",
        old(&kinds::ENDPOINTS).as_ref(),
        endpoints,
        &["subsets"],
    );
    let before = old(&kinds::ENDPOINT_SLICE);
    put(
        store,
        &kinds::ENDPOINT_SLICE,
        "default",
        before.as_ref(),
        slice,
        &["endpoints", "ports"],
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use podsim_sys::ManualClock;
    use std::sync::Arc;
    use std::time::Duration;

    fn pod(store: &Store, name: &str, ip: &str, port: u16, ready: bool) {
        let container = json!({"name": "c", "image": "x", "ports": [{"name": "web", "containerPort": port}]});
        let pod = json!({"metadata": {"name": name, "labels": {"app": "a"}}, "spec": {"containers": [container]}});
        store.create(&kinds::POD, "default", pod).unwrap();
        let ready = if ready { "True" } else { "False" };
        let status = json!({"phase": "Running", "podIP": ip, "conditions": [{"type": "Ready", "status": ready}]});
        let set = |pod: &mut Value| {
            pod["status"] = status;
            Ok(())
        };
        store.modify_status(&kinds::POD, "default", name, set).unwrap();
    }

    fn shown(store: &Store) -> Vec<String> {
        let endpoints = store
            .get(&kinds::ENDPOINTS, "default", "s")
            .map(|e| e["subsets"].clone())
            .unwrap_or_default();
        let ips = |list: &Value| {
            let list = list.as_array().into_iter().flatten();
            list.filter_map(|address| address["ip"].as_str())
                .collect::<Vec<_>>()
                .join(",")
        };
        let mut lines: Vec<String> = endpoints
            .as_array()
            .into_iter()
            .flatten()
            .map(|subset| {
                let (ready, others) = (ips(&subset["addresses"]), ips(&subset["notReadyAddresses"]));
                format!("{}: {ready} / {others}", subset["ports"][0]["port"])
            })
            .collect();
        for slice in all(store, &kinds::ENDPOINT_SLICE) {
            let endpoints = slice["endpoints"].as_array().cloned().unwrap_or_default();
            let endpoints = endpoints
                .iter()
                .map(|e| format!("{}={}", e["addresses"][0], e["conditions"]["ready"]));
            lines.push(format!(
                "slice {}: {}",
                slice["ports"][0]["port"],
                endpoints.collect::<Vec<_>>().join(" ")
            ));
        }
        lines
    }

    #[test]
    fn a_service_leads_to_the_ready_pods_that_it_selects() {
        let mut entropy = 0;
        let store = Store::new(Arc::new(ManualClock::new(Duration::from_secs(9))), move || {
            entropy += 1;
            entropy
        });
        let service = json!({
            "metadata": {"name": "s"},
            "spec": {"selector": {"app": "a"}, "ports": [{"port": 80, "targetPort": "web"}]},
        });
        store.create(&kinds::SERVICE, "default", service).unwrap();
        reconcile(&store);
        assert_eq!(shown(&store), ["slice null: "]);
        pod(&store, "one", "10.0.0.1", 8080, true);
        pod(&store, "two", "10.0.0.2", 8080, false);
        pod(&store, "three", "10.0.0.3", 9090, true);
        reconcile(&store);
        let all_three = [
            "8080: 10.0.0.1 / 10.0.0.2",
            "9090: 10.0.0.3 / ",
            "slice 8080: \"10.0.0.1\"=true \"10.0.0.2\"=false",
            "slice 9090: \"10.0.0.3\"=true",
        ];
        let mut seen = shown(&store);
        seen.sort();
        assert_eq!(seen, all_three);
        let version = store.resource_version();
        reconcile(&store);
        assert_eq!(store.resource_version(), version, "nothing changes, nothing is written");
        let now = DeleteOptions {
            grace_period_seconds: Some(0),
            ..DeleteOptions::default()
        };
        store.delete(&kinds::POD, "default", "three", &now).unwrap();
        reconcile(&store);
        assert_eq!(shown(&store).len(), 2);
        store.delete(&kinds::SERVICE, "default", "s", &now).unwrap();
        reconcile(&store);
        assert_eq!(shown(&store), [""; 0]);
    }
}

//! What a Service is given when it is created: its defaults, and an address of its own (`SetDefaults_Service`, the registry's
//! ClusterIP allocator). Nothing routes to that address here; containers are told of it in their environment.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// The range of Services' addresses that kubeadm takes. The first addresses are for what a cluster has itself.
const FIRST: u32 = u32::from_be_bytes([10, 96, 0, 16]);
const LAST: u32 = u32::from_be_bytes([10, 111, 255, 254]);

fn text<'a>(spec: &'a Map<String, Value>, field: &str) -> &'a str {
    spec.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn spec_of(service: &mut Value) -> Option<&mut Map<String, Value>> {
    let service = service.as_object_mut()?;
    service.entry("spec").or_insert_with(|| json!({})).as_object_mut()
}

/// Fills in what is not set.
pub(crate) fn set_defaults(service: &mut Value) {
    let Some(spec) = spec_of(service) else { return };
    if text(spec, "type").is_empty() {
        spec.insert("type".to_owned(), "ClusterIP".into());
    }
    if text(spec, "sessionAffinity").is_empty() {
        spec.insert("sessionAffinity".to_owned(), "None".into());
    }
    if text(spec, "type") != "ExternalName" && text(spec, "internalTrafficPolicy").is_empty() {
        spec.insert("internalTrafficPolicy".to_owned(), "Cluster".into());
    }
    for port in spec
        .get_mut("ports")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let Some(port) = port.as_object_mut() else { continue };
        if text(port, "protocol").is_empty() {
            port.insert("protocol".to_owned(), "TCP".into());
        }
        let unset = |v: Option<&Value>| v.is_none_or(|v| v.is_null() || *v == 0 || *v == "");
        if unset(port.get("targetPort"))
            && let Some(number) = port.get("port").cloned()
        {
            port.insert("targetPort".to_owned(), number);
        }
    }
}

/// Gives the Service the first address that none of these has, if it wants one and has none.
pub(crate) fn allocate(service: &mut Value, taken: &BTreeSet<String>) {
    let Some(spec) = spec_of(service) else { return };
    if text(spec, "type") == "ExternalName" {
        return;
    }
    if text(spec, "clusterIP").is_empty() {
        let free = (FIRST..LAST)
            .map(|n| Ipv4Addr::from(n).to_string())
            .find(|ip| !taken.contains(ip));
        let Some(ip) = free else { return };
        spec.insert("clusterIP".to_owned(), ip.into());
    }
    let ip = text(spec, "clusterIP").to_owned();
    spec.entry("clusterIPs").or_insert_with(|| json!([ip]));
    spec.entry("ipFamilies").or_insert_with(|| json!(["IPv4"]));
    spec.entry("ipFamilyPolicy").or_insert_with(|| "SingleStack".into());
}

/// An update that does not name the addresses keeps them.
pub(crate) fn keep_address(service: &mut Value, old: &Value) {
    let Some(spec) = spec_of(service) else { return };
    if text(spec, "type") == "ExternalName" {
        return;
    }
    for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        let unset = spec
            .get(field)
            .is_none_or(|v| v.is_null() || *v == "" || *v == json!([]));
        if let Some(value) = old["spec"].get(field).filter(|_| unset) {
            spec.insert(field.to_owned(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Store, kinds};
    use podsim_sys::ManualClock;
    use serde_json::{Value, json};
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn services_get_addresses_of_their_own_and_keep_them() {
        let store = Store::new(Arc::new(ManualClock::new(Duration::ZERO)), || 7);
        let create = |name: &str, spec: Value| {
            let object = json!({ "metadata": { "name": name }, "spec": spec });
            let made = store.create(&kinds::SERVICE, "default", object);
            made.map(|o| o["spec"].clone()).unwrap_or_default()
        };
        let ports = json!([{ "port": 80 }]);
        let first = create("a", json!({ "ports": ports }));
        assert_eq!(first["clusterIP"], "10.96.0.16");
        assert_eq!(
            first["ports"][0],
            json!({ "port": 80, "protocol": "TCP", "targetPort": 80 })
        );
        assert_eq!(create("b", json!({ "ports": ports }))["clusterIP"], "10.96.0.17");
        assert_eq!(
            create("c", json!({ "ports": ports, "clusterIP": "10.96.0.18" }))["clusterIP"],
            "10.96.0.18"
        );
        assert_eq!(create("d", json!({ "ports": ports }))["clusterIP"], "10.96.0.19");
        assert_eq!(
            create("e", json!({ "ports": ports, "clusterIP": "None" }))["clusterIP"],
            "None"
        );
        assert_eq!(
            create("f", json!({ "type": "ExternalName", "externalName": "x.y" }))["clusterIP"],
            Value::Null
        );
        let changed = json!({ "metadata": { "name": "a" }, "spec": { "ports": [{ "port": 81 }] } });
        let changed = store
            .update(&kinds::SERVICE, "default", changed)
            .map(|o| o["spec"].clone());
        assert_eq!(changed.unwrap_or_default()["clusterIP"], "10.96.0.16");
    }
}

//! What is there from the start: in each namespace a ServiceAccount `default` and the certificate of the API, and once the Service
//! `kubernetes` and the classes of priority that the system's own Pods have.

use super::{all, is_deleted, text};
use podsim_store::{Store, StoreError, kinds};
use serde_json::{Value, json};

/// The ConfigMap that each namespace has.
const ROOT_CA: &str = "kube-root-ca.crt";

fn default_account() -> Value {
    json!({"metadata": {"name": "default"}})
}

pub(super) fn create(store: &Store, kind: &'static podsim_store::Kind, namespace: &str, object: serde_json::Value) {
    match store.create(kind, namespace, object) {
        Ok(_) | Err(StoreError::AlreadyExists { .. }) => {}
        Err(error) => tracing::debug!("{} in {namespace}: {error}", kind.kind),
    }
}

pub(super) fn bootstrap(store: &Store) {
    store.give_each_namespace(&kinds::SERVICE_ACCOUNT, default_account());
    store.give_each_namespace(&kinds::CONFIG_MAP, root_ca(""));
    let service = json!({
        "metadata": {"name": "kubernetes", "labels": {"component": "apiserver", "provider": "kubernetes"}},
        "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]},
    });
    create(store, &kinds::SERVICE, "default", service);
    for (name, value) in [
        ("system-cluster-critical", 2_000_000_000),
        ("system-node-critical", 2_000_001_000),
    ] {
        let class = json!({"metadata": {"name": name}, "value": value});
        create(store, &kinds::PRIORITY_CLASS, "", class);
    }
}

/// The certificate by which Pods know the API server; empty where it does not speak TLS.
fn root_ca(certificate: &str) -> Value {
    json!({
        "metadata": {"name": ROOT_CA, "annotations": {
            "kubernetes.io/description": "Contains the certificate by which Pods can know the API server.",
        }},
        "data": {"ca.crt": certificate},
    })
}

pub(super) fn reconcile(store: &Store) {
    for namespace in all(store, &kinds::NAMESPACE) {
        let name = text(&namespace, "name");
        if !is_deleted(&namespace) && store.get(&kinds::SERVICE_ACCOUNT, name, "default").is_err() {
            create(store, &kinds::SERVICE_ACCOUNT, name, default_account());
        }
    }
}

pub(super) fn publish(store: &Store, certificate: &str) {
    let object = root_ca(certificate);
    store.give_each_namespace(&kinds::CONFIG_MAP, object.clone());
    for namespace in all(store, &kinds::NAMESPACE) {
        let name = text(&namespace, "name");
        let published = store.get(&kinds::CONFIG_MAP, name, ROOT_CA);
        if published.is_ok_and(|published| published["data"] != object["data"]) && !is_deleted(&namespace) {
            let repaired = store.modify(&kinds::CONFIG_MAP, name, ROOT_CA, |old| {
                old["data"] = object["data"].clone();
                Ok(())
            });
            if let Err(error) = repaired {
                tracing::debug!("{ROOT_CA} in {name}: {error}");
            }
        }
    }
}

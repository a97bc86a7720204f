//! What is there from the start: in each namespace a ServiceAccount `default`, and once the Service `kubernetes` and the classes of
//! priority that the system's own Pods have.

use super::{all, is_deleted, text};
use podsim_store::{Store, StoreError, kinds};
use serde_json::json;

pub(super) fn create(store: &Store, kind: &'static podsim_store::Kind, namespace: &str, object: serde_json::Value) {
    match store.create(kind, namespace, object) {
        Ok(_) | Err(StoreError::AlreadyExists { .. }) => {}
        Err(error) => tracing::debug!("{} in {namespace}: {error}", kind.kind),
    }
}

pub(super) fn bootstrap(store: &Store) {
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

pub(super) fn reconcile(store: &Store) {
    for namespace in all(store, &kinds::NAMESPACE) {
        let name = text(&namespace, "name");
        if !is_deleted(&namespace) && store.get(&kinds::SERVICE_ACCOUNT, name, "default").is_err() {
            create(
                store,
                &kinds::SERVICE_ACCOUNT,
                name,
                json!({"metadata": {"name": "default"}}),
            );
        }
    }
}

pub(super) fn publish(store: &Store, certificate: &str) {
    const NAME: &str = "kube-root-ca.crt";
    let data = json!({"ca.crt": certificate});
    for namespace in all(store, &kinds::NAMESPACE) {
        let name = text(&namespace, "name");
        if is_deleted(&namespace) {
            continue;
        }
        let published = store.get(&kinds::CONFIG_MAP, name, NAME);
        if published.as_ref().is_ok_and(|object| object["data"] != data) {
            let repaired = store.modify(&kinds::CONFIG_MAP, name, NAME, |object| {
                object["data"] = data.clone();
                Ok(())
            });
            if let Err(error) = repaired {
                tracing::debug!("{NAME} in {name}: {error}");
            }
        } else if published.is_err() {
            let object = json!({
                "metadata": {"name": NAME, "annotations": {
                    "kubernetes.io/description": "Contains the certificate by which Pods can know the API server.",
                }},
                "data": data,
            });
            create(store, &kinds::CONFIG_MAP, name, object);
        }
    }
}

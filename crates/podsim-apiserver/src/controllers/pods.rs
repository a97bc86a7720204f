//! Pods of a controller: made from its template, and counted.

use super::{controller_reference, event, is_controlled_by, is_deleted, text};
use podsim_store::{DeleteOptions, Object, Selectors, Store, kinds};
use serde_json::{Value, json};

/// All Pods that `owner` controls.
pub(super) fn of(store: &Store, owner: &Value) -> Vec<Object> {
    let mut pods = store
        .list(&kinds::POD, Some(text(owner, "namespace")), &Selectors::default())
        .items;
    pods.retain(|pod| is_controlled_by(pod, owner));
    pods
}

pub(super) fn phase(pod: &Value) -> &str {
    pod["status"]["phase"].as_str().unwrap_or_default()
}

/// Neither ended nor being deleted.
pub(super) fn is_active(pod: &Value) -> bool {
    !is_deleted(pod) && !matches!(phase(pod), "Succeeded" | "Failed")
}

pub(crate) fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|c| c["type"] == "Ready" && c["status"] == "True")
}

/// Makes a Pod from the template of `owner`. Says whether that could be.
pub(super) fn create(store: &Store, owner: &Value, component: &str) -> bool {
    let template = &owner["spec"]["template"];
    // Names end in five more characters, and the whole may have 253.
    let base: String = text(owner, "name").chars().take(240).collect();
    let pod = json!({
        "metadata": {
            "generateName": format!("{base}-"),
            "labels": template["metadata"]["labels"],
            "annotations": template["metadata"]["annotations"],
            "finalizers": template["metadata"]["finalizers"],
            "ownerReferences": [controller_reference(owner)],
        },
        "spec": template["spec"],
    });
    match store.create(&kinds::POD, text(owner, "namespace"), pod) {
        Ok(pod) => {
            let message = format!("Created pod: {}", text(&pod, "name"));
            event(store, owner, component, "Normal", "SuccessfulCreate", &message);
            true
        }
        Err(error) => {
            event(
                store,
                owner,
                component,
                "Warning",
                "FailedCreate",
                &format!("Error creating: {error}"),
            );
            false
        }
    }
}

pub(super) fn delete(store: &Store, owner: &Value, pod: &Value, component: &str) {
    let (namespace, name) = (text(pod, "namespace"), text(pod, "name"));
    if store
        .delete(&kinds::POD, namespace, name, &DeleteOptions::default())
        .is_ok()
    {
        event(
            store,
            owner,
            component,
            "Normal",
            "SuccessfulDelete",
            &format!("Deleted pod: {name}"),
        );
    }
}

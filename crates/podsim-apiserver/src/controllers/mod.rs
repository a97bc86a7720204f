//! The controllers of kube-controller-manager that podsim runs: what each namespace has from the start, ReplicaSets (and
//! ReplicationControllers), Deployments, Jobs, the status of disruption budgets, persistent volumes, and the endpoints of Services.
//!
//! Each is a function of what the store holds: whenever something has changed that it looks at, it looks at all of it and takes one
//! step towards what is wanted. (Dependents of what is deleted are the store's own business.)

mod deployment;
pub(crate) mod disruption;
mod endpoints;
mod job;
mod namespace;
mod pods;
mod replica_set;
mod roles;
mod volumes;

/// Where the directories of provisioned volumes are on the node.
pub use volumes::VOLUMES;

use futures_util::future::select_all;
use podsim_cri::RuntimeService;
use podsim_store::{Kind, Object, Selectors, Since, Store, StoreError, Watch, kinds};
use serde_json::{Value, json};
use std::sync::Arc;

/// What a cluster has from the beginning: its namespaces, the Service `kubernetes`, the roles. It has to be there before the first Pod, whose
/// environment tells of the Service.
pub fn bootstrap(store: &Store) {
    namespace::bootstrap(store);
    volumes::bootstrap(store);
    roles::bootstrap(store);
}

/// Runs the controllers for ever, after [`bootstrap`]; an error only if the store cannot be watched. Persistent volumes are on the node of
/// this runtime.
pub async fn run(store: Store, runtime: Arc<dyn RuntimeService>) -> Result<(), StoreError> {
    let volumes = volumes::Volumes::new(&store);
    tokio::try_join!(
        each_change(
            &store,
            &[
                &kinds::PERSISTENT_VOLUME_CLAIM,
                &kinds::PERSISTENT_VOLUME,
                &kinds::STORAGE_CLASS,
                &kinds::POD
            ],
            |_| volumes.reconcile(),
        ),
        volumes::delete_released(&store, runtime.as_ref()),
        each_change(
            &store,
            &[&kinds::NAMESPACE, &kinds::SERVICE_ACCOUNT],
            namespace::reconcile
        ),
        each_change(
            &store,
            &[&kinds::REPLICA_SET, &kinds::REPLICATION_CONTROLLER, &kinds::POD],
            replica_set::reconcile,
        ),
        each_change(
            &store,
            &[&kinds::DEPLOYMENT, &kinds::REPLICA_SET],
            deployment::reconcile
        ),
        each_change(&store, &[&kinds::JOB, &kinds::POD], job::reconcile),
        each_change(
            &store,
            &[
                &kinds::POD_DISRUPTION_BUDGET,
                &kinds::POD,
                &kinds::REPLICA_SET,
                &kinds::DEPLOYMENT
            ],
            disruption::reconcile,
        ),
        each_change(&store, &[&kinds::SERVICE, &kinds::POD], endpoints::reconcile),
    )?;
    Ok(())
}

/// Sees to it that every namespace has the certificate by which the API server is known (`kube-root-ca.crt`); empty where it has none.
pub async fn publish_root_ca(store: Store, certificate: String) -> Result<(), StoreError> {
    each_change(&store, &[&kinds::NAMESPACE, &kinds::CONFIG_MAP], |store| {
        namespace::publish(store, &certificate);
    })
    .await
}

/// Has the Service `kubernetes` lead to where the API listens.
pub fn publish_api(store: &Store, address: std::net::SocketAddr) {
    endpoints::publish_api(store, address);
}

/// Calls `reconcile` at the start and after every change of these kinds; changes that come together count as one.
async fn each_change(store: &Store, kinds: &[&'static Kind], reconcile: impl Fn(&Store)) -> Result<(), StoreError> {
    loop {
        let watch = |kind| store.watch(kind, None, &Selectors::default(), Since::Now);
        let mut watches = kinds
            .iter()
            .map(|kind| watch(kind))
            .collect::<Result<Vec<Watch>, _>>()?;
        reconcile(store);
        // A watch that has fallen behind ends: then all begin anew.
        while next(&mut watches).await {
            reconcile(store);
        }
    }
}

async fn next(watches: &mut [Watch]) -> bool {
    let (event, ..) = select_all(watches.iter_mut().map(|watch| Box::pin(watch.next()))).await;
    if event.is_none() {
        return false;
    }
    // Others that have come by now are seen by the same look. Giving way once lets a burst come whole.
    tokio::task::yield_now().await;
    for watch in watches {
        while let std::task::Poll::Ready(event) = futures_util::poll!(std::pin::pin!(watch.next())) {
            if event.is_none() {
                return false;
            }
        }
    }
    true
}

fn all(store: &Store, kind: &'static Kind) -> Vec<Object> {
    store.list(kind, None, &Selectors::default()).items
}

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object["metadata"][key].as_str().unwrap_or_default()
}

fn is_deleted(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// Whether `owner` controls the object.
fn is_controlled_by(object: &Value, owner: &Value) -> bool {
    let owners = object["metadata"]["ownerReferences"].as_array();
    owners
        .into_iter()
        .flatten()
        .any(|reference| reference["controller"] == true && reference["uid"] == owner["metadata"]["uid"])
}

fn controller_reference(owner: &Value) -> Value {
    json!({
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
    })
}

/// Writes a status; somebody else's deletion meanwhile is no failure.
fn set_status(store: &Store, kind: &'static Kind, object: &Value, status: Value) {
    if object["status"] == status {
        return;
    }
    let written = store.modify_status(kind, text(object, "namespace"), text(object, "name"), |object| {
        object["status"] = status;
        Ok(())
    });
    if let Err(error) = written {
        tracing::debug!("status of {} {}: {error}", kind.kind, text(object, "name"));
    }
}

/// A condition; its time of transition is kept while its status is the same.
fn condition(store: &Store, old: &Value, kind: &str, status: &str, reason: &str, message: &str) -> Value {
    let now = json!(podsim_store::time::now(store.clock().as_ref()));
    let before = old["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|c| c["type"] == kind);
    match before {
        Some(before) if before["status"] == status && before["reason"] == reason && before["message"] == message => {
            before.clone()
        }
        before => {
            let since = before
                .filter(|before| before["status"] == status)
                .map(|before| before["lastTransitionTime"].clone());
            json!({
                "type": kind, "status": status, "reason": reason, "message": message,
                "lastTransitionTime": since.unwrap_or_else(|| now.clone()), "lastUpdateTime": now,
            })
        }
    }
}

/// Tells of something that was done to an object.
fn event(store: &Store, about: &Value, component: &str, severity: &str, reason: &str, message: &str) {
    let now = json!(podsim_store::time::now(store.clock().as_ref()));
    let namespace = text(about, "namespace");
    let event = json!({
        "metadata": {"generateName": format!("{}.", text(about, "name"))},
        "involvedObject": {
            "apiVersion": about["apiVersion"], "kind": about["kind"], "name": about["metadata"]["name"], "namespace": namespace,
            "uid": about["metadata"]["uid"], "resourceVersion": about["metadata"]["resourceVersion"],
        },
        "type": severity, "reason": reason, "message": message, "count": 1, "firstTimestamp": now, "lastTimestamp": now,
        "source": {"component": component}, "reportingComponent": component, "reportingInstance": "",
    });
    if let Err(error) = store.create(&kinds::EVENT, namespace, event) {
        tracing::debug!("event: {error}");
    }
}

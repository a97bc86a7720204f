//! Persistent volumes: claims find their volumes or have them made, and volumes that nobody claims any more are given back
//! (`pkg/controller/volume/persistentvolume`). What is in use is not deleted (`pvcprotection`, `pvprotection`), and generic ephemeral
//! volumes of Pods have claims of their own (`pkg/controller/volume/ephemeral`).
//!
//! * [`claims`]: what becomes of a claim. [`matching`]: which volume is fit for it.
//! * [`given_back`]: what becomes of a volume whose claim is gone.
//! * [`local`]: the provisioner: volumes are directories of the node.
//!
//! A class with `volumeBindingMode: WaitForFirstConsumer` waits for a Pod that uses the claim; which node that Pod goes to follows from the
//! volume, not the other way round.

mod claims;
mod given_back;
mod local;
mod matching;
#[cfg(test)]
mod tests;

pub use local::DIRECTORY as VOLUMES;
pub(super) use local::delete_released;

use super::{all, is_deleted, text};
use k8s_openapi::api::core::v1::ObjectReference;
use parking_lot::Mutex;
use podsim_kubelet::events::{EventRecorder, Severity};
use podsim_store::{Kind, Object, Store, StoreError, kinds};
use serde_json::{Value, json};
use std::collections::HashMap;

/// What a claim has once it is bound.
const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// What the controller has bound, and not the user.
const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
/// Who has made a volume.
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// Who is to make a volume for a claim.
const STORAGE_PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";

/// The class that claims have which name none.
pub(super) fn bootstrap(store: &Store) {
    let class = json!({
        "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": local::NAME, "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate",
    });
    super::namespace::create(store, &kinds::STORAGE_CLASS, "", class);
}

/// The controller.
pub(super) struct Volumes {
    store: Store,
    recorder: EventRecorder,
    /// What of each object, by its uid, was told last: the same is not told again.
    told: Mutex<HashMap<String, String>>,
}

impl Volumes {
    pub(super) fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
            recorder: EventRecorder::new(store.clone(), "persistentvolume-controller", ""),
            told: Mutex::default(),
        }
    }

    /// Looks at everything once.
    pub(super) fn reconcile(&self) {
        let pods = all(&self.store, &kinds::POD);
        for pod in &pods {
            self.claim_for(pod);
        }
        for claim in all(&self.store, &kinds::PERSISTENT_VOLUME_CLAIM) {
            if is_deleted(&claim) {
                let used = pods.iter().any(|pod| is_active(pod) && uses(pod, &claim));
                self.let_go(&kinds::PERSISTENT_VOLUME_CLAIM, &claim, used);
            } else {
                self.sync_claim(&claim, &pods);
            }
        }
        for volume in all(&self.store, &kinds::PERSISTENT_VOLUME) {
            self.sync_volume(&volume);
            if is_deleted(&volume) {
                self.let_go(&kinds::PERSISTENT_VOLUME, &volume, volume["status"]["phase"] == "Bound");
            }
        }
        let mut told = self.told.lock();
        if !told.is_empty() {
            let kinds = [&kinds::PERSISTENT_VOLUME_CLAIM, &kinds::PERSISTENT_VOLUME, &kinds::POD];
            let there: Vec<_> = kinds.iter().flat_map(|kind| all(&self.store, kind)).collect();
            told.retain(|uid, _| there.iter().any(|object| text(object, "uid") == uid));
        }
    }

    /// Generic ephemeral volumes: a claim each, which goes with the Pod.
    fn claim_for(&self, pod: &Object) {
        if is_deleted(pod) {
            return;
        }
        let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
        for volume in volumes.filter(|volume| volume["ephemeral"].is_object()) {
            let name = claim_of(pod, volume).unwrap_or_default();
            let namespace = text(pod, "namespace");
            if let Ok(there) = self.store.get(&kinds::PERSISTENT_VOLUME_CLAIM, namespace, &name) {
                if !super::is_controlled_by(&there, pod) {
                    let message = format!(
                        "PVC {namespace}/{name} was not created for pod {namespace}/{} (pod is not owner)",
                        text(pod, "name")
                    );
                    self.tell(pod, Severity::Warning, "FailedBinding", &message);
                }
                continue;
            }
            let template = &volume["ephemeral"]["volumeClaimTemplate"];
            let mut metadata = json!({"name": name, "ownerReferences": [super::controller_reference(pod)]});
            for field in ["labels", "annotations"] {
                metadata[field] = template["metadata"][field].clone();
            }
            let claim = json!({"metadata": metadata, "spec": template["spec"]});
            if let Err(error) = self.store.create(&kinds::PERSISTENT_VOLUME_CLAIM, namespace, claim) {
                let message = format!("ephemeral volume {}: create PVC {name}: {error}", volume["name"]);
                self.tell(pod, Severity::Warning, "FailedBinding", &message);
            }
        }
    }

    /// Lets an object that is being deleted go, once nobody uses it.
    fn let_go(&self, kind: &'static Kind, object: &Object, used: bool) {
        let protection = podsim_store::protection(kind).unwrap_or_default();
        let finalizers = object["metadata"]["finalizers"].as_array();
        if used || !finalizers.is_some_and(|all| all.iter().any(|f| f == protection)) {
            return;
        }
        self.change(kind, object, |object| {
            if let Some(finalizers) = object["metadata"]["finalizers"].as_array_mut() {
                finalizers.retain(|f| f != protection);
            }
        });
    }

    /// Changes an object but its status; says whether that was done. (If not it has changed meanwhile, which brings the next look.)
    fn change(&self, kind: &'static Kind, object: &Value, change: impl FnOnce(&mut Value)) -> bool {
        let uid = text(object, "uid").to_owned();
        let written = self
            .store
            .modify(kind, text(object, "namespace"), text(object, "name"), |object| {
                if text(object, "uid") != uid {
                    return Err(StoreError::BadRequest("it is another one by now".to_owned()));
                }
                change(object);
                Ok(())
            });
        if let Err(error) = &written {
            tracing::debug!("{} {}: {error}", kind.kind, text(object, "name"));
        }
        written.is_ok()
    }

    fn tell(&self, about: &Value, severity: Severity, reason: &str, message: &str) {
        let uid = text(about, "uid").to_owned();
        let said = format!("{reason}: {message}");
        let mut told = self.told.lock();
        if told.get(&uid) == Some(&said) {
            return;
        }
        told.insert(uid, said);
        self.recorder.event(reference(about), severity, reason, message);
    }
}

fn reference(object: &Value) -> ObjectReference {
    let text = |key: &str| Some(text(object, key).to_owned()).filter(|text| !text.is_empty());
    ObjectReference {
        api_version: object["apiVersion"].as_str().map(str::to_owned),
        kind: object["kind"].as_str().map(str::to_owned),
        name: text("name"),
        namespace: text("namespace"),
        uid: text("uid"),
        resource_version: text("resourceVersion"),
        field_path: None,
    }
}

/// The name of the claim that a volume of a Pod is, if it is one.
fn claim_of(pod: &Value, volume: &Value) -> Option<String> {
    if volume["ephemeral"].is_object() {
        let volume = volume["name"].as_str().unwrap_or_default();
        return Some(format!("{}-{volume}", text(pod, "name")));
    }
    volume["persistentVolumeClaim"]["claimName"].as_str().map(str::to_owned)
}

fn uses(pod: &Value, claim: &Value) -> bool {
    let mut volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    text(pod, "namespace") == text(claim, "namespace")
        && volumes.any(|volume| claim_of(pod, volume).is_some_and(|name| name == text(claim, "name")))
}

fn is_active(pod: &Value) -> bool {
    !["Succeeded", "Failed"].contains(&pod["status"]["phase"].as_str().unwrap_or_default())
}

fn annotation<'a>(object: &'a Value, key: &str) -> &'a str {
    object["metadata"]["annotations"][key].as_str().unwrap_or_default()
}

fn annotate(object: &mut Value, key: &str, value: &str) {
    if !object["metadata"]["annotations"].is_object() {
        object["metadata"]["annotations"] = json!({});
    }
    object["metadata"]["annotations"][key] = value.into();
}

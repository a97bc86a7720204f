//! What becomes of a claim (`syncClaim` in `pv_controller.go`).

use super::super::{set_status, text};
use super::matching::{self, class};
use super::{
    BIND_COMPLETED, BOUND_BY_CONTROLLER, STORAGE_PROVISIONER, Volumes, annotate, annotation, is_active, local, uses,
};
use podsim_kubelet::events::Severity;
use podsim_store::{Object, Selectors, kinds};
use serde_json::{Value, json};

impl Volumes {
    pub(super) fn sync_claim(&self, claim: &Object, pods: &[Object]) {
        let volume = claim["spec"]["volumeName"].as_str().unwrap_or_default();
        if !annotation(claim, BIND_COMPLETED).is_empty() {
            self.sync_bound(claim, volume);
        } else if !volume.is_empty() {
            self.bind_to_named(claim, volume);
        } else {
            self.find_volume(claim, pods);
        }
    }

    fn sync_bound(&self, claim: &Object, name: &str) {
        let lost = |reason: &str, message: &str| {
            let mut status = claim["status"].clone();
            status["phase"] = "Lost".into();
            set_status(&self.store, &kinds::PERSISTENT_VOLUME_CLAIM, claim, status);
            self.tell(claim, Severity::Warning, reason, message);
        };
        if name.is_empty() {
            return lost(
                "ClaimLost",
                "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!",
            );
        }
        match self.store.get(&kinds::PERSISTENT_VOLUME, "", name) {
            Err(_) => lost(
                "ClaimLost",
                "Bound claim has lost its PersistentVolume. Data on the volume is lost!",
            ),
            Ok(volume) if volume["spec"]["claimRef"].is_null() || matching::claims(&volume, claim) => {
                self.bind(claim, &volume);
            }
            Ok(_) => lost(
                "ClaimMisbound",
                "Two claims are bound to the same volume, this one is bound incorrectly",
            ),
        }
    }

    /// The user has said which volume it is to be.
    fn bind_to_named(&self, claim: &Object, name: &str) {
        let Ok(volume) = self.store.get(&kinds::PERSISTENT_VOLUME, "", name) else {
            return;
        };
        let free = volume["spec"]["claimRef"].is_null();
        if !free && !matching::claims(&volume, claim) {
            let message = format!("volume \"{name}\" already bound to a different claim.");
            self.tell(claim, Severity::Warning, "FailedBinding", &message);
        } else if let Some(why) = matching::mismatch(&volume, claim) {
            let message = format!("Cannot bind to requested volume \"{name}\": {why}");
            self.tell(claim, Severity::Warning, "VolumeMismatch", &message);
        } else {
            self.bind(claim, &volume);
        }
    }

    fn find_volume(&self, claim: &Object, pods: &[Object]) {
        let name = class(claim);
        let found = self.store.get(&kinds::STORAGE_CLASS, "", name);
        let waits = found
            .as_ref()
            .is_ok_and(|class| class["volumeBindingMode"] == "WaitForFirstConsumer");
        if waits && !pods.iter().any(|pod| is_active(pod) && uses(pod, claim)) {
            let message = "waiting for first consumer to be created before binding";
            return self.tell(claim, Severity::Normal, "WaitForFirstConsumer", message);
        }
        // Listed anew: the claim before may have taken one.
        let volumes = self
            .store
            .list(&kinds::PERSISTENT_VOLUME, None, &Selectors::default())
            .items;
        if let Some(volume) = matching::find(&volumes, claim) {
            return self.bind(claim, volume);
        }
        let failed = |reason: &str, message: &str| self.tell(claim, Severity::Warning, reason, message);
        let class = match found {
            _ if name.is_empty() => {
                let message = "no persistent volumes available for this claim and no storage class is set";
                return self.tell(claim, Severity::Normal, "FailedBinding", message);
            }
            Err(_) => {
                let message = format!("storageclass.storage.k8s.io \"{name}\" not found");
                return failed("ProvisioningFailed", &message);
            }
            Ok(class) => class,
        };
        let provisioner = class["provisioner"].as_str().unwrap_or_default();
        if provisioner.starts_with("kubernetes.io/") {
            let message = format!("no volume plugin matched name: {provisioner}");
            return failed("ProvisioningFailed", &message);
        }
        if annotation(claim, STORAGE_PROVISIONER) != provisioner {
            self.change(&kinds::PERSISTENT_VOLUME_CLAIM, claim, |claim| {
                annotate(claim, STORAGE_PROVISIONER, provisioner);
            });
        }
        if provisioner == local::NAME {
            return self.provision(claim, &class);
        }
        let message = format!(
            "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the system administrator. If \
             volume creation is delayed, please verify that the provisioner is running and correctly registered."
        );
        self.tell(claim, Severity::Normal, "ExternalProvisioning", &message);
    }

    /// Binds both to each other: the volume first, so that nobody else takes it.
    fn bind(&self, claim: &Object, volume: &Object) {
        let reference = &volume["spec"]["claimRef"];
        if reference["uid"] != claim["metadata"]["uid"] {
            let by_controller = reference.is_null();
            let bound = self.change(&kinds::PERSISTENT_VOLUME, volume, |volume| {
                volume["spec"]["claimRef"] = json!({
                    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": text(claim, "namespace"),
                    "name": text(claim, "name"), "uid": text(claim, "uid"), "resourceVersion": text(claim, "resourceVersion"),
                });
                if by_controller {
                    annotate(volume, BOUND_BY_CONTROLLER, "yes");
                }
            });
            if !bound {
                return;
            }
        }
        let mut status = volume["status"].clone();
        status["phase"] = "Bound".into();
        set_status(&self.store, &kinds::PERSISTENT_VOLUME, volume, status);
        if annotation(claim, BIND_COMPLETED).is_empty() {
            let bound = self.change(&kinds::PERSISTENT_VOLUME_CLAIM, claim, |claim| {
                if claim["spec"]["volumeName"].as_str().is_none_or(str::is_empty) {
                    claim["spec"]["volumeName"] = text(volume, "name").into();
                    annotate(claim, BOUND_BY_CONTROLLER, "yes");
                }
                annotate(claim, BIND_COMPLETED, "yes");
            });
            if !bound {
                return;
            }
        }
        set_status(
            &self.store,
            &kinds::PERSISTENT_VOLUME_CLAIM,
            claim,
            bound_status(claim, volume),
        );
    }
}

fn bound_status(claim: &Value, volume: &Value) -> Value {
    let mut status = claim["status"].clone();
    status["phase"] = "Bound".into();
    status["accessModes"] = volume["spec"]["accessModes"].clone();
    status["capacity"] = json!({"storage": volume["spec"]["capacity"]["storage"]});
    status
}

//! What becomes of a volume (`syncVolume` in `pv_controller.go`).

use super::super::{set_status, text};
use super::{BOUND_BY_CONTROLLER, PROVISIONED_BY, Volumes, annotation};
use podsim_kubelet::events::Severity;
use podsim_store::{Object, kinds};

impl Volumes {
    pub(super) fn sync_volume(&self, volume: &Object) {
        let reference = &volume["spec"]["claimRef"];
        let uid = reference["uid"].as_str().unwrap_or_default();
        if uid.is_empty() {
            // Free, or kept for a claim that has not come yet.
            return self.set_phase(volume, "Available", "");
        }
        let field = |field: &str| reference[field].as_str().unwrap_or_default();
        let claim = self
            .store
            .get(&kinds::PERSISTENT_VOLUME_CLAIM, field("namespace"), field("name"));
        let claim = claim.ok().filter(|claim| text(claim, "uid") == uid);
        let Some(claim) = claim else {
            return self.give_back(volume);
        };
        let bound_to = claim["spec"]["volumeName"].as_str().unwrap_or_default();
        if bound_to == text(volume, "name") {
            self.set_phase(volume, "Bound", "");
        } else if !bound_to.is_empty() {
            self.unbind(volume);
        }
    }

    /// Its claim has another volume.
    fn unbind(&self, volume: &Object) {
        if !annotation(volume, PROVISIONED_BY).is_empty() {
            return self.give_back(volume);
        }
        let by_controller = !annotation(volume, BOUND_BY_CONTROLLER).is_empty();
        self.change(&kinds::PERSISTENT_VOLUME, volume, |volume| {
            if by_controller {
                volume["spec"]["claimRef"].take();
                if let Some(annotations) = volume["metadata"]["annotations"].as_object_mut() {
                    annotations.remove(BOUND_BY_CONTROLLER);
                }
            } else if let Some(reference) = volume["spec"]["claimRef"].as_object_mut() {
                // The user's own words stay.
                reference.remove("uid");
            }
        });
    }

    /// Its claim is gone.
    fn give_back(&self, volume: &Object) {
        let policy = volume["spec"]["persistentVolumeReclaimPolicy"]
            .as_str()
            .unwrap_or_default();
        let provisioned = !annotation(volume, PROVISIONED_BY).is_empty();
        let failed = |reason: &str, message: &str| {
            self.set_phase(volume, "Failed", message);
            self.tell(volume, Severity::Warning, reason, message);
        };
        let name = text(volume, "name");
        match policy {
            "Delete" if !provisioned => {
                let message = format!(
                    "error getting deleter volume plugin for volume \"{name}\": no deletable volume plugin matched"
                );
                failed("VolumeFailedDelete", &message);
            }
            "Recycle" => failed("VolumeFailedRecycle", "No recycler plugin found for the volume!"),
            // A provisioned volume is deleted by who has made it.
            _ => self.set_phase(volume, "Released", ""),
        }
    }

    fn set_phase(&self, volume: &Object, phase: &str, message: &str) {
        let mut status = volume["status"].clone();
        if status["phase"] == phase {
            return;
        }
        status["phase"] = phase.into();
        if let Some(status) = status.as_object_mut() {
            status.remove("message");
            if !message.is_empty() {
                status.insert("message".to_owned(), message.into());
            }
        }
        set_status(&self.store, &kinds::PERSISTENT_VOLUME, volume, status);
    }
}

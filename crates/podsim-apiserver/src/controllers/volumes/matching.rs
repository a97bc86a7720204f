//! Which volume is fit for a claim (`FindMatchingVolume` and `CheckVolumeSatisfyClaim` in `component-helpers/storage/volume`).

use super::super::{is_deleted, text};
use crate::label_selector::selects;
use podsim_store::Object;
use podsim_store::pod::quantity;
use serde_json::Value;

/// The class of a claim or volume; none is the empty one.
pub(super) fn class(object: &Value) -> &str {
    object["spec"]["storageClassName"].as_str().unwrap_or_default()
}

/// The bytes of a claim or volume.
fn size(amount: &Value) -> i128 {
    amount.as_str().and_then(quantity::units).unwrap_or(0)
}

fn mode(object: &Value) -> &str {
    object["spec"]["volumeMode"].as_str().unwrap_or("Filesystem")
}

/// Does a volume name a claim: this one, or one of its name that may still come?
pub(super) fn claims(volume: &Value, claim: &Value) -> bool {
    let reference = &volume["spec"]["claimRef"];
    let uid = reference["uid"].as_str().unwrap_or_default();
    reference["name"] == claim["metadata"]["name"]
        && reference["namespace"] == claim["metadata"]["namespace"]
        && (uid.is_empty() || uid == text(claim, "uid"))
}

/// Why a volume cannot serve a claim that asks for it, if it cannot.
pub(super) fn mismatch(volume: &Value, claim: &Value) -> Option<&'static str> {
    let offered = volume["spec"]["accessModes"].as_array();
    let wanted = claim["spec"]["accessModes"].as_array();
    let offers = |mode: &Value| offered.is_some_and(|offered| offered.contains(mode));
    if size(&volume["spec"]["capacity"]["storage"]) < size(&claim["spec"]["resources"]["requests"]["storage"]) {
        Some("requested PV is too small")
    } else if class(volume) != class(claim) {
        Some("storageClassName does not match")
    } else if mode(volume) != mode(claim) {
        Some("incompatible volumeMode")
    } else if !wanted.into_iter().flatten().all(offers) {
        Some("incompatible accessMode")
    } else {
        None
    }
}

/// The volume for a claim: the one that names it, or else the smallest that will do.
pub(super) fn find<'a>(volumes: &'a [Object], claim: &Value) -> Option<&'a Object> {
    let fit = |volume: &&Object| !is_deleted(volume) && mismatch(volume, claim).is_none();
    let selector = &claim["spec"]["selector"];
    let selected = |volume: &&Object| selector.is_null() || selects(selector, volume);
    let kept_for = |volume: &&Object| volume["spec"]["claimRef"].is_object() && claims(volume, claim);
    let free = |volume: &&Object| volume["spec"]["claimRef"].is_null() && volume["status"]["phase"] == "Available";
    let mut fitting = volumes.iter().filter(fit);
    let smallest = || {
        let free = volumes.iter().filter(fit).filter(free).filter(selected);
        free.min_by_key(|volume| (size(&volume["spec"]["capacity"]["storage"]), text(volume, "name")))
    };
    fitting.find(kept_for).or_else(smallest)
}

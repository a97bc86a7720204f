//! Persistent volumes and their claims: what admission does to new ones, and which are refused (`pkg/apis/core/validation`, the plug-ins
//! DefaultStorageClass and StorageObjectInUseProtection).

use crate::pod::admission::Objects;
use crate::pod::quantity;
use crate::state::text;
use crate::{FieldError, Kind, kinds};
use serde_json::{Value, json};

const ACCESS_MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

/// The finalizer that keeps objects of this kind while they are used.
#[must_use]
pub fn protection(kind: &Kind) -> Option<&'static str> {
    if *kind == kinds::PERSISTENT_VOLUME_CLAIM {
        Some("kubernetes.io/pvc-protection")
    } else if *kind == kinds::PERSISTENT_VOLUME {
        Some("kubernetes.io/pv-protection")
    } else {
        None
    }
}

/// Protects a new claim or volume, and gives a claim that names no class the default one.
pub(crate) fn admit(kind: &Kind, object: &mut Value, others: &dyn Objects) {
    let Some(finalizer) = protection(kind) else { return };
    match object["metadata"]["finalizers"].as_array_mut() {
        Some(all) if all.iter().any(|other| other == finalizer) => {}
        Some(all) => all.push(finalizer.into()),
        None => object["metadata"]["finalizers"] = json!([finalizer]),
    }
    if *kind == kinds::PERSISTENT_VOLUME_CLAIM
        && object["spec"]["storageClassName"].is_null()
        && let Some(class) = default_class(others)
    {
        object["spec"]["storageClassName"] = class.into();
    }
}

/// The newest of the default classes.
fn default_class(others: &dyn Objects) -> Option<String> {
    let mut classes = others.list("storage.k8s.io/v1", "StorageClass");
    classes.retain(|class| class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true");
    let newest = classes.iter().max_by(|a, b| {
        let age = |class| {
            (
                text(class, "/metadata/creationTimestamp"),
                text(class, "/metadata/name"),
            )
        };
        // Of two of the same age the first by name.
        age(a).0.cmp(age(b).0).then_with(|| age(b).1.cmp(age(a).1))
    });
    newest.map(|class| text(class, "/metadata/name").to_owned())
}

fn validate_modes(path: &str, spec: &Value, missing: &str, errors: &mut Vec<FieldError>) {
    let modes: Vec<&str> = spec["accessModes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let path = format!("{path}.accessModes");
    if modes.is_empty() {
        errors.push(FieldError::required(&path, missing));
    }
    for mode in &modes {
        if !ACCESS_MODES.contains(mode) {
            errors.push(FieldError::not_supported(&path, mode, &ACCESS_MODES));
        }
    }
    if modes.len() > 1 && modes.contains(&"ReadWriteOncePod") {
        let detail = "may not use ReadWriteOncePod with other access modes";
        errors.push(FieldError::forbidden(path, detail));
    }
}

fn validate_size(path: String, size: &Value, errors: &mut Vec<FieldError>) {
    match size.as_str().map(|text| (text, quantity::millis(text))) {
        None => errors.push(FieldError::required(path, "")),
        Some((text, None)) => errors.push(FieldError::invalid(path, text, quantity::MALFORMED)),
        Some((text, Some(..=0))) => errors.push(FieldError::invalid(path, text, "must be greater than zero")),
        Some(_) => {}
    }
}

fn validate_volume_mode(path: &str, spec: &Value, errors: &mut Vec<FieldError>) {
    let mode = spec["volumeMode"].as_str().unwrap_or("Filesystem");
    if !["Block", "Filesystem"].contains(&mode) {
        let path = format!("{path}.volumeMode");
        errors.push(FieldError::not_supported(path, mode, &["Block", "Filesystem"]));
    }
}

/// What is wrong with the spec of a claim at this path.
pub(crate) fn validate_claim(path: &str, spec: &Value, errors: &mut Vec<FieldError>) {
    validate_modes(path, spec, "at least 1 access mode is required", errors);
    let size = &spec["resources"]["requests"]["storage"];
    validate_size(format!("{path}.resources[storage]"), size, errors);
    validate_volume_mode(path, spec, errors);
}

/// Where a volume is: the objects of its spec that say nothing else.
pub fn sources(spec: &Value) -> impl Iterator<Item = (&String, &Value)> {
    const OTHERS: [&str; 3] = ["capacity", "claimRef", "nodeAffinity"];
    let fields = spec.as_object().into_iter().flatten();
    fields.filter(|(name, value)| value.is_object() && !OTHERS.contains(&name.as_str()))
}

/// What is wrong with a volume.
pub(crate) fn validate_volume(object: &Value, errors: &mut Vec<FieldError>) {
    let spec = &object["spec"];
    validate_modes("spec", spec, "", errors);
    if spec["capacity"]["storage"].is_null() {
        errors.push(FieldError::required("spec.capacity", ""));
    } else {
        validate_size(
            "spec.capacity[storage]".to_owned(),
            &spec["capacity"]["storage"],
            errors,
        );
    }
    let policy = text(spec, "/persistentVolumeReclaimPolicy");
    const POLICIES: [&str; 3] = ["Delete", "Recycle", "Retain"];
    if !policy.is_empty() && !POLICIES.contains(&policy) {
        let path = "spec.persistentVolumeReclaimPolicy";
        errors.push(FieldError::not_supported(path, policy, &POLICIES));
    }
    let sources: Vec<&str> = sources(spec).map(|(name, _)| name.as_str()).collect();
    match sources.as_slice() {
        [] => errors.push(FieldError::required("spec", "must specify a volume type")),
        [_] => {}
        [_, more @ ..] => {
            for source in more {
                let detail = "may not specify more than 1 volume type";
                errors.push(FieldError::forbidden(format!("spec.{source}"), detail));
            }
        }
    }
    for source in ["hostPath", "local"] {
        let path = text(spec, &format!("/{source}/path"));
        if spec[source].is_object() && path.is_empty() {
            errors.push(FieldError::required(format!("spec.{source}.path"), ""));
        } else if path.split('/').any(|name| name == "..") {
            let field = format!("spec.{source}.path");
            errors.push(FieldError::invalid(field, path, "must not contain '..'"));
        }
    }
    if spec["local"].is_object() && spec["nodeAffinity"]["required"].is_null() {
        let detail = "Local volume requires node affinity";
        errors.push(FieldError::required("spec.nodeAffinity", detail));
    }
    validate_volume_mode("spec", spec, errors);
}

/// What may not be changed of a claim (`ValidatePersistentVolumeClaimUpdate`). Volumes of podsim do not grow.
pub(crate) fn validate_claim_update(object: &Value, old: &Value, errors: &mut Vec<FieldError>) {
    let mut spec = object["spec"].clone();
    // The controller says once what a claim is bound to, and a claim without a class may be given one.
    for field in ["volumeName", "storageClassName"] {
        if text(&old["spec"], &format!("/{field}")).is_empty() && old["spec"][field] != json!("") {
            spec[field] = old["spec"][field].clone();
        }
    }
    let size = |spec: &Value| spec["resources"]["requests"]["storage"].clone();
    let bytes = |spec: &Value| size(spec).as_str().and_then(quantity::millis);
    let bound = old["status"]["phase"] == "Bound";
    if bound && bytes(&spec) != bytes(&old["spec"]) {
        let path = "spec.resources.requests.storage";
        if bytes(&spec) < bytes(&old["spec"]) {
            let detail = "field can not be less than status.capacity";
            errors.push(FieldError::forbidden(path, detail));
        } else {
            let detail = "podsim's volumes cannot be resized: make a new claim";
            errors.push(FieldError::forbidden(path, detail));
        }
        return;
    }
    if bound {
        // However it is written.
        spec["resources"] = old["spec"]["resources"].clone();
    }
    let without_nulls = |mut spec: Value| {
        if let Some(spec) = spec.as_object_mut() {
            spec.retain(|_, value| !value.is_null());
        }
        spec
    };
    if without_nulls(spec) != without_nulls(old["spec"].clone()) {
        let detail =
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        errors.push(FieldError::forbidden("spec", detail));
    }
}

/// What may not be changed of a volume: where it is.
pub(crate) fn validate_volume_update(object: &Value, old: &Value, errors: &mut Vec<FieldError>) {
    if !sources(&object["spec"]).eq(sources(&old["spec"])) {
        let path = "spec.persistentvolumesource";
        let detail = "spec.persistentvolumesource is immutable after creation";
        errors.push(FieldError::forbidden(path, detail));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(check: impl FnOnce(&mut Vec<FieldError>)) -> Vec<String> {
        let mut errors = vec![];
        check(&mut errors);
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_wrong_with_a_claim() {
        let claim =
            |modes: Value, size: Value| json!({"accessModes": modes, "resources": {"requests": {"storage": size}}});
        for (spec, expected) in [
            (claim(json!(["ReadWriteOnce"]), json!("1Gi")), vec![]),
            (
                json!({"volumeMode": "Raw"}),
                vec![
                    "spec.accessModes: Required value: at least 1 access mode is required",
                    "spec.resources[storage]: Required value",
                    "spec.volumeMode: Unsupported value: \"Raw\": supported values: \"Block\", \"Filesystem\"",
                ],
            ),
            (
                claim(json!(["ReadWriteOncePod", "Once"]), json!("0")),
                vec![
                    "spec.accessModes: Unsupported value: \"Once\": supported values: \"ReadOnlyMany\", \"ReadWriteMany\", \
                     \"ReadWriteOnce\", \"ReadWriteOncePod\"",
                    "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes",
                    "spec.resources[storage]: Invalid value: \"0\": must be greater than zero",
                ],
            ),
        ] {
            assert_eq!(said(|errors| validate_claim("spec", &spec, errors)), expected, "{spec}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_volume() {
        let volume = |more: Value| {
            let mut spec = json!({"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}});
            for (field, value) in more.as_object().into_iter().flatten() {
                spec[field] = value.clone();
            }
            json!({ "spec": spec })
        };
        for (object, expected) in [
            (volume(json!({"hostPath": {"path": "/data"}})), vec![]),
            (
                json!({"spec": {}}),
                vec![
                    "spec.accessModes: Required value",
                    "spec.capacity: Required value",
                    "spec: Required value: must specify a volume type",
                ],
            ),
            (
                volume(json!({"local": {"path": "/a/../b"}, "hostPath": {"path": ""}})),
                vec![
                    "spec.local: Forbidden: may not specify more than 1 volume type",
                    "spec.hostPath.path: Required value",
                    "spec.local.path: Invalid value: \"/a/../b\": must not contain '..'",
                    "spec.nodeAffinity: Required value: Local volume requires node affinity",
                ],
            ),
            (
                volume(json!({"nfs": {}, "persistentVolumeReclaimPolicy": "Keep"})),
                vec![
                    "spec.persistentVolumeReclaimPolicy: Unsupported value: \"Keep\": supported values: \"Delete\", \"Recycle\", \"Retain\"",
                ],
            ),
        ] {
            assert_eq!(said(|errors| validate_volume(&object, errors)), expected, "{object}");
        }
    }

    #[test]
    fn a_volume_stays_where_it_is() {
        let volume =
            |source: &str, path: &str| json!({"spec": {source: {"path": path}, "capacity": {"storage": "1Gi"}}});
        for (new, expected) in [
            (volume("hostPath", "/a"), vec![]),
            (
                volume("hostPath", "/b"),
                vec!["spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"],
            ),
            (
                volume("iscsi", "/a"),
                vec!["spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"],
            ),
        ] {
            let found = said(|errors| validate_volume_update(&new, &volume("hostPath", "/a"), errors));
            assert_eq!(found, expected, "{new}");
        }
    }

    #[test]
    fn a_claim_is_bound_once_and_stays_as_it_is() {
        let immutable = "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for \
                         bound claims";
        let claim = |volume: Option<&str>, size: &str, phase: &str| {
            json!({
                "spec": {"accessModes": ["ReadWriteOnce"], "volumeName": volume, "resources": {"requests": {"storage": size}}},
                "status": {"phase": phase},
            })
        };
        let resize = "spec.resources.requests.storage: Forbidden: podsim's volumes cannot be resized: make a new claim";
        let shrink = "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity";
        for (old, new, expected) in [
            (
                claim(None, "1Gi", "Pending"),
                claim(Some("a"), "1Gi", "Pending"),
                vec![],
            ),
            (
                claim(Some("a"), "1Gi", "Bound"),
                claim(Some("a"), "1024Mi", "Bound"),
                vec![],
            ),
            (
                claim(Some("a"), "1Gi", "Bound"),
                claim(Some("b"), "1Gi", "Bound"),
                vec![immutable],
            ),
            (
                claim(None, "1Gi", "Pending"),
                claim(None, "2Gi", "Pending"),
                vec![immutable],
            ),
            (
                claim(Some("a"), "1Gi", "Bound"),
                claim(Some("a"), "2Gi", "Bound"),
                vec![resize],
            ),
            (
                claim(Some("a"), "2Gi", "Bound"),
                claim(Some("a"), "1Gi", "Bound"),
                vec![shrink],
            ),
        ] {
            let found = said(|errors| validate_claim_update(&new, &old, errors));
            assert_eq!(found, expected, "{old} -> {new}");
        }
    }
}

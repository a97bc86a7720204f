//! Is the source of a volume well-formed? (`validateVolumeSource` in `pkg/apis/core/validation/validation.go`, in its words.)

use super::quantity;
use super::validate::one_of;
use super::validate_container::{PULL_POLICIES, validate_resource_ref};
use crate::FieldError;
use k8s_openapi::api::core::v1::{DownwardAPIVolumeFile, HostPathVolumeSource, KeyToPath, Volume, VolumeProjection};
use std::collections::BTreeSet;

type Errors = Vec<FieldError>;

/// What is wrong with the source of the volume at this path.
pub(super) fn validate_source(path: &str, volume: &Volume, errors: &mut Errors) {
    if let Some(source) = &volume.empty_dir {
        let limit = source.size_limit.as_ref().and_then(|limit| quantity::millis(&limit.0));
        if limit.is_some_and(|limit| limit < 0) {
            let detail = "SizeLimit field must be a valid resource quantity";
            errors.push(FieldError::forbidden(format!("{path}.emptyDir.sizeLimit"), detail));
        }
    }
    if let Some(source) = &volume.host_path {
        validate_host_path(&format!("{path}.hostPath"), source, errors);
    }
    if let Some(source) = &volume.config_map {
        let path = format!("{path}.configMap");
        required(&path, "name", &source.name, errors);
        validate_mode(&format!("{path}.defaultMode"), source.default_mode, errors);
        validate_items(&path, source.items.as_deref(), errors);
    }
    if let Some(source) = &volume.secret {
        let path = format!("{path}.secret");
        required(
            &path,
            "secretName",
            source.secret_name.as_deref().unwrap_or_default(),
            errors,
        );
        validate_mode(&format!("{path}.defaultMode"), source.default_mode, errors);
        validate_items(&path, source.items.as_deref(), errors);
    }
    if let Some(source) = &volume.downward_api {
        let path = format!("{path}.downwardAPI");
        validate_mode(&format!("{path}.defaultMode"), source.default_mode, errors);
        validate_files(&path, source.items.as_deref(), errors);
    }
    if let Some(source) = &volume.projected {
        let path = format!("{path}.projected");
        validate_mode(&format!("{path}.defaultMode"), source.default_mode, errors);
        let mut paths = BTreeSet::new();
        for (i, source) in source.sources.iter().flatten().enumerate() {
            validate_projection(&format!("{path}.sources[{i}]"), source, &mut paths, errors);
        }
    }
    if let Some(source) = &volume.image {
        let path = format!("{path}.image");
        required(
            &path,
            "reference",
            source.reference.as_deref().unwrap_or_default(),
            errors,
        );
        let policy = source.pull_policy.as_ref().filter(|policy| !policy.is_empty());
        one_of(&format!("{path}.pullPolicy"), policy, &PULL_POLICIES, errors);
    }
    if let Some(source) = &volume.ephemeral {
        let path = format!("{path}.ephemeral.volumeClaimTemplate");
        match &source.volume_claim_template {
            None => errors.push(FieldError::required(path, "")),
            Some(template) => {
                let spec = serde_json::to_value(&template.spec).unwrap_or_default();
                crate::volume::validate_claim(&format!("{path}.spec"), &spec, errors);
            }
        }
    }
    if let Some(source) = &volume.persistent_volume_claim {
        required(
            &format!("{path}.persistentVolumeClaim"),
            "claimName",
            &source.claim_name,
            errors,
        );
    }
}

fn required(path: &str, field: &str, value: &str, errors: &mut Errors) {
    if value.is_empty() {
        errors.push(FieldError::required(format!("{path}.{field}"), ""));
    }
}

fn validate_host_path(path: &str, source: &HostPathVolumeSource, errors: &mut Errors) {
    const TYPES: [&str; 8] = [
        "",
        "BlockDevice",
        "CharDevice",
        "Directory",
        "DirectoryOrCreate",
        "File",
        "FileOrCreate",
        "Socket",
    ];
    required(path, "path", &source.path, errors);
    if source.path.split('/').any(|name| name == "..") {
        errors.push(FieldError::invalid(
            format!("{path}.path"),
            &source.path,
            "must not contain '..'",
        ));
    }
    let type_ = source.type_.as_deref().unwrap_or_default();
    if !TYPES.contains(&type_) {
        errors.push(FieldError::not_supported(format!("{path}.type"), type_, &TYPES));
    }
}

fn validate_mode(path: &str, mode: Option<i32>, errors: &mut Errors) {
    if let Some(mode) = mode.filter(|mode| !(0..=0o777).contains(mode)) {
        let detail = "must be a number between 0 and 0777 (octal), both inclusive";
        errors.push(FieldError::invalid_raw(path, mode, detail));
    }
}

/// `validateLocalNonReservedPath`: a path inside of the volume that the atomic writer does not keep for itself.
fn validate_path(path: &str, value: &str, errors: &mut Errors) {
    if value.is_empty() {
        errors.push(FieldError::required(path, ""));
        return;
    }
    if value.starts_with('/') {
        errors.push(FieldError::invalid(path, value, "must be a relative path"));
    }
    if value.split('/').any(|name| name == "..") {
        errors.push(FieldError::invalid(path, value, "must not contain '..'"));
    }
    if value.starts_with("..") && value.split('/').next() != Some("..") {
        errors.push(FieldError::invalid(path, value, "must not start with '..'"));
    }
}

fn validate_items(path: &str, items: Option<&[KeyToPath]>, errors: &mut Errors) {
    for (i, item) in items.unwrap_or_default().iter().enumerate() {
        let path = format!("{path}.items[{i}]");
        required(&path, "key", &item.key, errors);
        validate_path(&format!("{path}.path"), &item.path, errors);
        validate_mode(&format!("{path}.mode"), item.mode, errors);
    }
}

/// `validateDownwardAPIVolumeFile`.
fn validate_files(path: &str, items: Option<&[DownwardAPIVolumeFile]>, errors: &mut Errors) {
    const FIELDS: [&str; 5] = [
        "metadata.annotations",
        "metadata.labels",
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
    ];
    for (i, item) in items.unwrap_or_default().iter().enumerate() {
        let path = format!("{path}.items[{i}]");
        validate_path(&format!("{path}.path"), &item.path, errors);
        match (&item.field_ref, &item.resource_field_ref) {
            (Some(field), other) => {
                let field = field.field_path.as_str();
                let one = |map: &str| {
                    let key = field.strip_prefix(map);
                    key.is_some_and(|key| key.starts_with("['") && key.ends_with("']"))
                };
                let known = FIELDS.contains(&field) || one("metadata.labels") || one("metadata.annotations");
                required(&path, "fieldRef.fieldPath", field, errors);
                if !field.is_empty() && !known {
                    let path = format!("{path}.fieldRef.fieldPath");
                    errors.push(FieldError::not_supported(path, field, &FIELDS));
                }
                if other.is_some() {
                    let detail = "fieldRef and resourceFieldRef can not be specified simultaneously";
                    errors.push(FieldError::invalid(&path, "resource", detail));
                }
            }
            (None, Some(resource)) => {
                let path = format!("{path}.resourceFieldRef");
                let container = resource.container_name.as_deref().unwrap_or_default();
                required(&path, "containerName", container, errors);
                validate_resource_ref(&path, resource, errors);
            }
            (None, None) => {
                let detail = "one of fieldRef and resourceFieldRef is required";
                errors.push(FieldError::required(&path, detail));
            }
        }
        validate_mode(&format!("{path}.mode"), item.mode, errors);
    }
}

/// One source of a projected volume; `paths` are those that the sources before it write to.
fn validate_projection(path: &str, source: &VolumeProjection, paths: &mut BTreeSet<String>, errors: &mut Errors) {
    let mut written: Vec<&str> = vec![];
    let mut count = 0;
    if let Some(source) = &source.config_map {
        count += 1;
        let path = format!("{path}.configMap");
        required(&path, "name", &source.name, errors);
        validate_items(&path, source.items.as_deref(), errors);
        written.extend(source.items.iter().flatten().map(|item| item.path.as_str()));
    }
    if let Some(source) = &source.secret {
        count += 1;
        let path = format!("{path}.secret");
        required(&path, "name", &source.name, errors);
        validate_items(&path, source.items.as_deref(), errors);
        written.extend(source.items.iter().flatten().map(|item| item.path.as_str()));
    }
    if let Some(source) = &source.downward_api {
        count += 1;
        validate_files(&format!("{path}.downwardAPI"), source.items.as_deref(), errors);
        written.extend(source.items.iter().flatten().map(|item| item.path.as_str()));
    }
    if let Some(source) = &source.service_account_token {
        count += 1;
        let path = format!("{path}.serviceAccountToken");
        let seconds = source.expiration_seconds.unwrap_or(3600);
        let field = format!("{path}.expirationSeconds");
        if seconds < 600 {
            let detail = "may not specify a duration less than 10 minutes";
            errors.push(FieldError::invalid_raw(field, seconds, detail));
        } else if seconds > 1 << 32 {
            let detail = "may not specify a duration larger than 2^32 seconds";
            errors.push(FieldError::invalid_raw(field, seconds, detail));
        }
        validate_path(&format!("{path}.path"), &source.path, errors);
        written.push(&source.path);
    }
    if count > 1 {
        errors.push(FieldError::forbidden(path, "may not specify more than 1 volume type"));
    }
    for name in written.into_iter().filter(|name| !name.is_empty()) {
        if !paths.insert(name.to_owned()) {
            errors.push(FieldError::invalid(path, name, "conflicting duplicate paths"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn complaints(source: Value) -> Vec<String> {
        let mut volume = source;
        volume["name"] = "v".into();
        let volume: Volume = serde_json::from_value(volume).expect("a volume");
        let mut errors = vec![];
        validate_source("v", &volume, &mut errors);
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_wrong_with_sources_is_said_as_upstream_says_it() {
        let item = |path: &str| json!([{ "key": "k", "path": path }]);
        for (source, expected) in [
            (json!({ "emptyDir": {} }), vec![]),
            (
                json!({ "configMap": { "name": "c", "items": [{ "key": "k", "path": "a/..b", "mode": 0 }] } }),
                vec![],
            ),
            (
                json!({ "configMap": { "defaultMode": 512, "items": [{ "key": "", "path": "", "mode": -1 }] } }),
                vec![
                    "v.configMap.name: Required value",
                    "v.configMap.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive",
                    "v.configMap.items[0].key: Required value",
                    "v.configMap.items[0].path: Required value",
                    "v.configMap.items[0].mode: Invalid value: -1: must be a number between 0 and 0777 (octal), both inclusive",
                ],
            ),
            (
                json!({ "secret": { "secretName": "s", "items": item("/a") } }),
                vec!["v.secret.items[0].path: Invalid value: \"/a\": must be a relative path"],
            ),
            (
                json!({ "secret": { "secretName": "s", "items": item("a/../b") } }),
                vec!["v.secret.items[0].path: Invalid value: \"a/../b\": must not contain '..'"],
            ),
            (
                json!({ "secret": { "items": item("..data") } }),
                vec![
                    "v.secret.secretName: Required value",
                    "v.secret.items[0].path: Invalid value: \"..data\": must not start with '..'",
                ],
            ),
            (
                json!({ "downwardAPI": { "items": [
                    { "path": "a", "fieldRef": { "fieldPath": "status.podIP" } },
                    { "path": "b" },
                    { "path": "c", "resourceFieldRef": { "resource": "limits.cpu" } },
                    { "path": "d", "fieldRef": { "fieldPath": "metadata.labels['x']" } },
                ] } }),
                vec![
                    "v.downwardAPI.items[0].fieldRef.fieldPath: Unsupported value: \"status.podIP\": supported values: \
                     \"metadata.annotations\", \"metadata.labels\", \"metadata.name\", \"metadata.namespace\", \"metadata.uid\"",
                    "v.downwardAPI.items[1]: Required value: one of fieldRef and resourceFieldRef is required",
                    "v.downwardAPI.items[2].resourceFieldRef.containerName: Required value",
                ],
            ),
            (
                json!({ "projected": { "sources": [
                    { "configMap": { "name": "c", "items": item("a") } },
                    { "secret": { "name": "s", "items": item("a") } },
                    { "serviceAccountToken": { "path": "t", "expirationSeconds": 599 } },
                    { "secret": { "name": "s" }, "configMap": { "name": "c" } },
                ] } }),
                vec![
                    "v.projected.sources[1]: Invalid value: \"a\": conflicting duplicate paths",
                    "v.projected.sources[2].serviceAccountToken.expirationSeconds: Invalid value: 599: may not specify a duration less \
                     than 10 minutes",
                    "v.projected.sources[3]: Forbidden: may not specify more than 1 volume type",
                ],
            ),
            (
                json!({ "hostPath": { "path": "/a/../b", "type": "Pipe" } }),
                vec![
                    "v.hostPath.path: Invalid value: \"/a/../b\": must not contain '..'",
                    "v.hostPath.type: Unsupported value: \"Pipe\": supported values: \"\", \"BlockDevice\", \"CharDevice\", \"Directory\", \
                     \"DirectoryOrCreate\", \"File\", \"FileOrCreate\", \"Socket\"",
                ],
            ),
            (
                json!({ "image": { "pullPolicy": "Sometimes" } }),
                vec![
                    "v.image.reference: Required value",
                    "v.image.pullPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"IfNotPresent\", \"Never\"",
                ],
            ),
            (
                json!({ "ephemeral": {} }),
                vec!["v.ephemeral.volumeClaimTemplate: Required value"],
            ),
            (
                json!({ "ephemeral": { "volumeClaimTemplate": { "spec": {} } } }),
                vec![
                    "v.ephemeral.volumeClaimTemplate.spec.accessModes: Required value: at least 1 access mode is required",
                    "v.ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value",
                ],
            ),
            (
                json!({ "emptyDir": { "sizeLimit": "-1" } }),
                vec!["v.emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity"],
            ),
            (
                json!({ "persistentVolumeClaim": { "claimName": "" } }),
                vec!["v.persistentVolumeClaim.claimName: Required value"],
            ),
        ] {
            assert_eq!(complaints(source.clone()), expected, "{source}");
        }
    }
}

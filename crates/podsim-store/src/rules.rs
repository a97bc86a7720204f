//! What is refused in objects of the kinds that are kept rather than run (`pkg/apis/*/validation`). (Pods have a folder of their own.)

use crate::certificate;
use crate::pod::names;
use crate::state::text;
use crate::{FieldError, Kind, volume};
use k8s_openapi::ByteString;
use serde_json::{Map, Value};

/// What all of a ConfigMap's or a Secret's values may come to, in bytes (`MaxSecretSize`).
const MAX_DATA: usize = 1024 * 1024;
/// The highest priority that a user may give (`HighestUserDefinablePriority`).
const MAX_PRIORITY: i64 = 1_000_000_000;

/// Rules that are more than types.
pub(crate) fn validate(kind: &Kind, object: &Value) -> Vec<FieldError> {
    let mut errors = vec![];
    let mut require = |pointer: &str| {
        if object.pointer(pointer).is_none_or(Value::is_null) {
            errors.push(FieldError::required(
                pointer.trim_start_matches('/').replace('/', "."),
                "",
            ));
        }
    };
    match kind.kind {
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" => {
            require("/spec/selector");
            require("/spec/template/spec/containers");
            let labels = object
                .pointer("/spec/template/metadata/labels")
                .cloned()
                .unwrap_or_default();
            let wanted = object.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
            if wanted.into_iter().flatten().any(|(key, value)| labels[key] != *value) {
                let shown = go_map(labels.as_object());
                let detail = "`selector` does not match template `labels`";
                errors.push(FieldError::invalid_raw("spec.template.metadata.labels", shown, detail));
            }
        }
        "Job" => require("/spec/template/spec/containers"),
        "CronJob" => {
            require("/spec/schedule");
            require("/spec/jobTemplate/spec/template/spec/containers");
        }
        "PersistentVolumeClaim" => volume::validate_claim("spec", &object["spec"], &mut errors),
        "PersistentVolume" => volume::validate_volume(object, &mut errors),
        "StorageClass" => require("/provisioner"),
        "RoleBinding" | "ClusterRoleBinding" => require("/roleRef"),
        "ConfigMap" => validate_config_map(object, &mut errors),
        "Secret" => validate_secret(object, &mut errors),
        "RuntimeClass" => {
            let handler = text(object, "/handler");
            errors.extend(names::dns_label(handler).map(|wrong| FieldError::invalid("handler", handler, wrong)));
        }
        "PriorityClass" => validate_priority_class(object, &mut errors),
        "HorizontalPodAutoscaler" => validate_autoscaler(object, &mut errors),
        "CertificateSigningRequest" => errors.extend(certificate::validate(object)),
        "FlowSchema" => {
            require("/spec/priorityLevelConfiguration/name");
            validate_precedence(object, &mut errors);
        }
        "PriorityLevelConfiguration" => {
            let kind = text(object, "/spec/type");
            if !["Exempt", "Limited"].contains(&kind) {
                errors.push(FieldError::not_supported("spec.type", kind, &["Exempt", "Limited"]));
            } else if kind == "Limited" {
                require("/spec/limited");
            }
        }
        "CustomResourceDefinition" => {
            for pointer in [
                "/spec/group",
                "/spec/names/plural",
                "/spec/names/kind",
                "/spec/scope",
                "/spec/versions",
            ] {
                require(pointer);
            }
            let full = format!("{}.{}", text(object, "/spec/names/plural"), text(object, "/spec/group"));
            if errors.is_empty() && text(object, "/metadata/name") != full {
                let detail = "must be spec.names.plural+\".\"+spec.group";
                errors.push(FieldError::invalid(
                    "metadata.name",
                    text(object, "/metadata/name"),
                    detail,
                ));
            }
        }
        _ => {}
    }
    errors
}

fn validate_keys(object: &Value, field: &str, errors: &mut Vec<FieldError>) {
    for key in object[field].as_object().into_iter().flatten().map(|(key, _)| key) {
        let wrong = names::config_key(key);
        errors.extend(wrong.map(|wrong| FieldError::invalid(format!("{field}[{key}]"), key, wrong)));
    }
}

/// The bytes of a value that is base64 in JSON.
fn bytes(value: &Value) -> Vec<u8> {
    serde_json::from_value::<ByteString>(value.clone()).map_or_else(|_| Vec::new(), |bytes| bytes.0)
}

fn validate_config_map(object: &Value, errors: &mut Vec<FieldError>) {
    let (data, binary) = (object["data"].as_object(), object["binaryData"].as_object());
    validate_keys(object, "data", errors);
    for (key, _) in data.into_iter().flatten() {
        if binary.is_some_and(|binary| binary.contains_key(key)) {
            let detail = "duplicate of key present in binaryData";
            errors.push(FieldError::invalid(format!("data[{key}]"), key, detail));
        }
    }
    validate_keys(object, "binaryData", errors);
    let plain = data
        .into_iter()
        .flatten()
        .filter_map(|(_, value)| value.as_str().map(str::len));
    let coded = binary.into_iter().flatten().map(|(_, value)| bytes(value).len());
    if plain.chain(coded).sum::<usize>() > MAX_DATA {
        errors.push(FieldError::too_long("", MAX_DATA));
    }
}

fn validate_secret(object: &Value, errors: &mut Vec<FieldError>) {
    validate_keys(object, "data", errors);
    let data = object["data"].as_object();
    let value = |key: &str| data.and_then(|data| data.get(key)).map(bytes);
    if data
        .into_iter()
        .flatten()
        .map(|(_, value)| bytes(value).len())
        .sum::<usize>()
        > MAX_DATA
    {
        errors.push(FieldError::too_long("data", MAX_DATA));
    }
    let mut require = |key: &str| errors.push(FieldError::required(format!("data[{key}]"), ""));
    match text(object, "/type") {
        "kubernetes.io/service-account-token" => {
            const ACCOUNT: &str = "kubernetes.io/service-account.name";
            if object["metadata"]["annotations"][ACCOUNT]
                .as_str()
                .is_none_or(str::is_empty)
            {
                errors.push(FieldError::required(format!("metadata.annotations[{ACCOUNT}]"), ""));
            }
        }
        docker @ ("kubernetes.io/dockercfg" | "kubernetes.io/dockerconfigjson") => {
            let key = docker.replace("kubernetes.io/", ".");
            match value(&key).map(|json| serde_json::from_slice::<Map<String, Value>>(&json)) {
                None => require(&key),
                Some(Ok(_)) => {}
                Some(Err(wrong)) => errors.push(FieldError::invalid(
                    format!("data[{key}]"),
                    "<secret contents redacted>",
                    wrong.to_string(),
                )),
            }
        }
        "kubernetes.io/basic-auth" if value("username").is_none() && value("password").is_none() => {
            ["username", "password"].into_iter().for_each(require);
        }
        "kubernetes.io/ssh-auth" if value("ssh-privatekey").is_none_or(|key| key.is_empty()) => {
            require("ssh-privatekey");
        }
        "kubernetes.io/tls" => ["tls.crt", "tls.key"]
            .into_iter()
            .filter(|key| value(key).is_none())
            .for_each(require),
        _ => {}
    }
}

fn validate_priority_class(object: &Value, errors: &mut Vec<FieldError>) {
    let (name, value) = (text(object, "/metadata/name"), object["value"].as_i64().unwrap_or(0));
    let ours = [
        ("system-cluster-critical", 2_000_000_000),
        ("system-node-critical", 2_000_001_000),
    ];
    if ours.contains(&(name, value)) {
        return;
    }
    if name.starts_with("system-") {
        let detail = format!(
            "priority class names with 'system-' prefix are reserved for system use only. error: {name} is not a known system priority class"
        );
        errors.push(FieldError::forbidden("metadata.name", detail));
    } else if value > MAX_PRIORITY {
        let detail = format!("maximum allowed value of a user defined priority is {MAX_PRIORITY}");
        errors.push(FieldError::forbidden("value", detail));
    }
}

/// `validateHorizontalPodAutoscalerSpec`, as far as it is about numbers and the target.
fn validate_autoscaler(object: &Value, errors: &mut Vec<FieldError>) {
    let number = |field: &str| object["spec"][field].as_i64();
    let mut wrong = |field: &str, value: i64, detail: &str| {
        errors.push(FieldError::invalid_raw(format!("spec.{field}"), value, detail));
    };
    let (min, max) = (number("minReplicas"), number("maxReplicas").unwrap_or(0));
    if let Some(min) = min.filter(|min| *min < 1) {
        wrong("minReplicas", min, "must be greater than or equal to 1");
    }
    if max < 1 {
        wrong("maxReplicas", max, "must be greater than 0");
    }
    if min.is_some_and(|min| max < min) {
        wrong("maxReplicas", max, "must be greater than or equal to `minReplicas`");
    }
    for field in ["kind", "name"] {
        if text(object, &format!("/spec/scaleTargetRef/{field}")).is_empty() {
            errors.push(FieldError::required(format!("spec.scaleTargetRef.{field}"), ""));
        }
    }
}

fn validate_precedence(object: &Value, errors: &mut Vec<FieldError>) {
    let precedence = object["spec"]["matchingPrecedence"].as_i64().unwrap_or(0);
    let detail = match precedence {
        ..=0 => "must be a positive value",
        1..=10_000 => return,
        _ => "must not be greater than 10000",
    };
    errors.push(FieldError::invalid_raw("spec.matchingPrecedence", precedence, detail));
}

/// As Go prints a map of labels.
fn go_map(labels: Option<&Map<String, Value>>) -> String {
    let pairs: Vec<String> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key:?}:{value}"))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}

/// What may not be changed.
pub(crate) fn validate_update(kind: &Kind, object: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = vec![];
    let changed = |pointer: &str| object.pointer(pointer) != old.pointer(pointer);
    match kind.kind {
        "Deployment" | "ReplicaSet" | "DaemonSet" if changed("/spec/selector") => {
            let shown = object.pointer("/spec/selector").unwrap_or(&Value::Null).to_string();
            errors.push(FieldError::invalid_raw("spec.selector", shown, "field is immutable"));
        }
        "Secret" if changed("/type") => {
            errors.push(FieldError::invalid("type", text(object, "/type"), "field is immutable"));
        }
        "RuntimeClass" if changed("/handler") => {
            errors.push(FieldError::invalid(
                "handler",
                text(object, "/handler"),
                "field is immutable",
            ));
        }
        "PriorityClass" if changed("/value") => {
            errors.push(FieldError::forbidden("value", "may not be changed in an update."));
        }
        "StorageClass" => {
            for field in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] {
                if object[field] != old[field] {
                    let detail = format!("updates to {field} are forbidden.");
                    errors.push(FieldError::forbidden(field, detail));
                }
            }
        }
        "PersistentVolumeClaim" => volume::validate_claim_update(object, old, &mut errors),
        "PersistentVolume" => volume::validate_volume_update(object, old, &mut errors),
        "ConfigMap" | "Secret" if old["immutable"] == true => {
            if object["immutable"] != true {
                errors.push(FieldError::forbidden(
                    "immutable",
                    "field is immutable when `immutable` is set",
                ));
            }
            for field in ["data", "binaryData"] {
                if object[field] != old[field] {
                    errors.push(FieldError::forbidden(
                        field,
                        "field is immutable when `immutable` is set",
                    ));
                }
            }
        }
        "Job" if changed("/spec/template") => {
            errors.push(FieldError::invalid_raw("spec.template", "{…}", "field is immutable"));
        }
        "RoleBinding" | "ClusterRoleBinding" if changed("/roleRef") => {
            errors.push(FieldError::invalid_raw(
                "roleRef",
                &object["roleRef"],
                "cannot change roleRef",
            ));
        }
        _ => {}
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;
    use serde_json::json;

    fn said(errors: &[FieldError]) -> Vec<String> {
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_wrong_with_an_object() {
        let key = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or \
                   'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
        let secret = |kind: &str, data: Value| json!({"type": format!("kubernetes.io/{kind}"), "data": data});
        for (kind, object, expected) in [
            (&kinds::CONFIG_MAP, json!({"data": {"a.b_C-1": ""}}), vec![]),
            (
                &kinds::CONFIG_MAP,
                json!({"data": {"": ""}}),
                vec![format!("data[]: Invalid value: \"\": {key}")],
            ),
            (
                &kinds::CONFIG_MAP,
                json!({"binaryData": {"a/b": ""}}),
                vec![format!("binaryData[a/b]: Invalid value: \"a/b\": {key}")],
            ),
            (
                &kinds::CONFIG_MAP,
                json!({"data": {"..": "", "..a": "", "a": ""}, "binaryData": {"a": ""}}),
                vec![
                    "data[..]: Invalid value: \"..\": must not be '..'".to_owned(),
                    "data[..a]: Invalid value: \"..a\": must not start with '..'".to_owned(),
                    "data[a]: Invalid value: \"a\": duplicate of key present in binaryData".to_owned(),
                ],
            ),
            (
                &kinds::CONFIG_MAP,
                json!({"data": {"a": "x".repeat(MAX_DATA)}, "binaryData": {"b": "eA=="}}),
                vec![": Too long: may not be more than 1048576 bytes".to_owned()],
            ),
            (
                &kinds::SECRET,
                json!({"type": "Opaque", "data": {"": ""}}),
                vec![format!("data[]: Invalid value: \"\": {key}")],
            ),
            (
                &kinds::SECRET,
                secret("tls", json!({"tls.key": ""})),
                vec!["data[tls.crt]: Required value".to_owned()],
            ),
            (
                &kinds::SECRET,
                secret("basic-auth", json!({})),
                vec![
                    "data[username]: Required value".to_owned(),
                    "data[password]: Required value".to_owned(),
                ],
            ),
            (&kinds::SECRET, secret("basic-auth", json!({"password": ""})), vec![]),
            (
                &kinds::SECRET,
                secret("dockerconfigjson", json!({".dockerconfigjson": "e30="})),
                vec![],
            ),
            (
                &kinds::SECRET,
                secret("dockerconfigjson", json!({})),
                vec!["data[.dockerconfigjson]: Required value".to_owned()],
            ),
            (
                &kinds::PRIORITY_CLASS,
                json!({"metadata": {"name": "high"}, "value": 1_000_000_001}),
                vec!["value: Forbidden: maximum allowed value of a user defined priority is 1000000000".to_owned()],
            ),
            (
                &kinds::PRIORITY_CLASS,
                json!({"metadata": {"name": "system-node-critical"}, "value": 2_000_001_000}),
                vec![],
            ),
            (
                &kinds::HORIZONTAL_POD_AUTOSCALER,
                json!({"spec": {"minReplicas": 3, "maxReplicas": 2, "scaleTargetRef": {"kind": "Deployment"}}}),
                vec![
                    "spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`".to_owned(),
                    "spec.scaleTargetRef.name: Required value".to_owned(),
                ],
            ),
            (
                &kinds::FLOW_SCHEMA,
                json!({"spec": {"matchingPrecedence": 10_001}}),
                vec![
                    "spec.priorityLevelConfiguration.name: Required value".to_owned(),
                    "spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000".to_owned(),
                ],
            ),
            (
                &kinds::PRIORITY_LEVEL_CONFIGURATION,
                json!({"spec": {"type": "Some"}}),
                vec!["spec.type: Unsupported value: \"Some\": supported values: \"Exempt\", \"Limited\"".to_owned()],
            ),
        ] {
            assert_eq!(said(&validate(kind, &object)), expected, "{object}");
        }
    }

    #[test]
    fn what_may_not_be_changed() {
        for (kind, old, new, expected) in [
            (
                &kinds::SECRET,
                json!({"type": "a"}),
                json!({"type": "b"}),
                "type: Invalid value: \"b\": field is immutable",
            ),
            (
                &kinds::RUNTIME_CLASS,
                json!({"handler": "a"}),
                json!({"handler": "b"}),
                "handler: Invalid value: \"b\": field is immutable",
            ),
            (
                &kinds::PRIORITY_CLASS,
                json!({"value": 1}),
                json!({"value": 2}),
                "value: Forbidden: may not be changed in an update.",
            ),
            (
                &kinds::STORAGE_CLASS,
                json!({"provisioner": "a"}),
                json!({"provisioner": "b"}),
                "provisioner: Forbidden: updates to provisioner are forbidden.",
            ),
        ] {
            assert_eq!(said(&validate_update(kind, &new, &old)), [expected]);
            assert_eq!(said(&validate_update(kind, &old, &old)), [""; 0]);
        }
    }
}

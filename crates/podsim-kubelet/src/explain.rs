//! What podsim does with the fields that a manifest sets.

use crate::fields::{self, Field, Support};
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;
use std::fmt;

/// A field of a manifest, and its row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Where it is, as `spec.containers[0].tty`.
    pub path: String,
    /// What is said of it.
    pub field: &'static Field,
}

/// Something that was asked for and will not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where it is.
    pub path: String,
    /// Kept, or refused.
    pub support: Support,
    /// What it means.
    pub note: &'static str,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}: {}", self.path, self.support.name(), self.note)
    }
}

/// Every field that the manifest sets, in its order: as deep as the table goes, and no deeper.
#[must_use]
pub fn explain(manifest: &Value) -> Vec<Explained> {
    let mut found = vec![];
    walk("", manifest, &mut found);
    found
}

fn walk(path: &str, value: &Value, found: &mut Vec<Explained>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, child)| (join(path, key), child)).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(i, item)| (format!("{path}[{i}]"), item))
            .collect(),
        _ => vec![],
    };
    if children.is_empty() || !fields::has_rows_below(path) {
        found.extend(fields::lookup(path).map(|field| Explained {
            path: path.to_owned(),
            field,
        }));
        return;
    }
    children.iter().for_each(|(path, child)| walk(path, child, found));
}

fn join(path: &str, key: &str) -> String {
    let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    match (path.is_empty(), plain) {
        (true, _) => key.to_owned(),
        (false, true) => format!("{path}.{key}"),
        (false, false) => format!("{path}[{key}]"),
    }
}

/// What of this Pod will not be done. Give the Pod as it was written: defaults are nobody's wish.
#[must_use]
pub fn unsupported_fields(pod: &Pod) -> Vec<Warning> {
    let manifest = serde_json::to_value(pod).unwrap_or_default();
    let mut warnings = vec![];
    for Explained { path, field } in explain(&manifest) {
        if field.support != Support::Enforced && !path.starts_with("status") && !is_default(&manifest, &path) {
            warnings.push(Warning {
                path,
                support: field.support,
                note: field.note,
            });
        }
    }
    warnings
}

/// Is the value one that asks for nothing?
fn is_default(manifest: &Value, path: &str) -> bool {
    let pointer: String = path
        .replace('[', ".")
        .replace(']', "")
        .split('.')
        .map(|p| format!("/{p}"))
        .collect();
    match manifest.pointer(&pointer) {
        None | Some(Value::Null | Value::Bool(false)) => true,
        Some(Value::Bool(true)) => false,
        Some(Value::String(text)) => text.is_empty() || path.starts_with("spec.serviceAccount") && text == "default",
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Number(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn manifest() -> Value {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "x" },
            "spec": {
                "hostAliases": [{ "ip": "10.9.8.7", "hostnames": ["a"] }],
                "serviceAccountName": "default",
                "volumes": [{ "name": "v", "emptyDir": {} }, { "name": "w", "nfs": { "server": "s", "path": "/" } }],
                "containers": [{
                    "name": "a", "image": "busybox", "tty": true,
                    "ports": [{ "containerPort": 80, "hostPort": 8080 }],
                    "livenessProbe": { "exec": { "command": ["true"] } },
                    "lifecycle": { "preStop": { "exec": { "command": ["sh"] } } },
                    "resources": { "limits": { "cpu": "1", "memory": "1Mi" } },
                    "securityContext": { "runAsUser": 1, "seccompProfile": { "type": "RuntimeDefault" } },
                }],
            },
        })
    }

    #[test]
    fn what_does_not_act_is_warned_of() {
        let pod: Pod = serde_json::from_value(manifest()).unwrap_or_default();
        let warnings: Vec<_> = unsupported_fields(&pod)
            .iter()
            .map(|w| format!("{} {}", w.path, w.support.name()))
            .collect();
        assert_eq!(
            warnings,
            [
                "spec.containers[0].securityContext.seccompProfile recorded",
                "spec.volumes[1].nfs refused",
            ]
        );
    }

    #[test]
    fn the_pods_of_the_notes_are_done_as_they_ask() {
        let pod: Pod = serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "x" },
            "spec": {
                "hostNetwork": true, "hostIPC": true, "hostPID": true,
                "containers": [{ "name": "a", "image": "b", "imagePullPolicy": "Never", "stdin": true, "tty": true }],
            },
        }))
        .unwrap_or_default();
        assert_eq!(unsupported_fields(&pod), []);
    }

    #[test]
    fn every_set_field_is_explained_once() {
        let lines: Vec<_> = explain(&manifest())
            .iter()
            .map(|e| format!("{} {}", e.path, e.field.level.name()))
            .collect();
        for expected in [
            "spec.hostAliases pod",
            "spec.containers[0].tty container",
            "spec.containers[0].lifecycle.preStop.exec container",
        ] {
            assert_eq!(
                lines.iter().filter(|l| *l == expected).count(),
                1,
                "{expected}: {lines:#?}"
            );
        }
    }
}

//! CertificateSigningRequests (`pkg/apis/certificates/validation`, `pkg/registry/certificates/certificates`): what may be asked for, and what
//! the subresources `approval` and `status` may change. Nothing here signs.
//!
//! Of the request itself only its PEM block is read: who signs it outside of podsim reads the rest.

use crate::FieldError;
use crate::state::text;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

/// What the key may be used for (`allValidUsages`).
const USAGES: &[&str] = &[
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

/// The shortest life that may be asked for, in seconds.
const SHORTEST: i64 = 600;

/// What is wrong with a request and its conditions.
pub(crate) fn validate(object: &Value) -> Vec<FieldError> {
    let mut errors = vec![];
    let spec = &object["spec"];
    let request = spec["request"].as_str().unwrap_or_default();
    if !is_request(request) {
        let detail = "PEM block type must be CERTIFICATE REQUEST";
        errors.push(FieldError::invalid("spec.request", request, detail));
    }
    let usages: Vec<&str> = spec["usages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if usages.is_empty() {
        errors.push(FieldError::required("spec.usages", ""));
    }
    for (index, usage) in usages.iter().enumerate() {
        let field = format!("spec.usages[{index}]");
        if !USAGES.contains(usage) {
            errors.push(FieldError::not_supported(field, usage, USAGES));
        } else if usages[..index].contains(usage) {
            errors.push(FieldError::duplicate(field, usage));
        }
    }
    let signer = text(object, "/spec/signerName");
    match signer.split('/').collect::<Vec<_>>().as_slice() {
        [""] => errors.push(FieldError::required("spec.signerName", "")),
        [domain, path] if !domain.is_empty() && !path.is_empty() => {}
        _ => {
            let detail = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
            errors.push(FieldError::invalid("spec.signerName", signer, detail));
        }
    }
    if let Some(seconds) = spec["expirationSeconds"].as_i64().filter(|n| *n < SHORTEST) {
        let detail = "may not specify a duration less than 600 seconds (10 minutes)";
        errors.push(FieldError::invalid_raw("spec.expirationSeconds", seconds, detail));
    }
    errors
}

/// Whether the base64 holds a PEM block of a PKCS#10 request.
fn is_request(request: &str) -> bool {
    let Ok(pem) = STANDARD.decode(request) else {
        return false;
    };
    let pem = String::from_utf8_lossy(&pem);
    let Some((_, rest)) = pem.split_once("-----BEGIN CERTIFICATE REQUEST-----") else {
        return false;
    };
    let body = rest
        .split_once("-----END CERTIFICATE REQUEST-----")
        .map(|(body, _)| body);
    let body: Option<String> = body.map(|body| body.split_whitespace().collect());
    body.is_some_and(|body| STANDARD.decode(body).is_ok_and(|der| der.first() == Some(&0x30)))
}

const DECISIONS: [&str; 2] = ["Approved", "Denied"];

fn conditions(object: &Value) -> impl Iterator<Item = &Value> {
    object["status"]["conditions"].as_array().into_iter().flatten()
}

/// The object after a write of its subresource `approval` (only conditions are taken) or `status` (all but decisions is taken).
pub(crate) fn decided(old: &Value, given: &Value, approval: bool, now: &Time) -> Value {
    let decision = |condition: &&Value| DECISIONS.contains(&text(condition, "/type"));
    let mut list: Vec<Value> = if approval {
        conditions(given).cloned().collect()
    } else {
        let mut list: Vec<Value> = conditions(old).filter(decision).cloned().collect();
        list.extend(conditions(given).filter(|condition| !decision(condition)).cloned());
        list
    };
    for condition in &mut list {
        let kind = text(condition, "/type").to_owned();
        let before = conditions(old).find(|before| text(before, "/type") == kind);
        let same = before.filter(|before| before["status"] == condition["status"]);
        let time = same.map_or_else(|| json!(now), |same| same["lastTransitionTime"].clone());
        for (field, value) in [("lastTransitionTime", time), ("lastUpdateTime", json!(now))] {
            if condition[field].is_null() {
                condition[field] = value;
            }
        }
    }
    let mut new = old.clone();
    if !approval {
        new["status"] = given["status"].clone();
    }
    if !new["status"].is_object() {
        new["status"] = json!({});
    }
    new["metadata"]["managedFields"] = given["metadata"]["managedFields"].clone();
    if list.is_empty() {
        new["status"].as_object_mut().map(|status| status.remove("conditions"));
    } else {
        new["status"]["conditions"] = list.into();
    }
    new
}

/// What is wrong with changed conditions.
pub(crate) fn validate_conditions(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = vec![];
    let has = |object: &Value, kind: &str| conditions(object).any(|condition| condition["type"] == kind);
    for (index, condition) in conditions(new).enumerate() {
        let field = |field: &str| format!("status.conditions[{index}].{field}");
        let (kind, status) = (text(condition, "/type"), text(condition, "/status"));
        if kind.is_empty() {
            errors.push(FieldError::required(field("type"), ""));
        }
        if conditions(new).take(index).any(|before| before["type"] == kind) {
            errors.push(FieldError::duplicate(field("type"), kind));
        }
        let other = DECISIONS.iter().find(|other| **other != kind);
        if DECISIONS.contains(&kind) && conditions(new).take(index).any(|c| Some(&text(c, "/type")) == other) {
            let detail = "Approved and Denied conditions are mutually exclusive";
            errors.push(FieldError::invalid(field("type"), kind, detail));
        }
        let allowed: &[&str] = match kind {
            "Approved" | "Denied" | "Failed" => &["True"],
            _ => &["False", "True", "Unknown"],
        };
        if status.is_empty() {
            errors.push(FieldError::required(field("status"), ""));
        } else if !allowed.contains(&status) {
            errors.push(FieldError::not_supported(field("status"), status, allowed));
        }
    }
    for kind in ["Approved", "Denied", "Failed"] {
        if has(old, kind) && !has(new, kind) {
            let detail = format!("updates may not remove a condition of type {kind:?}");
            errors.push(FieldError::forbidden("status.conditions", detail));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(errors: &[FieldError]) -> Vec<String> {
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_may_be_asked_for() {
        let pem = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n";
        let good = json!({"spec": {
            "request": STANDARD.encode(pem), "signerName": "example.com/a", "usages": ["client auth"], "expirationSeconds": 600,
        }});
        assert_eq!(said(&validate(&good)), [""; 0]);
        for (pointer, value, expected) in [
            (
                "/spec/request",
                json!("eA=="),
                "spec.request: Invalid value: \"eA==\": PEM block type must be CERTIFICATE REQUEST",
            ),
            ("/spec/usages", json!([]), "spec.usages: Required value"),
            (
                "/spec/usages",
                json!(["client auth", "client auth"]),
                "spec.usages[1]: Duplicate value: \"client auth\"",
            ),
            ("/spec/signerName", json!(""), "spec.signerName: Required value"),
            (
                "/spec/signerName",
                json!("a"),
                "spec.signerName: Invalid value: \"a\": must be a fully qualified domain and path of the form 'example.com/signer-name'",
            ),
            (
                "/spec/expirationSeconds",
                json!(599),
                "spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 600 seconds (10 minutes)",
            ),
        ] {
            let mut object = good.clone();
            *object.pointer_mut(pointer).unwrap() = value;
            assert_eq!(said(&validate(&object)), [expected]);
        }
    }

    #[test]
    fn approval_takes_conditions_and_status_takes_the_rest() {
        let now = Time("2025-01-01T00:00:00Z".parse().unwrap());
        let old = json!({"metadata": {}, "spec": {"a": 1}, "status": {}});
        let approved = json!({"type": "Approved", "status": "True"});
        let given = json!({"metadata": {}, "spec": {"a": 2}, "status": {"certificate": "x", "conditions": [approved]}});
        let new = decided(&old, &given, true, &now);
        assert_eq!(new["spec"], json!({"a": 1}));
        assert_eq!(new["status"]["certificate"], Value::Null);
        assert_eq!(new["status"]["conditions"][0]["type"], "Approved");
        assert_eq!(new["status"]["conditions"][0]["lastUpdateTime"], "2025-01-01T00:00:00Z");
        // The signer, afterwards: it cannot take the decision back, nor make one.
        let given = json!({"metadata": {}, "status": {"certificate": "x", "conditions": [{"type": "Denied", "status": "True"}]}});
        let signed = decided(&new, &given, false, &now);
        assert_eq!(signed["status"]["certificate"], "x");
        assert_eq!(signed["status"]["conditions"], new["status"]["conditions"]);
        let both = json!({"status": {"conditions": [approved, {"type": "Denied", "status": "True"}]}});
        assert_eq!(
            said(&validate_conditions(&both, &new)),
            [
                "status.conditions[1].type: Invalid value: \"Denied\": Approved and Denied conditions are mutually exclusive"
            ]
        );
        assert_eq!(
            said(&validate_conditions(&old, &new)),
            ["status.conditions: Forbidden: updates may not remove a condition of type \"Approved\""]
        );
        let no = json!({"status": {"conditions": [{"type": "Failed", "status": "False"}]}});
        assert_eq!(
            said(&validate_conditions(&no, &old)),
            ["status.conditions[0].status: Unsupported value: \"False\": supported values: \"True\""]
        );
    }
}

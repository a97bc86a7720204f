//! Cells of autoscalers, requests for certificates and flow schemas (`pkg/printers/internalversion/printers.go`).

use crate::duration::human_duration;
use jiff::Timestamp;
use serde_json::{Value, json};

/// How many metrics are shown; the others are counted.
const SHOWN: usize = 2;

/// TARGETS of an autoscaler (`formatHPAMetrics`): `cpu: <unknown>/80%`.
pub(super) fn targets(object: &Value, _: Timestamp) -> Value {
    let current = object["status"]["currentMetrics"].as_array();
    let specs: Vec<&Value> = object["spec"]["metrics"].as_array().into_iter().flatten().collect();
    let metric = |(index, spec): (usize, &&Value)| target(spec, current.and_then(|list| list.get(index)));
    let shown: Vec<String> = specs.iter().enumerate().take(SHOWN).map(metric).collect();
    json!(match specs.len() {
        0 => "<none>".to_owned(),
        n if n > SHOWN => format!("{} + {} more...", shown.join(", "), n - SHOWN),
        _ => shown.join(", "),
    })
}

fn target(spec: &Value, current: Option<&Value>) -> String {
    let kind = spec["type"].as_str().unwrap_or_default();
    let source = match kind {
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        "Pods" => "pods",
        "Object" => "object",
        "External" => "external",
        _ => return "<unknown type>".to_owned(),
    };
    let (target, current) = (&spec[source]["target"], current.map(|c| &c[source]["current"]));
    let pair = |field: &str, unit: &str| {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let now = current.map(|current| &current[field]).filter(|now| !now.is_null());
        let now = now.map_or_else(|| "<unknown>".to_owned(), |now| text(now) + unit);
        format!("{now}/{}{unit}", text(&target[field]))
    };
    let average = !target["averageValue"].is_null();
    match source {
        "resource" | "containerResource" => {
            let pair = if average {
                pair("averageValue", "")
            } else {
                pair("averageUtilization", "%")
            };
            format!("{}: {pair}", spec[source]["name"].as_str().unwrap_or_default())
        }
        "pods" => pair("averageValue", ""),
        _ if average => pair("averageValue", "") + " (avg)",
        _ => pair("value", ""),
    }
}

/// CONDITION of a request for a certificate (`extractCSRStatus`).
pub(super) fn decision(object: &Value, _: Timestamp) -> Value {
    let conditions = object["status"]["conditions"].as_array();
    let has = |kind: &str| conditions.into_iter().flatten().any(|c| c["type"] == kind);
    let mut status = match (has("Denied"), has("Approved")) {
        (true, _) => "Denied",
        (_, true) => "Approved",
        _ => "Pending",
    }
    .to_owned();
    if has("Failed") {
        status.push_str(",Failed");
    }
    if object["status"]["certificate"].as_str().is_some_and(|c| !c.is_empty()) {
        status.push_str(",Issued");
    }
    json!(status)
}

/// REQUESTEDDURATION of a request for a certificate.
pub(super) fn requested_duration(object: &Value, _: Timestamp) -> Value {
    let seconds = object["spec"]["expirationSeconds"].as_i64();
    json!(seconds.map_or_else(|| "<none>".to_owned(), human_duration))
}

/// MISSINGPL of a flow schema: whether its priority level is missing; nobody has looked yet if there is no such condition.
pub(super) fn dangling(object: &Value, _: Timestamp) -> Value {
    let mut conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let found = conditions.find(|condition| condition["type"] == "Dangling");
    json!(found.and_then(|condition| condition["status"].as_str()).unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_and_decisions() {
        let now = Timestamp::UNIX_EPOCH;
        let cpu = |target: Value| json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
        let half = cpu(json!({"type": "Utilization", "averageUtilization": 50}));
        let pods = json!({"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"averageValue": "3"}}});
        let object = json!({"type": "Object", "object": {"target": {"averageValue": "7"}}});
        for (metrics, current, expected) in [
            (json!([]), json!([]), "<none>"),
            (json!([half]), json!([]), "cpu: <unknown>/50%"),
            (
                json!([half]),
                json!([{"resource": {"current": {"averageUtilization": 7}}}]),
                "cpu: 7%/50%",
            ),
            (
                json!([cpu(json!({"averageValue": "100m"})), pods]),
                json!([]),
                "cpu: <unknown>/100m, <unknown>/3",
            ),
            (
                json!([object, pods, half]),
                json!([]),
                "<unknown>/7 (avg), <unknown>/3 + 1 more...",
            ),
        ] {
            let autoscaler = json!({"spec": {"metrics": metrics}, "status": {"currentMetrics": current}});
            assert_eq!(targets(&autoscaler, now), expected);
        }
        for (types, certificate, expected) in [
            (&[][..], "", "Pending"),
            (&["Approved"], "", "Approved"),
            (&["Approved"], "eA==", "Approved,Issued"),
            (&["Approved", "Denied", "Failed"], "", "Denied,Failed"),
        ] {
            let conditions: Vec<Value> = types.iter().map(|kind| json!({"type": kind})).collect();
            let request = json!({"status": {"conditions": conditions, "certificate": certificate}});
            assert_eq!(decision(&request, now), expected);
        }
    }
}

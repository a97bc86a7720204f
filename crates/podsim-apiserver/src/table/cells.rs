//! Cells that have to be made of several fields, for the columns in [`super::told`].

use super::{or_none, timestamp};
use crate::duration::{age, human_duration};
use jiff::Timestamp;
use serde_json::{Value, json};

pub(super) fn containers(object: &Value, pointer: &str, field: &str) -> Value {
    let list = object.pointer(pointer).and_then(|spec| spec["containers"].as_array());
    json!(join(list.into_iter().flatten().filter_map(|c| c[field].as_str())))
}

fn join<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

/// `a=b,c in (d,e)`, from a map of labels or a LabelSelector.
pub(super) fn selector(value: &Value) -> String {
    let is_selector = value.get("matchLabels").is_some() || value.get("matchExpressions").is_some();
    let labels = if is_selector { &value["matchLabels"] } else { value };
    let mut parts: Vec<String> = labels
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
        .collect();
    for expression in value["matchExpressions"].as_array().into_iter().flatten() {
        let key = expression["key"].as_str().unwrap_or_default();
        let values = join(
            expression["values"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str),
        );
        parts.push(match expression["operator"].as_str().unwrap_or_default() {
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            operator => format!("{key} {} ({values})", operator.to_lowercase()),
        });
    }
    parts.join(",")
}

pub(super) fn ready(object: &Value, _: Timestamp) -> Value {
    let number = |value: &Value| value.as_i64().unwrap_or(0);
    json!(format!(
        "{}/{}",
        number(&object["status"]["readyReplicas"]),
        number(&object["spec"]["replicas"])
    ))
}

pub(super) fn external_ip(object: &Value, _: Timestamp) -> Value {
    let spec = &object["spec"];
    let external = join(
        spec["externalIPs"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str),
    );
    match spec["type"].as_str() {
        Some("ExternalName") => spec["externalName"].clone(),
        Some("LoadBalancer") if external.is_empty() => json!("<pending>"),
        _ => or_none(&external),
    }
}

pub(super) fn service_ports(object: &Value, _: Timestamp) -> Value {
    let ports = object["spec"]["ports"].as_array().into_iter().flatten();
    let ports: Vec<String> = ports
        .map(|port| {
            let protocol = port["protocol"].as_str().unwrap_or("TCP");
            match port["nodePort"].as_u64().filter(|port| *port > 0) {
                Some(node) => format!("{}:{node}/{protocol}", port["port"]),
                None => format!("{}/{protocol}", port["port"]),
            }
        })
        .collect();
    or_none(&ports.join(","))
}

/// At most three, and how many more.
fn some_of(all: &[String]) -> Value {
    let shown = all.iter().take(3).cloned().collect::<Vec<_>>().join(",");
    match all.len() {
        0 => json!("<none>"),
        1..=3 => json!(shown),
        count => json!(format!("{shown} + {} more...", count - 3)),
    }
}

pub(super) fn endpoints(object: &Value, _: Timestamp) -> Value {
    let mut all = Vec::new();
    for subset in object["subsets"].as_array().into_iter().flatten() {
        let addresses = subset["addresses"].as_array().into_iter().flatten();
        for ip in addresses.filter_map(|address| address["ip"].as_str()) {
            match subset["ports"].as_array() {
                None => all.push(ip.to_owned()),
                Some(ports) => all.extend(ports.iter().map(|port| format!("{ip}:{}", port["port"]))),
            }
        }
    }
    some_of(&all)
}

pub(super) fn slice_ports(object: &Value, _: Timestamp) -> Value {
    let ports = object["ports"].as_array().into_iter().flatten();
    let all: Vec<String> = ports
        .map(|port| port["port"].as_u64().map_or("*".into(), |port| port.to_string()))
        .collect();
    if all.is_empty() {
        json!("<unset>")
    } else {
        some_of(&all)
    }
}

pub(super) fn slice_endpoints(object: &Value, _: Timestamp) -> Value {
    let endpoints = object["endpoints"].as_array().into_iter().flatten();
    let addresses = endpoints.flat_map(|endpoint| endpoint["addresses"].as_array().into_iter().flatten());
    let all: Vec<String> = addresses.filter_map(Value::as_str).map(str::to_owned).collect();
    if all.is_empty() {
        json!("<unset>")
    } else {
        some_of(&all)
    }
}

fn short_modes(modes: &Value) -> Value {
    let modes = modes.as_array().into_iter().flatten().filter_map(Value::as_str);
    json!(join(modes.map(|mode| match mode {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        other => other,
    })))
}

pub(super) fn access_modes(object: &Value, _: Timestamp) -> Value {
    short_modes(&object["spec"]["accessModes"])
}

pub(super) fn claimed_modes(object: &Value, _: Timestamp) -> Value {
    short_modes(&object["status"]["accessModes"])
}

pub(super) fn status(object: &Value, _: Timestamp) -> Value {
    if object["metadata"]["deletionTimestamp"].is_string() {
        return json!("Terminating");
    }
    object["status"]["phase"].clone()
}

pub(super) fn claim(object: &Value, _: Timestamp) -> Value {
    let claim = &object["spec"]["claimRef"];
    match (claim["namespace"].as_str(), claim["name"].as_str()) {
        (Some(namespace), Some(name)) => json!(format!("{namespace}/{name}")),
        _ => json!(""),
    }
}

pub(super) fn quota(object: &Value, limits: bool) -> Value {
    let hard = object["status"]["hard"]
        .as_object()
        .or_else(|| object["spec"]["hard"].as_object());
    let parts: Vec<String> = hard
        .into_iter()
        .flatten()
        .filter(|(name, _)| name.starts_with("limits") == limits)
        .map(|(name, value)| {
            let used = object["status"]["used"][name].as_str().unwrap_or("0");
            format!("{name}: {used}/{}", value.as_str().unwrap_or_default())
        })
        .collect();
    json!(parts.join(", "))
}

pub(super) fn controller(object: &Value, _: Timestamp) -> Value {
    let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    let owner = owners.filter(|owner| owner["controller"] == true).find_map(|owner| {
        let group = owner["apiVersion"]
            .as_str()?
            .split_once('/')
            .map(|(group, _)| format!(".{group}"));
        let kind = owner["kind"].as_str()?.to_lowercase();
        Some(format!(
            "{kind}{}/{}",
            group.unwrap_or_default(),
            owner["name"].as_str()?
        ))
    });
    or_none(&owner.unwrap_or_default())
}

fn condition(object: &Value, kind: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|c| c["type"] == kind && c["status"] == "True")
}

pub(super) fn job_status(object: &Value, _: Timestamp) -> Value {
    json!(if condition(object, "Complete") {
        "Complete"
    } else if condition(object, "Failed") {
        "Failed"
    } else if object["metadata"]["deletionTimestamp"].is_string() {
        "Terminating"
    } else if condition(object, "Suspended") {
        "Suspended"
    } else if condition(object, "FailureTarget") {
        "FailureTarget"
    } else if condition(object, "SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    })
}

pub(super) fn completions(object: &Value, _: Timestamp) -> Value {
    let done = object["status"]["succeeded"].as_i64().unwrap_or(0);
    let spec = &object["spec"];
    json!(match (spec["completions"].as_i64(), spec["parallelism"].as_i64()) {
        (Some(wanted), _) => format!("{done}/{wanted}"),
        (None, Some(parallel)) if parallel > 1 => format!("{done}/1 of {parallel}"),
        _ => format!("{done}/1"),
    })
}

pub(super) fn job_duration(object: &Value, now: Timestamp) -> Value {
    let Some(start) = timestamp(&object["status"]["startTime"]) else {
        return json!("");
    };
    let end = timestamp(&object["status"]["completionTime"]).unwrap_or(now);
    json!(human_duration(end.as_second() - start.as_second()))
}

pub(super) fn suspend(object: &Value, _: Timestamp) -> Value {
    json!(if object["spec"]["suspend"] == true {
        "True"
    } else {
        "False"
    })
}

pub(super) fn last_schedule(object: &Value, now: Timestamp) -> Value {
    match timestamp(&object["status"]["lastScheduleTime"]) {
        None => json!("<none>"),
        at => json!(age(at, now)),
    }
}

pub(super) fn reference(object: &Value, _: Timestamp) -> Value {
    let target = &object["spec"]["scaleTargetRef"];
    json!(format!(
        "{}/{}",
        target["kind"].as_str().unwrap_or_default(),
        target["name"].as_str().unwrap_or_default()
    ))
}

pub(super) fn hosts(object: &Value, _: Timestamp) -> Value {
    let rules = object["spec"]["rules"].as_array().into_iter().flatten();
    let all: Vec<String> = rules
        .filter_map(|rule| rule["host"].as_str())
        .map(str::to_owned)
        .collect();
    if all.is_empty() { json!("*") } else { some_of(&all) }
}

pub(super) fn ingress_address(object: &Value, _: Timestamp) -> Value {
    let points = object["status"]["loadBalancer"]["ingress"]
        .as_array()
        .into_iter()
        .flatten();
    json!(join(
        points.filter_map(|point| point["ip"].as_str().or(point["hostname"].as_str()))
    ))
}

pub(super) fn class_name(object: &Value, _: Timestamp) -> Value {
    let default = object["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true";
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    json!(if default {
        format!("{name} (default)")
    } else {
        name.to_owned()
    })
}

pub(super) fn role(object: &Value, _: Timestamp) -> Value {
    let role = &object["roleRef"];
    json!(format!(
        "{}/{}",
        role["kind"].as_str().unwrap_or_default(),
        role["name"].as_str().unwrap_or_default()
    ))
}

pub(super) fn subjects(object: &Value, kind: &str) -> Value {
    let subjects = object["subjects"].as_array().into_iter().flatten();
    let names: Vec<String> = subjects
        .filter(|subject| subject["kind"] == kind)
        .map(|subject| {
            let name = subject["name"].as_str().unwrap_or_default();
            match (kind, subject["namespace"].as_str()) {
                ("ServiceAccount", Some(namespace)) => format!("{namespace}/{name}"),
                _ => name.to_owned(),
            }
        })
        .collect();
    json!(names.join(", "))
}

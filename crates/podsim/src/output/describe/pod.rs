//! `kubectl describe pod`.

use super::container::containers;
use super::{Text, events, items, or_none, text, time};
use jiff::Timestamp;
use serde_json::Value;

/// A Pod and its events.
pub(crate) fn pod(pod: &Value, pod_events: &[Value], now: Timestamp) -> String {
    let (metadata, spec, status) = (&pod["metadata"], &pod["spec"], &pod["status"]);
    let mut out = Text::default();
    out.line(0, format!("Name:\t{}", text(&metadata["name"])));
    out.line(0, format!("Namespace:\t{}", text(&metadata["namespace"])));
    out.line(0, format!("Priority:\t{}", spec["priority"].as_i64().unwrap_or(0)));
    if !text(&spec["serviceAccountName"]).is_empty() {
        out.line(0, format!("Service Account:\t{}", text(&spec["serviceAccountName"])));
    }
    match text(&spec["nodeName"]) {
        "" => out.line(0, "Node:\t<none>"),
        node => out.line(0, format!("Node:\t{node}/{}", text(&status["hostIP"]))),
    }
    if status["startTime"].is_string() {
        out.line(0, format!("Start Time:\t{}", time(&status["startTime"])));
    }
    out.map("Labels", &metadata["labels"], "=");
    out.map("Annotations", &metadata["annotations"], ": ");
    if metadata["deletionTimestamp"].is_string() {
        let at = text(&metadata["deletionTimestamp"])
            .parse::<Timestamp>()
            .map_or(0, |at| now.as_second() - at.as_second());
        let since = podsim_apiserver::duration::human_duration(at.max(0));
        out.line(0, format!("Status:\tTerminating (lasts {since})"));
        let grace = metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
        out.line(0, format!("Termination Grace Period:\t{grace}s"));
    } else {
        out.line(0, format!("Status:\t{}", text(&status["phase"])));
    }
    for (title, field) in [("Reason", "reason"), ("Message", "message")] {
        if !text(&status[field]).is_empty() {
            out.line(0, format!("{title}:\t{}", text(&status[field])));
        }
    }
    out.line(0, format!("IP:\t{}", text(&status["podIP"])));
    if items(&status["podIPs"]).is_empty() {
        out.line(0, "IPs:\t<none>");
    } else {
        out.line(0, "IPs:");
        for ip in items(&status["podIPs"]) {
            out.line(1, format!("IP:\t{}", text(&ip["ip"])));
        }
    }
    containers(
        &mut out,
        "Init Containers",
        &spec["initContainers"],
        &status["initContainerStatuses"],
    );
    containers(
        &mut out,
        "Containers",
        &spec["containers"],
        &status["containerStatuses"],
    );
    let ephemeral = &status["ephemeralContainerStatuses"];
    containers(
        &mut out,
        "Ephemeral Containers",
        &spec["ephemeralContainers"],
        ephemeral,
    );
    if !items(&status["conditions"]).is_empty() {
        out.line(0, "Conditions:");
        out.line(1, "Type\tStatus");
        for condition in items(&status["conditions"]) {
            out.line(
                1,
                format!("{} \t{} ", text(&condition["type"]), text(&condition["status"])),
            );
        }
    }
    volumes(&mut out, spec);
    if !text(&status["qosClass"]).is_empty() {
        out.line(0, format!("QoS Class:\t{}", text(&status["qosClass"])));
    }
    out.map("Node-Selectors", &spec["nodeSelector"], "=");
    tolerations(&mut out, spec);
    events(&mut out, pod_events, now);
    out.lay_out()
}

fn volumes(out: &mut Text, spec: &Value) {
    let volumes = items(&spec["volumes"]);
    if volumes.is_empty() {
        out.line(0, "Volumes:\t<none>");
        return;
    }
    out.line(0, "Volumes:");
    for volume in volumes {
        out.line(1, format!("{}:", text(&volume["name"])));
        let optional = |source: &Value| source["optional"] == true;
        if let Some(source) = volume.get("emptyDir") {
            out.line(
                2,
                "Type:\tEmptyDir (a temporary directory that shares a pod's lifetime)",
            );
            out.line(2, format!("Medium:\t{}", text(&source["medium"])));
            let limit = text(&source["sizeLimit"]);
            out.line(
                2,
                format!("SizeLimit:\t{}", if limit.is_empty() { "<unset>" } else { limit }),
            );
        } else if let Some(source) = volume.get("hostPath") {
            out.line(2, "Type:\tHostPath (bare host directory volume)");
            out.line(2, format!("Path:\t{}", text(&source["path"])));
            out.line(2, format!("HostPathType:\t{}", text(&source["type"])));
        } else if let Some(source) = volume.get("configMap") {
            out.line(2, "Type:\tConfigMap (a volume populated by a ConfigMap)");
            out.line(2, format!("Name:\t{}", text(&source["name"])));
            out.line(2, format!("Optional:\t{}", optional(source)));
        } else if let Some(source) = volume.get("secret") {
            out.line(2, "Type:\tSecret (a volume populated by a Secret)");
            out.line(2, format!("SecretName:\t{}", text(&source["secretName"])));
            out.line(2, format!("Optional:\t{}", optional(source)));
        } else if let Some(source) = volume.get("downwardAPI") {
            out.line(
                2,
                "Type:\tDownwardAPI (a volume populated by information about the pod)",
            );
            out.line(2, "Items:");
            for item in items(&source["items"]) {
                out.line(
                    3,
                    format!("{} -> {}", text(&item["fieldRef"]["fieldPath"]), text(&item["path"])),
                );
            }
        } else if volume.get("projected").is_some() {
            out.line(
                2,
                "Type:\tProjected (a volume that contains injected data from multiple sources)",
            );
        } else {
            out.line(2, "<unknown>");
        }
    }
}

fn tolerations(out: &mut Text, spec: &Value) {
    let all: Vec<String> = items(&spec["tolerations"])
        .iter()
        .map(|toleration| {
            let mut line = text(&toleration["key"]).to_owned();
            if !text(&toleration["value"]).is_empty() {
                line.push_str(&format!("={}", text(&toleration["value"])));
            }
            if !text(&toleration["effect"]).is_empty() {
                line.push_str(&format!(":{}", text(&toleration["effect"])));
            }
            if toleration["operator"] == "Exists" {
                line.push_str(if line.is_empty() { "op=Exists" } else { " op=Exists" });
            }
            if let Some(seconds) = toleration["tolerationSeconds"].as_i64() {
                line.push_str(&format!(" for {seconds}s"));
            }
            line
        })
        .collect();
    if all.is_empty() {
        out.line(0, format!("Tolerations:\t{}", or_none("")));
    }
    for (number, line) in all.iter().enumerate() {
        out.line(0, format!("{}\t{line}", if number == 0 { "Tolerations:" } else { "" }));
    }
}

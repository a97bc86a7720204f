//! `kubectl describe node`.

use super::{Text, events, items, text, time};
use jiff::Timestamp;
use podsim_apiserver::duration::age;
use serde_json::Value;

/// A node, the Pods on it, and its events.
pub(crate) fn node(node: &Value, pods: &[Value], node_events: &[Value], now: Timestamp) -> String {
    let (metadata, spec, status) = (&node["metadata"], &node["spec"], &node["status"]);
    let mut out = Text::default();
    out.line(0, format!("Name:\t{}", text(&metadata["name"])));
    let labels = metadata["labels"].as_object().into_iter().flatten();
    let roles: Vec<&str> = labels
        .filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/"))
        .collect();
    out.line(0, format!("Roles:\t{}", super::or_none(&roles.join(","))));
    out.map("Labels", &metadata["labels"], "=");
    out.map("Annotations", &metadata["annotations"], ": ");
    out.line(
        0,
        format!("CreationTimestamp:\t{}", time(&metadata["creationTimestamp"])),
    );
    let taints: Vec<String> = items(&spec["taints"])
        .iter()
        .map(|taint| {
            format!(
                "{}={}:{}",
                text(&taint["key"]),
                text(&taint["value"]),
                text(&taint["effect"])
            )
        })
        .map(|taint| taint.replace("=:", ":"))
        .collect();
    for (number, taint) in taints.iter().enumerate() {
        out.line(0, format!("{}\t{taint}", if number == 0 { "Taints:" } else { "" }));
    }
    if taints.is_empty() {
        out.line(0, "Taints:\t<none>");
    }
    out.line(0, format!("Unschedulable:\t{}", spec["unschedulable"] == true));
    if !items(&status["conditions"]).is_empty() {
        out.line(0, "Conditions:");
        out.line(
            1,
            "Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage",
        );
        out.line(
            1,
            "----\t------\t-----------------\t------------------\t------\t-------",
        );
        for condition in items(&status["conditions"]) {
            let field = |name: &str| text(&condition[name]);
            let (beat, change) = (
                time(&condition["lastHeartbeatTime"]),
                time(&condition["lastTransitionTime"]),
            );
            let (kind, state) = (field("type"), field("status"));
            let (reason, message) = (field("reason"), field("message"));
            out.line(
                1,
                format!("{kind} \t{state} \t{beat} \t{change} \t{reason} \t{message}"),
            );
        }
    }
    out.line(0, "Addresses:");
    for address in items(&status["addresses"]) {
        out.line(1, format!("{}:\t{}", text(&address["type"]), text(&address["address"])));
    }
    for (title, field) in [("Capacity", "capacity"), ("Allocatable", "allocatable")] {
        if let Some(amounts) = status[field].as_object().filter(|amounts| !amounts.is_empty()) {
            out.line(0, format!("{title}:"));
            for (name, amount) in amounts {
                out.line(1, format!("{name}:\t{}", text(amount)));
            }
        }
    }
    out.line(0, "System Info:");
    for (title, field) in [
        ("Machine ID", "machineID"),
        ("System UUID", "systemUUID"),
        ("Boot ID", "bootID"),
        ("Kernel Version", "kernelVersion"),
        ("OS Image", "osImage"),
        ("Operating System", "operatingSystem"),
        ("Architecture", "architecture"),
        ("Container Runtime Version", "containerRuntimeVersion"),
        ("Kubelet Version", "kubeletVersion"),
    ] {
        out.line(1, format!("{title}:\t{}", text(&status["nodeInfo"][field])));
    }
    if !text(&spec["podCIDR"]).is_empty() {
        out.line(0, format!("PodCIDR:\t{}", text(&spec["podCIDR"])));
    }
    let living = pods
        .iter()
        .filter(|pod| !matches!(text(&pod["status"]["phase"]), "Succeeded" | "Failed"));
    let living: Vec<&Value> = living.collect();
    out.line(0, format!("Non-terminated Pods:\t({} in total)", living.len()));
    out.line(1, "Namespace\tName\tAge");
    out.line(1, "---------\t----\t---");
    for pod in living {
        let metadata = &pod["metadata"];
        let age = age(text(&metadata["creationTimestamp"]).parse().ok(), now);
        out.line(
            1,
            format!("{}\t{}\t{age}", text(&metadata["namespace"]), text(&metadata["name"])),
        );
    }
    events(&mut out, node_events, now);
    out.lay_out()
}

//! Discovery: `/version`, `/api`, `/apis`, `/api/v1`: what the server can do, generated from [`podsim_store::kinds`].

use podsim_store::{Kind, kinds};
use serde_json::{Value, json};

/// The Kubernetes version that the API's shape follows.
pub const KUBERNETES_VERSION: &str = "v1.34.0";

/// A subresource such as `pods/log`.
pub(crate) struct Subresource {
    of: &'static str,
    name: &'static str,
    kind: &'static str,
    verbs: &'static [&'static str],
}

const fn sub(of: &'static str, name: &'static str, kind: &'static str, verbs: &'static [&'static str]) -> Subresource {
    Subresource { of, name, kind, verbs }
}

const GET: &[&str] = &["get"];
const CREATE: &[&str] = &["create"];
const CONNECT: &[&str] = &["create", "get"];
const READ_WRITE: &[&str] = &["get", "patch", "update"];
const VERBS: [&str; 8] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// All subresources but `status`, which every kind with a status has.
const SUBRESOURCES: &[Subresource] = &[
    sub("Pod", "attach", "PodAttachOptions", CONNECT),
    sub("Pod", "binding", "Binding", CREATE),
    sub("Pod", "exec", "PodExecOptions", CONNECT),
    sub("Pod", "log", "Pod", GET),
    sub("Pod", "portforward", "PodPortForwardOptions", CONNECT),
];

/// Whether the kind has this subresource.
pub(crate) fn has_subresource(kind: &Kind, name: &str) -> bool {
    (name == "status" && kind.has_status) || SUBRESOURCES.iter().any(|sub| sub.of == kind.kind && sub.name == name)
}

/// `/version`. `gitVersion` names Kubernetes' version and podsim's behind a plus, as distributions do.
pub(crate) fn version() -> Value {
    json!({
        "major": "1",
        "minor": "34",
        "gitVersion": format!("{KUBERNETES_VERSION}+podsim-{}", env!("CARGO_PKG_VERSION")),
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

/// `/api`.
pub(crate) fn api_versions(address: &str) -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    })
}

fn groups() -> Vec<(&'static str, &'static str)> {
    let mut groups: Vec<_> = kinds::ALL
        .iter()
        .filter(|kind| !kind.group.is_empty())
        .map(|kind| (kind.group, kind.version))
        .collect();
    groups.dedup();
    groups
}

fn group((name, version): (&str, &str)) -> Value {
    let version = json!({"groupVersion": format!("{name}/{version}"), "version": version});
    json!({"name": name, "versions": [version], "preferredVersion": version})
}

/// `/apis`: every group but the core one.
pub(crate) fn api_groups() -> Value {
    let groups: Vec<Value> = groups().into_iter().map(group).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/GROUP`.
pub(crate) fn api_group(name: &str) -> Option<Value> {
    let mut object = group(groups().into_iter().find(|(group, _)| *group == name)?);
    if let Some(object) = object.as_object_mut() {
        object.insert("kind".into(), "APIGroup".into());
        object.insert("apiVersion".into(), "v1".into());
    }
    Some(object)
}

/// `/api/v1` and `/apis/GROUP/VERSION`; `None` if there is no such group and version.
pub(crate) fn api_resources(group: &str, version: &str) -> Option<Value> {
    let mut resources = Vec::new();
    let mut group_version = None;
    for kind in kinds::ALL
        .iter()
        .filter(|kind| kind.group == group && kind.version == version)
    {
        group_version = Some(kind.api_version());
        let mut entry = json!({
            "name": kind.plural,
            "singularName": kind.singular,
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": VERBS,
        });
        if let Some(entry) = entry.as_object_mut() {
            if !kind.short_names.is_empty() {
                entry.insert("shortNames".into(), json!(kind.short_names));
            }
            if matches!(kind.kind, "Pod" | "Service") {
                entry.insert("categories".into(), json!(["all"]));
            }
        }
        resources.push(entry);
        let status = sub(kind.kind, "status", kind.kind, READ_WRITE);
        let others = SUBRESOURCES.iter().filter(|sub| sub.of == kind.kind);
        for sub in kind.has_status.then_some(&status).into_iter().chain(others) {
            resources.push(json!({
                "name": format!("{}/{}", kind.plural, sub.name),
                "singularName": "",
                "namespaced": kind.namespaced,
                "kind": sub.kind,
                "verbs": sub.verbs,
            }));
        }
    }
    let resources = json!(resources);
    Some(json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version?, "resources": resources,
    }))
}

//! Discovery: `/version`, `/api`, `/apis` and what is below: what the server can do, generated from the kinds of the store.
//!
//! Two shapes of the same [`Resource`]s: a list a group and version, and the aggregated one (`APIGroupDiscoveryList`), which a client
//! gets in two requests.

use podsim_store::{Kind, Store, kinds};
use serde_json::{Value, json};

/// The Kubernetes version that the API's shape follows.
pub const KUBERNETES_VERSION: &str = "v1.34.0";

/// The media type of aggregated discovery.
pub(crate) const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// A subresource such as `pods/log`.
struct Subresource {
    of: &'static str,
    name: &'static str,
    /// Group, version and kind; an empty version means those of the resource.
    kind: (&'static str, &'static str, &'static str),
    verbs: &'static [&'static str],
}

const fn sub(
    of: &'static str,
    name: &'static str,
    kind: (&'static str, &'static str, &'static str),
    verbs: &'static [&'static str],
) -> Subresource {
    Subresource { of, name, kind, verbs }
}

const GET: &[&str] = &["get"];
const CREATE: &[&str] = &["create"];
const CONNECT: &[&str] = &["create", "get"];
const PROXIED: &[&str] = &["create", "delete", "get", "patch", "update"];
const READ_WRITE: &[&str] = &["get", "patch", "update"];
const VERBS: &[&str] = &[
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// All subresources but `status` and `scale`, which are told by the kind.
const SUBRESOURCES: &[Subresource] = &[
    sub(
        "CertificateSigningRequest",
        "approval",
        ("", "", "CertificateSigningRequest"),
        READ_WRITE,
    ),
    sub("Namespace", "finalize", ("", "", "Namespace"), &["update"]),
    sub("Pod", "attach", ("", "", "PodAttachOptions"), CONNECT),
    sub("Pod", "binding", ("", "", "Binding"), CREATE),
    sub("Pod", "ephemeralcontainers", ("", "", "Pod"), READ_WRITE),
    sub("Pod", "eviction", ("policy", "v1", "Eviction"), CREATE),
    sub("Pod", "exec", ("", "", "PodExecOptions"), CONNECT),
    sub("Pod", "log", ("", "", "Pod"), GET),
    sub("Pod", "portforward", ("", "", "PodPortForwardOptions"), CONNECT),
    sub("Pod", "resize", ("", "", "Pod"), READ_WRITE),
    sub("Node", "proxy", ("", "", "NodeProxyOptions"), PROXIED),
    sub("Pod", "proxy", ("", "", "PodProxyOptions"), PROXIED),
    sub("Service", "proxy", ("", "", "ServiceProxyOptions"), PROXIED),
    sub(
        "ServiceAccount",
        "token",
        ("authentication.k8s.io", "v1", "TokenRequest"),
        CREATE,
    ),
];

/// Resources that are no stored objects: group, version, plural, singular, kind, in a namespace, verbs.
type Virtual = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    bool,
    &'static [&'static str],
);
const VIRTUAL: &[Virtual] = &[
    ("", "v1", "bindings", "binding", "Binding", true, CREATE),
    (
        "authentication.k8s.io",
        "v1",
        "selfsubjectreviews",
        "selfsubjectreview",
        "SelfSubjectReview",
        false,
        CREATE,
    ),
    (
        "authentication.k8s.io",
        "v1",
        "tokenreviews",
        "tokenreview",
        "TokenReview",
        false,
        CREATE,
    ),
    (
        "authorization.k8s.io",
        "v1",
        "localsubjectaccessreviews",
        "localsubjectaccessreview",
        "LocalSubjectAccessReview",
        true,
        CREATE,
    ),
    (
        "authorization.k8s.io",
        "v1",
        "selfsubjectaccessreviews",
        "selfsubjectaccessreview",
        "SelfSubjectAccessReview",
        false,
        CREATE,
    ),
    (
        "authorization.k8s.io",
        "v1",
        "selfsubjectrulesreviews",
        "selfsubjectrulesreview",
        "SelfSubjectRulesReview",
        false,
        CREATE,
    ),
    (
        "authorization.k8s.io",
        "v1",
        "subjectaccessreviews",
        "subjectaccessreview",
        "SubjectAccessReview",
        false,
        CREATE,
    ),
    (
        "autoscaling",
        "v1",
        "horizontalpodautoscalers",
        "horizontalpodautoscaler",
        "HorizontalPodAutoscaler",
        true,
        VERBS,
    ),
    ("events.k8s.io", "v1", "events", "event", "Event", true, VERBS),
    (
        "metrics.k8s.io",
        "v1beta1",
        "nodes",
        "",
        "NodeMetrics",
        false,
        &["get", "list"],
    ),
    (
        "metrics.k8s.io",
        "v1beta1",
        "pods",
        "",
        "PodMetrics",
        true,
        &["get", "list"],
    ),
];

struct Resource {
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    singular: &'static str,
    kind: &'static str,
    namespaced: bool,
    verbs: &'static [&'static str],
    stored: Option<&'static Kind>,
}

/// Whether the kind has this subresource.
pub(crate) fn has_subresource(kind: &Kind, name: &str) -> bool {
    subresources(kind).any(|sub| sub.name == name)
}

fn subresources(kind: &Kind) -> impl Iterator<Item = Subresource> {
    const SCALE: Subresource = sub("", "scale", ("autoscaling", "v1", "Scale"), READ_WRITE);
    let status = sub("", "status", ("", "", kind.kind), READ_WRITE);
    let built_in = kinds::ALL.contains(&kind);
    let own = SUBRESOURCES.iter().filter(move |sub| built_in && sub.of == kind.kind);
    let own = own.map(|s| sub(s.of, s.name, s.kind, s.verbs));
    own.chain(kind.scalable.then_some(SCALE))
        .chain(kind.has_status.then_some(status))
}

fn resources(store: &Store) -> Vec<Resource> {
    let stored = store.kinds().into_iter().map(|kind| Resource {
        group: kind.group,
        version: kind.version,
        plural: kind.plural,
        singular: kind.singular,
        kind: kind.kind,
        namespaced: kind.namespaced,
        verbs: VERBS,
        stored: Some(kind),
    });
    let more = VIRTUAL.iter().map(
        |&(group, version, plural, singular, kind, namespaced, verbs)| Resource {
            group,
            version,
            plural,
            singular,
            kind,
            namespaced,
            verbs,
            // Another version of a stored kind is as that is.
            stored: kinds::ALL
                .iter()
                .copied()
                .find(|stored| stored.group == group && stored.plural == plural),
        },
    );
    stored.chain(more).collect()
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

/// `/.well-known/openid-configuration`: how others can check the tokens of ServiceAccounts.
pub(crate) fn openid(address: &str) -> Value {
    json!({
        "issuer": podsim_store::token::ISSUER,
        "jwks_uri": format!("https://{address}/openid/v1/jwks"),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
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

/// Groups with their versions, in the order in which they first come.
pub(crate) fn groups(store: &Store) -> Vec<(&'static str, Vec<&'static str>)> {
    let mut groups: Vec<(&'static str, Vec<&'static str>)> = Vec::new();
    for Resource { group, version, .. } in resources(store) {
        match groups.iter_mut().find(|(name, _)| *name == group) {
            Some((_, versions)) if versions.contains(&version) => {}
            Some((_, versions)) => versions.push(version),
            None => groups.push((group, vec![version])),
        }
    }
    groups
}

fn group(name: &str, versions: &[&str]) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|version| json!({"groupVersion": format!("{name}/{version}"), "version": version}))
        .collect();
    json!({"name": name, "versions": versions, "preferredVersion": versions.first()})
}

/// `/`: the paths below which something is.
pub(crate) fn paths(store: &Store) -> Value {
    let mut paths: Vec<String> = [
        "/.well-known/openid-configuration",
        "/api",
        "/api/v1",
        "/apis",
        "/healthz",
        "/livez",
        "/metrics",
        "/openapi/v2",
        "/openapi/v3",
        "/openid/v1/jwks",
        "/readyz",
        "/version",
    ]
    .map(str::to_owned)
    .into();
    for (name, versions) in groups(store).iter().filter(|(name, _)| !name.is_empty()) {
        paths.push(format!("/apis/{name}"));
        paths.extend(versions.iter().map(|version| format!("/apis/{name}/{version}")));
    }
    paths.sort();
    json!({"paths": paths})
}

/// `/apis`: every group but the core one.
pub(crate) fn api_groups(store: &Store) -> Value {
    let groups: Vec<Value> = groups(store)
        .iter()
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, versions)| group(name, versions))
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/GROUP`.
pub(crate) fn api_group(store: &Store, name: &str) -> Option<Value> {
    let (name, versions) = groups(store).into_iter().find(|(group, _)| *group == name)?;
    let mut object = group(name, &versions);
    object["kind"] = "APIGroup".into();
    object["apiVersion"] = "v1".into();
    Some(object)
}

/// `/api/v1` and `/apis/GROUP/VERSION`; `None` if there is no such group and version.
pub(crate) fn api_resources(store: &Store, group: &str, version: &str) -> Option<Value> {
    let mut list = Vec::new();
    for resource in resources(store)
        .into_iter()
        .filter(|resource| resource.group == group && resource.version == version)
    {
        let mut entry = json!({
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": resource.verbs,
        });
        if let Some(kind) = resource.stored {
            if !kind.short_names.is_empty() {
                entry["shortNames"] = json!(kind.short_names);
            }
            if !kind.categories.is_empty() {
                entry["categories"] = json!(kind.categories);
            }
        }
        list.push(entry);
        for sub in resource.stored.into_iter().flat_map(subresources) {
            let mut entry = json!({
                "name": format!("{}/{}", resource.plural, sub.name),
                "singularName": "",
                "namespaced": resource.namespaced,
                "kind": sub.kind.2,
                "verbs": sub.verbs,
            });
            if !sub.kind.1.is_empty() {
                entry["group"] = sub.kind.0.into();
                entry["version"] = sub.kind.1.into();
            }
            list.push(entry);
        }
    }
    if list.is_empty() {
        return None;
    }
    let group_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    let list = json!(list);
    Some(json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list}))
}

/// `/api` (the core group) or `/apis` (all others) in the aggregated shape.
pub(crate) fn aggregated(store: &Store, core: bool) -> Value {
    let resources = resources(store);
    let mut items = Vec::new();
    for (name, versions) in groups(store) {
        if name.is_empty() != core {
            continue;
        }
        let versions: Vec<Value> = versions
            .iter()
            .map(|version| {
                let of = resources.iter().filter(|r| r.group == name && r.version == *version);
                let list: Vec<Value> = of.map(aggregated_resource).collect();
                json!({"version": version, "resources": list, "freshness": "Current"})
            })
            .collect();
        let mut item = json!({"metadata": {"creationTimestamp": null}, "versions": versions});
        if !name.is_empty() {
            item["metadata"]["name"] = name.into();
        }
        items.push(item);
    }
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn aggregated_resource(resource: &Resource) -> Value {
    let scope = if resource.namespaced { "Namespaced" } else { "Cluster" };
    let mut entry = json!({
        "resource": resource.plural,
        "responseKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
        "scope": scope,
        "singularResource": resource.singular,
        "verbs": resource.verbs,
    });
    let Some(kind) = resource.stored else { return entry };
    if !kind.short_names.is_empty() {
        entry["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories.is_empty() {
        entry["categories"] = json!(kind.categories);
    }
    let subs: Vec<Value> = subresources(kind)
        .map(|sub| {
            let (group, version, name) = sub.kind;
            let (group, version) = if version.is_empty() {
                (resource.group, resource.version)
            } else {
                (group, version)
            };
            json!({
                "subresource": sub.name,
                "responseKind": {"group": group, "version": version, "kind": name},
                "verbs": sub.verbs,
            })
        })
        .collect();
    if !subs.is_empty() {
        entry["subresources"] = subs.into();
    }
    entry
}

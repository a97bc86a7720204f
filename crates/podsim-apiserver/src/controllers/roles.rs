//! The roles that are there from the start (`plugin/pkg/auth/authorizer/rbac/bootstrappolicy`), for the kinds that podsim has.

use super::namespace::create;
use podsim_store::{Store, kinds};
use serde_json::{Value, json};

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "delete", "deletecollection", "patch", "update"];

/// What lives in a namespace and is not about who may do what: group and resources.
const IN_NAMESPACES: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "configmaps",
            "endpoints",
            "events",
            "persistentvolumeclaims",
            "pods",
            "pods/status",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "services",
            "services/status",
            "serviceaccounts",
        ],
    ),
    (
        "apps",
        &[
            "controllerrevisions",
            "daemonsets",
            "deployments",
            "deployments/scale",
            "replicasets",
            "replicasets/scale",
            "statefulsets",
            "statefulsets/scale",
        ],
    ),
    ("autoscaling", &["horizontalpodautoscalers"]),
    ("batch", &["cronjobs", "jobs"]),
    ("discovery.k8s.io", &["endpointslices"]),
    ("networking.k8s.io", &["ingresses", "networkpolicies"]),
    ("policy", &["poddisruptionbudgets"]),
];

pub(super) fn bootstrap(store: &Store) {
    let rule = |verbs: &[&str], group: &str, resources: &[&str]| json!({"verbs": verbs, "apiGroups": [group], "resources": resources});
    let view = |verbs: &[&str]| -> Vec<Value> {
        let mut rules: Vec<Value> = IN_NAMESPACES
            .iter()
            .map(|(group, resources)| rule(verbs, group, resources))
            .collect();
        rules.push(rule(
            READ,
            "",
            &["limitranges", "namespaces", "pods/log", "resourcequotas"],
        ));
        rules
    };
    let edit = || {
        let mut rules = view(READ);
        rules.extend(view(WRITE).into_iter().take(IN_NAMESPACES.len()));
        rules.push(rule(
            READ,
            "",
            &[
                "pods/attach",
                "pods/exec",
                "pods/portforward",
                "pods/proxy",
                "secrets",
                "services/proxy",
            ],
        ));
        rules.push(rule(
            WRITE,
            "",
            &[
                "pods/attach",
                "pods/exec",
                "pods/portforward",
                "pods/proxy",
                "secrets",
                "services/proxy",
            ],
        ));
        rules.push(rule(&["create"], "", &["pods/eviction", "serviceaccounts/token"]));
        rules.push(rule(&["impersonate"], "", &["serviceaccounts"]));
        rules.push(rule(&[READ, WRITE].concat(), "coordination.k8s.io", &["leases"]));
        rules
    };
    let admin = || {
        let mut rules = edit();
        let roles = &["roles", "rolebindings"];
        rules.push(rule(&[READ, WRITE].concat(), "rbac.authorization.k8s.io", roles));
        rules.push(rule(
            &["create"],
            "authorization.k8s.io",
            &["localsubjectaccessreviews"],
        ));
        rules
    };
    let paths = |paths: &[&str]| json!({"verbs": ["get"], "nonResourceURLs": paths});
    let info = &["/healthz", "/livez", "/readyz", "/version", "/version/"];
    let discovery = &["/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*"];
    let all_paths = json!({"verbs": ["*"], "nonResourceURLs": ["*"]});
    for (name, rules, group) in [
        (
            "cluster-admin",
            vec![rule(&["*"], "*", &["*"]), all_paths],
            "system:masters",
        ),
        ("admin", admin(), ""),
        ("edit", edit(), ""),
        ("view", view(READ), ""),
        ("system:public-info-viewer", vec![paths(info)], "system:authenticated"),
        (
            "system:discovery",
            vec![paths(&[info as &[&str], discovery].concat())],
            "system:authenticated",
        ),
        (
            "system:basic-user",
            vec![
                rule(
                    &["create"],
                    "authorization.k8s.io",
                    &["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
                ),
                rule(&["create"], "authentication.k8s.io", &["selfsubjectreviews"]),
            ],
            "system:authenticated",
        ),
        (
            "system:service-account-issuer-discovery",
            vec![paths(&[
                "/.well-known/openid-configuration",
                "/.well-known/openid-configuration/",
                "/openid/v1/jwks",
                "/openid/v1/jwks/",
            ])],
            "system:serviceaccounts",
        ),
    ] {
        let metadata = json!({"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}});
        let role = json!({"metadata": metadata, "rules": rules});
        create(store, &kinds::CLUSTER_ROLE, "", role);
        if !group.is_empty() {
            let api = "rbac.authorization.k8s.io";
            let binding = json!({
                "metadata": metadata, "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": name},
                "subjects": [{"apiGroup": api, "kind": "Group", "name": group}],
            });
            create(store, &kinds::CLUSTER_ROLE_BINDING, "", binding);
        }
    }
}

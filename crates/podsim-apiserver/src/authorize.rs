//! Who may do what: the roles that are stored, evaluated (`plugin/pkg/auth/authorizer/rbac`).
//!
//! The administrator may do everything. So a program in a Pod can do with the token of its ServiceAccount what the roles say, and no
//! more; what is podsim's own (`/podsim/v1`, where one gets a shell on the node) is for the administrator alone.

use crate::status::{ApiError, Result};
use crate::user::User;
use axum::http::Method;
use podsim_store::{Object, Selectors, Store, kinds};
use serde_json::{Value, json};

/// What somebody wants to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Action<'a> {
    pub(crate) verb: &'a str,
    pub(crate) on: On<'a>,
}

/// What he wants to do it on. Empty texts are none.
#[derive(Clone, Copy, Debug)]
pub(crate) enum On<'a> {
    Resource {
        group: &'a str,
        resource: &'a str,
        subresource: &'a str,
        namespace: &'a str,
        name: &'a str,
    },
    Path(&'a str),
}

/// The action of a request (`apiserver/pkg/endpoints/request/requestinfo.go`).
pub(crate) fn action<'a>(method: &Method, path: &'a str, segments: &[&'a str], watch: bool) -> Action<'a> {
    let (group, rest) = match segments {
        ["api", _, rest @ ..] if !rest.is_empty() => ("", rest),
        ["apis", group, _, rest @ ..] if !rest.is_empty() => (*group, rest),
        _ => {
            let verb = match *method {
                Method::POST => "post",
                Method::PUT => "put",
                Method::PATCH => "patch",
                Method::DELETE => "delete",
                _ => "get",
            };
            return Action {
                verb,
                on: On::Path(path),
            };
        }
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() && !matches!(rest[0], "status" | "finalize") => {
            (*namespace, rest)
        }
        // A Namespace itself is looked at as one that is in itself.
        ["namespaces", name, ..] => (*name, rest),
        rest => ("", rest),
    };
    let part = |index: usize| rest.get(index).copied().unwrap_or_default();
    let (resource, name, subresource) = (part(0), part(1), part(2));
    let verb = match *method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if name.is_empty() => "deletecollection",
        Method::DELETE => "delete",
        _ if watch => "watch",
        _ if name.is_empty() => "list",
        _ => "get",
    };
    Action {
        verb,
        on: On::Resource {
            group,
            resource,
            subresource,
            namespace,
            name,
        },
    }
}

/// An error unless he may; and nobody gives rights that he has not got. Kubernetes compares what is given with what the giver has;
/// here he needs the verb `escalate` or `bind` for it, which the administrator has.
pub(crate) fn check(store: &Store, user: &User, action: &Action) -> Result<()> {
    require(store, user, action)?;
    let On::Resource {
        group: "rbac.authorization.k8s.io",
        resource,
        name,
        ..
    } = action.on
    else {
        return Ok(());
    };
    let verb = match resource {
        "roles" | "clusterroles" => "escalate",
        _ => "bind",
    };
    let writes = matches!(action.verb, "create" | "update" | "patch");
    if !writes || allowed(store, user, &Action { verb, ..*action }).is_some() {
        return Ok(());
    }
    Err(ApiError::forbidden(format!(
        "{resource}.rbac.authorization.k8s.io \"{name}\" is forbidden: user \"{}\" (groups={:?}) is attempting to grant RBAC permissions \
         (podsim asks for the verb {verb:?} for that)",
        user.name, user.groups
    )))
}

/// An error unless he may.
pub(crate) fn require(store: &Store, user: &User, action: &Action) -> Result<()> {
    if allowed(store, user, action).is_some() {
        return Ok(());
    }
    let (User { name: who, .. }, verb) = (user, action.verb);
    let message = match action.on {
        On::Path(path) => format!("forbidden: User \"{who}\" cannot {verb} path \"{path}\""),
        On::Resource {
            group,
            resource,
            subresource,
            namespace,
            name,
        } => {
            let qualified = if group.is_empty() {
                resource.to_owned()
            } else {
                format!("{resource}.{group}")
            };
            let object = if name.is_empty() {
                qualified
            } else {
                format!("{qualified} \"{name}\"")
            };
            let whole = if subresource.is_empty() {
                resource.to_owned()
            } else {
                format!("{resource}/{subresource}")
            };
            let place = if namespace.is_empty() {
                "at the cluster scope".to_owned()
            } else {
                format!("in the namespace \"{namespace}\"")
            };
            format!(
                "{object} is forbidden: User \"{who}\" cannot {verb} resource \"{whole}\" in API group \"{group}\" {place}"
            )
        }
    };
    let mut error = ApiError::forbidden(message);
    if let On::Resource {
        resource, name, group, ..
    } = action.on
    {
        error.details = Some(json!({"kind": resource, "name": name, "group": group}));
    }
    Err(error)
}

/// Why he may; `None`: he may not.
pub(crate) fn allowed(store: &Store, user: &User, action: &Action) -> Option<String> {
    if user.is_master() {
        return Some("RBAC: allowed by the group \"system:masters\"".into());
    }
    let namespace = match action.on {
        On::Resource { namespace, .. } => namespace,
        On::Path(_) => "",
    };
    let mut found = None;
    each_rule(store, user, namespace, &mut |binding, rule| {
        if found.is_none() && permits(rule, action) {
            found = Some(reason(binding));
        }
    });
    found
}

fn reason(binding: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (name, space) = (
        text(&binding["metadata"]["name"]),
        text(&binding["metadata"]["namespace"]),
    );
    let place = if space.is_empty() {
        name
    } else {
        format!("{name}/{space}")
    };
    format!(
        "RBAC: allowed by {} \"{place}\" of {} \"{}\"",
        text(&binding["kind"]),
        text(&binding["roleRef"]["kind"]),
        text(&binding["roleRef"]["name"])
    )
}

/// The rules that hold for a user in a namespace (none: in the cluster), each with the binding by which it does.
pub(crate) fn each_rule(store: &Store, user: &User, namespace: &str, visit: &mut dyn FnMut(&Value, &Value)) {
    let everything = Selectors::default();
    let mut bindings: Vec<Object> = store.list(&kinds::CLUSTER_ROLE_BINDING, None, &everything).items;
    if !namespace.is_empty() {
        bindings.extend(store.list(&kinds::ROLE_BINDING, Some(namespace), &everything).items);
    }
    for binding in &bindings {
        let subjects = binding["subjects"].as_array();
        if !subjects
            .into_iter()
            .flatten()
            .any(|subject| is_subject(subject, user, namespace))
        {
            continue;
        }
        let name = binding["roleRef"]["name"].as_str().unwrap_or_default();
        let role = match binding["roleRef"]["kind"].as_str() {
            Some("ClusterRole") => store.get(&kinds::CLUSTER_ROLE, "", name),
            _ => store.get(&kinds::ROLE, namespace, name),
        };
        // A binding may name a role that is not there (yet).
        let Ok(role) = role else { continue };
        for rule in role["rules"].as_array().into_iter().flatten() {
            visit(binding, rule);
        }
    }
}

fn is_subject(subject: &Value, user: &User, namespace: &str) -> bool {
    let name = subject["name"].as_str().unwrap_or_default();
    match subject["kind"].as_str() {
        Some("User") => user.name == name,
        Some("Group") => user.groups.iter().any(|group| group == name),
        Some("ServiceAccount") => {
            let space = subject["namespace"].as_str().unwrap_or(namespace);
            user.name == format!("system:serviceaccount:{space}:{name}")
        }
        _ => false,
    }
}

/// Whether a rule allows an action (`pkg/registry/rbac/validation`, `pkg/apis/rbac/v1/evaluation_helpers.go`).
fn permits(rule: &Value, action: &Action) -> bool {
    let has = |list: &str, wanted: &dyn Fn(&str) -> bool| {
        let items = rule[list].as_array().into_iter().flatten();
        items.filter_map(Value::as_str).any(wanted)
    };
    if !has("verbs", &|verb| verb == "*" || verb == action.verb) {
        return false;
    }
    match action.on {
        On::Path(path) => has("nonResourceURLs", &|url| {
            url == "*" || url == path || url.strip_suffix('*').is_some_and(|start| path.starts_with(start))
        }),
        On::Resource {
            group,
            resource,
            subresource,
            name,
            ..
        } => {
            let of_resource = |one: &str| match (one.split_once('/'), subresource) {
                _ if one == "*" => true,
                (None, "") => one == resource,
                (Some((of, sub)), wanted) if !wanted.is_empty() => (of == "*" || of == resource) && sub == wanted,
                _ => false,
            };
            let names = rule["resourceNames"].as_array().filter(|names| !names.is_empty());
            has("apiGroups", &|one| one == "*" || one == group)
                && has("resources", &of_resource)
                && names.is_none_or(|names| names.iter().any(|one| *one == name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(method: &Method, path: &str, watch: bool) -> String {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let action = action(method, path, &segments, watch);
        match action.on {
            On::Path(path) => format!("{} {path}", action.verb),
            On::Resource {
                group,
                resource,
                subresource,
                namespace,
                name,
            } => format!("{} {group}/{resource}/{subresource} {namespace}:{name}", action.verb),
        }
    }

    #[test]
    fn requests_are_read_as_actions() {
        for (method, path, watch, action) in [
            (Method::GET, "/api/v1/pods", false, "list /pods/ :"),
            (Method::GET, "/api/v1/namespaces/x/pods", true, "watch /pods/ x:"),
            (
                Method::GET,
                "/api/v1/namespaces/x/pods/p/log",
                false,
                "get /pods/log x:p",
            ),
            (
                Method::POST,
                "/apis/apps/v1/namespaces/x/deployments",
                false,
                "create apps/deployments/ x:",
            ),
            (
                Method::DELETE,
                "/api/v1/namespaces/x/pods",
                false,
                "deletecollection /pods/ x:",
            ),
            (Method::DELETE, "/api/v1/nodes/n", false, "delete /nodes/ :n"),
            (
                Method::PATCH,
                "/api/v1/namespaces/x/status",
                false,
                "patch /namespaces/status x:x",
            ),
            (Method::GET, "/api/v1/namespaces/x", false, "get /namespaces/ x:x"),
            (Method::GET, "/api/v1", false, "get /api/v1"),
            (Method::POST, "/podsim/v1/exec", false, "post /podsim/v1/exec"),
        ] {
            assert_eq!(show(&method, path, watch), action, "{method} {path}");
        }
    }

    #[test]
    fn a_rule_permits_what_it_names_and_nothing_else() {
        let rule = json!({
            "verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "pods/log", "*/status"],
        });
        let named = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "resourceNames": ["one"]});
        let paths = json!({"verbs": ["get"], "nonResourceURLs": ["/healthz", "/api/*"]});
        let on =
            |group: &'static str, resource: &'static str, subresource: &'static str, name: &'static str| On::Resource {
                group,
                resource,
                subresource,
                namespace: "",
                name,
            };
        for (rule, verb, on, permitted) in [
            (&rule, "get", on("", "pods", "", "p"), true),
            (&rule, "delete", on("", "pods", "", "p"), false),
            (&rule, "get", on("apps", "pods", "", "p"), false),
            (&rule, "get", on("", "pods", "log", "p"), true),
            (&rule, "get", on("", "pods", "exec", "p"), false),
            (&rule, "get", on("", "nodes", "status", "n"), true),
            (&rule, "get", on("", "nodes", "", "n"), false),
            (&rule, "get", On::Path("/api"), false),
            (&named, "patch", on("x", "y", "z", "one"), true),
            (&named, "patch", on("x", "y", "z", "two"), false),
            (&named, "list", on("x", "y", "", ""), false),
            (&paths, "get", On::Path("/healthz"), true),
            (&paths, "get", On::Path("/healthz/x"), false),
            (&paths, "get", On::Path("/api/v1"), true),
            (&paths, "post", On::Path("/api/v1"), false),
        ] {
            assert_eq!(permits(rule, &Action { verb, on }), permitted, "{rule} {verb} {on:?}");
        }
    }
}

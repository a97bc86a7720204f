//! The settings of the kernel that a Pod may change for itself (`pkg/kubelet/sysctl`).

use crate::admission::Rejection;
use k8s_openapi::api::core::v1::{PodSpec, Sysctl};
use std::collections::BTreeMap;

/// What a setting is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Space {
    Ipc,
    Net,
}

/// Those that are safe (`SafeSysctlAllowlist`): they act on the Pod's own namespaces, and cannot harm others.
const SAFE: &[(&str, Space)] = &[
    ("kernel.shm_rmid_forced", Space::Ipc),
    ("net.ipv4.ip_local_port_range", Space::Net),
    ("net.ipv4.ip_local_reserved_ports", Space::Net),
    ("net.ipv4.ip_unprivileged_port_start", Space::Net),
    ("net.ipv4.ping_group_range", Space::Net),
    ("net.ipv4.tcp_fin_timeout", Space::Net),
    ("net.ipv4.tcp_keepalive_intvl", Space::Net),
    ("net.ipv4.tcp_keepalive_probes", Space::Net),
    ("net.ipv4.tcp_keepalive_time", Space::Net),
    ("net.ipv4.tcp_rmem", Space::Net),
    ("net.ipv4.tcp_syncookies", Space::Net),
    ("net.ipv4.tcp_wmem", Space::Net),
];

fn list(spec: &PodSpec) -> impl Iterator<Item = &Sysctl> {
    spec.security_context.iter().flat_map(|s| s.sysctls.iter().flatten())
}

/// With dots between the parts: whichever of `.` and `/` comes first separates them (`NormalizeName`).
fn with_dots(name: &str) -> String {
    match name.find(['.', '/']).and_then(|at| name.as_bytes().get(at)) {
        Some(b'/') => {
            let swap = |c: char| match c {
                '.' => '/',
                '/' => '.',
                c => c,
            };
            name.chars().map(swap).collect()
        }
        _ => name.to_owned(),
    }
}

/// What the Pod sets.
pub(crate) fn of(spec: &PodSpec) -> BTreeMap<String, String> {
    list(spec).map(|s| (with_dots(&s.name), s.value.clone())).collect()
}

/// May the Pod set what it wants to?
pub(crate) fn check(spec: &PodSpec) -> Result<(), Rejection> {
    for name in list(spec).map(|s| with_dots(&s.name)) {
        let why = match SAFE.iter().find(|(safe, _)| *safe == name) {
            None => format!("{name:?} not allowlisted"),
            Some((_, Space::Ipc)) if spec.host_ipc == Some(true) => {
                format!("{name:?} not allowed with host IPC enabled")
            }
            Some((_, Space::Net)) if spec.host_network == Some(true) => {
                format!("{name:?} not allowed with host Net enabled")
            }
            Some(_) => continue,
        };
        return Err(Rejection {
            reason: "SysctlForbidden".to_owned(),
            message: format!("forbidden sysctl: {why}"),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_safe_settings_of_the_pods_own_namespaces_are_let_through() {
        for (name, host, want) in [
            ("kernel.shm_rmid_forced", json!({}), None),
            ("kernel/shm_rmid_forced", json!({ "hostNetwork": true }), None),
            (
                "kernel.shm_rmid_forced",
                json!({ "hostIPC": true }),
                Some("\"kernel.shm_rmid_forced\" not allowed with host IPC enabled"),
            ),
            (
                "net/ipv4/tcp_rmem",
                json!({ "hostNetwork": true }),
                Some("\"net.ipv4.tcp_rmem\" not allowed with host Net enabled"),
            ),
            ("kernel.msgmax", json!({}), Some("\"kernel.msgmax\" not allowlisted")),
        ] {
            let mut spec = host;
            spec["containers"] = json!([]);
            spec["securityContext"] = json!({ "sysctls": [{ "name": name, "value": "1" }] });
            let spec: PodSpec = serde_json::from_value(spec).expect("a spec");
            let said = check(&spec).err().map(|r| (r.reason, r.message));
            let want = want.map(|why| ("SysctlForbidden".to_owned(), format!("forbidden sysctl: {why}")));
            assert_eq!(said, want, "{name}");
            assert!(of(&spec).keys().all(|name| !name.contains('/')));
        }
    }
}

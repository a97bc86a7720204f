//! Is this Pod well-formed? (`ValidatePodCreate` in `pkg/apis/core/validation/validation.go`, in its words.)
//!
//! One difference: `shareProcessNamespace` is complained about at `spec.shareProcessNamespace`, where the user wrote it; in
//! Kubernetes, at `spec.securityContext.shareProcessNamespace`, where its internal type has it.

use super::ephemeral::validate_ephemeral;
use super::names;
use super::pod_resources;
use super::validate_container::{Context, validate_container};
use super::validate_handler::validate_life;
use super::validate_scheduling::validate_scheduling;
use super::validate_volume::validate_source;
use crate::FieldError;
use k8s_openapi::api::core::v1::{Container, HostAlias, Pod, PodSpec, Volume};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Everything that is wrong with a new Pod whose defaults are set.
#[must_use]
pub fn validate_create(pod: &Pod) -> Vec<FieldError> {
    let mut errors = validate(pod);
    let ephemeral = pod.spec.as_ref().and_then(|s| s.ephemeral_containers.as_ref());
    if ephemeral.is_some_and(|c| !c.is_empty()) {
        errors.push(FieldError::forbidden(
            "spec.ephemeralContainers",
            "cannot be set on create",
        ));
    }
    let bound = pod.spec.as_ref().and_then(|s| s.node_name.as_deref());
    let gates = pod.spec.as_ref().and_then(|s| s.scheduling_gates.as_ref());
    if bound.is_some_and(|n| !n.is_empty()) && gates.is_some_and(|g| !g.is_empty()) {
        let detail = "cannot be set until all schedulingGates have been cleared";
        errors.push(FieldError::forbidden("spec.nodeName", detail));
    }
    errors
}

/// Everything that is wrong with a Pod whose defaults are set.
#[must_use]
pub fn validate(pod: &Pod) -> Vec<FieldError> {
    let mut errors = vec![];
    validate_metadata(&pod.metadata, names::dns_subdomain, &mut errors);
    match &pod.spec {
        None => errors.push(FieldError::required("spec.containers", "")),
        Some(spec) => validate_spec(spec, &mut errors),
    }
    errors
}

/// Name, labels and annotations of any object.
pub(crate) fn validate_metadata(
    meta: &ObjectMeta,
    check_name: fn(&str) -> Option<String>,
    errors: &mut Vec<FieldError>,
) {
    match meta.name.as_deref().filter(|n| !n.is_empty()) {
        None if meta.generate_name.as_deref().is_none_or(str::is_empty) => {
            errors.push(FieldError::required(
                "metadata.name",
                "name or generateName is required",
            ));
        }
        None => {}
        Some(name) => invalid_if("metadata.name", name, check_name(name), errors),
    }
    if let Some(namespace) = meta.namespace.as_deref().filter(|n| !n.is_empty()) {
        invalid_if("metadata.namespace", namespace, names::dns_label(namespace), errors);
    }
    for (key, value) in meta.labels.iter().flatten() {
        invalid_if("metadata.labels", key, names::qualified_name(key), errors);
        invalid_if("metadata.labels", value, names::label_value(value), errors);
    }
    for key in meta.annotations.iter().flatten().map(|(k, _)| k) {
        invalid_if(
            "metadata.annotations",
            key,
            names::qualified_name(&key.to_lowercase()),
            errors,
        );
    }
    let size: usize = meta.annotations.iter().flatten().map(|(k, v)| k.len() + v.len()).sum();
    if size > 256 << 10 {
        errors.push(FieldError::too_long("metadata.annotations", 256 << 10));
    }
}

/// Adds an `Invalid value` if there is a complaint.
pub(crate) fn invalid_if(field: &str, value: &str, complaint: Option<String>, errors: &mut Vec<FieldError>) {
    errors.extend(complaint.map(|c| FieldError::invalid(field, value, c)));
}

/// The value must be one of these.
pub(crate) fn one_of(field: &str, value: Option<&String>, allowed: &[&str], errors: &mut Vec<FieldError>) {
    match value.map(String::as_str).unwrap_or_default() {
        "" => errors.push(FieldError::required(field, "")),
        value if allowed.contains(&value) => {}
        value => errors.push(FieldError::not_supported(field, value, allowed)),
    }
}

fn validate_spec(spec: &PodSpec, errors: &mut Vec<FieldError>) {
    let volumes = validate_volumes(spec.volumes.as_deref().unwrap_or_default(), errors);
    validate_containers(spec, &volumes, errors);
    pod_resources::validate(spec, errors);
    one_of(
        "spec.restartPolicy",
        spec.restart_policy.as_ref(),
        &["Always", "OnFailure", "Never"],
        errors,
    );
    let policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    one_of("spec.dnsPolicy", spec.dns_policy.as_ref(), &policies, errors);
    if spec.dns_policy.as_deref() == Some("None") {
        match spec
            .dns_config
            .as_ref()
            .map(|c| c.nameservers.as_deref().unwrap_or_default())
        {
            None => {
                let detail = "must provide `dnsConfig` when `dnsPolicy` is None";
                errors.push(FieldError::required("spec.dnsConfig", detail));
            }
            Some([]) => {
                let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
                errors.push(FieldError::required("spec.dnsConfig.nameservers", detail));
            }
            Some(_) => {}
        }
    }
    for (i, server) in spec
        .dns_config
        .iter()
        .flat_map(|c| c.nameservers.iter().flatten())
        .enumerate()
    {
        check_ip(&format!("spec.dnsConfig.nameservers[{i}]"), server, errors);
    }
    if spec.share_process_namespace == Some(true) && spec.host_pid == Some(true) {
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        errors.push(FieldError::invalid_raw("spec.shareProcessNamespace", true, detail));
    }
    if spec.host_users == Some(false) {
        // Its root is not the node's, to whom these belong (`validateHostUsers`).
        for (field, host) in [
            ("hostNetwork", spec.host_network),
            ("hostPID", spec.host_pid),
            ("hostIPC", spec.host_ipc),
        ] {
            if host == Some(true) {
                errors.push(FieldError::forbidden(
                    format!("spec.{field}"),
                    "when `hostUsers` is false",
                ));
            }
        }
    }
    validate_sysctls(spec, errors);
    for (i, alias) in spec.host_aliases.iter().flatten().enumerate() {
        validate_host_alias(&format!("spec.hostAliases[{i}]"), alias, errors);
    }
    if let Some(node) = spec.node_name.as_deref().filter(|n| !n.is_empty()) {
        invalid_if("spec.nodeName", node, names::dns_subdomain(node), errors);
    }
    if let Some(account) = spec.service_account_name.as_deref().filter(|n| !n.is_empty()) {
        invalid_if(
            "spec.serviceAccountName",
            account,
            names::dns_subdomain(account),
            errors,
        );
    }
    if let Some(name) = spec.hostname.as_deref().filter(|n| !n.is_empty()) {
        invalid_if("spec.hostname", name, names::dns_label(name), errors);
    }
    if let Some(name) = spec.hostname_override.as_deref() {
        if name.len() > 64 {
            errors.push(FieldError::invalid(
                "spec.hostnameOverride",
                name,
                "must be no more than 64 bytes",
            ));
        }
        invalid_if("spec.hostnameOverride", name, names::dns_subdomain(name), errors);
        if spec.host_network == Some(true) {
            let detail = "hostnameOverride and hostNetwork are mutually exclusive";
            errors.push(FieldError::invalid_raw("spec.hostNetwork", true, detail));
        }
        if spec.set_hostname_as_fqdn == Some(true) {
            let detail = "hostnameOverride and setHostnameAsFQDN are mutually exclusive";
            errors.push(FieldError::invalid_raw("spec.setHostnameAsFQDN", true, detail));
        }
    }
    if let Some(name) = spec.subdomain.as_deref().filter(|n| !n.is_empty()) {
        invalid_if("spec.subdomain", name, names::dns_label(name), errors);
    }
    if let Some(seconds) = spec.active_deadline_seconds
        && !(1..=i64::from(i32::MAX)).contains(&seconds)
    {
        let detail = "must be between 1 and 2147483647, inclusive";
        errors.push(FieldError::invalid_raw("spec.activeDeadlineSeconds", seconds, detail));
    }
    if let Some(seconds) = spec.termination_grace_period_seconds.filter(|s| *s < 0) {
        let detail = "must be greater than or equal to 0";
        errors.push(FieldError::invalid_raw(
            "spec.terminationGracePeriodSeconds",
            seconds,
            detail,
        ));
    }
    validate_scheduling(spec, errors);
}

/// `validateSysctls`: how names are written; which may be set is the kubelet's to say.
fn validate_sysctls(spec: &PodSpec, errors: &mut Vec<FieldError>) {
    let list = spec.security_context.iter().flat_map(|s| s.sysctls.iter().flatten());
    let mut seen = BTreeSet::new();
    for (i, sysctl) in list.enumerate() {
        let path = format!("spec.securityContext.sysctls[{i}].name");
        if sysctl.name.is_empty() {
            errors.push(FieldError::required(&path, ""));
        } else if let Some(complaint) = names::sysctl(&sysctl.name) {
            errors.push(FieldError::invalid(&path, &sysctl.name, complaint));
        } else if !seen.insert(&sysctl.name) {
            errors.push(FieldError::duplicate(&path, &sysctl.name));
        }
    }
}

fn validate_containers(spec: &PodSpec, volumes: &BTreeSet<&str>, errors: &mut Vec<FieldError>) {
    let context = Context {
        volumes,
        host_network: spec.host_network == Some(true),
        grace: spec.termination_grace_period_seconds.unwrap_or(30),
        restart_policy: spec.restart_policy.as_deref(),
        os: spec.os.as_ref().map(|os| os.name.as_str()),
    };
    let mut seen = BTreeSet::new();
    if spec.containers.is_empty() {
        errors.push(FieldError::required("spec.containers", ""));
    }
    let init = spec.init_containers.as_deref().unwrap_or_default();
    for (list, containers) in [("containers", spec.containers.as_slice()), ("initContainers", init)] {
        for (i, container) in containers.iter().enumerate() {
            let path = format!("spec.{list}[{i}]");
            validate_container(&path, container, &context, errors);
            if !container.name.is_empty() && !seen.insert(container.name.as_str()) {
                errors.push(FieldError::duplicate(format!("{path}.name"), &container.name));
            }
            if list == "containers" || container.restart_policy.as_deref() == Some("Always") {
                validate_life(&path, container, &context, errors);
            } else {
                let forbidden = [
                    ("lifecycle", container.lifecycle.is_some()),
                    ("livenessProbe", container.liveness_probe.is_some()),
                    ("readinessProbe", container.readiness_probe.is_some()),
                    ("startupProbe", container.startup_probe.is_some()),
                    ("resizePolicy", container.resize_policy.is_some()),
                ];
                for (field, _) in forbidden.iter().filter(|(_, set)| *set) {
                    let detail = "may not be set for init containers without restartPolicy=Always";
                    errors.push(FieldError::forbidden(format!("{path}.{field}"), detail));
                }
            }
        }
    }
    host_port_conflicts("spec.containers", &spec.containers, errors);
    // Init containers run one by one, so each is looked at alone.
    for container in init {
        host_port_conflicts("spec.initContainers", std::slice::from_ref(container), errors);
    }
    validate_ephemeral(spec, &context, errors);
}

/// No two containers of a Pod can have the same port of the node (`checkHostPortConflicts`).
fn host_port_conflicts(list: &str, containers: &[Container], errors: &mut Vec<FieldError>) {
    let mut taken = BTreeSet::new();
    for (i, container) in containers.iter().enumerate() {
        for (j, port) in container.ports.iter().flatten().enumerate() {
            let Some(number) = port.host_port.filter(|p| *p != 0) else {
                continue;
            };
            let protocol = port.protocol.as_deref().unwrap_or("TCP");
            let key = format!("{protocol}/{}/{number}", port.host_ip.as_deref().unwrap_or_default());
            if !taken.insert(key.clone()) {
                errors.push(FieldError::duplicate(format!("{list}[{i}].ports[{j}].hostPort"), &key));
            }
        }
    }
}

fn validate_volumes<'a>(volumes: &'a [Volume], errors: &mut Vec<FieldError>) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    for (i, volume) in volumes.iter().enumerate() {
        let path = format!("spec.volumes[{i}]");
        let name = format!("{path}.name");
        if volume.name.is_empty() {
            errors.push(FieldError::required(&name, ""));
        } else if let Some(complaint) = names::dns_label(&volume.name) {
            errors.push(FieldError::invalid(&name, &volume.name, complaint));
        } else if !seen.insert(volume.name.as_str()) {
            errors.push(FieldError::duplicate(&name, &volume.name));
        }
        // All fields but the name are sources, so they are counted by what the type itself writes.
        let sources = serde_json::to_value(volume).ok();
        let sources = sources.as_ref().and_then(|v| v.as_object()).into_iter().flatten();
        let sources: Vec<_> = sources.map(|(k, _)| k).filter(|k| *k != "name").collect();
        for extra in sources.iter().skip(1) {
            errors.push(FieldError::forbidden(
                format!("{path}.{extra}"),
                "may not specify more than 1 volume type",
            ));
        }
        validate_source(&path, volume, errors);
    }
    seen
}

fn check_ip(field: &str, value: &str, errors: &mut Vec<FieldError>) {
    if value.parse::<IpAddr>().is_err() {
        let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        errors.push(FieldError::invalid(field, value, detail));
    }
}

fn validate_host_alias(path: &str, alias: &HostAlias, errors: &mut Vec<FieldError>) {
    check_ip(&format!("{path}.ip"), &alias.ip, errors);
    for (i, name) in alias.hostnames.iter().flatten().enumerate() {
        invalid_if(
            &format!("{path}.hostnames[{i}]"),
            name,
            names::dns_subdomain(name),
            errors,
        );
    }
}

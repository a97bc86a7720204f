//! Is this container well-formed?

use super::names;
use super::validate::{invalid_if, one_of};
use super::validate_handler::validate_port_number;
use super::validate_resources::{validate_resize_policy, validate_resources};
use crate::FieldError;
use k8s_openapi::api::core::v1::{Container, ContainerPort, EnvFromSource, EnvVar, ResourceFieldSelector, VolumeMount};
use std::collections::BTreeSet;

/// When an image is pulled.
pub(super) const PULL_POLICIES: [&str; 3] = ["Always", "IfNotPresent", "Never"];

/// What of the Pod matters to its containers.
pub(crate) struct Context<'a> {
    pub(crate) volumes: &'a BTreeSet<&'a str>,
    pub(crate) host_network: bool,
    pub(crate) grace: i64,
    /// `spec.restartPolicy`.
    pub(crate) restart_policy: Option<&'a str>,
    /// `spec.os.name`.
    pub(crate) os: Option<&'a str>,
}

type Errors = Vec<FieldError>;

pub(crate) fn validate_container(path: &str, container: &Container, context: &Context<'_>, errors: &mut Errors) {
    if container.name.is_empty() {
        errors.push(FieldError::required(format!("{path}.name"), ""));
    } else {
        invalid_if(
            &format!("{path}.name"),
            &container.name,
            names::dns_label(&container.name),
            errors,
        );
    }
    let image = container.image.as_deref().unwrap_or_default();
    if image.is_empty() {
        errors.push(FieldError::required(format!("{path}.image"), ""));
    } else if image.trim() != image {
        let detail = "must not have leading or trailing whitespace";
        errors.push(FieldError::invalid(format!("{path}.image"), image, detail));
    }
    one_of(
        &format!("{path}.imagePullPolicy"),
        container.image_pull_policy.as_ref(),
        &PULL_POLICIES,
        errors,
    );
    let policies = ["File", "FallbackToLogsOnError"];
    let field = format!("{path}.terminationMessagePolicy");
    one_of(&field, container.termination_message_policy.as_ref(), &policies, errors);
    validate_ports(
        path,
        container.ports.as_deref().unwrap_or_default(),
        context.host_network,
        errors,
    );
    for (i, var) in container.env.iter().flatten().enumerate() {
        validate_env(&format!("{path}.env[{i}]"), var, errors);
    }
    validate_mounts(
        path,
        container.volume_mounts.as_deref().unwrap_or_default(),
        context.volumes,
        container.security_context.as_ref().and_then(|s| s.privileged) == Some(true),
        errors,
    );
    if let Some(resources) = &container.resources {
        validate_resources(&format!("{path}.resources"), resources, errors);
    }
    validate_resize_policy(path, container, context.restart_policy, errors);
    validate_env_from(path, container.env_from.as_deref().unwrap_or_default(), errors);
    validate_restart_policy(path, container, errors);
    if let Some(security) = &container.security_context {
        if security.privileged == Some(true) && security.allow_privilege_escalation == Some(false) {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            errors.push(FieldError::invalid(format!("{path}.securityContext"), "", detail));
        }
        for (field, id) in [
            ("runAsUser", security.run_as_user),
            ("runAsGroup", security.run_as_group),
        ] {
            if let Some(id) = id.filter(|id| !(0..=i64::from(i32::MAX)).contains(id)) {
                let detail = "must be between 0 and 2147483647, inclusive";
                errors.push(FieldError::invalid_raw(
                    format!("{path}.securityContext.{field}"),
                    id,
                    detail,
                ));
            }
        }
    }
}

/// The container's own restart policy and its rules (`validateContainerRestartPolicy`, KEP-5307).
fn validate_restart_policy(path: &str, container: &Container, errors: &mut Errors) {
    let policy = format!("{path}.restartPolicy");
    let rules = container.restart_policy_rules.as_deref().unwrap_or_default();
    match container.restart_policy.as_deref() {
        None if !rules.is_empty() => {
            let detail = "must specify restartPolicy when restart rules are used";
            errors.push(FieldError::required(policy, detail));
        }
        None | Some("Always" | "OnFailure" | "Never") => {}
        Some(other) => errors.push(FieldError::not_supported(
            policy,
            other,
            &["Always", "Never", "OnFailure"],
        )),
    }
    if rules.len() > 20 {
        let detail = "must have at most 20 items";
        errors.push(FieldError::invalid_raw(
            format!("{path}.restartPolicyRules"),
            rules.len(),
            detail,
        ));
    }
    for (i, rule) in rules.iter().enumerate() {
        let path = format!("{path}.restartPolicyRules[{i}]");
        if rule.action != "Restart" {
            errors.push(FieldError::not_supported(
                format!("{path}.action"),
                &rule.action,
                &["Restart"],
            ));
        }
        match &rule.exit_codes {
            None => errors.push(FieldError::required(format!("{path}.exitCodes"), "must be specified")),
            Some(codes) => {
                if !["In", "NotIn"].contains(&codes.operator.as_str()) {
                    let field = format!("{path}.exitCodes.operator");
                    errors.push(FieldError::not_supported(field, &codes.operator, &["In", "NotIn"]));
                }
            }
        }
    }
}

fn validate_env_from(path: &str, sources: &[EnvFromSource], errors: &mut Errors) {
    for (i, source) in sources.iter().enumerate() {
        let path = format!("{path}.envFrom[{i}]");
        if let Some(prefix) = source.prefix.as_deref().filter(|p| !p.is_empty()) {
            invalid_if(&format!("{path}.prefix"), prefix, names::env_name(prefix), errors);
        }
        let config_map = source.config_map_ref.as_ref().map(|r| ("configMapRef", &r.name));
        let secret = source.secret_ref.as_ref().map(|r| ("secretRef", &r.name));
        for (field, name) in config_map.into_iter().chain(secret) {
            if name.is_empty() {
                errors.push(FieldError::required(format!("{path}.{field}.name"), ""));
            } else {
                invalid_if(
                    &format!("{path}.{field}.name"),
                    name,
                    names::dns_subdomain(name),
                    errors,
                );
            }
        }
        match (&source.config_map_ref, &source.secret_ref) {
            (None, None) => {
                let detail = "must specify one of: `configMapRef` or `secretRef`";
                errors.push(FieldError::invalid(path, "", detail));
            }
            (Some(_), Some(_)) => {
                let detail = "may not have more than one field specified at a time";
                errors.push(FieldError::invalid(path, "", detail));
            }
            _ => {}
        }
    }
}

/// A key of a ConfigMap or Secret.
fn validate_key_ref(path: &str, name: &str, key: &str, errors: &mut Errors) {
    if name.is_empty() {
        errors.push(FieldError::required(format!("{path}.name"), ""));
    }
    if key.is_empty() {
        errors.push(FieldError::required(format!("{path}.key"), ""));
    } else {
        invalid_if(&format!("{path}.key"), key, names::config_map_key(key), errors);
    }
}

pub(super) fn validate_resource_ref(path: &str, reference: &ResourceFieldSelector, errors: &mut Errors) {
    const KINDS: [&str; 6] = [
        "limits.cpu",
        "limits.ephemeral-storage",
        "limits.memory",
        "requests.cpu",
        "requests.ephemeral-storage",
        "requests.memory",
    ];
    let resource = &reference.resource;
    if resource.is_empty() {
        errors.push(FieldError::required(format!("{path}.resource"), ""));
    } else if !KINDS.contains(&resource.as_str())
        && !resource.starts_with("limits.hugepages-")
        && !resource.starts_with("requests.hugepages-")
    {
        errors.push(FieldError::not_supported(format!("{path}.resource"), resource, &KINDS));
    }
    let divisor = reference.divisor.as_ref().map_or("0", |d| d.0.as_str());
    let allowed: &[&str] = if resource.ends_with(".cpu") {
        &["0", "1m", "1"]
    } else {
        &[
            "0", "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei",
        ]
    };
    if !allowed.contains(&divisor) {
        let detail = if resource.ends_with(".cpu") {
            "only divisor's values 1m and 1 are supported with the cpu resource"
        } else {
            "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the memory resource"
        };
        errors.push(FieldError::invalid(format!("{path}.divisor"), divisor, detail));
    }
}

fn validate_ports(path: &str, ports: &[ContainerPort], host_network: bool, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (i, port) in ports.iter().enumerate() {
        let path = format!("{path}.ports[{i}]");
        if let Some(name) = port.name.as_deref().filter(|n| !n.is_empty()) {
            if let Some(complaint) = names::port_name(name) {
                errors.push(FieldError::invalid(format!("{path}.name"), name, complaint));
            } else if !seen.insert(name) {
                errors.push(FieldError::duplicate(format!("{path}.name"), name));
            }
        }
        if port.container_port == 0 {
            errors.push(FieldError::required(format!("{path}.containerPort"), ""));
        } else {
            validate_port_number(&format!("{path}.containerPort"), port.container_port, errors);
        }
        if let Some(host) = port.host_port.filter(|p| *p != 0) {
            validate_port_number(&format!("{path}.hostPort"), host, errors);
            if host_network && host != port.container_port {
                let detail = "must match `containerPort` when `hostNetwork` is true";
                errors.push(FieldError::invalid_raw(format!("{path}.hostPort"), host, detail));
            }
        }
        one_of(
            &format!("{path}.protocol"),
            port.protocol.as_ref(),
            &["SCTP", "TCP", "UDP"],
            errors,
        );
    }
}

fn validate_env(path: &str, var: &EnvVar, errors: &mut Errors) {
    if var.name.is_empty() {
        errors.push(FieldError::required(format!("{path}.name"), ""));
    } else {
        invalid_if(&format!("{path}.name"), &var.name, names::env_name(&var.name), errors);
    }
    let Some(from) = &var.value_from else { return };
    let path = format!("{path}.valueFrom");
    let sources = [
        from.field_ref.is_some(),
        from.resource_field_ref.is_some(),
        from.config_map_key_ref.is_some(),
        from.secret_key_ref.is_some(),
        from.file_key_ref.is_some(),
    ];
    let value = var.value.as_deref().unwrap_or_default();
    match sources.iter().filter(|s| **s).count() {
        0 => {
            let detail = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`";
            errors.push(FieldError::invalid(path.clone(), "", detail));
        }
        1 if !value.is_empty() => {
            errors.push(FieldError::invalid(
                path.clone(),
                "",
                "may not be specified when `value` is not empty",
            ));
        }
        1 => {}
        _ => errors.push(FieldError::invalid(
            path.clone(),
            "",
            "may not have more than one field specified at a time",
        )),
    }
    if let Some(key) = &from.config_map_key_ref {
        validate_key_ref(&format!("{path}.configMapKeyRef"), &key.name, &key.key, errors);
    }
    if let Some(key) = &from.secret_key_ref {
        validate_key_ref(&format!("{path}.secretKeyRef"), &key.name, &key.key, errors);
    }
    if let Some(resource) = &from.resource_field_ref {
        validate_resource_ref(&format!("{path}.resourceFieldRef"), resource, errors);
    }
    if let Some(field) = &from.field_ref {
        const FIELDS: [&str; 10] = [
            "metadata.name",
            "metadata.namespace",
            "metadata.uid",
            "spec.nodeName",
            "spec.serviceAccountName",
            "status.hostIP",
            "status.hostIPs",
            "status.podIP",
            "status.podIPs",
            "status.phase",
        ];
        let allowed = FIELDS.iter().take(9).copied().collect::<Vec<_>>();
        let subscript = |p: &str| {
            field
                .field_path
                .strip_prefix(p)
                .is_some_and(|r| r.starts_with("['") && r.ends_with("']"))
        };
        let path = format!("{path}.fieldRef.fieldPath");
        if field.field_path.is_empty() {
            errors.push(FieldError::required(path, ""));
        } else if !allowed.contains(&field.field_path.as_str())
            && !subscript("metadata.labels")
            && !subscript("metadata.annotations")
        {
            errors.push(FieldError::not_supported(path, &field.field_path, &allowed));
        }
    }
}

/// `validateMountPropagation` and `validateMountRecursiveReadOnly`.
fn validate_spread(path: &str, mount: &VolumeMount, privileged: bool, errors: &mut Errors) {
    let propagation = mount.mount_propagation.as_deref();
    let field = format!("{path}.mountPropagation");
    match propagation {
        None | Some("None" | "HostToContainer") => {}
        Some("Bidirectional") if privileged => {}
        Some("Bidirectional") => errors.push(FieldError::forbidden(
            field,
            "Bidirectional mount propagation is available only to privileged containers",
        )),
        Some(other) => {
            let supported = ["Bidirectional", "HostToContainer", "None"];
            errors.push(FieldError::not_supported(field, other, &supported));
        }
    }
    let field = format!("{path}.recursiveReadOnly");
    match mount.recursive_read_only.as_deref() {
        None | Some("Disabled") => {}
        Some("Enabled" | "IfPossible") => {
            if mount.read_only != Some(true) {
                errors.push(FieldError::forbidden(
                    &field,
                    "may only be specified when readOnly is true",
                ));
            }
            if propagation.is_some_and(|propagation| propagation != "None") {
                let detail = "may only be specified when mountPropagation is None or not specified";
                errors.push(FieldError::forbidden(&field, detail));
            }
        }
        Some(other) => {
            let supported = ["Disabled", "Enabled", "IfPossible"];
            errors.push(FieldError::not_supported(field, other, &supported));
        }
    }
}

fn validate_mounts(
    path: &str,
    mounts: &[VolumeMount],
    volumes: &BTreeSet<&str>,
    privileged: bool,
    errors: &mut Errors,
) {
    let mut seen = BTreeSet::new();
    for (i, mount) in mounts.iter().enumerate() {
        let path = format!("{path}.volumeMounts[{i}]");
        if mount.name.is_empty() {
            errors.push(FieldError::required(format!("{path}.name"), ""));
        } else if !volumes.contains(mount.name.as_str()) {
            errors.push(FieldError::not_found(format!("{path}.name"), &mount.name));
        }
        if mount.mount_path.is_empty() {
            errors.push(FieldError::required(format!("{path}.mountPath"), ""));
        } else if !seen.insert(mount.mount_path.as_str()) {
            errors.push(FieldError::invalid(
                format!("{path}.mountPath"),
                &mount.mount_path,
                "must be unique",
            ));
        }
        let (sub, expression) = (mount.sub_path.as_deref(), mount.sub_path_expr.as_deref());
        for (field, value) in [("subPath", sub), ("subPathExpr", expression)] {
            let Some(value) = value.filter(|v| !v.is_empty()) else {
                continue;
            };
            let field = format!("{path}.{field}");
            if value.starts_with('/') {
                errors.push(FieldError::invalid(field, value, "must be a relative path"));
            } else if value.split('/').any(|p| p == "..") {
                errors.push(FieldError::invalid(field, value, "must not contain '..'"));
            }
        }
        if let (Some(_), Some(expression)) = (sub.filter(|s| !s.is_empty()), expression.filter(|s| !s.is_empty())) {
            let detail = "subPathExpr and subPath are mutually exclusive";
            errors.push(FieldError::invalid(format!("{path}.subPathExpr"), expression, detail));
        }
        validate_spread(&path, mount, privileged, errors);
    }
}

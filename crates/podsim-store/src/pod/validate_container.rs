//! Is this container well-formed?

use super::validate::{invalid_if, one_of};
use super::{names, quantity};
use crate::FieldError;
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EnvVar, ExecAction, HTTPGetAction, LifecycleHandler, Probe, ResourceRequirements,
    SleepAction, TCPSocketAction, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeSet;

/// What of the Pod matters to its containers.
pub(crate) struct Context<'a> {
    pub(crate) volumes: &'a BTreeSet<&'a str>,
    pub(crate) host_network: bool,
    pub(crate) grace: i64,
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
    let lifecycle = container.lifecycle.as_ref();
    for (field, hook) in [
        ("postStart", lifecycle.and_then(|l| l.post_start.as_ref())),
        ("preStop", lifecycle.and_then(|l| l.pre_stop.as_ref())),
    ] {
        if let Some(handler) = hook {
            validate_handler(
                &format!("{path}.lifecycle.{field}"),
                &Handler::of_hook(handler),
                context.grace,
                errors,
            );
        }
    }
    for (field, probe) in [
        ("livenessProbe", &container.liveness_probe),
        ("readinessProbe", &container.readiness_probe),
        ("startupProbe", &container.startup_probe),
    ] {
        if let Some(probe) = probe {
            validate_probe(&format!("{path}.{field}"), field, probe, errors);
        }
    }
    let pull = ["Always", "IfNotPresent", "Never"];
    one_of(
        &format!("{path}.imagePullPolicy"),
        container.image_pull_policy.as_ref(),
        &pull,
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
        errors,
    );
    if let Some(resources) = &container.resources {
        validate_resources(&format!("{path}.resources"), resources, errors);
    }
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

/// The actions of a hook or a probe.
struct Handler<'a> {
    exec: Option<&'a ExecAction>,
    http_get: Option<&'a HTTPGetAction>,
    tcp_socket: Option<&'a TCPSocketAction>,
    sleep: Option<&'a SleepAction>,
    grpc: bool,
}

impl<'a> Handler<'a> {
    fn of_hook(hook: &'a LifecycleHandler) -> Self {
        Self {
            exec: hook.exec.as_ref(),
            http_get: hook.http_get.as_ref(),
            tcp_socket: hook.tcp_socket.as_ref(),
            sleep: hook.sleep.as_ref(),
            grpc: false,
        }
    }

    fn of_probe(probe: &'a Probe) -> Self {
        Self {
            exec: probe.exec.as_ref(),
            http_get: probe.http_get.as_ref(),
            tcp_socket: probe.tcp_socket.as_ref(),
            sleep: None,
            grpc: probe.grpc.is_some(),
        }
    }
}

fn validate_handler(path: &str, handler: &Handler<'_>, grace: i64, errors: &mut Errors) {
    let present = [
        ("exec", handler.exec.is_some()),
        ("httpGet", handler.http_get.is_some()),
        ("tcpSocket", handler.tcp_socket.is_some()),
        ("grpc", handler.grpc),
        ("sleep", handler.sleep.is_some()),
    ];
    let present: Vec<_> = present
        .into_iter()
        .filter(|(_, set)| *set)
        .map(|(name, _)| name)
        .collect();
    match present.split_first() {
        None => errors.push(FieldError::required(path, "must specify a handler type")),
        Some((_, more)) => more.iter().for_each(|name| {
            errors.push(FieldError::forbidden(
                format!("{path}.{name}"),
                "may not specify more than 1 handler type",
            ));
        }),
    }
    if handler
        .exec
        .is_some_and(|e| e.command.as_ref().is_none_or(Vec::is_empty))
    {
        errors.push(FieldError::required(format!("{path}.exec.command"), ""));
    }
    if let Some(http) = handler.http_get {
        validate_port_ref(&format!("{path}.httpGet.port"), &http.port, errors);
        one_of(
            &format!("{path}.httpGet.scheme"),
            http.scheme.as_ref(),
            &["HTTP", "HTTPS"],
            errors,
        );
    }
    if let Some(tcp) = handler.tcp_socket {
        validate_port_ref(&format!("{path}.tcpSocket.port"), &tcp.port, errors);
    }
    if let Some(sleep) = handler.sleep
        && (sleep.seconds < 0 || sleep.seconds > grace)
    {
        let detail = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        errors.push(FieldError::invalid_raw(
            format!("{path}.sleep.seconds"),
            sleep.seconds,
            detail,
        ));
    }
}

fn validate_port_ref(path: &str, port: &IntOrString, errors: &mut Errors) {
    match port {
        IntOrString::Int(number) => validate_port_number(path, *number, errors),
        IntOrString::String(name) => invalid_if(path, name, names::port_name(name), errors),
    }
}

fn validate_port_number(path: &str, number: i32, errors: &mut Errors) {
    if !(1..=65535).contains(&number) {
        errors.push(FieldError::invalid_raw(
            path,
            number,
            "must be between 1 and 65535, inclusive",
        ));
    }
}

fn validate_probe(path: &str, name: &str, probe: &Probe, errors: &mut Errors) {
    validate_handler(path, &Handler::of_probe(probe), 0, errors);
    for (field, value) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ] {
        if let Some(value) = value.filter(|v| *v < 0) {
            let detail = "must be greater than or equal to 0";
            errors.push(FieldError::invalid_raw(format!("{path}.{field}"), value, detail));
        }
    }
    if name != "readinessProbe"
        && let Some(value) = probe.success_threshold.filter(|v| *v > 1)
    {
        errors.push(FieldError::invalid_raw(
            format!("{path}.successThreshold"),
            value,
            "must be 1",
        ));
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

fn validate_mounts(path: &str, mounts: &[VolumeMount], volumes: &BTreeSet<&str>, errors: &mut Errors) {
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
        if let Some(sub) = mount.sub_path.as_deref() {
            if sub.starts_with('/') {
                errors.push(FieldError::invalid(
                    format!("{path}.subPath"),
                    sub,
                    "must be a relative path",
                ));
            } else if sub.split('/').any(|p| p == "..") {
                errors.push(FieldError::invalid(
                    format!("{path}.subPath"),
                    sub,
                    "must not contain '..'",
                ));
            }
        }
    }
}

fn validate_resources(path: &str, resources: &ResourceRequirements, errors: &mut Errors) {
    for (list, quantities) in [("limits", &resources.limits), ("requests", &resources.requests)] {
        for (name, value) in quantities.iter().flatten() {
            let field = format!("{path}.{list}[{name}]");
            match quantity::millis(&value.0) {
                None => errors.push(FieldError::invalid(field, &value.0, quantity::MALFORMED)),
                Some(n) if n < 0 => {
                    errors.push(FieldError::invalid(
                        field,
                        &value.0,
                        "must be greater than or equal to 0",
                    ));
                }
                Some(_) => {}
            }
        }
    }
    let limits = resources.limits.clone().unwrap_or_default();
    for (name, request) in resources.requests.iter().flatten() {
        if let Some(limit) = limits.get(name)
            && let (Some(asked), Some(most)) = (quantity::millis(&request.0), quantity::millis(&limit.0))
            && asked > most
        {
            let detail = format!("must be less than or equal to {name} limit of {}", limit.0);
            errors.push(FieldError::invalid(format!("{path}.requests"), &request.0, detail));
        }
    }
}

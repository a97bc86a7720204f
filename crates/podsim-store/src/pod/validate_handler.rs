//! Are the hooks and probes of this container well-formed? (`validateLifecycle`, `validateProbe`)

use super::names;
use super::validate::{invalid_if, one_of};
use super::validate_container::Context;
use crate::FieldError;
use k8s_openapi::api::core::v1::{
    Container, ExecAction, HTTPGetAction, LifecycleHandler, Probe, SleepAction, TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

type Errors = Vec<FieldError>;

/// What only the containers proper and sidecars may have.
pub(super) fn validate_life(path: &str, container: &Container, context: &Context<'_>, errors: &mut Errors) {
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
    if let Some(signal) = lifecycle.and_then(|l| l.stop_signal.as_deref()) {
        validate_stop_signal(&format!("{path}.lifecycle.stopSignal"), signal, context, errors);
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
}

/// `stopSignal` (KEP-4960): its names are those of Linux, and the Pod has to say that it is for Linux.
fn validate_stop_signal(path: &str, signal: &str, context: &Context<'_>, errors: &mut Errors) {
    if context.os.is_none_or(str::is_empty) {
        let detail = "may not be set for containers with empty `spec.os.name`";
        errors.push(FieldError::forbidden(path, detail));
    }
    let known = podsim_sys::Signal::parse(signal).is_some() && signal.starts_with("SIG");
    if !known {
        let names = [
            "SIGHUP", "SIGINT", "SIGKILL", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2",
        ];
        errors.push(FieldError::not_supported(path, signal, &names));
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
        if http.path.as_deref().is_none_or(str::is_empty) {
            errors.push(FieldError::required(format!("{path}.httpGet.path"), ""));
        }
        for header in http.http_headers.iter().flatten() {
            let complaint = names::http_header_name(&header.name);
            invalid_if(&format!("{path}.httpGet.httpHeaders"), &header.name, complaint, errors);
        }
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

fn validate_probe(path: &str, name: &str, probe: &Probe, errors: &mut Errors) {
    validate_handler(path, &Handler::of_probe(probe), 0, errors);
    if let Some(grpc) = &probe.grpc {
        validate_port_number(&format!("{path}.grpc.port"), grpc.port, errors);
    }
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
    let grace = format!("{path}.terminationGracePeriodSeconds");
    match probe.termination_grace_period_seconds {
        Some(seconds) if seconds <= 0 => {
            errors.push(FieldError::invalid_raw(&grace, seconds, "must be greater than 0"));
        }
        _ => {}
    }
    if name == "readinessProbe" {
        if let Some(seconds) = probe.termination_grace_period_seconds {
            errors.push(FieldError::invalid_raw(
                grace,
                seconds,
                "must not be set for readinessProbes",
            ));
        }
    } else if let Some(value) = probe.success_threshold.filter(|v| *v != 1) {
        errors.push(FieldError::invalid_raw(
            format!("{path}.successThreshold"),
            value,
            "must be 1",
        ));
    }
}

pub(super) fn validate_port_number(path: &str, number: i32, errors: &mut Errors) {
    if !(1..=65535).contains(&number) {
        errors.push(FieldError::invalid_raw(
            path,
            number,
            "must be between 1 and 65535, inclusive",
        ));
    }
}

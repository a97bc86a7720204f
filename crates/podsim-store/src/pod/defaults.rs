//! What a Pod's unset fields mean (`SetDefaults_*` in `pkg/apis/core/v1/defaults.go`, and the admission plug-ins that set
//! what every Pod of a cluster has: ServiceAccount, Priority).

use super::pod_resources;
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EmptyDirVolumeSource, EnvVar, HTTPGetAction, LifecycleHandler, Pod, PodSpec, Probe,
    Toleration, Volume,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

fn default<T>(field: &mut Option<T>, value: T) {
    field.get_or_insert(value);
}

fn text(field: &mut Option<String>, value: &str) {
    if field.as_deref().unwrap_or_default().is_empty() {
        *field = Some(value.to_owned());
    }
}

/// Fills in what is not set.
pub fn set_defaults(pod: &mut Pod) {
    let Some(spec) = pod.spec.as_mut() else { return };
    text(&mut spec.restart_policy, "Always");
    text(&mut spec.dns_policy, "ClusterFirst");
    text(&mut spec.scheduler_name, "default-scheduler");
    default(&mut spec.termination_grace_period_seconds, 30);
    default(&mut spec.enable_service_links, true);
    default(&mut spec.security_context, Default::default());
    text(&mut spec.service_account_name, "default");
    spec.service_account = spec.service_account_name.clone();
    default(&mut spec.priority, 0);
    text(&mut spec.preemption_policy, "PreemptLowerPriority");
    tolerate_a_lost_node(spec);
    let host_network = spec.host_network == Some(true);
    for volume in spec.volumes.iter_mut().flatten() {
        if let Some(image) = volume.image.as_mut() {
            let reference = image.reference.clone().unwrap_or_default();
            text(&mut image.pull_policy, default_pull_policy(&reference));
        }
        let template = volume.ephemeral.as_mut().and_then(|e| e.volume_claim_template.as_mut());
        if let Some(template) = template {
            text(&mut template.spec.volume_mode, "Filesystem");
        }
        set_volume_defaults(volume);
    }
    for container in containers(spec) {
        set_container_defaults(container, host_network);
    }
    pod_resources::set_defaults(spec);
    for ephemeral in spec.ephemeral_containers.iter_mut().flatten() {
        let image = ephemeral.image.clone().unwrap_or_default();
        text(&mut ephemeral.image_pull_policy, default_pull_policy(&image));
        text(&mut ephemeral.termination_message_path, "/dev/termination-log");
        text(&mut ephemeral.termination_message_policy, "File");
        set_env_defaults(ephemeral.env.iter_mut().flatten());
        for port in ephemeral.ports.iter_mut().flatten() {
            set_port_defaults(port, host_network);
        }
        default(&mut ephemeral.resources, Default::default());
    }
}

/// A Pod stays for five minutes on a node that has become unreachable or not ready, if it says nothing of that (admission
/// plug-in DefaultTolerationSeconds).
fn tolerate_a_lost_node(spec: &mut PodSpec) {
    let tolerations = spec.tolerations.get_or_insert_default();
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let says = |t: &Toleration| {
            let (its, effect) = (
                t.key.as_deref().unwrap_or_default(),
                t.effect.as_deref().unwrap_or_default(),
            );
            (its == key || its.is_empty()) && (effect == "NoExecute" || effect.is_empty())
        };
        if !tolerations.iter().any(says) {
            tolerations.push(Toleration {
                key: Some(key.to_owned()),
                operator: Some("Exists".to_owned()),
                effect: Some("NoExecute".to_owned()),
                toleration_seconds: Some(300),
                value: None,
            });
        }
    }
}

fn set_env_defaults<'a>(vars: impl Iterator<Item = &'a mut EnvVar>) {
    for var in vars {
        let Some(from) = var.value_from.as_mut() else { continue };
        if let Some(field) = from.field_ref.as_mut() {
            text(&mut field.api_version, "v1");
        }
        if let Some(resource) = from.resource_field_ref.as_mut() {
            default(&mut resource.divisor, Quantity("0".to_owned()));
        }
    }
}

fn containers(spec: &mut PodSpec) -> impl Iterator<Item = &mut Container> {
    spec.init_containers
        .iter_mut()
        .flatten()
        .chain(spec.containers.iter_mut())
}

fn set_container_defaults(container: &mut Container, host_network: bool) {
    let image = container.image.clone().unwrap_or_default();
    text(&mut container.image_pull_policy, default_pull_policy(&image));
    text(&mut container.termination_message_path, "/dev/termination-log");
    text(&mut container.termination_message_policy, "File");
    for port in container.ports.iter_mut().flatten() {
        set_port_defaults(port, host_network);
    }
    set_env_defaults(container.env.iter_mut().flatten());
    let probes = [
        &mut container.liveness_probe,
        &mut container.readiness_probe,
        &mut container.startup_probe,
    ];
    probes.into_iter().flatten().for_each(set_probe_defaults);
    if let Some(lifecycle) = container.lifecycle.as_mut() {
        let hooks = [&mut lifecycle.post_start, &mut lifecycle.pre_stop];
        hooks.into_iter().flatten().for_each(set_handler_defaults);
    }
    let resources = container.resources.get_or_insert_default();
    if let Some(limits) = resources.limits.clone() {
        let requests = resources.requests.get_or_insert_default();
        for (name, limit) in limits {
            requests.entry(name).or_insert(limit);
        }
    }
}

/// `Always` for `latest` or no tag, else `IfNotPresent`.
fn default_pull_policy(image: &str) -> &'static str {
    let last = image.rsplit('/').next().unwrap_or_default();
    let latest = match (last.contains('@'), last.split_once(':')) {
        (true, _) => false,
        (false, Some((_, tag))) => tag == "latest",
        (false, None) => true,
    };
    if latest { "Always" } else { "IfNotPresent" }
}

fn set_port_defaults(port: &mut ContainerPort, host_network: bool) {
    text(&mut port.protocol, "TCP");
    if host_network && port.host_port.unwrap_or(0) == 0 {
        port.host_port = Some(port.container_port);
    }
}

fn set_probe_defaults(probe: &mut Probe) {
    let number = |field: &mut Option<i32>, value| {
        if field.unwrap_or(0) == 0 {
            *field = Some(value);
        }
    };
    number(&mut probe.timeout_seconds, 1);
    number(&mut probe.period_seconds, 10);
    number(&mut probe.success_threshold, 1);
    number(&mut probe.failure_threshold, 3);
    if let Some(http) = probe.http_get.as_mut() {
        set_http_defaults(http);
    }
    if let Some(grpc) = probe.grpc.as_mut() {
        default(&mut grpc.service, String::new());
    }
}

fn set_handler_defaults(handler: &mut LifecycleHandler) {
    if let Some(http) = handler.http_get.as_mut() {
        set_http_defaults(http);
    }
}

fn set_http_defaults(http: &mut HTTPGetAction) {
    text(&mut http.path, "/");
    text(&mut http.scheme, "HTTP");
}

fn set_volume_defaults(volume: &mut Volume) {
    const MODE: i32 = 0o644;
    if let Some(source) = volume.config_map.as_mut() {
        default(&mut source.default_mode, MODE);
    } else if let Some(source) = volume.secret.as_mut() {
        default(&mut source.default_mode, MODE);
    } else if let Some(source) = volume.projected.as_mut() {
        default(&mut source.default_mode, MODE);
        for source in source.sources.iter_mut().flatten() {
            if let Some(token) = source.service_account_token.as_mut() {
                default(&mut token.expiration_seconds, 3600);
            }
        }
    } else if let Some(source) = volume.downward_api.as_mut() {
        default(&mut source.default_mode, MODE);
    } else if let Some(source) = volume.host_path.as_mut() {
        default(&mut source.type_, String::new());
    } else if *volume
        == (Volume {
            name: volume.name.clone(),
            ..Volume::default()
        })
    {
        volume.empty_dir = Some(EmptyDirVolumeSource::default());
    }
}

//! What a container is to be (`generateContainerConfig` and `determineEffectiveSecurityContext`).

use crate::env::{self, Sources};
use crate::sandbox_config;
use crate::volumes::{Mounted, Place};
use k8s_openapi::api::core::v1::{
    Container, PodSpec, ResourceRequirements, SeccompProfile as SeccompProfileSpec, VolumeMount,
};
use podsim_cri::{
    Capabilities, ContainerConfig, ContainerMetadata, Image, Mount, MountPropagation, MountSource, Resources,
    SeccompProfile, SecurityContext, VolumeId,
};
use podsim_store::pod::quantity;
use podsim_sys::Signal;
use std::collections::BTreeMap;

/// What was made for the container before it.
pub(crate) struct Prepared<'a> {
    /// The volumes of the Pod by name.
    pub(crate) volumes: &'a BTreeMap<String, Mounted>,
    /// Holds `hosts`.
    pub(crate) hosts: VolumeId,
    /// Holds `log`, the termination message.
    pub(crate) termination: VolumeId,
    /// The image.
    pub(crate) image: &'a Image,
}

/// The config of the container. `Err` is the message of a `CreateContainerConfigError`.
pub(crate) fn container_config(
    spec: &PodSpec,
    container: &Container,
    attempt: u32,
    sources: &Sources<'_>,
    prepared: &Prepared<'_>,
) -> Result<ContainerConfig, String> {
    let mut envs = vec![("HOSTNAME".to_owned(), hostname(spec, sources)?)];
    let own = env::environment(container, sources)?;
    // HOSTNAME is the runtime's: the kubelet does not know it, so `$(HOSTNAME)` stays as it is.
    let known = own.iter().cloned().collect();
    envs.retain(|(name, _)| !own.iter().any(|(n, _)| n == name));
    envs.extend(own);
    let expanded = |list: &Option<Vec<String>>| list.iter().flatten().map(|a| env::expand(a, &known)).collect();
    let mut labels: Vec<_> = sandbox_config::pod_labels(sources.pod);
    labels.push(("io.kubernetes.container.name".to_owned(), container.name.clone()));
    let stop_signal = container
        .lifecycle
        .as_ref()
        .and_then(|l| l.stop_signal.as_deref())
        .and_then(Signal::parse);
    Ok(ContainerConfig {
        metadata: ContainerMetadata {
            name: container.name.clone(),
            attempt,
        },
        image: container.image.clone().unwrap_or_default(),
        command: expanded(&container.command),
        args: expanded(&container.args),
        working_dir: container.working_dir.clone().filter(|d| !d.is_empty()),
        mounts: mounts(container, &known, prepared)?,
        envs,
        labels: labels.into_iter().collect(),
        annotations: [("io.kubernetes.container.restartCount".to_owned(), attempt.to_string())].into(),
        log_path: format!("{}/{attempt}.log", container.name),
        stdin: container.stdin == Some(true),
        stdin_once: container.stdin_once == Some(true),
        tty: container.tty == Some(true),
        stop_signal,
        namespaces: sandbox_config::namespace_option(spec),
        security: security(
            spec,
            container,
            prepared.image,
            &crate::pod_worker::full_name(sources.pod),
        )?,
        resources: resources(&container.resources.clone().unwrap_or_default()),
    })
}

fn hostname(spec: &PodSpec, sources: &Sources<'_>) -> Result<String, String> {
    if spec.host_network == Some(true) {
        Ok(sources.config.node_name.clone())
    } else {
        sandbox_config::kernel_hostname(sources.pod, sources.config)
    }
}

fn mounts(
    container: &Container,
    vars: &BTreeMap<String, String>,
    prepared: &Prepared<'_>,
) -> Result<Vec<Mount>, String> {
    let mut mounts = vec![];
    for mount in container.volume_mounts.iter().flatten() {
        let Some(volume) = prepared.volumes.get(&mount.name) else {
            return Err(format!("volume \"{}\" not found", mount.name));
        };
        let plain = mount.sub_path.clone().filter(|p| !p.is_empty());
        let sub_path = match mount.sub_path_expr.as_deref().filter(|e| !e.is_empty()) {
            Some(expression) => Some(expand_sub_path(expression, vars)?),
            None => plain,
        };
        if let Some(path) = &sub_path {
            check_sub_path(path)?;
        }
        mounts.push(Mount {
            container_path: absolute(&mount.mount_path),
            source: match volume.place.clone() {
                Place::Volume(id) => MountSource::Volume { id, sub_path },
                Place::HostPath(path) => MountSource::HostPath { path, sub_path },
            },
            readonly: mount.read_only == Some(true) || volume.readonly,
            recursive_readonly: recursively_readonly(mount),
            propagation: match mount.mount_propagation.as_deref() {
                Some("HostToContainer") => MountPropagation::HostToContainer,
                Some("Bidirectional") => MountPropagation::Bidirectional,
                _ => MountPropagation::Private,
            },
        });
    }
    let file = |path: &str, id: &VolumeId, name: &str| Mount {
        container_path: path.to_owned(),
        source: MountSource::Volume {
            id: id.clone(),
            sub_path: Some(name.to_owned()),
        },
        readonly: false,
        recursive_readonly: false,
        propagation: MountPropagation::Private,
    };
    if !mounts.iter().any(|m| m.container_path == "/etc/hosts") {
        mounts.push(file("/etc/hosts", &prepared.hosts, "hosts"));
    }
    if let Some(path) = container.termination_message_path.as_deref().filter(|p| !p.is_empty()) {
        mounts.push(file(path, &prepared.termination, "log"));
    }
    Ok(mounts)
}

/// Whether a mount is read-only with all that is mounted below it: both backends can do it, so `IfPossible` is `Enabled`
/// (`resolveRecursiveReadOnly`).
pub(crate) fn recursively_readonly(mount: &VolumeMount) -> bool {
    matches!(mount.recursive_read_only.as_deref(), Some("Enabled" | "IfPossible"))
}

/// `subPathExpr` with its variables, which have to be there (`ExpandContainerVolumeMounts`).
fn expand_sub_path(expression: &str, vars: &BTreeMap<String, String>) -> Result<String, String> {
    match env::missing(expression, vars) {
        Some(name) => Err(format!("missing value for \"{name}\"")),
        None => Ok(env::expand(expression, vars)),
    }
}

/// What `makeMounts` checks when all variables are known.
fn check_sub_path(path: &str) -> Result<(), String> {
    if path.starts_with('/') {
        Err(format!("error SubPath `{path}` must not be an absolute path"))
    } else if path.split('/').any(|part| part == "..") {
        Err(format!("unable to provision SubPath `{path}`: must not contain '..'"))
    } else {
        Ok(())
    }
}

/// Mount paths need not be absolute in a manifest; they mean the same then.
fn absolute(path: &str) -> String {
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    }
}

fn security(spec: &PodSpec, container: &Container, image: &Image, pod_name: &str) -> Result<SecurityContext, String> {
    let pod = spec.security_context.clone().unwrap_or_default();
    let own = container.security_context.clone().unwrap_or_default();
    let id = |id: Option<i64>| id.and_then(|id| u32::try_from(id).ok());
    let run_as_user = id(own.run_as_user.or(pod.run_as_user));
    if own.run_as_non_root.or(pod.run_as_non_root) == Some(true) {
        // `verifyRunAsNonRoot`, with the end that all its messages have.
        let user = image.config.user.split(':').next().unwrap_or_default();
        let refused = |why: &str| Err(format!("{why} (pod: \"{pod_name}\", container: {})", container.name));
        match (run_as_user, user.parse::<u32>()) {
            (Some(0), _) => return refused("container's runAsUser breaks non-root policy"),
            (Some(_), _) => {}
            (None, Ok(0)) => return refused("container has runAsNonRoot and image will run as root"),
            (None, Ok(_)) => {}
            (None, Err(_)) if user.is_empty() || user == "root" => {
                return refused("container has runAsNonRoot and image will run as root");
            }
            (None, Err(_)) => {
                return refused(&format!(
                    "container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root"
                ));
            }
        }
    }
    let capabilities = own.capabilities.unwrap_or_default();
    let privileged = own.privileged == Some(true);
    let groups = pod.supplemental_groups.iter().flatten().copied().chain(pod.fs_group);
    Ok(SecurityContext {
        run_as_user,
        run_as_username: None,
        run_as_group: id(own.run_as_group.or(pod.run_as_group)),
        supplemental_groups: groups.filter_map(|g| id(Some(g))).collect(),
        readonly_rootfs: own.read_only_root_filesystem == Some(true),
        privileged,
        no_new_privs: own.allow_privilege_escalation == Some(false),
        capabilities: Capabilities {
            add: capabilities.add.unwrap_or_default(),
            drop: capabilities.drop.unwrap_or_default(),
        },
        masked_paths: (privileged || own.proc_mount.as_deref() == Some("Unmasked")).then(Vec::new),
        readonly_paths: (privileged || own.proc_mount.as_deref() == Some("Unmasked")).then(Vec::new),
        seccomp: seccomp(own.seccomp_profile.as_ref().or(pod.seccomp_profile.as_ref())),
    })
}

/// Kubernetes' default is none. A profile of the node's would have to be a file there; the kubelet has no folder for them.
fn seccomp(profile: Option<&SeccompProfileSpec>) -> SeccompProfile {
    match profile.map(|profile| profile.type_.as_str()) {
        Some("RuntimeDefault") => SeccompProfile::RuntimeDefault,
        _ => SeccompProfile::Unconfined,
    }
}

/// The limits of a container.
pub(crate) fn resources(resources: &ResourceRequirements) -> Resources {
    let amount = |list: &Option<BTreeMap<String, _>>, name: &str| {
        let quantity: &k8s_openapi::apimachinery::pkg::api::resource::Quantity = list.as_ref()?.get(name)?;
        quantity::millis(&quantity.0).and_then(|m| u64::try_from(m).ok())
    };
    Resources {
        memory_limit: amount(&resources.limits, "memory").map(|m| m.div_ceil(1000)),
        cpu_limit_millis: amount(&resources.limits, "cpu"),
        cpu_request_millis: amount(&resources.requests, "cpu"),
        pids_limit: None,
        oom_score_adj: 0,
    }
}

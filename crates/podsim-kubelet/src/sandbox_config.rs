//! What a Pod's sandbox is to be (`generatePodSandboxConfig`).

use crate::{KubeletConfig, dns};
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use podsim_cri::{NamespaceMode, NamespaceOption, PodSandboxConfig, PodSandboxMetadata};

/// The host name of the Pod: `spec.hostname`, else its own name, cut to what a host name may be.
pub(crate) fn hostname(pod: &Pod) -> String {
    let own = pod
        .spec
        .as_ref()
        .and_then(|s| s.hostname.as_deref())
        .filter(|h| !h.is_empty());
    let name = own.or(pod.metadata.name.as_deref()).unwrap_or_default();
    let cut: String = name.chars().take(63).collect();
    cut.trim_end_matches(['-', '.']).to_owned()
}

/// `SUBDOMAIN.NAMESPACE.svc.DOMAIN`, if the Pod has a subdomain.
pub(crate) fn domain(pod: &Pod, config: &KubeletConfig) -> Option<String> {
    let subdomain = pod.spec.as_ref()?.subdomain.as_deref().filter(|s| !s.is_empty())?;
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    Some(format!("{subdomain}.{namespace}.svc.{}", config.cluster_domain))
}

/// Which namespaces are whose.
pub(crate) fn namespace_option(spec: &PodSpec) -> NamespaceOption {
    let node_or = |host: Option<bool>, other| if host == Some(true) { NamespaceMode::Node } else { other };
    let pid = if spec.share_process_namespace == Some(true) {
        NamespaceMode::Pod
    } else {
        NamespaceMode::Container
    };
    NamespaceOption {
        network: node_or(spec.host_network, NamespaceMode::Pod),
        pid: node_or(spec.host_pid, pid),
        ipc: node_or(spec.host_ipc, NamespaceMode::Pod),
    }
}

/// The labels by which the runtime's tools find their way back to the Pod.
pub(crate) fn pod_labels(pod: &Pod) -> Vec<(String, String)> {
    let meta = &pod.metadata;
    [
        ("io.kubernetes.pod.name", &meta.name),
        ("io.kubernetes.pod.namespace", &meta.namespace),
        ("io.kubernetes.pod.uid", &meta.uid),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.clone().unwrap_or_default()))
    .collect()
}

/// The sandbox of a Pod.
pub(crate) fn sandbox_config(pod: &Pod, spec: &PodSpec, attempt: u32, config: &KubeletConfig) -> PodSandboxConfig {
    let meta = &pod.metadata;
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let (name, namespace, uid) = (text(&meta.name), text(&meta.namespace), text(&meta.uid));
    let host_network = spec.host_network == Some(true);
    let mut labels = meta.labels.clone().unwrap_or_default();
    labels.extend(pod_labels(pod));
    PodSandboxConfig {
        log_directory: format!("/var/log/pods/{namespace}_{name}_{uid}"),
        metadata: PodSandboxMetadata {
            name,
            uid,
            namespace,
            attempt,
        },
        hostname: if host_network { String::new() } else { hostname(pod) },
        dns_config: dns::dns_config(pod, spec, config),
        labels,
        annotations: meta.annotations.clone().unwrap_or_default(),
        namespaces: namespace_option(spec),
        uts: config.uts,
    }
}

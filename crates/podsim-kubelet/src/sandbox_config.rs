//! What a Pod's sandbox is to be (`generatePodSandboxConfig`).

use crate::container_config::resources;
use crate::containers::lasting_containers;
use crate::{KubeletConfig, dns, sysctls};
use k8s_openapi::api::core::v1::{ContainerPort, Pod, PodSpec};
use k8s_openapi::api::node::v1::RuntimeClass;
use podsim_cri::{NamespaceMode, NamespaceOption, PodSandboxConfig, PodSandboxMetadata, PortMapping, Protocol};
use podsim_store::{Store, StoreError};

/// The host name of the Pod: `spec.hostnameOverride`, `spec.hostname`, else its own name, cut to what a host name may be.
pub(crate) fn hostname(pod: &Pod) -> String {
    let spec = pod.spec.as_ref();
    let own = spec.and_then(|s| s.hostname_override.as_deref().or(s.hostname.as_deref()));
    let own = own.filter(|h| !h.is_empty());
    let name = own.or(pod.metadata.name.as_deref()).unwrap_or_default();
    let cut: String = name.chars().take(63).collect();
    cut.trim_end_matches(['-', '.']).to_owned()
}

/// What `hostname` says in the Pod: with `setHostnameAsFQDN` the whole name (`GetNodenameForKernel`).
pub(crate) fn kernel_hostname(pod: &Pod, config: &KubeletConfig) -> Result<String, String> {
    /// `__NEW_UTS_LEN`.
    const MOST: usize = 64;
    let name = hostname(pod);
    let whole = pod.spec.as_ref().and_then(|s| s.set_hostname_as_fqdn) == Some(true);
    let Some(domain) = domain(pod, config).filter(|_| whole) else {
        return Ok(name);
    };
    let fqdn = format!("{name}.{domain}");
    if fqdn.len() > MOST {
        let length = fqdn.len();
        return Err(format!(
            "failed to construct FQDN from pod hostname and cluster domain, FQDN {fqdn} is too long ({MOST} characters is the max, {length} \
             characters requested)"
        ));
    }
    Ok(fqdn)
}

/// `SUBDOMAIN.NAMESPACE.svc.DOMAIN`, if the Pod has a subdomain (and no name that stands for itself).
pub(crate) fn domain(pod: &Pod, config: &KubeletConfig) -> Option<String> {
    if pod.spec.as_ref()?.hostname_override.is_some() {
        return None;
    }
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
        own_users: spec.host_users == Some(false),
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

/// The ports of the machine that lead to the Pod: those of its containers and sidecars (`MakePortMappings`).
fn port_mappings(pod: &Pod) -> Vec<PortMapping> {
    let mapping = |port: &ContainerPort| {
        let number = |port: i32| u16::try_from(port).ok().filter(|port| *port > 0);
        Some(PortMapping {
            protocol: match port.protocol.as_deref() {
                Some("UDP") => Protocol::Udp,
                Some("SCTP") => Protocol::Sctp,
                _ => Protocol::Tcp,
            },
            container_port: number(port.container_port)?,
            host_port: number(port.host_port?)?,
            host_ip: port.host_ip.clone().unwrap_or_default(),
        })
    };
    lasting_containers(pod)
        .flat_map(|c| c.ports.iter().flatten())
        .filter_map(mapping)
        .collect()
}

/// The handler of the RuntimeClass that the Pod names; empty if it names none (`LookupRuntimeHandler`).
pub(crate) fn runtime_handler(spec: &PodSpec, store: &Store) -> Result<String, StoreError> {
    match spec.runtime_class_name.as_deref().unwrap_or_default() {
        "" => Ok(String::new()),
        name => Ok(store.api::<RuntimeClass>().get("", name)?.handler),
    }
}

/// The sandbox of a Pod.
pub(crate) fn sandbox_config(
    pod: &Pod,
    spec: &PodSpec,
    attempt: u32,
    config: &KubeletConfig,
    runtime_handler: String,
) -> Result<PodSandboxConfig, String> {
    let meta = &pod.metadata;
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let (name, namespace, uid) = (text(&meta.name), text(&meta.namespace), text(&meta.uid));
    let host_network = spec.host_network == Some(true);
    let mut labels = meta.labels.clone().unwrap_or_default();
    labels.extend(pod_labels(pod));
    Ok(PodSandboxConfig {
        log_directory: format!("/var/log/pods/{namespace}_{name}_{uid}"),
        metadata: PodSandboxMetadata {
            name,
            uid,
            namespace,
            attempt,
        },
        resources: spec.resources.as_ref().map(resources).unwrap_or_default(),
        hostname: if host_network {
            String::new()
        } else {
            kernel_hostname(pod, config)?
        },
        dns_config: dns::dns_config(pod, spec, config),
        port_mappings: if host_network { Vec::new() } else { port_mappings(pod) },
        labels,
        annotations: meta.annotations.clone().unwrap_or_default(),
        namespaces: namespace_option(spec),
        uts: config.uts,
        sysctls: sysctls::of(spec),
        runtime_handler,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ports_of_the_machine_are_those_of_the_containers_and_sidecars() {
        let pod: Pod = serde_json::from_value(json!({ "metadata": {}, "spec": {
            "initContainers": [
                { "name": "init", "ports": [{ "containerPort": 1, "hostPort": 1001 }] },
                { "name": "sidecar", "restartPolicy": "Always", "ports": [{ "containerPort": 2, "hostPort": 1002, "protocol": "UDP" }] },
            ],
            "containers": [
                { "name": "a", "ports": [{ "containerPort": 3 }, { "containerPort": 4, "hostPort": 1004, "hostIP": "0.0.0.0" }] },
                { "name": "b", "ports": [{ "containerPort": 5, "hostPort": 1005, "protocol": "SCTP", "hostIP": "" }] },
            ],
        } }))
        .expect("a Pod");
        let line = |m: &PortMapping| format!("{}:{} -> {}/{}", m.host_ip, m.host_port, m.container_port, m.protocol);
        let of = |pod: &Pod| {
            let spec = pod.spec.clone().unwrap_or_default();
            let config = sandbox_config(pod, &spec, 0, &KubeletConfig::default(), String::new()).expect("a name");
            config.port_mappings.iter().map(line).collect::<Vec<_>>()
        };
        assert_eq!(of(&pod), [":1002 -> 2/UDP", "0.0.0.0:1004 -> 4/TCP", ":1005 -> 5/SCTP"]);
        let mut host = pod;
        host.spec.get_or_insert_default().host_network = Some(true);
        assert!(of(&host).is_empty(), "the ports of the node are the Pod's own");
    }

    #[test]
    fn the_host_name_is_the_whole_one_where_that_is_asked_for() {
        let of = |spec: serde_json::Value| {
            let mut spec = spec;
            spec["containers"] = json!([]);
            let pod = json!({ "metadata": { "name": "x", "namespace": "n" }, "spec": spec });
            let pod: Pod = serde_json::from_value(pod).expect("a Pod");
            kernel_hostname(&pod, &KubeletConfig::default())
        };
        let long = "a".repeat(50);
        for (spec, want) in [
            (json!({ "setHostnameAsFQDN": true }), Ok("x".to_owned())),
            (json!({ "subdomain": "s" }), Ok("x".to_owned())),
            (
                json!({ "subdomain": "s", "setHostnameAsFQDN": true }),
                Ok("x.s.n.svc.cluster.local".to_owned()),
            ),
            (
                json!({ "subdomain": "s", "hostname": "h", "hostnameOverride": "o.example" }),
                Ok("o.example".to_owned()),
            ),
            (
                json!({ "subdomain": "s", "hostname": long, "setHostnameAsFQDN": true }),
                Err(format!(
                    "failed to construct FQDN from pod hostname and cluster domain, FQDN {long}.s.n.svc.cluster.local is too long (64 characters \
                     is the max, 72 characters requested)"
                )),
            ),
        ] {
            assert_eq!(of(spec.clone()), want, "{spec}");
        }
    }
}

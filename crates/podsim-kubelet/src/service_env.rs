//! The variables that tell a container of the Services of its namespace (`pkg/kubelet/envvars`): `REDIS_SERVICE_HOST`, and
//! those of Docker's links.

use k8s_openapi::api::core::v1::{Pod, Service};
use podsim_store::{Selectors, Store};

/// The variables, by the name of the Service. With `enableServiceLinks: false` only those of `default/kubernetes`.
pub(crate) fn of(pod: &Pod, store: &Store) -> Vec<(String, String)> {
    let services = store.api::<Service>();
    let name = |s: &Service| s.metadata.name.clone().unwrap_or_default();
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    let mut all: Vec<Service> = vec![];
    if pod.spec.as_ref().and_then(|s| s.enable_service_links) != Some(false) {
        all = services
            .list(Some(namespace), &Selectors::default())
            .unwrap_or_default();
    }
    if !all.iter().any(|s| name(s) == "kubernetes") {
        all.extend(services.get("default", "kubernetes"));
    }
    all.sort_by_key(name);
    all.iter().flat_map(|s| of_service(&name(s), s)).collect()
}

fn of_service(name: &str, service: &Service) -> Vec<(String, String)> {
    let Some(spec) = &service.spec else { return vec![] };
    let Some(ip) = spec.cluster_ip.as_deref().filter(|ip| !ip.is_empty() && *ip != "None") else {
        return vec![];
    };
    let prefix = env_name(name);
    let ports = spec.ports.as_deref().unwrap_or_default();
    let Some(first) = ports.first() else { return vec![] };
    let mut vars = vec![
        (format!("{prefix}_SERVICE_HOST"), ip.to_owned()),
        (format!("{prefix}_SERVICE_PORT"), first.port.to_string()),
    ];
    for port in ports {
        if let Some(name) = port.name.as_deref().filter(|n| !n.is_empty()) {
            let var = format!("{prefix}_SERVICE_PORT_{}", env_name(name));
            vars.push((var, port.port.to_string()));
        }
    }
    let host = if ip.contains(':') {
        format!("[{ip}]")
    } else {
        ip.to_owned()
    };
    for (index, port) in ports.iter().enumerate() {
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        let url = format!("{}://{host}:{}", protocol.to_lowercase(), port.port);
        if index == 0 {
            vars.push((format!("{prefix}_PORT"), url.clone()));
        }
        let link = format!("{prefix}_PORT_{}_{}", port.port, protocol.to_uppercase());
        vars.extend([
            (link.clone(), url),
            (format!("{link}_PROTO"), protocol.to_lowercase()),
            (format!("{link}_PORT"), port.port.to_string()),
            (format!("{link}_ADDR"), ip.to_owned()),
        ]);
    }
    vars
}

/// `redis-master` → `REDIS_MASTER`
fn env_name(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

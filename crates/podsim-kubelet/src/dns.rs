//! `/etc/resolv.conf` of a Pod's containers (`pkg/kubelet/network/dns`).

use crate::KubeletConfig;
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use podsim_cri::DnsConfig;

/// What resolv.conf says; `None`: the node's own.
pub(crate) fn dns_config(pod: &Pod, spec: &PodSpec, config: &KubeletConfig) -> Option<DnsConfig> {
    let policy = match spec.dns_policy.as_deref() {
        Some("ClusterFirst") | None if spec.host_network == Some(true) => "Default",
        Some("ClusterFirstWithHostNet" | "ClusterFirst") | None if config.cluster_dns.is_empty() => "Default",
        Some("ClusterFirstWithHostNet") | None => "ClusterFirst",
        Some(other) => other,
    };
    let mut dns = match policy {
        "None" => DnsConfig::default(),
        "ClusterFirst" => {
            let (domain, namespace) = (
                &config.cluster_domain,
                pod.metadata.namespace.as_deref().unwrap_or("default"),
            );
            DnsConfig {
                servers: config.cluster_dns.iter().map(ToString::to_string).collect(),
                searches: vec![
                    format!("{namespace}.svc.{domain}"),
                    format!("svc.{domain}"),
                    domain.clone(),
                ],
                options: vec!["ndots:5".to_owned()],
            }
        }
        // The node's file cannot be added to here, so a Pod's own dnsConfig stands alone.
        _ if spec.dns_config.is_none() => return None,
        _ => DnsConfig::default(),
    };
    if let Some(own) = &spec.dns_config {
        let add = |to: &mut Vec<String>, from: &Option<Vec<String>>| {
            for item in from.iter().flatten() {
                if !to.contains(item) {
                    to.push(item.clone());
                }
            }
        };
        add(&mut dns.servers, &own.nameservers);
        add(&mut dns.searches, &own.searches);
        for option in own.options.iter().flatten() {
            let name = option.name.as_deref().unwrap_or_default();
            // An option of the Pod takes the place of the cluster's of the same name.
            dns.options.retain(|o| o.split(':').next() != Some(name));
            dns.options
                .push(match option.value.as_deref().filter(|v| !v.is_empty()) {
                    Some(value) => format!("{name}:{value}"),
                    None => name.to_owned(),
                });
        }
    }
    Some(dns)
}

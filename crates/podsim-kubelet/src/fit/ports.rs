//! Ports of the node (`hostPort`): two Pods cannot have the same (`framework.HostPortInfo`).

use crate::containers::lasting_containers;
use k8s_openapi::api::core::v1::Pod;

/// As the scheduler and the kubelet say it.
pub const TAKEN: &str = "node(s) didn't have free ports for the requested pod ports";

/// Address, protocol, port.
type HostPort<'a> = (&'a str, &'a str, i32);

fn host_ports(pod: &Pod) -> impl Iterator<Item = HostPort<'_>> {
    let ports = lasting_containers(pod).flat_map(|c| c.ports.iter().flatten());
    ports.filter_map(|port| {
        let number = port.host_port.filter(|p| *p > 0)?;
        let ip = port.host_ip.as_deref().filter(|ip| !ip.is_empty()).unwrap_or("0.0.0.0");
        Some((ip, port.protocol.as_deref().unwrap_or("TCP"), number))
    })
}

/// Does the Pod want a port that one of the others has? An address of `0.0.0.0` is every address.
#[must_use]
pub fn conflict<'a>(pod: &Pod, others: impl Iterator<Item = &'a Pod>) -> bool {
    const ANY: [&str; 2] = ["0.0.0.0", "::"];
    let wanted: Vec<_> = host_ports(pod).collect();
    let same = |a: &HostPort<'_>, b: &HostPort<'_>| {
        a.1 == b.1 && a.2 == b.2 && (a.0 == b.0 || ANY.contains(&a.0) || ANY.contains(&b.0))
    };
    let mut others = others;
    !wanted.is_empty() && others.any(|other| host_ports(other).any(|b| wanted.iter().any(|a| same(a, &b))))
}

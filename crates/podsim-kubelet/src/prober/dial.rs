//! [`Dialer`]: connections from the node to a Pod, for probes and hooks.

use k8s_openapi::api::core::v1::Container;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use podsim_cri::{BoxDuplex, RuntimeService};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// Connects as the kubelet of a real node would: from the node's network, which has a route to every Pod.
#[derive(Clone)]
pub(crate) struct Dialer {
    pub(crate) runtime: Arc<dyn RuntimeService>,
    /// The Pod's address, which is the node's with `hostNetwork`.
    pub(crate) pod_ip: String,
    /// The node's `/etc/hosts`: the names that it knows.
    pub(crate) node_hosts: String,
}

impl Dialer {
    /// The host that a handler means: its own `host`, else the Pod.
    pub(crate) fn host<'a>(&'a self, host: Option<&'a str>) -> &'a str {
        host.filter(|h| !h.is_empty()).unwrap_or(&self.pod_ip)
    }

    /// Connects. The error is worded as Go's `net.Dial` does.
    pub(crate) async fn connect(&self, host: &str, port: u16) -> Result<BoxDuplex, String> {
        let Some(ip) = resolve(host, &self.node_hosts) else {
            return Err(format!("dial tcp: lookup {host}: no such host"));
        };
        let address = SocketAddr::new(ip, port);
        let failed = |error| format!("dial tcp {address}: connect: {}", message(&error));
        self.runtime.dial(address).await.map_err(failed)
    }
}

/// The address that a host name, or an address, means on the node.
fn resolve(host: &str, hosts: &str) -> Option<IpAddr> {
    if let Ok(address) = host.parse() {
        return Some(address);
    }
    if host == "localhost" {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    hosts.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|name| name.eq_ignore_ascii_case(host)).then_some(address)
    })
}

/// What Go says of an error of connect(2).
fn message(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::HostUnreachable => "no route to host".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network is unreachable".to_owned(),
        io::ErrorKind::TimedOut => "connection timed out".to_owned(),
        _ => error.to_string(),
    }
}

/// `10.0.0.1:80`, `[::1]:80`.
pub(crate) fn join_host_port(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// The number of a port that may be given by name (`probe.ResolveContainerPort`).
pub(crate) fn resolve_port(port: &IntOrString, container: &Container) -> Result<u16, String> {
    let number = match port {
        IntOrString::Int(number) => i64::from(*number),
        IntOrString::String(name) => {
            let named = container.ports.iter().flatten().find(|p| p.name.as_ref() == Some(name));
            match named {
                Some(port) => i64::from(port.container_port),
                None => name
                    .parse()
                    .map_err(|_| format!("strconv.Atoi: parsing \"{name}\": invalid syntax"))?,
            }
        }
    };
    u16::try_from(number)
        .ok()
        .filter(|n| *n > 0)
        .ok_or_else(|| format!("invalid port number: {number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_nodes() {
        let hosts =
            "127.0.0.1\tlocalhost\n# 10.0.0.9 gone\n192.168.49.2\tpodsim node.example # the node\nbroken line\n";
        for (host, expected) in [
            ("10.244.0.3", Some("10.244.0.3")),
            ("::1", Some("::1")),
            ("localhost", Some("127.0.0.1")),
            ("Podsim", Some("192.168.49.2")),
            ("node.example", Some("192.168.49.2")),
            ("gone", None),
            ("line", None),
            ("", None),
        ] {
            let address = resolve(host, hosts).map(|address| address.to_string());
            assert_eq!(address.as_deref(), expected, "{host}");
        }
    }
}

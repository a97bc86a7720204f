//! [`Dialer`]: connections from the node to a Pod, for probes and hooks.

use k8s_openapi::api::core::v1::Container;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use podsim_cri::{BoxDuplex, Error, NamespaceMode, PodSandboxFilter, PodSandboxState, RuntimeService, SandboxId};
use std::net::IpAddr;
use std::sync::Arc;

/// Connects as the kubelet of a real node would, who has a route to every Pod.
#[derive(Clone)]
pub(crate) struct Dialer {
    pub(crate) runtime: Arc<dyn RuntimeService>,
    /// The Pod's.
    pub(crate) sandbox: SandboxId,
    /// The Pod's address, which is the node's with `hostNetwork`.
    pub(crate) pod_ip: String,
    /// The node's addresses.
    pub(crate) node_ips: Vec<IpAddr>,
}

impl Dialer {
    /// The host that a handler means: its own `host`, else the Pod.
    pub(crate) fn host<'a>(&'a self, host: Option<&'a str>) -> &'a str {
        host.filter(|h| !h.is_empty()).unwrap_or(&self.pod_ip)
    }

    /// Connects. The error is worded as Go's `net.Dial` does.
    pub(crate) async fn connect(&self, host: &str, port: u16) -> Result<BoxDuplex, String> {
        let address = join_host_port(host, port);
        let Some(sandbox) = self.sandbox_of(host).await else {
            return Err(format!("dial tcp {address}: connect: no route to host"));
        };
        self.runtime
            .port_forward(&sandbox, port)
            .await
            .map_err(|error| match error {
                Error::NotFound(_) => format!("dial tcp {address}: connect: no route to host"),
                _ => format!("dial tcp {address}: connect: connection refused"),
            })
    }

    /// The sandbox in whose network this address is.
    async fn sandbox_of(&self, host: &str) -> Option<SandboxId> {
        if host == self.pod_ip {
            return Some(self.sandbox.clone());
        }
        let filter = PodSandboxFilter {
            state: Some(PodSandboxState::Ready),
            ..PodSandboxFilter::default()
        };
        let sandboxes = self.runtime.list_pod_sandbox(&filter).await.ok()?;
        let address: Option<IpAddr> = host.parse().ok();
        let on_node = host == "localhost" || address.is_some_and(|ip| ip.is_loopback() || self.node_ips.contains(&ip));
        let is_it = |s: &&podsim_cri::PodSandboxStatus| match on_node {
            // "localhost" is the kubelet's: the node's network.
            true => s.namespaces.network == NamespaceMode::Node,
            false => address.is_some_and(|ip| s.ips.contains(&ip)),
        };
        let found = sandboxes.iter().find(is_it).map(|s| s.id.clone());
        // Where no Pod is on the node's network nobody listens there: the Pod's own loopback is the next best.
        found.or_else(|| on_node.then(|| self.sandbox.clone()))
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

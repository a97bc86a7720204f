//! What the kubelet is told about its node.

use podsim_cri::UtsNamespace;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of a kubelet and its node.
#[derive(Clone, Debug)]
pub struct KubeletConfig {
    /// The node's name; a DNS subdomain.
    pub node_name: String,
    /// The node's addresses; the first is `hostIP`.
    pub addresses: Vec<IpAddr>,
    /// Labels of the Node object, besides `kubernetes.io/hostname`, `os` and `arch`.
    pub labels: BTreeMap<String, String>,
    /// The range of the Pods' addresses, e.g. `172.172.1.0/24`.
    pub pod_cidr: String,
    /// Whether the containers of a Pod share their UTS namespace.
    pub uts: UtsNamespace,
    /// Name servers of the cluster; with none, `ClusterFirst` means the node's own, as upstream.
    pub cluster_dns: Vec<IpAddr>,
    /// The cluster's domain.
    pub cluster_domain: String,
    /// The node's `/etc/hosts`, for Pods with the node's network.
    pub node_hosts: String,
    /// Kernel version and OS image, shown by `kubectl get node -o wide`.
    pub kernel_version: String,
    /// As in `/etc/os-release`.
    pub os_image: String,
    /// `wasm` in the virtual backend, else Go's name of the machine's.
    pub architecture: String,
    /// CPUs.
    pub cpus: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// The port of the kubelet's own API, for `status.daemonEndpoints`; 0 if there is none.
    pub kubelet_port: u16,
    /// A folder of this machine with manifests of static Pods.
    pub static_pod_path: Option<PathBuf>,
    /// How often the node says that it is alive.
    pub heartbeat: Duration,
}

impl Default for KubeletConfig {
    fn default() -> Self {
        Self {
            node_name: "podsim".to_owned(),
            addresses: vec![IpAddr::from([192, 168, 1, 10])],
            labels: BTreeMap::new(),
            pod_cidr: "10.244.0.0/24".to_owned(),
            uts: UtsNamespace::Container,
            cluster_dns: vec![],
            cluster_domain: "cluster.local".to_owned(),
            node_hosts: "127.0.0.1\tlocalhost\n".to_owned(),
            kernel_version: "6.1.0-podsim".to_owned(),
            os_image: "podsim".to_owned(),
            architecture: "wasm".to_owned(),
            cpus: 2,
            memory: 4 << 30,
            kubelet_port: 0,
            static_pod_path: None,
            heartbeat: Duration::from_secs(10),
        }
    }
}

impl KubeletConfig {
    /// The address that Pods with the node's network have.
    #[must_use]
    pub fn host_ip(&self) -> Option<IpAddr> {
        self.addresses.first().copied()
    }
}

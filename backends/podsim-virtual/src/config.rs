//! What a virtual node is made from.

use crate::ipam::Cidr;
use podsim_image::{ImageStore, Registries};
use podsim_kernel::Task;
use podsim_sys::Clock;
use std::future::Future;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;

/// Runs a program that is built into the node (`kubectl`, `docker`, …) as the given process, whose signals it has to see to
/// ([`podsim_sys::Syscalls::take_signal`]), and ends the process.
pub type NativeProgram = Arc<dyn Fn(String, Task) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// What a virtual node is made from.
#[derive(Clone)]
pub struct VirtualConfig {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Seed of the kernel's random numbers.
    pub seed: u64,
    /// The node's host name.
    pub hostname: String,
    /// The range of the Pods' addresses; the bridge has its first one.
    pub pod_cidr: Cidr,
    /// The reference under which the sandboxes' image is shown.
    pub sandbox_image: String,
    /// Bytes of memory for all guests together.
    pub memory: u64,
    /// CPUs that guests see.
    pub cpus: u32,
    /// The bridge that the Pods hang on.
    pub bridge: InterfaceConfig,
    /// The node's other interfaces, the first of them with the default route.
    pub interfaces: Vec<InterfaceConfig>,
    /// The node's `/etc/hosts`.
    pub hosts: String,
    /// The node's `/etc/resolv.conf`.
    pub resolv_conf: String,
    /// Programs that are built into the node.
    pub native: NativeProgram,
    /// The images.
    pub images: ImageStore,
    /// The registries that may be asked for others.
    pub registries: Registries,
}

/// An interface of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceConfig {
    /// Its name, at most 15 bytes.
    pub name: String,
    /// Its hardware address; made up (from the seed) if `None`.
    pub mac: Option<[u8; 6]>,
    /// Its address with the bits of the network. The bridge's comes from the Pods' range if `None`.
    pub ipv4: Option<(Ipv4Addr, u8)>,
    /// Its broadcast address; 0.0.0.0 is "none was set".
    pub broadcast: Ipv4Addr,
    /// Largest packet.
    pub mtu: u32,
    /// Length of the send queue.
    pub tx_queue_len: u32,
    /// Whether something is plugged in (RUNNING). A bridge's is whether Pods hang on it.
    pub carrier: bool,
}

impl VirtualConfig {
    /// A node with the usual settings: Pods in 10.244.0.0/24, 1 GiB of memory, two CPUs, no interfaces but the Pods' bridge, no
    /// programs of its own, and the built-in images.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            seed: 1,
            hostname: "node".to_owned(),
            pod_cidr: Cidr {
                network: Ipv4Addr::new(10, 244, 0, 0),
                prefix: 24,
            },
            sandbox_image: "registry.k8s.io/pause:3.9".to_owned(),
            memory: 1 << 30,
            cpus: 2,
            bridge: InterfaceConfig {
                name: "cni0".to_owned(),
                mac: None,
                ipv4: None,
                broadcast: Ipv4Addr::UNSPECIFIED,
                mtu: 1500,
                tx_queue_len: 1000,
                carrier: true,
            },
            interfaces: Vec::new(),
            hosts: String::new(),
            resolv_conf: String::new(),
            native: Arc::new(|_, _| Box::pin(async {})),
            images: ImageStore::with_builtin_images(),
            registries: Registries::default(),
        }
    }
}

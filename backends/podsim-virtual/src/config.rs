//! What a virtual node is made from.

use crate::lan::Neighbours;
use podsim_cri::backend::{Cidr, InterfaceConfig, LentFolder};
use podsim_image::ImageStore;
use podsim_kernel::Task;
use podsim_sys::{Clock, WaitStatus};
use std::future::Future;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;

/// Runs a program that is built into the node (`kubectl`, `docker`, …) as the given process, whose signals it has to see to
/// ([`podsim_sys::Syscalls::take_signal`]), and ends the process.
pub type NativeProgram = Arc<dyn Fn(String, Task) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// What happened to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessEvent {
    /// It was started, or has another program now (`execve`).
    Started,
    /// It has ended.
    Ended(WaitStatus),
}

/// Hears what happens to the processes of a node, at once.
pub type ProcessObserver = Arc<dyn Fn(&Task, ProcessEvent) + Send + Sync>;

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
    /// The other nodes, if there are any; their network is the node's `eth0`.
    pub neighbours: Option<Neighbours>,
    /// The node's `/etc/hosts`.
    pub hosts: String,
    /// The node's `/etc/resolv.conf`.
    pub resolv_conf: String,
    /// What of this machine is seen in the node's own filesystem.
    pub lent: Vec<LentFolder>,
    /// Programs that are built into the node.
    pub native: NativeProgram,
    /// The images.
    pub images: ImageStore,
    /// The clock stands still while something runs, and there is one thread: what guests do must not depend on the host's time.
    pub virtual_time: bool,
    /// Hears of the processes.
    pub observer: Option<ProcessObserver>,
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
            bridge: InterfaceConfig::new("cni0"),
            interfaces: Vec::new(),
            neighbours: None,
            hosts: String::new(),
            resolv_conf: String::new(),
            lent: Vec::new(),
            native: Arc::new(|_, _| Box::pin(async {})),
            images: ImageStore::with_builtin_images(),
            virtual_time: false,
            observer: None,
        }
    }
}

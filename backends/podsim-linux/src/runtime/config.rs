//! What a Linux node is made from.

use crate::network::InterfaceConfig;
use podsim_cri::backend::Cidr;
use podsim_sys::Clock;
use std::path::PathBuf;
use std::sync::Arc;

/// What a Linux node is made from.
#[derive(Clone)]
pub struct LinuxConfig {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The name under which the node runs: no two on a machine have the same. Its cgroups and links have it too.
    pub name: String,
    /// The node's host name.
    pub hostname: String,
    /// The range of the Pods' addresses; the bridge has its first one.
    pub pod_cidr: Cidr,
    /// The reference under which the sandboxes' image is shown.
    pub sandbox_image: String,
    /// The network that Pods hang on.
    pub network: NetworkConfig,
    /// The node's `/etc/hosts`.
    pub hosts: String,
    /// The node's `/etc/resolv.conf`.
    pub resolv_conf: String,
    /// Images and layers, kept from run to run.
    pub data: PathBuf,
    /// What lives as long as the node; made, and removed in the end.
    pub run: PathBuf,
    /// Whether podsim is root in a user namespace of its own.
    pub rootless: bool,
    /// Environment for the programs of the node's own shell.
    pub shell_environment: Vec<String>,
}

/// Which network the Pods hang on.
#[derive(Clone, Debug)]
pub enum NetworkConfig {
    /// The host's, by a bridge of this name.
    Host {
        /// The bridge.
        bridge: String,
    },
    /// A network namespace of the node's own, with this bridge and these interfaces; nothing of it is seen on the host.
    Own {
        /// The bridge.
        bridge: InterfaceConfig,
        /// Other interfaces, the first of them with the default route.
        interfaces: Vec<InterfaceConfig>,
    },
}

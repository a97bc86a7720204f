//! What a Linux node is made from.

use podsim_cri::backend::{Cidr, InterfaceConfig, LentFolder};
use podsim_image::ImageStore;
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
    /// Layers of images, kept from run to run.
    pub data: PathBuf,
    /// The images.
    pub images: ImageStore,
    /// What lives as long as the nodes of this machine: a directory for each, and what they share.
    pub run: PathBuf,
    /// Whether podsim is root in a user namespace of its own.
    pub rootless: bool,
    /// What of this machine is seen in the node's own filesystem.
    pub lent: Vec<LentFolder>,
    /// Environment for the programs of the node's own shell.
    pub shell_environment: Vec<String>,
}

impl LinuxConfig {
    /// The node's own directory; made, and removed in the end.
    pub(crate) fn directory(&self) -> PathBuf {
        self.run.join("nodes").join(&self.name)
    }

    /// What the nodes of this machine share about the bridge and the addresses.
    pub(crate) fn network_directory(&self) -> PathBuf {
        self.run.join("network")
    }
}

/// Which network the Pods hang on.
#[derive(Clone, Debug)]
pub enum NetworkConfig {
    /// The host's, by this bridge, which the nodes of the host share.
    Host {
        /// The bridge.
        bridge: InterfaceConfig,
    },
    /// A network namespace of the node's own, with this bridge and these interfaces; nothing of it is seen on the host.
    Own {
        /// The bridge.
        bridge: InterfaceConfig,
        /// Other interfaces, the first of them with the default route.
        interfaces: Vec<InterfaceConfig>,
    },
}

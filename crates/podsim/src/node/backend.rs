//! The backends by name. Only here in the whole program are there several.

use super::NodeConfig;
use crate::cluster::Endpoint;
use crate::errors::Failure;
use anyhow::Result;
use clap::ValueEnum;
use podsim_cri::{ExecSession, RuntimeService};
use podsim_image::ImageStore;
#[cfg(target_os = "linux")]
use podsim_linux::LinuxRuntime;
use podsim_sys::{Clock, Winsize};
use podsim_virtual::{Neighbours, VirtualRuntime};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;

/// What runs the containers of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// The virtual kernel in this process: any system, no rights needed
    #[default]
    Virtual,
    /// Namespaces of this Linux machine
    Linux,
}

/// `--backend`.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub(crate) struct BackendArgs {
    /// What runs the containers
    #[arg(long, value_enum, default_value_t, value_name = "BACKEND")]
    pub(crate) backend: Backend,
}

impl Backend {
    /// As the command line has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Virtual => "virtual",
            Self::Linux => "linux",
        }
    }

    /// What has to be done while the process has one thread: for the Linux backend, namespaces of the node's own. Tells what
    /// the node will have to do without, as sentences.
    ///
    /// # Errors
    ///
    /// One line that says what is missing and what would help.
    pub(crate) fn prepare(self) -> Result<Vec<String>> {
        match self {
            Self::Virtual => Ok(Vec::new()),
            #[cfg(target_os = "linux")]
            Self::Linux => podsim_linux::prepare().map_err(|missing| Failure::new(format!("error: {missing}")).into()),
            #[cfg(not(target_os = "linux"))]
            Self::Linux => not_here(),
        }
    }

    /// The addresses of a node.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(unused_variables, reason = "only Linux has nodes of their own network")
    )]
    pub(crate) fn addresses(self, config: &NodeConfig, isolated: bool) -> Result<Vec<Ipv4Addr>> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linux => super::linux_node::addresses(config, isolated),
            #[cfg(not(target_os = "linux"))]
            Self::Linux => not_here(),
            Self::Virtual => config.addresses(),
        }
    }

    /// As [`Backend::prepare`], for a process that another one is going to be a node for: nothing is changed.
    pub(crate) fn preflight(self) -> Result<Vec<String>> {
        match self {
            Self::Virtual => Ok(Vec::new()),
            #[cfg(target_os = "linux")]
            Self::Linux => {
                podsim_linux::preflight().map_err(|missing| Failure::new(format!("error: {missing}")).into())
            }
            #[cfg(not(target_os = "linux"))]
            Self::Linux => not_here(),
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn not_here<T>() -> Result<T> {
    let message =
        "error: --backend=linux needs a Linux machine: leave it out, and the Pods run on podsim's virtual kernel";
    Err(Failure::new(message).into())
}

/// The runtime of a node. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Runtime {
    Virtual(VirtualRuntime),
    #[cfg(target_os = "linux")]
    Linux(LinuxRuntime),
}

/// What a runtime is made from besides the configuration.
pub(crate) struct Parts {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) endpoint: Endpoint,
    /// The node's `/etc/hosts`.
    pub(crate) hosts: String,
    /// The images.
    pub(crate) images: ImageStore,
    /// The cluster's other nodes, of the virtual backend.
    pub(crate) neighbours: Option<Neighbours>,
    /// Whether the node must not be seen on the host: not even its network.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "only Linux has nodes of their own network")
    )]
    pub(crate) isolated: bool,
}

impl Runtime {
    /// Makes the runtime of a node.
    pub(crate) fn new(backend: Backend, config: &NodeConfig, parts: Parts) -> Result<Self> {
        match backend {
            Backend::Virtual => super::virtual_node::boot(config, parts).map(Self::Virtual),
            #[cfg(target_os = "linux")]
            Backend::Linux => super::linux_node::boot(config, parts).map(Self::Linux),
            #[cfg(not(target_os = "linux"))]
            Backend::Linux => not_here(),
        }
    }

    /// As CRI has it.
    pub(crate) fn service(&self) -> Arc<dyn RuntimeService> {
        match self {
            Self::Virtual(runtime) => Arc::new(runtime.clone()),
            #[cfg(target_os = "linux")]
            Self::Linux(runtime) => Arc::new(runtime.clone()),
        }
    }

    /// Starts a command in the node's own namespaces, as root: the node's shell.
    pub(crate) async fn exec_on_node(
        &self,
        command: &[String],
        tty: bool,
        stdin: bool,
        winsize: Option<Winsize>,
    ) -> podsim_cri::Result<ExecSession> {
        match self {
            Self::Virtual(runtime) => runtime.exec_on_node(command, tty, stdin, winsize),
            #[cfg(target_os = "linux")]
            Self::Linux(runtime) => runtime.exec_on_node(command, tty, stdin, winsize).await,
        }
    }

    /// Whether every process of the node sleeps.
    pub(crate) fn is_idle(&self) -> bool {
        match self {
            Self::Virtual(runtime) => runtime.kernel().is_idle(),
            #[cfg(target_os = "linux")]
            Self::Linux(runtime) => runtime.is_idle(),
        }
    }

    /// `uname -r` on the node.
    pub(crate) fn kernel_version(&self) -> String {
        match self {
            Self::Virtual(runtime) => runtime.kernel().initial_namespaces().uts.name.lock().release.clone(),
            #[cfg(target_os = "linux")]
            Self::Linux(_) => podsim_linux::kernel_version(),
        }
    }

    /// A listener for the API in the node's own network, where that is not the host's: the node's `kubectl` is in there.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(unused_variables, reason = "only Linux has nodes of their own network")
    )]
    pub(crate) async fn listen_on_node(&self, address: SocketAddr) -> std::io::Result<Option<TcpListener>> {
        match self {
            Self::Virtual(_) => Ok(None),
            #[cfg(target_os = "linux")]
            Self::Linux(runtime) => match runtime.own_network() {
                Some(network) => network.listen(address).await.map(Some),
                None => Ok(None),
            },
        }
    }

    /// Takes back what the node has made outside of this process.
    pub(crate) async fn shutdown(&self) {
        match self {
            Self::Virtual(_) => {}
            #[cfg(target_os = "linux")]
            Self::Linux(runtime) => runtime.shutdown().await,
        }
    }
}

//! Pod sandboxes: the pause process that holds a Pod's namespaces.

use crate::{NamespaceInodes, NamespaceOption, Resources, UtsNamespace};
use jiff::Timestamp;
use podsim_sys::Pid;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Names a pod sandbox of the runtime: 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SandboxId(pub String);

impl std::fmt::Display for SandboxId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Whose sandbox it is. `k8s_POD_NAME_NAMESPACE_UID_ATTEMPT` is its name in `docker ps`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PodSandboxMetadata {
    /// The Pod's name.
    pub name: String,
    /// The Pod's uid.
    pub uid: String,
    /// The Pod's (Kubernetes) namespace.
    pub namespace: String,
    /// How many sandboxes the Pod had before this one.
    pub attempt: u32,
}

/// What `/etc/resolv.conf` of the containers says; `None` in [`PodSandboxConfig`] means the node's own file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsConfig {
    /// `nameserver` lines.
    pub servers: Vec<String>,
    /// The `search` line.
    pub searches: Vec<String>,
    /// The `options` line.
    pub options: Vec<String>,
}

/// The protocol of a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        })
    }
}

/// A port of the machine that leads to a port of the Pod (`PortMapping`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortMapping {
    /// The protocol of both.
    pub protocol: Protocol,
    /// The Pod's.
    pub container_port: u16,
    /// The machine's.
    pub host_port: u16,
    /// The address of the machine. Empty leaves it to the runtime; podsim's take 127.0.0.1.
    pub host_ip: String,
}

/// A sandbox to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodSandboxConfig {
    /// Whose.
    pub metadata: PodSandboxMetadata,
    /// Host name of the Pod; empty with the node's network, where the node's is kept. The runtime writes `/etc/hostname`.
    pub hostname: String,
    /// Directory on the node for the logs of the containers, as `/var/log/pods/NAMESPACE_NAME_UID`.
    pub log_directory: String,
    /// DNS; the runtime writes `/etc/resolv.conf`.
    pub dns_config: Option<DnsConfig>,
    /// Ports of the machine; open as long as the sandbox is ready. With the node's network they mean nothing.
    pub port_mappings: Vec<PortMapping>,
    /// Kept for selection.
    pub labels: BTreeMap<String, String>,
    /// Kept.
    pub annotations: BTreeMap<String, String>,
    /// Which of the sandbox's namespaces are the node's, and whether a pid namespace is made to be shared.
    pub namespaces: NamespaceOption,
    /// One UTS namespace for all or one each.
    pub uts: UtsNamespace,
    /// Settings of the sandbox's namespaces, with dots in their names.
    pub sysctls: BTreeMap<String, String>,
    /// Limits of the Pod as a whole.
    pub resources: Resources,
    /// The handler of the Pod's RuntimeClass; empty is the runtime itself. (CRI has it beside the configuration.)
    pub runtime_handler: String,
}

impl PodSandboxConfig {
    /// Whether there is a runtime behind the handler: podsim itself, also under the name that nodes usually have for their default.
    ///
    /// # Errors
    ///
    /// containerd's, for any other name.
    pub fn check_handler(&self) -> crate::Result<()> {
        match self.runtime_handler.as_str() {
            "" | "podsim" | "runc" => Ok(()),
            other => Err(crate::Error::InvalidArgument(format!(
                "failed to get sandbox runtime: no runtime for {other:?} is configured"
            ))),
        }
    }
}

/// Is it usable?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodSandboxState {
    /// pause runs and the network is up.
    Ready,
    /// Stopped or dead.
    NotReady,
}

/// A sandbox as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSandboxStatus {
    /// Its id.
    pub id: SandboxId,
    /// Whose it is.
    pub metadata: PodSandboxMetadata,
    /// Usable?
    pub state: PodSandboxState,
    /// When it was made.
    pub created_at: Timestamp,
    /// Addresses; empty with the node's network. The first is the Pod's IP.
    pub ips: Vec<IpAddr>,
    /// pause's pid on the node; `None` if it is dead.
    pub pid: Option<Pid>,
    /// The pause image.
    pub image: String,
    /// pause's namespaces.
    pub namespace_inodes: NamespaceInodes,
    /// As configured.
    pub namespaces: NamespaceOption,
    /// As configured.
    pub uts: UtsNamespace,
    /// As configured.
    pub labels: BTreeMap<String, String>,
    /// As configured.
    pub annotations: BTreeMap<String, String>,
}

/// Which sandboxes to list; a default filter lists all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodSandboxFilter {
    /// This one.
    pub id: Option<SandboxId>,
    /// In this state.
    pub state: Option<PodSandboxState>,
    /// Of this Pod.
    pub pod_uid: Option<String>,
}

impl PodSandboxFilter {
    /// Whether it lists this sandbox.
    #[must_use]
    pub fn matches(&self, status: &PodSandboxStatus) -> bool {
        self.id.as_ref().is_none_or(|id| *id == status.id)
            && self.state.is_none_or(|state| state == status.state)
            && self.pod_uid.as_ref().is_none_or(|uid| *uid == status.metadata.uid)
    }
}

impl DnsConfig {
    /// The text of `/etc/resolv.conf`.
    #[must_use]
    pub fn resolv_conf(&self) -> String {
        let mut text = String::new();
        if !self.searches.is_empty() {
            text.push_str(&format!("search {}\n", self.searches.join(" ")));
        }
        for server in &self.servers {
            text.push_str(&format!("nameserver {server}\n"));
        }
        if !self.options.is_empty() {
            text.push_str(&format!("options {}\n", self.options.join(" ")));
        }
        text
    }
}

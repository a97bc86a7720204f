//! Who shares which namespace with whom (`NamespaceOption` of CRI).

use crate::ContainerId;
use podsim_sys::NsKind;
use std::collections::BTreeMap;

/// Which namespace of a kind a container lives in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NamespaceMode {
    /// The sandbox's: shared by the containers of the Pod.
    #[default]
    Pod,
    /// Its own.
    Container,
    /// The node's.
    Node,
    /// That of another container of the Pod (ephemeral containers with `targetContainerName`).
    Target(ContainerId),
}

/// The namespaces that the Pod's manifest decides on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceOption {
    /// `Pod` or `Node` (`hostNetwork`).
    pub network: NamespaceMode,
    /// `Container` by default, `Pod` (`shareProcessNamespace`), `Node` (`hostPID`) or `Target`.
    pub pid: NamespaceMode,
    /// `Pod` or `Node` (`hostIPC`).
    pub ipc: NamespaceMode,
    /// Whether the Pod has a user namespace of its own (`hostUsers: false`): its root is nobody on the node (KEP-127).
    pub own_users: bool,
}

/// Whether the containers of a Pod share one UTS namespace: a property of the node's runtime, not of a manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UtsNamespace {
    /// Each container and the sandbox have their own (Docker through dockershim).
    #[default]
    Container,
    /// All share the sandbox's (containerd, CRI-O).
    Pod,
}

/// The inode numbers of the namespaces that a process is in.
pub type NamespaceInodes = BTreeMap<NsKind, u64>;

//! The network of Pods: a bridge, a pair of interfaces for each, addresses, and a way in.
//!
//! * [`NetNs`]: a network namespace, and work and sockets in it.
//! * [`NodeNetwork`]: the node's: the host's own or one of its own; connects Pods ([`PodAttachment`]) and gives them addresses ([`Lease`]).
//! * [`port_forward`]: one connection into a Pod.
//! * [`Leftovers`]: what processes that were killed have left on the host.
//!
//! All changes go through [`crate::netlink`]. Nothing of the host's is changed but that the bridge and its ports are added: Pods reach each
//! other and the host, and what they send elsewhere goes where the host's own settings let it.

mod bridge;
mod error;
mod ipam;
mod netns;
mod node;
mod pod;
mod port_forward;
#[cfg(test)]
mod tests;

pub use error::{Error, Result};
pub use ipam::{Ipam, Lease};
pub use netns::NetNs;
pub use node::{Leftovers, NodeNetwork, NodeNetworkConfig, OurLink};
pub use pod::PodAttachment;
pub use port_forward::port_forward;

use podsim_cri::backend::{Cidr, InterfaceConfig};

/// What an interface of ours is for. It is written into the interface itself, as its alias (`ip link` shows it), so that it is
/// known after the process that made it was killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The Pods' bridge.
    Bridge,
    /// The node's end of a Pod's pair.
    Pod {
        /// The node's name.
        node: String,
        /// The sandbox's id.
        sandbox: String,
    },
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Owner::Bridge => f.write_str("podsim:bridge"),
            Owner::Pod { node, sandbox } => write!(f, "podsim:{node}:{sandbox}"),
        }
    }
}

impl Owner {
    /// Reads an alias; `None` if it is not one of ours.
    fn parse(alias: &str) -> Option<Owner> {
        let rest = alias.strip_prefix("podsim:")?;
        if rest == "bridge" {
            return Some(Owner::Bridge);
        }
        let (node, sandbox) = rest.split_once(':')?;
        Some(Owner::Pod {
            node: node.to_owned(),
            sandbox: sandbox.to_owned(),
        })
    }
}

//! [`Lan`]: the network that several virtual nodes share, with a kernel each. Network namespaces of different kernels can be connected like those
//! of one: packets are calls.

use crate::node::Node;
use crate::stdio::describe;
use podsim_cri::Result;
use podsim_cri::backend::Cidr;
use podsim_kernel::net::{LinkRequest, NetNamespace, VethRequest};
use podsim_sys::{Ipv4Interface, NsKind, Route};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// The bridge, in the namespace that no process is in.
const BRIDGE: &str = "lan";

/// A network of nodes: a bridge with an address, the way to which is every node's default route.
#[derive(Clone)]
pub struct Lan {
    net: Arc<NetNamespace>,
    gateway: Ipv4Addr,
    prefix: u8,
}

/// The place of a node in it.
#[derive(Clone)]
pub struct Neighbours {
    /// The network.
    pub lan: Lan,
    /// The node's own address there, that of its `eth0`.
    pub address: Ipv4Addr,
    /// The other nodes: where they are, and the ranges of their Pods.
    pub others: Vec<(Ipv4Addr, Cidr)>,
}

impl Lan {
    /// A network with this range.
    ///
    /// # Errors
    ///
    /// None that a caller could cause.
    pub fn new(range: Cidr) -> Result<Self> {
        let net = NetNamespace::new(NsKind::Net.initial_inode());
        let bridge = LinkRequest {
            name: BRIDGE.to_owned(),
            bridge: true,
            mac: [2, 0x42, 0, 0, 0, 1],
            mtu: 1500,
            tx_queue_len: 1000,
            ipv4: vec![Ipv4Interface {
                address: range.gateway(),
                prefix: range.prefix,
                broadcast: Ipv4Addr::UNSPECIFIED,
            }],
            ipv6: Vec::new(),
        };
        net.add_link(&bridge)
            .map_err(|errno| describe("cannot make the nodes' network", errno))?;
        Ok(Self {
            net,
            gateway: range.gateway(),
            prefix: range.prefix,
        })
    }
}

impl Neighbours {
    /// Connects the node, and tells it the ways to the others' Pods.
    pub(crate) fn join(&self, node: &Node, net: &Arc<NetNamespace>) -> podsim_sys::Result<()> {
        net.attach_pod(
            &self.lan.net,
            &VethRequest {
                bridge: BRIDGE.to_owned(),
                address: self.address,
                prefix: self.lan.prefix,
                gateway: (self.lan.gateway != self.address).then_some(self.lan.gateway),
                mac: node.new_mac(),
            },
        )?;
        for (address, pods) in &self.others {
            net.add_route(Route {
                destination: IpAddr::V4(pods.network),
                prefix: pods.prefix,
                gateway: Some(IpAddr::V4(*address)),
                interface: "eth0".to_owned(),
                source: None,
                metric: 0,
            })?;
        }
        Ok(())
    }
}

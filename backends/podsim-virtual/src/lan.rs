//! [`Lan`]: what several virtual nodes share, with a kernel each: a network, and a directory. Network namespaces of different kernels can be
//! connected like those of one: packets are calls.

use crate::node::Node;
use crate::stdio::describe;
use podsim_cri::Result;
use podsim_cri::backend::Cidr;
use podsim_kernel::fs::tmpfs::{Options, TmpFs};
use podsim_kernel::fs::{MountNamespace, Vfs};
use podsim_kernel::net::{LinkRequest, NetNamespace, VethRequest};
use podsim_sys::{Clock, Ipv4Interface, Mode, MountFlags, NsKind, Route};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// The bridge, in the namespace that no process is in.
const BRIDGE: &str = "lan";

/// A network of nodes: a bridge with an address, the way to which is every node's default route; and a directory in memory that all have.
#[derive(Clone)]
pub struct Lan {
    net: Arc<NetNamespace>,
    files: Arc<MountNamespace>,
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
    /// Where the directory is, if the node is to have it.
    pub directory: Option<&'static str>,
}

impl Lan {
    /// A network with this range; `memory` is what a node has, in bytes.
    ///
    /// # Errors
    ///
    /// None that a caller could cause.
    pub fn new(range: Cidr, clock: Arc<dyn Clock>, memory: u64) -> Result<Self> {
        let vfs = Vfs::shared(clock, memory);
        let sb = TmpFs::mount(&vfs, &Options::default());
        let files = MountNamespace::new(&vfs, 0, &sb, "tmpfs", MountFlags::empty());
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
            files,
            gateway: range.gateway(),
            prefix: range.prefix,
        })
    }
}

impl Neighbours {
    /// Shows the directory on the node.
    pub(crate) fn show(&self, mounts: &Arc<MountNamespace>) -> podsim_sys::Result<()> {
        let Some(directory) = self.directory else { return Ok(()) };
        mounts.mkdir_all(directory, Mode(0o755))?;
        mounts
            .bind_at(directory, &self.lan.files.root(), MountFlags::RELATIME)
            .map(drop)
    }

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

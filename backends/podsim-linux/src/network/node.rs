//! The node's network: the host's own namespace with the Pods' bridge, or a namespace of the node's with what its configuration says.

use super::bridge::{self, BridgeUse};
use super::error::{Error, Result};
use super::{Cidr, InterfaceConfig, Ipam, Lease, NetNs, Owner, ipam};
use crate::netlink::{Address, LinkSettings, Netlink, RouteEntry};
use parking_lot::Mutex;
use podsim_cri::backend;
use podsim_sys::{Errno, InterfaceFlags};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, UdpSocket};

/// What the node's network is made from.
#[derive(Clone, Debug)]
pub struct NodeNetworkConfig {
    /// The node's name: its Pods' interfaces are marked with it.
    pub node: String,
    /// The range of the Pods' addresses; the bridge has its first one.
    pub pod_cidr: Cidr,
    /// The bridge that the Pods hang on.
    pub bridge: InterfaceConfig,
}

/// The node's network.
#[derive(Debug)]
pub struct NodeNetwork {
    config: NodeNetworkConfig,
    netns: NetNs,
    netlink: Mutex<Netlink>,
    ipam: Ipam,
    /// In the host's namespace: our share in the bridge. `None` in a namespace of our own, and after [`NodeNetwork::leave`].
    bridge_use: Mutex<Option<BridgeUse>>,
    /// The other ends of the interfaces that have a carrier: they are kept where nobody sees them. `None` in the host's namespace.
    carriers: Option<NetNs>,
    /// The node's addresses, in a namespace of its own.
    addresses: Vec<IpAddr>,
}

impl NodeNetwork {
    /// The host's own namespace (the caller's): the bridge is found or made there and shared with the other podsim processes of the
    /// host, all of which must be given the same folder.
    pub fn of_host(config: NodeNetworkConfig, folder: &Path) -> Result<Self> {
        let netns = NetNs::current().map_err(Error::host("open the host's network namespace"))?;
        Self::within(config, netns, folder)
    }

    pub(super) fn within(config: NodeNetworkConfig, netns: NetNs, folder: &Path) -> Result<Self> {
        let mut netlink = netns.netlink()?;
        let ipam = Ipam::shared(config.pod_cidr, folder)?;
        let bridge_use = BridgeUse::start(folder, &config.bridge.name)?;
        bridge::ensure(&mut netlink, &config.bridge, config.pod_cidr)?;
        Ok(Self {
            config,
            netns,
            netlink: Mutex::new(netlink),
            ipam,
            bridge_use: Mutex::new(Some(bridge_use)),
            carriers: None,
            addresses: Vec::new(),
        })
    }

    /// A new namespace with these interfaces and the bridge. The default route goes over the first interface that has an address,
    /// to the first address of its network.
    pub fn of_its_own(config: NodeNetworkConfig, interfaces: &[InterfaceConfig]) -> Result<Self> {
        let new = || NetNs::new().map_err(Error::host("make a network namespace"));
        let netns = new()?;
        let carriers = new()?;
        let mut netlink = netns.netlink()?;
        up(&mut netlink, "lo")?;
        for interface in interfaces {
            add_interface(&mut netlink, &carriers, interface)?;
        }
        bridge::ensure(&mut netlink, &config.bridge, config.pod_cidr)?;
        default_route(&mut netlink, interfaces)?;
        forward(&netns);
        let own = interfaces.iter().chain([&config.bridge]);
        let mut addresses: Vec<IpAddr> = own.filter_map(|interface| Some(interface.ipv4?.0.into())).collect();
        addresses.push(config.pod_cidr.gateway().into());
        Ok(Self {
            addresses,
            ipam: Ipam::new(config.pod_cidr),
            config,
            netns,
            netlink: Mutex::new(netlink),
            bridge_use: Mutex::new(None),
            carriers: Some(carriers),
        })
    }

    /// The namespace.
    #[must_use]
    pub fn netns(&self) -> &NetNs {
        &self.netns
    }

    /// Whether it is a namespace of the node's own, and not the host's.
    #[must_use]
    pub fn is_its_own(&self) -> bool {
        self.carriers.is_some()
    }

    /// The range of the Pods' addresses.
    #[must_use]
    pub fn pod_cidr(&self) -> Cidr {
        self.config.pod_cidr
    }

    /// Takes an address for a Pod. It is given back when the lease is dropped.
    pub fn allocate(&self) -> Result<Lease> {
        self.ipam.allocate()
    }

    /// Connects a Pod's namespace to the bridge: `eth0` with the address and the default route, and `lo`. Returns the name of the
    /// node's end, when packets can pass. It blocks for some milliseconds.
    pub fn attach_pod(&self, pod: &super::PodAttachment<'_>) -> Result<String> {
        let mut netlink = self.netlink.lock();
        // Somebody may have removed it since: the next Pod finds it again.
        let bridge = match netlink.link(&*self.config.bridge.name)? {
            Some(link) => link.index,
            None => bridge::ensure(&mut netlink, &self.config.bridge, self.config.pod_cidr)?,
        };
        let place = super::pod::Place {
            node: &self.config.node,
            bridge,
            mtu: self.config.bridge.mtu,
            range: self.config.pod_cidr,
        };
        super::pod::attach(&mut netlink, &place, pod)
    }

    /// Removes the node's end of a Pod's pair, and with it the Pod's.
    pub fn detach_pod(&self, name: &str) -> Result<()> {
        Ok(bridge::unless(Errno::ENODEV, self.netlink.lock().delete_link(name))?)
    }

    /// Whether the bridge says of itself what is so: that it is operational while something hangs on it, and not when nothing does. The kernel
    /// finds that out some time after a Pod has gone, up to a second later (`linkwatch` in net/core/link_watch.c).
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let Ok(links) = self.netlink.lock().links() else {
            // Who asks does not wait for what cannot be known.
            return true;
        };
        let Some(bridge) = links.iter().find(|link| link.name == self.config.bridge.name) else {
            return true;
        };
        let has_ports = links.iter().any(|link| link.master == Some(bridge.index));
        bridge.flags.contains(InterfaceFlags::RUNNING) == has_ports
    }

    /// Leaves the bridge, and removes it if nobody else uses it. Nothing happens the second time.
    pub fn leave(&self) -> Result<()> {
        let Some(bridge_use) = self.bridge_use.lock().take() else {
            return Ok(());
        };
        // Held to the end: nobody begins to use it meanwhile.
        let alone = bridge_use.end();
        if alone.is_some() {
            bridge::remove(&mut self.netlink.lock(), &self.config.bridge.name)?;
        }
        Ok(())
    }
}

impl Drop for NodeNetwork {
    fn drop(&mut self) {
        if let Err(error) = self.leave() {
            tracing::warn!("{error}");
        }
    }
}

/// An interface of ours, found by its alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OurLink {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub owner: Owner,
}

/// What podsim has made in a namespace and what may have been left behind by one that was killed: what `podsim node prune` looks at.
#[derive(Debug)]
pub struct Leftovers {
    netlink: Netlink,
    folder: PathBuf,
}

impl Leftovers {
    /// Of the calling thread's namespace; the folder is that of [`NodeNetwork::of_host`].
    pub fn of_host(folder: &Path) -> Result<Self> {
        Ok(Self {
            netlink: Netlink::open()?,
            folder: folder.to_owned(),
        })
    }

    /// Frees the addresses of processes that are dead.
    pub fn forget_addresses(&self) {
        ipam::forget_dead(&self.folder);
    }

    /// All interfaces of ours.
    pub fn list(&mut self) -> Result<Vec<OurLink>> {
        let ours = |link: crate::netlink::Link| {
            let owner = link.alias.as_deref().and_then(Owner::parse);
            let owner = owner.or_else(|| bridge::is_half_made(&link).then_some(Owner::Bridge));
            Some(OurLink {
                owner: owner?,
                name: link.name,
            })
        };
        Ok(self.netlink.links()?.into_iter().filter_map(ours).collect())
    }

    /// Removes one. That it is gone already is no error.
    pub fn remove(&mut self, name: &str) -> Result<()> {
        Ok(bridge::unless(Errno::ENODEV, self.netlink.delete_link(name))?)
    }

    /// Removes a bridge if podsim made it, no podsim process uses it and nothing hangs on it. Says whether it is gone.
    pub fn remove_bridge_if_unused(&mut self, bridge: &str) -> Result<bool> {
        let Some(_alone) = BridgeUse::alone(&self.folder, bridge)? else {
            return Ok(false);
        };
        bridge::remove(&mut self.netlink, bridge)
    }
}

pub(super) fn up(netlink: &mut Netlink, name: &str) -> Result<()> {
    let settings = LinkSettings {
        up: Some(true),
        ..LinkSettings::default()
    };
    Ok(netlink.set_link(name, &settings)?)
}

/// An interface of the node's own: with a carrier it is one end of a pair, without it is a bridge that has no ports.
fn add_interface(netlink: &mut Netlink, carriers: &NetNs, config: &InterfaceConfig) -> Result<()> {
    if config.carrier {
        let own = LinkSettings {
            name: Some(&config.name),
            mac: config.mac,
            mtu: Some(config.mtu),
            tx_queue_len: Some(config.tx_queue_len),
            ..LinkSettings::default()
        };
        let other = LinkSettings {
            name: Some(&config.name),
            mtu: Some(config.mtu),
            netns: Some(carriers.as_fd()),
            ..LinkSettings::default()
        };
        netlink.add_veth(&own, &other)?;
        up(&mut carriers.netlink()?, &config.name)?;
    } else {
        bridge::add(netlink, config, None)?;
    }
    if let Some((address, prefix)) = config.ipv4 {
        let address = Address {
            index: netlink.index_of(&config.name)?,
            address: address.into(),
            prefix,
            broadcast: Some(config.broadcast).filter(|ip| !ip.is_unspecified()),
        };
        netlink.add_address(&address)?;
    }
    up(netlink, &config.name)
}

fn default_route(netlink: &mut Netlink, interfaces: &[InterfaceConfig]) -> Result<()> {
    let Some((interface, (address, prefix))) = interfaces.iter().find_map(|i| Some((i, i.ipv4?))) else {
        return Ok(());
    };
    let gateway = Cidr::of(address, prefix).gateway();
    if gateway != address {
        let index = netlink.index_of(&interface.name)?;
        netlink.add_route(&RouteEntry::default_over(gateway.into(), index))?;
    }
    Ok(())
}

/// Lets the namespace forward between its interfaces. Not where `/proc/sys` is read-only, as in a container: then the Pods reach each
/// other and the node, and what lies behind its other interfaces is nothing anyway.
fn forward(netns: &NetNs) {
    let write = || std::fs::write("/proc/sys/net/ipv4/ip_forward", "1");
    if let Err(error) = netns.run(write).and_then(|written| written) {
        tracing::warn!("the node does not forward: /proc/sys/net/ipv4/ip_forward: {error}");
    }
}

impl backend::NodeNetwork for NodeNetwork {
    type Tcp = TcpListener;
    type Udp = UdpSocket;

    fn has(&self, address: IpAddr) -> bool {
        address.is_unspecified() || address.is_loopback() || self.addresses.contains(&address)
    }

    async fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        self.netns.listen(address).await
    }

    async fn bind(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        self.netns.bind_udp(address).await
    }
}

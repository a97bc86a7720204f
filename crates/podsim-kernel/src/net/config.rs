//! Making and changing interfaces: what the runtime does for Pods and for the node, and what a process with CAP_NET_ADMIN may.

use super::NetNamespace;
use super::link::{Link, LinkConfig, LinkKind, in_network, is_link_local, mask_v4};
use podsim_sys::{Errno, Ipv4Interface, Ipv6Interface, NetConfig, Result, Route};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};

/// Longest name of an interface (IFNAMSIZ without its NUL).
const NAME_MAX: usize = 15;
/// Interfaces in one namespace; more is ENOSPC.
const LINKS_MAX: usize = 1024;
/// Routes and addresses that can be added; more is ENOSPC.
const ROUTES_MAX: usize = 4096;
const ADDRESSES_MAX: usize = 256;

/// An interface of the node's own, from its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRequest {
    /// Name, at most 15 bytes.
    pub name: String,
    /// A bridge (RUNNING only while it has ports) or a card.
    pub bridge: bool,
    /// Hardware address.
    pub mac: [u8; 6],
    /// Largest packet in bytes.
    pub mtu: u32,
    /// `txqueuelen`.
    pub tx_queue_len: u32,
    /// IPv4 addresses; broadcast 0.0.0.0 is "none set".
    pub ipv4: Vec<Ipv4Interface>,
    /// IPv6 addresses besides the link-local one.
    pub ipv6: Vec<Ipv6Interface>,
}

/// How a Pod is connected to the node's bridge (what the CNI plugin `bridge` does).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VethRequest {
    /// The bridge in the node's namespace.
    pub bridge: String,
    /// The Pod's address.
    pub address: Ipv4Addr,
    /// Bits of the network part.
    pub prefix: u8,
    /// The next hop of the Pod's default route: an address of the bridge. `None`: no default route.
    pub gateway: Option<Ipv4Addr>,
    /// Hardware address of the Pod's `eth0`; the node's end is named and numbered after it.
    pub mac: [u8; 6],
}

impl NetNamespace {
    /// Brings an interface up, as `ip link set NAME up`.
    pub fn set_link_up(&self, name: &str, up: bool) -> Result<()> {
        self.link(name).ok_or(Errno::ENODEV)?.set_up(up);
        if !up {
            // fib_disable_ip: routes over an interface that is down are gone.
            self.state.lock().routes.retain(|route| route.interface != name);
        }
        Ok(())
    }

    /// Adds an interface of the node's configuration and brings it up.
    pub fn add_link(&self, request: &LinkRequest) -> Result<()> {
        let kind = if request.bridge {
            LinkKind::Bridge
        } else {
            LinkKind::Ethernet
        };
        let config = LinkConfig {
            mtu: request.mtu,
            tx_queue_len: request.tx_queue_len,
            ipv4: request.ipv4.clone(),
            ..LinkConfig::default()
        };
        let link = self.insert_link(&request.name, kind, request.mac, config)?;
        link.set_up(true);
        link.config.lock().ipv6.extend(&request.ipv6);
        Ok(())
    }

    /// Makes a veth pair: `eth0` in this namespace, with its address and default route, and `vethXXXXXXXX` as a port of the
    /// node's bridge. The node forwards from then on. `lo` comes up too. Returns the name of the node's end.
    pub fn attach_pod(&self, node: &NetNamespace, request: &VethRequest) -> Result<String> {
        let bridge = node
            .link(&request.bridge)
            .filter(|link| link.is_bridge())
            .ok_or(Errno::ENODEV)?;
        let [_, _, a, b, c, d] = request.mac;
        let host_name = format!("veth{a:02x}{b:02x}{c:02x}{d:02x}");
        if node.link(&host_name).is_some() || self.link("eth0").is_some() {
            return Err(Errno::EEXIST);
        }
        // Locally administered, and not the Pod's: the two ends differ in one bit of the second byte.
        let mut host_mac = request.mac;
        host_mac[0] = (host_mac[0] | 2) & !1;
        host_mac[1] ^= 0x80;
        let mtu = bridge.config.lock().mtu;
        let veth = || LinkConfig {
            mtu,
            tx_queue_len: 1000,
            ..LinkConfig::default()
        };
        let pod_end = self.insert_link("eth0", LinkKind::Veth(OnceLock::new()), request.mac, veth())?;
        let host_end = match node.insert_link(&host_name, LinkKind::Veth(OnceLock::new()), host_mac, veth()) {
            Ok(link) => link,
            Err(errno) => {
                self.remove_link(&pod_end);
                return Err(errno);
            }
        };
        if let (LinkKind::Veth(pod), LinkKind::Veth(host)) = (&pod_end.kind, &host_end.kind) {
            // Both cells are new: setting them cannot fail.
            let _ = pod.set(Arc::downgrade(&host_end));
            let _ = host.set(Arc::downgrade(&pod_end));
        }
        pod_end.config.lock().ipv4.push(Ipv4Interface {
            address: request.address,
            prefix: request.prefix,
            broadcast: broadcast_of(request.address, request.prefix),
        });
        host_end.config.lock().master = Some(Arc::downgrade(&bridge));
        bridge.config.lock().ports.push(Arc::downgrade(&host_end));
        host_end.set_up(true);
        pod_end.set_up(true);
        self.set_link_up("lo", true)?;
        node.set_forwarding(true);
        if let Some(gateway) = request.gateway {
            self.add_route(default_route(gateway, "eth0"))?;
        }
        Ok(host_name)
    }

    /// Removes the Pod's `eth0`, and with it the node's end.
    pub fn detach_pod(&self) {
        if let Some(link) = self.link("eth0") {
            self.remove_link(&link);
        }
    }

    /// Adds a route. ENETUNREACH if its gateway is not on the link, EEXIST if it is there.
    pub fn add_route(&self, route: Route) -> Result<()> {
        let full = if route.destination.is_ipv4() { 32 } else { 128 };
        if route.prefix > full
            || route
                .gateway
                .is_some_and(|g| g.is_ipv4() != route.destination.is_ipv4())
        {
            return Err(Errno::EINVAL);
        }
        let link = self.link(&route.interface).ok_or(Errno::ENODEV)?;
        if !link.is_up() {
            return Err(Errno::ENETDOWN);
        }
        if let Some(gateway) = route.gateway {
            let on_link = |r: &Route| {
                r.gateway.is_none() && r.interface == route.interface && in_network(gateway, r.destination, r.prefix)
            };
            if !self.routes().iter().any(on_link) {
                return Err(Errno::ENETUNREACH);
            }
        }
        if self
            .routes()
            .iter()
            .any(|r| same_route(r, &route) && r.metric == route.metric)
        {
            return Err(Errno::EEXIST);
        }
        let mut state = self.state.lock();
        if state.routes.len() >= ROUTES_MAX {
            return Err(Errno::ENOSPC);
        }
        state.routes.push(route);
        Ok(())
    }

    /// Adds a default route over an interface.
    pub fn add_default_route(&self, gateway: Ipv4Addr, interface: &str) -> Result<()> {
        self.add_route(default_route(gateway, interface))
    }

    /// What a process with CAP_NET_ADMIN changes (`ip link`, `ip addr`, `ip route`).
    pub fn configure(&self, change: NetConfig, random_mac: [u8; 6]) -> Result<()> {
        match change {
            NetConfig::AddLink { name, kind } => {
                let kind = match kind.as_str() {
                    "dummy" => LinkKind::Dummy,
                    "bridge" => LinkKind::Bridge,
                    _ => return Err(Errno::EOPNOTSUPP),
                };
                let mut mac = random_mac;
                mac[0] = (mac[0] | 2) & !1;
                let config = LinkConfig {
                    mtu: 1500,
                    tx_queue_len: 1000,
                    ..LinkConfig::default()
                };
                self.insert_link(&name, kind, mac, config).map(drop)
            }
            NetConfig::DeleteLink(name) => {
                let link = self.link(&name).ok_or(Errno::ENODEV)?;
                if matches!(link.kind, LinkKind::Loopback | LinkKind::Ethernet) {
                    return Err(Errno::EOPNOTSUPP);
                }
                self.remove_link(&link);
                Ok(())
            }
            NetConfig::SetLink { name, up } => self.set_link_up(&name, up),
            NetConfig::AddAddress { name, address, prefix } => self.add_address(&name, address, prefix),
            NetConfig::DeleteAddress { name, address, prefix } => self.delete_address(&name, address, prefix),
            NetConfig::AddRoute(route) => self.add_route(route),
            NetConfig::DeleteRoute(route) => {
                let mut state = self.state.lock();
                let found = state.routes.iter().position(|r| {
                    same_route(r, &route)
                        && (route.interface.is_empty() || r.interface == route.interface)
                        && (route.gateway.is_none() || r.gateway == route.gateway)
                });
                let index = found.ok_or(Errno::ESRCH)?;
                state.routes.remove(index);
                Ok(())
            }
        }
    }

    /// Adds an address; IPv4 without a broadcast address, as `ip addr add` does.
    fn add_address(&self, name: &str, address: IpAddr, prefix: u8) -> Result<()> {
        let link = self.link(name).ok_or(Errno::ENODEV)?;
        let mut config = link.config.lock();
        if config.ipv4.len() + config.ipv6.len() >= ADDRESSES_MAX {
            return Err(Errno::ENOSPC);
        }
        match address {
            IpAddr::V4(address) if prefix <= 32 => {
                if config.ipv4.iter().any(|a| a.address == address && a.prefix == prefix) {
                    return Err(Errno::EEXIST);
                }
                config.ipv4.push(Ipv4Interface {
                    address,
                    prefix,
                    broadcast: Ipv4Addr::UNSPECIFIED,
                });
            }
            IpAddr::V6(address) if prefix <= 128 => {
                if config.ipv6.iter().any(|a| a.address == address) {
                    return Err(Errno::EEXIST);
                }
                // The link-local address stays last, as Linux lists global ones first.
                let at = config
                    .ipv6
                    .iter()
                    .position(|a| is_link_local(a.address))
                    .unwrap_or(config.ipv6.len());
                config.ipv6.insert(at, Ipv6Interface { address, prefix });
            }
            _ => return Err(Errno::EINVAL),
        }
        Ok(())
    }

    fn delete_address(&self, name: &str, address: IpAddr, prefix: u8) -> Result<()> {
        let link = self.link(name).ok_or(Errno::ENODEV)?;
        let mut config = link.config.lock();
        let before = config.ipv4.len() + config.ipv6.len();
        match address {
            IpAddr::V4(address) => config.ipv4.retain(|a| (a.address, a.prefix) != (address, prefix)),
            IpAddr::V6(address) => config.ipv6.retain(|a| (a.address, a.prefix) != (address, prefix)),
        }
        if config.ipv4.len() + config.ipv6.len() == before {
            Err(Errno::EADDRNOTAVAIL)
        } else {
            Ok(())
        }
    }

    fn insert_link(&self, name: &str, kind: LinkKind, mac: [u8; 6], config: LinkConfig) -> Result<Arc<Link>> {
        // dev_valid_name: no empty or too long name, no "." or "..", no slash, colon or white space.
        let bad = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
        if name.is_empty() || name.len() > NAME_MAX || name == "." || name == ".." || name.contains(bad) {
            return Err(Errno::EINVAL);
        }
        let mut state = self.state.lock();
        if state.links.iter().any(|link| link.config.lock().name == name) {
            return Err(Errno::EEXIST);
        }
        if state.links.len() >= LINKS_MAX {
            return Err(Errno::ENOSPC);
        }
        let index = state.next_index;
        state.next_index = index.checked_add(1).ok_or(Errno::ENOSPC)?;
        let config = LinkConfig {
            name: name.to_owned(),
            ..config
        };
        let link = Link::new(self.this.clone(), index, kind, mac, config);
        state.links.push(link.clone());
        Ok(link)
    }

    fn remove_link(&self, link: &Arc<Link>) {
        let name = link.name();
        {
            let mut state = self.state.lock();
            state.links.retain(|l| !Arc::ptr_eq(l, link));
            state.routes.retain(|route| route.interface != name);
        }
        for port in link.ports() {
            port.config.lock().master = None;
        }
        unlink_peer(link);
    }
}

/// Takes a veth end's other end out of its bridge and its namespace.
pub(super) fn unlink_peer(link: &Arc<Link>) {
    leave_bridge(link);
    let Some(peer) = link.peer() else { return };
    leave_bridge(&peer);
    if let Some(ns) = peer.ns.upgrade() {
        let name = peer.name();
        let mut state = ns.state.lock();
        state.links.retain(|l| !Arc::ptr_eq(l, &peer));
        state.routes.retain(|route| route.interface != name);
    }
}

fn leave_bridge(link: &Arc<Link>) {
    if let Some(bridge) = link.master() {
        bridge
            .config
            .lock()
            .ports
            .retain(|port| !std::ptr::eq(port.as_ptr(), Arc::as_ptr(link)));
        link.config.lock().master = None;
    }
}

fn default_route(gateway: Ipv4Addr, interface: &str) -> Route {
    Route {
        destination: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        prefix: 0,
        gateway: Some(IpAddr::V4(gateway)),
        interface: interface.to_owned(),
        source: None,
        metric: 0,
    }
}

fn same_route(a: &Route, b: &Route) -> bool {
    a.destination == b.destination && a.prefix == b.prefix
}

/// The broadcast address of a network; none (0.0.0.0) for /31 and /32.
fn broadcast_of(address: Ipv4Addr, prefix: u8) -> Ipv4Addr {
    if prefix >= 31 {
        return Ipv4Addr::UNSPECIFIED;
    }
    Ipv4Addr::from_bits(address.to_bits() | !mask_v4(prefix))
}

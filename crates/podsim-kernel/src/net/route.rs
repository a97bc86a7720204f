//! Routing: from a namespace and a destination to the [`Path`] of interfaces that the packets cross, and to the namespace
//! at its end. Everything is resolved in one walk: there is no ARP traffic, and no packet exists.

use super::NetNamespace;
use super::link::{Link, LinkKind, in_network, is_link_local, network_of};
use podsim_sys::{Errno, Result, Route};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Namespaces that a packet may be forwarded through before it is given up (a routing loop).
const MAX_HOPS: usize = 16;

/// Bytes of headers that a segment of payload is accounted with: IP and TCP.
fn tcp_header(destination: IpAddr) -> u64 {
    if destination.is_ipv4() { 40 } else { 60 }
}

#[derive(Clone, Copy)]
enum Direction {
    Tx,
    Rx,
}

/// The way from one namespace to another (or around `lo`): what is counted when packets go along it.
pub(super) struct Path {
    hops: Vec<(Arc<Link>, Direction)>,
    /// The address that packets are sent from when the socket has none.
    pub(super) source: IpAddr,
    header: u64,
    /// The smallest MTU on the way.
    mtu: u64,
}

/// Which way packets go.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// From the one who resolved the path.
    Forth,
    /// To it.
    Back,
}

impl Way {
    pub(super) fn reverse(self) -> Way {
        match self {
            Way::Forth => Way::Back,
            Way::Back => Way::Forth,
        }
    }
}

impl Path {
    /// Counts packets of these many bytes, headers included.
    pub(super) fn count(&self, way: Way, packets: u64, bytes: u64) {
        for (link, direction) in &self.hops {
            match (direction, way) {
                (Direction::Tx, Way::Forth) | (Direction::Rx, Way::Back) => link.count_tx(packets, bytes),
                (Direction::Rx, Way::Forth) | (Direction::Tx, Way::Back) => link.count_rx(packets, bytes),
            }
        }
    }

    /// Counts TCP segments without payload (a handshake, FIN, RST).
    pub(super) fn count_control(&self, way: Way, segments: u64) {
        self.count(way, segments, segments * self.header);
    }

    /// Counts payload in as many TCP segments as it needs, and one acknowledgement.
    pub(super) fn count_data(&self, way: Way, payload: usize) {
        let payload = payload as u64;
        let segments = payload.div_ceil(self.mtu.saturating_sub(self.header).max(1)).max(1);
        self.count(way, segments, payload + segments * self.header);
        self.count_control(way.reverse(), 1);
    }

    /// Counts one datagram.
    pub(super) fn count_datagram(&self, payload: usize) {
        // IP and UDP: 12 bytes less than TCP.
        self.count(Way::Forth, 1, payload as u64 + self.header - 12);
    }
}

/// Where a namespace sends a packet.
enum Decision {
    Local,
    Via { link: Arc<Link>, next_hop: IpAddr },
}

/// Finds the way to an address: ENETUNREACH without a route, EHOSTUNREACH when nobody there has the address.
pub(super) fn resolve(from: &Arc<NetNamespace>, destination: IpAddr) -> Result<(Path, Arc<NetNamespace>)> {
    let mut path = Path {
        hops: Vec::new(),
        source: destination,
        header: tcp_header(destination),
        mtu: u64::MAX,
    };
    let mut at = from.clone();
    for hop in 0..MAX_HOPS {
        let (link, next_hop) = match at.decide(destination)? {
            Decision::Local => {
                if hop == 0 {
                    path.around_loopback(&at, destination)?;
                }
                return Ok((path, at));
            }
            Decision::Via { link, next_hop } => (link, next_hop),
        };
        if hop == 0 {
            path.source = at.source_over(&link, destination).ok_or(Errno::EADDRNOTAVAIL)?;
        } else if !at.is_forwarding() {
            return Err(Errno::EHOSTUNREACH);
        }
        path.mtu = path.mtu.min(u64::from(link.config.lock().mtu));
        at = path.cross(&link, next_hop)?;
    }
    Err(Errno::EHOSTUNREACH)
}

impl Path {
    /// To an address of one's own: over `lo`, whichever interface has the address.
    fn around_loopback(&mut self, ns: &NetNamespace, destination: IpAddr) -> Result<()> {
        let lo = ns.loopback().filter(|lo| lo.is_up()).ok_or(Errno::ENETUNREACH)?;
        if let IpAddr::V4(to) = destination
            && to.is_loopback()
        {
            // The local route of 127.0.0.0/8 prefers 127.0.0.1 as source, whatever address in it is spoken to.
            self.source = lo.source_for(destination).unwrap_or(destination);
        }
        self.mtu = u64::from(lo.config.lock().mtu);
        self.hops.push((lo.clone(), Direction::Tx));
        self.hops.push((lo, Direction::Rx));
        Ok(())
    }

    /// Over one link to the neighbour that has the address, as ARP would find it.
    fn cross(&mut self, link: &Arc<Link>, next_hop: IpAddr) -> Result<Arc<NetNamespace>> {
        self.hops.push((link.clone(), Direction::Tx));
        match link.kind {
            LinkKind::Loopback => Err(Errno::EINVAL),
            LinkKind::Ethernet | LinkKind::Dummy => Err(Errno::EHOSTUNREACH),
            LinkKind::Bridge => self.cross_bridge(link, None, next_hop),
            LinkKind::Veth(_) => {
                let peer = link.peer().filter(|peer| peer.is_up()).ok_or(Errno::EHOSTUNREACH)?;
                self.hops.push((peer.clone(), Direction::Rx));
                match peer.master() {
                    Some(bridge) if bridge.is_up() => self.cross_bridge(&bridge, Some(&peer), next_hop),
                    Some(_) => Err(Errno::EHOSTUNREACH),
                    None => owner(&peer, next_hop),
                }
            }
        }
    }

    /// From a bridge's port (or the bridge itself) to the bridge or another port.
    fn cross_bridge(
        &mut self,
        bridge: &Arc<Link>,
        from: Option<&Arc<Link>>,
        next_hop: IpAddr,
    ) -> Result<Arc<NetNamespace>> {
        if from.is_some()
            && let Ok(ns) = owner(bridge, next_hop)
        {
            self.hops.push((bridge.clone(), Direction::Rx));
            return Ok(ns);
        }
        for port in bridge.ports() {
            if from.is_some_and(|from| Arc::ptr_eq(from, &port)) || !port.is_up() {
                continue;
            }
            let Some(station) = port.peer().filter(|station| station.is_up()) else {
                continue;
            };
            if let Ok(ns) = owner(&station, next_hop) {
                self.hops.push((port, Direction::Tx));
                self.hops.push((station, Direction::Rx));
                return Ok(ns);
            }
        }
        Err(Errno::EHOSTUNREACH)
    }
}

/// The namespace of a link, if it answers for the address there. Linux answers ARP for an address of any interface
/// (`arp_ignore` 0); a link-local address belongs to its link.
fn owner(link: &Arc<Link>, address: IpAddr) -> Result<Arc<NetNamespace>> {
    let ns = link.ns.upgrade().ok_or(Errno::EHOSTUNREACH)?;
    let owns = match address {
        IpAddr::V6(v6) if is_link_local(v6) => link.has_address(address),
        _ => !address.is_loopback() && ns.is_local(address),
    };
    if owns { Ok(ns) } else { Err(Errno::EHOSTUNREACH) }
}

impl NetNamespace {
    /// Whether the address is one of the namespace's own, on an interface that is up.
    #[must_use]
    pub fn is_local(&self, address: IpAddr) -> bool {
        self.links()
            .iter()
            .any(|link| link.is_up() && link.has_address(address))
    }

    fn decide(&self, destination: IpAddr) -> Result<Decision> {
        if self.is_local(destination) {
            return Ok(Decision::Local);
        }
        let multicast_or_unroutable = match destination {
            IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast() || v4.is_loopback() || v4.is_unspecified(),
            IpAddr::V6(v6) => v6.is_multicast() || v6.is_loopback() || v6.is_unspecified(),
        };
        if multicast_or_unroutable {
            return Err(Errno::ENETUNREACH);
        }
        let (link, gateway) = self.lookup_route(destination).ok_or(Errno::ENETUNREACH)?;
        Ok(Decision::Via {
            link,
            next_hop: gateway.unwrap_or(destination),
        })
    }

    /// The longest prefix, then the lowest metric, of the routes whose interface is up.
    fn lookup_route(&self, destination: IpAddr) -> Option<(Arc<Link>, Option<IpAddr>)> {
        let links = self.links();
        let live = |route: &Route| links.iter().find(|l| l.is_up() && l.name() == route.interface).cloned();
        self.routes()
            .into_iter()
            .filter(|route| in_network(destination, route.destination, route.prefix))
            .filter_map(|route| live(&route).map(|link| (route, link)))
            .max_by_key(|(route, _)| (route.prefix, std::cmp::Reverse(route.metric)))
            .map(|(route, link)| (link, route.gateway))
    }

    fn source_over(&self, link: &Arc<Link>, destination: IpAddr) -> Option<IpAddr> {
        let preferred = self.routes().into_iter().find_map(|route| {
            let fits = route.interface == link.name() && in_network(destination, route.destination, route.prefix);
            route.source.filter(|_| fits)
        });
        preferred.or_else(|| link.source_for(destination))
    }

    /// The routes, as `ip route` and `ip -6 route` show them: those that come with addresses, and those that were added.
    #[must_use]
    pub fn routes(&self) -> Vec<Route> {
        let mut routes = self.state.lock().routes.clone();
        for link in self.links() {
            if link.is_loopback() || !link.is_up() {
                continue;
            }
            let config = link.config.lock();
            let v4 = config.ipv4.iter().map(|a| (IpAddr::V4(a.address), a.prefix));
            let v6 = config.ipv6.iter().map(|a| (IpAddr::V6(a.address), a.prefix));
            for (address, prefix) in v4.chain(v6) {
                let full = if address.is_ipv4() { 32 } else { 128 };
                if prefix == full {
                    continue;
                }
                routes.push(Route {
                    destination: network_of(address, prefix),
                    prefix,
                    gateway: None,
                    interface: config.name.clone(),
                    source: address.is_ipv4().then_some(address),
                    // Connected IPv6 routes have IP6_RT_PRIO_ADDRCONF.
                    metric: if address.is_ipv4() { 0 } else { 256 },
                });
            }
        }
        routes.sort_by(|a, b| a.destination.cmp(&b.destination).then(a.prefix.cmp(&b.prefix)));
        routes
    }
}

/// Where "any address" leads when one connects to it: Linux takes the loopback address.
pub(super) fn destination_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => other,
    }
}

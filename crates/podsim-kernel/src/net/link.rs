//! [`Link`]: a network interface (Linux's `struct net_device`): loopback, the node's own cards, dummies, bridges and veth ends.

use super::NetNamespace;
use parking_lot::Mutex;
use podsim_sys::{Interface, InterfaceCounters, InterfaceFlags, Ipv4Interface, Ipv6Interface};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// What kind of interface it is.
pub(super) enum LinkKind {
    /// `lo`.
    Loopback,
    /// A card of the node: nobody answers behind it, for nothing leaves the process.
    Ethernet,
    /// `ip link add type dummy`.
    Dummy,
    /// A bridge; its ports are in [`LinkConfig::ports`].
    Bridge,
    /// One end of a veth pair; the other one is usually in another namespace.
    Veth(OnceLock<Weak<Link>>),
}

/// A network interface. Its namespace owns it.
pub(super) struct Link {
    /// Its number in its namespace.
    pub(super) index: u32,
    /// Hardware address.
    pub(super) mac: [u8; 6],
    /// What it is.
    pub(super) kind: LinkKind,
    /// The namespace it is in.
    pub(super) ns: Weak<NetNamespace>,
    /// What can be changed. Nothing else is locked while it is locked.
    pub(super) config: Mutex<LinkConfig>,
    counters: Counters,
}

/// What can be changed about an interface.
#[derive(Default)]
pub(super) struct LinkConfig {
    pub(super) name: String,
    pub(super) up: bool,
    pub(super) mtu: u32,
    pub(super) tx_queue_len: u32,
    pub(super) ipv4: Vec<Ipv4Interface>,
    pub(super) ipv6: Vec<Ipv6Interface>,
    /// The bridge that it is a port of.
    pub(super) master: Option<Weak<Link>>,
    /// The ports of a bridge.
    pub(super) ports: Vec<Weak<Link>>,
}

#[derive(Default)]
struct Counters {
    rx_bytes: AtomicU64,
    rx_packets: AtomicU64,
    tx_bytes: AtomicU64,
    tx_packets: AtomicU64,
}

impl Link {
    pub(super) fn new(
        ns: Weak<NetNamespace>,
        index: u32,
        kind: LinkKind,
        mac: [u8; 6],
        config: LinkConfig,
    ) -> Arc<Self> {
        Arc::new(Self {
            index,
            mac,
            kind,
            ns,
            config: Mutex::new(config),
            counters: Counters::default(),
        })
    }

    pub(super) fn name(&self) -> String {
        self.config.lock().name.clone()
    }

    pub(super) fn is_up(&self) -> bool {
        self.config.lock().up
    }

    pub(super) fn is_loopback(&self) -> bool {
        matches!(self.kind, LinkKind::Loopback)
    }

    pub(super) fn is_bridge(&self) -> bool {
        matches!(self.kind, LinkKind::Bridge)
    }

    /// The other end of a veth pair.
    pub(super) fn peer(&self) -> Option<Arc<Link>> {
        match &self.kind {
            LinkKind::Veth(peer) => peer.get()?.upgrade(),
            _ => None,
        }
    }

    /// The bridge that it is a port of.
    pub(super) fn master(&self) -> Option<Arc<Link>> {
        self.config.lock().master.as_ref()?.upgrade()
    }

    /// The live ports of a bridge.
    pub(super) fn ports(&self) -> Vec<Arc<Link>> {
        self.config.lock().ports.iter().filter_map(Weak::upgrade).collect()
    }

    /// Whether it works: it is up and so is what it needs (a veth: its peer; a bridge: at least one port).
    pub(super) fn is_running(&self) -> bool {
        self.is_up()
            && match self.kind {
                LinkKind::Loopback | LinkKind::Ethernet | LinkKind::Dummy => true,
                LinkKind::Veth(_) => self.peer().is_some_and(|peer| peer.is_up()),
                LinkKind::Bridge => self.ports().iter().any(|port| port.is_up() && port.is_running()),
            }
    }

    /// Whether it has this address (127.0.0.0/8 is all loopback's).
    pub(super) fn has_address(&self, address: IpAddr) -> bool {
        let config = self.config.lock();
        match address {
            IpAddr::V4(v4) if self.is_loopback() => config.ipv4.iter().any(|a| in_network_v4(v4, a.address, a.prefix)),
            IpAddr::V4(v4) => config.ipv4.iter().any(|a| a.address == v4),
            IpAddr::V6(v6) => config.ipv6.iter().any(|a| a.address == v6),
        }
    }

    /// The address to send from over this interface to this destination.
    pub(super) fn source_for(&self, destination: IpAddr) -> Option<IpAddr> {
        let config = self.config.lock();
        match destination {
            IpAddr::V4(to) => {
                let same = config.ipv4.iter().find(|a| in_network_v4(to, a.address, a.prefix));
                same.or(config.ipv4.first()).map(|a| IpAddr::V4(a.address))
            }
            IpAddr::V6(to) => {
                let local = |a: &&Ipv6Interface| is_link_local(a.address) == is_link_local(to);
                let found = config.ipv6.iter().find(local).or(config.ipv6.first());
                found.map(|a| IpAddr::V6(a.address))
            }
        }
    }

    /// Counts packets that were sent.
    pub(super) fn count_tx(&self, packets: u64, bytes: u64) {
        self.counters.tx_packets.fetch_add(packets, Ordering::Relaxed);
        self.counters.tx_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts packets that were received.
    pub(super) fn count_rx(&self, packets: u64, bytes: u64) {
        self.counters.rx_packets.fetch_add(packets, Ordering::Relaxed);
        self.counters.rx_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn flags(&self) -> InterfaceFlags {
        let mut flags = match self.kind {
            LinkKind::Loopback => InterfaceFlags::LOOPBACK,
            LinkKind::Dummy => InterfaceFlags::BROADCAST | InterfaceFlags::NOARP,
            _ => InterfaceFlags::BROADCAST | InterfaceFlags::MULTICAST,
        };
        flags.set(InterfaceFlags::UP, self.is_up());
        flags.set(InterfaceFlags::RUNNING, self.is_running());
        flags
    }

    /// As `ip addr` shows it.
    pub(super) fn snapshot(&self) -> Interface {
        let flags = self.flags();
        let peer_index = self.peer().map(|peer| peer.index);
        let config = self.config.lock();
        Interface {
            index: self.index,
            name: config.name.clone(),
            flags,
            mac: self.mac,
            mtu: config.mtu,
            tx_queue_len: config.tx_queue_len,
            ipv4: config.ipv4.clone(),
            ipv6: config.ipv6.clone(),
            counters: InterfaceCounters {
                rx_bytes: self.counters.rx_bytes.load(Ordering::Relaxed),
                rx_packets: self.counters.rx_packets.load(Ordering::Relaxed),
                tx_bytes: self.counters.tx_bytes.load(Ordering::Relaxed),
                tx_packets: self.counters.tx_packets.load(Ordering::Relaxed),
            },
            peer_index,
        }
    }

    /// Up or down. An interface with a hardware address gets its IPv6 link-local address when it comes up and loses its IPv6
    /// addresses when it goes down (`addrconf_notify`). A bridge gets it at once: Linux would wait for its first port.
    pub(super) fn set_up(&self, up: bool) {
        let mut config = self.config.lock();
        if config.up == up {
            return;
        }
        config.up = up;
        if !up {
            config.ipv6.clear();
        } else if self.is_loopback() {
            config.ipv6.push(Ipv6Interface {
                address: Ipv6Addr::LOCALHOST,
                prefix: 128,
            });
        } else if config.master.is_none() || matches!(self.kind, LinkKind::Veth(_)) {
            config.ipv6.push(Ipv6Interface {
                address: link_local(self.mac),
                prefix: 64,
            });
        }
    }
}

/// The link-local address of a hardware address, by modified EUI-64 (RFC 4291, appendix A).
#[must_use]
pub fn link_local(mac: [u8; 6]) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac;
    let bytes = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f];
    Ipv6Addr::from(bytes)
}

pub(super) fn is_link_local(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xffc0 == 0xfe80
}

/// The bits of an IPv4 network of this prefix length.
pub(super) fn mask_v4(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0)
}

pub(super) fn in_network_v4(address: Ipv4Addr, network: Ipv4Addr, prefix: u8) -> bool {
    (address.to_bits() ^ network.to_bits()) & mask_v4(prefix) == 0
}

pub(super) fn mask_v6(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0)
}

/// Whether an address lies in a network; never across families.
pub(super) fn in_network(address: IpAddr, network: IpAddr, prefix: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => in_network_v4(a, n, prefix),
        (IpAddr::V6(a), IpAddr::V6(n)) => (a.to_bits() ^ n.to_bits()) & mask_v6(prefix) == 0,
        _ => false,
    }
}

/// The network that an address with a prefix lies in.
pub(super) fn network_of(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(a) => IpAddr::V4(Ipv4Addr::from_bits(a.to_bits() & mask_v4(prefix))),
        IpAddr::V6(a) => IpAddr::V6(Ipv6Addr::from_bits(a.to_bits() & mask_v6(prefix))),
    }
}

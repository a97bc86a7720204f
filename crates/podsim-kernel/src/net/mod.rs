//! The network: namespaces with interfaces, addresses and routes as data; TCP, UDP and Unix sockets in memory.
//!
//! * [`NetNamespace`]: one stack. Two of them meet only through a veth pair and a bridge, as on a node.
//! * `link`, `route`: interfaces, and the way from one namespace to another.
//! * [`config`]: making interfaces: the runtime's side ([`VethRequest`], [`LinkRequest`]) and `ip link`'s.
//! * [`socket`]: the trait [`Socket`] (`struct proto_ops`) and [`SocketFile`], a socket as an open file.
//! * `ports`, `options`, `duplex`: what sockets are made of; [`tcp`], [`udp`], [`unix`]: the sockets.
//! * [`host`]: sockets for the host's side: port-forward, probes, the node's DNS.
//! * [`proc`]: the files of `/proc/net`, one function each.
//!
//! # What is not modelled
//!
//! There are no packets: data goes from one socket's call straight into the other socket's buffer, and the interfaces on the way
//! count what Linux would have sent. So nothing is lost, late or retransmitted, there is no TIME_WAIT, no SO_LINGER, no
//! multicast or broadcast, and an interface that goes down does not stop connections that exist.
//! Nothing leaves the process: behind a node's own card nobody answers (EHOSTUNREACH).
//!
//! # Locks
//!
//! A socket → a table of ports; a socket → a stream's buffers. Never a table and then a socket; two sockets only where a
//! listener admits a connection (the listener first). Wakers are woken with nothing locked.

pub mod config;
mod duplex;
pub mod host;
mod inet;
mod link;
mod options;
mod ports;
pub mod proc;
mod route;
pub mod socket;
pub mod tcp;
pub mod udp;
pub mod unix;

#[cfg(test)]
mod tests;

pub use config::{LinkRequest, VethRequest};
pub use host::{HostListener, HostStream, HostUdp};
pub use link::link_local;
pub use socket::{Endpoint, Socket, SocketFile};

use crate::sysctl::Settings;
use link::{Link, LinkConfig, LinkKind};
use parking_lot::Mutex;
use podsim_sys::{AddressFamily, Credentials, Errno, Interface, Ipv4Interface, Result, Route, SocketType};
use ports::PortTable;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Weak};
use tcp::TcpSocket;
use udp::UdpSocket;
use unix::UnixTable;

/// A network namespace: interfaces, routes, bound sockets.
pub struct NetNamespace {
    /// Its number in `/proc/PID/ns/net`.
    pub inode: u64,
    this: Weak<NetNamespace>,
    state: Mutex<NetState>,
    tcp: Mutex<PortTable<TcpSocket>>,
    udp: Mutex<PortTable<UdpSocket>>,
    unix: Mutex<UnixTable>,
    forwarding: AtomicBool,
    unprivileged_port_start: AtomicU16,
    pub(crate) settings: Settings,
}

/// Interfaces and the routes that were added.
struct NetState {
    links: Vec<Arc<Link>>,
    next_index: u32,
    routes: Vec<Route>,
}

impl NetNamespace {
    /// A new network namespace: only `lo`, and that is down (as after `unshare(CLONE_NEWNET)`).
    #[must_use]
    pub fn new(inode: u64) -> Arc<Self> {
        Arc::new_cyclic(|this| {
            let config = LinkConfig {
                name: "lo".to_owned(),
                mtu: 65536,
                tx_queue_len: 1000,
                ipv4: vec![Ipv4Interface {
                    address: Ipv4Addr::LOCALHOST,
                    prefix: 8,
                    broadcast: Ipv4Addr::UNSPECIFIED,
                }],
                ..LinkConfig::default()
            };
            let lo = Link::new(this.clone(), 1, LinkKind::Loopback, [0; 6], config);
            Self {
                inode,
                this: this.clone(),
                state: Mutex::new(NetState {
                    links: vec![lo],
                    next_index: 2,
                    routes: Vec::new(),
                }),
                tcp: Mutex::default(),
                udp: Mutex::default(),
                unix: Mutex::default(),
                forwarding: AtomicBool::new(false),
                unprivileged_port_start: AtomicU16::new(1024),
                settings: Settings::default(),
            }
        })
    }

    /// `socket(2)` in this namespace. `inode` is the number in `socket:[N]`.
    pub fn socket(
        &self,
        family: AddressFamily,
        kind: SocketType,
        inode: u64,
        credentials: &Credentials,
    ) -> Result<Arc<dyn Socket>> {
        let ns = self.this.upgrade().ok_or(Errno::ENETDOWN)?;
        Ok(match (family, kind) {
            (AddressFamily::Unix, _) => unix::UnixSocket::new(&ns, kind, inode),
            (_, SocketType::Stream) => TcpSocket::new(&ns, family, inode, credentials.euid),
            (_, SocketType::Datagram) => UdpSocket::new(&ns, family, inode, credentials.euid),
            (_, SocketType::SeqPacket) => return Err(Errno::ESOCKTNOSUPPORT),
        })
    }

    /// `socketpair(2)`: two connected Unix sockets.
    #[must_use]
    pub fn socketpair(&self, kind: SocketType, inodes: [u64; 2]) -> Option<[Arc<dyn Socket>; 2]> {
        let ns = self.this.upgrade()?;
        let [a, b] = unix::UnixSocket::pair(&ns, kind, inodes);
        Some([a, b])
    }

    /// The interfaces as `ip addr` shows them, in the order of their numbers.
    #[must_use]
    pub fn interfaces(&self) -> Vec<Interface> {
        self.links().iter().map(|link| link.snapshot()).collect()
    }

    /// `net.ipv4.ip_forward`: whether packets for others are passed on.
    #[must_use]
    pub fn is_forwarding(&self) -> bool {
        self.forwarding.load(Ordering::Relaxed)
    }

    /// Sets `net.ipv4.ip_forward`.
    pub fn set_forwarding(&self, on: bool) {
        self.forwarding.store(on, Ordering::Relaxed);
    }

    /// `net.ipv4.ip_unprivileged_port_start`: ports below need CAP_NET_BIND_SERVICE.
    #[must_use]
    pub fn unprivileged_port_start(&self) -> u16 {
        self.unprivileged_port_start.load(Ordering::Relaxed)
    }

    /// Sets `net.ipv4.ip_unprivileged_port_start`.
    pub fn set_unprivileged_port_start(&self, port: u16) {
        self.unprivileged_port_start.store(port, Ordering::Relaxed);
    }

    /// `net.ipv4.ip_local_port_range`: the first and the last port that a socket gets which did not ask for one.
    #[must_use]
    pub fn local_ports(&self) -> (u16, u16) {
        self.tcp.lock().ephemeral()
    }

    /// Sets `net.ipv4.ip_local_port_range`.
    pub fn set_local_ports(&self, first: u16, last: u16) {
        self.tcp.lock().set_ephemeral(first, last);
        self.udp.lock().set_ephemeral(first, last);
    }

    fn links(&self) -> Vec<Arc<Link>> {
        self.state.lock().links.clone()
    }

    fn loopback(&self) -> Option<Arc<Link>> {
        self.state.lock().links.iter().find(|link| link.is_loopback()).cloned()
    }

    fn link(&self, name: &str) -> Option<Arc<Link>> {
        self.state
            .lock()
            .links
            .iter()
            .find(|link| link.config.lock().name == name)
            .cloned()
    }
}

impl Drop for NetNamespace {
    /// With a namespace its veth ends go, and with an end its other end (`veth_dellink`).
    fn drop(&mut self) {
        for link in std::mem::take(&mut self.state.get_mut().links) {
            config::unlink_peer(&link);
        }
    }
}

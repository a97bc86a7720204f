//! Sockets, interfaces and routes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The family of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressFamily {
    /// AF_UNIX.
    Unix,
    /// AF_INET.
    Inet,
    /// AF_INET6.
    Inet6,
}

/// The type of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SocketType {
    /// A reliable byte stream (TCP for inet families).
    Stream,
    /// Datagrams (UDP for inet families).
    Datagram,
    /// Reliable datagrams over a connection (Unix only).
    SeqPacket,
}

/// The address of a socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SockAddr {
    /// IP address and port.
    Inet(SocketAddr),
    /// A path; one that begins with NUL is in the abstract namespace; empty is unnamed.
    Unix(String),
}

bitflags::bitflags! {
    /// Flags of `send(2)` and `recv(2)`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct MsgFlags: u32 {
        /// Look, and leave it in the queue.
        const PEEK = 0x2;
        /// The rest of the datagram is thrown away (or, as a flag of the call, tell the full length).
        const TRUNC = 0x20;
        /// Never wait.
        const DONTWAIT = 0x40;
        /// Wait for the whole length.
        const WAITALL = 0x100;
        /// EPIPE without SIGPIPE.
        const NOSIGNAL = 0x4000;
    }
}

/// Which half `shutdown(2)` closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// No more reading.
    Read,
    /// No more writing: the peer sees end of file.
    Write,
    /// Both.
    Both,
}

/// A socket option with its value; for `getsockopt` the value is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SockOpt {
    /// SO_REUSEADDR.
    ReuseAddr(bool),
    /// SO_REUSEPORT.
    ReusePort(bool),
    /// SO_KEEPALIVE (kept; there is nothing to keep alive in memory).
    KeepAlive(bool),
    /// SO_BROADCAST.
    Broadcast(bool),
    /// TCP_NODELAY (kept; there is no delay).
    NoDelay(bool),
    /// IPV6_V6ONLY.
    V6Only(bool),
    /// SO_SNDBUF in bytes.
    SendBuffer(u32),
    /// SO_RCVBUF in bytes.
    RecvBuffer(u32),
    /// SO_RCVTIMEO in nanoseconds; 0 is none.
    RecvTimeout(u64),
    /// SO_SNDTIMEO in nanoseconds; 0 is none.
    SendTimeout(u64),
    /// SO_ERROR: the pending error's number, cleared by reading.
    Error(u32),
    /// SO_TYPE: 1 stream, 2 datagram, 5 seqpacket.
    Type(u32),
    /// SO_ACCEPTCONN.
    AcceptConn(bool),
}

bitflags::bitflags! {
    /// Interface flags (`netdevice(7)`).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct InterfaceFlags: u32 {
        /// Administratively up.
        const UP = 0x1;
        /// Has a broadcast address.
        const BROADCAST = 0x2;
        /// A loopback interface.
        const LOOPBACK = 0x8;
        /// Point to point.
        const POINTOPOINT = 0x10;
        /// Operational.
        const RUNNING = 0x40;
        /// No ARP.
        const NOARP = 0x80;
        /// Multicast.
        const MULTICAST = 0x1000;
    }
}

/// Counters of an interface (`/proc/net/dev`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterfaceCounters {
    /// Received bytes.
    pub rx_bytes: u64,
    /// Received packets.
    pub rx_packets: u64,
    /// Sent bytes.
    pub tx_bytes: u64,
    /// Sent packets.
    pub tx_packets: u64,
}

/// An IPv4 address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4Interface {
    /// The address.
    pub address: Ipv4Addr,
    /// Bits of the network part, 0 to 32.
    pub prefix: u8,
    /// The broadcast address; 0.0.0.0 when none was set.
    pub broadcast: Ipv4Addr,
}

/// An IPv6 address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6Interface {
    /// The address.
    pub address: Ipv6Addr,
    /// Bits of the network part, 0 to 128.
    pub prefix: u8,
}

/// A network interface as `ip addr` and `ifconfig` show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its number, from 1; `lo` is 1.
    pub index: u32,
    /// Its name, at most 15 bytes.
    pub name: String,
    /// Its flags.
    pub flags: InterfaceFlags,
    /// Hardware address; zeros for loopback.
    pub mac: [u8; 6],
    /// Largest packet in bytes.
    pub mtu: u32,
    /// Length of the send queue.
    pub tx_queue_len: u32,
    /// IPv4 addresses.
    pub ipv4: Vec<Ipv4Interface>,
    /// IPv6 addresses.
    pub ipv6: Vec<Ipv6Interface>,
    /// Traffic so far.
    pub counters: InterfaceCounters,
    /// For a veth end: the index of its peer in the peer's namespace (`eth0@if7`).
    pub peer_index: Option<u32>,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The network; the unspecified address with prefix 0 is the default route.
    pub destination: IpAddr,
    /// Its bits.
    pub prefix: u8,
    /// The next hop; `None` on the link itself.
    pub gateway: Option<IpAddr>,
    /// The interface's name.
    pub interface: String,
    /// The source address to prefer.
    pub source: Option<IpAddr>,
    /// Its metric.
    pub metric: u32,
}

/// A change to the interfaces or routes of the caller's network namespace (what netlink does on Linux); needs CAP_NET_ADMIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetConfig {
    /// Make an interface of this kind (`dummy`, `bridge`).
    AddLink {
        /// Name.
        name: String,
        /// Kind.
        kind: String,
    },
    /// Remove an interface.
    DeleteLink(String),
    /// Up or down.
    SetLink {
        /// Name.
        name: String,
        /// Up?
        up: bool,
    },
    /// Add an address.
    AddAddress {
        /// Interface.
        name: String,
        /// Address.
        address: IpAddr,
        /// Bits.
        prefix: u8,
    },
    /// Remove an address.
    DeleteAddress {
        /// Interface.
        name: String,
        /// Address.
        address: IpAddr,
        /// Bits.
        prefix: u8,
    },
    /// Add a route.
    AddRoute(Route),
    /// Remove a route.
    DeleteRoute(Route),
}

//! The files of `/proc/net` of one network namespace, in Linux's own columns. procfs calls one function a file.
//!
//! Pointers to kernel objects are zeros, as an unprivileged reader sees them (`%pK`).

use super::NetNamespace;
use super::link::{Link, LinkKind, is_link_local};
use super::tcp::TcpInfo;
use super::udp::UdpInfo;
use super::unix::UnixSocket;
use podsim_sys::{AddressFamily, InterfaceFlags, Route, SocketType};
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// `/proc/net/dev` (`dev_seq_printf_stats`).
#[must_use]
pub fn render_dev(ns: &NetNamespace) -> String {
    let mut out = String::from(concat!(
        "Inter-|   Receive                                                |  Transmit\n",
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n",
    ));
    for interface in ns.interfaces() {
        let c = interface.counters;
        let _ = writeln!(
            out,
            "{:>6}: {:7} {:7} {:4} {:4} {:4} {:5} {:10} {:9} {:8} {:7} {:4} {:4} {:4} {:5} {:7} {:10}",
            interface.name, c.rx_bytes, c.rx_packets, 0, 0, 0, 0, 0, 0, c.tx_bytes, c.tx_packets, 0, 0, 0, 0, 0, 0
        );
    }
    out
}

/// `/proc/net/route` (`fib_route_seq_show`): IPv4 routes, addresses as hexadecimal in host byte order.
#[must_use]
pub fn render_route(ns: &NetNamespace) -> String {
    let header = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";
    let mut out = format!("{header:<127}\n");
    for route in ns.routes() {
        let (IpAddr::V4(destination), gateway) = (route.destination, route.gateway) else {
            continue;
        };
        let gateway = match gateway {
            Some(IpAddr::V4(gateway)) => gateway,
            _ => Ipv4Addr::UNSPECIFIED,
        };
        let mask = Ipv4Addr::from_bits(super::link::mask_v4(route.prefix));
        let line = format!(
            "{}\t{:08X}\t{:08X}\t{:04X}\t{}\t{}\t{}\t{:08X}\t{}\t{}\t{}",
            route.interface,
            word(destination),
            word(gateway),
            route_flags(&route, 32),
            0,
            0,
            route.metric,
            word(mask),
            0,
            0,
            0
        );
        let _ = writeln!(out, "{line:<127}");
    }
    out
}

/// `/proc/net/ipv6_route` (`rt6_info_route`).
#[must_use]
pub fn render_ipv6_route(ns: &NetNamespace) -> String {
    let mut out = String::new();
    for route in ns.routes() {
        let IpAddr::V6(destination) = route.destination else {
            continue;
        };
        let gateway = match route.gateway {
            Some(IpAddr::V6(gateway)) => gateway,
            _ => Ipv6Addr::UNSPECIFIED,
        };
        let _ = writeln!(
            out,
            "{:032x} {:02x} {:032x} 00 {:032x} {:08x} {:08x} {:08x} {:08x} {:>8}",
            destination.to_bits(),
            route.prefix,
            0,
            gateway.to_bits(),
            route.metric,
            1,
            0,
            route_flags(&route, 128),
            route.interface
        );
    }
    out
}

/// RTF_UP, RTF_GATEWAY, RTF_HOST.
fn route_flags(route: &Route, full: u8) -> u32 {
    let gateway = if route.gateway.is_some() { 2 } else { 0 };
    let host = if route.prefix == full { 4 } else { 0 };
    1 | gateway | host
}

/// `/proc/net/tcp` (`tcp4_seq_show`).
#[must_use]
pub fn render_tcp(ns: &NetNamespace) -> String {
    let header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
    let mut out = format!("{header:<149}\n");
    for (index, info) in tcp_sockets(ns, AddressFamily::Inet).iter().enumerate() {
        let line = format!("{index:4}: {}", tcp_columns(info));
        let _ = writeln!(out, "{line:<149}");
    }
    out
}

/// `/proc/net/tcp6` (`tcp6_seq_show`).
#[must_use]
pub fn render_tcp6(ns: &NetNamespace) -> String {
    let mut out = String::from(concat!(
        "  sl  local_address                         remote_address                        ",
        "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    ));
    for (index, info) in tcp_sockets(ns, AddressFamily::Inet6).iter().enumerate() {
        let _ = writeln!(out, "{index:4}: {}", tcp_columns(info));
    }
    out
}

/// Listeners first, as Linux walks its two tables.
fn tcp_sockets(ns: &NetNamespace, family: AddressFamily) -> Vec<TcpInfo> {
    let sockets = ns.tcp.lock().sockets();
    let mut infos: Vec<_> = sockets
        .iter()
        .filter_map(|s| s.info())
        .filter(|i| i.family == family)
        .collect();
    infos.sort_by_key(|info| info.state != TcpInfo::LISTEN);
    infos
}

fn tcp_columns(info: &TcpInfo) -> String {
    let listening = info.state == TcpInfo::LISTEN;
    format!(
        "{} {} {:02X} {:08X}:{:08X} 00:00000000 00000000 {:5} {:8} {} 1 {} {} 0 0 10 {}",
        address(info.family, info.local),
        address(info.family, info.remote),
        info.state,
        info.tx_queue,
        info.rx_queue,
        info.uid,
        0,
        info.inode,
        NULL,
        if listening { 100 } else { 20 },
        if listening { 0 } else { -1 },
    )
}

/// `/proc/net/udp` (`udp4_seq_show`).
#[must_use]
pub fn render_udp(ns: &NetNamespace) -> String {
    let header = concat!(
        "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref ",
        "pointer drops"
    );
    let mut out = format!("{header:<127}\n");
    for info in udp_sockets(ns, AddressFamily::Inet) {
        let line = udp_columns(&info);
        let _ = writeln!(out, "{line:<127}");
    }
    out
}

/// `/proc/net/udp6` (`udp6_seq_show`).
#[must_use]
pub fn render_udp6(ns: &NetNamespace) -> String {
    let mut out = String::from(concat!(
        "  sl  local_address                         remote_address                        ",
        "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"
    ));
    for info in udp_sockets(ns, AddressFamily::Inet6) {
        let _ = writeln!(out, "{}", udp_columns(&info));
    }
    out
}

fn udp_sockets(ns: &NetNamespace, family: AddressFamily) -> Vec<UdpInfo> {
    let sockets = ns.udp.lock().sockets();
    sockets
        .iter()
        .filter_map(|s| s.info())
        .filter(|i| i.family == family)
        .collect()
}

fn udp_columns(info: &UdpInfo) -> String {
    format!(
        // The first column is the hash bucket: ours is the port's low byte.
        "{:5}: {} {} {:02X} {:08X}:{:08X} 00:00000000 00000000 {:5} {:8} {} 2 {} {}",
        info.local.port() & 0xff,
        address(info.family, info.local),
        address(info.family, info.remote),
        if info.connected { 1 } else { 7 },
        0,
        info.rx_queue,
        info.uid,
        0,
        info.inode,
        NULL,
        info.drops,
    )
}

/// `/proc/net/unix` (`unix_seq_show`).
#[must_use]
pub fn render_unix(ns: &NetNamespace) -> String {
    const SO_ACCEPTCON: u32 = 0x1_0000;
    let mut out = String::from("Num       RefCount Protocol Flags    Type St Inode Path\n");
    for socket in UnixSocket::all(ns) {
        let info = socket.info();
        let kind = match info.kind {
            SocketType::Stream => 1,
            SocketType::Datagram => 2,
            SocketType::SeqPacket => 5,
        };
        let _ = write!(
            out,
            "{NULL}: {:08X} {:08X} {:08X} {:04X} {:02X} {:5}",
            if info.connected { 3 } else { 2 },
            0,
            if info.listening { SO_ACCEPTCON } else { 0 },
            kind,
            if info.connected { 3 } else { 1 },
            info.inode
        );
        if !info.name.is_empty() {
            let _ = write!(out, " {}", info.name.replace('\0', "@"));
        }
        out.push('\n');
    }
    out
}

/// `/proc/net/if_inet6` (`if6_seq_show`).
#[must_use]
pub fn render_if_inet6(ns: &NetNamespace) -> String {
    const PERMANENT: u8 = 0x80;
    let mut out = String::new();
    for interface in ns.interfaces() {
        for a in &interface.ipv6 {
            let scope = match a.address {
                a if a.is_loopback() => 0x10,
                a if is_link_local(a) => 0x20,
                _ => 0,
            };
            let _ = writeln!(
                out,
                "{:032x} {:02x} {:02x} {scope:02x} {PERMANENT:02x} {:>8}",
                a.address.to_bits(),
                interface.index,
                a.prefix,
                interface.name
            );
        }
    }
    out
}

/// `/proc/net/arp` (`arp_seq_show`): the neighbours that have sent something. (Neighbours are found without ARP here.)
#[must_use]
pub fn render_arp(ns: &NetNamespace) -> String {
    let mut out = String::from("IP address       HW type     Flags       HW address            Mask     Device\n");
    for link in ns.links() {
        let interface = link.snapshot();
        if !interface.flags.contains(InterfaceFlags::UP) || interface.ipv4.is_empty() {
            continue;
        }
        for neighbour in neighbours(&link) {
            let neighbour = neighbour.snapshot();
            if neighbour.counters.tx_packets == 0 {
                continue;
            }
            let mac = neighbour.mac.map(|byte| format!("{byte:02x}")).join(":");
            for a in &neighbour.ipv4 {
                let ip = a.address.to_string();
                let _ = writeln!(
                    out,
                    "{ip:<16} 0x{:<10}0x{:<10}{mac:<17}     *        {}",
                    1, 2, interface.name
                );
            }
        }
    }
    out
}

/// The interfaces on the same link.
fn neighbours(link: &Arc<Link>) -> Vec<Arc<Link>> {
    let of_bridge = |bridge: &Arc<Link>| bridge.ports().into_iter().filter_map(|port| port.peer());
    match &link.kind {
        LinkKind::Bridge => of_bridge(link).collect(),
        LinkKind::Veth(_) => match link.peer().map(|peer| (peer.master(), peer)) {
            Some((Some(bridge), _)) => {
                let others = of_bridge(&bridge).filter(|other| !Arc::ptr_eq(other, link));
                std::iter::once(bridge.clone()).chain(others).collect()
            }
            Some((None, peer)) => vec![peer],
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// What `%pK` shows.
const NULL: &str = "0000000000000000";

/// An IPv4 address as the number that a little-endian machine prints for its `__be32`.
fn word(address: Ipv4Addr) -> u32 {
    u32::from_le_bytes(address.octets())
}

fn address(family: AddressFamily, address: SocketAddr) -> String {
    let port = address.port();
    let v6 = match (family, address.ip()) {
        (AddressFamily::Inet6, IpAddr::V4(v4)) => v4.to_ipv6_mapped(),
        (_, IpAddr::V4(v4)) => return format!("{:08X}:{port:04X}", word(v4)),
        (_, IpAddr::V6(v6)) => v6,
    };
    let mut out = String::new();
    for chunk in v6.octets().chunks_exact(4) {
        let bytes = <[u8; 4]>::try_from(chunk).unwrap_or_default();
        let _ = write!(out, "{:08X}", u32::from_le_bytes(bytes));
    }
    let _ = write!(out, ":{port:04X}");
    out
}

//! What TCP and UDP share: addresses of the two families, and the checks of `bind(2)`.
//!
//! Inside, an IPv4-mapped address is an IPv4 address; only what an IPv6 socket shows of it is mapped (`ipv6(7)`).

use super::NetNamespace;
use super::options::Options;
use super::ports::{Claim, Hold};
use super::route::destination_of;
use super::socket::Endpoint;
use podsim_sys::{AddressFamily, Capability, Credentials, Errno, Result, SockAddr};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a socket with such an address is bound to: where, and its hold on the port.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) address: SocketAddr,
    pub(super) hold: Hold,
}

/// The address as the kernel takes it: EAFNOSUPPORT or EINVAL for one of another family.
pub(super) fn parse(family: AddressFamily, endpoint: &Endpoint) -> Result<SocketAddr> {
    match (family, endpoint) {
        (AddressFamily::Inet, Endpoint::Inet(SocketAddr::V4(v4))) => Ok(SocketAddr::V4(*v4)),
        (AddressFamily::Inet6, Endpoint::Inet(SocketAddr::V6(v6))) => {
            let ip = v6.ip().to_ipv4_mapped().map_or(IpAddr::V6(*v6.ip()), IpAddr::V4);
            Ok(SocketAddr::new(ip, v6.port()))
        }
        // inet6_bind: a sockaddr_in is too short for a sockaddr_in6.
        (AddressFamily::Inet6, Endpoint::Inet(SocketAddr::V4(_))) => Err(Errno::EINVAL),
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

/// The address as a socket of this family shows it.
pub(super) fn show(family: AddressFamily, address: SocketAddr) -> SockAddr {
    SockAddr::Inet(match (family, address.ip()) {
        (AddressFamily::Inet6, IpAddr::V4(v4)) => SocketAddr::new(IpAddr::V6(v4.to_ipv6_mapped()), address.port()),
        _ => address,
    })
}

/// The address of a socket that has none.
pub(super) fn unbound(family: AddressFamily) -> SocketAddr {
    match family {
        AddressFamily::Inet6 => SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0),
        _ => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
    }
}

/// The destination of `connect(2)` or `sendto(2)`: any address is loopback; IPV6_V6ONLY sockets reach no IPv4.
pub(super) fn destination(family: AddressFamily, endpoint: &Endpoint, options: &Options) -> Result<SocketAddr> {
    let address = parse(family, endpoint)?;
    if family == AddressFamily::Inet6 && address.is_ipv4() && options.v6_only {
        return Err(Errno::ENETUNREACH);
    }
    Ok(SocketAddr::new(destination_of(address.ip()), address.port()))
}

/// The claim that a socket with these options makes on a port.
pub(super) fn claim(address: IpAddr, options: &Options, uid: u32) -> Claim {
    Claim {
        address,
        v6_only: options.v6_only,
        reuse_addr: options.reuse_addr,
        reuse_port: options.reuse_port,
        uid,
    }
}

/// The checks of `bind(2)`: EACCES for a privileged port, EADDRNOTAVAIL for an address that is not the namespace's own.
pub(super) fn check_bind(
    ns: &NetNamespace,
    family: AddressFamily,
    endpoint: &Endpoint,
    options: &Options,
    credentials: &Credentials,
) -> Result<SocketAddr> {
    let address = parse(family, endpoint)?;
    if family == AddressFamily::Inet6 && address.is_ipv4() && options.v6_only {
        return Err(Errno::EINVAL);
    }
    if !address.ip().is_unspecified() && !ns.is_local(address.ip()) {
        return Err(Errno::EADDRNOTAVAIL);
    }
    let privileged = address.port() != 0 && address.port() < ns.unprivileged_port_start();
    if privileged && !credentials.capable(Capability::NET_BIND_SERVICE) {
        return Err(Errno::EACCES);
    }
    Ok(address)
}

/// The source of a connection: the bound address, or that of the path. A loopback address does not leave over another
/// interface (EINVAL, `__mkroute_output`).
pub(super) fn source(bound: Option<SocketAddr>, path: IpAddr, to: IpAddr) -> Result<IpAddr> {
    match bound.map(|a| a.ip()).filter(|ip| !ip.is_unspecified()) {
        None => Ok(path),
        Some(ip) if ip.is_ipv4() != to.is_ipv4() => Err(Errno::EINVAL),
        Some(ip) if ip.is_loopback() && !path.is_loopback() && ip != path => Err(Errno::EINVAL),
        Some(ip) => Ok(ip),
    }
}

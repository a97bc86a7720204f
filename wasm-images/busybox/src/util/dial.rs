//! Names, addresses and connections, for wget, nc and the others.

use podsim_guest as sys;
use podsim_sys::{AddressFamily, Errno, Fd, OpenFlags, PollEvents, PollFd, Result, SockAddr, SockOpt, SocketType};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The family of an address.
#[must_use]
pub fn family(address: &SocketAddr) -> AddressFamily {
    if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}

/// An address by name or number.
pub fn lookup(host: &str) -> Result<Vec<IpAddr>> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    match bare.parse() {
        Ok(address) => Ok(vec![address]),
        Err(_) => sys::resolve(bare),
    }
}

/// A port by number, or by the few names that people use.
#[must_use]
pub fn port(text: &str) -> Option<u16> {
    match text {
        "http" => Some(80),
        "https" => Some(443),
        "ssh" => Some(22),
        "ftp" => Some(21),
        "smtp" => Some(25),
        "domain" => Some(53),
        "telnet" => Some(23),
        number => number.parse().ok(),
    }
}

/// A TCP connection, or ETIMEDOUT after the time.
pub fn connect(address: SocketAddr, timeout: Option<Duration>) -> Result<Fd> {
    connect_from(None, address, timeout)
}

/// The same from an address of this machine.
pub fn connect_from(from: Option<IpAddr>, address: SocketAddr, timeout: Option<Duration>) -> Result<Fd> {
    let fd = sys::socket(family(&address), SocketType::Stream, OpenFlags::CLOEXEC)?;
    let bound = match from {
        Some(from) => sys::bind(fd, &SockAddr::Inet(SocketAddr::new(from, 0))),
        None => Ok(()),
    };
    let result = bound.and_then(|()| connect_fd(fd, address, timeout));
    if result.is_err() {
        let _ = sys::close(fd);
    }
    result.map(|()| fd)
}

/// Connects a socket; a timeout makes the wait end with ETIMEDOUT.
pub fn connect_fd(fd: Fd, address: SocketAddr, timeout: Option<Duration>) -> Result<()> {
    let Some(timeout) = timeout else {
        return sys::connect(fd, &SockAddr::Inet(address));
    };
    let flags = sys::get_status_flags(fd)?;
    sys::set_status_flags(fd, flags | OpenFlags::NONBLOCK)?;
    match sys::connect(fd, &SockAddr::Inet(address)) {
        Err(Errno::EINPROGRESS) => {
            if !wait_for(fd, PollEvents::OUT, Some(timeout))? {
                return Err(Errno::ETIMEDOUT);
            }
            if let SockOpt::Error(number) = sys::getsockopt(fd, SockOpt::Error(0))?
                && number != 0
            {
                return Err(Errno(u16::try_from(number).unwrap_or(Errno::EIO.0)));
            }
        }
        other => other?,
    }
    sys::set_status_flags(fd, flags)
}

/// Waits until the descriptor is ready (or in error); `false` when the time is up first.
pub fn wait_for(fd: Fd, events: PollEvents, timeout: Option<Duration>) -> Result<bool> {
    let mut entry = [PollFd {
        fd,
        events,
        revents: PollEvents::empty(),
    }];
    loop {
        match sys::poll(&mut entry, timeout) {
            Err(Errno::EINTR) => {}
            result => return result.map(|count| count > 0),
        }
    }
}

/// `host:port`, with brackets around IPv6 addresses.
#[must_use]
pub fn split_host_port(text: &str) -> (&str, Option<&str>) {
    if let Some(rest) = text.strip_prefix('[')
        && let Some((host, after)) = rest.split_once(']')
    {
        return (host, after.strip_prefix(':'));
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, Some(port)),
        _ => (text, None),
    }
}

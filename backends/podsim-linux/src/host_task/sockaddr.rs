//! Socket addresses as the kernel has them: bytes.

use podsim_sys::{Errno, Result, SockAddr};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// `sizeof(struct sockaddr_storage)`.
pub(super) const ROOM: usize = 128;
/// `sizeof(sun_path)`.
const UNIX_PATH: usize = 108;
/// Where a Unix address's path begins.
const UNIX_HEAD: usize = 2;

/// The bytes of an address. EINVAL: a path that is too long.
pub(super) fn encode(address: &SockAddr) -> Result<Vec<u8>> {
    let family = |family: i32| (family as u16).to_ne_bytes();
    let mut bytes = Vec::with_capacity(ROOM);
    match address {
        SockAddr::Inet(SocketAddr::V4(address)) => {
            bytes.extend(family(libc::AF_INET));
            bytes.extend(address.port().to_be_bytes());
            bytes.extend(address.ip().octets());
            bytes.extend([0; 8]);
        }
        SockAddr::Inet(SocketAddr::V6(address)) => {
            bytes.extend(family(libc::AF_INET6));
            bytes.extend(address.port().to_be_bytes());
            bytes.extend(address.flowinfo().to_be_bytes());
            bytes.extend(address.ip().octets());
            bytes.extend(address.scope_id().to_ne_bytes());
        }
        SockAddr::Unix(path) => {
            if path.len() > UNIX_PATH {
                return Err(Errno::EINVAL);
            }
            bytes.extend(family(libc::AF_UNIX));
            bytes.extend(path.as_bytes());
            // The kernel reads a path up to a NUL; an abstract name is as long as it is said to be.
            if !path.is_empty() && !path.starts_with('\0') && path.len() < UNIX_PATH {
                bytes.push(0);
            }
        }
    }
    Ok(bytes)
}

/// The address in `bytes`, as long as the kernel said; `None` for no address, or one of a family that is not spoken of.
pub(super) fn decode(bytes: &[u8]) -> Option<SockAddr> {
    let two = |at: usize| bytes.get(at..at + 2)?.try_into().ok();
    let four = |at: usize| -> Option<[u8; 4]> { bytes.get(at..at + 4)?.try_into().ok() };
    match i32::from(u16::from_ne_bytes(two(0)?)) {
        libc::AF_INET => {
            let ip = IpAddr::V4(Ipv4Addr::from(four(4)?));
            Some(SockAddr::Inet(SocketAddr::new(ip, u16::from_be_bytes(two(2)?))))
        }
        libc::AF_INET6 => {
            let ip: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
            let flow = u32::from_be_bytes(four(4)?);
            let scope = four(24).map_or(0, u32::from_ne_bytes);
            let port = u16::from_be_bytes(two(2)?);
            let address = SocketAddrV6::new(Ipv6Addr::from(ip), port, flow, scope);
            Some(SockAddr::Inet(SocketAddr::V6(address)))
        }
        libc::AF_UNIX => {
            let path = bytes.get(UNIX_HEAD..).unwrap_or_default();
            let path = match path.first() {
                Some(0) | None => path,
                Some(_) => path.split(|byte| *byte == 0).next().unwrap_or_default(),
            };
            Some(SockAddr::Unix(String::from_utf8_lossy(path).into_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_to_the_same() {
        let addresses = [
            SockAddr::Inet("127.0.0.1:80".parse().unwrap()),
            SockAddr::Inet("[fe80::1%3]:65535".parse().unwrap()),
            SockAddr::Unix("/run/a.sock".to_owned()),
            SockAddr::Unix("\0abstract\0name".to_owned()),
            SockAddr::Unix(String::new()),
            SockAddr::Unix("x".repeat(UNIX_PATH)),
        ];
        for address in addresses {
            let bytes = encode(&address).unwrap();
            assert_eq!(decode(&bytes), Some(address));
        }
    }

    #[test]
    fn a_path_that_is_too_long_and_bytes_that_are_no_address_are_refused() {
        assert_eq!(encode(&SockAddr::Unix("x".repeat(UNIX_PATH + 1))), Err(Errno::EINVAL));
        assert_eq!(decode(&[]), None);
        assert_eq!(decode(&[2, 0, 0]), None);
        assert_eq!(decode(&[99, 0, 0, 0]), None);
    }
}

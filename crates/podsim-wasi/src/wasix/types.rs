//! The records of WASIX: addresses, optional values. Offsets as `repr(C)` lays the types of crate `wasix` out.

use crate::memory::GuestMemory;
use podsim_sys::{Errno, Result, SockAddr};
use std::net::{IpAddr, SocketAddr};

/// `address_family`, the tag of addresses.
const INET4: u8 = 1;
const INET6: u8 = 2;
const UNIX: u8 = 3;
/// Where an address's union begins.
const UNION: u32 = 2;
/// The length of a Unix address.
const UNIX_LEN: usize = 108;
/// The size of `addr_port` and of `addr`.
pub(crate) const ADDR_LEN: u32 = 110;
/// The size of `addr_cidr`.
pub(crate) const CIDR_LEN: u32 = 28;

/// Reads an `addr_port`.
pub(crate) fn read_addr_port(memory: &GuestMemory<'_>, ptr: u32) -> Result<SockAddr> {
    let bytes = memory.bytes(ptr, ADDR_LEN)?;
    let tag = memory.u8(ptr)?;
    let at = ptr + UNION;
    let ip: IpAddr = match tag {
        INET4 => <[u8; 4]>::try_from(memory.bytes(at + 2, 4)?)
            .map_err(|_| Errno::EFAULT)?
            .into(),
        INET6 => <[u8; 16]>::try_from(memory.bytes(at + 2, 16)?)
            .map_err(|_| Errno::EFAULT)?
            .into(),
        UNIX => return unix_path(bytes.get(UNION as usize..).unwrap_or_default()),
        _ => return Err(Errno::EAFNOSUPPORT),
    };
    Ok(SockAddr::Inet(SocketAddr::new(ip, memory.u16(at)?)))
}

/// A path ends with NUL; one that begins with NUL is abstract and ends at the last byte that is not NUL.
fn unix_path(bytes: &[u8]) -> Result<SockAddr> {
    let abstract_name = bytes.first() == Some(&0);
    let len = if abstract_name {
        bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1)
    } else {
        bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len())
    };
    let path = std::str::from_utf8(bytes.get(..len).unwrap_or_default()).map_err(|_| Errno::EINVAL)?;
    Ok(SockAddr::Unix(path.to_owned()))
}

/// Writes an `addr_port`.
pub(crate) fn write_addr_port(memory: &mut GuestMemory<'_>, ptr: u32, address: &SockAddr) -> Result<()> {
    memory.write(ptr, &[0; ADDR_LEN as usize])?;
    let at = ptr + UNION;
    match address {
        SockAddr::Inet(address) => {
            memory.set_u8(ptr, family(address.ip()))?;
            memory.set_u16(at, address.port())?;
            write_ip(memory, at + 2, address.ip())
        }
        SockAddr::Unix(path) => {
            memory.set_u8(ptr, UNIX)?;
            let bytes = path.as_bytes();
            memory.write(at, bytes.get(..UNIX_LEN).unwrap_or(bytes))
        }
    }
}

/// Writes an `addr`.
pub(crate) fn write_addr(memory: &mut GuestMemory<'_>, ptr: u32, ip: IpAddr) -> Result<()> {
    memory.write(ptr, &[0; ADDR_LEN as usize])?;
    memory.set_u8(ptr, family(ip))?;
    write_ip(memory, ptr + UNION, ip)
}

/// Writes an `addr_cidr`.
pub(crate) fn write_cidr(memory: &mut GuestMemory<'_>, ptr: u32, ip: IpAddr, prefix: u8) -> Result<()> {
    memory.write(ptr, &[0; CIDR_LEN as usize])?;
    memory.set_u8(ptr, family(ip))?;
    write_ip(memory, ptr + UNION, ip)?;
    // Behind the address: 4 bytes, or 16 with flow information and scope.
    let prefix_at = if ip.is_ipv4() { 4 } else { 24 };
    memory.set_u8(ptr + UNION + prefix_at, prefix)
}

fn family(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { INET4 } else { INET6 }
}

fn write_ip(memory: &mut GuestMemory<'_>, ptr: u32, ip: IpAddr) -> Result<()> {
    match ip {
        IpAddr::V4(ip) => memory.write(ptr, &ip.octets()),
        IpAddr::V6(ip) => memory.write(ptr, &ip.octets()),
    }
}

/// Reads an `option_timestamp`, in nanoseconds.
pub(crate) fn read_option_timestamp(memory: &GuestMemory<'_>, ptr: u32) -> Result<Option<u64>> {
    memory.bytes(ptr, 16)?;
    Ok(if memory.u8(ptr)? == 0 {
        None
    } else {
        Some(memory.u64(ptr + 8)?)
    })
}

/// Writes an `option_timestamp`.
pub(crate) fn write_option_timestamp(memory: &mut GuestMemory<'_>, ptr: u32, value: Option<u64>) -> Result<()> {
    memory.write(ptr, &[0; 16])?;
    memory.set_u8(ptr, value.is_some().into())?;
    memory.set_u64(ptr + 8, value.unwrap_or(0))
}

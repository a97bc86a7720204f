//! Interfaces and routes: what WASIX calls the local port.

use super::types::{CIDR_LEN, write_addr, write_cidr};
use crate::call::Call;
use podsim_sys::{Errno, InterfaceFlags, Result, Syscalls};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The size of `route`: `addr_cidr`, `addr`, two `option_timestamp` at a multiple of 8.
const ROUTE_LEN: u32 = 176;

pub(crate) fn port_mac<S: Syscalls>(call: &mut Call<'_, S>, ret: u32) -> Result<()> {
    let interfaces = call.task().interfaces();
    let first = interfaces.iter().find(|i| !i.flags.contains(InterfaceFlags::LOOPBACK));
    let mac = first.map(|i| i.mac).ok_or(Errno::ENODEV)?;
    call.memory().write(ret, &mac)
}

/// How many records there are goes to `count`; EOVERFLOW when the buffer has room for fewer.
fn fits<S: Syscalls>(call: &mut Call<'_, S>, count: u32, there: usize) -> Result<()> {
    let mut memory = call.memory();
    let room = memory.u32(count)? as usize;
    memory.set_u32(count, u32::try_from(there).map_err(|_| Errno::EOVERFLOW)?)?;
    if there > room { Err(Errno::EOVERFLOW) } else { Ok(()) }
}

pub(crate) fn port_addr_list<S: Syscalls>(call: &mut Call<'_, S>, addrs: u32, count: u32) -> Result<()> {
    let interfaces = call.task().interfaces();
    let all: Vec<(IpAddr, u8)> = interfaces
        .iter()
        .flat_map(|i| {
            let v4 = i.ipv4.iter().map(|a| (a.address.into(), a.prefix));
            v4.chain(i.ipv6.iter().map(|a| (a.address.into(), a.prefix)))
        })
        .collect();
    fits(call, count, all.len())?;
    let mut memory = call.memory();
    memory.bytes(addrs, all.len() as u32 * CIDR_LEN)?;
    for (index, (ip, prefix)) in all.into_iter().enumerate() {
        write_cidr(&mut memory, addrs + index as u32 * CIDR_LEN, ip, prefix)?;
    }
    Ok(())
}

pub(crate) fn port_route_list<S: Syscalls>(call: &mut Call<'_, S>, routes: u32, count: u32) -> Result<()> {
    let all = call.task().routes();
    fits(call, count, all.len())?;
    let mut memory = call.memory();
    memory.bytes(routes, all.len() as u32 * ROUTE_LEN)?;
    for (index, route) in all.iter().enumerate() {
        let at = routes + index as u32 * ROUTE_LEN;
        memory.write(at, &[0; ROUTE_LEN as usize])?;
        write_cidr(&mut memory, at, route.destination, route.prefix)?;
        let on_link: IpAddr = if route.destination.is_ipv4() {
            Ipv4Addr::UNSPECIFIED.into()
        } else {
            Ipv6Addr::UNSPECIFIED.into()
        };
        write_addr(&mut memory, at + CIDR_LEN, route.gateway.unwrap_or(on_link))?;
    }
    Ok(())
}

//! Sockets.

use super::types::{read_addr_port, read_option_timestamp, write_addr_port, write_option_timestamp};
use crate::call::{Call, fd};
use crate::p1::sock::{accept_flags, receive, send};
use podsim_sys::{AddressFamily, Errno, OpenFlags, Result, SockAddr, SockOpt, SocketType, Syscalls};

/// `sock_send_file` moves so much at once.
const CHUNK: usize = 64 << 10;

/// `sock_status`.
const OPENING: u8 = 0;
const OPENED: u8 = 1;

fn family(number: u32) -> Result<AddressFamily> {
    match number {
        1 => Ok(AddressFamily::Inet),
        2 => Ok(AddressFamily::Inet6),
        3 => Ok(AddressFamily::Unix),
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

fn socket_type(number: u32) -> Result<SocketType> {
    match number {
        1 => Ok(SocketType::Stream),
        2 => Ok(SocketType::Datagram),
        4 => Ok(SocketType::SeqPacket),
        _ => Err(Errno::ESOCKTNOSUPPORT),
    }
}

pub(crate) fn sock_open<S: Syscalls>(
    call: &mut Call<'_, S>,
    af: u32,
    kind: u32,
    _protocol: u32,
    ret: u32,
) -> Result<()> {
    let new = call
        .task()
        .socket(family(af)?, socket_type(kind)?, OpenFlags::empty())?;
    call.memory().set_u32(ret, new.0.cast_unsigned())
}

/// Only Unix sockets come in pairs; WASIX's libc asks for other families and cannot see the difference.
pub(crate) fn sock_pair<S: Syscalls>(
    call: &mut Call<'_, S>,
    af: u32,
    kind: u32,
    _protocol: u32,
    first: u32,
    second: u32,
) -> Result<()> {
    family(af)?;
    let (a, b) = call.task().socketpair(socket_type(kind)?, OpenFlags::empty())?;
    let mut memory = call.memory();
    memory.set_u32(first, a.0.cast_unsigned())?;
    memory.set_u32(second, b.0.cast_unsigned())
}

pub(crate) fn sock_bind<S: Syscalls>(call: &mut Call<'_, S>, number: u32, addr: u32) -> Result<()> {
    let address = read_addr_port(&call.memory(), addr)?;
    call.task().bind(fd(number), &address)
}

pub(crate) fn sock_listen<S: Syscalls>(call: &mut Call<'_, S>, number: u32, backlog: u32) -> Result<()> {
    call.task().listen(fd(number), backlog)
}

pub(crate) async fn sock_accept_v2<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    flags: u32,
    new: u32,
    addr: u32,
) -> Result<()> {
    let memory = call.memory();
    memory.u32(new)?;
    memory.bytes(addr, super::types::ADDR_LEN)?;
    let (accepted, peer) = call.task().accept(fd(number), accept_flags(flags)).await?;
    let mut memory = call.memory();
    memory.set_u32(new, accepted.0.cast_unsigned())?;
    write_addr_port(&mut memory, addr, &peer)
}

pub(crate) async fn sock_connect<S: Syscalls>(call: &mut Call<'_, S>, number: u32, addr: u32) -> Result<()> {
    let address = read_addr_port(&call.memory(), addr)?;
    call.task().connect(fd(number), &address).await
}

pub(crate) fn sock_addr_local<S: Syscalls>(call: &mut Call<'_, S>, number: u32, addr: u32) -> Result<()> {
    let address = call.task().getsockname(fd(number))?;
    write_addr_port(&mut call.memory(), addr, &address)
}

pub(crate) fn sock_addr_peer<S: Syscalls>(call: &mut Call<'_, S>, number: u32, addr: u32) -> Result<()> {
    let address = call.task().getpeername(fd(number))?;
    write_addr_port(&mut call.memory(), addr, &address)
}

#[expect(clippy::too_many_arguments, reason = "the signature is WASIX's")]
pub(crate) async fn sock_recv_from<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    iovs: u32,
    count: u32,
    flags: u32,
    received: u32,
    out_flags: u32,
    addr: u32,
) -> Result<()> {
    let (n, truncated, from) = receive(call, number, iovs, count, flags).await?;
    // A stream does not name the sender: it is the peer.
    let from = match from {
        Some(from) => from,
        None => call
            .task()
            .getpeername(fd(number))
            .unwrap_or(SockAddr::Unix(String::new())),
    };
    let mut memory = call.memory();
    memory.set_u32(received, n as u32)?;
    memory.set_u16(out_flags, truncated)?;
    write_addr_port(&mut memory, addr, &from)
}

pub(crate) async fn sock_send_to<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    iovs: u32,
    count: u32,
    flags: u32,
    addr: u32,
    sent: u32,
) -> Result<()> {
    let to = read_addr_port(&call.memory(), addr)?;
    let n = send(call, number, iovs, count, flags & 1 != 0, Some(&to)).await?;
    call.memory().set_u32(sent, n as u32)
}

pub(crate) async fn sock_send_file<S: Syscalls>(
    call: &mut Call<'_, S>,
    to: u32,
    from: u32,
    offset: u64,
    count: u64,
    sent: u32,
) -> Result<()> {
    call.memory().u64(sent)?;
    let task = call.task();
    let mut buffer = vec![0; CHUNK];
    let mut done = 0;
    while done < count {
        let room = usize::try_from(count - done).map_or(CHUNK, |left| left.min(CHUNK));
        let n = task.pread(fd(from), buffer.get_mut(..room).unwrap_or_default(), offset + done)?;
        if n == 0 {
            break;
        }
        match task.write(fd(to), buffer.get(..n).unwrap_or_default()).await {
            Ok(n) => done += n as u64,
            // What has been sent counts.
            Err(_) if done > 0 => break,
            Err(errno) => return Err(errno),
        }
    }
    call.memory().set_u64(sent, done)
}

/// `sock_option` that is a flag.
fn flag_option(option: u32, value: bool) -> Result<SockOpt> {
    match option {
        1 => Ok(SockOpt::ReusePort(value)),
        2 => Ok(SockOpt::ReuseAddr(value)),
        3 => Ok(SockOpt::NoDelay(value)),
        5 => Ok(SockOpt::V6Only(value)),
        6 => Ok(SockOpt::Broadcast(value)),
        10 => Ok(SockOpt::AcceptConn(value)),
        12 => Ok(SockOpt::KeepAlive(value)),
        _ => Err(Errno::ENOPROTOOPT),
    }
}

/// `sock_option` that is a size or a number.
fn size_option(option: u32, value: u32) -> Result<SockOpt> {
    match option {
        11 => Ok(SockOpt::Error(value)),
        15 => Ok(SockOpt::RecvBuffer(value)),
        16 => Ok(SockOpt::SendBuffer(value)),
        25 => Ok(SockOpt::Type(value)),
        _ => Err(Errno::ENOPROTOOPT),
    }
}

/// `sock_option` that is a time.
fn time_option(option: u32, value: u64) -> Result<SockOpt> {
    match option {
        19 => Ok(SockOpt::RecvTimeout(value)),
        20 => Ok(SockOpt::SendTimeout(value)),
        _ => Err(Errno::ENOPROTOOPT),
    }
}

pub(crate) fn sock_set_opt_flag<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    option: u32,
    value: u32,
) -> Result<()> {
    call.task().setsockopt(fd(number), flag_option(option, value != 0)?)
}

pub(crate) fn sock_get_opt_flag<S: Syscalls>(call: &mut Call<'_, S>, number: u32, option: u32, ret: u32) -> Result<()> {
    let value = match call.task().getsockopt(fd(number), flag_option(option, false)?)? {
        SockOpt::ReusePort(v)
        | SockOpt::ReuseAddr(v)
        | SockOpt::NoDelay(v)
        | SockOpt::V6Only(v)
        | SockOpt::Broadcast(v)
        | SockOpt::AcceptConn(v)
        | SockOpt::KeepAlive(v) => v,
        _ => return Err(Errno::ENOPROTOOPT),
    };
    call.memory().set_u8(ret, value.into())
}

pub(crate) fn sock_set_opt_size<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    option: u32,
    value: u64,
) -> Result<()> {
    let value = u32::try_from(value).unwrap_or(u32::MAX);
    call.task().setsockopt(fd(number), size_option(option, value)?)
}

pub(crate) fn sock_get_opt_size<S: Syscalls>(call: &mut Call<'_, S>, number: u32, option: u32, ret: u32) -> Result<()> {
    let value = match call.task().getsockopt(fd(number), size_option(option, 0)?)? {
        // An error is a Linux number below and a WASI number here.
        SockOpt::Error(0) => 0,
        SockOpt::Error(v) => u16::try_from(v).map_or(Errno::EIO, Errno).to_wasi().into(),
        SockOpt::RecvBuffer(v) | SockOpt::SendBuffer(v) | SockOpt::Type(v) => v,
        _ => return Err(Errno::ENOPROTOOPT),
    };
    call.memory().set_u64(ret, value.into())
}

pub(crate) fn sock_set_opt_time<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    option: u32,
    value: u32,
) -> Result<()> {
    let value = read_option_timestamp(&call.memory(), value)?;
    call.task()
        .setsockopt(fd(number), time_option(option, value.unwrap_or(0))?)
}

pub(crate) fn sock_get_opt_time<S: Syscalls>(call: &mut Call<'_, S>, number: u32, option: u32, ret: u32) -> Result<()> {
    let value = match call.task().getsockopt(fd(number), time_option(option, 0)?)? {
        SockOpt::RecvTimeout(v) | SockOpt::SendTimeout(v) => v,
        _ => return Err(Errno::ENOPROTOOPT),
    };
    write_option_timestamp(&mut call.memory(), ret, (value != 0).then_some(value))
}

/// Opened: it is connected, listens, or needs neither.
pub(crate) fn sock_status<S: Syscalls>(call: &mut Call<'_, S>, number: u32, ret: u32) -> Result<()> {
    let task = call.task();
    let fd = fd(number);
    let datagram = matches!(task.getsockopt(fd, SockOpt::Type(0))?, SockOpt::Type(2));
    let listens = matches!(
        task.getsockopt(fd, SockOpt::AcceptConn(false)),
        Ok(SockOpt::AcceptConn(true))
    );
    let open = datagram || listens || task.getpeername(fd).is_ok();
    call.memory().set_u8(ret, if open { OPENED } else { OPENING })
}

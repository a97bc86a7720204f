//! System calls on sockets.
#![expect(unsafe_code, reason = "calls that may wait, and addresses as bytes")]

use super::abi::{check, fd, only_descriptor_flags};
use super::interruptible::{interruptible, interruptible_unless_ready, not_ready};
use super::sockaddr::{ROOM, decode, encode};
use podsim_sys::*;
use rustix::event::PollFlags;
use std::time::Duration;

fn kind_number(kind: SocketType, flags: OpenFlags) -> Result<i32> {
    only_descriptor_flags(flags)?;
    let kind = match kind {
        SocketType::Stream => libc::SOCK_STREAM,
        SocketType::Datagram => libc::SOCK_DGRAM,
        SocketType::SeqPacket => libc::SOCK_SEQPACKET,
    };
    Ok(kind | flag_numbers(flags))
}

fn flag_numbers(flags: OpenFlags) -> i32 {
    let one = |flag: OpenFlags, number: i32| if flags.contains(flag) { number } else { 0 };
    one(OpenFlags::CLOEXEC, libc::SOCK_CLOEXEC) | one(OpenFlags::NONBLOCK, libc::SOCK_NONBLOCK)
}

pub(super) fn socket(family: AddressFamily, kind: SocketType, flags: OpenFlags) -> Result<Fd> {
    let family = match family {
        AddressFamily::Unix => libc::AF_UNIX,
        AddressFamily::Inet => libc::AF_INET,
        AddressFamily::Inet6 => libc::AF_INET6,
    };
    // SAFETY: takes numbers only.
    check(unsafe { libc::socket(family, kind_number(kind, flags)?, 0) }).map(Fd)
}

pub(super) fn socketpair(kind: SocketType, flags: OpenFlags) -> Result<(Fd, Fd)> {
    let mut pair = [0; 2];
    // SAFETY: the kernel writes two numbers.
    check(unsafe { libc::socketpair(libc::AF_UNIX, kind_number(kind, flags)?, 0, pair.as_mut_ptr()) })?;
    Ok((Fd(pair[0]), Fd(pair[1])))
}

pub(super) fn bind(number: Fd, address: &SockAddr) -> Result<()> {
    fd(number)?;
    let bytes = encode(address)?;
    // SAFETY: the kernel reads as many bytes as there are.
    check(unsafe { libc::bind(number.0, bytes.as_ptr().cast(), bytes.len() as libc::socklen_t) }).map(drop)
}

pub(super) fn listen(number: Fd, backlog: u32) -> Result<()> {
    fd(number)?;
    // SAFETY: takes numbers only.
    check(unsafe { libc::listen(number.0, i32::try_from(backlog).unwrap_or(i32::MAX)) }).map(drop)
}

pub(super) fn accept(number: Fd, flags: OpenFlags) -> Result<(Fd, SockAddr)> {
    only_descriptor_flags(flags)?;
    fd(number)?;
    let mut bytes = [0_u8; ROOM];
    let mut len = ROOM as libc::socklen_t;
    let arguments = [
        number.0 as usize,
        bytes.as_mut_ptr().addr(),
        (&raw mut len).addr(),
        flag_numbers(flags) as usize,
        0,
        0,
    ];
    // SAFETY: the kernel writes an address of at most `len` bytes, and its length.
    let accepted =
        unsafe { interruptible_unless_ready(libc::SYS_accept4, arguments, || not_ready(number, PollFlags::IN)) }?;
    let accepted = i32::try_from(accepted).map(Fd).map_err(|_| Errno::EMFILE)?;
    Ok((accepted, address(&bytes, len)))
}

/// What the kernel wrote; a Unix socket without a name where it wrote nothing.
fn address(bytes: &[u8], len: libc::socklen_t) -> SockAddr {
    let len = usize::try_from(len).unwrap_or(0).min(bytes.len());
    decode(bytes.get(..len).unwrap_or_default()).unwrap_or(SockAddr::Unix(String::new()))
}

pub(super) fn connect(number: Fd, address: &SockAddr) -> Result<()> {
    fd(number)?;
    let bytes = encode(address)?;
    let arguments = [number.0 as usize, bytes.as_ptr().addr(), bytes.len(), 0, 0, 0];
    // SAFETY: the kernel reads as many bytes as there are.
    unsafe { interruptible(libc::SYS_connect, arguments) }.map(drop)
}

pub(super) fn sendto(number: Fd, buf: &[u8], flags: MsgFlags, to: Option<&SockAddr>) -> Result<usize> {
    fd(number)?;
    let to = to.map(encode).transpose()?;
    let (pointer, len) = to.as_ref().map_or((0, 0), |bytes| (bytes.as_ptr().addr(), bytes.len()));
    let flags = flags.bits() as usize;
    let arguments = [number.0 as usize, buf.as_ptr().addr(), buf.len(), flags, pointer, len];
    // SAFETY: the kernel reads the buffer and the address, as many bytes as there are.
    unsafe { interruptible_unless_ready(libc::SYS_sendto, arguments, || not_ready(number, PollFlags::OUT)) }
}

pub(super) fn recvfrom(number: Fd, buf: &mut [u8], flags: MsgFlags) -> Result<(usize, Option<SockAddr>, MsgFlags)> {
    fd(number)?;
    let mut bytes = [0_u8; ROOM];
    let mut span = libc::iovec {
        iov_base: buf.as_mut_ptr().cast(),
        iov_len: buf.len(),
    };
    let mut message = std::mem::MaybeUninit::<libc::msghdr>::zeroed();
    // SAFETY: all zeros are an empty message header.
    let message = unsafe { message.assume_init_mut() };
    message.msg_name = bytes.as_mut_ptr().cast();
    message.msg_namelen = ROOM as libc::socklen_t;
    message.msg_iov = &raw mut span;
    message.msg_iovlen = 1;
    let pointer = std::ptr::from_mut(message);
    let arguments = [number.0 as usize, pointer.addr(), flags.bits() as usize, 0, 0, 0];
    // SAFETY: the kernel writes into the buffer, the address and the header, as much as each is long.
    let received =
        unsafe { interruptible_unless_ready(libc::SYS_recvmsg, arguments, || not_ready(number, PollFlags::IN)) }?;
    let len = usize::try_from(message.msg_namelen).unwrap_or(0).min(ROOM);
    let from = bytes.get(..len).and_then(decode);
    let out = MsgFlags::from_bits_truncate(message.msg_flags.cast_unsigned()) & MsgFlags::TRUNC;
    Ok((received, from, out))
}

pub(super) fn shutdown(number: Fd, how: Shutdown) -> Result<()> {
    fd(number)?;
    let how = match how {
        Shutdown::Read => libc::SHUT_RD,
        Shutdown::Write => libc::SHUT_WR,
        Shutdown::Both => libc::SHUT_RDWR,
    };
    // SAFETY: takes numbers only.
    check(unsafe { libc::shutdown(number.0, how) }).map(drop)
}

/// `getsockname(2)` or `getpeername(2)`.
type NameOf = unsafe extern "C" fn(i32, *mut libc::sockaddr, *mut libc::socklen_t) -> i32;

fn name(number: Fd, of: NameOf) -> Result<SockAddr> {
    fd(number)?;
    let mut bytes = [0_u8; ROOM];
    let mut len = ROOM as libc::socklen_t;
    // SAFETY: the kernel writes an address of at most `len` bytes, and its length.
    check(unsafe { of(number.0, bytes.as_mut_ptr().cast(), &raw mut len) })?;
    Ok(address(&bytes, len))
}

pub(super) fn getsockname(number: Fd) -> Result<SockAddr> {
    name(number, libc::getsockname)
}

pub(super) fn getpeername(number: Fd) -> Result<SockAddr> {
    name(number, libc::getpeername)
}

/// The level and the number of an option.
fn place(option: SockOpt) -> (i32, i32) {
    match option {
        SockOpt::ReuseAddr(_) => (libc::SOL_SOCKET, libc::SO_REUSEADDR),
        SockOpt::ReusePort(_) => (libc::SOL_SOCKET, libc::SO_REUSEPORT),
        SockOpt::KeepAlive(_) => (libc::SOL_SOCKET, libc::SO_KEEPALIVE),
        SockOpt::Broadcast(_) => (libc::SOL_SOCKET, libc::SO_BROADCAST),
        SockOpt::NoDelay(_) => (libc::IPPROTO_TCP, libc::TCP_NODELAY),
        SockOpt::V6Only(_) => (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY),
        SockOpt::SendBuffer(_) => (libc::SOL_SOCKET, libc::SO_SNDBUF),
        SockOpt::RecvBuffer(_) => (libc::SOL_SOCKET, libc::SO_RCVBUF),
        SockOpt::RecvTimeout(_) => (libc::SOL_SOCKET, libc::SO_RCVTIMEO),
        SockOpt::SendTimeout(_) => (libc::SOL_SOCKET, libc::SO_SNDTIMEO),
        SockOpt::Error(_) => (libc::SOL_SOCKET, libc::SO_ERROR),
        SockOpt::Type(_) => (libc::SOL_SOCKET, libc::SO_TYPE),
        SockOpt::AcceptConn(_) => (libc::SOL_SOCKET, libc::SO_ACCEPTCONN),
    }
}

fn set<T>(number: Fd, (level, option): (i32, i32), value: &T) -> Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel reads the value.
    check(unsafe { libc::setsockopt(number.0, level, option, std::ptr::from_ref(value).cast(), len) }).map(drop)
}

fn get<T>(number: Fd, (level, option): (i32, i32), mut value: T) -> Result<T> {
    let mut len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel writes at most as much as the value is long; any bytes are a number or a time.
    check(unsafe { libc::getsockopt(number.0, level, option, (&raw mut value).cast(), &raw mut len) })?;
    Ok(value)
}

fn timeval(nanos: u64) -> libc::timeval {
    let time = Duration::from_nanos(nanos);
    libc::timeval {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        // 0 is none: a time that is not zero stays one.
        tv_usec: i64::from(time.subsec_micros()).max(i64::from(nanos > 0 && time.as_secs() == 0)),
    }
}

pub(super) fn setsockopt(number: Fd, option: SockOpt) -> Result<()> {
    fd(number)?;
    let place = place(option);
    match option {
        SockOpt::ReuseAddr(on)
        | SockOpt::ReusePort(on)
        | SockOpt::KeepAlive(on)
        | SockOpt::Broadcast(on)
        | SockOpt::NoDelay(on)
        | SockOpt::V6Only(on)
        | SockOpt::AcceptConn(on) => set(number, place, &i32::from(on)),
        SockOpt::SendBuffer(value) | SockOpt::RecvBuffer(value) | SockOpt::Error(value) | SockOpt::Type(value) => {
            set(number, place, &i32::try_from(value).unwrap_or(i32::MAX))
        }
        SockOpt::RecvTimeout(nanos) | SockOpt::SendTimeout(nanos) => set(number, place, &timeval(nanos)),
    }
}

pub(super) fn getsockopt(number: Fd, option: SockOpt) -> Result<SockOpt> {
    fd(number)?;
    let place = place(option);
    if matches!(option, SockOpt::RecvTimeout(_) | SockOpt::SendTimeout(_)) {
        let time = get(number, place, timeval(0))?;
        let time = super::abi::duration(time.tv_sec, time.tv_usec * 1000);
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        return Ok(match option {
            SockOpt::RecvTimeout(_) => SockOpt::RecvTimeout(nanos),
            _ => SockOpt::SendTimeout(nanos),
        });
    }
    let value = get(number, place, 0_i32)?;
    let (on, value) = (value != 0, value.cast_unsigned());
    Ok(match option {
        SockOpt::ReuseAddr(_) => SockOpt::ReuseAddr(on),
        SockOpt::ReusePort(_) => SockOpt::ReusePort(on),
        SockOpt::KeepAlive(_) => SockOpt::KeepAlive(on),
        SockOpt::Broadcast(_) => SockOpt::Broadcast(on),
        SockOpt::NoDelay(_) => SockOpt::NoDelay(on),
        SockOpt::V6Only(_) => SockOpt::V6Only(on),
        SockOpt::AcceptConn(_) => SockOpt::AcceptConn(on),
        SockOpt::SendBuffer(_) => SockOpt::SendBuffer(value),
        SockOpt::RecvBuffer(_) => SockOpt::RecvBuffer(value),
        SockOpt::Error(_) => SockOpt::Error(value),
        SockOpt::Type(_) => SockOpt::Type(value),
        SockOpt::RecvTimeout(_) | SockOpt::SendTimeout(_) => option,
    })
}

//! Sockets, as far as preview 1 has them; WASIX's functions are made of the same parts.

use crate::call::{Call, fd, fdflags_to_linux};
use crate::memory::scatter_len;
use podsim_sys::{Errno, MsgFlags, OpenFlags, Result, Shutdown, SockAddr, Syscalls};

pub(crate) async fn sock_accept<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    flags: u32,
    accepted: u32,
) -> Result<()> {
    call.memory().u32(accepted)?;
    let (new, _) = call.task().accept(fd(number), accept_flags(flags)).await?;
    call.memory().set_u32(accepted, new.0.cast_unsigned())
}

/// `fdflags` of an accepted socket: only nonblock has a meaning.
pub(crate) fn accept_flags(flags: u32) -> OpenFlags {
    (fdflags_to_linux(flags) & OpenFlags::NONBLOCK) | OpenFlags::CLOEXEC
}

/// `riflags`: peek, waitall, and WASIX's data_truncated and dont_wait.
fn recv_flags(riflags: u32) -> MsgFlags {
    let mut flags = MsgFlags::empty();
    flags.set(MsgFlags::PEEK, riflags & 1 != 0);
    flags.set(MsgFlags::WAITALL, riflags & 2 != 0);
    flags.set(MsgFlags::TRUNC, riflags & 4 != 0);
    flags.set(MsgFlags::DONTWAIT, riflags & 8 != 0);
    flags
}

/// Receives into the guest's buffers: the length, `roflags`, and the sender.
pub(crate) async fn receive<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    iovs: u32,
    count: u32,
    flags: u32,
) -> Result<(usize, u16, Option<SockAddr>)> {
    let (mut memory, state) = call.parts();
    let spans = memory.iovecs(iovs, count)?;
    let flags = recv_flags(flags);
    let (n, from, out) = if let [span] = spans[..] {
        let buffer = memory.bytes_mut(span.ptr, span.len)?;
        state.task.recvfrom(fd(number), buffer, flags).await?
    } else {
        let mut bytes = vec![0; scatter_len(&spans)];
        let answer = state.task.recvfrom(fd(number), &mut bytes, flags).await?;
        memory.scatter(&spans, bytes.get(..answer.0).unwrap_or(&bytes))?;
        answer
    };
    Ok((n, out.contains(MsgFlags::TRUNC).into(), from))
}

pub(crate) async fn sock_recv<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    iovs: u32,
    count: u32,
    flags: u32,
    received: u32,
    out_flags: u32,
) -> Result<()> {
    let (n, truncated, _) = receive(call, number, iovs, count, flags).await?;
    call.memory().set_u32(received, n as u32)?;
    call.memory().set_u16(out_flags, truncated)
}

/// Sends from the guest's buffers.
pub(crate) async fn send<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    iovs: u32,
    count: u32,
    dont_wait: bool,
    to: Option<&SockAddr>,
) -> Result<usize> {
    let (memory, state) = call.parts();
    let spans = memory.iovecs(iovs, count)?;
    let bytes = memory.gather(&spans)?;
    let mut flags = MsgFlags::empty();
    flags.set(MsgFlags::DONTWAIT, dont_wait);
    state.task.sendto(fd(number), &bytes, flags, to).await
}

pub(crate) async fn sock_send<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    iovs: u32,
    count: u32,
    _flags: u32,
    sent: u32,
) -> Result<()> {
    let n = send(call, number, iovs, count, false, None).await?;
    call.memory().set_u32(sent, n as u32)
}

pub(crate) fn sock_shutdown<S: Syscalls>(call: &mut Call<'_, S>, number: u32, how: u32) -> Result<()> {
    let how = match how {
        1 => Shutdown::Read,
        2 => Shutdown::Write,
        3 => Shutdown::Both,
        _ => return Err(Errno::EINVAL),
    };
    call.task().shutdown(fd(number), how)
}

//! The calls whose arguments are not (only) a message: they move bytes without copying them twice, or end the program.

use super::{AnswerBuffer, message, take};
use crate::call::{Call, fd};
use crate::error::End;
use podsim_sys::{Errno, MsgFlags, PollEvents, PollFd, Result, SigSet, SockAddr, Syscalls, wire};
use std::time::Duration;

pub(crate) fn answer<S: Syscalls>(call: &mut Call<'_, S>, buf: u32, len: u32) -> Result<usize> {
    let (mut memory, state) = call.parts();
    let answer = std::mem::take(&mut state.answer);
    if answer.len() > len as usize {
        return Err(Errno::EINVAL);
    }
    memory.write(buf, &answer)?;
    Ok(answer.len())
}

pub(crate) async fn read<S: Syscalls>(call: &mut Call<'_, S>, number: u32, buf: u32, len: u32) -> Result<usize> {
    let (mut memory, state) = call.parts();
    state.task.read(fd(number), memory.bytes_mut(buf, len)?).await
}

pub(crate) async fn write<S: Syscalls>(call: &mut Call<'_, S>, number: u32, buf: u32, len: u32) -> Result<usize> {
    let (memory, state) = call.parts();
    state.task.write(fd(number), memory.bytes(buf, len)?).await
}

pub(crate) fn pread<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    buf: u32,
    len: u32,
    offset: u64,
) -> Result<usize> {
    let (mut memory, state) = call.parts();
    state.task.pread(fd(number), memory.bytes_mut(buf, len)?, offset)
}

pub(crate) fn pwrite<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    buf: u32,
    len: u32,
    offset: u64,
) -> Result<usize> {
    let (memory, state) = call.parts();
    state.task.pwrite(fd(number), memory.bytes(buf, len)?, offset)
}

pub(crate) fn shm_read<S: Syscalls>(call: &mut Call<'_, S>, id: i32, buf: u32, len: u32, offset: u64) -> Result<usize> {
    let (mut memory, state) = call.parts();
    state.task.shm_read(id, offset, memory.bytes_mut(buf, len)?)
}

pub(crate) fn shm_write<S: Syscalls>(
    call: &mut Call<'_, S>,
    id: i32,
    buf: u32,
    len: u32,
    offset: u64,
) -> Result<usize> {
    let (memory, state) = call.parts();
    state.task.shm_write(id, offset, memory.bytes(buf, len)?)
}

pub(crate) fn getrandom<S: Syscalls>(call: &mut Call<'_, S>, buf: u32, len: u32) -> Result<usize> {
    let (mut memory, state) = call.parts();
    state.task.getrandom(memory.bytes_mut(buf, len)?);
    Ok(0)
}

pub(crate) async fn sendto<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    buf: u32,
    len: u32,
    flags: u32,
    to: u32,
    to_len: u32,
) -> Result<usize> {
    let (memory, state) = call.parts();
    let to = match to_len {
        0 => None,
        len => Some(wire::decode::<SockAddr>(message(&memory, to, len)?).ok_or(Errno::EINVAL)?),
    };
    let flags = MsgFlags::from_bits_truncate(flags);
    state
        .task
        .sendto(fd(number), memory.bytes(buf, len)?, flags, to.as_ref())
        .await
}

pub(crate) async fn recvfrom<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    buf: u32,
    len: u32,
    flags: u32,
    answer_ptr: u32,
    answer_cap: u32,
) -> Result<usize> {
    let (mut memory, state) = call.parts();
    let flags = MsgFlags::from_bits_truncate(flags);
    let received = state
        .task
        .recvfrom(fd(number), memory.bytes_mut(buf, len)?, flags)
        .await?;
    let buffer = AnswerBuffer {
        ptr: answer_ptr,
        cap: answer_cap,
    };
    super::answer(call, buffer, &received)
}

/// `(Vec<PollFd>, Option<Duration>) -> (usize, Vec<PollEvents>)`.
pub(crate) async fn poll<S: Syscalls>(
    call: &mut Call<'_, S>,
    args: u32,
    args_len: u32,
    ptr: u32,
    cap: u32,
) -> Result<usize> {
    let (memory, state) = call.parts();
    let mut input = message(&memory, args, args_len)?;
    let mut fds = take::<Vec<PollFd>>(&mut input)?;
    let timeout = take::<Option<Duration>>(&mut input)?;
    let count = state.task.poll(&mut fds, timeout).await?;
    let events: Vec<PollEvents> = fds.iter().map(|entry| entry.revents).collect();
    super::answer(call, AnswerBuffer { ptr, cap }, &(count, events))
}

/// `(SigSet) -> ()`.
pub(crate) async fn sigsuspend<S: Syscalls>(
    call: &mut Call<'_, S>,
    args: u32,
    args_len: u32,
    _ptr: u32,
    _cap: u32,
) -> Result<usize> {
    let (memory, state) = call.parts();
    let mask = take::<SigSet>(&mut message(&memory, args, args_len)?)?;
    Err(state.task.sigsuspend(mask).await)
}

/// `(str) -> ()`.
pub(crate) fn chdir<S: Syscalls>(
    call: &mut Call<'_, S>,
    args: u32,
    args_len: u32,
    _ptr: u32,
    _cap: u32,
) -> Result<usize> {
    let (memory, state) = call.parts();
    let path = take::<String>(&mut message(&memory, args, args_len)?)?;
    state.task.chdir(&path).map(|()| 0)
}

/// `(str, Vec<String>, Vec<String>) -> ()`; does not return if it succeeds.
pub(crate) async fn execve<S: Syscalls>(
    call: &mut Call<'_, S>,
    args: u32,
    args_len: u32,
    _ptr: u32,
    _cap: u32,
) -> Result<usize> {
    let (memory, state) = call.parts();
    let mut input = message(&memory, args, args_len)?;
    let path = take::<String>(&mut input)?;
    let argv = take::<Vec<String>>(&mut input)?;
    let envp = take::<Vec<String>>(&mut input)?;
    state.task.execve(&path, argv, envp).await?;
    call.end(End::Exec);
    Ok(0)
}

/// `() -> ()`.
pub(crate) async fn sched_yield<S: Syscalls>(
    call: &mut Call<'_, S>,
    _args: u32,
    _args_len: u32,
    _ptr: u32,
    _cap: u32,
) -> Result<usize> {
    call.task().sched_yield().await;
    Ok(0)
}

//! The end of the process, signals to itself, random numbers.

use crate::call::Call;
use crate::error::End;
use podsim_sys::{Errno, Result, Signal, Syscalls, WaitStatus};

pub(crate) async fn proc_exit<S: Syscalls>(call: &mut Call<'_, S>, code: u32) {
    exit(call, code);
}

/// `_exit(2)`: the low eight bits are the status.
pub(crate) fn exit<S: Syscalls>(call: &mut Call<'_, S>, code: u32) {
    call.task().exit(WaitStatus::Exited((code & 0xff) as u8));
    call.end(End::Exit);
}

pub(crate) fn proc_raise<S: Syscalls>(call: &mut Call<'_, S>, signal: u32) -> Result<()> {
    let task = call.task();
    task.kill(task.getpid(), signal_from_wasi(signal)?)
}

/// Preview 1 leaves out SIGSTKFLT (16): from SIGCHLD on its numbers are one below Linux's.
fn signal_from_wasi(number: u32) -> Result<Option<Signal>> {
    let number = match number {
        0 => return Ok(None),
        1..=15 => number,
        16..=30 => number + 1,
        _ => return Err(Errno::EINVAL),
    };
    u8::try_from(number)
        .ok()
        .and_then(Signal::new)
        .map(Some)
        .ok_or(Errno::EINVAL)
}

pub(crate) fn random_get<S: Syscalls>(call: &mut Call<'_, S>, buf: u32, len: u32) -> Result<()> {
    let (mut memory, state) = call.parts();
    state.task.getrandom(memory.bytes_mut(buf, len)?);
    Ok(())
}

pub(crate) async fn sched_yield<S: Syscalls>(call: &mut Call<'_, S>) -> Result<()> {
    call.task().sched_yield().await;
    Ok(())
}

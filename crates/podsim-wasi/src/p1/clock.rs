//! Clocks.

use crate::call::Call;
use podsim_sys::{Errno, Result, Syscalls};
use std::time::Duration;

/// `clockid` of the real time.
pub(crate) const REALTIME: u32 = 0;
/// `clockid` of the time since boot.
pub(crate) const MONOTONIC: u32 = 1;
const PROCESS_CPUTIME: u32 = 2;
const THREAD_CPUTIME: u32 = 3;

/// What a clock shows.
pub(crate) fn now<S: Syscalls>(task: &S, id: u32) -> Result<Duration> {
    match id {
        REALTIME => Ok(task.clock_realtime()),
        MONOTONIC => Ok(task.clock_monotonic()),
        // A process has one thread.
        PROCESS_CPUTIME | THREAD_CPUTIME => Ok(task.clock_process()),
        _ => Err(Errno::EINVAL),
    }
}

pub(crate) fn clock_res_get<S: Syscalls>(call: &mut Call<'_, S>, id: u32, resolution: u32) -> Result<()> {
    now(&call.task(), id)?;
    call.memory().set_u64(resolution, 1)
}

pub(crate) fn clock_time_get<S: Syscalls>(call: &mut Call<'_, S>, id: u32, _precision: u64, time: u32) -> Result<()> {
    let now = now(&call.task(), id)?;
    call.memory()
        .set_u64(time, u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

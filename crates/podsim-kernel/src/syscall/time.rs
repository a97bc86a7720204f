//! System calls: time.

use crate::task::Task;
use podsim_sys::*;
use std::time::Duration;

pub(super) fn clock_monotonic(task: &Task) -> Duration {
    todo!()
}

pub(super) fn clock_realtime(task: &Task) -> Duration {
    todo!()
}

pub(super) fn clock_process(task: &Task) -> Duration {
    todo!()
}

pub(super) async fn sleep_until(task: &Task, deadline: Duration) -> Result<()> {
    todo!()
}

pub(super) fn getrandom(task: &Task, buf: &mut [u8]) -> () {
    todo!()
}

pub(super) async fn sched_yield(task: &Task) -> () {
    todo!()
}

pub(super) fn charge_cpu(task: &Task, user: Duration) -> () {
    todo!()
}

pub(super) fn charge_memory(task: &Task, total: u64) -> bool {
    todo!()
}

//! System calls on time, chance, and what the runner charges.

use crate::task::Task;
use podsim_sys::*;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

pub(super) fn clock_monotonic(task: &Task) -> Duration {
    task.kernel.clock().monotonic()
}

pub(super) fn clock_realtime(task: &Task) -> Duration {
    task.kernel.clock().realtime()
}

pub(super) fn clock_process(task: &Task) -> Duration {
    let times = task.process.usage().times;
    times.user + times.system
}

pub(super) async fn sleep_until(task: &Task, deadline: Duration) -> Result<()> {
    task.interruptible(podsim_sys::sleep_until(task.kernel.clock(), deadline))
        .await
}

pub(super) fn getrandom(task: &Task, buf: &mut [u8]) {
    task.kernel.random(buf);
}

pub(super) async fn sched_yield(_task: &Task) {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

pub(super) fn charge_cpu(task: &Task, user: Duration) {
    task.process.usage.lock().times.user += user;
    let clock = task.kernel.clock();
    task.process.cgroup.charge_cpu(user, clock.monotonic());
    clock.computed(user);
}

pub(super) fn throttled_until(task: &Task) -> Option<Duration> {
    let now = task.kernel.clock().monotonic();
    task.process.cgroup.throttled_until(now)
}

/// RLIMIT_AS says no and nothing else happens; a control group's limit kills.
pub(super) fn charge_memory(task: &Task, total: u64) -> bool {
    let process = &task.process;
    let limit = process.limits.lock().get(Resource::As).soft;
    let mut usage = process.usage.lock();
    if total <= usage.memory {
        process.cgroup.uncharge_memory(usage.memory - total);
        usage.memory = total;
        return true;
    }
    if limit.is_some_and(|limit| total > limit) || process.signals.state.lock().exiting {
        return false;
    }
    if process.cgroup.charge_memory(total - usage.memory).is_ok() {
        usage.memory = total;
        return true;
    }
    drop(usage);
    process.cgroup.record_oom_kill();
    task.kernel.send(process, Signal::KILL);
    false
}

//! [`Cgroup`]: what a group of processes uses, and its limits (`cgroups(7)`: the memory, pids and cpu parts).

use crate::wait_queue::WaitQueue;
use parking_lot::Mutex;
use podsim_sys::{Errno, Result};
use std::sync::Arc;
use std::time::Duration;

/// A control group. Charges count in every group above it too.
pub struct Cgroup {
    path: String,
    parent: Option<Arc<Cgroup>>,
    state: Mutex<State>,
    /// Woken when a process in it begins to sleep, or has ended.
    pub(crate) rested: WaitQueue,
}

#[derive(Default)]
struct State {
    memory_max: Option<u64>,
    pids_max: Option<u64>,
    cpu: CpuShare,
    bandwidth: Bandwidth,
    /// Killed as a whole: nobody is born in it any more.
    killed: bool,
    stats: CgroupStats,
}

/// The time for which a quota is given (`cpu.max`, `cpu.cfs_period_us`).
const PERIOD: Duration = Duration::from_millis(100);

/// How much of its quota a control group has used: what is too much is waited for in the periods that follow, so that over time it has its share
/// (CFS bandwidth control).
#[derive(Default)]
struct Bandwidth {
    /// When the period has begun, in monotonic time.
    since: Duration,
    /// What was used since then, and is not paid yet.
    used: Duration,
}

impl Bandwidth {
    /// Begins the period that it is now: each that has gone by has paid for a quota. Gives how many those are.
    fn advance(&mut self, quota: Duration, now: Duration) -> u64 {
        let gone = u64::try_from(now.saturating_sub(self.since).as_micros() / PERIOD.as_micros()).unwrap_or(u64::MAX);
        let gone = u32::try_from(gone).unwrap_or(u32::MAX);
        self.since = self.since.saturating_add(PERIOD.saturating_mul(gone));
        self.used = self.used.saturating_sub(quota.saturating_mul(gone));
        u64::from(gone)
    }

    /// When the next piece of the quota is free; `None`: now.
    fn free_at(&self, quota: Duration) -> Option<Duration> {
        let periods = u32::try_from(self.used.as_micros() / quota.as_micros().max(1)).unwrap_or(u32::MAX);
        (periods > 0).then(|| self.since.saturating_add(PERIOD.saturating_mul(periods)))
    }
}

/// How much CPU a control group may have. The quota is a limit; the weight is only told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuShare {
    /// The most in each [`PERIOD`] (`cpu.max`), whatever the number of CPUs; `None` is no limit.
    pub quota: Option<Duration>,
    /// `cpu.weight`.
    pub weight: u64,
}

impl Default for CpuShare {
    fn default() -> Self {
        Self {
            quota: None,
            weight: 100,
        }
    }
}

/// What a control group has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CgroupStats {
    /// Bytes in use (`memory.current`).
    pub memory: u64,
    /// Processes (`pids.current`).
    pub pids: u64,
    /// CPU time (`cpu.stat`).
    pub cpu: Duration,
    /// Periods in which there was a limit (`nr_periods` of `cpu.stat`).
    pub periods: u64,
    /// How often a process had to wait for the next one (`nr_throttled`).
    pub throttled: u64,
    /// How long in all (`throttled_usec`).
    pub throttled_for: Duration,
    /// Processes killed because of `memory.max` (`oom_kill` of `memory.events`).
    pub oom_kills: u64,
}

impl Cgroup {
    /// The group at the top: `memory_max` is the node's memory.
    pub(crate) fn root(memory_max: u64) -> Arc<Self> {
        Arc::new(Self {
            path: "/".to_owned(),
            parent: None,
            state: Mutex::new(State {
                memory_max: Some(memory_max),
                ..State::default()
            }),
            rested: WaitQueue::default(),
        })
    }

    /// A new group below this one. `name` may have several parts, such as `kubepods/besteffort/pod1234`.
    #[must_use]
    pub fn child(self: &Arc<Self>, name: &str) -> Arc<Self> {
        Arc::new(Self {
            path: format!("{}/{}", self.path.trim_end_matches('/'), name.trim_matches('/')),
            parent: Some(self.clone()),
            state: Mutex::default(),
            rested: WaitQueue::default(),
        })
    }

    /// Its path, as in `/proc/PID/cgroup`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// `memory.max` in bytes; `None` is no limit of its own.
    #[must_use]
    pub fn memory_max(&self) -> Option<u64> {
        self.state.lock().memory_max
    }

    /// Sets `memory.max`.
    pub fn set_memory_max(&self, bytes: Option<u64>) {
        self.state.lock().memory_max = bytes;
    }

    /// `pids.max`; `None` is no limit of its own.
    #[must_use]
    pub fn pids_max(&self) -> Option<u64> {
        self.state.lock().pids_max
    }

    /// Sets `pids.max`.
    pub fn set_pids_max(&self, count: Option<u64>) {
        self.state.lock().pids_max = count;
    }

    /// What it may have of the CPU.
    #[must_use]
    pub fn cpu(&self) -> CpuShare {
        self.state.lock().cpu
    }

    /// Sets what it may have of the CPU.
    pub fn set_cpu(&self, share: CpuShare) {
        self.state.lock().cpu = share;
    }

    /// What has been used so far.
    #[must_use]
    pub fn stats(&self) -> CgroupStats {
        self.state.lock().stats
    }

    /// Whether it is `other`, or below it.
    #[must_use]
    pub fn is_within(&self, other: &Cgroup) -> bool {
        self.chain().any(|group| std::ptr::eq(group, other))
    }

    pub(crate) fn set_killed(&self) {
        self.state.lock().killed = true;
    }

    /// Whether it, or one above it, was killed as a whole.
    pub(crate) fn is_killed(&self) -> bool {
        self.chain().any(|group| group.state.lock().killed)
    }

    fn chain(&self) -> impl Iterator<Item = &Cgroup> {
        std::iter::successors(Some(self), |group| group.parent.as_deref())
    }

    /// Takes memory; nothing is taken when a limit on the way up says no (ENOMEM).
    pub fn charge_memory(&self, bytes: u64) -> Result<()> {
        for group in self.chain() {
            let mut state = group.state.lock();
            let new = state.stats.memory.saturating_add(bytes);
            if state.memory_max.is_some_and(|max| new > max) {
                drop(state);
                self.chain()
                    .take_while(|g| !std::ptr::eq(*g, group))
                    .for_each(|g| g.give_memory_back(bytes));
                return Err(Errno::ENOMEM);
            }
            state.stats.memory = new;
        }
        Ok(())
    }

    /// Gives memory back.
    pub fn uncharge_memory(&self, bytes: u64) {
        self.chain().for_each(|group| group.give_memory_back(bytes));
    }

    fn give_memory_back(&self, bytes: u64) {
        let mut state = self.state.lock();
        state.stats.memory = state.stats.memory.saturating_sub(bytes);
    }

    /// CPU time was used, by now.
    pub(crate) fn charge_cpu(&self, time: Duration, now: Duration) {
        for group in self.chain() {
            let mut state = group.state.lock();
            state.stats.cpu += time;
            if let Some(quota) = state.cpu.quota {
                state.stats.periods += state.bandwidth.advance(quota, now);
                state.bandwidth.used += time;
            }
        }
    }

    /// Until when its processes have to wait for CPU time, in monotonic time, because a limit here or above is used up.
    pub(crate) fn throttled_until(&self, now: Duration) -> Option<Duration> {
        let wait = |group: &Cgroup| {
            let mut state = group.state.lock();
            let quota = state.cpu.quota?;
            state.stats.periods += state.bandwidth.advance(quota, now);
            let until = state.bandwidth.free_at(quota).filter(|until| *until > now)?;
            state.stats.throttled += 1;
            state.stats.throttled_for += until - now;
            Some(until)
        };
        self.chain().filter_map(wait).max()
    }

    pub(crate) fn record_oom_kill(&self) {
        self.chain().for_each(|group| group.state.lock().stats.oom_kills += 1);
    }

    /// A process more: EAGAIN when `pids.max` is reached somewhere on the way up.
    pub(crate) fn charge_pid(&self) -> Result<()> {
        let full = |group: &Cgroup| {
            let state = group.state.lock();
            state.pids_max.is_some_and(|max| state.stats.pids >= max)
        };
        if self.chain().any(full) {
            return Err(Errno::EAGAIN);
        }
        self.chain().for_each(|group| group.state.lock().stats.pids += 1);
        Ok(())
    }

    pub(crate) fn uncharge_pid(&self) {
        for group in self.chain() {
            let mut state = group.state.lock();
            state.stats.pids = state.stats.pids.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(time: u64) -> Duration {
        Duration::from_millis(time)
    }

    #[test]
    fn who_has_used_up_a_quota_waits_for_it_to_come_again() {
        let root = Cgroup::root(1 << 30);
        let group = root.child("pod");
        let inner = group.child("container");
        // No limit, no wait.
        inner.charge_cpu(millis(500), millis(1000));
        assert_eq!(inner.throttled_until(millis(1000)), None);
        group.set_cpu(CpuShare {
            quota: Some(millis(20)),
            weight: 100,
        });
        for (used, now, until) in [
            (10, 1000, None),
            (9, 1010, None),
            (1, 1020, Some(1100)),
            // The next period has paid for it.
            (0, 1100, None),
            // Three quotas at once: three periods.
            (60, 1150, Some(1400)),
            (0, 1390, Some(1400)),
            (0, 1400, None),
            // What was not used is not kept.
            (19, 9999, None),
            (1, 9999, Some(10_000)),
        ] {
            inner.charge_cpu(millis(used), millis(now));
            assert_eq!(
                inner.throttled_until(millis(now)),
                until.map(millis),
                "{used} ms at {now} ms"
            );
        }
        assert_eq!(root.stats().cpu, millis(600));
        let stats = group.stats();
        assert_eq!((stats.throttled, stats.throttled_for), (4, millis(80 + 250 + 10 + 1)));
    }
}

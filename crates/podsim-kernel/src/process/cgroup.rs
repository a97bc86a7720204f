//! [`Cgroup`]: what a group of processes uses, and its limits (`cgroups(7)`: the memory, pids and cpuacct parts).

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
    /// Killed as a whole: nobody is born in it any more.
    killed: bool,
    stats: CgroupStats,
}

/// How much CPU a control group is meant to have. It is told in its files; nothing slows a process down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuShare {
    /// The most in a tenth of a second (`cpu.max`); `None` is no limit.
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

    /// What is told of the CPU.
    #[must_use]
    pub fn cpu(&self) -> CpuShare {
        self.state.lock().cpu
    }

    /// Sets what is told of the CPU.
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

    pub(crate) fn charge_cpu(&self, time: Duration) {
        self.chain().for_each(|group| group.state.lock().stats.cpu += time);
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

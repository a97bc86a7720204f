//! Processes.
//!
//! * [`Process`]: what one process owns. What ties processes together (parents, groups, sessions, zombies) is in [`table`],
//!   under its one lock.
//! * [`pid_namespace`]: nested pid namespaces and the numbers of a process in them.
//! * [`spawn`], [`exec`], [`exit`], [`wait`]: the life of a process.
//! * [`signal`], [`send`], [`deliver`], [`alarm`]: signals; [`job_control`]: groups and sessions.
//! * [`blocking`]: how a call waits, and is interrupted.
//! * [`cgroup`], [`limits`], [`identity`], [`credentials`]: what it may use, what it is known by, how its rights change.

mod alarm;
pub mod blocking;
pub mod cgroup;
pub(crate) mod credentials;
pub(crate) mod deliver;
pub(crate) mod exec;
mod exit;
pub mod identity;
pub(crate) mod job_control;
pub mod limits;
pub mod pid_namespace;
mod send;
pub(crate) mod signal;
pub mod spawn;
pub(crate) mod table;
#[cfg(test)]
mod tests;
pub(crate) mod wait;

pub use cgroup::{Cgroup, CgroupStats, CpuShare};
pub use identity::Identity;
pub use limits::Limits;
pub use pid_namespace::{PidNamespace, PidNumbers};
pub use signal::SignalSets;
pub use spawn::ProcessSpec;
pub(crate) use spawn::boot;

use crate::fs::FsContext;
use crate::fs::fd_table::FdTable;
use crate::kernel::{Kernel, Program};
use crate::nsproxy::NsProxy;
use crate::tty::Tty;
use crate::wait_queue::WaitQueue;
use parking_lot::{Mutex, RwLock};
use podsim_sys::{Capability, Credentials, DeviceNumber, Pid, Times, WaitStatus};
use signal::Signals;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// A process. It has one thread.
pub struct Process {
    pub(crate) kernel: Weak<Kernel>,
    pub(crate) pids: Arc<PidNumbers>,
    /// Its open files.
    pub files: FdTable,
    /// Root, current directory and umask.
    pub fs: Mutex<FsContext>,
    /// Who it is.
    pub credentials: RwLock<Arc<Credentials>>,
    /// Its namespaces.
    pub ns: RwLock<Arc<NsProxy>>,
    /// What `/proc` shows it as.
    pub identity: Mutex<Identity>,
    /// Its resource limits.
    pub limits: Mutex<Limits>,
    /// Its control group.
    pub cgroup: Arc<Cgroup>,
    pub(crate) program: Mutex<Program>,
    pub(crate) signals: Signals,
    pub(crate) usage: Mutex<Usage>,
    pub(crate) started: Duration,
    /// Woken when a child has changed state: [`wait`] waits here.
    pub(crate) children_changed: WaitQueue,
    /// How it ended, once it is a zombie.
    pub(crate) end: Mutex<Option<WaitStatus>>,
    /// Woken when it has become a zombie.
    pub(crate) ended: WaitQueue,
    /// Calls of its that wait at the moment: 0 or 1, more if a front end waits for several things at once.
    pub(crate) blocked: AtomicUsize,
    /// The terminal that it waits to read from.
    pub(crate) reading_tty: Mutex<Weak<Tty>>,
}

/// What a process has used, and its priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time.
    pub times: Times,
    /// Bytes of memory that are charged to it.
    pub memory: u64,
    /// Nice value, -20 to 19.
    pub nice: i8,
}

/// What a process does, as the letter of `/proc/PID/stat` and `ps`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessState {
    /// `R`: it runs.
    Running,
    /// `S`: it waits in a call.
    Sleeping,
    /// `T`: a signal has stopped it.
    Stopped,
    /// `Z`: it has ended, and its parent has not waited for it.
    Zombie,
}

impl ProcessState {
    /// The letter.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            ProcessState::Running => 'R',
            ProcessState::Sleeping => 'S',
            ProcessState::Stopped => 'T',
            ProcessState::Zombie => 'Z',
        }
    }
}

/// How a process stands to others, in the numbers of one pid namespace (0: not visible from there).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relations {
    /// Its parent.
    pub parent: Pid,
    /// Its process group.
    pub group: Pid,
    /// Its session.
    pub session: Pid,
    /// Its controlling terminal.
    pub tty: Option<DeviceNumber>,
    /// The foreground group of that terminal; -1 without one.
    pub foreground: Pid,
}

impl Process {
    /// Its number in the node's own pid namespace: unique as long as the process is there.
    #[must_use]
    pub fn global_pid(&self) -> Pid {
        self.pids.global()
    }

    /// Its number in this namespace; `None` if it cannot be seen from there.
    #[must_use]
    pub fn pid_in(&self, ns: &PidNamespace) -> Option<Pid> {
        self.pids.number_in(ns)
    }

    /// Its numbers at every level, the node's first.
    #[must_use]
    pub fn pids(&self) -> &Arc<PidNumbers> {
        &self.pids
    }

    /// The pid namespace that it was born in. (`ns.pid_for_children` may be another.)
    #[must_use]
    pub fn pid_namespace(&self) -> &Arc<PidNamespace> {
        self.pids.innermost()
    }

    /// Whether it is the init of its pid namespace.
    #[must_use]
    pub fn is_namespace_init(&self) -> bool {
        self.pid_in(self.pid_namespace()) == Some(Pid(1))
    }

    /// What it does.
    #[must_use]
    pub fn state(&self) -> ProcessState {
        if self.end.lock().is_some() {
            ProcessState::Zombie
        } else if self.signals.stopped() {
            ProcessState::Stopped
        } else if self.blocked.load(Ordering::Relaxed) > 0 {
            ProcessState::Sleeping
        } else {
            ProcessState::Running
        }
    }

    /// How it ended; `None` while it lives.
    #[must_use]
    pub fn exit_status(&self) -> Option<WaitStatus> {
        *self.end.lock()
    }

    /// When it was started: time since the node booted.
    #[must_use]
    pub fn started(&self) -> Duration {
        self.started
    }

    /// What it has used.
    #[must_use]
    pub fn usage(&self) -> Usage {
        *self.usage.lock()
    }

    /// Its credentials.
    #[must_use]
    pub fn credentials(&self) -> Arc<Credentials> {
        self.credentials.read().clone()
    }

    /// Its namespaces.
    #[must_use]
    pub fn namespaces(&self) -> Arc<NsProxy> {
        self.ns.read().clone()
    }

    /// Its real user as the node knows it; `None` when its namespace does not have that id.
    pub(crate) fn user_on_node(&self) -> Option<u32> {
        self.namespaces().user.on_node(self.credentials().uid)
    }

    /// Whether it has a capability over what is the node's own: not from a user namespace of a Pod.
    pub(crate) fn capable_on_node(&self, capability: Capability) -> bool {
        self.namespaces().user.is_initial() && self.credentials().capable(capability)
    }

    /// Pending, blocked, ignored and caught signals: `/proc/PID/status`.
    #[must_use]
    pub fn signal_sets(&self) -> SignalSets {
        self.signals.sets()
    }

    /// Ends when the process has ended. This does not take the zombie from its parent.
    pub async fn wait_exit(&self) -> WaitStatus {
        std::future::poll_fn(|cx| {
            self.ended.register(cx.waker());
            self.exit_status()
                .map_or(std::task::Poll::Pending, std::task::Poll::Ready)
        })
        .await
    }
}

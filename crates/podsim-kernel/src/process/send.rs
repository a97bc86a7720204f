//! Sending signals (Linux's `kernel/signal.c`: `send_signal`, `kill_something_info`), under the process table's lock.

use super::table::{Life, Table};
use super::{Cgroup, PidNamespace, Process, ProcessState};
use crate::kernel::Kernel;
use crate::task::Task;
use crate::users::UserNamespace;
use podsim_sys::{Capability, Credentials, DefaultAction, Errno, Pid, Result, SigHandler, Signal, WaitStatus};
use std::sync::Arc;

use super::signal::SignalState;

/// The signals that stop, all taken back by SIGCONT.
pub(super) const STOP_SIGNALS: [Signal; 4] = [Signal::STOP, Signal::TSTP, Signal::TTIN, Signal::TTOU];

/// Whether a signal would have no effect and is not even queued (`sig_ignored`). The init of a pid namespace ignores what
/// it has no handler for; only KILL and STOP get through to it, and only if they are `forced`: sent by the kernel or
/// from a namespace above (`pid_namespaces(7)`). The node's init cannot be hurt at all.
fn is_ignored(state: &SignalState, process: &Process, signal: Signal, forced: bool) -> bool {
    if state.mask.contains(signal) {
        return false;
    }
    match state.action(signal).handler {
        SigHandler::Ignore => true,
        SigHandler::Catch => false,
        SigHandler::Default if process.is_namespace_init() => {
            let node_init = process.pid_namespace().level() == 0;
            node_init || !(forced && signal.is_unblockable())
        }
        SigHandler::Default => matches!(signal.default_action(), DefaultAction::Ignore | DefaultAction::Cont),
    }
}

impl Table<'_> {
    /// Sends a signal to one process.
    pub(crate) fn send(&mut self, pid: Pid, signal: Signal, forced: bool) {
        let Some(node) = self.node(pid).filter(|node| node.life == Life::Alive) else {
            return;
        };
        let process = node.process.clone();
        let mut continued = false;
        {
            let mut state = process.signals.state.lock();
            if state.exiting {
                return;
            }
            if signal == Signal::CONT {
                STOP_SIGNALS.into_iter().for_each(|stop| state.pending.remove(stop));
                continued = std::mem::take(&mut state.stopped);
            } else if STOP_SIGNALS.contains(&signal) {
                state.pending.remove(Signal::CONT);
            }
            if is_ignored(&state, &process, signal, forced) {
                if !continued {
                    return;
                }
            } else {
                state.enqueue(signal);
            }
        }
        let wakers = process.signals.queue.take();
        self.wake_later(wakers);
        if continued {
            self.report(pid, WaitStatus::Continued);
        }
    }

    /// Tells the parent that a child was stopped or continued.
    pub(super) fn report(&mut self, pid: Pid, event: WaitStatus) {
        let Some(node) = self.node_mut(pid) else { return };
        node.event = Some(event);
        let Some(parent) = node.parent else { return };
        self.send(parent, Signal::CHLD, true);
        self.wake_parent(parent);
    }

    /// Lets the parent's `wait` look again.
    pub(super) fn wake_parent(&mut self, parent: Pid) {
        if let Some(parent) = self.node(parent) {
            let wakers = parent.process.children_changed.take();
            self.wake_later(wakers);
        }
    }

    /// Sends a signal of the kernel to every process of a group.
    pub(crate) fn send_to_group(&mut self, group: Pid, signal: Signal) {
        for member in self.members(group) {
            self.send(member, signal, true);
        }
    }
}

/// Who calls `kill(2)`.
struct Sender {
    pid: Pid,
    session: Pid,
    credentials: Arc<Credentials>,
    users: Arc<UserNamespace>,
    ns: Arc<PidNamespace>,
}

impl Sender {
    /// `check_kill_permission`.
    fn may_send(&self, target: &Process, session: Pid, signal: Option<Signal>) -> bool {
        let theirs = target.credentials();
        let (mine, their_users) = (&self.credentials, target.namespaces().user.clone());
        let mine_on_node = [mine.euid, mine.uid].map(|uid| self.users.on_node(uid));
        let same_user = [theirs.uid, theirs.suid]
            .iter()
            .any(|uid| mine_on_node.contains(&their_users.on_node(*uid)));
        let cont = signal == Some(Signal::CONT) && session == self.session;
        same_user || cont || mine.capable(Capability::KILL)
    }

    /// Sends to one process; zombies take everything.
    fn send(&self, table: &mut Table<'_>, target: Pid, signal: Option<Signal>) -> Result<()> {
        let node = table.node(target).ok_or(Errno::ESRCH)?;
        if !self.may_send(&node.process, node.session, signal) {
            return Err(Errno::EPERM);
        }
        // From a namespace above: the target's namespace does not know the sender.
        let forced = !self.ns.is_within(node.process.pid_namespace());
        if let Some(signal) = signal {
            table.send(target, signal, forced);
        }
        Ok(())
    }

    fn send_to_group(&self, table: &mut Table<'_>, group: Pid, signal: Option<Signal>) -> Result<()> {
        let mut result = Err(Errno::ESRCH);
        for member in table.members(group) {
            let sent = self.send(table, member, signal);
            if result.is_err() {
                result = sent;
            }
        }
        result
    }

    /// `kill(-1)`: everybody but the caller and the init. As in Linux, EPERM for some or all of them is no error.
    fn send_to_all(&self, table: &mut Table<'_>, signal: Option<Signal>) -> Result<()> {
        let others = |process: &Process| {
            let number = process.pid_in(&self.ns)?;
            (number != Pid(1) && process.global_pid() != self.pid).then(|| process.global_pid())
        };
        let targets: Vec<Pid> = table.nodes().filter_map(|node| others(&node.process)).collect();
        if targets.is_empty() {
            return Err(Errno::ESRCH);
        }
        for target in targets {
            match self.send(table, target, signal) {
                Ok(()) | Err(Errno::EPERM) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

impl Kernel {
    /// `kill(2)` by a process.
    pub(crate) fn kill(&self, task: &Task, pid: Pid, signal: Option<Signal>) -> Result<()> {
        let mut table = self.table();
        let node = table.node_of(&task.process).ok_or(Errno::ESRCH)?;
        let (group, session) = (node.group, node.session);
        let ns = task.process.pid_namespace().clone();
        let sender = Sender {
            pid: task.process.global_pid(),
            session,
            credentials: task.process.credentials(),
            users: task.process.namespaces().user.clone(),
            ns: ns.clone(),
        };
        match pid.0 {
            1.. => sender.send(&mut table, ns.global(pid).ok_or(Errno::ESRCH)?, signal),
            0 => sender.send_to_group(&mut table, group, signal),
            -1 => sender.send_to_all(&mut table, signal),
            _ => {
                let group = pid
                    .0
                    .checked_neg()
                    .and_then(|id| ns.global(Pid(id)))
                    .ok_or(Errno::ESRCH)?;
                sender.send_to_group(&mut table, group, signal)
            }
        }
    }

    /// Sends a signal of the kernel's own, such as SIGPIPE.
    pub(crate) fn send(&self, process: &Process, signal: Signal) {
        let mut table = self.table();
        if table.node_of(process).is_some() {
            table.send(process.global_pid(), signal, true);
        }
    }

    /// Kills every process of a control group and of those below it, at once and for good: nobody can be born in it
    /// afterwards (`cgroup.kill` of `cgroups(7)`; a birth fails with ENODEV).
    pub fn kill_cgroup(&self, cgroup: &Cgroup) {
        let mut table = self.table();
        cgroup.set_killed();
        let members = table.nodes().filter(|node| node.process.cgroup.is_within(cgroup));
        let members: Vec<Pid> = members.map(|node| node.process.global_pid()).collect();
        for pid in members {
            table.send(pid, Signal::KILL, true);
        }
    }

    /// Waits until no process of a control group has anything to do: all sleep, are stopped or have ended.
    pub async fn wait_rested(&self, cgroup: &Cgroup) {
        std::future::poll_fn(|cx| {
            cgroup.rested.register(cx.waker());
            let busy = |node: &super::table::Node| {
                std::ptr::eq(Arc::as_ptr(&node.process.cgroup), cgroup) && node.process.state() == ProcessState::Running
            };
            if self.table().nodes().any(busy) {
                std::task::Poll::Pending
            } else {
                std::task::Poll::Ready(())
            }
        })
        .await;
    }

    /// Sends a signal as the node's root does, from outside of every container: SIGKILL and SIGSTOP then also reach the
    /// init of a pid namespace (but not the node's own).
    pub fn kill_host(&self, process: &Process, signal: Signal) {
        self.send(process, signal);
    }
}

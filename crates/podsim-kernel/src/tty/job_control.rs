//! The terminal of a session (Linux's `tty_jobctrl.c`): controlling terminal, foreground group, who may read and write.

use super::Tty;
use crate::fs::FileDescription;
use crate::kernel::Kernel;
use crate::process::table::Table;
use crate::process::{PidNumbers, Process};
use crate::task::Task;
use podsim_sys::{Errno, LocalFlags, OpenFlags, Pid, Result, SigHandler, Signal};
use std::sync::Arc;

/// What a call wants to do with a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TtyAccess {
    /// Read.
    Read,
    /// Write: only with TOSTOP is a background process stopped.
    Write,
    /// Change modes or the foreground group.
    Control,
}

/// Job control, before a read from or a write to a file that may be a terminal: the group of a background process gets
/// SIGTTIN or SIGTTOU and the call EINTR; an orphaned group, which nobody could continue, gets EIO.
pub fn check_background(task: &Task, file: &FileDescription, access: TtyAccess) -> Result<()> {
    let Some(tty) = file.ops().tty().filter(|_| !file.ops().is_pty_master()) else {
        return Ok(());
    };
    if access == TtyAccess::Read {
        tty.begin_read();
    }
    if access == TtyAccess::Write && !tty.termios().lflag.contains(LocalFlags::TOSTOP) {
        return Ok(());
    }
    let signal = if access == TtyAccess::Read {
        Signal::TTIN
    } else {
        Signal::TTOU
    };
    let mut table = task.kernel.table();
    let Some(node) = table.node_of(&task.process) else {
        return Ok(());
    };
    let group = node.group;
    let controlling = table.session(node.session).and_then(|session| session.tty.as_ref());
    let foreground = tty.foreground().map(|group| group.global());
    if !controlling.is_some_and(|mine| Arc::ptr_eq(mine, tty)) || foreground.is_none_or(|id| id == group) {
        return Ok(());
    }
    let (deaf, init_without_handler) = {
        let signals = task.process.signals.state.lock();
        let handler = signals.action(signal).handler;
        let init = task.process.is_namespace_init() && handler == SigHandler::Default;
        (signals.mask.contains(signal) || handler == SigHandler::Ignore, init)
    };
    match (deaf, access) {
        (true, TtyAccess::Read) => Err(Errno::EIO),
        (true, _) => Ok(()),
        // The init of a namespace cannot be stopped from inside: it would try for ever.
        _ if init_without_handler || table.is_orphaned(group, None) => Err(Errno::EIO),
        _ => {
            table.send_to_group(group, signal);
            Err(Errno::EINTR)
        }
    }
}

/// To be called when a process has opened a file: a session leader without a terminal that opens a slave without
/// NOCTTY gets it as its controlling terminal.
pub fn opened(task: &Task, file: &FileDescription, flags: OpenFlags) {
    let slave = file.ops().tty().filter(|_| !file.ops().is_pty_master());
    if let Some(tty) = slave.filter(|_| !flags.intersects(OpenFlags::NOCTTY | OpenFlags::PATH)) {
        // It is no error not to get it.
        let _ = set_controlling(task, tty);
    }
}

/// `ioctl(TIOCSCTTY)`: EPERM unless a session leader without a terminal asks for one that nobody has.
pub(crate) fn set_controlling(task: &Task, tty: &Arc<Tty>) -> Result<()> {
    task.kernel.table().attach_tty(task.process.global_pid(), tty)
}

/// `tcgetpgrp(3)`: ENOTTY unless it is the caller's controlling terminal, or asked through the master.
pub(crate) fn foreground(task: &Task, file: &FileDescription) -> Result<Pid> {
    let tty = file.ops().tty().ok_or(Errno::ENOTTY)?;
    if !file.ops().is_pty_master() && !task.kernel.has_tty(&task.process, tty) {
        return Err(Errno::ENOTTY);
    }
    let group = tty.foreground();
    Ok(group
        .and_then(|group| group.number_in(task.process.pid_namespace()))
        .unwrap_or(Pid(0)))
}

/// `tcsetpgrp(3)`: EPERM for a group of another session.
pub(crate) fn set_foreground(task: &Task, file: &FileDescription, group: Pid) -> Result<()> {
    let tty = file.ops().tty().ok_or(Errno::ENOTTY)?;
    if !task.kernel.has_tty(&task.process, tty) {
        return Err(Errno::ENOTTY);
    }
    check_background(task, file, TtyAccess::Control)?;
    if group.0 < 0 {
        return Err(Errno::EINVAL);
    }
    let id = {
        let table = task.kernel.table();
        let session = table.node_of(&task.process).map(|node| node.session);
        let group = task
            .process
            .pid_namespace()
            .global(group)
            .and_then(|id| table.group(id));
        let group = group.ok_or(Errno::ESRCH)?;
        if Some(group.session) != session {
            return Err(Errno::EPERM);
        }
        group.id.clone()
    };
    tty.put_foreground(id);
    Ok(())
}

impl Kernel {
    /// The controlling terminal of a process: what `/dev/tty` opens.
    pub fn controlling_tty(&self, process: &Process) -> Option<Arc<Tty>> {
        let table = self.table();
        let session = table.node_of(process)?.session;
        table.session(session)?.tty.clone()
    }

    fn has_tty(&self, process: &Process, tty: &Arc<Tty>) -> bool {
        self.controlling_tty(process)
            .is_some_and(|mine| Arc::ptr_eq(&mine, tty))
    }
}

impl Table<'_> {
    /// Gives a session leader a controlling terminal; its group becomes the foreground group.
    pub(crate) fn attach_tty(&mut self, leader: Pid, tty: &Arc<Tty>) -> Result<()> {
        let node = self.node(leader).ok_or(Errno::ESRCH)?;
        let (group, session) = (node.group, node.session);
        let group = self.group(group).ok_or(Errno::ESRCH)?.id.clone();
        let session = self.session_mut(session).ok_or(Errno::ESRCH)?;
        if session.id.global() != leader {
            return Err(Errno::EPERM);
        }
        if let Some(mine) = &session.tty {
            return if Arc::ptr_eq(mine, tty) {
                Ok(())
            } else {
                Err(Errno::EPERM)
            };
        }
        let mut state = tty.state.lock();
        if state.session.is_some() {
            return Err(Errno::EPERM);
        }
        if !state.master_open {
            return Err(Errno::EIO);
        }
        state.session = Some(session.id.clone());
        state.foreground = Some(group);
        drop(state);
        session.tty = Some(tty.clone());
        Ok(())
    }

    /// Makes the group of a process the foreground group, if the terminal is its session's.
    pub(crate) fn set_foreground(&mut self, pid: Pid, tty: &Arc<Tty>) {
        let Some(node) = self.node(pid) else { return };
        let session = self.session(node.session).and_then(|session| session.tty.as_ref());
        if let (true, Some(group)) = (
            session.is_some_and(|mine| Arc::ptr_eq(mine, tty)),
            self.group(node.group),
        ) {
            tty.state.lock().foreground = Some(group.id.clone());
        }
    }
}

impl Tty {
    fn put_foreground(&self, group: Arc<PidNumbers>) {
        let old = self.state.lock().foreground.replace(group);
        drop(old);
        self.idle_queue.wake_all();
    }

    /// The session's leader has ended: the terminal is free for another session. Returns its foreground group.
    pub(crate) fn detach(&self) -> Option<Arc<PidNumbers>> {
        let mut state = self.state.lock();
        let session = state.session.take();
        let foreground = state.foreground.take();
        drop(state);
        drop(session);
        foreground
    }

    /// The master is gone (`__tty_hangup`): the session leader gets SIGHUP and SIGCONT, and its session has no terminal
    /// any more. The foreground group is told when the leader ends.
    pub(super) fn hang_up(&self) {
        let Some(kernel) = self.kernel.upgrade() else { return };
        let mut table = kernel.table();
        let Some(id) = self.session() else { return };
        let foreground = self.detach();
        if let Some(session) = table.session_mut(id.global()) {
            let tty = session.tty.take();
            session.old_foreground = foreground;
            if let Some(tty) = tty {
                table.drop_later(tty);
            }
        }
        table.send(id.global(), Signal::HUP, true);
        table.send(id.global(), Signal::CONT, true);
    }
}

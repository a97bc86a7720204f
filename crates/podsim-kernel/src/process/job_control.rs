//! Process groups and sessions (`setpgid(2)`, `setsid(2)`, `credentials(7)`).

use super::Process;
use super::table::{Life, ProcessTable};
use crate::task::Task;
use podsim_sys::{Errno, Pid, Result};

impl ProcessTable {
    /// Whether a group is orphaned: nobody in it has a parent outside of the group but in the same session. `leaving` is
    /// about to end and does not count (`will_become_orphaned_pgrp`).
    pub(crate) fn is_orphaned(&self, group: Pid, leaving: Option<Pid>) -> bool {
        let tied = |pid: Pid| {
            let node = self
                .node(pid)
                .filter(|node| node.life == Life::Alive && Some(pid) != leaving)?;
            let parent = self.node(node.parent?)?;
            let node_init = parent.parent.is_none();
            Some(!node_init && parent.group != group && parent.session == node.session)
        };
        !self.members(group).into_iter().any(|pid| tied(pid).unwrap_or(false))
    }

    /// `setpgid(2)` by `caller`, in numbers of the whole node. A zombie counts as the process that it was.
    fn set_group(&mut self, caller: Pid, pid: Pid, group: Pid) -> Result<()> {
        let node = self.node(pid).ok_or(Errno::ESRCH)?;
        let session = node.session;
        if pid != caller {
            if node.parent != Some(caller) {
                return Err(Errno::ESRCH);
            }
            if self.node(caller).is_none_or(|caller| caller.session != session) {
                return Err(Errno::EPERM);
            }
            if node.has_execed {
                return Err(Errno::EACCES);
            }
        }
        if session == pid {
            return Err(Errno::EPERM);
        }
        let id = if group == pid {
            node.process.pids.clone()
        } else {
            let existing = self.group(group).filter(|group| group.session == session);
            existing.ok_or(Errno::EPERM)?.id.clone()
        };
        self.move_to_group(pid, &id);
        Ok(())
    }
}

/// The number of a process by a number that the caller uses; 0 is the caller.
fn resolve(task: &Task, pid: Pid) -> Result<Pid> {
    match pid.0 {
        0 => Ok(task.process.global_pid()),
        1.. => task.process.pid_namespace().global(pid).ok_or(Errno::ESRCH),
        _ => Err(Errno::EINVAL),
    }
}

/// `setpgid(2)`.
pub(crate) fn setpgid(task: &Task, pid: Pid, group: Pid) -> Result<()> {
    let pid = resolve(task, pid)?;
    let group = match group.0 {
        0 => pid,
        1.. => task.process.pid_namespace().global(group).ok_or(Errno::EPERM)?,
        _ => return Err(Errno::EINVAL),
    };
    task.kernel.table().set_group(task.process.global_pid(), pid, group)
}

/// `getpgid(2)` and `getsid(2)`: the group and the session.
pub(crate) fn group_and_session(task: &Task, pid: Pid) -> Result<(Pid, Pid)> {
    let pid = resolve(task, pid).map_err(|_| Errno::ESRCH)?;
    let table = task.kernel.table();
    let process = &table.node(pid).ok_or(Errno::ESRCH)?.process;
    let relations = table.relations(process, task.process.pid_namespace());
    Ok((relations.group, relations.session))
}

/// `setsid(2)`: EPERM for the leader of a group.
pub(crate) fn setsid(process: &Process, table: &mut ProcessTable) -> Result<()> {
    let pid = process.global_pid();
    if table.group(pid).is_some() || table.session(pid).is_some() {
        return Err(Errno::EPERM);
    }
    table.begin_session(pid);
    Ok(())
}

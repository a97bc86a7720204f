//! `waitpid(2)`.

use super::Process;
use super::table::{Life, Table};
use crate::task::Task;
use podsim_sys::{Errno, Pid, Result, WaitOptions, WaitStatus, WaitTarget};

impl Table<'_> {
    /// One look at the children: what happened to one of them, or `None`; ECHILD when there is none to wait for.
    fn wait_once(
        &mut self,
        parent: &Process,
        target: WaitTarget,
        options: WaitOptions,
    ) -> Result<Option<(Pid, WaitStatus)>> {
        let ns = parent.pid_namespace();
        let node = self.node_of(parent).ok_or(Errno::ECHILD)?;
        let group = match target {
            WaitTarget::Group(Pid(0)) => Some(node.group),
            WaitTarget::Group(group) => ns.global(group),
            WaitTarget::Any | WaitTarget::Pid(_) => None,
        };
        let children = node.children.clone();
        let mut any = false;
        for child in children {
            let Some(node) = self.node_mut(child) else { continue };
            let Some(number) = node.process.pid_in(ns) else {
                continue;
            };
            let wanted = match target {
                WaitTarget::Any => true,
                WaitTarget::Pid(pid) => pid == number,
                WaitTarget::Group(_) => group == Some(node.group),
            };
            if !wanted {
                continue;
            }
            any = true;
            if let Life::Zombie(status) = node.life {
                let used = node.process.usage().times;
                let mut usage = parent.usage.lock();
                usage.times.children_user += used.user + used.children_user;
                usage.times.children_system += used.system + used.children_system;
                drop(usage);
                self.release(child);
                return Ok(Some((number, status)));
            }
            let asked = match node.event {
                Some(WaitStatus::Stopped(_)) => options.contains(WaitOptions::UNTRACED),
                Some(WaitStatus::Continued) => options.contains(WaitOptions::CONTINUED),
                _ => false,
            };
            if let Some(event) = node.event.take_if(|_| asked) {
                return Ok(Some((number, event)));
            }
        }
        if any { Ok(None) } else { Err(Errno::ECHILD) }
    }
}

/// `waitpid(2)` by a process.
pub(crate) async fn wait(task: &Task, target: WaitTarget, options: WaitOptions) -> Result<Option<(Pid, WaitStatus)>> {
    let process = &task.process;
    if options.contains(WaitOptions::NOHANG) {
        return task.kernel.table().wait_once(process, target, options);
    }
    task.block_on(|waker| {
        process.children_changed.register(waker);
        task.kernel.table().wait_once(process, target, options).transpose()
    })
    .await?
    .map(Some)
}

//! The end of a process (Linux's `kernel/exit.c`), and what becomes of its children, its terminal and its namespace.

use super::Process;
use super::table::{Life, Table};
use crate::kernel::Kernel;
use podsim_sys::{Pid, SigHandler, Signal, WaitStatus};
use std::sync::Arc;

impl Kernel {
    /// Ends a process. Only the first end counts.
    pub(crate) fn exit(&self, process: &Arc<Process>, status: WaitStatus) {
        {
            let mut signals = process.signals.state.lock();
            if signals.exiting {
                return;
            }
            signals.exiting = true;
            signals.stopped = false;
            signals.alarm.deadline = None;
        }
        // Files are closed before anybody can see the zombie: who waits for it finds its pipes at their end.
        process.files.close_all();
        let memory = std::mem::take(&mut process.usage.lock().memory);
        process.cgroup.uncharge_memory(memory);
        {
            let mut table = self.table();
            if table.node_of(process).is_some() {
                table.exit(process, status);
            }
        }
        process.signals.queue.wake_all();
    }
}

impl Table<'_> {
    fn exit(&mut self, process: &Arc<Process>, status: WaitStatus) {
        let pid = process.global_pid();
        let is_init = process.is_namespace_init();
        if is_init {
            self.kill_namespace(process);
        }
        self.leave_terminal(pid);
        self.give_children_away(process);
        self.check_own_group(pid);
        if is_init && process.pid_namespace().population() > 1 {
            // zap_pid_ns_processes: the init is seen as dead only after everybody else in its namespace.
            if let Some(node) = self.node_mut(pid) {
                node.life = Life::Draining(status);
            }
        } else {
            self.become_zombie(pid, status);
        }
    }

    /// The init of a pid namespace takes everybody in it along, and nobody is born there any more.
    fn kill_namespace(&mut self, init: &Process) {
        let ns = init.pid_namespace();
        ns.set_dead();
        let inside = |process: &Process| process.pid_in(ns).is_some_and(|number| number != Pid(1));
        let others = self.nodes().filter(|node| inside(&node.process));
        let others: Vec<Pid> = others.map(|node| node.process.global_pid()).collect();
        for pid in others {
            self.send(pid, Signal::KILL, true);
        }
    }

    /// A session leader's end hangs up on the terminal's foreground group, and frees the terminal (`disassociate_ctty`).
    fn leave_terminal(&mut self, pid: Pid) {
        let Some(session) = self.session_mut(pid) else { return };
        let old_foreground = session.old_foreground.take();
        if let Some(tty) = session.tty.take() {
            let foreground = tty.detach();
            self.drop_later(tty);
            if let Some(group) = foreground {
                self.send_to_group(group.global(), Signal::HUP);
            }
        } else if let Some(group) = old_foreground {
            self.send_to_group(group.global(), Signal::HUP);
            self.send_to_group(group.global(), Signal::CONT);
        }
    }

    /// Children go to the init of the namespace.
    fn give_children_away(&mut self, process: &Process) {
        let pid = process.global_pid();
        let Some(node) = self.node_mut(pid) else { return };
        let (group, session) = (node.group, node.session);
        let children = std::mem::take(&mut node.children);
        let reaper = process.pid_namespace().global(Pid(1)).filter(|init| *init != pid);
        let Some(reaper) = reaper.filter(|init| self.node(*init).is_some()) else {
            // The init itself: its children are being killed, and reaped by nobody else.
            if let Some(node) = self.node_mut(pid) {
                node.children = children;
            }
            self.reap_zombie_children(pid);
            return;
        };
        for child in &children {
            if let Some(node) = self.node_mut(*child) {
                node.parent = Some(reaper);
            }
        }
        if let Some(node) = self.node_mut(reaper) {
            node.children.extend(&children);
        }
        for child in children {
            let Some(node) = self.node(child) else { continue };
            let (life, theirs, same_session) = (node.life, node.group, node.session == session);
            if matches!(life, Life::Zombie(_)) {
                self.tell_parent(child);
            }
            if theirs != group && same_session {
                self.check_orphaned(theirs, None);
            }
        }
    }

    fn reap_zombie_children(&mut self, pid: Pid) {
        let children = self.node(pid).map_or_else(Vec::new, |node| node.children.clone());
        for child in children {
            if matches!(self.node(child), Some(node) if matches!(node.life, Life::Zombie(_))) {
                self.release(child);
            }
        }
    }

    /// The end of a process may have been the last tie of its group to the rest of the session.
    fn check_own_group(&mut self, pid: Pid) {
        let Some(node) = self.node(pid) else { return };
        let group = node.group;
        let parent = node.parent.and_then(|parent| self.node(parent));
        if parent.is_some_and(|parent| parent.group != group && parent.session == node.session) {
            self.check_orphaned(group, Some(pid));
        }
    }

    /// A group that became orphaned while members are stopped is continued and hung up (`kill_orphaned_pgrp`).
    fn check_orphaned(&mut self, group: Pid, leaving: Option<Pid>) {
        let members = self.members(group);
        let stopped = |pid: &Pid| self.node(*pid).is_some_and(|node| node.process.signals.stopped());
        if self.is_orphaned(group, leaving) && members.iter().any(stopped) {
            self.send_to_group(group, Signal::HUP);
            self.send_to_group(group, Signal::CONT);
        }
    }

    fn become_zombie(&mut self, pid: Pid, status: WaitStatus) {
        let Some(node) = self.node_mut(pid) else { return };
        node.life = Life::Zombie(status);
        node.event = None;
        let process = node.process.clone();
        *process.end.lock() = Some(status);
        self.wake_later(process.ended.take());
        self.wake_later(process.cgroup.rested.take());
        self.tell_parent(pid);
    }

    /// Tells the parent of a zombie; reaps it if the parent does not want to know (`do_notify_parent`).
    fn tell_parent(&mut self, pid: Pid) {
        let Some(parent) = self.node(pid).and_then(|node| node.parent) else {
            return;
        };
        let Some(node) = self.node(parent) else { return };
        let action = node.process.signals.state.lock().action(Signal::CHLD);
        let ignores = action.handler == SigHandler::Ignore;
        if node.life != Life::Alive || ignores || action.no_child_wait {
            self.release(pid);
        }
        if !ignores {
            self.send(parent, Signal::CHLD, true);
        }
        self.wake_parent(parent);
    }

    /// Takes a zombie out of the tree. When it was the last one beside the ended init of a namespace, that is seen as
    /// dead now.
    pub(super) fn release(&mut self, pid: Pid) {
        let Some(process) = self.remove(pid) else { return };
        process.cgroup.uncharge_pid();
        let drained: Vec<(Pid, WaitStatus)> = process
            .pids
            .levels()
            .filter(|(ns, _)| ns.population() == 1)
            .filter_map(|(ns, _)| {
                let init = ns.global(Pid(1))?;
                match self.node(init)?.life {
                    Life::Draining(status) => Some((init, status)),
                    Life::Alive | Life::Zombie(_) => None,
                }
            })
            .collect();
        for (init, status) in drained {
            self.become_zombie(init, status);
        }
    }
}

//! The process table: the one lock over what ties processes together (parents and children, groups, sessions, zombies),
//! and over the sending of signals.
//!
//! Everything here is keyed by the pid in the node's own namespace. [`Table`] is the locked table; what must happen after
//! the lock has been given back (waking, dropping terminals) is collected in it and done by its drop.

use super::{PidNamespace, PidNumbers, Process, Relations};
use crate::kernel::Kernel;
use crate::tty::Tty;
use parking_lot::MutexGuard;
use podsim_sys::{Pid, WaitStatus};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::Waker;

/// All processes of a node.
#[derive(Default)]
pub(crate) struct ProcessTable {
    nodes: BTreeMap<Pid, Node>,
    groups: BTreeMap<Pid, Group>,
    sessions: BTreeMap<Pid, Session>,
    /// Processes ever made: `processes` of `/proc/stat`.
    pub(crate) forks: u64,
    /// Processes that are being made: not in the tree yet, but they look for their program through `/proc/self` already.
    embryos: Vec<Arc<Process>>,
}

/// While it lives, a process that is being made can be found by its number.
pub(crate) struct Embryo<'a> {
    kernel: &'a Kernel,
    process: &'a Arc<Process>,
}

impl<'a> Embryo<'a> {
    pub(crate) fn new(kernel: &'a Kernel, process: &'a Arc<Process>) -> Self {
        kernel.table().embryos.push(process.clone());
        Self { kernel, process }
    }
}

impl Drop for Embryo<'_> {
    fn drop(&mut self) {
        self.kernel
            .table()
            .embryos
            .retain(|other| !Arc::ptr_eq(other, self.process));
    }
}

/// A process in the tree.
pub(crate) struct Node {
    pub(crate) process: Arc<Process>,
    /// `None`: the node's init.
    pub(crate) parent: Option<Pid>,
    /// In the order of birth.
    pub(crate) children: Vec<Pid>,
    pub(crate) group: Pid,
    pub(crate) session: Pid,
    pub(crate) life: Life,
    /// A stop or a continuation that the parent has not been told.
    pub(crate) event: Option<WaitStatus>,
    /// It has run exec since it was born: its parent may not move it to another group any more.
    pub(crate) has_execed: bool,
}

/// Where a process stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// It runs, waits or is stopped.
    Alive,
    /// The init of a pid namespace has ended, but not yet all others in it.
    Draining(WaitStatus),
    /// It has ended, and is kept for its parent.
    Zombie(WaitStatus),
}

/// A process group.
pub(crate) struct Group {
    pub(crate) id: Arc<PidNumbers>,
    pub(crate) session: Pid,
    pub(crate) members: BTreeSet<Pid>,
}

/// A session.
pub(crate) struct Session {
    pub(crate) id: Arc<PidNumbers>,
    pub(crate) members: BTreeSet<Pid>,
    pub(crate) tty: Option<Arc<Tty>>,
    /// The foreground group of a terminal that has hung up: it is told when the leader ends too.
    pub(crate) old_foreground: Option<Arc<PidNumbers>>,
}

/// What is done when the lock has been given back.
#[derive(Default)]
pub(crate) struct Late {
    wakers: Vec<Waker>,
    ttys: Vec<Arc<Tty>>,
    processes: Vec<Arc<Process>>,
}

impl Drop for Late {
    fn drop(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }
}

/// The locked process table.
pub(crate) struct Table<'a> {
    // Dropped in this order: the lock is given back before anybody is woken.
    table: MutexGuard<'a, ProcessTable>,
    late: Late,
}

impl std::ops::Deref for Table<'_> {
    type Target = ProcessTable;
    fn deref(&self) -> &ProcessTable {
        &self.table
    }
}

impl std::ops::DerefMut for Table<'_> {
    fn deref_mut(&mut self) -> &mut ProcessTable {
        &mut self.table
    }
}

impl ProcessTable {
    pub(crate) fn node(&self, pid: Pid) -> Option<&Node> {
        self.nodes.get(&pid)
    }

    pub(crate) fn node_mut(&mut self, pid: Pid) -> Option<&mut Node> {
        self.nodes.get_mut(&pid)
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    pub(crate) fn group(&self, id: Pid) -> Option<&Group> {
        self.groups.get(&id)
    }

    pub(crate) fn session(&self, id: Pid) -> Option<&Session> {
        self.sessions.get(&id)
    }

    pub(crate) fn session_mut(&mut self, id: Pid) -> Option<&mut Session> {
        self.sessions.get_mut(&id)
    }

    /// The living processes and zombies of a group.
    pub(crate) fn members(&self, group: Pid) -> Vec<Pid> {
        self.groups
            .get(&group)
            .map_or_else(Vec::new, |g| g.members.iter().copied().collect())
    }

    /// The node of a process; `None` once it has been reaped (or before it is in the tree).
    pub(crate) fn node_of(&self, process: &Process) -> Option<&Node> {
        self.node(process.global_pid())
            .filter(|node| std::ptr::eq(Arc::as_ptr(&node.process), process))
    }

    /// What has this number in a namespace.
    pub(crate) fn lookup(&self, ns: &PidNamespace, pid: Pid) -> Option<&Node> {
        self.node(ns.global(pid)?)
    }

    /// The process with this number in a namespace, also one that is being made.
    pub(crate) fn find(&self, ns: &PidNamespace, pid: Pid) -> Option<Arc<Process>> {
        let embryo = || {
            self.embryos
                .iter()
                .find(|process| process.pid_in(ns) == Some(pid))
                .cloned()
        };
        self.lookup(ns, pid).map(|node| node.process.clone()).or_else(embryo)
    }

    /// Puts a process into a group, which is made if it is not there, and takes it out of the one it was in.
    pub(crate) fn move_to_group(&mut self, pid: Pid, id: &Arc<PidNumbers>) {
        let Some(node) = self.nodes.get_mut(&pid) else { return };
        let (old, session) = (std::mem::replace(&mut node.group, id.global()), node.session);
        self.leave_group(pid, old);
        let group = self.groups.entry(id.global()).or_insert_with(|| Group {
            id: id.clone(),
            session,
            members: BTreeSet::new(),
        });
        group.members.insert(pid);
    }

    /// Makes a process the leader of a new session and of a new group.
    pub(crate) fn begin_session(&mut self, pid: Pid) {
        let Some(node) = self.nodes.get_mut(&pid) else { return };
        let id = node.process.pids.clone();
        let old = std::mem::replace(&mut node.session, pid);
        self.leave_session(pid, old);
        let session = Session {
            id: id.clone(),
            members: BTreeSet::from([pid]),
            tty: None,
            old_foreground: None,
        };
        self.sessions.insert(pid, session);
        self.move_to_group(pid, &id);
    }

    /// Puts a new process into the tree, into its parent's group and session.
    pub(crate) fn insert(&mut self, process: Arc<Process>, parent: Option<Pid>) {
        let pid = process.global_pid();
        let (group, session) = parent
            .and_then(|parent| self.node(parent))
            .map_or((pid, pid), |parent| (parent.group, parent.session));
        let node = Node {
            process: process.clone(),
            parent,
            children: Vec::new(),
            group,
            session,
            life: Life::Alive,
            event: None,
            has_execed: false,
        };
        self.nodes.insert(pid, node);
        process.pids.count(1);
        self.forks += 1;
        if let Some(parent) = parent.and_then(|parent| self.nodes.get_mut(&parent)) {
            parent.children.push(pid);
        }
        match (self.groups.get_mut(&group), self.sessions.get_mut(&session)) {
            (Some(group), Some(session)) => {
                group.members.insert(pid);
                session.members.insert(pid);
            }
            _ => self.begin_session(pid),
        }
    }

    fn leave_group(&mut self, pid: Pid, id: Pid) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.members.remove(&pid);
        if group.members.is_empty() {
            self.groups.remove(&id);
        }
    }

    fn leave_session(&mut self, pid: Pid, id: Pid) -> Option<Arc<Tty>> {
        let session = self.sessions.get_mut(&id)?;
        session.members.remove(&pid);
        if !session.members.is_empty() {
            return None;
        }
        self.sessions.remove(&id)?.tty
    }

    /// The numbers of a process, group or session, by its key.
    pub(crate) fn numbers(&self, id: Pid) -> Option<&Arc<PidNumbers>> {
        let process = self.node(id).map(|node| &node.process.pids);
        let group = || self.group(id).map(|group| &group.id);
        process
            .or_else(group)
            .or_else(|| self.session(id).map(|session| &session.id))
    }

    pub(crate) fn relations(&self, process: &Process, ns: &PidNamespace) -> Relations {
        let Some(node) = self.node_of(process) else {
            return Relations {
                parent: Pid(0),
                group: Pid(0),
                session: Pid(0),
                tty: None,
                foreground: Pid(-1),
            };
        };
        let number = |id: Pid| self.numbers(id).and_then(|n| n.number_in(ns)).unwrap_or(Pid(0));
        let tty = self.session(node.session).and_then(|session| session.tty.as_ref());
        Relations {
            parent: node.parent.map_or(Pid(0), number),
            group: number(node.group),
            session: number(node.session),
            tty: tty.map(|tty| tty.device()),
            foreground: tty.map_or(Pid(-1), |tty| {
                tty.foreground().and_then(|group| group.number_in(ns)).unwrap_or(Pid(0))
            }),
        }
    }
}

impl<'a> Table<'a> {
    pub(crate) fn new(table: MutexGuard<'a, ProcessTable>) -> Self {
        Self {
            table,
            late: Late::default(),
        }
    }

    /// Wakes these when the lock has been given back.
    pub(crate) fn wake_later(&mut self, wakers: Vec<Waker>) {
        self.late.wakers.extend(wakers);
    }

    /// Drops this terminal when the lock has been given back.
    pub(crate) fn drop_later(&mut self, tty: Arc<Tty>) {
        self.late.ttys.push(tty);
    }

    /// Takes a zombie out of the tree. Its children must have gone to another parent.
    pub(crate) fn remove(&mut self, pid: Pid) -> Option<Arc<Process>> {
        let node = self.table.nodes.remove(&pid)?;
        node.process.pids.count(-1);
        if let Some(parent) = node.parent.and_then(|parent| self.table.nodes.get_mut(&parent)) {
            parent.children.retain(|child| *child != pid);
        }
        self.table.leave_group(pid, node.group);
        let tty = self.table.leave_session(pid, node.session);
        self.late.ttys.extend(tty);
        self.late.processes.push(node.process.clone());
        Some(node.process)
    }
}

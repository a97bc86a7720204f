//! Pid namespaces (`pid_namespaces(7)`), and the numbers of one process in each of them.

use crate::users::UserNamespace;
use parking_lot::Mutex;
use podsim_sys::{Errno, NsKind, Pid, Result};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The highest pid (Linux's `kernel.pid_max` on 64-bit machines).
const PID_MAX: i32 = 4_194_304;
/// Where numbers start again after the highest one (`RESERVED_PIDS`).
const RESERVED_PIDS: i32 = 300;
/// How deep pid namespaces may be nested (`MAX_PID_NS_LEVEL`).
const MAX_LEVEL: usize = 32;

/// A pid namespace.
pub struct PidNamespace {
    /// Its number in `/proc/PID/ns/pid`.
    pub inode: u64,
    parent: Option<Arc<PidNamespace>>,
    owner: Arc<UserNamespace>,
    level: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Number here → number in the initial namespace. Also numbers that only a process group or session still bears.
    numbers: BTreeMap<i32, Pid>,
    last: i32,
    /// Processes in the tree that can be seen from here, zombies included.
    population: usize,
    /// Its init has ended: no process can be born here any more.
    dead: bool,
}

impl PidNamespace {
    /// The node's own.
    pub(crate) fn initial(owner: Arc<UserNamespace>) -> Arc<Self> {
        Arc::new(Self {
            inode: NsKind::Pid.initial_inode(),
            parent: None,
            owner,
            level: 0,
            state: Mutex::default(),
        })
    }

    /// A new one below `parent`. The first process born in it is its init. ENOSPC when nested too deep.
    pub(crate) fn new(inode: u64, parent: Arc<PidNamespace>, owner: Arc<UserNamespace>) -> Result<Arc<Self>> {
        let level = parent.level + 1;
        if level > MAX_LEVEL {
            return Err(Errno::ENOSPC);
        }
        Ok(Arc::new(Self {
            inode,
            parent: Some(parent),
            owner,
            level,
            state: Mutex::default(),
        }))
    }

    /// The namespace that this one is nested in; `None` for the node's own.
    #[must_use]
    pub fn parent(&self) -> Option<&Arc<PidNamespace>> {
        self.parent.as_ref()
    }

    /// The user namespace that it was made in: users are shown in its `/proc` as they are seen there.
    #[must_use]
    pub fn owner(&self) -> &Arc<UserNamespace> {
        &self.owner
    }

    /// How deep it is nested: 0 is the node's own.
    #[must_use]
    pub fn level(&self) -> usize {
        self.level
    }

    /// Whether it is `other`, or nested in it.
    #[must_use]
    pub fn is_within(&self, other: &PidNamespace) -> bool {
        let mut ns = self;
        loop {
            if std::ptr::eq(ns, other) {
                return true;
            }
            match &ns.parent {
                Some(parent) => ns = parent,
                None => return false,
            }
        }
    }

    /// The last number that was handed out: the end of `/proc/loadavg`.
    #[must_use]
    pub fn last_pid(&self) -> Pid {
        Pid(self.state.lock().last)
    }

    /// The number in the initial namespace of what has this number here: the key into the process table.
    pub(crate) fn global(&self, pid: Pid) -> Option<Pid> {
        self.state.lock().numbers.get(&pid.0).copied()
    }

    /// How many processes can be seen from here, zombies included.
    #[must_use]
    pub fn population(&self) -> usize {
        self.state.lock().population
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.state.lock().dead
    }

    pub(crate) fn set_dead(&self) {
        self.state.lock().dead = true;
    }

    /// Takes the next free number: upwards from the last one, like Linux.
    fn allocate(&self, global: Option<Pid>) -> Result<Pid> {
        let mut state = self.state.lock();
        if state.dead {
            return Err(Errno::ENOMEM);
        }
        let last = state.last;
        let free = (last + 1..PID_MAX)
            .chain(RESERVED_PIDS..=last)
            .find(|pid| !state.numbers.contains_key(pid))
            .ok_or(Errno::EAGAIN)?;
        state.last = free;
        state.numbers.insert(free, global.unwrap_or(Pid(free)));
        Ok(Pid(free))
    }

    fn release(&self, pid: Pid) {
        let mut state = self.state.lock();
        state.numbers.remove(&pid.0);
        // An init that could not be started has not been one: the next process is.
        if pid == Pid(1) && state.population == 0 && !state.dead {
            state.last = 0;
        }
    }
}

/// The numbers of one process (or of a group or session named after it) in its pid namespace and all those above
/// (Linux's `struct pid`). They are free again when the last holder has gone.
pub struct PidNumbers {
    /// Outermost first.
    levels: Vec<(Arc<PidNamespace>, Pid)>,
    innermost: Arc<PidNamespace>,
}

impl PidNumbers {
    /// Takes a number in `ns` and in each namespace above it. ENOMEM if the namespace's init has ended.
    pub(crate) fn allocate(ns: &Arc<PidNamespace>) -> Result<Arc<Self>> {
        let mut chain = vec![ns.clone()];
        while let Some(parent) = chain.last().and_then(|ns| ns.parent.clone()) {
            chain.push(parent);
        }
        // What was taken before a failure is given back by Drop.
        let mut numbers = Self {
            levels: Vec::new(),
            innermost: ns.clone(),
        };
        for ns in chain.into_iter().rev() {
            let global = numbers.levels.first().map(|(_, pid)| *pid);
            let pid = ns.allocate(global)?;
            numbers.levels.push((ns, pid));
        }
        Ok(Arc::new(numbers))
    }

    /// The number in the initial namespace.
    #[must_use]
    pub fn global(&self) -> Pid {
        self.levels.first().map_or(Pid(0), |(_, pid)| *pid)
    }

    /// The number in this namespace; `None` if it cannot be seen from there.
    #[must_use]
    pub fn number_in(&self, ns: &PidNamespace) -> Option<Pid> {
        let (found, pid) = self.levels.get(ns.level)?;
        std::ptr::eq(Arc::as_ptr(found), ns).then_some(*pid)
    }

    /// The numbers, outermost namespace first: `NSpid` of `/proc/PID/status`.
    pub fn levels(&self) -> impl Iterator<Item = (&Arc<PidNamespace>, Pid)> {
        self.levels.iter().map(|(ns, pid)| (ns, *pid))
    }

    /// Counts a process that came into the tree or left it.
    pub(super) fn count(&self, change: isize) {
        for (ns, _) in &self.levels {
            let mut state = ns.state.lock();
            state.population = state.population.saturating_add_signed(change);
        }
    }

    /// The innermost namespace: the one that the process was born in.
    #[must_use]
    pub fn innermost(&self) -> &Arc<PidNamespace> {
        &self.innermost
    }
}

impl Drop for PidNumbers {
    fn drop(&mut self) {
        for (ns, pid) in &self.levels {
            ns.release(*pid);
        }
    }
}

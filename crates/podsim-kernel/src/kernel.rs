//! The node: clock, process table, initial namespaces, launcher.

use crate::fs::{MountNamespace, Vfs};
use crate::ipc::IpcNamespace;
use crate::net::NetNamespace;
use crate::nsproxy::{NsProxy, UtsNamespace};
use crate::process::table::{ProcessTable, Table};
use crate::process::{Cgroup, PidNamespace, Process, Relations};
use crate::task::Task;
use crate::users::{Ranges, UserNamespace};
use bytes::Bytes;
use parking_lot::Mutex;
use podsim_sys::{Clock, Errno, NsKind, Pid, Result, UtsName};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// The first number that is free for new namespaces and anonymous files. Linux hands them out from one counter
/// above its constants (`proc_alloc_inum`).
const FIRST_FREE_INODE: u64 = 4_026_532_200;

/// What exec found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A WebAssembly module or component: its bytes. For a file of a built-in image they are the embedded bytes themselves (same address each time), so a loader can cache by address.
    Wasm(Bytes),
    /// A program built into the node, by its name (`kubectl`).
    Native(String),
}

/// Starts programs. The kernel says what is to run; how is not its business.
pub trait Launcher: Send + Sync + 'static {
    /// Whether the program can be run at all; the errno of exec otherwise (usually ENOEXEC).
    fn check(&self, program: &Program) -> Result<()>;
    /// Begins to run the task's program ([`Task::program`]) and returns at once. When the program has ended, [`podsim_sys::Syscalls::exit`] must have been called.
    fn launch(&self, task: Task);
}

/// What a node is made from.
pub struct KernelConfig {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Seed of the random number generator (`getrandom`, MAC addresses, ids).
    pub seed: u64,
    /// The node's host name.
    pub hostname: String,
    /// Starts programs.
    pub launcher: Arc<dyn Launcher>,
    /// Bytes of memory that `/proc/meminfo` shows and that guests can use together.
    pub memory: u64,
    /// CPUs that `/proc/cpuinfo` and `/proc/stat` show.
    pub cpus: u32,
}

/// One node's kernel.
pub struct Kernel {
    config: KernelConfig,
    vfs: Arc<Vfs>,
    next_ns_inode: AtomicU64,
    next_anonymous_inode: AtomicU64,
    random: Mutex<StdRng>,
    processes: Mutex<ProcessTable>,
    initial: Arc<NsProxy>,
    user_ranges: Arc<Ranges>,
    root_cgroup: Arc<Cgroup>,
}

impl Kernel {
    /// A node that has just booted: its init is there, and nothing else.
    #[must_use]
    pub fn new(config: KernelConfig) -> Arc<Self> {
        Arc::new_cyclic(|kernel: &Weak<Kernel>| {
            let root_cgroup = Cgroup::root(config.memory);
            let vfs = Vfs::new(config.clock.clone(), config.memory);
            let uts = UtsNamespace {
                inode: NsKind::Uts.initial_inode(),
                name: Mutex::new(UtsName {
                    sysname: "Linux".to_owned(),
                    nodename: config.hostname.clone(),
                    release: "6.12.0-podsim".to_owned(),
                    version: "#1 SMP PREEMPT_DYNAMIC".to_owned(),
                    machine: "wasm32".to_owned(),
                    domainname: "(none)".to_owned(),
                }),
            };
            let user = UserNamespace::initial();
            let initial = Arc::new(NsProxy {
                uts: Arc::new(uts),
                ipc: IpcNamespace::new(NsKind::Ipc.initial_inode(), config.clock.clone()),
                mnt: MountNamespace::initial(&vfs),
                net: NetNamespace::new(NsKind::Net.initial_inode()),
                pid_for_children: PidNamespace::initial(user.clone()),
                user,
            });
            let mut processes = ProcessTable::default();
            crate::process::boot(&mut processes, kernel.clone(), &initial, &root_cgroup);
            Self {
                vfs,
                next_ns_inode: AtomicU64::new(FIRST_FREE_INODE),
                next_anonymous_inode: AtomicU64::new(10_000),
                random: Mutex::new(StdRng::seed_from_u64(config.seed)),
                processes: Mutex::new(processes),
                initial,
                user_ranges: Arc::default(),
                root_cgroup,
                config,
            }
        })
    }

    /// The number of a new namespace: Linux hands them out upwards from the initial ones.
    pub fn allocate_ns_inode(&self) -> u64 {
        self.next_ns_inode.fetch_add(1, Ordering::Relaxed)
    }

    /// The inode number of a new anonymous file: a pipe, a socket (`pipe:[10000]`).
    pub fn allocate_anonymous_inode(&self) -> u64 {
        self.next_anonymous_inode.fetch_add(1, Ordering::Relaxed)
    }

    /// Time.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.config.clock
    }

    /// What the node's filesystems share.
    pub fn vfs(&self) -> &Arc<Vfs> {
        &self.vfs
    }

    /// What the node was made from.
    pub fn config(&self) -> &KernelConfig {
        &self.config
    }

    /// Fills `buf` from the seeded generator.
    pub fn random(&self, buf: &mut [u8]) {
        self.random.lock().fill_bytes(buf);
    }

    /// The node's own namespaces.
    pub fn initial_namespaces(&self) -> &Arc<NsProxy> {
        &self.initial
    }

    /// The node's own pid namespace.
    pub fn initial_pid_namespace(&self) -> &Arc<PidNamespace> {
        &self.initial.pid_for_children
    }

    /// The control group at the top.
    pub fn root_cgroup(&self) -> &Arc<Cgroup> {
        &self.root_cgroup
    }

    /// A new pid namespace below `parent`, owned by a user namespace; the first process born in it is its init. ENOSPC when nested too deep.
    pub fn new_pid_namespace(
        &self,
        parent: &Arc<PidNamespace>,
        owner: &Arc<UserNamespace>,
    ) -> Result<Arc<PidNamespace>> {
        PidNamespace::new(self.allocate_ns_inode(), parent.clone(), owner.clone())
    }

    /// A new user namespace, with ids that no other one has. ENOSPC when there are no more.
    pub fn new_user_namespace(&self) -> Result<Arc<UserNamespace>> {
        UserNamespace::new(self.allocate_ns_inode(), &self.user_ranges).ok_or(Errno::ENOSPC)
    }

    /// A new UTS namespace with a host name; the rest is as on the node.
    pub fn new_uts_namespace(&self, hostname: &str) -> Arc<UtsNamespace> {
        let mut name = self.initial.uts.name.lock().clone();
        hostname.clone_into(&mut name.nodename);
        Arc::new(UtsNamespace {
            inode: self.allocate_ns_inode(),
            name: Mutex::new(name),
        })
    }

    /// The processes that can be seen from a pid namespace, by their numbers in it: `/proc`.
    pub fn processes(&self, ns: &PidNamespace) -> Vec<(Pid, Arc<Process>)> {
        let table = self.table();
        let seen = table
            .nodes()
            .filter_map(|node| Some((node.process.pid_in(ns)?, node.process.clone())));
        let mut seen: Vec<_> = seen.collect();
        seen.sort_by_key(|(pid, _)| *pid);
        seen
    }

    /// Whether every process sleeps, is stopped or has ended: nothing happens any more until time goes on or somebody outside
    /// does something.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.table()
            .nodes()
            .all(|node| node.process.state() != crate::process::ProcessState::Running)
    }

    /// The process with this number in a pid namespace. A zombie is one too.
    pub fn process(&self, ns: &PidNamespace, pid: Pid) -> Option<Arc<Process>> {
        self.table().find(ns, pid)
    }

    /// Parent, group, session and terminal of a process, as numbers of `ns`.
    pub fn relations(&self, process: &Process, ns: &PidNamespace) -> Relations {
        self.table().relations(process, ns)
    }

    /// Processes ever made: `processes` of `/proc/stat`.
    pub fn forks(&self) -> u64 {
        self.table().forks
    }

    /// A handle on a process.
    pub fn task(self: &Arc<Self>, process: Arc<Process>) -> Task {
        Task {
            process,
            kernel: self.clone(),
        }
    }

    pub(crate) fn table(&self) -> Table<'_> {
        Table::new(self.processes.lock())
    }
}

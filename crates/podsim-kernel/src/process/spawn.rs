//! The birth of processes: from a process (`posix_spawn(3)`), from outside ([`ProcessSpec`]), and the node's init.

use super::signal::{SignalState, Signals};
use super::table::ProcessTable;
use super::*;
use crate::fs::FileDescription;
use podsim_sys::{CapSet, Errno, Mode, Resource, Result, Rlimit, SigAction, SigHandler, Signal};

/// A process that is made from outside, as a container runtime makes a container's first process or an `exec`.
pub struct ProcessSpec {
    /// Its parent, by its number on the node; `None` is the node's init, which reaps it.
    pub parent: Option<Pid>,
    /// Its namespaces; it is born in `pid_for_children`, as the init of it when nobody is there yet.
    pub namespaces: Arc<NsProxy>,
    /// Root, current directory, umask.
    pub fs: FsContext,
    /// Who it is.
    pub credentials: Credentials,
    /// The program: a path, or a name that is looked up in the `PATH` of `environ`.
    pub program: String,
    /// Arguments, from the program's name on.
    pub argv: Vec<String>,
    /// Environment, `NAME=value`.
    pub environ: Vec<String>,
    /// Standard input, output and error.
    pub stdio: [Arc<FileDescription>; 3],
    /// The controlling terminal. With or without one, the process leads a session of its own.
    pub controlling_tty: Option<Arc<Tty>>,
    /// Limits that differ from the defaults.
    pub rlimits: Vec<(Resource, Rlimit)>,
    /// Its control group.
    pub cgroup: Arc<Cgroup>,
}

impl Kernel {
    /// Makes a process from outside, and starts it. Errors are those of exec (ENOENT, EACCES, ENOEXEC, …), and ENOMEM
    /// when the pid namespace's init has ended.
    pub fn create_process(self: &Arc<Self>, _spec: ProcessSpec) -> Result<crate::Task> {
        Err(Errno::ENOSYS)
    }

    /// Sends a signal as the node's root does. SIGKILL and SIGSTOP also reach the init of a pid namespace (but not the node's).
    pub fn kill_host(&self, _process: &Process, _signal: Signal) {}
}

/// The node's init: it is there without a program, and reaps what is left to it.
pub(crate) fn boot(table: &mut ProcessTable, kernel: Weak<Kernel>, ns: &Arc<NsProxy>, cgroup: &Arc<Cgroup>) {
    let Ok(pids) = PidNumbers::allocate(&ns.pid_for_children) else {
        return;
    };
    let mut signals = SignalState::new();
    let reap = SigAction {
        handler: SigHandler::Ignore,
        ..SigAction::default()
    };
    signals.set_action(Signal::CHLD, reap);
    let limits = Limits::default();
    let init = Process {
        kernel,
        pids,
        files: FdTable::new(limits.get(Resource::Nofile).soft),
        fs: Mutex::new(FsContext {
            root: ns.mnt.root(),
            cwd: ns.mnt.root(),
            umask: Mode(0o022),
        }),
        credentials: RwLock::new(Arc::new(Credentials::root(CapSet::FULL))),
        ns: RwLock::new(ns.clone()),
        identity: Mutex::new(Identity {
            argv: vec!["/sbin/init".to_owned()],
            comm: "systemd".to_owned(),
            exe_path: "/usr/lib/systemd/systemd".to_owned(),
            ..Identity::default()
        }),
        limits: Mutex::new(limits),
        cgroup: cgroup.child("init.scope"),
        program: Mutex::new(Program::Native("init".to_owned())),
        signals: Signals::new(signals),
        usage: Mutex::default(),
        started: Duration::ZERO,
        children_changed: WaitQueue::default(),
        end: Mutex::default(),
        ended: WaitQueue::default(),
        blocked: AtomicUsize::new(1),
        reading_tty: Mutex::default(),
    };
    table.insert(Arc::new(init), None);
}

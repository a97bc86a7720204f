//! The birth of processes: from a process (`posix_spawn(3)`), from outside ([`ProcessSpec`]), and the node's init.

use super::exec::{ExecContext, apply_dispositions, search};
use super::signal::{SignalState, Signals};
use super::table::{Embryo, Life, ProcessTable};
use super::*;
use crate::fs::FileDescription;
use crate::task::Task;
use podsim_sys::{
    CapSet, Capability, Credentials, Errno, Fd, FdAction, Mode, Resource, Result, Rlimit, SigAction, SigHandler,
    Signal, SpawnRequest, Syscalls,
};

/// Where a container runtime looks for programs when the environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

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

/// A process's place in its control group; given back if the process is never born.
struct PidCharge(Option<Arc<Cgroup>>);

impl PidCharge {
    fn new(cgroup: &Arc<Cgroup>) -> Result<Self> {
        cgroup.charge_pid()?;
        Ok(Self(Some(cgroup.clone())))
    }

    /// The process is in the tree: its end gives the place back.
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for PidCharge {
    fn drop(&mut self) {
        if let Some(cgroup) = &self.0 {
            cgroup.uncharge_pid();
        }
    }
}

/// What differs from one way of birth to another.
struct Birth {
    pids: Arc<PidNumbers>,
    files: FdTable,
    fs: FsContext,
    credentials: Arc<Credentials>,
    ns: Arc<NsProxy>,
    identity: Identity,
    limits: Limits,
    cgroup: Arc<Cgroup>,
    program: Program,
    signals: SignalState,
    nice: i8,
    started: Duration,
}

impl Birth {
    fn process(self, kernel: Weak<Kernel>) -> Arc<Process> {
        Arc::new(Process {
            kernel,
            pids: self.pids,
            files: self.files,
            fs: Mutex::new(self.fs),
            credentials: RwLock::new(self.credentials),
            ns: RwLock::new(self.ns),
            identity: Mutex::new(self.identity),
            limits: Mutex::new(self.limits),
            cgroup: self.cgroup,
            program: Mutex::new(self.program),
            signals: Signals::new(self.signals),
            usage: Mutex::new(Usage {
                nice: self.nice,
                ..Usage::default()
            }),
            started: self.started,
            children_changed: WaitQueue::default(),
            end: Mutex::default(),
            ended: WaitQueue::default(),
            blocked: AtomicUsize::new(0),
            reading_tty: Mutex::default(),
        })
    }
}

/// The group and session that a new process begins in.
#[derive(Default)]
struct Placement {
    new_session: bool,
    /// In the parent's numbers; 0 is a group of its own.
    group: Option<Pid>,
    controlling_tty: Option<Arc<Tty>>,
    foreground_tty: Option<Arc<Tty>>,
}

impl Kernel {
    /// Makes a process from outside, and starts it. Errors are those of exec (ENOENT, EACCES, ENOEXEC, …), and ENOMEM
    /// when the pid namespace's init has ended.
    pub fn create_process(self: &Arc<Self>, spec: ProcessSpec) -> Result<Task> {
        let mut limits = Limits::default();
        for (resource, limit) in spec.rlimits {
            limits.put(resource, limit);
        }
        let files = FdTable::new(limits.get(Resource::Nofile).soft);
        for file in spec.stdio {
            files.insert(file, false)?;
        }
        let charge = PidCharge::new(&spec.cgroup)?;
        let birth = Birth {
            pids: PidNumbers::allocate(&spec.namespaces.pid_for_children)?,
            files,
            fs: spec.fs,
            credentials: Arc::new(spec.credentials),
            ns: spec.namespaces,
            identity: Identity::default(),
            limits,
            cgroup: spec.cgroup,
            program: Program::Native(String::new()),
            signals: SignalState::new(),
            nice: 0,
            started: self.clock().monotonic(),
        };
        let process = birth.process(Arc::downgrade(self));
        let search_path = spec.environ.iter().find_map(|variable| variable.strip_prefix("PATH="));
        let search_path = search_path.unwrap_or(DEFAULT_PATH);
        let image = self.prepare_child(&process, &spec.program, Some(search_path), spec.argv, &spec.environ)?;
        let placement = Placement {
            new_session: true,
            controlling_tty: spec.controlling_tty,
            ..Placement::default()
        };
        self.put_into_tree(&process, spec.parent.unwrap_or(Pid(1)), &placement)?;
        charge.keep();
        self.commit_exec(&process, image, spec.environ);
        Ok(self.start(process))
    }

    fn prepare_child(
        &self,
        process: &Arc<Process>,
        program: &str,
        search_path: Option<&str>,
        argv: Vec<String>,
        environ: &[String],
    ) -> Result<super::exec::Image> {
        let fs = process.fs.lock().clone();
        let credentials = process.credentials();
        let context = ExecContext {
            process: Some(process),
            fs: &fs,
            credentials: &credentials,
        };
        search(program, search_path, |path| {
            self.prepare_exec(&context, path, argv.clone(), environ)
        })
    }

    /// Puts a new process into the tree: the last step that can fail.
    fn put_into_tree(&self, process: &Arc<Process>, parent: Pid, placement: &Placement) -> Result<()> {
        let pid = process.global_pid();
        let limit = process.limits.lock().get(Resource::Nproc).soft;
        let credentials = process.credentials();
        let mut table = self.table();
        let parent_node = table
            .node(parent)
            .filter(|node| node.life == Life::Alive)
            .ok_or(Errno::ESRCH)?;
        if process.pid_namespace().is_dead() {
            return Err(Errno::ENOMEM);
        }
        if process.cgroup.is_killed() {
            return Err(Errno::ENODEV);
        }
        let users = process.namespaces().user.clone();
        let user = users.on_node(credentials.uid);
        let exempt = user == Some(0)
            || process.capable_on_node(Capability::SYS_RESOURCE)
            || process.capable_on_node(Capability::SYS_ADMIN);
        if let Some(limit) = limit.filter(|_| !exempt) {
            let mine = |node: &&table::Node| node.process.user_on_node() == user;
            if table.nodes().filter(mine).count() as u64 >= limit {
                return Err(Errno::EAGAIN);
            }
        }
        let group = match placement.group {
            Some(Pid(0)) => Some(process.pids.clone()),
            Some(group) => {
                let id = parent_node
                    .process
                    .pid_namespace()
                    .global(group)
                    .and_then(|id| table.group(id));
                let id = id.filter(|group| group.session == parent_node.session && !placement.new_session);
                Some(id.ok_or(Errno::EPERM)?.id.clone())
            }
            None => None,
        };
        table.insert(process.clone(), Some(parent));
        if placement.new_session {
            table.begin_session(pid);
        } else if let Some(group) = group {
            table.move_to_group(pid, &group);
        }
        if let Some(tty) = &placement.controlling_tty
            && let Err(errno) = table.attach_tty(pid, tty)
        {
            table.remove(pid);
            return Err(errno);
        }
        if let Some(tty) = &placement.foreground_tty {
            table.set_foreground(pid, tty);
        }
        Ok(())
    }

    fn start(self: &Arc<Self>, process: Arc<Process>) -> Task {
        let task = self.task(process);
        self.config().launcher.launch(task.clone());
        task
    }
}

/// `posix_spawn(3)` by a process.
pub(crate) async fn spawn(task: &Task, request: SpawnRequest) -> Result<Pid> {
    let parent = &task.process;
    let kernel = &task.kernel;
    let charge = PidCharge::new(&parent.cgroup)?;
    let namespaces = parent.namespaces();
    let birth = Birth {
        pids: PidNumbers::allocate(&namespaces.pid_for_children)?,
        files: parent.files.fork(),
        fs: parent.fs.lock().clone(),
        credentials: parent.credentials(),
        ns: namespaces,
        identity: parent.identity.lock().clone(),
        limits: parent.limits.lock().clone(),
        cgroup: parent.cgroup.clone(),
        program: task.program(),
        signals: parent.signals.state.lock().for_child(),
        nice: parent.usage().nice,
        started: kernel.clock().monotonic(),
    };
    let process = birth.process(Arc::downgrade(kernel));
    let child = kernel.task(process.clone());
    let embryo = Embryo::new(kernel, &process);
    for action in &request.fd_actions {
        // The parent waits here, as in vfork(2): opening a FIFO may take long.
        task.interruptible(apply_fd_action(&child, action)).await??;
    }
    let image = kernel.prepare_child(
        &process,
        &request.path,
        request.search_path.as_deref(),
        request.argv,
        &request.envp,
    )?;
    let tty_of = |files: &FdTable, fd: Option<Fd>| -> Result<Option<Arc<Tty>>> {
        let Some(fd) = fd else { return Ok(None) };
        let file = files.get(fd)?;
        Ok(Some(file.ops().tty().ok_or(Errno::ENOTTY)?.clone()))
    };
    let placement = Placement {
        new_session: request.new_session,
        group: request.process_group,
        controlling_tty: tty_of(&process.files, request.controlling_tty)?,
        foreground_tty: tty_of(&parent.files, request.foreground_tty)?,
    };
    kernel.put_into_tree(&process, parent.global_pid(), &placement)?;
    drop(embryo);
    charge.keep();
    kernel.commit_exec(&process, image, request.envp);
    apply_dispositions(
        &process,
        request.signal_default,
        request.signal_ignore,
        request.signal_mask,
    );
    let pid = process.pid_in(parent.pid_namespace()).ok_or(Errno::ESRCH)?;
    kernel.start(process);
    Ok(pid)
}

async fn apply_fd_action(child: &Task, action: &FdAction) -> Result<()> {
    match action {
        FdAction::Dup2 { from, to } if from == to => child.set_cloexec(*from, false),
        FdAction::Dup2 { from, to } => child.dup2(*from, *to, false).map(drop),
        FdAction::Close(fd) => child.close(*fd),
        FdAction::Open { fd, path, flags, mode } => {
            let opened = child.openat(Fd::CWD, path, *flags, *mode).await?;
            if opened != *fd {
                child.dup2(opened, *fd, flags.contains(podsim_sys::OpenFlags::CLOEXEC))?;
                child.close(opened)?;
            }
            Ok(())
        }
        FdAction::Chdir(path) => child.chdir(path),
        FdAction::Fchdir(fd) => child.fchdir(*fd),
    }
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
    let init = Birth {
        pids,
        files: FdTable::new(limits.get(Resource::Nofile).soft),
        fs: FsContext {
            root: ns.mnt.root(),
            cwd: ns.mnt.root(),
            umask: Mode(0o022),
        },
        credentials: Arc::new(Credentials::root(CapSet::FULL)),
        ns: ns.clone(),
        identity: Identity {
            argv: vec!["/sbin/init".to_owned()],
            comm: "systemd".to_owned(),
            exe_path: "/usr/lib/systemd/systemd".to_owned(),
            ..Identity::default()
        },
        limits,
        cgroup: cgroup.child("init.scope"),
        program: Program::Native("init".to_owned()),
        signals,
        nice: 0,
        started: Duration::ZERO,
    };
    let init = init.process(kernel);
    init.blocked.store(1, Ordering::Relaxed);
    table.insert(init, None);
}

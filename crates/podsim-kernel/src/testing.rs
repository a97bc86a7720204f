//! A node for tests: programs are async closures over [`Task`], time stands still until it is told to go on, and everything
//! runs on the test's own thread, in the order in which it was woken.

use crate::fs::devpts::DevPts;
use crate::fs::pipe::Pipe;
use crate::fs::procfs::ProcFs;
use crate::fs::{FileDescription, FsContext, devfs};
use crate::process::ProcessSpec;
use crate::tty::PtyRegistry;
use crate::{Kernel, KernelConfig, Launcher, NsProxy, Program, Task};
use parking_lot::Mutex;
use podsim_sys::*;
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;
type Body = Arc<dyn Fn(Task) -> Pin<Box<dyn Future<Output = Result<u8>> + Send>> + Send + Sync>;

/// A future of the executor, which is its own waker.
struct Cell {
    future: Mutex<Option<Running>>,
    queued: AtomicBool,
    ready: Weak<Mutex<VecDeque<Arc<Cell>>>>,
}

impl Wake for Cell {
    fn wake(self: Arc<Self>) {
        if let Some(ready) = self.ready.upgrade()
            && !self.queued.swap(true, Ordering::Relaxed)
        {
            ready.lock().push_back(self.clone());
        }
    }
}

#[derive(Default)]
struct TestLauncher {
    programs: Mutex<BTreeMap<String, Body>>,
    ready: Arc<Mutex<VecDeque<Arc<Cell>>>>,
}

impl TestLauncher {
    fn push(&self, future: impl Future<Output = ()> + Send + 'static) {
        let cell = Cell {
            future: Mutex::new(Some(Box::pin(future))),
            queued: AtomicBool::new(false),
            ready: Arc::downgrade(&self.ready),
        };
        Arc::new(cell).wake();
    }

    fn body(&self, program: &Program) -> Result<Body> {
        match program {
            Program::Native(name) => self.programs.lock().get(name).cloned().ok_or(Errno::ENOEXEC),
            Program::Wasm(_) => Err(Errno::ENOEXEC),
        }
    }
}

/// What a runner does: one program after the other, until the process ends.
async fn run(launcher: Weak<TestLauncher>, task: Task) {
    loop {
        let program = task.program();
        let Some(body) = launcher.upgrade().and_then(|launcher| launcher.body(&program).ok()) else {
            return;
        };
        match task.run_until_killed(body(task.clone())).await {
            None => return,
            Some(_) if task.program() != program => {}
            Some(result) => {
                let code = result.unwrap_or_else(|errno| u8::try_from(errno.0).unwrap_or(255));
                return task.exit(WaitStatus::Exited(code));
            }
        }
    }
}

struct Launch(Weak<TestLauncher>);

impl Launcher for Launch {
    fn check(&self, program: &Program) -> Result<()> {
        self.0.upgrade().ok_or(Errno::ENOEXEC)?.body(program).map(drop)
    }

    fn launch(&self, task: Task) {
        if let Some(launcher) = self.0.upgrade() {
            launcher.push(run(self.0.clone(), task));
        }
    }
}

/// A node for tests.
pub(crate) struct TestNode {
    pub(crate) kernel: Arc<Kernel>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) log: Log,
    launcher: Arc<TestLauncher>,
}

/// What the programs of a test have said.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn say(&self, text: impl Into<String>) {
        self.0.lock().push(text.into());
    }

    /// What has been said since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock())
    }
}

impl TestNode {
    pub(crate) fn new() -> Self {
        let launcher = Arc::new(TestLauncher::default());
        let clock = Arc::new(ManualClock::new(Duration::from_secs(1_718_635_380)));
        let kernel = Kernel::new(KernelConfig {
            clock: clock.clone(),
            seed: 1,
            hostname: "node".to_owned(),
            launcher: Arc::new(Launch(Arc::downgrade(&launcher))),
            memory: 1 << 30,
            cpus: 2,
        });
        Self {
            kernel,
            clock,
            log: Log::default(),
            launcher,
        }
    }

    /// Puts a program at `/bin/NAME`. What it returns is its exit code; an errno is one too.
    pub(crate) fn program<F, Fut>(&self, name: &str, body: F) -> &Self
    where
        F: Fn(Task, Log) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<u8>> + Send + 'static,
    {
        let log = self.log.clone();
        let body: Body = Arc::new(move |task| Box::pin(body(task, log.clone())));
        self.launcher.programs.lock().insert(name.to_owned(), body);
        self.file(
            &format!("/bin/{name}"),
            format!("\x7fPODSIM {name}\n").as_bytes(),
            0o755,
        )
    }

    /// Makes a file in the node's root filesystem.
    pub(crate) fn file(&self, path: &str, content: &[u8], mode: u16) -> &Self {
        let mnt = &self.kernel.initial_namespaces().mnt;
        mnt.mkdir_all(path.rsplit_once('/').unwrap().0, Mode(0o755)).unwrap();
        mnt.write_file(path, content, Mode(mode)).unwrap();
        mnt.chmod(path, Mode(mode)).unwrap();
        self
    }

    /// Mounts `/proc` and `/dev` with its `/dev/pts` in the node's root filesystem.
    pub(crate) fn with_proc_and_dev(self) -> Self {
        let ns = self.kernel.initial_namespaces();
        let vfs = self.kernel.vfs();
        let plain = MountFlags::empty();
        let proc = ProcFs::mount(&self.kernel, &ns.pid_for_children);
        let ptys = PtyRegistry::new(Arc::downgrade(&self.kernel));
        ns.mnt.mount_at("/proc", &proc, "proc", plain).unwrap();
        devfs::populate(&ns.mnt).unwrap();
        ns.mnt
            .mount_at("/dev/pts", &DevPts::mount(vfs, &ptys), "devpts", plain)
            .unwrap();
        self
    }

    /// What the node's root would start: with pipes that nobody writes to or reads from.
    pub(crate) fn spec(&self, program: &str) -> ProcessSpec {
        let ns = self.kernel.initial_namespaces();
        let (reader, writer) = Pipe::new(1, Duration::ZERO).ends();
        let input = FileDescription::new(reader, OpenFlags::empty());
        let output = FileDescription::new(writer, OpenFlags::WRONLY);
        ProcessSpec {
            parent: None,
            namespaces: ns.clone(),
            fs: FsContext {
                root: ns.mnt.root(),
                cwd: ns.mnt.root(),
                umask: Mode(0o022),
            },
            credentials: Credentials::root(CapSet::FULL),
            program: program.to_owned(),
            argv: vec![program.to_owned()],
            environ: vec!["PATH=/bin".to_owned()],
            stdio: [input, output.clone(), output],
            controlling_tty: None,
            rlimits: Vec::new(),
            cgroup: self.kernel.root_cgroup().child("test"),
        }
    }

    /// [`spec`](Self::spec), in a pid namespace of its own.
    pub(crate) fn container_spec(&self, program: &str) -> ProcessSpec {
        let pid_for_children = self
            .kernel
            .new_pid_namespace(
                self.kernel.initial_pid_namespace(),
                &self.kernel.initial_namespaces().user,
            )
            .unwrap();
        let mut spec = self.spec(program);
        spec.namespaces = Arc::new(NsProxy {
            pid_for_children,
            ..(*spec.namespaces).clone()
        });
        spec
    }

    /// Starts a process; it runs with the next [`idle`](Self::idle).
    pub(crate) fn start(&self, program: &str) -> Task {
        self.kernel.create_process(self.spec(program)).unwrap()
    }

    /// Starts a process and lets everything run until nobody can go on.
    pub(crate) fn run(&self, program: &str) -> Task {
        let task = self.start(program);
        self.idle();
        task
    }

    /// Lets everything run until nobody can go on. Time stands still.
    pub(crate) fn idle(&self) {
        loop {
            let Some(cell) = self.launcher.ready.lock().pop_front() else {
                return;
            };
            cell.queued.store(false, Ordering::Relaxed);
            let waker = Waker::from(cell.clone());
            let mut future = cell.future.lock();
            if let Some(running) = future.as_mut()
                && running.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
            {
                *future = None;
            }
        }
    }

    /// Lets everything run until nobody can go on, and no timer is left either.
    pub(crate) fn settle(&self) {
        self.idle();
        while self.clock.advance_to_next().is_some() {
            self.idle();
        }
    }

    /// What has been said.
    pub(crate) fn said(&self) -> Vec<String> {
        self.log.take()
    }

    /// The processes on the node, its init aside: `PID LETTER COMM`.
    pub(crate) fn ps(&self) -> Vec<String> {
        let seen = self.kernel.processes(self.kernel.initial_pid_namespace());
        let line = |(pid, process): (Pid, Arc<crate::Process>)| {
            format!("{pid} {} {}", process.state().letter(), process.identity.lock().comm)
        };
        seen.into_iter().skip(1).map(line).collect()
    }
}

/// A request to run a program of the test's.
pub(crate) fn spawn(program: &str) -> SpawnRequest {
    SpawnRequest {
        path: format!("/bin/{program}"),
        argv: vec![program.to_owned()],
        ..SpawnRequest::default()
    }
}

/// Waits for a child and says how it ended.
pub(crate) async fn wait_for(task: &Task, pid: Pid) -> Result<WaitStatus> {
    let (_, status) = task
        .wait(WaitTarget::Pid(pid), WaitOptions::empty())
        .await?
        .ok_or(Errno::ECHILD)?;
    Ok(status)
}

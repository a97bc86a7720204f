//! A node with containers, for tests of what needs processes.

use super::{EPOCH, layer};
use crate::fs::overlay::Overlay;
use crate::fs::system_mounts::{MASKED_PATHS, READONLY_PATHS, SystemMounts, shm};
use crate::fs::tmpfs::Limits;
use crate::fs::{FileDescription, FsContext, LayerTree, MountNamespace};
use crate::net::NetNamespace;
use crate::process::spawn::ProcessSpec;
use crate::process::{Cgroup, PidNamespace};
use crate::tty::PtyRegistry;
use crate::{Kernel, KernelConfig, Launcher, NsProxy, Program, Task};
use futures_util::FutureExt;
use podsim_sys::*;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Programs that never do anything.
struct Idle;

impl Launcher for Idle {
    fn check(&self, _program: &Program) -> Result<()> {
        Ok(())
    }

    fn launch(&self, _task: Task) {}
}

pub(super) struct Node {
    pub(super) clock: Arc<ManualClock>,
    pub(super) kernel: Arc<Kernel>,
}

pub(super) struct Container {
    pub(super) ns: Arc<NsProxy>,
    pub(super) cgroup: Arc<Cgroup>,
    pub(super) ptys: Arc<PtyRegistry>,
}

impl Container {
    pub(super) fn mounts(&self) -> &Arc<MountNamespace> {
        &self.ns.mnt
    }
}

/// An image with programs.
pub(super) fn image() -> Arc<LayerTree> {
    let wasm = "\0asm\u{1}\0\0\0";
    let lines = [
        "d /etc",
        "f /etc/passwd root",
        "f /etc/shadow secret",
        "d /bin",
        "d /tmp",
        "d /home/user",
    ];
    let lines = lines.map(String::from).into_iter().chain([format!("f /bin/sh {wasm}")]);
    let lines: Vec<String> = lines.collect();
    layer(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

impl Node {
    pub(super) fn new() -> Self {
        let clock = Arc::new(ManualClock::new(EPOCH));
        let kernel = Kernel::new(KernelConfig {
            clock: clock.clone(),
            seed: 1,
            hostname: "node".into(),
            launcher: Arc::new(Idle),
            memory: 1 << 30,
            cpus: 2,
        });
        clock.advance(Duration::from_millis(12_340));
        Self { clock, kernel }
    }

    /// A container in a pid namespace of its own, or in that of another one.
    pub(super) fn container(&self, shares_pids: Option<&Arc<PidNamespace>>) -> Container {
        let kernel = &self.kernel;
        let initial = kernel.initial_namespaces();
        let pids = match shares_pids {
            Some(pids) => pids.clone(),
            None => kernel
                .new_pid_namespace(kernel.initial_pid_namespace(), &initial.user)
                .unwrap(),
        };
        let net = NetNamespace::new(kernel.allocate_ns_inode());
        let cgroup = kernel.root_cgroup().child("kubepods/pod1/c1");
        let ptys = PtyRegistry::new(Arc::downgrade(kernel));
        let overlay = Overlay::mount(kernel.vfs(), &[image()], Limits::default());
        let mnt = MountNamespace::new(
            kernel.vfs(),
            kernel.allocate_ns_inode(),
            &overlay,
            "overlay",
            MountFlags::empty(),
        );
        let ns = NsProxy {
            uts: kernel.new_uts_namespace("pod-1"),
            ipc: initial.ipc.clone(),
            mnt: mnt.clone(),
            net,
            user: initial.user.clone(),
            pid_for_children: pids,
        };
        let mounts = SystemMounts {
            namespaces: &ns,
            cgroup: &cgroup,
            ptys: &ptys,
            shm: &shm(kernel.vfs()),
            sys_readonly: true,
        };
        mounts.mount(kernel, &mnt).unwrap();
        MASKED_PATHS.iter().for_each(|path| mnt.mask(path).unwrap());
        READONLY_PATHS.iter().for_each(|path| mnt.make_readonly(path).unwrap());
        mnt.chmod("/bin/sh", Mode(0o755)).unwrap();
        mnt.chmod("/etc/shadow", Mode(0o600)).unwrap();
        mnt.chmod("/tmp", Mode(0o1777)).unwrap();
        Container {
            ns: Arc::new(ns),
            cgroup,
            ptys,
        }
    }

    /// A process in a container.
    pub(super) fn process(&self, container: &Container, credentials: Credentials) -> Task {
        let root = container.mounts().root();
        let null = || {
            container
                .mounts()
                .open_file("/dev/null", OpenFlags::RDWR, Mode(0))
                .unwrap()
        };
        let stdio: [Arc<FileDescription>; 3] = [null(), null(), null()];
        let spec = ProcessSpec {
            parent: None,
            namespaces: container.ns.clone(),
            fs: FsContext {
                cwd: root.clone(),
                root,
                umask: Mode(0o022),
            },
            credentials,
            program: "/bin/sh".into(),
            argv: vec!["sh".into(), "-c".into(), "sleep 1".into()],
            environ: vec!["PATH=/bin".into(), "HOME=/root".into()],
            stdio,
            controlling_tty: None,
            rlimits: Vec::new(),
            cgroup: container.cgroup.clone(),
        };
        self.kernel.create_process(spec).unwrap()
    }
}

pub(super) fn root() -> Credentials {
    Credentials::root(CapSet::CONTAINER_DEFAULT)
}

pub(super) fn user(uid: u32) -> Credentials {
    Credentials {
        uid,
        euid: uid,
        suid: uid,
        fsuid: uid,
        gid: uid,
        egid: uid,
        sgid: uid,
        fsgid: uid,
        groups: Vec::new(),
        ..Credentials::root(CapSet::EMPTY)
    }
}

/// The result of a call that does not wait.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("the call waits")
}

pub(super) fn open(task: &Task, path: &str, flags: OpenFlags) -> Result<Fd> {
    now(task.openat(Fd::CWD, path, flags, Mode(0o666)))
}

/// The whole content of a file, as a process reads it.
pub(super) fn cat(task: &Task, path: &str) -> Result<String> {
    let fd = open(task, path, OpenFlags::empty())?;
    let mut text = Vec::new();
    let mut buf = [0; 100];
    loop {
        let n = match now(task.read(fd, &mut buf)) {
            Ok(n) => n,
            Err(errno) => return task.close(fd).and(Err(errno)),
        };
        if n == 0 {
            break;
        }
        text.extend_from_slice(&buf[..n]);
    }
    task.close(fd)?;
    Ok(String::from_utf8(text).unwrap())
}

pub(super) fn write(task: &Task, path: &str, text: &str) -> Result<usize> {
    let fd = open(task, path, OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::TRUNC)?;
    let result = now(task.write(fd, text.as_bytes()));
    task.close(fd)?;
    result
}

pub(super) fn ls(task: &Task, path: &str) -> Result<String> {
    let fd = open(task, path, OpenFlags::DIRECTORY)?;
    let entries = task.getdents(fd, 0, usize::MAX)?;
    task.close(fd)?;
    let names: Vec<_> = entries.into_iter().map(|entry| entry.name).collect();
    Ok(names.join(" "))
}

pub(super) fn readlink(task: &Task, path: &str) -> Result<String> {
    task.readlinkat(Fd::CWD, path)
}

//! Containers: how they are made and started, and what follows their end.

use crate::node::Node;
use crate::process::{self, Io, StartRequest};
use crate::rootfs::{self, Bind, Rootfs, RootfsRequest};
use crate::sandbox::{Sandbox, inodes, new_pid_namespace};
use crate::stdio::{FileReader, describe};
use jiff::Timestamp;
use parking_lot::Mutex;
use podsim_cri::backend::user::{self, Accounts, User};
use podsim_cri::backend::{ContainerRecord, RunningProcess, environment, start_failed};
use podsim_cri::{ContainerConfig, ContainerId, Error, LogStream, NamespaceInodes, NamespaceMode, Resources, Result};
use podsim_image::Image;
use podsim_kernel::fs::{FileDescription, FsContext, PathRef};
use podsim_kernel::process::{Cgroup, CpuShare};
use podsim_kernel::tty::{PtyRegistry, Tty};
use podsim_kernel::{NsProxy, Task};
use podsim_sys::{Credentials, Mode, Pid};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

/// A container.
pub(crate) struct Container {
    record: ContainerRecord<Running>,
    pub(crate) sandbox: Arc<Sandbox>,
    image: Arc<Image>,
    pub(crate) cgroup: Arc<Cgroup>,
    /// What the container's stdin is fed through, while it is open.
    pub(crate) stdin: Mutex<Option<Arc<FileDescription>>>,
}

impl Deref for Container {
    type Target = ContainerRecord<Running>;

    fn deref(&self) -> &Self::Target {
        &self.record
    }
}

/// What a running container is.
pub(crate) struct Running {
    pub(crate) task: Task,
    pub(crate) started_at: Timestamp,
    pub(crate) namespaces: Arc<NsProxy>,
    pub(crate) credentials: Credentials,
    pub(crate) environ: Vec<String>,
    pub(crate) cwd: PathRef,
    pub(crate) tty: Option<Arc<Tty>>,
    pub(crate) ptys: Arc<PtyRegistry>,
}

impl RunningProcess for Running {
    fn pid(&self) -> Pid {
        self.task.process.global_pid()
    }

    fn namespace_inodes(&self) -> NamespaceInodes {
        inodes(&self.namespaces)
    }

    fn started_at(&self) -> Timestamp {
        self.started_at
    }
}

/// What a container is started with besides its configuration.
pub(crate) struct Prepared {
    rootfs: Rootfs,
    namespaces: Arc<NsProxy>,
    user: User,
}

impl Container {
    pub(crate) fn new(node: &Node, sandbox: &Arc<Sandbox>, config: ContainerConfig) -> Result<Arc<Self>> {
        let image = rootfs::find_image(&node.config.images, &config.image)?;
        let id = ContainerId(node.new_id());
        let cgroup = sandbox.cgroup.child(&id.0);
        limit(&cgroup, &config.resources);
        let record = ContainerRecord::new(
            id,
            sandbox.id.clone(),
            config,
            podsim_cri::Image::from(&*image),
            &sandbox.config.log_directory,
            node.now(),
        );
        Ok(Arc::new(Self {
            record,
            sandbox: sandbox.clone(),
            image,
            cgroup,
            stdin: Mutex::new(None),
        }))
    }

    /// The namespaces, filesystem and user of the container. `pid_of` finds the pid namespace of another container.
    pub(crate) fn prepare(
        &self,
        node: &Node,
        binds: Vec<Bind>,
        pid_of: impl Fn(&ContainerId) -> Result<Arc<podsim_kernel::process::PidNamespace>>,
    ) -> Result<Prepared> {
        let shared = &self.sandbox.namespaces;
        let pid = match &self.config.namespaces.pid {
            NamespaceMode::Pod | NamespaceMode::Node => shared.pid_for_children.clone(),
            NamespaceMode::Container => new_pid_namespace(node, &shared.user)?,
            NamespaceMode::Target(id) => pid_of(id)?,
        };
        let partial = NsProxy {
            uts: self.sandbox.container_uts(node),
            ipc: shared.ipc.clone(),
            net: shared.net.clone(),
            user: shared.user.clone(),
            pid_for_children: pid,
            mnt: shared.mnt.clone(),
        };
        let mut all = vec![
            Bind::file("/etc/hostname", &self.sandbox.hostname_file),
            Bind::file("/etc/resolv.conf", &self.sandbox.resolv_conf),
        ];
        all.extend(binds);
        let rootfs = rootfs::build(
            node,
            &RootfsRequest {
                image: &self.image,
                namespaces: &partial,
                cgroup: &self.cgroup,
                shm: &self.sandbox.shm,
                security: &self.config.security,
                binds: all,
            },
        )?;
        let read = |path: &str| {
            let content = rootfs.mounts.read_file(path).unwrap_or_default();
            String::from_utf8_lossy(&content).into_owned()
        };
        let accounts = Accounts {
            passwd: read("/etc/passwd"),
            group: read("/etc/group"),
        };
        let user = user::resolve(&self.image.config.config.user, &self.config.security, &accounts)
            .map_err(|message| start_failed(&message))?;
        let namespaces = Arc::new(NsProxy {
            mnt: rootfs.mounts.clone(),
            ..partial
        });
        Ok(Prepared {
            rootfs,
            namespaces,
            user,
        })
    }

    /// Starts the first process. What follows its end is the caller's: [`Container::supervise`].
    pub(crate) fn start(&self, node: &Node, prepared: Prepared) -> Result<(Arc<Running>, Io)> {
        let Prepared {
            rootfs,
            namespaces,
            user,
        } = prepared;
        let io = if self.config.tty {
            Io::pty(&rootfs.ptys, None)?
        } else {
            Io::pipes(node, self.config.stdin, true, true)?
        };
        let image = &self.record.image.config;
        let working_dir = self
            .config
            .working_dir
            .as_ref()
            .filter(|dir| !dir.is_empty())
            .unwrap_or(&image.working_dir);
        let root = rootfs.mounts.root();
        let cwd = match working_dir.as_str() {
            "" => root.clone(),
            // A working directory that is not there is made, as runc does.
            dir => rootfs
                .mounts
                .mkdir_all(dir, Mode(0o755))
                .map_err(|errno| start_failed(&format!("mkdir {dir}: {}", errno.message().to_lowercase())))?,
        };
        let hostname = match self.sandbox.config.hostname.as_str() {
            "" => &node.config.hostname,
            hostname => hostname,
        };
        let environ = environment(&self.config, &self.record.image.config, hostname, &user.home);
        let program = self.argv.first().ok_or_else(|| start_failed("no command specified"))?;
        let request = StartRequest {
            namespaces: namespaces.clone(),
            fs: FsContext {
                root,
                cwd: cwd.clone(),
                umask: Mode(0o022),
            },
            credentials: user.credentials.clone(),
            program,
            argv: &self.argv,
            environ: environ.clone(),
            io: &io,
            cgroup: self.cgroup.clone(),
            rlimits: Vec::new(),
        };
        let task = process::start(&node.kernel, &request).map_err(|error| match error {
            // As containerd has it, whatever the reason: a container that could not be started has exit code 128.
            Error::StartFailed { reason, message, .. } => Error::StartFailed {
                reason,
                message,
                exit_code: 128,
            },
            error => error,
        })?;
        let running = Arc::new(Running {
            task,
            started_at: node.now(),
            namespaces,
            credentials: user.credentials,
            environ,
            cwd,
            tty: io.tty.clone(),
            ptys: rootfs.ptys,
        });
        self.stdin.lock().clone_from(&io.stdin);
        self.set_running(running.clone());
        Ok((running, io))
    }

    /// Copies the output to the log until it ends, then notes how the container ended.
    pub(crate) async fn supervise(self: Arc<Self>, node: Arc<Node>, running: Arc<Running>, io: Io) {
        let Io {
            stdio,
            stdout,
            stderr,
            tty,
            stdin,
        } = io;
        // Only the processes hold their ends now: when the last is gone, the output ends.
        drop((stdio, tty, stdin));
        let pump = async |file: Option<Arc<FileDescription>>, stream| {
            if let Some(file) = file {
                self.pump(&*node.config.clock, FileReader(file), stream).await;
            }
        };
        let end = async {
            let status = running.task.wait_exit().await;
            // What the container left behind ends with it.
            self.kill(&node);
            self.stdin.lock().take();
            status
        };
        let (status, (), ()) =
            futures_util::future::join3(end, pump(stdout, LogStream::Stdout), pump(stderr, LogStream::Stderr)).await;
        self.set_exited(node.now(), status, self.cgroup.stats().oom_kills > 0);
    }

    /// Kills every process of the container.
    pub(crate) fn kill(&self, node: &Node) {
        node.kernel.kill_cgroup(&self.cgroup);
    }
}

/// What cannot be mounted.
pub(crate) fn mount_failed(path: &str, errno: podsim_sys::Errno) -> Error {
    describe(&format!("cannot mount {path}"), errno)
}

/// Sets the limits of a control group. CPU time is only told of there, not limited.
pub(crate) fn limit(cgroup: &Cgroup, resources: &Resources) {
    cgroup.set_memory_max(resources.memory_limit);
    cgroup.set_pids_max(resources.pids_limit);
    cgroup.set_cpu(CpuShare {
        quota: resources.cpu_quota().map(Duration::from_micros),
        weight: resources.cpu_weight(),
    });
}

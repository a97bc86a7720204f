//! Containers: their life, their output, their end.

use crate::log::Log;
use crate::node::Node;
use crate::process::{self, Io, StartRequest};
use crate::rootfs::{self, Rootfs, RootfsRequest};
use crate::sandbox::{Sandbox, inodes, new_pid_namespace};
use crate::stdio::{FileReader, describe};
use crate::user::{self, Accounts, User};
use bytes::Bytes;
use jiff::Timestamp;
use parking_lot::Mutex;
use podsim_cri::{
    ContainerConfig, ContainerId, ContainerState, ContainerStatus, Error, LogStream, NamespaceInodes, NamespaceMode,
    Result,
};
use podsim_image::Image;
use podsim_kernel::fs::{FileDescription, FsContext, PathRef};
use podsim_kernel::process::Cgroup;
use podsim_kernel::tty::{PtyRegistry, Tty};
use podsim_kernel::{NsProxy, Task};
use podsim_sys::{Credentials, Mode, Signal, WaitStatus};
use std::sync::Arc;
use tokio::io::AsyncReadExt;
use tokio::sync::{broadcast, watch};

/// A container.
pub(crate) struct Container {
    pub(crate) id: ContainerId,
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) config: ContainerConfig,
    pub(crate) image: Arc<Image>,
    pub(crate) argv: Vec<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) cgroup: Arc<Cgroup>,
    pub(crate) log: Arc<Log>,
    /// What is printed from now on, for those who attach: stdout and stderr.
    pub(crate) output: [broadcast::Sender<Bytes>; 2],
    pub(crate) life: watch::Sender<Life>,
    /// What the container's stdin is fed through, while it is open.
    pub(crate) stdin: Mutex<Option<Arc<FileDescription>>>,
}

/// Where a container is in its life.
#[derive(Clone)]
pub(crate) enum Life {
    /// Made.
    Created,
    /// It runs.
    Running(Arc<Running>),
    /// It has ended.
    Exited(Exit),
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

/// How a container ended.
#[derive(Clone)]
pub(crate) struct Exit {
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) finished_at: Timestamp,
    pub(crate) exit_code: i32,
    pub(crate) signal: Option<Signal>,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) inodes: NamespaceInodes,
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
        let argv = command_line(&config, &image);
        let id = ContainerId(node.new_id());
        let cgroup = sandbox.cgroup.child(&id.0);
        cgroup.set_memory_max(config.resources.memory_limit);
        cgroup.set_pids_max(config.resources.pids_limit);
        Ok(Arc::new(Self {
            id,
            sandbox: sandbox.clone(),
            image,
            argv,
            created_at: node.now(),
            cgroup,
            log: Log::new(),
            output: [broadcast::Sender::new(256), broadcast::Sender::new(256)],
            life: watch::Sender::new(Life::Created),
            stdin: Mutex::new(None),
            config,
        }))
    }

    /// The namespaces, filesystem and user of the container. `pid_of` finds the pid namespace of another container.
    pub(crate) fn prepare(
        &self,
        node: &Node,
        binds: Vec<(String, PathRef, bool)>,
        pid_of: impl Fn(&ContainerId) -> Result<Arc<podsim_kernel::process::PidNamespace>>,
    ) -> Result<Prepared> {
        let shared = &self.sandbox.namespaces;
        let pid = match &self.config.namespaces.pid {
            NamespaceMode::Pod | NamespaceMode::Node => shared.pid_for_children.clone(),
            NamespaceMode::Container => new_pid_namespace(node)?,
            NamespaceMode::Target(id) => pid_of(id)?,
        };
        let partial = NsProxy {
            uts: self.sandbox.container_uts(node),
            ipc: shared.ipc.clone(),
            net: shared.net.clone(),
            pid_for_children: pid,
            mnt: shared.mnt.clone(),
        };
        let mut all = vec![
            ("/etc/hostname".to_owned(), self.sandbox.hostname_file.clone(), false),
            ("/etc/resolv.conf".to_owned(), self.sandbox.resolv_conf.clone(), false),
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
        let image = &self.image.config.config;
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
        let environ = self.environ(node, &user);
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
        self.life.send_replace(Life::Running(running.clone()));
        Ok((running, io))
    }

    /// The environment, in the order of Docker's; a later entry wins.
    fn environ(&self, node: &Node, user: &User) -> Vec<String> {
        let hostname = &self.sandbox.config.hostname;
        let hostname = if hostname.is_empty() {
            &node.config.hostname
        } else {
            hostname
        };
        let mut environ: Vec<String> = Vec::new();
        let mut set = |entry: String| {
            let name = entry
                .split_once('=')
                .map_or(entry.as_str(), |(name, _)| name)
                .to_owned();
            let same = |old: &String| old.split_once('=').map_or(old.as_str(), |(name, _)| name) == name;
            match environ.iter_mut().find(|old| same(old)) {
                Some(old) => *old = entry,
                None => environ.push(entry),
            }
        };
        set("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned());
        set(format!("HOSTNAME={hostname}"));
        if self.config.tty {
            set("TERM=xterm".to_owned());
        }
        self.image.config.config.env.iter().cloned().for_each(&mut set);
        self.config
            .envs
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .for_each(&mut set);
        if !environ.iter().any(|entry| entry.starts_with("HOME=")) {
            environ.push(format!("HOME={}", user.home));
        }
        environ
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
                self.pump(&node, file, stream).await;
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
        let now = node.now();
        self.log.end(now);
        let oom = self.cgroup.stats().oom_kills > 0 && status == WaitStatus::Signaled(Signal::KILL);
        let reason = match (oom, status.exit_code()) {
            (true, _) => "OOMKilled",
            (false, 0) => "Completed",
            (false, _) => "Error",
        };
        let signal = match status {
            WaitStatus::Signaled(signal) => Some(signal),
            _ => None,
        };
        self.life.send_replace(Life::Exited(Exit {
            started_at: Some(running.started_at),
            finished_at: now,
            exit_code: status.exit_code(),
            signal,
            reason,
            message: String::new(),
            inodes: inodes(&running.namespaces),
        }));
    }

    async fn pump(&self, node: &Node, file: Arc<FileDescription>, stream: LogStream) {
        let mut reader = FileReader(file);
        let mut buf = vec![0; 16 << 10];
        while let Ok(n) = reader.read(&mut buf).await {
            if n == 0 {
                break;
            }
            let data = &buf[..n];
            self.log.append(stream, node.now(), data);
            // Nobody may be listening.
            let _ = self.output[stream as usize].send(Bytes::copy_from_slice(data));
        }
    }

    /// Notes that the container could not be started.
    pub(crate) fn failed_to_start(&self, now: Timestamp, message: &str) {
        self.log.end(now);
        self.life.send_replace(Life::Exited(Exit {
            started_at: None,
            finished_at: now,
            exit_code: 128,
            signal: None,
            reason: "StartError",
            message: message.to_owned(),
            inodes: NamespaceInodes::new(),
        }));
    }

    /// Kills every process of the container.
    pub(crate) fn kill(&self, node: &Node) {
        node.kernel.kill_cgroup(&self.cgroup);
    }

    /// The running container.
    pub(crate) fn running(&self) -> Result<Arc<Running>> {
        match &*self.life.borrow() {
            Life::Running(running) => Ok(running.clone()),
            _ => Err(Error::FailedPrecondition(format!(
                "container {} is not running",
                self.id
            ))),
        }
    }

    /// Waits for the end.
    pub(crate) async fn exited(&self) -> Option<Exit> {
        let mut life = self.life.subscribe();
        let life = life.wait_for(|life| matches!(life, Life::Exited(_))).await.ok()?;
        match &*life {
            Life::Exited(exit) => Some(exit.clone()),
            _ => None,
        }
    }

    /// The signal that asks it to end.
    pub(crate) fn stop_signal(&self) -> Signal {
        let image = || self.image.config.config.stop_signal.as_deref().and_then(Signal::parse);
        self.config.stop_signal.or_else(image).unwrap_or(Signal::TERM)
    }

    pub(crate) fn state(&self) -> ContainerState {
        match &*self.life.borrow() {
            Life::Created => ContainerState::Created,
            Life::Running(_) => ContainerState::Running,
            Life::Exited(_) => ContainerState::Exited,
        }
    }

    pub(crate) fn status(&self) -> ContainerStatus {
        let life = self.life.borrow().clone();
        let state = self.state();
        let (running, exit) = match life {
            Life::Created => (None, None),
            Life::Running(running) => (Some(running), None),
            Life::Exited(exit) => (None, Some(exit)),
        };
        let started = running.as_ref().map(|running| running.started_at);
        ContainerStatus {
            id: self.id.clone(),
            sandbox: self.sandbox.id.clone(),
            metadata: self.config.metadata.clone(),
            state,
            created_at: self.created_at,
            started_at: started.or(exit.as_ref().and_then(|exit| exit.started_at)),
            finished_at: exit.as_ref().map(|exit| exit.finished_at),
            exit_code: exit.as_ref().map(|exit| exit.exit_code),
            signal: exit.as_ref().and_then(|exit| exit.signal),
            image: self.config.image.clone(),
            image_id: self.image.id.clone(),
            reason: exit.as_ref().map_or_else(String::new, |exit| exit.reason.to_owned()),
            message: exit.as_ref().map_or_else(String::new, |exit| exit.message.clone()),
            pid: running.as_ref().map(|running| running.task.process.global_pid()),
            namespace_inodes: match (&running, exit) {
                (Some(running), _) => inodes(&running.namespaces),
                (None, Some(exit)) => exit.inodes,
                (None, None) => NamespaceInodes::new(),
            },
            namespaces: self.config.namespaces.clone(),
            argv: self.argv.clone(),
            mounts: self.config.mounts.clone(),
            labels: self.config.labels.clone(),
            annotations: self.config.annotations.clone(),
            log_path: format!("{}/{}", self.sandbox.config.log_directory, self.config.log_path),
            tty: self.config.tty,
            stdin: self.config.stdin,
        }
    }
}

/// Entrypoint and cmd of the image, replaced as `command` and `args` say.
fn command_line(config: &ContainerConfig, image: &Image) -> Vec<String> {
    let image = &image.config.config;
    match (config.command.is_empty(), config.args.is_empty()) {
        (true, true) => [&image.entrypoint[..], &image.cmd[..]].concat(),
        (true, false) => [&image.entrypoint[..], &config.args[..]].concat(),
        (false, _) => [&config.command[..], &config.args[..]].concat(),
    }
}

fn start_failed(message: &str) -> Error {
    Error::StartFailed {
        reason: "StartError".to_owned(),
        message: message.to_owned(),
        exit_code: 128,
    }
}

/// What cannot be mounted.
pub(crate) fn mount_failed(path: &str, errno: podsim_sys::Errno) -> Error {
    describe(&format!("cannot mount {path}"), errno)
}

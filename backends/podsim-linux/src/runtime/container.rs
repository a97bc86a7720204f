//! Containers: how they are made and started, and what follows their end.

use crate::cgroup::Cgroup;
use crate::child::orders::{Bind, Join, Orders, ProcessOrders, TerminalOrders};
use crate::runtime::node::Node;
use crate::runtime::process::{self, Descriptor, Process, Started, internal};
use crate::runtime::sandbox::{Sandbox, discard};
use crate::runtime::stdio::{Stdio, Stream};
use jiff::Timestamp;
use parking_lot::Mutex;
use podsim_cri::backend::{ContainerRecord, RunningProcess, environment};
use podsim_cri::{ContainerConfig, ContainerId, Error, LogStream, NamespaceInodes, NamespaceMode, Result};
use podsim_sys::{CloneFlags, Pid, Signal, Winsize};
use rustix::fd::OwnedFd;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

/// A container.
pub(crate) struct Container {
    record: ContainerRecord<Running>,
    pub(crate) sandbox: Arc<Sandbox>,
    image: Arc<podsim_image::Image>,
    /// What is on disk for it: its root and what is written there.
    directory: PathBuf,
    pub(crate) cgroup: Option<Cgroup>,
    environ: Vec<String>,
    /// What the container's stdin is fed through, while it is open.
    pub(crate) stdin: Mutex<Option<Stream>>,
}

impl Deref for Container {
    type Target = ContainerRecord<Running>;

    fn deref(&self) -> &Self::Target {
        &self.record
    }
}

/// What a running container is.
pub(crate) struct Running {
    pub(crate) process: Process,
    started_at: Timestamp,
    pub(crate) terminal: Option<Stream>,
}

impl RunningProcess for Running {
    fn pid(&self) -> Pid {
        self.process.pid
    }

    fn namespace_inodes(&self) -> NamespaceInodes {
        self.process.namespace_inodes()
    }

    fn started_at(&self) -> Timestamp {
        self.started_at
    }
}

impl Container {
    pub(crate) fn new(node: &Node, sandbox: &Arc<Sandbox>, config: ContainerConfig) -> Result<Arc<Self>> {
        let image = node.find_image(&config.image)?;
        let id = ContainerId(node.new_id());
        let cgroup = node.cgroup(&sandbox.config.metadata.uid, &id.0)?;
        if let Some(cgroup) = &cgroup {
            cgroup
                .apply(&config.resources)
                .map_err(|error| Error::Internal(error.to_string()))?;
        }
        let directory = node.path("containers", &id.0);
        let shown = podsim_cri::Image::from(&*image);
        // HOME is found where the accounts are: in the container.
        let mut environ = environment(&config, &shown.config, node.hostname_of(&sandbox.config), "");
        environ.retain(|entry| entry != "HOME=");
        let log_directory = sandbox.config.log_directory.clone();
        Ok(Arc::new(Self {
            record: ContainerRecord::new(id, sandbox.id.clone(), config, shown, &log_directory, node.now()),
            sandbox: sandbox.clone(),
            image,
            directory,
            cgroup,
            environ,
            stdin: Mutex::new(None),
        }))
    }

    /// Starts the first process. What follows its end is the caller's: [`Container::supervise`]. `target` is the process whose pid
    /// namespace is to be joined.
    pub(crate) async fn start(
        &self,
        node: &Node,
        binds: Vec<Bind>,
        target: Option<Descriptor>,
    ) -> Result<(Arc<Running>, Started)> {
        let mut all = self.sandbox.binds();
        all.extend(binds);
        let (join, new, mut descriptors) = self.sandbox.namespaces_for(&self.config, target);
        let working_dir = self.config.working_dir.as_ref().filter(|dir| !dir.is_empty());
        let shm = self.sandbox.shm();
        let orders = Orders {
            join,
            users: self.sandbox.users.as_ref().map(|users| users.put(&mut descriptors)),
            new_namespaces: new.bits(),
            cgroup: self.cgroup.clone(),
            hostname: new
                .contains(CloneFlags::NEWUTS)
                .then(|| self.sandbox.config.hostname.clone()),
            sysctls: BTreeMap::new(),
            root: Some(node.root(
                &self.image,
                &self.directory,
                &shm,
                self.cgroup.as_ref(),
                all,
                &self.config.namespaces,
            )?),
            terminal: self.config.tty.then_some(TerminalOrders {
                size: None,
                console: true,
            }),
            process: self.process_orders(
                self.argv.clone(),
                working_dir.unwrap_or(&self.record.image.config.working_dir).clone(),
                self.environ.clone(),
            ),
        };
        let stdio = if self.config.tty {
            Stdio::none()
        } else {
            Stdio::pipes(self.config.stdin, true, true)
        };
        let started = process::start(&node.spawner, orders, descriptors, stdio.map_err(internal)?).await;
        // As containerd has it, whatever the reason: a container that could not be started has exit code 128.
        let started = started.map_err(|error| match error {
            Error::StartFailed { reason, message, .. } => Error::StartFailed {
                reason,
                message,
                exit_code: 128,
            },
            error => error,
        })?;
        let running = Arc::new(Running {
            process: started.process.clone(),
            started_at: node.now(),
            terminal: started.terminal.clone(),
        });
        if self.config.stdin {
            self.stdin.lock().clone_from(&started.stdin);
        }
        self.set_running(running.clone());
        Ok((running, started))
    }

    fn process_orders(&self, argv: Vec<String>, working_dir: String, environ: Vec<String>) -> ProcessOrders {
        ProcessOrders {
            argv,
            environ,
            working_dir,
            image_user: self.record.image.config.user.clone(),
            security: self.config.security.clone(),
            oom_score_adj: self.config.resources.oom_score_adj,
        }
    }

    /// Starts a command in the running container, with its namespaces, user and environment.
    pub(crate) async fn exec(
        &self,
        node: &Node,
        command: &[String],
        stdio: Stdio,
        tty: Option<Option<Winsize>>,
    ) -> Result<Started> {
        let running = self.running()?;
        if command.is_empty() {
            return Err(Error::InvalidArgument("a command is needed".to_owned()));
        }
        let mut environ = self.environ.clone();
        if tty.is_some() && !environ.iter().any(|entry| entry.starts_with("TERM=")) {
            environ.push("TERM=xterm".to_owned());
        }
        let working_dir = self.config.working_dir.as_ref().filter(|dir| !dir.is_empty());
        let kinds =
            CloneFlags::NEWNS | CloneFlags::NEWNET | CloneFlags::NEWIPC | CloneFlags::NEWUTS | CloneFlags::NEWPID;
        let mut descriptors = vec![running.process.pidfd()];
        let orders = Orders {
            join: vec![Join {
                descriptor: 0,
                kinds: kinds.bits(),
            }],
            users: self.sandbox.users.as_ref().map(|users| users.put(&mut descriptors)),
            new_namespaces: 0,
            cgroup: self.cgroup.clone(),
            hostname: None,
            sysctls: BTreeMap::new(),
            root: None,
            terminal: tty.map(|size| TerminalOrders {
                size: size.map(|size| (size.rows, size.cols)),
                console: false,
            }),
            process: self.process_orders(
                command.to_vec(),
                working_dir.unwrap_or(&self.record.image.config.working_dir).clone(),
                environ,
            ),
        };
        let started = process::start(&node.spawner, orders, descriptors, stdio).await;
        // It may have ended meanwhile: then setns(2) says "no such process", and this here is told of it a little later.
        started.map_err(|error| {
            if running.process.ended() {
                self.not_running()
            } else {
                error
            }
        })
    }

    /// Copies the output to the log until it ends, then notes how the container ended.
    pub(crate) async fn supervise(self: Arc<Self>, node: Arc<Node>, started: Started) {
        let Started {
            process,
            stdin,
            stdout,
            stderr,
            terminal,
            mount_namespace,
        } = started;
        drop((stdin, terminal));
        let pump = async |stream: Option<Stream>, to| {
            if let Some(stream) = stream {
                self.pump(&*node.config.clock, stream, to).await;
            }
        };
        let end = async {
            let status = process.exited().await;
            // What the container left behind ends with it.
            if let Some(namespace) = mount_namespace {
                self.kill_rest(namespace).await;
            }
            self.stdin.lock().take();
            status
        };
        let (status, (), ()) =
            futures_util::future::join3(end, pump(stdout, LogStream::Stdout), pump(stderr, LogStream::Stderr)).await;
        let oom = self.cgroup.as_ref().is_some_and(|cgroup| cgroup.oom_kills() > 0);
        self.set_exited(node.now(), status, oom);
    }

    /// Kills its first process, and with it all, unless the pid namespace is not its own: the rest follows in [`Container::supervise`].
    pub(crate) fn kill(&self) {
        if let Ok(running) = self.running() {
            running.process.kill(Signal::KILL);
        }
    }

    /// Kills what is left when the first process has ended: nothing in a pid namespace of its own.
    async fn kill_rest(&self, mount_namespace: OwnedFd) {
        if self.config.namespaces.pid == NamespaceMode::Container {
            return;
        }
        let killed = tokio::task::spawn_blocking(move || crate::orphans::kill_in_mount_namespace(&mount_namespace));
        let _ = killed.await;
    }

    /// Removes what is left of it on disk and elsewhere.
    pub(crate) fn remove(&self) {
        discard(&self.directory);
        if let Some(cgroup) = &self.cgroup
            && let Err(error) = cgroup.remove()
        {
            tracing::debug!("container {}: {error}", self.id);
        }
    }
}

//! [`VirtualRuntime`]: CRI over the virtual kernel. Here is who knows whom; what sandboxes and containers do is in their files.

use crate::config::VirtualConfig;
use crate::container::{Container, limit, mount_failed};
use crate::node::Node;
use crate::process::{self, Io, StartRequest};
use crate::rootfs::Bind;
use crate::sandbox::Sandbox;
use crate::stdio::{FileReader, FileWriter, HostConnection, describe};
use crate::volume::{self, Volume};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use parking_lot::Mutex;
use podsim_cri::backend::{self, Cidr, Ipam};
use podsim_cri::*;
use podsim_kernel::fs::FsContext;
use podsim_sys::{FileType, Mode, Signal, Winsize, sleep_until};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::sync::{broadcast, mpsc};

/// How long `start_container` waits for a program that goes on computing.
const SETTLE: Duration = Duration::from_millis(50);
/// Output that `exec_sync` keeps, as CRI has it.
const MAX_SYNC_OUTPUT: usize = 16 << 20;

/// The virtual backend: one node. Cheap to clone.
#[derive(Clone)]
pub struct VirtualRuntime {
    node: Arc<Node>,
    state: Arc<Mutex<State>>,
    events: broadcast::Sender<ContainerEvent>,
}

#[derive(Default)]
struct State {
    /// In the order in which they were made.
    sandboxes: Vec<Arc<Sandbox>>,
    containers: Vec<Arc<Container>>,
    volumes: BTreeMap<VolumeId, Arc<Volume>>,
}

impl VirtualRuntime {
    /// Boots a node. Must be called inside a tokio runtime, whose threads then run the guests.
    ///
    /// # Errors
    ///
    /// If the configuration cannot be (two interfaces of one name), or the built-in images are broken.
    pub fn new(config: VirtualConfig) -> Result<Self> {
        Ok(Self {
            node: Node::boot(config)?,
            state: Arc::default(),
            events: broadcast::Sender::new(1024),
        })
    }

    /// Starts a command in the node's own namespaces, as root: the node's shell.
    ///
    /// # Errors
    ///
    /// [`Error::StartFailed`] if it cannot be started.
    pub fn exec_on_node(
        &self,
        command: &[String],
        tty: bool,
        stdin: bool,
        winsize: Option<Winsize>,
    ) -> Result<ExecSession> {
        self.node.exec(command, tty, stdin, winsize)
    }

    /// The kernel under it.
    #[must_use]
    pub fn kernel(&self) -> &Arc<podsim_kernel::Kernel> {
        &self.node.kernel
    }

    /// A file of the node's own filesystem.
    ///
    /// # Errors
    ///
    /// As `open(2)` and `read(2)`.
    pub fn read_node_file(&self, path: &str) -> podsim_sys::Result<Bytes> {
        self.node.kernel.initial_namespaces().mnt.read_file(path)
    }

    fn sandbox(&self, id: &SandboxId) -> Result<Arc<Sandbox>> {
        let found = self
            .state
            .lock()
            .sandboxes
            .iter()
            .find(|sandbox| sandbox.id == *id)
            .cloned();
        found.ok_or_else(|| Error::NotFound(format!("sandbox {id}")))
    }

    fn container(&self, id: &ContainerId) -> Result<Arc<Container>> {
        let found = self
            .state
            .lock()
            .containers
            .iter()
            .find(|container| container.id == *id)
            .cloned();
        found.ok_or_else(|| Error::NotFound(format!("container {id}")))
    }

    fn notify(&self, kind: ContainerEventKind, sandbox: &Sandbox, container: Option<&ContainerId>) {
        // Nobody may be listening.
        let _ = self.events.send(ContainerEvent {
            time: self.node.now(),
            kind,
            sandbox: sandbox.id.clone(),
            container: container.cloned(),
            pod_uid: sandbox.config.metadata.uid.clone(),
        });
    }

    /// What the mounts of a container show.
    fn binds(&self, mounts: &[Mount]) -> Result<Vec<Bind>> {
        let resolve = |mount: &Mount| {
            let what = match &mount.source {
                MountSource::HostPath { path, sub_path } => {
                    let path = path.to_string_lossy();
                    let node = &self.node.kernel.initial_namespaces().mnt;
                    let at = node.resolve(&path).map_err(|errno| mount_failed(&path, errno))?;
                    match sub_path {
                        Some(sub_path) => volume::part_of(node, &at, sub_path)?,
                        None => at,
                    }
                }
                MountSource::Volume { id, sub_path } => self.volume(id)?.path(sub_path.as_deref())?,
            };
            Ok(Bind {
                path: mount.container_path.clone(),
                what,
                readonly: mount.readonly,
                recursive_readonly: mount.recursive_readonly,
                propagation: mount.propagation,
            })
        };
        mounts.iter().map(resolve).collect()
    }

    fn volume(&self, id: &VolumeId) -> Result<Arc<Volume>> {
        let found = self.state.lock().volumes.get(id).cloned();
        found.ok_or_else(|| Error::NotFound(format!("volume {id}")))
    }

    async fn sleep(&self, time: Duration) {
        let clock = &self.node.config.clock;
        sleep_until(clock, clock.monotonic().saturating_add(time)).await;
    }

    /// A command in a running container, with its namespaces, user and environment.
    fn start_exec(&self, container: &Container, command: &[String], io: &Io, tty: bool) -> Result<podsim_kernel::Task> {
        let running = container.running()?;
        let program = command
            .first()
            .ok_or_else(|| Error::InvalidArgument("a command is needed".to_owned()))?;
        let mut environ = running.environ.clone();
        if tty && !environ.iter().any(|entry| entry.starts_with("TERM=")) {
            environ.push("TERM=xterm".to_owned());
        }
        process::start(
            &self.node.kernel,
            &StartRequest {
                namespaces: running.namespaces.clone(),
                fs: FsContext {
                    root: running.namespaces.mnt.root(),
                    cwd: running.cwd.clone(),
                    umask: Mode(0o022),
                },
                credentials: running.credentials.clone(),
                program,
                argv: command,
                environ,
                io,
                cgroup: container.cgroup.clone(),
                rlimits: Vec::new(),
            },
        )
    }
}

#[async_trait]
impl RuntimeService for VirtualRuntime {
    fn version(&self) -> (String, String) {
        ("podsim".to_owned(), env!("CARGO_PKG_VERSION").to_owned())
    }

    async fn status(&self) -> Result<()> {
        Ok(())
    }

    async fn update_runtime_config(&self, pod_cidr: &str) -> Result<()> {
        let cidr = Cidr::parse(pod_cidr)
            .ok_or_else(|| Error::InvalidArgument(format!("{pod_cidr:?} is not a range of IPv4 addresses")))?;
        let mut ipam = self.node.ipam.lock();
        if ipam.cidr() != cidr {
            *ipam = Ipam::new(cidr);
        }
        Ok(())
    }

    async fn run_pod_sandbox(&self, config: PodSandboxConfig) -> Result<SandboxId> {
        let sandbox = Sandbox::run(&self.node, config).await?;
        let id = sandbox.id.clone();
        self.state.lock().sandboxes.push(sandbox.clone());
        self.notify(ContainerEventKind::Created, &sandbox, None);
        self.notify(ContainerEventKind::Started, &sandbox, None);
        let this = self.clone();
        tokio::spawn(async move {
            sandbox.pause.wait_exit().await;
            sandbox.stop(&this.node);
            this.notify(ContainerEventKind::Stopped, &sandbox, None);
        });
        Ok(id)
    }

    async fn stop_pod_sandbox(&self, id: &SandboxId) -> Result<()> {
        let Ok(sandbox) = self.sandbox(id) else { return Ok(()) };
        sandbox.stop(&self.node);
        sandbox.pause.wait_exit().await;
        let containers = sandbox.containers.lock().clone();
        for container in containers {
            if container.state() == ContainerState::Running {
                container.exited().await;
            }
        }
        sandbox.host_ports.closed().await;
        Ok(())
    }

    async fn remove_pod_sandbox(&self, id: &SandboxId) -> Result<()> {
        self.stop_pod_sandbox(id).await?;
        let Ok(sandbox) = self.sandbox(id) else { return Ok(()) };
        let containers = sandbox.containers.lock().clone();
        for container in containers {
            self.remove_container(&container.id).await?;
        }
        self.state.lock().sandboxes.retain(|other| other.id != *id);
        self.notify(ContainerEventKind::Deleted, &sandbox, None);
        Ok(())
    }

    async fn pod_sandbox_status(&self, id: &SandboxId) -> Result<PodSandboxStatus> {
        Ok(self.sandbox(id)?.status())
    }

    async fn list_pod_sandbox(&self, filter: &PodSandboxFilter) -> Result<Vec<PodSandboxStatus>> {
        let all = self.state.lock().sandboxes.clone();
        Ok(all
            .iter()
            .rev()
            .map(|sandbox| sandbox.status())
            .filter(|status| filter.matches(status))
            .collect())
    }

    async fn create_container(&self, sandbox: &SandboxId, config: ContainerConfig) -> Result<ContainerId> {
        let sandbox = self.sandbox(sandbox)?;
        if !sandbox.is_ready() {
            return Err(Error::FailedPrecondition(format!(
                "sandbox {} is not ready",
                sandbox.id
            )));
        }
        let container = Container::new(&self.node, &sandbox, config)?;
        let id = container.id.clone();
        sandbox.containers.lock().push(container.clone());
        self.state.lock().containers.push(container);
        self.notify(ContainerEventKind::Created, &sandbox, Some(&id));
        Ok(id)
    }

    async fn start_container(&self, id: &ContainerId) -> Result<()> {
        let container = self.container(id)?;
        if !container.is_created() {
            return Err(Error::FailedPrecondition(format!("container {id} was started before")));
        }
        let pid_of = |id: &ContainerId| Ok(self.container(id)?.running()?.namespaces.pid_for_children.clone());
        let started = self
            .binds(&container.config.mounts)
            .and_then(|binds| container.prepare(&self.node, binds, pid_of))
            .and_then(|prepared| container.start(&self.node, prepared));
        let sandbox = container.sandbox.clone();
        match started {
            Ok((running, io)) => {
                self.notify(ContainerEventKind::Started, &sandbox, Some(id));
                let (this, node) = (self.clone(), self.node.clone());
                let cgroup = container.cgroup.clone();
                tokio::spawn(async move {
                    let id = container.id.clone();
                    container.supervise(node, running, io).await;
                    this.notify(ContainerEventKind::Stopped, &sandbox, Some(&id));
                });
                // A real runtime takes so long to start a container that the one before is up by then, and people rely on
                // it (their notes show it). So a program may come to rest before the next one is started.
                let (rested, enough) = (pin!(self.node.kernel.wait_rested(&cgroup)), pin!(self.sleep(SETTLE)));
                futures_util::future::select(rested, enough).await;
                Ok(())
            }
            Err(error) => {
                container.set_start_failed(self.node.now(), &error.to_string());
                self.notify(ContainerEventKind::Stopped, &sandbox, Some(id));
                Err(error)
            }
        }
    }

    async fn stop_container(&self, id: &ContainerId, grace: Duration) -> Result<()> {
        let Ok(container) = self.container(id) else {
            return Ok(());
        };
        let Ok(running) = container.running() else {
            return Ok(());
        };
        if !grace.is_zero() {
            self.node
                .kernel
                .kill_host(&running.task.process, container.stop_signal());
            // A stopped (SIGSTOP) process must run to act upon the signal.
            self.node.kernel.kill_host(&running.task.process, Signal::CONT);
            let (exited, timeout) = (pin!(container.exited()), pin!(self.sleep(grace)));
            if let futures_util::future::Either::Left(_) = futures_util::future::select(exited, timeout).await {
                return Ok(());
            }
        }
        container.kill(&self.node);
        container.exited().await;
        Ok(())
    }

    async fn update_container_resources(&self, id: &ContainerId, resources: &Resources) -> Result<()> {
        limit(&self.container(id)?.cgroup, resources);
        Ok(())
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<()> {
        self.stop_container(id, Duration::ZERO).await?;
        let Ok(container) = self.container(id) else {
            return Ok(());
        };
        self.state.lock().containers.retain(|other| other.id != *id);
        container.sandbox.containers.lock().retain(|other| other.id != *id);
        self.notify(ContainerEventKind::Deleted, &container.sandbox, Some(id));
        Ok(())
    }

    async fn list_containers(&self, filter: &ContainerFilter) -> Result<Vec<ContainerStatus>> {
        let all = self.state.lock().containers.clone();
        let pod_uid = |container: &Container| container.sandbox.config.metadata.uid.clone();
        let statuses = all
            .iter()
            .rev()
            .map(|container| (container.status(), pod_uid(container)));
        let wanted = statuses.filter(|(status, pod_uid)| filter.matches(status, pod_uid));
        Ok(wanted.map(|(status, _)| status).collect())
    }

    async fn container_status(&self, id: &ContainerId) -> Result<ContainerStatus> {
        Ok(self.container(id)?.status())
    }

    async fn container_stats(&self, id: &ContainerId) -> Result<ContainerStats> {
        let container = self.container(id)?;
        let stats = container.cgroup.stats();
        Ok(ContainerStats {
            cpu_usage_nanos: u64::try_from(stats.cpu.as_nanos()).unwrap_or(u64::MAX),
            memory_working_set: stats.memory,
            writable_layer: container
                .running()
                .map_or(0, |running| volume::usage(&running.namespaces.mnt)),
            pids: stats.pids,
        })
    }

    async fn exec(&self, request: ExecRequest) -> Result<ExecSession> {
        let container = self.container(&request.container)?;
        let io = if request.tty {
            Io::pty(&container.running()?.ptys, request.winsize)?
        } else {
            Io::pipes(&self.node, request.stdin, request.stdout, request.stderr)?
        };
        let task = self.start_exec(&container, &request.command, &io, request.tty)?;
        Ok(process::session(task, io))
    }

    async fn exec_sync(
        &self,
        id: &ContainerId,
        command: &[String],
        timeout: Option<Duration>,
    ) -> Result<ExecSyncOutput> {
        let container = self.container(id)?;
        let io = Io::pipes(&self.node, false, true, true)?;
        let task = self.start_exec(&container, command, &io, false)?;
        let Io {
            stdio, stdout, stderr, ..
        } = io;
        drop(stdio);
        let read = async |file| {
            let mut output = Vec::new();
            if let Some(file) = file {
                let mut reader = FileReader(file).take(MAX_SYNC_OUTPUT as u64);
                // An error is the end of the output, too.
                let _ = reader.read_to_end(&mut output).await;
            }
            output
        };
        let run = async { futures_util::join!(read(stdout), read(stderr), task.wait_exit()) };
        let limit = async {
            match timeout {
                Some(timeout) => self.sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        match futures_util::future::select(pin!(run), pin!(limit)).await {
            futures_util::future::Either::Left(((stdout, stderr, status), _)) => Ok(ExecSyncOutput {
                stdout,
                stderr,
                exit_code: status.exit_code(),
            }),
            futures_util::future::Either::Right(_) => {
                self.node.kernel.kill_host(&task.process, Signal::KILL);
                let timeout = timeout.unwrap_or_default();
                Err(Error::Timeout(format!(
                    "command {:?} timed out after {timeout:?}",
                    command.join(" ")
                )))
            }
        }
    }

    async fn attach(&self, request: AttachRequest) -> Result<ExecSession> {
        let container = self.container(&request.container)?;
        let running = container.running()?;
        let stdin = container.stdin.lock().clone().filter(|_| request.stdin);
        if request.stdin && !container.config.stdin {
            return Err(Error::FailedPrecondition(format!(
                "container {} has no stdin",
                container.id
            )));
        }
        if container.config.stdin_once && request.stdin {
            container.stdin.lock().take();
        }
        let listen = |wanted: bool, stream| wanted.then(|| container.listen(stream));
        let (resize, mut sizes) = mpsc::channel::<Winsize>(4);
        if let Some(tty) = &running.tty {
            let tty = Arc::downgrade(tty);
            tokio::spawn(async move {
                while let (Some(size), Some(tty)) = (sizes.recv().await, tty.upgrade()) {
                    tty.set_winsize(size);
                }
            });
        }
        let (stdout, stderr) = (
            listen(request.stdout, LogStream::Stdout),
            listen(request.stderr && !container.config.tty, LogStream::Stderr),
        );
        let waiting = container.clone();
        Ok(ExecSession {
            stdin: stdin.map(|file| Box::new(FileWriter(Some(file))) as BoxWrite),
            stdout,
            stderr,
            resize,
            exit: async move { Ok(waiting.exited().await.map_or(0, |exit| exit.exit_code)) }.boxed(),
        })
    }

    async fn port_forward(&self, sandbox: &SandboxId, port: u16) -> Result<BoxDuplex> {
        let sandbox = self.sandbox(sandbox)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let stream = sandbox
            .namespaces
            .net
            .connect_from_host(address)
            .await
            .map_err(|errno| {
                describe(
                    &format!(
                        "failed to connect to localhost:{port} inside namespace {:?}",
                        sandbox.id.0
                    ),
                    errno,
                )
            })?;
        Ok(Box::new(HostConnection(stream)))
    }

    async fn dial(&self, address: SocketAddr) -> std::io::Result<BoxDuplex> {
        backend::dial(&self.node.dialer(), address).await
    }

    async fn container_logs(&self, id: &ContainerId, options: LogOptions) -> Result<LogEntries> {
        Ok(self.container(id)?.log().read(options))
    }

    async fn get_container_events(&self) -> Result<ContainerEvents> {
        let receiver = self.events.subscribe();
        let next = |mut receiver: broadcast::Receiver<ContainerEvent>| async move {
            receiver.recv().await.ok().map(|event| (event, receiver))
        };
        Ok(futures_util::stream::unfold(receiver, next).boxed())
    }

    async fn create_volume(&self, config: VolumeConfig) -> Result<VolumeId> {
        let id = VolumeId(format!("{}/{}", config.pod_uid, config.name));
        if !self.state.lock().volumes.contains_key(&id) {
            let volume = Arc::new(Volume::new(&self.node, config)?);
            self.state.lock().volumes.entry(id.clone()).or_insert(volume);
        }
        Ok(id)
    }

    async fn change_volume(&self, id: &VolumeId, changes: &[VolumeChange]) -> Result<()> {
        self.volume(id)?.change(changes)
    }

    async fn read_volume_file(&self, id: &VolumeId, path: &str, limit: usize) -> Result<Option<Bytes>> {
        self.volume(id)?.read(path, limit)
    }

    async fn host_path(&self, path: &Path, create: Option<HostPathCreate>) -> Result<Option<FileType>> {
        self.node.host_path(&path.to_string_lossy(), create)
    }

    async fn volume_usage(&self, id: &VolumeId) -> Result<u64> {
        Ok(self.volume(id)?.usage())
    }

    async fn change_host_path(&self, changes: &[VolumeChange]) -> Result<()> {
        volume::change(&self.node.kernel.initial_namespaces().mnt, changes)
    }

    async fn remove_volume(&self, id: &VolumeId) -> Result<()> {
        self.state.lock().volumes.remove(id);
        Ok(())
    }
}

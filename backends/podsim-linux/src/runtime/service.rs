//! [`LinuxRuntime`]: CRI over real namespaces. Here is who knows whom; what sandboxes and containers do is in their files.

use crate::child::orders::Bind;
use crate::network;
use crate::runtime::config::LinuxConfig;
use crate::runtime::container::Container;
use crate::runtime::node::Node;
use crate::runtime::process::{self, Started, internal};
use crate::runtime::sandbox::Sandbox;
use crate::runtime::stdio::{Input, Stdio};
use crate::runtime::volume::{self, Volume};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::{FutureExt, StreamExt};
use parking_lot::Mutex;
use podsim_cri::*;
use podsim_sys::{FileType, Pid, Signal, Winsize, sleep_until};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::broadcast;

/// How long `start_container` waits for a program that goes on computing.
const SETTLE: Duration = Duration::from_millis(200);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(2);
/// Output that `exec_sync` keeps, as CRI has it.
const MAX_SYNC_OUTPUT: u64 = 16 << 20;

/// The Linux backend: one node. Cheap to clone.
#[derive(Clone)]
pub struct LinuxRuntime {
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

impl LinuxRuntime {
    /// Makes a node. Must be called inside a tokio runtime, and after [`crate::prepare`].
    ///
    /// # Errors
    ///
    /// What the host does not have or does not allow.
    pub fn new(config: LinuxConfig) -> Result<Self> {
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
    pub async fn exec_on_node(
        &self,
        command: &[String],
        tty: bool,
        stdin: bool,
        winsize: Option<Winsize>,
    ) -> Result<ExecSession> {
        let started = self.node.exec(command, tty, stdin, winsize).await?;
        Ok(process::session(started))
    }

    /// A file of the node's own filesystem.
    ///
    /// # Errors
    ///
    /// As reading a file does.
    pub fn read_node_file(&self, path: &str) -> std::io::Result<Vec<u8>> {
        self.node.read_file(path)
    }

    /// Kills what still runs, and removes what the node has made on this host: network, cgroups, directories.
    pub async fn shutdown(&self) {
        let sandboxes = self.state.lock().sandboxes.clone();
        let removed = sandboxes.iter().map(|sandbox| self.remove_pod_sandbox(&sandbox.id));
        for error in futures_util::future::join_all(removed)
            .await
            .into_iter()
            .filter_map(Result::err)
        {
            tracing::warn!("{error}");
        }
        self.state.lock().volumes.clear();
        self.node.remove();
    }

    /// The network namespace of the node, if it is not the host's.
    #[must_use]
    pub fn own_network(&self) -> Option<&network::NetNs> {
        self.node.own_network()
    }

    /// Whether every process of the node sleeps, and its network has come to rest.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        crate::orphans::sleeps(std::process::id().cast_signed()) && self.node.network.is_settled()
    }

    fn sandbox(&self, id: &SandboxId) -> Result<Arc<Sandbox>> {
        let state = self.state.lock();
        let found = state.sandboxes.iter().find(|sandbox| sandbox.id == *id);
        found.cloned().ok_or_else(|| Error::NotFound(format!("sandbox {id}")))
    }

    fn container(&self, id: &ContainerId) -> Result<Arc<Container>> {
        let state = self.state.lock();
        let found = state.containers.iter().find(|container| container.id == *id);
        found.cloned().ok_or_else(|| Error::NotFound(format!("container {id}")))
    }

    fn volume(&self, id: &VolumeId) -> Result<Arc<Volume>> {
        let found = self.state.lock().volumes.get(id).cloned();
        found.ok_or_else(|| Error::NotFound(format!("volume {id}")))
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
        let bind = |mount: &Mount| {
            let (source, within) = match &mount.source {
                MountSource::HostPath { path, sub_path } => {
                    let path = path.to_string_lossy().into_owned();
                    let within = std::iter::once(path).chain(sub_path.clone());
                    (self.node.filesystem(), within.collect())
                }
                MountSource::Volume { id, sub_path } => (
                    self.volume(id)?.path().to_owned(),
                    sub_path.clone().into_iter().collect(),
                ),
            };
            Ok(Bind {
                source,
                within,
                target: mount.container_path.clone(),
                readonly: mount.readonly,
                recursive_readonly: mount.recursive_readonly,
                propagation: mount.propagation,
            })
        };
        mounts.iter().map(bind).collect()
    }

    async fn sleep(&self, time: Duration) {
        let clock = &self.node.config.clock;
        sleep_until(clock, clock.monotonic().saturating_add(time)).await;
    }

    /// Waits until a new container's processes sleep, or for [`SETTLE`]. Runtimes that are slower start a container when the one before
    /// is up, and people rely on it (their notes show it).
    async fn settle(&self, pid: Pid) {
        let end = self.node.config.clock.monotonic().saturating_add(SETTLE);
        let mut rested = 0;
        while rested < 2 && self.node.config.clock.monotonic() < end {
            self.sleep(LOOK).await;
            rested = if crate::orphans::sleeps(pid.0) { rested + 1 } else { 0 };
        }
    }

    async fn start(&self, container: &Container) -> Result<Started> {
        let binds = self.binds(&container.config.mounts)?;
        let target = match &container.config.namespaces.pid {
            NamespaceMode::Target(id) => Some(self.container(id)?.running()?.process.pidfd()),
            _ => None,
        };
        let (_, started) = container.start(&self.node, binds, target).await?;
        Ok(started)
    }
}

#[async_trait]
impl RuntimeService for LinuxRuntime {
    fn version(&self) -> (String, String) {
        ("podsim".to_owned(), env!("CARGO_PKG_VERSION").to_owned())
    }

    async fn status(&self) -> Result<()> {
        Ok(())
    }

    async fn update_runtime_config(&self, pod_cidr: &str) -> Result<()> {
        let own = self.node.config.pod_cidr.to_string();
        if pod_cidr == own {
            return Ok(());
        }
        Err(Error::Unsupported(format!(
            "the bridge of this node is in {own}; its Pods cannot be in {pod_cidr}"
        )))
    }

    async fn run_pod_sandbox(&self, config: PodSandboxConfig) -> Result<SandboxId> {
        let sandbox = Sandbox::run(&self.node, config).await?;
        let id = sandbox.id.clone();
        self.state.lock().sandboxes.push(sandbox.clone());
        self.notify(ContainerEventKind::Created, &sandbox, None);
        self.notify(ContainerEventKind::Started, &sandbox, None);
        let this = self.clone();
        tokio::spawn(async move {
            sandbox.pause.exited().await;
            sandbox.stop(&this.node);
            this.notify(ContainerEventKind::Stopped, &sandbox, None);
        });
        Ok(id)
    }

    async fn stop_pod_sandbox(&self, id: &SandboxId) -> Result<()> {
        let Ok(sandbox) = self.sandbox(id) else { return Ok(()) };
        sandbox.stop(&self.node);
        sandbox.pause.exited().await;
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
        sandbox.remove(&self.node);
        self.state.lock().sandboxes.retain(|other| other.id != *id);
        self.notify(ContainerEventKind::Deleted, &sandbox, None);
        Ok(())
    }

    async fn pod_sandbox_status(&self, id: &SandboxId) -> Result<PodSandboxStatus> {
        Ok(self.sandbox(id)?.status())
    }

    async fn list_pod_sandbox(&self, filter: &PodSandboxFilter) -> Result<Vec<PodSandboxStatus>> {
        let all = self.state.lock().sandboxes.clone();
        let statuses = all.iter().rev().map(|sandbox| sandbox.status());
        Ok(statuses.filter(|status| filter.matches(status)).collect())
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
        let sandbox = container.sandbox.clone();
        match self.start(&container).await {
            Ok(started) => {
                let pid = started.process.pid;
                self.notify(ContainerEventKind::Started, &sandbox, Some(id));
                let (this, node) = (self.clone(), self.node.clone());
                tokio::spawn(async move {
                    let id = container.id.clone();
                    container.supervise(node, started).await;
                    this.notify(ContainerEventKind::Stopped, &sandbox, Some(&id));
                });
                self.settle(pid).await;
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
            running.process.kill(container.stop_signal());
            // A stopped (SIGSTOP) process must run to act upon the signal.
            running.process.kill(Signal::CONT);
            let (exited, timeout) = (pin!(container.exited()), pin!(self.sleep(grace)));
            if let Either::Left(_) = select(exited, timeout).await {
                return Ok(());
            }
        }
        container.kill();
        container.exited().await;
        Ok(())
    }

    async fn update_container_resources(&self, id: &ContainerId, resources: &Resources) -> Result<()> {
        match &self.container(id)?.cgroup {
            Some(cgroup) => cgroup
                .apply(resources)
                .map_err(|error| Error::Internal(error.to_string())),
            None => Ok(()),
        }
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<()> {
        self.stop_container(id, Duration::ZERO).await?;
        let Ok(container) = self.container(id) else {
            return Ok(());
        };
        self.state.lock().containers.retain(|other| other.id != *id);
        container.sandbox.containers.lock().retain(|other| other.id != *id);
        container.remove();
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
        let usage = container
            .cgroup
            .as_ref()
            .map(|cgroup| cgroup.stats())
            .unwrap_or_default();
        Ok(ContainerStats {
            cpu_usage_nanos: usage.cpu_nanos.unwrap_or(0),
            memory_working_set: usage.memory_working_set.unwrap_or(0),
            writable_layer: self.node.writable_layer(&id.0),
            pids: usage.pids.unwrap_or(0),
        })
    }

    async fn exec(&self, request: ExecRequest) -> Result<ExecSession> {
        let container = self.container(&request.container)?;
        let stdio = if request.tty {
            Stdio::none()
        } else {
            Stdio::pipes(request.stdin, request.stdout, request.stderr)
        };
        let tty = request.tty.then_some(request.winsize);
        let started = container
            .exec(&self.node, &request.command, stdio.map_err(internal)?, tty)
            .await?;
        Ok(process::session(started))
    }

    async fn exec_sync(
        &self,
        id: &ContainerId,
        command: &[String],
        timeout: Option<Duration>,
    ) -> Result<ExecSyncOutput> {
        let container = self.container(id)?;
        let stdio = Stdio::pipes(false, true, true).map_err(internal)?;
        let Started {
            process,
            stdout,
            stderr,
            ..
        } = container.exec(&self.node, command, stdio, None).await?;
        let run = async { futures_util::join!(read_all(stdout), read_all(stderr), process.exited()) };
        let limit = async {
            match timeout {
                Some(timeout) => self.sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        match select(pin!(run), pin!(limit)).await {
            Either::Left(((stdout, stderr, status), _)) => Ok(ExecSyncOutput {
                stdout,
                stderr,
                exit_code: status.exit_code(),
            }),
            Either::Right(_) => {
                process.kill(Signal::KILL);
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
        if request.stdin && !container.config.stdin {
            return Err(Error::FailedPrecondition(format!(
                "container {} has no stdin",
                container.id
            )));
        }
        let stdin = container.stdin.lock().clone().filter(|_| request.stdin);
        if container.config.stdin_once && request.stdin {
            container.stdin.lock().take();
        }
        let listen = |wanted: bool, stream| wanted.then(|| container.listen(stream));
        let (stdout, stderr) = (
            listen(request.stdout, LogStream::Stdout),
            listen(request.stderr && !container.config.tty, LogStream::Stderr),
        );
        let waiting = container.clone();
        Ok(ExecSession {
            stdin: stdin.map(|stream| Box::new(Input(Some(stream))) as BoxWrite),
            stdout,
            stderr,
            resize: process::resizer(running.terminal.clone()),
            exit: async move { Ok(waiting.exited().await.map_or(0, |exit| exit.exit_code)) }.boxed(),
        })
    }

    async fn port_forward(&self, sandbox: &SandboxId, port: u16) -> Result<BoxDuplex> {
        let sandbox = self.sandbox(sandbox)?;
        let stream = network::port_forward(&sandbox.net, port).await.map_err(|error| {
            Error::Internal(format!(
                "failed to connect to localhost:{port} inside namespace {:?}: {}",
                sandbox.id.0,
                crate::mount::plain(&error)
            ))
        })?;
        Ok(Box::new(stream))
    }

    async fn dial(&self, address: SocketAddr) -> std::io::Result<BoxDuplex> {
        backend::dial(self.node.network.netns(), address).await
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
            let path = self.node.path("volumes", &config.pod_uid).join(&config.name);
            let volume = match &config.image {
                Some(image) => Volume::of_image(&self.node, path, image)?,
                None => Volume::new(path, &config)?,
            };
            let volume = Arc::new(volume);
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
        Ok(volume::disk_usage(self.volume(id)?.path()))
    }

    async fn change_host_path(&self, changes: &[VolumeChange]) -> Result<()> {
        volume::change(&self.node.filesystem(), changes)
    }

    async fn remove_volume(&self, id: &VolumeId) -> Result<()> {
        self.state.lock().volumes.remove(id);
        Ok(())
    }
}

async fn read_all(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut output = Vec::new();
    if let Some(stream) = stream {
        // An error is the end of the output, too.
        let _ = stream.take(MAX_SYNC_OUTPUT).read_to_end(&mut output).await;
    }
    output
}

//! The two traits.

use crate::{
    AttachRequest, BoxDuplex, ContainerConfig, ContainerEvents, ContainerFilter, ContainerId, ContainerStats,
    ContainerStatus, ExecRequest, ExecSession, ExecSyncOutput, FilesystemUsage, HostPathCreate, Image, LogEntries,
    LogOptions, PodSandboxConfig, PodSandboxFilter, PodSandboxStatus, Resources, Result, SandboxId, VolumeChange,
    VolumeConfig, VolumeId,
};
use async_trait::async_trait;
use bytes::Bytes;
use podsim_sys::FileType;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// What runs the containers of a node.
///
/// All calls may be made at the same time from many tasks. Stop and remove are idempotent: an object that is gone is `Ok`.
#[async_trait]
pub trait RuntimeService: Send + Sync + 'static {
    /// Name and version, as `("podsim", "0.1.0")`; the name is the scheme of container ids in a Pod's status.
    fn version(&self) -> (String, String);

    /// `Err` says why the runtime is not ready.
    async fn status(&self) -> Result<()>;

    /// Sets the range of the Pods' addresses, e.g. `172.172.1.0/24`. Applies to sandboxes made from then on.
    async fn update_runtime_config(&self, pod_cidr: &str) -> Result<()>;

    /// Makes and starts a sandbox: when it returns, pause runs and the network is up.
    async fn run_pod_sandbox(&self, config: PodSandboxConfig) -> Result<SandboxId>;

    /// Kills what still runs in the sandbox, at once, and gives the network back. The status can still be asked for.
    async fn stop_pod_sandbox(&self, id: &SandboxId) -> Result<()>;

    /// Stops and forgets the sandbox and its containers.
    async fn remove_pod_sandbox(&self, id: &SandboxId) -> Result<()>;

    /// A sandbox as it is.
    async fn pod_sandbox_status(&self, id: &SandboxId) -> Result<PodSandboxStatus>;

    /// Sandboxes, the newest first.
    async fn list_pod_sandbox(&self, filter: &PodSandboxFilter) -> Result<Vec<PodSandboxStatus>>;

    /// Makes a container. Its image must be present ([`crate::Error::ImageNotFound`]).
    async fn create_container(&self, sandbox: &SandboxId, config: ContainerConfig) -> Result<ContainerId>;

    /// Starts its first process. If that cannot be ([`crate::Error::StartFailed`]), the container is `Exited` with the same
    /// reason, message and exit code 128.
    async fn start_container(&self, id: &ContainerId) -> Result<()>;

    /// Sends the stop signal, waits for at most `grace`, sends SIGKILL, and returns when the container has ended. With no
    /// grace SIGKILL comes at once. A second call with a shorter grace shortens that of a first one.
    async fn stop_container(&self, id: &ContainerId, grace: Duration) -> Result<()>;

    /// Changes the limits of a container, also of one that runs (`UpdateContainerResources`). A memory limit below what is in use may be refused.
    async fn update_container_resources(&self, id: &ContainerId, resources: &Resources) -> Result<()>;

    /// Forgets a container with its log; a running one is killed first.
    async fn remove_container(&self, id: &ContainerId) -> Result<()>;

    /// Containers, the newest first.
    async fn list_containers(&self, filter: &ContainerFilter) -> Result<Vec<ContainerStatus>>;

    /// A container as it is.
    async fn container_status(&self, id: &ContainerId) -> Result<ContainerStatus>;

    /// What a container uses.
    async fn container_stats(&self, id: &ContainerId) -> Result<ContainerStats>;

    /// Starts a command in a container. A command that cannot be started is [`crate::Error::StartFailed`] with 126 or 127.
    async fn exec(&self, request: ExecRequest) -> Result<ExecSession>;

    /// Runs a command to its end; after `timeout` (`None`: never) it is killed and the call is
    /// [`crate::Error::Timeout`].
    async fn exec_sync(
        &self,
        container: &ContainerId,
        command: &[String],
        timeout: Option<Duration>,
    ) -> Result<ExecSyncOutput>;

    /// Attaches to a running container's first process.
    async fn attach(&self, request: AttachRequest) -> Result<ExecSession>;

    /// Connects to 127.0.0.1:`port` in the sandbox's network namespace.
    async fn port_forward(&self, sandbox: &SandboxId, port: u16) -> Result<BoxDuplex>;

    /// Connects from the node's network namespace, over TCP: what the kubelet of a real node does by itself for probes and hooks, being in
    /// that namespace. The caller sets the time limit, by dropping the future.
    ///
    /// # Errors
    ///
    /// Those of connect(2), by their kind.
    async fn dial(&self, address: SocketAddr) -> std::io::Result<BoxDuplex>;

    /// The log of a container, also of one that has ended but was not removed.
    async fn container_logs(&self, id: &ContainerId, options: LogOptions) -> Result<LogEntries>;

    /// What happens from now on.
    async fn get_container_events(&self) -> Result<ContainerEvents>;

    /// Makes a volume; one that is there already (same Pod, same name) is kept as it is.
    async fn create_volume(&self, config: VolumeConfig) -> Result<VolumeId>;

    /// Changes what a volume holds, in order; the first change that cannot be made ends it, and those before it stay.
    async fn change_volume(&self, id: &VolumeId, changes: &[VolumeChange]) -> Result<()>;

    /// Reads at most the last `limit` bytes of a file in a volume (termination messages); `None` if there is no such file.
    async fn read_volume_file(&self, id: &VolumeId, path: &str, limit: usize) -> Result<Option<Bytes>>;

    /// Bytes that what a volume holds takes.
    async fn volume_usage(&self, id: &VolumeId) -> Result<u64>;

    /// What is at a path of the node's filesystem, symbolic links followed. If nothing is, `create` is made first. The node's filesystem is its
    /// own: of this machine's files only those are in it that the user has lent.
    async fn host_path(&self, path: &Path, create: Option<HostPathCreate>) -> Result<Option<FileType>>;

    /// Changes what the node's filesystem holds, as [`change_volume`](Self::change_volume) does for a volume.
    async fn change_host_path(&self, changes: &[VolumeChange]) -> Result<()>;

    /// Forgets a volume and what it holds.
    async fn remove_volume(&self, id: &VolumeId) -> Result<()>;
}

/// What has the images of a node.
#[async_trait]
pub trait ImageService: Send + Sync + 'static {
    /// Images that are present.
    async fn list_images(&self) -> Result<Vec<Image>>;

    /// The image that a reference (or an id) means, if it is present.
    async fn image_status(&self, reference: &str) -> Result<Option<Image>>;

    /// Fetches an image and gives its id. [`crate::Error::ImageNotFound`] if no registry that may be asked has it.
    async fn pull_image(&self, reference: &str) -> Result<String>;

    /// Forgets an image.
    async fn remove_image(&self, reference: &str) -> Result<()>;

    /// Space used.
    async fn image_fs_info(&self) -> Result<FilesystemUsage>;
}

//! Containers of a sandbox.

use crate::{Mount, NamespaceInodes, NamespaceOption, Resources, SandboxId, SecurityContext};
use jiff::Timestamp;
use podsim_sys::{Pid, Signal};
use std::collections::BTreeMap;

/// Names a container of the runtime: 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerId(pub String);

impl std::fmt::Display for ContainerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Which container of the Pod. `k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT` is its name in `docker ps`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerMetadata {
    /// Its name in the Pod.
    pub name: String,
    /// How many containers of this name the Pod had before.
    pub attempt: u32,
}

/// A container to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerConfig {
    /// Which.
    pub metadata: ContainerMetadata,
    /// Reference or id of an image that is present.
    pub image: String,
    /// Replaces the image's entrypoint (and then its cmd) if not empty.
    pub command: Vec<String>,
    /// Replaces the image's cmd if not empty.
    pub args: Vec<String>,
    /// Working directory; the image's if `None`.
    pub working_dir: Option<String>,
    /// Added to the image's environment, in this order.
    pub envs: Vec<(String, String)>,
    /// What is mounted.
    pub mounts: Vec<Mount>,
    /// Kept for selection.
    pub labels: BTreeMap<String, String>,
    /// Kept.
    pub annotations: BTreeMap<String, String>,
    /// Path of the log, relative to the sandbox's log directory: `CONTAINER/ATTEMPT.log`.
    pub log_path: String,
    /// Keep stdin open for attach; else it is /dev/null.
    pub stdin: bool,
    /// Close stdin when the first attach that wrote to it ends.
    pub stdin_once: bool,
    /// A terminal as stdin, stdout and stderr.
    pub tty: bool,
    /// The signal that stops it; else the image's `StopSignal`, else SIGTERM.
    pub stop_signal: Option<Signal>,
    /// Namespaces.
    pub namespaces: NamespaceOption,
    /// Credentials.
    pub security: SecurityContext,
    /// Limits.
    pub resources: Resources,
}

/// The life of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// Made, not started.
    Created,
    /// Its first process lives.
    Running,
    /// Its first process has ended, or could not be started.
    Exited,
}

/// A container as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerStatus {
    /// Its id.
    pub id: ContainerId,
    /// Its sandbox.
    pub sandbox: SandboxId,
    /// Which of the Pod.
    pub metadata: ContainerMetadata,
    /// Where in its life.
    pub state: ContainerState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Of the first process, 128 + signal if a signal killed it; 128 if it could not be started. `None` before the end.
    pub exit_code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<Signal>,
    /// The image as the config named it.
    pub image: String,
    /// The image's id, as `sha256:…`.
    pub image_id: String,
    /// `Completed`, `Error`, `OOMKilled`, `StartError`, `ContainerCannotRun`; empty before the end.
    pub reason: String,
    /// More on the reason, for people.
    pub message: String,
    /// The first process's pid on the node, while it runs.
    pub pid: Option<Pid>,
    /// The namespaces of the first process (the last known).
    pub namespace_inodes: NamespaceInodes,
    /// As configured.
    pub namespaces: NamespaceOption,
    /// The command line that it really runs: entrypoint and cmd resolved.
    pub argv: Vec<String>,
    /// As configured.
    pub mounts: Vec<Mount>,
    /// As configured.
    pub labels: BTreeMap<String, String>,
    /// As configured.
    pub annotations: BTreeMap<String, String>,
    /// Full path of the log on the node.
    pub log_path: String,
    /// As configured.
    pub tty: bool,
    /// As configured.
    pub stdin: bool,
}

/// Which containers to list; a default filter lists all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerFilter {
    /// This one.
    pub id: Option<ContainerId>,
    /// In this state.
    pub state: Option<ContainerState>,
    /// In this sandbox.
    pub sandbox: Option<SandboxId>,
    /// Of this Pod, whatever sandbox.
    pub pod_uid: Option<String>,
}

/// What a container uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerStats {
    /// CPU time so far, in nanoseconds.
    pub cpu_usage_nanos: u64,
    /// Memory in use, in bytes.
    pub memory_working_set: u64,
    /// Bytes in the writable layer.
    pub writable_layer: u64,
    /// Living processes.
    pub pids: u64,
}

impl ContainerFilter {
    /// Whether it lists a container of this Pod.
    #[must_use]
    pub fn matches(&self, status: &ContainerStatus, pod_uid: &str) -> bool {
        self.id.as_ref().is_none_or(|id| *id == status.id)
            && self.state.is_none_or(|state| state == status.state)
            && self.sandbox.as_ref().is_none_or(|id| *id == status.sandbox)
            && self.pod_uid.as_ref().is_none_or(|uid| uid == pod_uid)
    }
}

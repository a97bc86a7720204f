//! What happens to containers and sandboxes (`GetContainerEvents` of CRI): what a kubelet acts on instead of polling.

use crate::{ContainerId, SandboxId};
use futures_util::stream::BoxStream;
use jiff::Timestamp;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerEventKind {
    /// Made.
    Created,
    /// Its first process was started.
    Started,
    /// Its first process has ended.
    Stopped,
    /// Removed.
    Deleted,
}

/// Something happened to a container; `container` is `None` if it happened to the sandbox itself (its pause process).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerEvent {
    /// When.
    pub time: Timestamp,
    /// What.
    pub kind: ContainerEventKind,
    /// Whose sandbox.
    pub sandbox: SandboxId,
    /// To which container.
    pub container: Option<ContainerId>,
    /// Of which Pod.
    pub pod_uid: String,
}

/// Events from the moment of the call on. Its end means that the subscriber was too slow (or the runtime is gone):
/// list everything and subscribe again.
pub type ContainerEvents = BoxStream<'static, ContainerEvent>;

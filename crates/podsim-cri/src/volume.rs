//! Volumes: directories on the node that containers mount, filled by the kubelet.
//!
//! Not in CRI, where the kubelet makes directories under `/var/lib/kubelet/pods/UID/`. A runtime may well put them there:
//! [`VolumeConfig`] has the uid and the name for it.

use bytes::Bytes;
use std::path::PathBuf;

/// Names a volume of the runtime.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VolumeId(pub String);

impl std::fmt::Display for VolumeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A volume to be made. It lives until it is removed, whatever happens to the containers that mount it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeConfig {
    /// The Pod that it belongs to.
    pub pod_uid: String,
    /// Unique within the Pod, e.g. `cache` of `spec.volumes`, or `etc-hosts` for a file of the kubelet's own.
    pub name: String,
    /// In memory (`emptyDir.medium: Memory`), which counts against the containers' memory.
    pub memory: bool,
    /// Bytes; writing more is ENOSPC.
    pub size_limit: Option<u64>,
    /// Mode of the top directory; an emptyDir has 0o777.
    pub mode: u32,
    /// What it holds at first.
    pub files: Vec<VolumeFile>,
}

/// A file in a new volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeFile {
    /// Relative to the volume, without `..`; directories on the way are made.
    pub path: String,
    /// What it holds.
    pub content: Bytes,
    /// Permission bits.
    pub mode: u32,
}

/// What is mounted into a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountSource {
    /// A path on the node. It must exist.
    HostPath(PathBuf),
    /// A volume, or a file or directory in it (`sub_path`, relative; a missing one is made, a directory).
    Volume {
        /// Which.
        id: VolumeId,
        /// The whole volume if `None`.
        sub_path: Option<String>,
    },
}

/// A mount of a container. A missing mount point is made, as runc does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Absolute path in the container.
    pub container_path: String,
    /// What is seen there.
    pub source: MountSource,
    /// Writing is EROFS.
    pub readonly: bool,
}

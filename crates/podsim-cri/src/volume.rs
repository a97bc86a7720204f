//! Volumes: directories on the node that containers mount, filled by the kubelet.
//!
//! Not in CRI, where the kubelet makes directories under `/var/lib/kubelet/pods/UID/`. A runtime may well put them there:
//! [`VolumeConfig`] has the uid and the name for it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
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
    /// The files of this image instead, a reference or an id: nobody can write there.
    pub image: Option<String>,
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

/// A change to what a volume holds. Paths are relative to the volume, without `..`; the directories on the way must be there, and none
/// of them may be a symbolic link: nothing outside of the volume can be meant. The last name is never followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeChange {
    /// Makes a directory.
    Directory {
        /// Where.
        path: String,
        /// Permission bits, whatever the umask.
        mode: u32,
    },
    /// Makes a file where nothing is.
    File {
        /// Where.
        path: String,
        /// What it holds.
        content: Bytes,
        /// Permission bits, whatever the umask.
        mode: u32,
        /// The owner; `None`: root.
        uid: Option<u32>,
    },
    /// Makes a symbolic link.
    Symlink {
        /// Where.
        path: String,
        /// Its text.
        target: String,
    },
    /// Gives something another name; what had that name is replaced in the same instant.
    Rename {
        /// The old name.
        from: String,
        /// The new name.
        to: String,
    },
    /// Removes something with all that is in it; what is not there is no error.
    Remove {
        /// Where.
        path: String,
    },
    /// Gives something, and all that is in it, to a group ([`GroupAccess`]).
    Group {
        /// Where; empty for the whole volume.
        path: String,
        /// The group.
        gid: u32,
        /// What its members may do.
        access: GroupAccess,
        /// Nothing is done if the top already is as it would be made (`fsGroupChangePolicy: OnRootMismatch`).
        only_on_mismatch: bool,
    },
}

/// What the members of a volume's group may do (`pkg/volume/volume_linux.go`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupAccess {
    /// Read and write.
    ReadWrite,
    /// Read.
    ReadOnly,
}

impl GroupAccess {
    /// The permission bits of something that was given to the group: directories pass the group on to what is made in them.
    #[must_use]
    pub fn mode(self, mode: u32, is_directory: bool) -> u32 {
        let members = match self {
            Self::ReadWrite => 0o660,
            Self::ReadOnly => 0o440,
        };
        let directory = if is_directory { 0o2110 } else { 0 };
        (mode & 0o7777) | members | directory
    }

    /// Is the top of a volume as it would be made (`requiresPermissionChange`)?
    #[must_use]
    pub fn matches(self, gid: u32, top_gid: u32, top_mode: u32) -> bool {
        gid == top_gid && self.mode(top_mode, true) == top_mode & 0o7777
    }
}

/// What is made at a path of the node where nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostPathCreate {
    /// A directory with mode 0755, and those above it.
    Directory,
    /// An empty file with mode 0644; the directory must be there.
    File,
}

/// What is mounted into a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountSource {
    /// What is at a path of the node's filesystem ([`crate::RuntimeService::host_path`]), or a file or directory in it.
    HostPath {
        /// Absolute.
        path: PathBuf,
        /// The whole if `None`; else as in a volume.
        sub_path: Option<String>,
    },
    /// A volume, or a file or directory in it (`sub_path`, relative; a missing one is made: a directory with the volume's mode, as
    /// `makeMounts` does).
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
    /// Whether what is mounted below it is read-only too.
    pub recursive_readonly: bool,
    /// What is seen of mounts that are made later.
    pub propagation: MountPropagation,
}

/// Which way mounts that are made below a mount are seen (`MountPropagation`; `mount_namespaces(7)`, shared subtrees).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountPropagation {
    /// None.
    #[default]
    Private,
    /// Those of the node, and of other containers, in the container.
    HostToContainer,
    /// Also those of the container, on the node and in other containers.
    Bidirectional,
}

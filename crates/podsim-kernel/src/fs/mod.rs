//! Files.
pub mod fd_table;
pub mod file;
pub use file::{FileDescription, FileOps};

/// A place in the mount tree: a mount, and an inode on it (Linux's `struct path`).
#[derive(Clone)]
pub struct PathRef;

/// Where a process stands (Linux's `fs_struct`).
#[derive(Clone)]
pub struct FsContext {
    /// Its root directory.
    pub root: PathRef,
    /// Its current directory.
    pub cwd: PathRef,
    /// Permission bits that new files do not get.
    pub umask: podsim_sys::Mode,
}

/// A tree of mounts.
pub struct MountNamespace {
    /// Its number in `/proc/PID/ns/mnt`.
    pub inode: u64,
}

impl MountNamespace {
    /// The node's own, with an empty root filesystem.
    #[must_use]
    pub(crate) fn initial(_kernel: std::sync::Weak<crate::Kernel>) -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self {
            inode: podsim_sys::NsKind::Mnt.initial_inode(),
        })
    }

    /// Its root directory.
    #[must_use]
    pub fn root(&self) -> PathRef {
        PathRef
    }
}

//! Files.
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

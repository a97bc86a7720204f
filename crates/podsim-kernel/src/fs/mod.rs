//! Files: inodes, mounts, path lookup, open files, and the filesystems.
//!
//! From a path to bytes: [`namei`] walks a text to a [`PathRef`] (a [`Mount`] and a [`Dentry`] on it), whose [`Inode`] is opened
//! ([`open`]) as a [`FileOps`] and kept in a [`FileDescription`]. Names are changed in [`names`], attributes in [`attr`];
//! permissions are in [`permission`], and [`Caller`] says on whose behalf.
//!
//! A filesystem is a [`SuperBlock`] with a tree of inodes: [`tmpfs`]; [`overlay`], which is a tmpfs over image [`layer`]s; and those
//! that show the kernel's state: [`procfs`], [`sysfs`], [`cgroupfs`], [`devpts`], [`mqueue`] (for `/dev` itself see [`devfs`]). A [`MountNamespace`] says what is seen where; [`rootfs`] has the
//! runtime's own calls on it, [`propagation`] which mounts are seen elsewhere too, [`system_mounts`] mounts `/proc`, `/dev` and `/sys` as containers have them.
//!
//! Locks: a filesystem's tree → propagation → mount table → dentry → inode. None of the kernel's other locks is held when a path is walked.

pub mod attr;
pub mod caller;
pub mod cgroupfs;
pub mod dentry;
pub mod devfs;
pub mod devpts;
pub mod dir_file;
pub mod fd_table;
pub mod file;
pub mod flock;
pub mod inode;
pub mod layer;
pub mod mount;
pub mod mqueue;
pub mod namei;
pub mod names;
pub mod open;
pub mod overlay;
pub mod path;
pub mod permission;
pub mod pipe;
pub mod procfs;
mod propagation;
mod pseudo;
pub mod rootfs;
pub mod super_block;
pub mod sysfs;
pub mod system_mounts;
#[cfg(test)]
mod tests;
pub mod tmpfs;
mod tree;

pub use caller::Caller;
pub use dentry::Dentry;
pub use file::{FileDescription, FileOps};
pub use inode::{Inode, MagicLink, NewInode, SetAttr, Slot};
pub use layer::LayerTree;
pub use mount::{Mount, MountNamespace};
pub use path::PathRef;
pub use super_block::{FileSystem, SuperBlock, Vfs};

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

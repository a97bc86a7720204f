//! [`Inode`]: one object of a filesystem, and what the rest of the kernel can ask of it (Linux's `inode_operations`).
//!
//! An inode knows nothing of names above it, of mounts or of paths: those are [`Dentry`](super::Dentry) and
//! [`Mount`](super::Mount). Permission to walk and to change directories is checked by the callers in `namei.rs` and
//! `vfs.rs`; what is special to one filesystem (procfs) overrides [`Inode::permission`].

use super::caller::Caller;
use super::file::FileOps;
use super::flock::FileLocks;
use super::permission::generic_permission;
use super::{FileDescription, PathRef};
use bytes::Bytes;
use parking_lot::Mutex;
use podsim_sys::{Access, DeviceNumber, DirEntry, Errno, FileType, Mode, OpenFlags, Result, Stat};
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

/// An object of a filesystem. What a type of object cannot do answers as Linux does: ENOTDIR for directory calls on
/// others, EPERM for changes to a filesystem that has none.
pub trait Inode: Any + Send + Sync + 'static {
    /// Type; it never changes.
    fn file_type(&self) -> FileType;
    /// `stat(2)`.
    fn stat(&self) -> Result<Stat>;
    /// Whether the object still exists behind a remembered name (procfs: the process is still there).
    fn is_valid(&self) -> bool {
        true
    }
    /// Whether the caller may do this to it.
    fn permission(&self, caller: &Caller, access: Access) -> Result<()> {
        generic_permission(&self.stat()?, &caller.credentials, access)
    }
    /// Finds a name in the directory.
    fn lookup(&self, _name: &str) -> Result<Arc<dyn Inode>> {
        Err(Errno::ENOTDIR)
    }
    /// Makes a new object in the directory.
    fn create(&self, _name: &str, _new: &NewInode) -> Result<Arc<dyn Inode>> {
        Err(Errno::EPERM)
    }
    /// Gives an object of the same filesystem another name.
    fn link(&self, _name: &str, _target: &Arc<dyn Inode>) -> Result<()> {
        Err(Errno::EPERM)
    }
    /// Removes a name that is not a directory.
    fn unlink(&self, _name: &str) -> Result<()> {
        Err(Errno::EPERM)
    }
    /// Removes an empty directory.
    fn rmdir(&self, _name: &str) -> Result<()> {
        Err(Errno::EPERM)
    }
    /// Moves a name to a directory of the same filesystem, replacing what is there. The caller has checked that no directory moves
    /// into itself.
    fn rename(&self, _old: &str, _new_dir: &Arc<dyn Inode>, _new: &str) -> Result<()> {
        Err(Errno::EPERM)
    }
    /// Entries from position `start` on, at most `max`, without `.` and `..`. Positions below 2 belong to these two.
    fn read_dir(&self, _start: u64, _max: usize) -> Result<Vec<DirEntry>> {
        Err(Errno::ENOTDIR)
    }
    /// The text of a symbolic link.
    fn read_link(&self, _caller: &Caller) -> Result<String> {
        Err(Errno::EINVAL)
    }
    /// Where a magic link leads (procfs); `None` for links that are only text.
    fn magic_link(&self, _caller: &Caller) -> Result<Option<MagicLink>> {
        Ok(None)
    }
    /// Changes mode, owner or times.
    fn set_attr(&self, _change: &SetAttr) -> Result<()> {
        Err(Errno::EPERM)
    }
    /// Sets the size of a regular file.
    fn truncate(&self, _size: u64) -> Result<()> {
        Err(Errno::EINVAL)
    }
    /// Opens a regular file, a device or a special file. Directories, FIFOs and sockets are opened by the VFS.
    fn open(self: Arc<Self>, caller: &Caller, flags: OpenFlags) -> Result<Arc<dyn FileOps>>;
    /// The whole content of a regular file, for exec. A file of an image layer gives its own bytes, not a copy.
    fn content(&self) -> Result<Bytes> {
        Err(Errno::EACCES)
    }
    /// Where a FIFO keeps its pipe and a socket inode its socket.
    fn slot(&self) -> Option<&Slot> {
        None
    }
    /// The `flock(2)` locks on it.
    fn locks(&self) -> Option<&FileLocks> {
        None
    }
}

/// Where a magic link leads: not a text that is walked, but the thing itself.
pub enum MagicLink {
    /// A place, also one in another mount namespace.
    Path(PathRef),
    /// An open file without a path (a pipe, a socket): opening the link opens it anew.
    File(Arc<FileDescription>),
    /// A namespace file (`/proc/PID/ns/*`): the inode to open, without a place of its own.
    Inode(Arc<dyn Inode>),
}

/// What a new object is to be.
#[derive(Clone, Debug)]
pub struct NewInode {
    /// Type.
    pub file_type: FileType,
    /// Permissions, umask already taken off.
    pub mode: Mode,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// For devices.
    pub rdev: DeviceNumber,
    /// For symbolic links.
    pub target: String,
}

/// A change of attributes: what is `None` stays. The change time is set in any case.
#[derive(Clone, Copy, Debug, Default)]
pub struct SetAttr {
    /// Permissions.
    pub mode: Option<Mode>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Access time.
    pub atime: Option<Duration>,
    /// Modification time.
    pub mtime: Option<Duration>,
}

/// A place on an inode for the object behind it: a FIFO's pipe, a bound socket.
#[derive(Default)]
pub struct Slot(Mutex<Option<Arc<dyn Any + Send + Sync>>>);

impl Slot {
    /// What is there, if it is of this type.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.0.lock().clone()?.downcast().ok()
    }

    /// Puts something there.
    pub fn set<T: Any + Send + Sync>(&self, object: Arc<T>) {
        *self.0.lock() = Some(object);
    }

    /// What is there, made first if nothing of this type is.
    pub fn get_or_init<T: Any + Send + Sync>(&self, make: impl FnOnce() -> Arc<T>) -> Arc<T> {
        let mut slot = self.0.lock();
        if let Some(found) = slot.clone().and_then(|object| object.downcast().ok()) {
            return found;
        }
        let made = make();
        *slot = Some(made.clone());
        made
    }
}

/// Downcasts an inode to the type of a filesystem; EXDEV if it is of another.
pub(crate) fn downcast<T: Inode>(inode: &Arc<dyn Inode>) -> Result<Arc<T>> {
    let any: Arc<dyn Any + Send + Sync> = inode.clone();
    any.downcast().map_err(|_| Errno::EXDEV)
}

//! [`SuperBlock`]: one instance of a filesystem, which any number of mounts can show; [`Vfs`]: what all of them share.

use super::dentry::Dentry;
use super::inode::Inode;
use super::propagation::Peers;
use super::tmpfs::quota::take;
use parking_lot::{Mutex, RwLock};
use podsim_sys::{Clock, DeviceNumber, Result, StatFs};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// What all filesystems of a node share: time, the numbers that are handed out, and how much memory files may take.
pub struct Vfs {
    clock: Arc<dyn Clock>,
    memory: u64,
    used: AtomicU64,
    next_minor: AtomicU32,
    next_mount: AtomicU64,
    pub(super) peers: Mutex<Peers>,
}

impl Vfs {
    /// A node's filesystems. `memory` is the node's memory in bytes: half of it is the default limit of a filesystem in memory.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, memory: u64) -> Arc<Self> {
        Arc::new(Self {
            clock,
            memory,
            used: AtomicU64::new(0),
            next_minor: AtomicU32::new(1),
            next_mount: AtomicU64::new(20),
            peers: Mutex::default(),
        })
    }

    /// For filesystems that several nodes see: their device numbers are such as no node's own filesystems come to have.
    #[must_use]
    pub fn shared(clock: Arc<dyn Clock>, memory: u64) -> Arc<Self> {
        /// Half of the minor numbers that there are.
        const FIRST_SHARED: u32 = 1 << 19;
        let vfs = Self::new(clock, memory);
        vfs.next_minor.store(FIRST_SHARED, Ordering::Relaxed);
        vfs
    }

    /// Time.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The size in bytes of a filesystem in memory that was given none (tmpfs: half of the memory).
    #[must_use]
    pub fn default_size(&self) -> u64 {
        self.memory / 2
    }

    /// Takes memory for the content of files: ENOSPC when all filesystems together would hold more than the node has.
    pub(super) fn take_memory(&self, bytes: u64) -> Result<()> {
        take(&self.used, bytes, self.memory)
    }

    pub(super) fn give_memory_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes of memory that the content of files takes on this node: `Shmem` of `/proc/meminfo`.
    #[must_use]
    pub fn memory_used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// A device number for a new filesystem: major 0, as Linux gives those without a disk.
    pub(super) fn new_device(&self) -> DeviceNumber {
        DeviceNumber {
            major: 0,
            minor: self.next_minor.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// The number of a new mount.
    pub(super) fn new_mount_id(&self) -> u64 {
        self.next_mount.fetch_add(1, Ordering::Relaxed)
    }
}

/// What differs from one type of filesystem to another, beside its inodes.
pub trait FileSystem: Send + Sync + 'static {
    /// The type's name in `/proc/mounts`.
    fn name(&self) -> &'static str;
    /// `statfs(2)`.
    fn statfs(&self) -> StatFs;
    /// Its own options in `/proc/mounts`, such as `size=65536k`; empty for none.
    fn options(&self) -> String {
        String::new()
    }
    /// Changes its options at a remount.
    fn remount(&self, _data: &str) -> Result<()> {
        Ok(())
    }
}

/// One instance of a filesystem. It lives as long as a mount, an open file or the runtime holds it.
pub struct SuperBlock {
    fs: Arc<dyn FileSystem>,
    dev: DeviceNumber,
    root: Arc<Dentry>,
    /// Names are changed under the writing side. The lock of a tree comes before those of its inodes.
    pub(super) tree: RwLock<()>,
}

impl SuperBlock {
    /// A filesystem with this root directory.
    #[must_use]
    pub fn new(fs: Arc<dyn FileSystem>, dev: DeviceNumber, root: Arc<dyn Inode>) -> Arc<Self> {
        Arc::new(Self {
            fs,
            dev,
            root: Dentry::root(root),
            tree: RwLock::new(()),
        })
    }

    /// Its type.
    #[must_use]
    pub fn fs(&self) -> &Arc<dyn FileSystem> {
        &self.fs
    }

    /// Its device number.
    #[must_use]
    pub fn dev(&self) -> DeviceNumber {
        self.dev
    }

    /// Its root directory.
    #[must_use]
    pub fn root(&self) -> &Arc<Dentry> {
        &self.root
    }
}

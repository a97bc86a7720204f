//! How much a filesystem in memory may hold: pages and inodes, each filesystem within the node's memory for files.

use crate::fs::super_block::Vfs;
use podsim_sys::{Errno, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes a page.
pub(super) const PAGE: u64 = 4096;
/// What an inode with its name counts as, in bytes.
const INODE_MEMORY: u64 = 1024;

/// What a filesystem may hold and holds.
pub(super) struct Quota {
    vfs: Arc<Vfs>,
    pub(super) max_pages: AtomicU64,
    pub(super) pages: AtomicU64,
    pub(super) max_inodes: AtomicU64,
    pub(super) inodes: AtomicU64,
}

impl Quota {
    pub(super) fn new(vfs: &Arc<Vfs>, pages: u64, inodes: u64) -> Self {
        Self {
            vfs: vfs.clone(),
            max_pages: AtomicU64::new(pages),
            pages: AtomicU64::new(0),
            max_inodes: AtomicU64::new(inodes),
            inodes: AtomicU64::new(0),
        }
    }

    /// Takes pages: ENOSPC, and nothing is taken, when there are not enough.
    pub(super) fn take(&self, count: u64) -> Result<()> {
        take(&self.pages, count, self.max_pages.load(Ordering::Relaxed))?;
        if let Err(errno) = self.vfs.take_memory(count.saturating_mul(PAGE)) {
            self.pages.fetch_sub(count, Ordering::Relaxed);
            return Err(errno);
        }
        Ok(())
    }

    pub(super) fn give_back(&self, count: u64) {
        self.pages.fetch_sub(count, Ordering::Relaxed);
        self.vfs.give_memory_back(count.saturating_mul(PAGE));
    }

    /// Takes an inode, and the memory that it and its name take: ENOSPC.
    pub(super) fn take_inode(&self) -> Result<()> {
        take(&self.inodes, 1, self.max_inodes.load(Ordering::Relaxed))?;
        if let Err(errno) = self.vfs.take_memory(INODE_MEMORY) {
            self.inodes.fetch_sub(1, Ordering::Relaxed);
            return Err(errno);
        }
        Ok(())
    }

    pub(super) fn give_inodes_back(&self, count: u64) {
        self.inodes.fetch_sub(count, Ordering::Relaxed);
        self.vfs.give_memory_back(count * INODE_MEMORY);
    }
}

/// Adds to a counter that has a limit; ENOSPC.
pub(crate) fn take(counter: &AtomicU64, count: u64, max: u64) -> Result<()> {
    let add = |used: u64| used.checked_add(count).filter(|sum| *sum <= max);
    counter
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
        .map(drop)
        .map_err(|_| Errno::ENOSPC)
}

//! Shared memory segments (`shmget(2)`).

use super::IpcCaller;
use crate::process::PidNumbers;
use parking_lot::Mutex;
use podsim_sys::{Errno, Result};
use std::sync::Arc;
use std::time::Duration;

/// `kernel.shmmni`.
pub(super) const SEGMENTS_MAX: usize = 4096;
/// `kernel.shmmax`: bytes of one segment. (Linux's default is no limit; here memory is the host's.)
pub(crate) const SHMMAX: u64 = 64 << 20;
/// `kernel.shmall`, in bytes: all segments of a namespace together.
pub(crate) const SHMALL_BYTES: u64 = 256 << 20;
const PAGE: u64 = 4096;

/// A segment.
pub(crate) struct Segment {
    data: Vec<u8>,
    size: u64,
    used: Arc<Mutex<u64>>,
    pub(crate) creator: Arc<PidNumbers>,
    pub(crate) last: Option<Arc<PidNumbers>>,
    pub(crate) attached: Duration,
    pub(crate) detached: Duration,
    pub(crate) changed: Duration,
}

impl Segment {
    /// A segment of zeros: EINVAL for a size out of range, ENOSPC when all together would be too much.
    pub(super) fn new(size: u64, used: Arc<Mutex<u64>>, caller: &IpcCaller) -> Result<Self> {
        if size == 0 || size > SHMMAX {
            return Err(Errno::EINVAL);
        }
        let len = usize::try_from(size).map_err(|_| Errno::EINVAL)?;
        {
            let mut used = used.lock();
            let after = *used + size.next_multiple_of(PAGE);
            if after > SHMALL_BYTES {
                return Err(Errno::ENOSPC);
            }
            *used = after;
        }
        Ok(Self {
            data: vec![0; len],
            size,
            used,
            creator: caller.pids.clone(),
            last: None,
            attached: Duration::ZERO,
            detached: Duration::ZERO,
            changed: caller.now,
        })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    fn touch(&mut self, caller: &IpcCaller) {
        self.last = Some(caller.pids.clone());
        self.attached = caller.now;
        self.detached = caller.now;
    }

    /// Copies out from an offset; less at the end. EINVAL beyond it.
    pub(crate) fn read(&mut self, caller: &IpcCaller, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let from = usize::try_from(offset)
            .ok()
            .and_then(|o| self.data.get(o..))
            .ok_or(Errno::EINVAL)?;
        let n = from.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), from.get(..n)) {
            to.copy_from_slice(from);
        }
        self.touch(caller);
        Ok(n)
    }

    /// Copies in at an offset; less at the end. EINVAL beyond it.
    pub(crate) fn write(&mut self, caller: &IpcCaller, offset: u64, buf: &[u8]) -> Result<usize> {
        let to = usize::try_from(offset)
            .ok()
            .and_then(|o| self.data.get_mut(o..))
            .ok_or(Errno::EINVAL)?;
        let n = to.len().min(buf.len());
        if let (Some(to), Some(from)) = (to.get_mut(..n), buf.get(..n)) {
            to.copy_from_slice(from);
        }
        self.touch(caller);
        Ok(n)
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        *self.used.lock() -= self.size.next_multiple_of(PAGE);
    }
}

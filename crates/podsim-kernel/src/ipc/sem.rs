//! Semaphore sets (`semget(2)`, `semop(2)`).

use super::IpcCaller;
use parking_lot::Mutex;
use podsim_sys::{Errno, Result, SemOp};
use std::sync::Arc;
use std::time::Duration;

/// SEMMNI: sets in a namespace.
pub(super) const SETS_MAX: usize = 32_000;
/// SEMMSL: semaphores in a set.
const SET_MAX: u64 = 32_000;
/// SEMMNS: semaphores in a namespace. (Linux's default is higher; here it bounds memory.)
const ALL_MAX: u64 = 1_024_000;
/// SEMOPM: operations in one call.
const OPS_MAX: usize = 500;
/// SEMVMX: the highest value.
const VALUE_MAX: i32 = 32_767;

/// A semaphore set.
pub(crate) struct SemaphoreSet {
    values: Vec<u16>,
    used: Arc<Mutex<u64>>,
    pub(crate) operated: Duration,
    pub(crate) changed: Duration,
}

impl SemaphoreSet {
    /// A set of zeros: EINVAL for a size out of range, ENOSPC when all together would be too many.
    pub(super) fn new(size: u64, used: Arc<Mutex<u64>>, caller: &IpcCaller) -> Result<Self> {
        if size == 0 || size > SET_MAX {
            return Err(Errno::EINVAL);
        }
        let len = usize::try_from(size).map_err(|_| Errno::EINVAL)?;
        {
            let mut used = used.lock();
            if *used + size > ALL_MAX {
                return Err(Errno::ENOSPC);
            }
            *used += size;
        }
        Ok(Self {
            values: vec![0; len],
            used,
            operated: Duration::ZERO,
            changed: caller.now,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// `semop(2)`, all or nothing: EFBIG for an index out of range, ERANGE for a value out of range, EAGAIN when it has to wait.
    /// The second result says whether it may (IPC_NOWAIT of the operation that cannot be done).
    pub(crate) fn operate(&mut self, caller: &IpcCaller, ops: &[SemOp]) -> Result<(), (Errno, bool)> {
        let mut values = self.values.clone();
        for op in ops {
            let value = values.get_mut(usize::from(op.index)).ok_or((Errno::EFBIG, false))?;
            let result = i32::from(*value) + i32::from(op.change);
            if (op.change == 0 && *value != 0) || result < 0 {
                return Err((Errno::EAGAIN, !op.no_wait));
            }
            if result > VALUE_MAX {
                return Err((Errno::ERANGE, false));
            }
            *value = u16::try_from(result).map_err(|_| (Errno::ERANGE, false))?;
        }
        self.values = values;
        self.operated = caller.now;
        Ok(())
    }

    /// GETVAL and SETVAL: the old value.
    pub(crate) fn value(&mut self, caller: &IpcCaller, index: u16, set: Option<u16>) -> Result<u16> {
        let value = self.values.get_mut(usize::from(index)).ok_or(Errno::EINVAL)?;
        let old = *value;
        if let Some(new) = set {
            if i32::from(new) > VALUE_MAX {
                return Err(Errno::ERANGE);
            }
            *value = new;
            self.changed = caller.now;
        }
        Ok(old)
    }
}

impl Drop for SemaphoreSet {
    fn drop(&mut self) {
        *self.used.lock() -= self.values.len() as u64;
    }
}

/// The checks on the operations themselves: EINVAL for none, E2BIG for too many. Returns the rights they need.
pub(crate) fn check_ops(ops: &[SemOp]) -> Result<u16> {
    if ops.is_empty() {
        return Err(Errno::EINVAL);
    }
    if ops.len() > OPS_MAX {
        return Err(Errno::E2BIG);
    }
    Ok(if ops.iter().any(|op| op.change != 0) { 0o2 } else { 0o4 })
}

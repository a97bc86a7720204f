//! `flock(2)`: advisory locks on whole files, held by open file descriptions.

use crate::wait_queue::WaitQueue;
use parking_lot::Mutex;
use podsim_sys::{Errno, Flock, Result};
use std::collections::HashSet;
use std::task::Waker;

/// The locks on one inode.
#[derive(Default)]
pub struct FileLocks {
    holders: Mutex<Holders>,
    queue: WaitQueue,
}

#[derive(Default)]
struct Holders {
    exclusive: Option<usize>,
    shared: HashSet<usize>,
}

impl Holders {
    fn release(&mut self, holder: usize) -> bool {
        self.shared.remove(&holder) | self.exclusive.take_if(|h| *h == holder).is_some()
    }
}

impl FileLocks {
    /// Gives back what this description holds.
    pub(super) fn unlock(&self, holder: usize) {
        if self.holders.lock().release(holder) {
            self.queue.wake_all();
        }
    }

    /// One try for the description known as `holder`: EAGAIN when others hold it. With a waker, it is woken when that changes.
    pub(super) fn try_lock(&self, holder: usize, op: Flock, waker: Option<&Waker>) -> Result<()> {
        if let Some(waker) = waker {
            self.queue.register(waker);
        }
        let mut holders = self.holders.lock();
        // As in Linux, a conversion first gives the old lock back (flock(2), NOTES).
        let held = holders.release(holder);
        let result = match op {
            Flock::Unlock => Ok(()),
            Flock::Shared if holders.exclusive.is_none() => {
                holders.shared.insert(holder);
                Ok(())
            }
            Flock::Exclusive if holders.exclusive.is_none() && holders.shared.is_empty() => {
                holders.exclusive = Some(holder);
                Ok(())
            }
            Flock::Shared | Flock::Exclusive => Err(Errno::EAGAIN),
        };
        drop(holders);
        if held {
            self.queue.wake_all();
        }
        result
    }
}

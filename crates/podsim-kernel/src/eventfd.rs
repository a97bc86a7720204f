//! `eventfd(2)`: a counter as a file.

use crate::fs::FileOps;
use crate::fs::pipe::anonymous_stat;
use crate::wait_queue::WaitQueue;
use parking_lot::Mutex;
use podsim_sys::{Errno, FileType, PollEvents, Result, Stat};
use std::task::Waker;
use std::time::Duration;

/// The highest value that the counter can have.
const MAX: u64 = u64::MAX - 1;

/// An event counter.
pub(crate) struct EventFd {
    count: Mutex<u64>,
    /// Reads take 1 instead of all.
    semaphore: bool,
    inode: u64,
    created: Duration,
    queue: WaitQueue,
}

impl EventFd {
    pub(crate) fn new(initial: u64, semaphore: bool, inode: u64, created: Duration) -> Self {
        Self {
            count: Mutex::new(initial),
            semaphore,
            inode,
            created,
            queue: WaitQueue::default(),
        }
    }
}

impl FileOps for EventFd {
    fn read_at(&self, buf: &mut [u8], _offset: u64) -> Result<usize> {
        let to = buf.first_chunk_mut::<8>().ok_or(Errno::EINVAL)?;
        let mut count = self.count.lock();
        let value = match *count {
            0 => return Err(Errno::EAGAIN),
            _ if self.semaphore => 1,
            all => all,
        };
        *count -= value;
        drop(count);
        *to = value.to_le_bytes();
        self.queue.wake_all();
        Ok(8)
    }

    fn write_at(&self, buf: &[u8], _offset: u64, _append: bool) -> Result<(usize, u64)> {
        let value = u64::from_le_bytes(*buf.first_chunk::<8>().ok_or(Errno::EINVAL)?);
        if value > MAX {
            return Err(Errno::EINVAL);
        }
        let mut count = self.count.lock();
        if value > MAX - *count {
            return Err(Errno::EAGAIN);
        }
        *count += value;
        drop(count);
        self.queue.wake_all();
        Ok((8, 0))
    }

    fn poll(&self, waker: Option<&Waker>) -> PollEvents {
        if let Some(waker) = waker {
            self.queue.register(waker);
        }
        let count = *self.count.lock();
        let mut events = PollEvents::empty();
        events.set(PollEvents::IN, count > 0);
        events.set(PollEvents::OUT, count < MAX);
        events
    }

    fn stat(&self) -> Result<Stat> {
        Ok(anonymous_stat(FileType::Regular, self.inode, self.created))
    }

    fn anonymous_name(&self) -> Option<String> {
        Some("anon_inode:[eventfd]".to_owned())
    }
}

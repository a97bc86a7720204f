//! POSIX message queues (`mq_overview(7)`): the objects behind the files of a `mqueue` filesystem.
//!
//! The filesystem is in `fs/mqueue.rs`, the calls in `syscall/mqueue.rs`. `mq_notify` is not supported.

use super::IpcNamespace;
use crate::wait_queue::WaitQueue;
use parking_lot::Mutex;
use podsim_sys::{Errno, Mode, PollEvents, Result};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// `fs.mqueue.queues_max`.
const QUEUES_MAX: usize = 256;
/// `fs.mqueue.msg_max` and `msgsize_max`.
const MESSAGES_MAX: usize = 10;
const MESSAGE_MAX: usize = 8192;
/// MQ_PRIO_MAX.
const PRIORITY_MAX: u32 = 32_768;
/// Longest name.
const NAME_MAX: usize = 255;
/// Bytes of the status text (FILENT_SIZE): the size of every queue's file.
pub(crate) const STATUS_SIZE: u64 = 80;

/// The queues of a namespace, by name.
#[derive(Default)]
pub(super) struct MqueueTable {
    queues: BTreeMap<String, Arc<PosixQueue>>,
    next_inode: u64,
}

/// What a new queue is to be.
#[derive(Clone, Copy, Debug)]
pub struct MqueueRequest {
    /// Permissions, umask already taken off.
    pub mode: Mode,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Messages that it holds, 1 to 10.
    pub messages: usize,
    /// Bytes of a message, 1 to 8192.
    pub message_size: usize,
}

impl Default for MqueueRequest {
    /// `fs.mqueue.msg_default` and `msgsize_default`.
    fn default() -> Self {
        Self {
            mode: Mode(0o600),
            uid: 0,
            gid: 0,
            messages: MESSAGES_MAX,
            message_size: MESSAGE_MAX,
        }
    }
}

/// A POSIX message queue. An open file keeps it alive after its name is gone.
pub struct PosixQueue {
    /// Its inode number in the `mqueue` filesystem.
    pub inode: u64,
    /// What it was made as.
    pub request: MqueueRequest,
    /// When it was made.
    pub created: Duration,
    state: Mutex<State>,
    /// Woken at each change.
    pub(crate) changed: WaitQueue,
}

#[derive(Default)]
struct State {
    /// Highest priority last; first in, first out within one.
    messages: BTreeMap<u32, VecDeque<Box<[u8]>>>,
    count: usize,
    bytes: usize,
}

impl PosixQueue {
    /// `mq_send(3)`: EMSGSIZE, EINVAL for a priority out of range, EAGAIN when full.
    pub(crate) fn send(&self, data: &[u8], priority: u32) -> Result<()> {
        if priority >= PRIORITY_MAX {
            return Err(Errno::EINVAL);
        }
        if data.len() > self.request.message_size {
            return Err(Errno::EMSGSIZE);
        }
        {
            let mut state = self.state.lock();
            if state.count >= self.request.messages {
                return Err(Errno::EAGAIN);
            }
            state.count += 1;
            state.bytes += data.len();
            state.messages.entry(priority).or_default().push_back(data.into());
        }
        self.changed.wake_all();
        Ok(())
    }

    /// `mq_receive(3)`: the oldest of the highest priority. EMSGSIZE when `max` is less than the queue's message size, EAGAIN when
    /// empty.
    pub(crate) fn receive(&self, max: usize) -> Result<(Vec<u8>, u32)> {
        if max < self.request.message_size {
            return Err(Errno::EMSGSIZE);
        }
        let (data, priority) = {
            let mut state = self.state.lock();
            let mut entry = state.messages.last_entry().ok_or(Errno::EAGAIN)?;
            let priority = *entry.key();
            let data = entry.get_mut().pop_front().ok_or(Errno::EAGAIN)?;
            if entry.get().is_empty() {
                entry.remove();
            }
            state.count -= 1;
            state.bytes -= data.len();
            (data, priority)
        };
        self.changed.wake_all();
        Ok((data.into_vec(), priority))
    }

    /// Whether there is something to receive, and room to send.
    pub(crate) fn events(&self) -> PollEvents {
        let count = self.state.lock().count;
        let mut events = PollEvents::empty();
        events.set(PollEvents::IN, count > 0);
        events.set(PollEvents::OUT, count < self.request.messages);
        events
    }

    /// What reading the queue's file gives (`mqueue_read_file`).
    #[must_use]
    pub(crate) fn status(&self) -> String {
        let bytes = self.state.lock().bytes;
        format!("QSIZE:{bytes:<10} NOTIFY:{:<5} SIGNO:{:<5} NOTIFY_PID:{:<6}\n", 0, 0, 0)
    }
}

impl IpcNamespace {
    /// The queues, by name.
    #[must_use]
    pub(crate) fn mqueues(&self) -> Vec<(String, Arc<PosixQueue>)> {
        let table = self.mqueue.lock();
        table
            .queues
            .iter()
            .map(|(name, queue)| (name.clone(), queue.clone()))
            .collect()
    }

    /// The queue with this name, without the slash; ENOENT.
    pub(crate) fn mqueue(&self, name: &str) -> Result<Arc<PosixQueue>> {
        self.mqueue.lock().queues.get(name).cloned().ok_or(Errno::ENOENT)
    }

    /// Makes a queue: EEXIST, EINVAL for limits out of range, ENOSPC when there are too many.
    pub(crate) fn create_mqueue(&self, name: &str, request: MqueueRequest) -> Result<Arc<PosixQueue>> {
        if name.is_empty() || name.contains('/') {
            return Err(Errno::EACCES);
        }
        if name.len() > NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let fits = (1..=MESSAGES_MAX).contains(&request.messages) && (1..=MESSAGE_MAX).contains(&request.message_size);
        if !fits {
            return Err(Errno::EINVAL);
        }
        let mut table = self.mqueue.lock();
        if table.queues.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        if table.queues.len() >= QUEUES_MAX {
            return Err(Errno::ENOSPC);
        }
        table.next_inode += 1;
        let queue = Arc::new(PosixQueue {
            // 1 is the directory.
            inode: table.next_inode + 1,
            request,
            created: self.clock.realtime(),
            state: Mutex::default(),
            changed: WaitQueue::default(),
        });
        table.queues.insert(name.to_owned(), queue.clone());
        Ok(queue)
    }

    /// `mq_unlink(3)`: the name is gone, open files go on; ENOENT.
    pub(crate) fn unlink_mqueue(&self, name: &str) -> Result<()> {
        let gone = self.mqueue.lock().queues.remove(name);
        gone.map(drop).ok_or(Errno::ENOENT)
    }
}

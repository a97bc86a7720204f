//! Message queues (`msgget(2)`, `msgop(2)`).

use super::IpcCaller;
use crate::process::PidNumbers;
use parking_lot::Mutex;
use podsim_sys::{Errno, IpcMessage, Result};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// `kernel.msgmni`: queues in a namespace.
pub(super) const QUEUES_MAX: usize = 32_000;
/// `kernel.msgmnb`: bytes (and messages) in a queue.
const QUEUE_BYTES: usize = 16_384;
/// `kernel.msgmax`: bytes of a message.
const MESSAGE_MAX: usize = 8192;
/// Bytes of messages in a namespace, a message's own overhead included; more is ENOMEM.
const ALL_BYTES: u64 = 64 << 20;
/// What a message is accounted with besides its bytes.
const OVERHEAD: u64 = 64;

/// A message queue.
pub(crate) struct MessageQueue {
    messages: VecDeque<IpcMessage>,
    bytes: usize,
    used: Arc<Mutex<u64>>,
    pub(crate) last_sender: Option<Arc<PidNumbers>>,
    pub(crate) last_receiver: Option<Arc<PidNumbers>>,
    pub(crate) sent: Duration,
    pub(crate) received: Duration,
    pub(crate) changed: Duration,
}

impl MessageQueue {
    pub(super) fn new(used: Arc<Mutex<u64>>, caller: &IpcCaller) -> Self {
        Self {
            messages: VecDeque::new(),
            bytes: 0,
            used,
            last_sender: None,
            last_receiver: None,
            sent: Duration::ZERO,
            received: Duration::ZERO,
            changed: caller.now,
        }
    }

    /// Bytes and messages in the queue.
    pub(crate) fn queued(&self) -> (usize, usize) {
        (self.bytes, self.messages.len())
    }

    /// Appends a message; EAGAIN when the queue is full.
    pub(crate) fn send(&mut self, caller: &IpcCaller, message: &IpcMessage) -> Result<()> {
        if self.bytes + message.data.len() > QUEUE_BYTES || self.messages.len() >= QUEUE_BYTES {
            return Err(Errno::EAGAIN);
        }
        {
            let mut used = self.used.lock();
            let after = *used + OVERHEAD + message.data.len() as u64;
            if after > ALL_BYTES {
                return Err(Errno::ENOMEM);
            }
            *used = after;
        }
        self.bytes += message.data.len();
        self.messages.push_back(message.clone());
        self.last_sender = Some(caller.pids.clone());
        self.sent = caller.now;
        Ok(())
    }

    /// Takes a message: with type 0 the first, above 0 the first of that type, below 0 the first of the lowest type up to its absolute
    /// value. EAGAIN when there is none, E2BIG when it is longer than `max` (it stays).
    pub(crate) fn receive(&mut self, caller: &IpcCaller, max: usize, mtype: i64) -> Result<IpcMessage> {
        let index = match mtype {
            0 => (!self.messages.is_empty()).then_some(0),
            1.. => self.messages.iter().position(|m| m.mtype == mtype),
            _ => {
                let limit = mtype.unsigned_abs();
                let fits = self
                    .messages
                    .iter()
                    .enumerate()
                    .filter(|(_, m)| m.mtype.unsigned_abs() <= limit);
                fits.min_by_key(|(index, m)| (m.mtype, *index)).map(|(index, _)| index)
            }
        };
        let index = index.ok_or(Errno::EAGAIN)?;
        if self.messages.get(index).is_some_and(|m| m.data.len() > max) {
            return Err(Errno::E2BIG);
        }
        let message = self.messages.remove(index).ok_or(Errno::EAGAIN)?;
        self.bytes -= message.data.len();
        *self.used.lock() -= OVERHEAD + message.data.len() as u64;
        self.last_receiver = Some(caller.pids.clone());
        self.received = caller.now;
        Ok(message)
    }
}

impl Drop for MessageQueue {
    fn drop(&mut self) {
        *self.used.lock() -= self.bytes as u64 + OVERHEAD * self.messages.len() as u64;
    }
}

/// The checks on a message itself: EINVAL for a type below 1 or too many bytes.
pub(crate) fn check(message: &IpcMessage) -> Result<()> {
    if message.mtype < 1 || message.data.len() > MESSAGE_MAX {
        Err(Errno::EINVAL)
    } else {
        Ok(())
    }
}

//! [`Duplex`]: what two connected sockets share: a buffer for each direction. TCP, Unix streams and Unix seqpackets stand on it;
//! they differ in what the end of one side means to the other ([`Flavor`]).

use crate::wait_queue::WaitQueue;
use parking_lot::Mutex;
use podsim_sys::{Errno, PollEvents, Result, Shutdown};
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

/// What the end of one side means to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavor {
    /// TCP: what is written to a closed peer is answered by a reset, so only the write after that fails.
    Tcp,
    /// Unix: both ends know of each other at once.
    Unix,
    /// Unix with message boundaries.
    UnixMessages,
}

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The one that connected.
    A,
    /// The one that accepted.
    B,
}

impl Side {
    pub(super) fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }
}

/// The two buffers of a connection.
pub(super) struct Duplex {
    flavor: Flavor,
    state: Mutex<(End, End)>,
    queues: (Arc<WaitQueue>, Arc<WaitQueue>),
}

/// One side: what has come for it, and which halves are shut.
#[derive(Default)]
struct End {
    inbox: Inbox,
    capacity: usize,
    /// No more can be received (`RCV_SHUTDOWN`).
    recv_shut: bool,
    /// No more can be sent (`SEND_SHUTDOWN`).
    send_shut: bool,
    /// The peer has ended its sending (`SOCK_DONE`): end of file, not an error.
    done: bool,
    /// The socket is closed.
    closed: bool,
    /// `sk_err`.
    error: Option<Errno>,
}

impl End {
    fn is_over(&self, peer: &End) -> bool {
        self.send_shut && (self.done || peer.closed || self.error.is_some())
    }
}

/// Bytes, and for messages their lengths.
#[derive(Default)]
struct Inbox {
    bytes: VecDeque<u8>,
    messages: VecDeque<usize>,
}

impl Inbox {
    /// Copies from the front; with `take`, removes it.
    fn copy(&mut self, buf: &mut [u8], take: bool) -> usize {
        let n = buf.len().min(self.bytes.len());
        let (first, second) = self.bytes.as_slices();
        let split = n.min(first.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..split), first.get(..split)) {
            to.copy_from_slice(from);
        }
        if let (Some(to), Some(from)) = (buf.get_mut(split..n), second.get(..n - split)) {
            to.copy_from_slice(from);
        }
        if take {
            self.bytes.drain(..n);
            // A burst must not keep its memory for ever.
            if self.bytes.is_empty() && self.bytes.capacity() > 16 * 1024 {
                self.bytes.shrink_to(4096);
            }
        }
        n
    }
}

/// What was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Received {
    /// Bytes in the buffer.
    pub(super) copied: usize,
    /// Length of the whole message (of a stream: the same).
    pub(super) full: usize,
}

/// What a close did: whether the peer was reset rather than told of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closing {
    /// The end was sent.
    Fin,
    /// Unread data was thrown away: a reset was sent.
    Reset,
    /// The connection was already dead.
    Silent,
}

fn pair(state: &mut (End, End), side: Side) -> (&mut End, &mut End) {
    match side {
        Side::A => (&mut state.0, &mut state.1),
        Side::B => (&mut state.1, &mut state.0),
    }
}

impl Duplex {
    /// A new connection. `capacities`: bytes that can wait for A and for B; the queues are those of the two sockets.
    pub(super) fn new(flavor: Flavor, capacities: (usize, usize), a: Arc<WaitQueue>, b: Arc<WaitQueue>) -> Arc<Self> {
        let end = |capacity| End {
            capacity,
            ..End::default()
        };
        Arc::new(Self {
            flavor,
            state: Mutex::new((end(capacities.0), end(capacities.1))),
            queues: (a, b),
        })
    }

    fn wake(&self, side: Side) {
        match side {
            Side::A => self.queues.0.wake_all(),
            Side::B => self.queues.1.wake_all(),
        }
    }

    /// Sends as much as fits. EAGAIN: the peer's buffer is full; EPIPE or the pending error: it will never take it.
    pub(super) fn send(&self, side: Side, buf: &[u8]) -> Result<usize> {
        let n = {
            let mut state = self.state.lock();
            let (own, peer) = pair(&mut state, side);
            // sk_stream_error: the pending error first, EPIPE ever after. unix_stream_sendmsg looks at the shutdown first.
            if own.send_shut || own.error.is_some() {
                let pending = if self.flavor == Flavor::Tcp {
                    own.error.take()
                } else {
                    None
                };
                return Err(pending.unwrap_or(Errno::EPIPE));
            }
            if peer.closed {
                // TCP: the segment is on its way; the reset that answers it comes in CLOSE_WAIT and means EPIPE (tcp_reset).
                own.error = Some(Errno::EPIPE);
                own.send_shut = true;
                own.recv_shut = true;
                drop(state);
                self.wake(side);
                return Ok(buf.len());
            }
            let free = peer.capacity.saturating_sub(peer.inbox.bytes.len());
            let n = if self.flavor == Flavor::UnixMessages {
                if buf.len() > peer.capacity {
                    return Err(Errno::EMSGSIZE);
                }
                // Empty messages take room too, or a sender could queue without end.
                if buf.len() > free || peer.inbox.messages.len() >= peer.capacity / 256 {
                    return Err(Errno::EAGAIN);
                }
                peer.inbox.messages.push_back(buf.len());
                buf.len()
            } else if buf.is_empty() {
                return Ok(0);
            } else if free == 0 {
                return Err(Errno::EAGAIN);
            } else {
                free.min(buf.len())
            };
            peer.inbox.bytes.extend(buf.get(..n).unwrap_or_default());
            n
        };
        self.wake(side.other());
        Ok(n)
    }

    /// Receives what is there. EAGAIN: nothing yet; 0 bytes: the end.
    pub(super) fn recv(&self, side: Side, buf: &mut [u8], peek: bool) -> Result<Received> {
        let received = {
            let mut state = self.state.lock();
            let (own, _) = pair(&mut state, side);
            if own.inbox.messages.is_empty() && own.inbox.bytes.is_empty() {
                if own.done && self.flavor == Flavor::Tcp {
                    return Ok(Received { copied: 0, full: 0 });
                }
                if let Some(errno) = own.error.take() {
                    return Err(errno);
                }
                if own.recv_shut {
                    return Ok(Received { copied: 0, full: 0 });
                }
                return Err(Errno::EAGAIN);
            }
            if self.flavor == Flavor::UnixMessages {
                let full = own.inbox.messages.front().copied().unwrap_or(0);
                let wanted = buf.len().min(full);
                let copied = own.inbox.copy(buf.get_mut(..wanted).unwrap_or_default(), !peek);
                if !peek {
                    own.inbox.messages.pop_front();
                    // What did not fit is lost.
                    let lost = full.saturating_sub(copied).min(own.inbox.bytes.len());
                    own.inbox.bytes.drain(..lost);
                }
                Received { copied, full }
            } else {
                let copied = own.inbox.copy(buf, !peek);
                Received { copied, full: copied }
            }
        };
        if !peek {
            self.wake(side.other());
        }
        Ok(received)
    }

    /// `shutdown(2)`. Returns whether the end of sending was told to the peer just now.
    pub(super) fn shutdown(&self, side: Side, how: Shutdown) -> Result<bool> {
        let fin = {
            let mut state = self.state.lock();
            let (own, peer) = pair(&mut state, side);
            if self.flavor == Flavor::Tcp && own.is_over(peer) {
                return Err(Errno::ENOTCONN);
            }
            let mut fin = false;
            if how != Shutdown::Write {
                own.recv_shut = true;
                if self.flavor != Flavor::Tcp {
                    peer.send_shut = true;
                }
            }
            if how != Shutdown::Read {
                fin = !own.send_shut;
                own.send_shut = true;
                peer.recv_shut = true;
                peer.done = true;
            }
            fin
        };
        self.wake(side);
        self.wake(side.other());
        Ok(fin)
    }

    /// Closes one side. Data that nobody has read resets the connection (RFC 2525, 2.17; `unix_release_sock`).
    pub(super) fn close(&self, side: Side) -> Closing {
        self.end(side, false)
    }

    /// Ends one side by a reset in any case: an accepted connection that nobody will ever take.
    pub(super) fn abort(&self, side: Side) -> Closing {
        self.end(side, true)
    }

    fn end(&self, side: Side, abort: bool) -> Closing {
        let closing = {
            let mut state = self.state.lock();
            let (own, peer) = pair(&mut state, side);
            if own.closed {
                return Closing::Silent;
            }
            let unread = abort || !own.inbox.bytes.is_empty() || !own.inbox.messages.is_empty();
            own.closed = true;
            own.inbox = Inbox::default();
            let dead = own.send_shut && own.recv_shut && own.error.is_some();
            own.send_shut = true;
            own.recv_shut = true;
            peer.recv_shut = true;
            if self.flavor != Flavor::Tcp {
                peer.send_shut = true;
            }
            if peer.closed || dead {
                Closing::Silent
            } else if unread {
                // tcp_reset: EPIPE for the one that has already seen our end, ECONNRESET otherwise.
                peer.error = Some(if peer.done && self.flavor == Flavor::Tcp {
                    Errno::EPIPE
                } else {
                    Errno::ECONNRESET
                });
                peer.send_shut = true;
                Closing::Reset
            } else {
                peer.done = true;
                Closing::Fin
            }
        };
        self.wake(side.other());
        closing
    }

    /// Takes the pending error (SO_ERROR).
    pub(super) fn take_error(&self, side: Side) -> Option<Errno> {
        let mut state = self.state.lock();
        pair(&mut state, side).0.error.take()
    }

    /// What is the case (`tcp_poll`, `unix_poll`); with a waker, it is woken at the next change.
    pub(super) fn poll(&self, side: Side, waker: Option<&Waker>) -> PollEvents {
        if let Some(waker) = waker {
            match side {
                Side::A => self.queues.0.register(waker),
                Side::B => self.queues.1.register(waker),
            }
        }
        let mut state = self.state.lock();
        let (own, peer) = pair(&mut state, side);
        let mut events = PollEvents::empty();
        if own.error.is_some() {
            events |= PollEvents::ERR;
        }
        if own.recv_shut && own.send_shut {
            events |= PollEvents::HUP;
        }
        if own.recv_shut {
            events |= PollEvents::IN | PollEvents::RDHUP;
        }
        if !own.inbox.bytes.is_empty() || !own.inbox.messages.is_empty() {
            events |= PollEvents::IN;
        }
        // Writable while a third of the buffer is free (sk_stream_is_writeable), so that a writer is not woken for each byte.
        let free = peer.capacity.saturating_sub(peer.inbox.bytes.len());
        if own.send_shut || peer.closed || free * 3 >= peer.capacity {
            events |= PollEvents::OUT;
        }
        events
    }

    /// Bytes that wait for this side, and bytes that it sent and the peer has not read.
    pub(super) fn queued(&self, side: Side) -> (usize, usize) {
        let mut state = self.state.lock();
        let (own, peer) = pair(&mut state, side);
        (own.inbox.bytes.len(), peer.inbox.bytes.len())
    }

    /// Whether this side has ended its sending, and whether its peer has.
    pub(super) fn ended(&self, side: Side) -> (bool, bool) {
        let mut state = self.state.lock();
        let (own, peer) = pair(&mut state, side);
        (own.send_shut, own.done || peer.closed)
    }

    /// Whether both directions have ended, or it was reset: TCP_CLOSE, as far as the socket is concerned.
    pub(super) fn is_over(&self, side: Side) -> bool {
        let mut state = self.state.lock();
        let (own, peer) = pair(&mut state, side);
        own.is_over(peer)
    }

    /// Changes how much can wait for this side (SO_RCVBUF).
    pub(super) fn set_capacity(&self, side: Side, capacity: usize) {
        let mut state = self.state.lock();
        pair(&mut state, side).0.capacity = capacity;
    }
}

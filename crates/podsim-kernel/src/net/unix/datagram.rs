//! Unix datagrams: reliable and in order; a full receiver makes the sender wait.

use super::{Phase, UnixSocket, UnixState};
use crate::net::socket::Endpoint;
use crate::net::udp::copy_datagram;
use podsim_sys::{Errno, MsgFlags, PollEvents, Result, Shutdown, SockAddr};
use std::collections::VecDeque;
use std::sync::{Arc, Weak};

/// `net.unix.max_dgram_qlen`: datagrams that wait before a sender has to.
const QUEUE_MAX: usize = 10;

/// What has come for a datagram socket, and whom it is connected to.
#[derive(Default)]
pub(super) struct Mailbox {
    peer: Option<Weak<UnixSocket>>,
    inbox: VecDeque<(String, Box<[u8]>)>,
    recv_shut: bool,
    send_shut: bool,
}

impl Mailbox {
    pub(super) fn is_connected(&self) -> bool {
        self.peer.is_some()
    }

    /// The socket it is connected to: ENOTCONN without one, ECONNREFUSED if it is gone.
    pub(super) fn peer(&self) -> Result<Arc<UnixSocket>> {
        let peer = self.peer.as_ref().ok_or(Errno::ENOTCONN)?;
        peer.upgrade().ok_or(Errno::ECONNREFUSED)
    }

    pub(super) fn events(&self) -> PollEvents {
        let mut events = PollEvents::OUT;
        if !self.inbox.is_empty() || self.recv_shut {
            events |= PollEvents::IN;
        }
        if self.recv_shut {
            events |= PollEvents::RDHUP;
        }
        if self.recv_shut && self.send_shut {
            events |= PollEvents::HUP;
        }
        events
    }
}

fn mailbox(state: &mut UnixState) -> Result<&mut Mailbox> {
    match &mut state.phase {
        Phase::Datagram(mailbox) => Ok(mailbox),
        _ => Err(Errno::ECONNREFUSED),
    }
}

impl UnixSocket {
    /// `connect(2)` of a datagram socket.
    pub(super) fn set_peer(&self, endpoint: &Endpoint) -> Result<()> {
        let other = self.find(endpoint)?;
        other.may_receive_from(self)?;
        self.set_peer_socket(&other);
        Ok(())
    }

    pub(super) fn set_peer_socket(&self, other: &Arc<UnixSocket>) {
        if let Ok(mailbox) = mailbox(&mut self.state.lock()) {
            mailbox.peer = Some(Arc::downgrade(other));
        }
    }

    /// A connected datagram socket takes messages only from its peer (`unix_may_send`).
    fn may_receive_from(&self, sender: &UnixSocket) -> Result<()> {
        match &mailbox(&mut self.state.lock())?.peer {
            Some(peer) if !peer.ptr_eq(&sender.this) => Err(Errno::EPERM),
            _ => Ok(()),
        }
    }

    /// Sends one datagram. EAGAIN: the receiver's queue is full.
    pub(super) fn send_datagram(&self, buf: &[u8], to: Option<&Endpoint>) -> Result<usize> {
        let (peer, from) = {
            let mut state = self.state.lock();
            let limit = usize::try_from(state.options.send_buffer).unwrap_or(usize::MAX);
            if buf.len() > limit.saturating_sub(32) {
                return Err(Errno::EMSGSIZE);
            }
            let from = state.name.clone();
            let own = mailbox(&mut state)?;
            if own.send_shut {
                return Err(Errno::EPIPE);
            }
            (own.peer(), from)
        };
        let other = match to {
            Some(endpoint) => self.find(endpoint)?,
            None => peer?,
        };
        other.may_receive_from(self)?;
        let full = {
            let mut state = other.state.lock();
            let theirs = mailbox(&mut state)?;
            if theirs.recv_shut {
                return Err(Errno::EPIPE);
            }
            let full = theirs.inbox.len() > QUEUE_MAX;
            if !full {
                theirs.inbox.push_back((from, buf.into()));
            }
            full
        };
        if full {
            self.state.lock().blocked_on = Arc::downgrade(&other);
            return Err(Errno::EAGAIN);
        }
        other.queue.wake_all();
        Ok(buf.len())
    }

    /// Receives one datagram, and who sent it.
    pub(super) fn recv_datagram(&self, buf: &mut [u8], flags: MsgFlags) -> Result<(usize, Option<SockAddr>, MsgFlags)> {
        let received = {
            let mut state = self.state.lock();
            let own = mailbox(&mut state)?;
            let Some((from, data)) = own.inbox.front() else {
                return if own.recv_shut {
                    Ok((0, None, MsgFlags::empty()))
                } else {
                    Err(Errno::EAGAIN)
                };
            };
            let received = copy_datagram(data, buf, flags, Some(SockAddr::Unix(from.clone())));
            if !flags.contains(MsgFlags::PEEK) {
                own.inbox.pop_front();
            }
            received
        };
        // Senders that found the queue full wait here.
        self.queue.wake_all();
        Ok(received)
    }

    /// `shutdown(2)`: each half of this socket is the other half of its peer's.
    pub(super) fn shutdown_datagram(&self, how: Shutdown) {
        let peer = {
            let mut state = self.state.lock();
            let Ok(own) = mailbox(&mut state) else { return };
            own.recv_shut |= how != Shutdown::Write;
            own.send_shut |= how != Shutdown::Read;
            own.peer().ok()
        };
        self.queue.wake_all();
        let connected_back = |peer: &Arc<UnixSocket>| {
            mailbox(&mut peer.state.lock()).is_ok_and(|m| m.peer.as_ref().is_some_and(|p| p.ptr_eq(&self.this)))
        };
        let Some(peer) = peer.filter(connected_back) else {
            return;
        };
        if let Ok(theirs) = mailbox(&mut peer.state.lock()) {
            theirs.send_shut |= how != Shutdown::Write;
            theirs.recv_shut |= how != Shutdown::Read;
        }
        peer.queue.wake_all();
    }
}

//! Unix streams and seqpackets: listening, connecting, pairs.

use super::{Phase, UnixSocket};
use crate::net::NetNamespace;
use crate::net::duplex::{Duplex, Flavor, Side};
use crate::net::socket::Endpoint;
use podsim_sys::{Errno, Result, SocketType};
use std::collections::VecDeque;
use std::sync::{Arc, Weak};

/// `net.core.somaxconn`.
const BACKLOG_MAX: u32 = 4096;

fn flavor(kind: SocketType) -> Flavor {
    if kind == SocketType::SeqPacket {
        Flavor::UnixMessages
    } else {
        Flavor::Unix
    }
}

impl UnixSocket {
    /// `socketpair(2)`.
    pub(in crate::net) fn pair(ns: &Arc<NetNamespace>, kind: SocketType, inodes: [u64; 2]) -> [Arc<Self>; 2] {
        let [a, b] = inodes.map(|inode| Self::new(ns, kind, inode));
        if kind == SocketType::Datagram {
            a.set_peer_socket(&b);
            b.set_peer_socket(&a);
        } else {
            a.join(&b, "");
        }
        [a, b]
    }

    /// Connects two sockets that nobody else knows yet, or whose state nobody else changes.
    fn join(&self, other: &UnixSocket, other_name: &str) {
        // The sender's SO_SNDBUF is what limits a Unix socket.
        let capacity =
            |socket: &UnixSocket| usize::try_from(socket.state.lock().options.send_buffer).unwrap_or(usize::MAX);
        let capacities = (capacity(other), capacity(self));
        let stream = Duplex::new(flavor(self.kind), capacities, self.queue.clone(), other.queue.clone());
        let name = self.state.lock().name.clone();
        other.state.lock().phase = Phase::Connected {
            stream: stream.clone(),
            side: Side::B,
            peer: name,
        };
        self.state.lock().phase = Phase::Connected {
            stream,
            side: Side::A,
            peer: other_name.to_owned(),
        };
    }

    /// `listen(2)`: only a bound socket.
    pub(super) fn start_listening(&self, backlog: u32) -> Result<()> {
        if self.kind == SocketType::Datagram {
            return Err(Errno::EOPNOTSUPP);
        }
        let new_backlog = usize::try_from(backlog.min(BACKLOG_MAX)).unwrap_or(0);
        {
            let mut state = self.state.lock();
            let bound = !state.name.is_empty();
            match &mut state.phase {
                Phase::Listening { backlog, .. } => *backlog = new_backlog,
                phase @ Phase::Idle if bound => {
                    *phase = Phase::Listening {
                        backlog: new_backlog,
                        ready: VecDeque::new(),
                    };
                }
                _ => return Err(Errno::EINVAL),
            }
        }
        self.queue.wake_all();
        Ok(())
    }

    /// The next connection of a listener, and the name of the one who connected.
    pub(super) fn take_ready(&self) -> Result<(Arc<UnixSocket>, String)> {
        if self.kind == SocketType::Datagram {
            return Err(Errno::EOPNOTSUPP);
        }
        let child = {
            let mut state = self.state.lock();
            let Phase::Listening { ready, .. } = &mut state.phase else {
                return Err(Errno::EINVAL);
            };
            ready.pop_front().ok_or(Errno::EAGAIN)?
        };
        // There is a place now for one who waits.
        self.queue.wake_all();
        let peer = match &child.state.lock().phase {
            Phase::Connected { peer, .. } => peer.clone(),
            _ => String::new(),
        };
        Ok((child, peer))
    }

    /// `connect(2)`. EAGAIN: the listener's queue is full.
    pub(super) fn connect_stream(&self, endpoint: &Endpoint) -> Result<()> {
        match &self.state.lock().phase {
            Phase::Idle => {}
            Phase::Connected { .. } => return Err(Errno::EISCONN),
            _ => return Err(Errno::EINVAL),
        }
        let listener = self.find(endpoint)?;
        let listener_name = listener.state.lock().name.clone();
        let child = Self::with_phase(&listener.ns, self.kind, 0, listener_name.clone(), Phase::Idle);
        {
            let mut state = listener.state.lock();
            let Phase::Listening { backlog, ready } = &mut state.phase else {
                return Err(Errno::ECONNREFUSED);
            };
            if ready.len() > *backlog {
                drop(state);
                self.state.lock().blocked_on = Arc::downgrade(&listener);
                return Err(Errno::EAGAIN);
            }
            // Joined before anybody can accept it. (A listener's lock comes before that of the one who connects.)
            self.join(&child, &listener_name);
            ready.push_back(child);
        }
        self.state.lock().blocked_on = Weak::new();
        listener.queue.wake_all();
        Ok(())
    }
}

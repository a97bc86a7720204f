//! [`UnixSocket`]: Unix domain sockets (`unix(7)`): streams, seqpackets and datagrams, by path, by abstract name, or in pairs.
//!
//! A path is an inode with a [`UnixBinding`] in its slot; whoever resolves the path (with the permission checks of the
//! filesystem) hands the binding over in an [`Endpoint`]. Abstract names belong to the network namespace.
//! SCM_RIGHTS and SCM_CREDENTIALS are not supported: no call of ours carries control messages.

mod datagram;
mod stream;

use super::NetNamespace;
use super::duplex::{Duplex, Side};
use super::options::Options;
use super::socket::{Accepted, Endpoint, Socket};
use crate::wait_queue::WaitQueue;
use datagram::Mailbox;
use parking_lot::Mutex;
use podsim_sys::{
    AddressFamily, Credentials, Errno, MsgFlags, PollEvents, Result, Shutdown, SockAddr, SockOpt, SocketType,
};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Duration;

/// What a socket inode holds: the socket that is bound to it, as long as that is open.
#[derive(Default)]
pub struct UnixBinding(Mutex<Weak<UnixSocket>>);

impl UnixBinding {
    fn socket(&self) -> Option<Arc<UnixSocket>> {
        self.0.lock().upgrade()
    }
}

/// The Unix sockets of a network namespace.
#[derive(Default)]
pub(super) struct UnixTable {
    abstract_names: HashMap<String, Weak<UnixSocket>>,
    all: BTreeMap<u64, Weak<UnixSocket>>,
    next_id: u64,
    next_autobind: u32,
}

/// A Unix domain socket.
pub struct UnixSocket {
    ns: Arc<NetNamespace>,
    this: Weak<UnixSocket>,
    id: u64,
    kind: SocketType,
    inode: AtomicU64,
    queue: Arc<WaitQueue>,
    state: Mutex<UnixState>,
}

struct UnixState {
    options: Options,
    /// The address; a child has its listener's.
    name: String,
    /// The inode it is bound to.
    binding: Option<Arc<UnixBinding>>,
    phase: Phase,
    /// The socket whose full queue refused the last call: its queue is waited on too.
    blocked_on: Weak<UnixSocket>,
    released: bool,
}

enum Phase {
    /// A stream or seqpacket socket without a connection.
    Idle,
    Listening {
        backlog: usize,
        ready: VecDeque<Arc<UnixSocket>>,
    },
    Connected {
        stream: Arc<Duplex>,
        side: Side,
        peer: String,
    },
    Datagram(Mailbox),
}

/// What `/proc/net/unix` shows of a socket.
pub(super) struct UnixInfo {
    pub(super) kind: SocketType,
    pub(super) listening: bool,
    pub(super) connected: bool,
    pub(super) inode: u64,
    pub(super) name: String,
}

impl UnixSocket {
    pub(super) fn new(ns: &Arc<NetNamespace>, kind: SocketType, inode: u64) -> Arc<Self> {
        let phase = match kind {
            SocketType::Datagram => Phase::Datagram(Mailbox::default()),
            _ => Phase::Idle,
        };
        Self::with_phase(ns, kind, inode, String::new(), phase)
    }

    fn with_phase(ns: &Arc<NetNamespace>, kind: SocketType, inode: u64, name: String, phase: Phase) -> Arc<Self> {
        let mut table = ns.unix.lock();
        table.next_id += 1;
        let id = table.next_id;
        let socket = Arc::new_cyclic(|this| Self {
            ns: ns.clone(),
            this: this.clone(),
            id,
            kind,
            inode: AtomicU64::new(inode),
            queue: Arc::default(),
            state: Mutex::new(UnixState {
                options: Options::new(false),
                name,
                binding: None,
                phase,
                blocked_on: Weak::new(),
                released: false,
            }),
        });
        table.all.insert(id, Arc::downgrade(&socket));
        socket
    }

    /// The connection, if there is one.
    fn connection(&self) -> Option<(Arc<Duplex>, Side)> {
        match &self.state.lock().phase {
            Phase::Connected { stream, side, .. } => Some((stream.clone(), *side)),
            _ => None,
        }
    }

    /// The socket that an address means: ECONNREFUSED if nobody is bound to it, EPROTOTYPE if it is of another type.
    fn find(&self, endpoint: &Endpoint) -> Result<Arc<UnixSocket>> {
        let Endpoint::Unix { name, binding } = endpoint else {
            return Err(Errno::EINVAL);
        };
        let found = match binding {
            Some(binding) => binding.socket(),
            None => self.ns.unix.lock().abstract_names.get(name).and_then(Weak::upgrade),
        };
        let found = found.ok_or(Errno::ECONNREFUSED)?;
        if found.kind == self.kind {
            Ok(found)
        } else {
            Err(Errno::EPROTOTYPE)
        }
    }

    /// Whether it can still be bound: the inode of a path must not be made in vain.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        !self.state.lock().name.is_empty()
    }

    /// What `/proc/net/unix` shows.
    pub(super) fn info(&self) -> UnixInfo {
        let state = self.state.lock();
        UnixInfo {
            kind: self.kind,
            listening: matches!(state.phase, Phase::Listening { .. }),
            connected: match &state.phase {
                Phase::Connected { .. } => true,
                Phase::Datagram(mailbox) => mailbox.is_connected(),
                _ => false,
            },
            inode: self.inode.load(Ordering::Relaxed),
            name: state.name.clone(),
        }
    }

    /// All Unix sockets of a namespace, oldest first.
    pub(super) fn all(ns: &NetNamespace) -> Vec<Arc<UnixSocket>> {
        ns.unix.lock().all.values().filter_map(Weak::upgrade).collect()
    }

    /// Takes an abstract name.
    fn claim_abstract(&self, name: &str) -> Result<()> {
        let mut table = self.ns.unix.lock();
        if table
            .abstract_names
            .get(name)
            .is_some_and(|socket| socket.strong_count() > 0)
        {
            return Err(Errno::EADDRINUSE);
        }
        table.abstract_names.insert(name.to_owned(), self.this.clone());
        Ok(())
    }

    /// An abstract name of five hexadecimal digits (`unix(7)`, "Autobind feature").
    fn claim_any(&self) -> Result<String> {
        for _ in 0..=0xf_ffff_u32 {
            let name = {
                let mut table = self.ns.unix.lock();
                table.next_autobind = (table.next_autobind + 1) & 0xf_ffff;
                format!("\0{:05x}", table.next_autobind)
            };
            if self.claim_abstract(&name).is_ok() {
                return Ok(name);
            }
        }
        Err(Errno::ENOSPC)
    }

    fn end(&self, abort: bool) {
        let (phase, blocked_on) = {
            let mut state = self.state.lock();
            if std::mem::replace(&mut state.released, true) {
                return;
            }
            if let Some(binding) = state.binding.take() {
                *binding.0.lock() = Weak::new();
            }
            let mut table = self.ns.unix.lock();
            table.all.remove(&self.id);
            if table
                .abstract_names
                .get(&state.name)
                .is_some_and(|socket| socket.ptr_eq(&self.this))
            {
                table.abstract_names.remove(&state.name);
            }
            let blocked_on = std::mem::take(&mut state.blocked_on);
            (std::mem::replace(&mut state.phase, Phase::Idle), blocked_on)
        };
        drop(blocked_on);
        match phase {
            Phase::Idle => {}
            Phase::Listening { ready, .. } => ready.into_iter().for_each(|child| child.end(true)),
            Phase::Connected { stream, side, .. } => {
                if abort {
                    stream.abort(side);
                } else {
                    stream.close(side);
                }
            }
            Phase::Datagram(mailbox) => drop(mailbox),
        }
        self.queue.wake_all();
    }
}

impl Socket for UnixSocket {
    fn family(&self) -> AddressFamily {
        AddressFamily::Unix
    }

    fn kind(&self) -> SocketType {
        self.kind
    }

    fn bind(&self, address: &Endpoint, _credentials: &Credentials) -> Result<()> {
        let Endpoint::Unix { name, binding } = address else {
            return Err(Errno::EINVAL);
        };
        let mut state = self.state.lock();
        if !state.name.is_empty() {
            return Err(Errno::EINVAL);
        }
        state.name = match binding {
            Some(binding) => {
                *binding.0.lock() = self.this.clone();
                name.clone()
            }
            None if name.is_empty() => self.claim_any()?,
            None => {
                self.claim_abstract(name)?;
                name.clone()
            }
        };
        state.binding.clone_from(binding);
        Ok(())
    }

    fn listen(&self, backlog: u32) -> Result<()> {
        self.start_listening(backlog)
    }

    fn accept(&self, inode: u64) -> Result<Accepted> {
        let (child, peer) = self.take_ready()?;
        child.inode.store(inode, Ordering::Relaxed);
        Ok((child, SockAddr::Unix(peer)))
    }

    fn connect(&self, address: &Endpoint, _nonblocking: bool) -> Result<()> {
        match self.kind {
            SocketType::Datagram => self.set_peer(address),
            _ => self.connect_stream(address),
        }
    }

    fn send(&self, buf: &[u8], _flags: MsgFlags, to: Option<&Endpoint>) -> Result<usize> {
        if self.kind == SocketType::Datagram {
            return self.send_datagram(buf, to);
        }
        let Some((stream, side)) = self.connection() else {
            return Err(if to.is_some() {
                Errno::EOPNOTSUPP
            } else {
                Errno::ENOTCONN
            });
        };
        if to.is_some() && self.kind == SocketType::Stream {
            return Err(Errno::EISCONN);
        }
        stream.send(side, buf)
    }

    fn recv(&self, buf: &mut [u8], flags: MsgFlags) -> Result<(usize, Option<SockAddr>, MsgFlags)> {
        if self.kind == SocketType::Datagram {
            return self.recv_datagram(buf, flags);
        }
        // unix_stream_read_generic: EINVAL for a stream without a connection; a seqpacket says ENOTCONN.
        let without = if self.kind == SocketType::Stream {
            Errno::EINVAL
        } else {
            Errno::ENOTCONN
        };
        let (stream, side) = self.connection().ok_or(without)?;
        let received = stream.recv(side, buf, flags.contains(MsgFlags::PEEK))?;
        let cut = if received.full > received.copied {
            MsgFlags::TRUNC
        } else {
            MsgFlags::empty()
        };
        let told = if flags.contains(MsgFlags::TRUNC) {
            received.full
        } else {
            received.copied
        };
        Ok((told, None, cut))
    }

    fn shutdown(&self, how: Shutdown) -> Result<()> {
        if self.kind == SocketType::Datagram {
            self.shutdown_datagram(how);
            return Ok(());
        }
        match self.connection() {
            Some((stream, side)) => stream.shutdown(side, how).map(drop),
            None => Err(Errno::ENOTCONN),
        }
    }

    fn local_address(&self) -> SockAddr {
        SockAddr::Unix(self.state.lock().name.clone())
    }

    fn peer_address(&self) -> Result<SockAddr> {
        let state = self.state.lock();
        match &state.phase {
            Phase::Connected { peer, .. } => Ok(SockAddr::Unix(peer.clone())),
            Phase::Datagram(mailbox) => {
                let peer = mailbox.peer()?;
                drop(state);
                Ok(peer.local_address())
            }
            _ => Err(Errno::ENOTCONN),
        }
    }

    fn set_option(&self, option: SockOpt) -> Result<()> {
        self.state.lock().options.set(option)
    }

    fn option(&self, option: SockOpt) -> Result<SockOpt> {
        let state = self.state.lock();
        match (option, &state.phase) {
            (SockOpt::Error(_), Phase::Connected { stream, side, .. }) => {
                Ok(SockOpt::Error(stream.take_error(*side).map_or(0, |e| e.0.into())))
            }
            (SockOpt::Error(_), _) => Ok(SockOpt::Error(0)),
            (SockOpt::AcceptConn(_), phase) => Ok(SockOpt::AcceptConn(matches!(phase, Phase::Listening { .. }))),
            _ => state.options.get(option, self.kind),
        }
    }

    fn timeouts(&self) -> (Option<Duration>, Option<Duration>) {
        self.state.lock().options.timeouts()
    }

    fn poll(&self, waker: Option<&Waker>) -> PollEvents {
        if let Some(waker) = waker {
            self.queue.register(waker);
        }
        let (events, blocked_on) = {
            let state = self.state.lock();
            let events = match &state.phase {
                Phase::Idle => PollEvents::OUT | PollEvents::HUP,
                Phase::Listening { ready, .. } if ready.is_empty() => PollEvents::empty(),
                Phase::Listening { .. } => PollEvents::IN,
                Phase::Connected { stream, side, .. } => stream.poll(*side, waker),
                Phase::Datagram(mailbox) => mailbox.events(),
            };
            (events, state.blocked_on.upgrade())
        };
        if let (Some(waker), Some(other)) = (waker, blocked_on) {
            other.queue.register(waker);
        }
        events
    }

    fn inode(&self) -> u64 {
        self.inode.load(Ordering::Relaxed)
    }

    fn release(&self) {
        self.end(false);
    }
}

impl Drop for UnixSocket {
    /// A child that a listener never gave out.
    fn drop(&mut self) {
        self.end(true);
    }
}

//! [`TcpSocket`]: TCP in memory (`tcp(7)`).
//!
//! A connection is made in one call: the listener's queue gets a child socket, and both share a [`Duplex`]. While the listener's
//! queue is full the client waits, as its SYNs would be dropped. TIME_WAIT and SO_LINGER are not modelled.

mod handshake;

use super::NetNamespace;
use super::duplex::{Closing, Duplex, Side};
use super::inet::{self, Bound};
use super::options::Options;
use super::route::{Path, Way};
use super::socket::{Accepted, Endpoint, Socket};
use crate::wait_queue::WaitQueue;
use handshake::Listener;
use parking_lot::Mutex;
use podsim_sys::{
    AddressFamily, Credentials, Errno, MsgFlags, PollEvents, Result, Shutdown, SockAddr, SockOpt, SocketType,
};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Duration;

/// `net.core.somaxconn`.
const BACKLOG_MAX: u32 = 4096;
/// A TCP socket.
pub struct TcpSocket {
    ns: Arc<NetNamespace>,
    this: Weak<TcpSocket>,
    family: AddressFamily,
    inode: AtomicU64,
    uid: u32,
    queue: Arc<WaitQueue>,
    state: Mutex<TcpState>,
}

struct TcpState {
    options: Options,
    bound: Option<Bound>,
    phase: Phase,
    /// `sk_err` while there is no connection.
    error: Option<Errno>,
}

enum Phase {
    Closed,
    Listening(Listener),
    /// The listener's queue is full.
    Connecting(SocketAddr),
    Connected(Connection),
}

#[derive(Clone)]
struct Connection {
    stream: Arc<Duplex>,
    side: Side,
    peer: SocketAddr,
    path: Arc<Path>,
    way: Way,
    /// Whether `connect` has told of its success; a second call of a non-blocking one does.
    announced: bool,
}

/// What `/proc/net/tcp` shows of a socket.
pub(super) struct TcpInfo {
    pub(super) family: AddressFamily,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) state: u8,
    pub(super) tx_queue: usize,
    pub(super) rx_queue: usize,
    pub(super) uid: u32,
    pub(super) inode: u64,
}

impl TcpInfo {
    /// TCP_LISTEN.
    pub(super) const LISTEN: u8 = 0x0A;
}

impl TcpSocket {
    pub(super) fn new(ns: &Arc<NetNamespace>, family: AddressFamily, inode: u64, uid: u32) -> Arc<Self> {
        let state = TcpState {
            options: Options::new(true),
            bound: None,
            phase: Phase::Closed,
            error: None,
        };
        Self::with_state(ns, family, inode, uid, state)
    }

    fn with_state(ns: &Arc<NetNamespace>, family: AddressFamily, inode: u64, uid: u32, state: TcpState) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            ns: ns.clone(),
            this: this.clone(),
            family,
            inode: AtomicU64::new(inode),
            uid,
            queue: Arc::default(),
            state: Mutex::new(state),
        })
    }

    /// The connection, if there is one.
    fn connection(&self) -> Option<Connection> {
        match &self.state.lock().phase {
            Phase::Connected(connection) => Some(connection.clone()),
            _ => None,
        }
    }

    /// Why there is no connection to send or receive on: a pending error first.
    fn no_connection(&self, otherwise: Errno) -> Errno {
        let mut state = self.state.lock();
        match state.phase {
            Phase::Connecting(_) => Errno::EAGAIN,
            _ => state.error.take().unwrap_or(otherwise),
        }
    }

    /// `accept(2)`.
    pub(super) fn accept_tcp(&self, inode: u64) -> Result<(Arc<TcpSocket>, SockAddr)> {
        let child = self.take_ready()?;
        child.inode.store(inode, Ordering::Relaxed);
        // The name of the one who connected is told even if he is gone already.
        let peer = child.connection().map_or(inet::unbound(self.family), |c| c.peer);
        Ok((child, inet::show(self.family, peer)))
    }

    /// What `/proc/net/tcp` shows; `None` for a socket that is not in any table.
    pub(super) fn info(&self) -> Option<TcpInfo> {
        let state = self.state.lock();
        let none = inet::unbound(self.family);
        let (code, remote, rx_queue, tx_queue) = match &state.phase {
            Phase::Closed => return None,
            Phase::Listening(listener) => (TcpInfo::LISTEN, none, listener.ready.len(), 0),
            Phase::Connecting(peer) => (0x02, *peer, 0, 0),
            Phase::Connected(connection) => {
                let code = match connection.stream.ended(connection.side) {
                    _ if connection.stream.is_over(connection.side) => return None,
                    (false, false) => 0x01,
                    (true, false) => 0x05,
                    (_, true) => 0x08,
                };
                let (rx, tx) = connection.stream.queued(connection.side);
                (code, connection.peer, rx, tx)
            }
        };
        Some(TcpInfo {
            family: self.family,
            local: state.bound.map_or(none, |b| b.address),
            remote,
            state: code,
            tx_queue,
            rx_queue,
            uid: self.uid,
            inode: self.inode.load(Ordering::Relaxed),
        })
    }

    fn unbind(&self, state: &mut TcpState) {
        if let Some(bound) = state.bound.take() {
            self.ns.tcp.lock().release(bound.hold);
        }
    }

    fn end(&self, abort: bool) {
        let phase = {
            let mut state = self.state.lock();
            self.unbind(&mut state);
            std::mem::replace(&mut state.phase, Phase::Closed)
        };
        match phase {
            Phase::Closed | Phase::Connecting(_) => {}
            Phase::Listening(listener) => Self::dismiss(listener),
            Phase::Connected(c) => {
                let closing = if abort {
                    c.stream.abort(c.side)
                } else {
                    c.stream.close(c.side)
                };
                match closing {
                    Closing::Fin => {
                        c.path.count_control(c.way, 1);
                        c.path.count_control(c.way.reverse(), 1);
                    }
                    Closing::Reset => c.path.count_control(c.way, 1),
                    Closing::Silent => {}
                }
            }
        }
        self.queue.wake_all();
    }
}

impl Socket for TcpSocket {
    fn family(&self) -> AddressFamily {
        self.family
    }

    fn kind(&self) -> SocketType {
        SocketType::Stream
    }

    fn bind(&self, address: &Endpoint, credentials: &Credentials) -> Result<()> {
        let mut state = self.state.lock();
        let address = inet::check_bind(&self.ns, self.family, address, &state.options, credentials)?;
        if state.bound.is_some() || !matches!(state.phase, Phase::Closed) {
            return Err(Errno::EINVAL);
        }
        let claim = inet::claim(address.ip(), &state.options, self.uid);
        let hold = self.ns.tcp.lock().bind(address.port(), claim, self.this.clone())?;
        state.bound = Some(Bound {
            address: SocketAddr::new(address.ip(), hold.port),
            hold,
        });
        Ok(())
    }

    fn listen(&self, backlog: u32) -> Result<()> {
        let mut state = self.state.lock();
        let backlog = usize::try_from(backlog.min(BACKLOG_MAX)).unwrap_or(0);
        match &mut state.phase {
            Phase::Closed => {}
            Phase::Listening(listener) => {
                listener.backlog = backlog;
                return Ok(());
            }
            _ => return Err(Errno::EINVAL),
        }
        let hold = match state.bound {
            Some(bound) => bound.hold,
            None => {
                let any = inet::unbound(self.family).ip();
                let claim = inet::claim(any, &state.options, self.uid);
                let hold = self.ns.tcp.lock().bind(0, claim, self.this.clone())?;
                state.bound = Some(Bound {
                    address: SocketAddr::new(any, hold.port),
                    hold,
                });
                hold
            }
        };
        self.ns.tcp.lock().listen(hold)?;
        state.phase = Phase::Listening(Listener::new(backlog));
        Ok(())
    }

    fn accept(&self, inode: u64) -> Result<Accepted> {
        let (child, peer) = self.accept_tcp(inode)?;
        Ok((child, peer))
    }

    fn connect(&self, address: &Endpoint, nonblocking: bool) -> Result<()> {
        self.handshake(address, nonblocking)
    }

    fn send(&self, buf: &[u8], _flags: MsgFlags, _to: Option<&Endpoint>) -> Result<usize> {
        let Some(c) = self.connection() else {
            return Err(self.no_connection(Errno::EPIPE));
        };
        let n = c.stream.send(c.side, buf)?;
        if n > 0 {
            c.path.count_data(c.way, n);
        }
        Ok(n)
    }

    fn recv(&self, buf: &mut [u8], flags: MsgFlags) -> Result<(usize, Option<SockAddr>, MsgFlags)> {
        let Some(c) = self.connection() else {
            return Err(self.no_connection(Errno::ENOTCONN));
        };
        let received = c.stream.recv(c.side, buf, flags.contains(MsgFlags::PEEK))?;
        Ok((received.copied, None, MsgFlags::empty()))
    }

    fn shutdown(&self, how: Shutdown) -> Result<()> {
        if let Some(c) = self.connection() {
            if c.stream.shutdown(c.side, how)? {
                c.path.count_control(c.way, 1);
                c.path.count_control(c.way.reverse(), 1);
            }
            return Ok(());
        }
        let listener = {
            let mut state = self.state.lock();
            match &state.phase {
                // tcp_disconnect: a listener that is shut for reading is a plain bound socket again.
                Phase::Listening(_) if how != Shutdown::Write => {}
                Phase::Listening(_) => return Ok(()),
                Phase::Connecting(_) => {}
                _ => return Err(Errno::ENOTCONN),
            }
            std::mem::replace(&mut state.phase, Phase::Closed)
        };
        if let Phase::Listening(listener) = listener {
            if let Some(bound) = self.state.lock().bound {
                self.ns.tcp.lock().unlisten(bound.hold);
            }
            Self::dismiss(listener);
        }
        self.queue.wake_all();
        Ok(())
    }

    fn local_address(&self) -> SockAddr {
        let bound = self.state.lock().bound.map(|b| b.address);
        inet::show(self.family, bound.unwrap_or(inet::unbound(self.family)))
    }

    fn peer_address(&self) -> Result<SockAddr> {
        let c = self
            .connection()
            .filter(|c| !c.stream.is_over(c.side))
            .ok_or(Errno::ENOTCONN)?;
        Ok(inet::show(self.family, c.peer))
    }

    fn set_option(&self, option: SockOpt) -> Result<()> {
        let mut state = self.state.lock();
        match option {
            SockOpt::NoDelay(on) => state.options.no_delay = on,
            SockOpt::V6Only(_) if self.family != AddressFamily::Inet6 => return Err(Errno::ENOPROTOOPT),
            SockOpt::V6Only(_) if state.bound.is_some() => return Err(Errno::EINVAL),
            SockOpt::V6Only(on) => state.options.v6_only = on,
            option => state.options.set(option)?,
        }
        if let Some(bound) = state.bound {
            let (addr, port) = (state.options.reuse_addr, state.options.reuse_port);
            self.ns.tcp.lock().update(bound.hold, |claim| {
                claim.reuse_addr = addr;
                claim.reuse_port = port;
            });
        }
        if let (SockOpt::RecvBuffer(_), Phase::Connected(c)) = (option, &state.phase) {
            c.stream
                .set_capacity(c.side, usize::try_from(state.options.recv_buffer).unwrap_or(usize::MAX));
        }
        Ok(())
    }

    fn option(&self, option: SockOpt) -> Result<SockOpt> {
        let mut state = self.state.lock();
        match option {
            SockOpt::Error(_) => {
                let of_stream = match &state.phase {
                    Phase::Connected(c) => c.stream.take_error(c.side),
                    _ => None,
                };
                let errno = of_stream.or(state.error.take());
                Ok(SockOpt::Error(errno.map_or(0, |e| e.0.into())))
            }
            SockOpt::AcceptConn(_) => Ok(SockOpt::AcceptConn(matches!(state.phase, Phase::Listening(_)))),
            SockOpt::NoDelay(_) => Ok(SockOpt::NoDelay(state.options.no_delay)),
            SockOpt::V6Only(_) if self.family == AddressFamily::Inet6 => Ok(SockOpt::V6Only(state.options.v6_only)),
            option => state.options.get(option, SocketType::Stream),
        }
    }

    fn timeouts(&self) -> (Option<Duration>, Option<Duration>) {
        self.state.lock().options.timeouts()
    }

    fn poll(&self, waker: Option<&Waker>) -> PollEvents {
        if let Some(waker) = waker {
            self.queue.register(waker);
        }
        let state = self.state.lock();
        match &state.phase {
            Phase::Closed if state.error.is_some() => {
                PollEvents::IN | PollEvents::OUT | PollEvents::ERR | PollEvents::HUP | PollEvents::RDHUP
            }
            Phase::Closed => PollEvents::OUT | PollEvents::HUP,
            Phase::Listening(listener) if listener.ready.is_empty() => PollEvents::empty(),
            Phase::Listening(_) => PollEvents::IN,
            Phase::Connecting(_) => PollEvents::empty(),
            Phase::Connected(c) => c.stream.poll(c.side, waker),
        }
    }

    fn inode(&self) -> u64 {
        self.inode.load(Ordering::Relaxed)
    }

    fn release(&self) {
        self.end(false);
    }
}

impl Drop for TcpSocket {
    /// A child that a listener never gave out.
    fn drop(&mut self) {
        self.end(true);
    }
}

//! [`UdpSocket`]: UDP in memory (`udp(7)`). No broadcast and no multicast.

use super::NetNamespace;
use super::inet::{self, Bound};
use super::options::Options;
use super::route::{Path, resolve};
use super::socket::{Accepted, Endpoint, Socket};
use crate::wait_queue::WaitQueue;
use parking_lot::Mutex;
use podsim_sys::{
    AddressFamily, Credentials, Errno, MsgFlags, PollEvents, Result, Shutdown, SockAddr, SockOpt, SocketType,
};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Duration;

/// The largest payload of a datagram.
const PAYLOAD_MAX: usize = 65_507;
/// What a queued datagram is accounted with besides its payload (Linux's `skb->truesize`), so that empty ones cannot fill memory.
const OVERHEAD: usize = 512;

/// A UDP socket.
pub struct UdpSocket {
    ns: Arc<NetNamespace>,
    this: Weak<UdpSocket>,
    family: AddressFamily,
    inode: u64,
    uid: u32,
    queue: WaitQueue,
    state: Mutex<UdpState>,
}

struct UdpState {
    options: Options,
    bound: Option<Bound>,
    /// The address that `connect(2)` has set.
    peer: Option<SocketAddr>,
    inbox: VecDeque<Datagram>,
    /// Bytes in `inbox`, overhead included.
    queued: usize,
    drops: u64,
    recv_shut: bool,
    send_shut: bool,
    error: Option<Errno>,
}

struct Datagram {
    from: SocketAddr,
    data: Box<[u8]>,
}

/// What `/proc/net/udp` shows of a socket.
pub(super) struct UdpInfo {
    pub(super) family: AddressFamily,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) connected: bool,
    pub(super) rx_queue: usize,
    pub(super) uid: u32,
    pub(super) inode: u64,
    pub(super) drops: u64,
}

impl UdpSocket {
    pub(super) fn new(ns: &Arc<NetNamespace>, family: AddressFamily, inode: u64, uid: u32) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            ns: ns.clone(),
            this: this.clone(),
            family,
            inode,
            uid,
            queue: WaitQueue::default(),
            state: Mutex::new(UdpState {
                options: Options::new(false),
                bound: None,
                peer: None,
                inbox: VecDeque::new(),
                queued: 0,
                drops: 0,
                recv_shut: false,
                send_shut: false,
                error: None,
            }),
        })
    }

    /// Binds to a free port of an address if there is none yet.
    fn autobind(&self, state: &mut UdpState, address: IpAddr) -> Result<Bound> {
        if let Some(bound) = state.bound {
            return Ok(bound);
        }
        let claim = inet::claim(address, &state.options, self.uid);
        let hold = self
            .ns
            .udp
            .lock()
            .bind(0, claim, self.this.clone())
            .map_err(|_| Errno::EAGAIN)?;
        let bound = Bound {
            address: SocketAddr::new(address, hold.port),
            hold,
        };
        state.bound = Some(bound);
        Ok(bound)
    }

    /// Whether a datagram from there is for this socket: a connected one takes only its peer's.
    fn accepts(&self, from: SocketAddr) -> bool {
        self.state.lock().peer.is_none_or(|peer| peer == from)
    }

    fn deliver(&self, from: SocketAddr, data: &[u8]) {
        {
            let mut state = self.state.lock();
            let limit = usize::try_from(state.options.recv_buffer).unwrap_or(usize::MAX);
            let size = data.len() + OVERHEAD;
            // One datagram always fits, as on Linux, whatever SO_RCVBUF says.
            if state.recv_shut || (state.queued > 0 && state.queued + size > limit) {
                state.drops += 1;
                return;
            }
            state.queued += size;
            state.inbox.push_back(Datagram {
                from,
                data: data.into(),
            });
        }
        self.queue.wake_all();
    }

    /// Sends one datagram along a path; `false` if nobody was there.
    fn transmit(ns: &NetNamespace, path: &Path, from: SocketAddr, to: SocketAddr, data: &[u8]) -> bool {
        path.count_datagram(data.len());
        let found = ns.udp.lock().lookup(to.port(), to.ip(), false);
        let receiver = found
            .into_iter()
            .map(|(_, socket)| socket)
            .find(|socket| socket.accepts(from));
        match receiver {
            Some(socket) => {
                socket.deliver(from, data);
                true
            }
            None => false,
        }
    }

    fn is_broadcast(&self, to: IpAddr) -> bool {
        let IpAddr::V4(to) = to else { return false };
        to.is_broadcast()
            || self.ns.interfaces().iter().any(|i| {
                i.ipv4
                    .iter()
                    .any(|a| !a.broadcast.is_unspecified() && a.broadcast == to)
            })
    }

    /// What `/proc/net/udp` shows; `None` for a socket without a port.
    pub(super) fn info(&self) -> Option<UdpInfo> {
        let state = self.state.lock();
        Some(UdpInfo {
            family: self.family,
            local: state.bound?.address,
            remote: state.peer.unwrap_or(inet::unbound(self.family)),
            connected: state.peer.is_some(),
            rx_queue: state.queued,
            uid: self.uid,
            inode: self.inode,
            drops: state.drops,
        })
    }
}

impl Socket for UdpSocket {
    fn family(&self) -> AddressFamily {
        self.family
    }

    fn kind(&self) -> SocketType {
        SocketType::Datagram
    }

    fn bind(&self, address: &Endpoint, credentials: &Credentials) -> Result<()> {
        let mut state = self.state.lock();
        let address = inet::check_bind(&self.ns, self.family, address, &state.options, credentials)?;
        if state.bound.is_some() {
            return Err(Errno::EINVAL);
        }
        let claim = inet::claim(address.ip(), &state.options, self.uid);
        let hold = self.ns.udp.lock().bind(address.port(), claim, self.this.clone())?;
        state.bound = Some(Bound {
            address: SocketAddr::new(address.ip(), hold.port),
            hold,
        });
        Ok(())
    }

    fn listen(&self, _backlog: u32) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    fn accept(&self, _inode: u64) -> Result<Accepted> {
        Err(Errno::EOPNOTSUPP)
    }

    fn connect(&self, address: &Endpoint, _nonblocking: bool) -> Result<()> {
        let mut state = self.state.lock();
        let to = inet::destination(self.family, address, &state.options)?;
        if self.is_broadcast(to.ip()) && !state.options.broadcast {
            return Err(Errno::EACCES);
        }
        // Only the route is looked up: whether somebody is there shows when something is sent.
        let path_source = match resolve(&self.ns, to.ip()) {
            Ok((path, _)) => path.source,
            Err(Errno::EHOSTUNREACH) => inet::unbound(self.family).ip(),
            Err(errno) => return Err(errno),
        };
        let source = inet::source(state.bound.map(|b| b.address), path_source, to.ip())?;
        let mut bound = self.autobind(&mut state, source)?;
        bound.address.set_ip(source);
        self.ns.udp.lock().update(bound.hold, |claim| claim.address = source);
        state.bound = Some(bound);
        state.peer = Some(to);
        Ok(())
    }

    fn send(&self, buf: &[u8], _flags: MsgFlags, to: Option<&Endpoint>) -> Result<usize> {
        if buf.len() > PAYLOAD_MAX {
            return Err(Errno::EMSGSIZE);
        }
        let (from, to, path, ns, connected) = {
            let mut state = self.state.lock();
            if state.send_shut {
                return Err(Errno::EPIPE);
            }
            if let Some(errno) = state.error.take() {
                return Err(errno);
            }
            let to = match (to, &state.peer) {
                (Some(to), _) => inet::destination(self.family, to, &state.options)?,
                (None, Some(peer)) => *peer,
                (None, None) => return Err(Errno::EDESTADDRREQ),
            };
            if to.port() == 0 {
                return Err(Errno::EINVAL);
            }
            if self.is_broadcast(to.ip()) {
                return Err(if state.options.broadcast {
                    Errno::ENETUNREACH
                } else {
                    Errno::EACCES
                });
            }
            let (path, ns) = resolve(&self.ns, to.ip())?;
            let any = inet::unbound(self.family).ip();
            let bound = self.autobind(&mut state, any)?;
            let source = inet::source(Some(bound.address), path.source, to.ip())?;
            let connected = state.peer == Some(to);
            (SocketAddr::new(source, bound.address.port()), to, path, ns, connected)
        };
        if !Self::transmit(&ns, &path, from, to, buf) && connected {
            // ICMP port unreachable: a connected socket is told at its next call.
            self.state.lock().error = Some(Errno::ECONNREFUSED);
            self.queue.wake_all();
        }
        Ok(buf.len())
    }

    fn recv(&self, buf: &mut [u8], flags: MsgFlags) -> Result<(usize, Option<SockAddr>, MsgFlags)> {
        let mut state = self.state.lock();
        if let Some(errno) = state.error.take() {
            return Err(errno);
        }
        let datagram = if flags.contains(MsgFlags::PEEK) {
            None
        } else {
            state.inbox.pop_front()
        };
        if let Some(datagram) = &datagram {
            state.queued = state.queued.saturating_sub(datagram.data.len() + OVERHEAD);
        }
        let datagram = match (&datagram, state.inbox.front()) {
            (Some(datagram), _) => datagram,
            (None, Some(datagram)) => datagram,
            (None, None) if state.recv_shut => return Ok((0, None, MsgFlags::empty())),
            (None, None) => return Err(Errno::EAGAIN),
        };
        Ok(copy_datagram(
            &datagram.data,
            buf,
            flags,
            Some(inet::show(self.family, datagram.from)),
        ))
    }

    fn shutdown(&self, how: Shutdown) -> Result<()> {
        {
            let mut state = self.state.lock();
            if state.peer.is_none() {
                return Err(Errno::ENOTCONN);
            }
            state.recv_shut |= how != Shutdown::Write;
            state.send_shut |= how != Shutdown::Read;
        }
        self.queue.wake_all();
        Ok(())
    }

    fn local_address(&self) -> SockAddr {
        let bound = self.state.lock().bound.map(|b| b.address);
        inet::show(self.family, bound.unwrap_or(inet::unbound(self.family)))
    }

    fn peer_address(&self) -> Result<SockAddr> {
        let peer = self.state.lock().peer.ok_or(Errno::ENOTCONN)?;
        Ok(inet::show(self.family, peer))
    }

    fn set_option(&self, option: SockOpt) -> Result<()> {
        let mut state = self.state.lock();
        match option {
            SockOpt::V6Only(_) if self.family != AddressFamily::Inet6 => return Err(Errno::ENOPROTOOPT),
            SockOpt::V6Only(_) if state.bound.is_some() => return Err(Errno::EINVAL),
            SockOpt::V6Only(on) => state.options.v6_only = on,
            option => state.options.set(option)?,
        }
        if let Some(bound) = state.bound {
            let (addr, port) = (state.options.reuse_addr, state.options.reuse_port);
            self.ns.udp.lock().update(bound.hold, |claim| {
                claim.reuse_addr = addr;
                claim.reuse_port = port;
            });
        }
        Ok(())
    }

    fn option(&self, option: SockOpt) -> Result<SockOpt> {
        let mut state = self.state.lock();
        match option {
            SockOpt::Error(_) => Ok(SockOpt::Error(state.error.take().map_or(0, |e| e.0.into()))),
            SockOpt::AcceptConn(_) => Ok(SockOpt::AcceptConn(false)),
            SockOpt::V6Only(_) if self.family == AddressFamily::Inet6 => Ok(SockOpt::V6Only(state.options.v6_only)),
            option => state.options.get(option, SocketType::Datagram),
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
        let mut events = PollEvents::OUT;
        if !state.inbox.is_empty() || state.recv_shut {
            events |= PollEvents::IN;
        }
        if state.recv_shut {
            events |= PollEvents::RDHUP;
        }
        if state.recv_shut && state.send_shut {
            events |= PollEvents::HUP;
        }
        if state.error.is_some() {
            events |= PollEvents::ERR;
        }
        events
    }

    fn inode(&self) -> u64 {
        self.inode
    }

    fn release(&self) {
        {
            let mut state = self.state.lock();
            if let Some(bound) = state.bound.take() {
                self.ns.udp.lock().release(bound.hold);
            }
            state.inbox = VecDeque::new();
            state.queued = 0;
            state.peer = None;
            state.recv_shut = true;
        }
        self.queue.wake_all();
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        self.release();
    }
}

/// Copies a datagram out: the rest of one that is too long is lost (TRUNC); with TRUNC asked for, the full length is told.
pub(super) fn copy_datagram(
    data: &[u8],
    buf: &mut [u8],
    flags: MsgFlags,
    from: Option<SockAddr>,
) -> (usize, Option<SockAddr>, MsgFlags) {
    let n = data.len().min(buf.len());
    if let (Some(to), Some(data)) = (buf.get_mut(..n), data.get(..n)) {
        to.copy_from_slice(data);
    }
    let cut = if n < data.len() {
        MsgFlags::TRUNC
    } else {
        MsgFlags::empty()
    };
    let told = if flags.contains(MsgFlags::TRUNC) { data.len() } else { n };
    (told, from, cut)
}

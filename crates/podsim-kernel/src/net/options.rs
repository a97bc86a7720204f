//! Socket options: those that are the same for every socket.

use podsim_sys::{Errno, Result, SockOpt, SocketType};
use std::time::Duration;

/// `net.core.rmem_max` and `wmem_max`.
const BUFFER_MAX: u32 = 212_992;
/// SOCK_MIN_SNDBUF and SOCK_MIN_RCVBUF.
const SEND_BUFFER_MIN: u32 = 4608;
const RECV_BUFFER_MIN: u32 = 2304;

/// What `setsockopt(2)` has set.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) reuse_addr: bool,
    pub(super) reuse_port: bool,
    pub(super) keep_alive: bool,
    pub(super) broadcast: bool,
    pub(super) no_delay: bool,
    pub(super) v6_only: bool,
    pub(super) send_buffer: u32,
    pub(super) recv_buffer: u32,
    recv_timeout: u64,
    send_timeout: u64,
}

impl Options {
    /// The defaults: those of `tcp_wmem` and `tcp_rmem`, or of `net.core`.
    pub(super) fn new(tcp: bool) -> Self {
        Self {
            reuse_addr: false,
            reuse_port: false,
            keep_alive: false,
            broadcast: false,
            no_delay: false,
            v6_only: false,
            send_buffer: if tcp { 16_384 } else { BUFFER_MAX },
            recv_buffer: if tcp { 131_072 } else { BUFFER_MAX },
            recv_timeout: 0,
            send_timeout: 0,
        }
    }

    /// Sets an option that every socket has.
    pub(super) fn set(&mut self, option: SockOpt) -> Result<()> {
        match option {
            SockOpt::ReuseAddr(on) => self.reuse_addr = on,
            SockOpt::ReusePort(on) => self.reuse_port = on,
            SockOpt::KeepAlive(on) => self.keep_alive = on,
            SockOpt::Broadcast(on) => self.broadcast = on,
            // socket(7): the kernel doubles the value.
            SockOpt::SendBuffer(n) => self.send_buffer = (n.min(BUFFER_MAX) * 2).max(SEND_BUFFER_MIN),
            SockOpt::RecvBuffer(n) => self.recv_buffer = (n.min(BUFFER_MAX) * 2).max(RECV_BUFFER_MIN),
            SockOpt::RecvTimeout(nanos) => self.recv_timeout = nanos,
            SockOpt::SendTimeout(nanos) => self.send_timeout = nanos,
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }

    /// Reads an option that every socket has; the socket itself knows SO_ERROR and SO_ACCEPTCONN.
    pub(super) fn get(&self, option: SockOpt, kind: SocketType) -> Result<SockOpt> {
        Ok(match option {
            SockOpt::ReuseAddr(_) => SockOpt::ReuseAddr(self.reuse_addr),
            SockOpt::ReusePort(_) => SockOpt::ReusePort(self.reuse_port),
            SockOpt::KeepAlive(_) => SockOpt::KeepAlive(self.keep_alive),
            SockOpt::Broadcast(_) => SockOpt::Broadcast(self.broadcast),
            SockOpt::SendBuffer(_) => SockOpt::SendBuffer(self.send_buffer),
            SockOpt::RecvBuffer(_) => SockOpt::RecvBuffer(self.recv_buffer),
            SockOpt::RecvTimeout(_) => SockOpt::RecvTimeout(self.recv_timeout),
            SockOpt::SendTimeout(_) => SockOpt::SendTimeout(self.send_timeout),
            SockOpt::Type(_) => SockOpt::Type(match kind {
                SocketType::Stream => 1,
                SocketType::Datagram => 2,
                SocketType::SeqPacket => 5,
            }),
            SockOpt::NoDelay(_) | SockOpt::V6Only(_) | SockOpt::Error(_) | SockOpt::AcceptConn(_) => {
                return Err(Errno::ENOPROTOOPT);
            }
        })
    }

    /// SO_RCVTIMEO and SO_SNDTIMEO.
    pub(super) fn timeouts(&self) -> (Option<Duration>, Option<Duration>) {
        let some = |nanos: u64| (nanos > 0).then(|| Duration::from_nanos(nanos));
        (some(self.recv_timeout), some(self.send_timeout))
    }
}

//! Sockets for the host's side: what port-forward, probes and the node's DNS use. They belong to no process, their inode is 0
//! (as that of a kernel socket), and their waits end only with the thing waited for: give up by dropping the future.

use super::NetNamespace;
use super::socket::{Endpoint, Socket};
use super::tcp::TcpSocket;
use super::udp::UdpSocket;
use podsim_sys::{
    AddressFamily, CapSet, Credentials, Errno, MsgFlags, PollEvents, Result, Shutdown, SockAddr, SockOpt,
};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Connections that wait for [`HostListener::accept`].
const BACKLOG: u32 = 128;

fn family(address: SocketAddr) -> AddressFamily {
    if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}

fn inet(address: SockAddr) -> Result<SocketAddr> {
    match address {
        SockAddr::Inet(address) => Ok(address),
        SockAddr::Unix(_) => Err(Errno::EAFNOSUPPORT),
    }
}

/// Tries, and registers the waker when it has to be tried again.
fn poll_socket<T>(socket: &dyn Socket, cx: &Context<'_>, mut attempt: impl FnMut() -> Result<T>) -> Poll<Result<T>> {
    match attempt() {
        Err(Errno::EAGAIN) => {}
        result => return Poll::Ready(result),
    }
    socket.poll(Some(cx.waker()));
    match attempt() {
        Err(Errno::EAGAIN) => Poll::Pending,
        result => Poll::Ready(result),
    }
}

impl NetNamespace {
    /// Connects as a process in this namespace would. From the node's namespace to a Pod's address it is a probe; in the Pod's own
    /// namespace to 127.0.0.1, a port-forward.
    pub async fn connect_from_host(&self, address: SocketAddr) -> Result<HostStream> {
        let ns = self.this.upgrade().ok_or(Errno::ENETDOWN)?;
        // Released when the future is dropped before it is done.
        let stream = HostStream(TcpSocket::new(&ns, family(address), 0, 0));
        match stream.0.connect(&Endpoint::Inet(address), false) {
            Err(Errno::EINPROGRESS) => {}
            result => return result.map(|()| stream),
        }
        let known = |cx: &mut Context<'_>| {
            let events = stream.0.poll(Some(cx.waker()));
            if events.intersects(PollEvents::OUT | PollEvents::ERR | PollEvents::HUP) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        };
        poll_fn(known).await;
        match stream.0.option(SockOpt::Error(0))? {
            SockOpt::Error(errno) if errno != 0 => Err(Errno(u16::try_from(errno).unwrap_or(Errno::EIO.0))),
            _ => Ok(stream),
        }
    }

    /// Listens on an address of this namespace.
    pub fn bind_host_tcp(&self, address: SocketAddr) -> Result<HostListener> {
        let ns = self.this.upgrade().ok_or(Errno::ENETDOWN)?;
        let listener = HostListener(TcpSocket::new(&ns, family(address), 0, 0));
        listener.0.set_option(SockOpt::ReuseAddr(true))?;
        listener
            .0
            .bind(&Endpoint::Inet(address), &Credentials::root(CapSet::FULL))?;
        listener.0.listen(BACKLOG)?;
        Ok(listener)
    }

    /// Binds a UDP socket to an address of this namespace.
    pub fn bind_host_udp(&self, address: SocketAddr) -> Result<HostUdp> {
        let ns = self.this.upgrade().ok_or(Errno::ENETDOWN)?;
        let socket = HostUdp(UdpSocket::new(&ns, family(address), 0, 0));
        socket
            .0
            .bind(&Endpoint::Inet(address), &Credentials::root(CapSet::FULL))?;
        Ok(socket)
    }
}

/// The host's end of a TCP connection; closed when dropped.
pub struct HostStream(Arc<TcpSocket>);

impl HostStream {
    /// Reads; 0 bytes is the end.
    pub fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize>> {
        poll_socket(&*self.0, cx, || Ok(self.0.recv(buf, MsgFlags::empty())?.0))
    }

    /// Writes as much as fits.
    pub fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        poll_socket(&*self.0, cx, || self.0.send(buf, MsgFlags::empty(), None))
    }

    /// Reads; 0 bytes is the end.
    pub async fn read(&self, buf: &mut [u8]) -> Result<usize> {
        poll_fn(|cx| self.poll_read(cx, buf)).await
    }

    /// Writes as much as fits, at least one byte.
    pub async fn write(&self, buf: &[u8]) -> Result<usize> {
        poll_fn(|cx| self.poll_write(cx, buf)).await
    }

    /// Writes all of it.
    pub async fn write_all(&self, mut buf: &[u8]) -> Result<()> {
        while !buf.is_empty() {
            let n = self.write(buf).await?;
            buf = buf.get(n..).unwrap_or_default();
        }
        Ok(())
    }

    /// Ends the writing: the peer reads the end of file. Reading goes on.
    pub fn shutdown_write(&self) -> Result<()> {
        self.0.shutdown(Shutdown::Write)
    }

    /// The address of this end.
    pub fn local_address(&self) -> Result<SocketAddr> {
        inet(self.0.local_address())
    }

    /// The address of the other end.
    pub fn peer_address(&self) -> Result<SocketAddr> {
        inet(self.0.peer_address()?)
    }
}

impl Drop for HostStream {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// A listening socket of the host; closed when dropped.
pub struct HostListener(Arc<TcpSocket>);

impl HostListener {
    /// The next connection, and who made it.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Result<(HostStream, SocketAddr)>> {
        poll_socket(&*self.0, cx, || {
            let (socket, peer) = self.0.accept_tcp(0)?;
            Ok((HostStream(socket), inet(peer)?))
        })
    }

    /// The next connection, and who made it.
    pub async fn accept(&self) -> Result<(HostStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// The address that it listens on.
    pub fn local_address(&self) -> Result<SocketAddr> {
        inet(self.0.local_address())
    }
}

impl Drop for HostListener {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// A UDP socket of the host; closed when dropped.
pub struct HostUdp(Arc<UdpSocket>);

impl HostUdp {
    /// The next datagram, cut to the buffer, and who sent it.
    pub fn poll_recv_from(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<(usize, SocketAddr)>> {
        poll_socket(&*self.0, cx, || {
            let (n, from, _) = self.0.recv(buf, MsgFlags::empty())?;
            Ok((n, inet(from.ok_or(Errno::EIO)?)?))
        })
    }

    /// The next datagram, cut to the buffer, and who sent it.
    pub async fn recv_from(&self, buf: &mut [u8]) -> Result<(usize, SocketAddr)> {
        poll_fn(|cx| self.poll_recv_from(cx, buf)).await
    }

    /// Sends a datagram; never waits (a full receiver drops it).
    pub fn send_to(&self, buf: &[u8], to: SocketAddr) -> Result<usize> {
        self.0.send(buf, MsgFlags::empty(), Some(&Endpoint::Inet(to)))
    }

    /// The address that it is bound to.
    pub fn local_address(&self) -> Result<SocketAddr> {
        inet(self.0.local_address())
    }
}

impl Drop for HostUdp {
    fn drop(&mut self) {
        self.0.release();
    }
}

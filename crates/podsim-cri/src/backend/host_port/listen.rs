//! Sockets that wait for clients: the machine's, and those of a node with a network of its own.

use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// A listening TCP socket.
pub trait Listen: Send + Sync + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// The next connection.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Ends a connection that leads nowhere, with a reset where that can be.
    fn reset(stream: Self::Stream);
}

/// A UDP socket of many peers.
pub trait Receive: Send + Sync + 'static {
    /// The next datagram, cut to the buffer: its length, and who sent it.
    fn recv_from(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<(usize, SocketAddr)>> + Send;

    /// Sends a datagram.
    fn send_to(&self, datagram: &[u8], to: SocketAddr) -> impl Future<Output = io::Result<usize>> + Send;
}

/// The network of a node that is not the machine's.
pub trait NodeNetwork: Sync {
    /// Its listening sockets.
    type Tcp: Listen;
    /// Its UDP sockets.
    type Udp: Receive;

    /// Whether one can listen on this address there.
    fn has(&self, address: IpAddr) -> bool;

    /// Listens there.
    fn listen(&self, address: SocketAddr) -> impl Future<Output = io::Result<Self::Tcp>> + Send;

    /// Binds a UDP socket there.
    fn bind(&self, address: SocketAddr) -> impl Future<Output = io::Result<Self::Udp>> + Send;
}

impl Listen for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<TcpStream> {
        let (stream, _) = TcpListener::accept(self).await?;
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    fn reset(stream: TcpStream) {
        let _ = stream.set_zero_linger();
    }
}

impl Receive for UdpSocket {
    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        UdpSocket::recv_from(self, buffer).await
    }

    async fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<usize> {
        UdpSocket::send_to(self, datagram, to).await
    }
}

//! [`Dial`]: connections from the node's own network, which has a route to every Pod.

use crate::BoxDuplex;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UdpSocket;

/// Connects as a process in the node's network namespace does. Errors have the kinds of connect(2)'s.
pub trait Dial: Clone + Send + Sync + 'static {
    /// A TCP connection.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;
    /// A UDP socket that is connected.
    type Datagrams: Datagrams;

    /// Connects over TCP.
    fn connect(&self, address: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Makes a UDP socket for datagrams to and from this address.
    fn connect_udp(&self, address: SocketAddr) -> impl Future<Output = io::Result<Self::Datagrams>> + Send;
}

/// Datagrams to and from one peer.
pub trait Datagrams: Send + Sync + 'static {
    /// Sends one.
    fn send(&self, datagram: &[u8]) -> impl Future<Output = io::Result<()>> + Send;

    /// Receives one, cut to the buffer; its length.
    fn recv(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send;
}

impl Datagrams for UdpSocket {
    async fn send(&self, datagram: &[u8]) -> io::Result<()> {
        UdpSocket::send(self, datagram).await.map(drop)
    }

    async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        UdpSocket::recv(self, buffer).await
    }
}

/// A connection as [`crate::RuntimeService::dial`] gives it.
pub async fn dial(node: &impl Dial, address: SocketAddr) -> io::Result<BoxDuplex> {
    Ok(Box::new(node.connect(address).await?))
}

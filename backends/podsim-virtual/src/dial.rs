//! The way from the node to its Pods: sockets of the host's side in the node's network namespace.

use crate::stdio::{HostConnection, io_error};
use podsim_cri::backend::{Datagrams, Dial, Listen, NodeNetwork, Receive};
use podsim_kernel::net::{HostListener, HostUdp, NetNamespace};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// The node's network.
#[derive(Clone)]
pub(crate) struct NodeNet(pub(crate) Arc<NetNamespace>);

/// A UDP socket that has one peer.
pub(crate) struct Flow {
    socket: HostUdp,
    peer: SocketAddr,
}

impl Dial for NodeNet {
    type Stream = HostConnection;
    type Datagrams = Flow;

    async fn connect(&self, address: SocketAddr) -> io::Result<HostConnection> {
        let stream = self.0.connect_from_host(address).await;
        stream.map(HostConnection).map_err(io_error)
    }

    async fn connect_udp(&self, peer: SocketAddr) -> io::Result<Flow> {
        let any = match peer {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = self.0.bind_host_udp(SocketAddr::new(any, 0)).map_err(io_error)?;
        Ok(Flow { socket, peer })
    }
}

impl Datagrams for Flow {
    async fn send(&self, datagram: &[u8]) -> io::Result<()> {
        self.socket.send_to(datagram, self.peer).map(drop).map_err(io_error)
    }

    async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let (length, from) = self.socket.recv_from(buffer).await.map_err(io_error)?;
            if from == self.peer {
                return Ok(length);
            }
        }
    }
}

/// Listens in the node's network.
pub(crate) struct Listener(HostListener);

impl Listen for Listener {
    type Stream = HostConnection;

    async fn accept(&self) -> io::Result<HostConnection> {
        let (stream, _) = self.0.accept().await.map_err(io_error)?;
        Ok(HostConnection(stream))
    }

    fn reset(stream: HostConnection) {
        drop(stream);
    }
}

/// A UDP socket of the node's network.
pub(crate) struct Peers(HostUdp);

impl Receive for Peers {
    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.recv_from(buffer).await.map_err(io_error)
    }

    async fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.0.send_to(datagram, to).map_err(io_error)
    }
}

impl NodeNetwork for NodeNet {
    type Tcp = Listener;
    type Udp = Peers;

    fn has(&self, address: IpAddr) -> bool {
        address.is_unspecified() || address.is_loopback() || self.0.is_local(address)
    }

    async fn listen(&self, address: SocketAddr) -> io::Result<Listener> {
        self.0.bind_host_tcp(address).map(Listener).map_err(io_error)
    }

    async fn bind(&self, address: SocketAddr) -> io::Result<Peers> {
        self.0.bind_host_udp(address).map(Peers).map_err(io_error)
    }
}

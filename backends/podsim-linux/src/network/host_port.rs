//! `hostPort`: a port of the host that leads to a port of a Pod.
//!
//! A proxy in this process: it needs no rights on the host, changes nothing there, and ends with the process. What it costs is that the
//! Pod sees the node as the one who connects, and not the client.

use super::NetNs;
use super::error::{Error, Result};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

/// The most connections, or flows of datagrams, at one time for one port.
const MAX: usize = 4096;
/// When there is nothing to accept a connection with (EMFILE, ENOMEM), the next try is after this.
const RETRY: Duration = Duration::from_millis(100);
/// A flow of datagrams ends when none has come for so long, either way (conntrack's `nf_conntrack_udp_timeout_stream`).
const IDLE: Duration = Duration::from_secs(120);
/// Datagrams that wait for a flow; the rest is lost, as datagrams are.
const WAITING: usize = 64;
/// The largest datagram.
const DATAGRAM: usize = 65536;

/// The protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
        })
    }
}

/// A port of the host and where it leads.
#[derive(Clone, Debug)]
pub struct HostPortConfig {
    /// `hostIP`; `None` is 127.0.0.1: what others can reach has to be asked for.
    pub host_ip: Option<IpAddr>,
    /// `hostPort`.
    pub host_port: u16,
    /// The protocol.
    pub protocol: Protocol,
    /// The namespace to connect from: the node's, so that the Pod is reached as over its network.
    pub netns: NetNs,
    /// The Pod's address and port.
    pub target: SocketAddr,
}

/// An open port of the host. Dropping it closes the port and all connections.
#[derive(Debug)]
pub struct HostPort {
    task: JoinHandle<()>,
    address: SocketAddr,
}

impl HostPort {
    /// Opens the port, in the network namespace of the process, and serves it until the value is dropped.
    pub async fn open(config: HostPortConfig) -> Result<Self> {
        let host_ip = config.host_ip.unwrap_or(Ipv4Addr::LOCALHOST.into());
        let address = SocketAddr::new(host_ip, config.host_port);
        let failed = |error| refused(format!("{address}/{}", config.protocol), error);
        let way = Way {
            netns: config.netns,
            target: config.target,
        };
        let (address, task) = match config.protocol {
            Protocol::Tcp => {
                let listener = TcpListener::bind(address).await.map_err(failed)?;
                let address = listener.local_addr().map_err(failed)?;
                (address, tokio::spawn(serve_tcp(listener, way)))
            }
            Protocol::Udp => {
                let socket = UdpSocket::bind(address).await.map_err(failed)?;
                let address = socket.local_addr().map_err(failed)?;
                (address, tokio::spawn(serve_udp(socket, way)))
            }
        };
        Ok(Self { task, address })
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes it; and it is closed when this returns.
    pub async fn close(mut self) {
        self.task.abort();
        // Cancelled, which is what was asked for.
        let _ = (&mut self.task).await;
    }
}

impl Drop for HostPort {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn refused(port: String, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::AddrInUse => Error::PortTaken(port),
        io::ErrorKind::AddrNotAvailable => Error::NoSuchHostIp(port),
        io::ErrorKind::PermissionDenied => Error::PortForbidden(port),
        _ => Error::host(format!("open {port}"))(error),
    }
}

/// Where connections go.
#[derive(Clone)]
struct Way {
    netns: NetNs,
    target: SocketAddr,
}

async fn serve_tcp(listener: TcpListener, way: Way) {
    // Ends with this future: dropping the set ends its tasks.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) if connections.len() < MAX => {
                    connections.spawn(connect(client, way.clone()));
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(RETRY).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries bytes both ways; each way ends by itself (a half-closed connection stays open the other way).
async fn connect(mut client: TcpStream, way: Way) {
    let carried = match way.netns.connect(way.target).await {
        Ok(mut pod) => {
            let (_, _) = (client.set_nodelay(true), pod.set_nodelay(true));
            let carried = tokio::io::copy_bidirectional(&mut client, &mut pod).await;
            if carried.is_err() {
                let _ = pod.set_zero_linger();
            }
            carried.map(drop)
        }
        Err(error) => Err(error),
    };
    if carried.is_err() {
        // A reset is the nearest to what the client would have got from the Pod itself.
        let _ = client.set_zero_linger();
    }
}

async fn serve_udp(socket: UdpSocket, way: Way) {
    let socket = Arc::new(socket);
    let mut tasks = JoinSet::new();
    let mut flows: HashMap<SocketAddr, mpsc::Sender<Vec<u8>>> = HashMap::new();
    let mut buffer = vec![0; DATAGRAM];
    loop {
        tokio::select! {
            received = socket.recv_from(&mut buffer) => match received {
                Ok((length, client)) => {
                    let datagram = buffer.get(..length).unwrap_or_default().to_vec();
                    let lost = match flows.get(&client) {
                        Some(flow) => flow.try_send(datagram),
                        None => Err(mpsc::error::TrySendError::Closed(datagram)),
                    };
                    // A new client, or one whose flow has just ended.
                    if let Err(mpsc::error::TrySendError::Closed(datagram)) = lost && tasks.len() < MAX {
                        let (sender, receiver) = mpsc::channel(WAITING);
                        let _ = sender.try_send(datagram);
                        flows.insert(client, sender);
                        tasks.spawn(flow(socket.clone(), client, receiver, way.clone(), IDLE));
                    }
                }
                // An ICMP error about an answer of ours: that client is gone, the others are not.
                Err(_) => tokio::task::yield_now().await,
            },
            Some(_) = tasks.join_next() => flows.retain(|_, flow| !flow.is_closed()),
        }
    }
}

/// One client's datagrams: to the Pod, and the answers back. Ends when neither has sent anything for a while.
async fn flow(
    socket: Arc<UdpSocket>,
    client: SocketAddr,
    mut datagrams: mpsc::Receiver<Vec<u8>>,
    way: Way,
    idle: Duration,
) {
    let Ok(pod) = way.netns.connect_udp(way.target).await else {
        return;
    };
    let mut buffer = vec![0; DATAGRAM];
    loop {
        tokio::select! {
            datagram = datagrams.recv() => match datagram {
                // What cannot be sent is lost (ECONNREFUSED: nobody listens in the Pod, yet).
                Some(datagram) => drop(pod.send(&datagram).await),
                None => return,
            },
            answer = pod.recv(&mut buffer) => if let Ok(length) = answer {
                let _ = socket.send_to(buffer.get(..length).unwrap_or_default(), client).await;
            },
            () = tokio::time::sleep(idle) => return,
        }
    }
}

#[cfg(test)]
mod tests;

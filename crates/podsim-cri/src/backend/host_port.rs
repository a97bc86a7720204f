//! `hostPort`: ports of the machine that lead to ports of a Pod.
//!
//! A proxy in this process: it needs no rights on the machine, changes nothing there, and ends with the process. What it costs is that the
//! Pod sees the node as the one who connects, and not the client.

mod listen;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;

use super::dial::Dial;
use crate::{Error, PortMapping, Protocol, Result};
pub use listen::{Listen, NodeNetwork, Receive};
use podsim_sys::{Clock, sleep_until};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// The most connections, or flows of datagrams, at one time for one port.
const MAX: usize = 4096;

/// The open ports of a Pod. Dropping them closes them and all their connections.
#[derive(Debug)]
pub struct HostPorts {
    tasks: Vec<AbortHandle>,
    addresses: Vec<SocketAddr>,
    /// They have no sender any more when all is closed.
    open: Vec<watch::Receiver<()>>,
}

/// Where connections go, and what they need.
struct Way<D> {
    dial: D,
    target: SocketAddr,
    clock: Arc<dyn Clock>,
    /// Held by whatever has a socket of the port, and dropped after it: so it is the first parameter of what serves (parameters are dropped from
    /// the last to the first).
    open: watch::Sender<()>,
}

impl<D: Clone> Clone for Way<D> {
    fn clone(&self) -> Self {
        Self {
            dial: self.dial.clone(),
            target: self.target,
            clock: self.clock.clone(),
            open: self.open.clone(),
        }
    }
}

impl<D: Dial> Way<D> {
    fn to(mapping: &PortMapping, pod: IpAddr, dial: &D, clock: &Arc<dyn Clock>, open: &watch::Sender<()>) -> Self {
        Self {
            dial: dial.clone(),
            target: SocketAddr::new(pod, mapping.container_port),
            clock: clock.clone(),
            open: open.clone(),
        }
    }

    async fn sleep(&self, time: Duration) {
        sleep_until(&self.clock, self.clock.monotonic().saturating_add(time)).await;
    }
}

impl HostPorts {
    /// Opens the ports of a Pod that has this address, in the network namespace of the process, and serves them until the value is
    /// dropped. Must be called inside a tokio runtime. Without `hostIP` a port is opened on 127.0.0.1: what other machines can reach has to
    /// be asked for.
    ///
    /// # Errors
    ///
    /// A port that cannot be opened; then none is open.
    pub fn open(mappings: &[PortMapping], pod: IpAddr, dial: &impl Dial, clock: &Arc<dyn Clock>) -> Result<Self> {
        // From here on `Drop` closes what was opened.
        let (sender, open) = watch::channel(());
        let mut ports = Self {
            tasks: Vec::new(),
            addresses: Vec::new(),
            open: vec![open],
        };
        for mapping in mappings {
            let address = SocketAddr::new(host_ip(mapping, Ipv4Addr::LOCALHOST)?, mapping.host_port);
            let way = Way::to(mapping, pod, dial, clock, &sender);
            let failed = |error| refused(&format!("{address}/{}", mapping.protocol), &error);
            let (address, task) = match mapping.protocol {
                Protocol::Tcp => {
                    let listener = listen(address).map_err(failed)?;
                    let address = listener.local_addr().map_err(failed)?;
                    (address, tokio::spawn(tcp::serve(way, listener)))
                }
                Protocol::Udp => {
                    let socket = bind(address).map_err(failed)?;
                    let address = socket.local_addr().map_err(failed)?;
                    (address, tokio::spawn(udp::serve(way, socket)))
                }
                Protocol::Sctp => return Err(no_sctp(address)),
            };
            ports.tasks.push(task.abort_handle());
            ports.addresses.push(address);
        }
        Ok(ports)
    }

    /// Opens the ports of a Pod of a node that has a network of its own: on the machine, but for those that are for an address that only the
    /// node has, and in the node's network, where without `hostIP` a port is open on all addresses.
    ///
    /// # Errors
    ///
    /// A port that cannot be opened; then none is open.
    pub async fn open_both(
        mappings: &[PortMapping],
        pod: IpAddr,
        dial: &impl Dial,
        clock: &Arc<dyn Clock>,
        node: &impl NodeNetwork,
    ) -> Result<Self> {
        let inside = |mapping: &PortMapping| {
            let ip = host_ip(mapping, Ipv4Addr::UNSPECIFIED)?;
            Ok(node.has(ip).then_some(SocketAddr::new(ip, mapping.host_port)))
        };
        let mut outside = Vec::new();
        for mapping in mappings {
            let of_both = |address: SocketAddr| address.ip().is_loopback() || address.ip().is_unspecified();
            if inside(mapping)?.is_none_or(of_both) {
                outside.push(mapping.clone());
            }
        }
        let mut ports = Self::open(&outside, pod, dial, clock)?;
        let (sender, open) = watch::channel(());
        ports.open.push(open);
        for mapping in mappings {
            let Some(address) = inside(mapping)? else { continue };
            let way = Way::to(mapping, pod, dial, clock, &sender);
            let failed = |error| refused(&format!("{address}/{}", mapping.protocol), &error);
            let task = match mapping.protocol {
                Protocol::Tcp => tokio::spawn(tcp::serve(way, node.listen(address).await.map_err(failed)?)),
                Protocol::Udp => tokio::spawn(udp::serve(way, node.bind(address).await.map_err(failed)?)),
                Protocol::Sctp => return Err(no_sctp(address)),
            };
            ports.tasks.push(task.abort_handle());
        }
        Ok(ports)
    }

    /// The addresses that it listens on, in the order of the mappings.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Begins to close them; [`HostPorts::closed`] tells when that is done.
    pub fn close(&self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }

    /// Ends when they are closed: another process can have them.
    pub async fn closed(&self) {
        for mut open in self.open.clone() {
            while open.changed().await.is_ok() {}
        }
    }
}

impl Drop for HostPorts {
    fn drop(&mut self) {
        self.close();
    }
}

fn host_ip(mapping: &PortMapping, default: Ipv4Addr) -> Result<IpAddr> {
    match mapping.host_ip.as_str() {
        "" => Ok(default.into()),
        ip => ip
            .parse()
            .map_err(|_| Error::InvalidArgument(format!("hostIP {ip:?} is not an IP address"))),
    }
}

fn no_sctp(address: SocketAddr) -> Error {
    Error::Unsupported(format!(
        "cannot open {address}/SCTP: there is no SCTP here; use TCP or UDP, or leave hostPort out"
    ))
}

fn listen(address: SocketAddr) -> io::Result<tokio::net::TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}

fn bind(address: SocketAddr) -> io::Result<tokio::net::UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    tokio::net::UdpSocket::from_std(socket)
}

/// Why a port could not be opened, and what would help. What is taken is said in the scheduler's words (`NodePorts`).
fn refused(port: &str, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::AddrInUse => Error::FailedPrecondition(format!(
            "node(s) didn't have free ports for the requested pod ports: {port} is in use on this machine: end what listens there, or choose \
             another hostPort or hostIP"
        )),
        io::ErrorKind::AddrNotAvailable => Error::InvalidArgument(format!(
            "cannot open {port}: hostIP is not an address of this machine; leave it out for 127.0.0.1, or choose 0.0.0.0 for all"
        )),
        io::ErrorKind::PermissionDenied => Error::FailedPrecondition(format!(
            "cannot open {port}: ports below net.ipv4.ip_unprivileged_port_start (usually 1024) need CAP_NET_BIND_SERVICE; choose a higher \
             hostPort"
        )),
        _ => Error::Internal(format!("cannot open {port}: {error}")),
    }
}

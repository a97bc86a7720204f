//! `kubectl port-forward`: a connection to a port of a Pod, from within.

use super::NetNs;
use podsim_cri::backend::Dial;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tokio::net::TcpStream;

/// Connects to a port on the loopback interface of a namespace: IPv4 first, as container runtimes do, and IPv6 if nothing listens there.
pub async fn port_forward(netns: &NetNs, port: u16) -> io::Result<TcpStream> {
    let v4 = netns.connect((IpAddr::V4(Ipv4Addr::LOCALHOST), port).into()).await;
    match v4 {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            let v6 = netns.connect((IpAddr::V6(Ipv6Addr::LOCALHOST), port).into()).await;
            // What went wrong with IPv4 is what people want to know.
            v6.map_err(|_| error)
        }
        v4 => v4,
    }
}

//! Datagrams to a port of the machine.

use super::{Dial, MAX, Receive, Way};
use crate::backend::dial::Datagrams;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A flow of datagrams ends when none has come for so long, either way (conntrack's `nf_conntrack_udp_timeout_stream`).
const IDLE: Duration = Duration::from_secs(120);
/// Datagrams that wait for a flow; the rest is lost, as datagrams are.
pub(super) const WAITING: usize = 64;
/// The largest datagram.
const DATAGRAM: usize = 65536;

pub(super) async fn serve(way: Way<impl Dial>, socket: impl Receive) {
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
                        tasks.spawn(flow(way.clone(), socket.clone(), client, receiver));
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
pub(super) async fn flow(
    way: Way<impl Dial>,
    socket: Arc<impl Receive>,
    client: SocketAddr,
    mut datagrams: mpsc::Receiver<Vec<u8>>,
) {
    let Ok(pod) = way.dial.connect_udp(way.target).await else {
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
            answer = pod.recv(&mut buffer) => match answer {
                Ok(length) => {
                    let _ = socket.send_to(buffer.get(..length).unwrap_or_default(), client).await;
                }
                // An ICMP error about what was sent before.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(_) => return,
            },
            () = way.sleep(IDLE) => return,
        }
    }
}

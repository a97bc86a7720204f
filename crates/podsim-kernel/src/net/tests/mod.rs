//! Tests of the network, on sockets and namespaces alone (no processes).

mod calls;
mod links;
mod tcp;
mod udp;
mod unix;

use super::socket::{Endpoint, Socket};
use super::{LinkRequest, NetNamespace, VethRequest};
use podsim_sys::{AddressFamily, CapSet, Credentials, Ipv4Interface, MsgFlags, Result, SockAddr, SocketType};
use std::future::Future;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Counts its wake-ups.
#[derive(Default)]
pub(super) struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Bell {
    pub(super) fn rang(&self) -> bool {
        self.0.swap(0, Ordering::Relaxed) > 0
    }
}

pub(super) fn bell() -> (Arc<Bell>, Waker) {
    let bell = Arc::new(Bell::default());
    (bell.clone(), Waker::from(bell))
}

/// One look at a future.
pub(super) fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

pub(super) fn root() -> Credentials {
    Credentials::root(CapSet::FULL)
}

/// A namespace with `lo` up.
pub(super) fn host() -> Arc<NetNamespace> {
    let ns = NetNamespace::new(1);
    ns.set_link_up("lo", true).unwrap();
    ns
}

/// The node of the seed notes, and two Pods on its bridge.
pub(super) fn node_and_pods() -> (Arc<NetNamespace>, Arc<NetNamespace>, Arc<NetNamespace>) {
    let node = host();
    let link = |name: &str, bridge, mac, queue, address, prefix, broadcast: [u8; 4]| LinkRequest {
        name: name.to_owned(),
        bridge,
        mac,
        mtu: 1500,
        tx_queue_len: queue,
        ipv4: vec![Ipv4Interface {
            address,
            prefix,
            broadcast: broadcast.into(),
        }],
        ipv6: vec![],
    };
    let cni0 = [0x16, 0x80, 0xf0, 0xf9, 0xa0, 0xb4];
    let docker0 = [0x02, 0x42, 0xbb, 0x9b, 0x62, 0x76];
    node.add_link(&link(
        "eth0",
        false,
        [2, 0, 0, 0, 0, 1],
        1000,
        [192, 168, 1, 10].into(),
        24,
        [192, 168, 1, 255],
    ))
    .unwrap();
    node.add_link(&link("cni0", true, cni0, 1000, [172, 172, 1, 1].into(), 24, [0; 4]))
        .unwrap();
    node.add_link(&link(
        "docker0",
        true,
        docker0,
        0,
        [172, 17, 0, 1].into(),
        16,
        [172, 17, 255, 255],
    ))
    .unwrap();
    let pods = [41, 42].map(|last| {
        let pod = NetNamespace::new(2);
        pod.attach_pod(&node, &pod_request(last)).unwrap();
        pod
    });
    let [a, b] = pods;
    (node, a, b)
}

pub(super) fn pod_request(last: u8) -> VethRequest {
    VethRequest {
        bridge: "cni0".to_owned(),
        address: Ipv4Addr::new(172, 172, 1, last),
        prefix: 24,
        gateway: Some(Ipv4Addr::new(172, 172, 1, 1)),
        mac: [0x0a, 0x58, 172, 172, 1, last],
    }
}

pub(super) fn tcp4(ns: &NetNamespace) -> Arc<dyn Socket> {
    ns.socket(AddressFamily::Inet, SocketType::Stream, 7, &root()).unwrap()
}

pub(super) fn udp4(ns: &NetNamespace) -> Arc<dyn Socket> {
    ns.socket(AddressFamily::Inet, SocketType::Datagram, 8, &root())
        .unwrap()
}

pub(super) fn at(address: &str) -> Endpoint {
    Endpoint::Inet(address.parse().unwrap())
}

pub(super) fn shown(address: &str) -> SockAddr {
    SockAddr::Inet(address.parse().unwrap())
}

pub(super) fn listener(ns: &NetNamespace, family: AddressFamily, address: &str) -> Arc<dyn Socket> {
    let socket = ns.socket(family, SocketType::Stream, 9, &root()).unwrap();
    socket.bind(&at(address), &root()).unwrap();
    socket.listen(5).unwrap();
    socket
}

pub(super) fn receive(socket: &Arc<dyn Socket>, len: usize) -> Result<String> {
    let mut buf = vec![0; len];
    let (n, ..) = socket.recv(&mut buf, MsgFlags::empty())?;
    Ok(String::from_utf8(buf[..n].to_vec()).unwrap())
}

pub(super) fn send(socket: &Arc<dyn Socket>, text: &str) -> Result<usize> {
    socket.send(text.as_bytes(), MsgFlags::empty(), None)
}

//! Ports of the host's loopback interface that lead into Pods.

use super::*;
use crate::network::NodeNetwork;
use crate::network::tests::{config, pod};
use crate::testing::is_root;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A Pod on a node of its own, and a port of the host that leads to its port 80.
async fn open(node: &NodeNetwork, target: Ipv4Addr, protocol: Protocol) -> HostPort {
    let config = request(node, target, protocol, 0);
    HostPort::open(config).await.unwrap()
}

fn request(node: &NodeNetwork, target: Ipv4Addr, protocol: Protocol, host_port: u16) -> HostPortConfig {
    HostPortConfig {
        host_ip: None,
        host_port,
        protocol,
        netns: node.netns().clone(),
        target: (target, 80).into(),
    }
}

#[tokio::test]
async fn tcp_goes_both_ways_and_each_way_ends_by_itself() {
    if !is_root() {
        return;
    }
    let node = NodeNetwork::of_its_own(config(), &[]).unwrap();
    let (pod, at, _) = pod(&node, "11111111");
    let listener = pod.listen((at, 80).into()).await.unwrap();
    let port = open(&node, at, Protocol::Tcp).await;
    assert!(port.address().ip().is_loopback());
    let server = async {
        let (mut stream, peer) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        stream.read_to_end(&mut request).await.unwrap(); // the client's half is closed, ours is open
        stream.write_all(&request).await.unwrap();
        peer
    };
    let client = async {
        let mut stream = TcpStream::connect(port.address()).await.unwrap();
        let large = vec![7; 1 << 20];
        stream.write_all(&large).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer.len()
    };
    let (peer, length) = tokio::join!(server, client);
    assert_eq!(length, 1 << 20);
    assert_eq!(peer.ip(), IpAddr::from([10, 244, 0, 1]), "the bridge connects");
}

#[tokio::test]
async fn a_client_of_a_port_that_nobody_listens_on_in_the_pod_is_reset() {
    if !is_root() {
        return;
    }
    let node = NodeNetwork::of_its_own(config(), &[]).unwrap();
    let (_pod, at, _) = pod(&node, "11111111");
    let port = open(&node, at, Protocol::Tcp).await;
    let mut stream = TcpStream::connect(port.address()).await.unwrap();
    let error = stream.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn each_client_of_a_udp_port_gets_its_own_answers() {
    if !is_root() {
        return;
    }
    let node = NodeNetwork::of_its_own(config(), &[]).unwrap();
    let (pod, at, _) = pod(&node, "11111111");
    let server = pod.bind_udp((at, 80).into()).await.unwrap();
    let port = open(&node, at, Protocol::Udp).await;
    let mut clients = Vec::new();
    for name in ["one", "two"] {
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        client.connect(port.address()).await.unwrap();
        client.send(name.as_bytes()).await.unwrap();
        clients.push((name, client));
    }
    let mut buffer = [0; 64];
    let mut flows = Vec::new();
    for _ in &clients {
        let (length, from) = server.recv_from(&mut buffer).await.unwrap();
        server.send_to(&buffer[..length], from).await.unwrap();
        flows.push(from);
    }
    assert_ne!(flows[0], flows[1]);
    for (name, client) in &clients {
        let length = client.recv(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..length], name.as_bytes());
    }
    // The same client again, on the same flow.
    clients[0].1.send(b"more").await.unwrap();
    let (_, from) = server.recv_from(&mut buffer).await.unwrap();
    assert!(flows.contains(&from));
}

#[tokio::test]
async fn a_flow_ends_when_it_is_idle() {
    if !is_root() {
        return;
    }
    let node = NodeNetwork::of_its_own(config(), &[]).unwrap();
    let (pod, at, _) = pod(&node, "11111111");
    let server = pod.bind_udp((at, 80).into()).await.unwrap();
    let socket = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap());
    let client = socket.local_addr().unwrap();
    let (sender, receiver) = mpsc::channel(WAITING);
    sender.try_send(b"x".to_vec()).unwrap();
    let way = Way {
        netns: node.netns().clone(),
        target: (at, 80).into(),
    };
    flow(socket, client, receiver, way, Duration::from_millis(20)).await;
    let (length, _) = server.recv_from(&mut [0; 8]).await.unwrap();
    assert_eq!(length, 1);
    // The next datagram begins another one.
    assert!(sender.is_closed());
}

#[tokio::test]
async fn a_port_that_is_taken_is_refused_in_the_schedulers_words_and_free_after_it_was_closed() {
    if !is_root() {
        return;
    }
    let node = NodeNetwork::of_its_own(config(), &[]).unwrap();
    let at = Ipv4Addr::new(10, 244, 0, 2);
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let first = open(&node, at, protocol).await;
        let taken = first.address().port();
        let again = || HostPort::open(request(&node, at, protocol, taken));
        let error = again().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "node(s) didn't have free ports for the requested pod ports: 127.0.0.1:{taken}/{protocol} is in use"
            )
        );
        first.close().await;
        again().await.unwrap();
    }
    let elsewhere = HostPortConfig {
        host_ip: Some(Ipv4Addr::new(192, 0, 2, 1).into()),
        ..request(&node, at, Protocol::Tcp, 8080)
    };
    let error = HostPort::open(elsewhere).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot open 192.0.2.1:8080/TCP: hostIP is not an address of this host"
    );
}

#[tokio::test]
async fn dropping_it_ends_its_connections() {
    if !is_root() {
        return;
    }
    let node = NodeNetwork::of_its_own(config(), &[]).unwrap();
    let (pod, at, _) = pod(&node, "11111111");
    let listener = pod.listen((at, 80).into()).await.unwrap();
    let port = open(&node, at, Protocol::Tcp).await;
    let mut client = TcpStream::connect(port.address()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    server.write_all(b"x").await.unwrap();
    client.read_exact(&mut [0]).await.unwrap();
    drop(port);
    assert_eq!(client.read(&mut [0]).await.unwrap_or(0), 0);
    assert_eq!(server.read(&mut [0]).await.unwrap_or(0), 0);
}

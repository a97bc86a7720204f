//! Ports of the loopback interface that lead to others of it, in place of a Pod's.

use super::*;
use podsim_sys::ManualClock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[derive(Clone)]
struct Loopback;

impl Dial for Loopback {
    type Stream = TcpStream;
    type Datagrams = UdpSocket;

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(address).await
    }

    async fn connect_udp(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind((HERE, 0)).await?;
        socket.connect(address).await?;
        Ok(socket)
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Duration::ZERO))
}

fn mapping(protocol: Protocol, container_port: u16, host_port: u16) -> PortMapping {
    PortMapping {
        protocol,
        container_port,
        host_port,
        host_ip: String::new(),
    }
}

fn open(mappings: &[PortMapping]) -> Result<HostPorts> {
    HostPorts::open(mappings, HERE, &Loopback, &(clock() as Arc<dyn Clock>))
}

/// A port that leads to this one.
fn port(protocol: Protocol, to: SocketAddr) -> (HostPorts, SocketAddr) {
    let ports = open(&[mapping(protocol, to.port(), 0)]).expect("a port");
    let address = ports.addresses()[0];
    (ports, address)
}

#[tokio::test]
async fn tcp_goes_both_ways_and_each_way_ends_by_itself() {
    let pod = TcpListener::bind((HERE, 0)).await.expect("a server");
    let (_ports, address) = port(Protocol::Tcp, pod.local_addr().expect("its address"));
    assert!(address.ip().is_loopback());
    let server = async {
        let (mut stream, _) = pod.accept().await.expect("a client");
        let mut request = Vec::new();
        stream.read_to_end(&mut request).await.expect("its end"); // the client's half is closed, ours is open
        stream.write_all(&request).await.expect("sent");
    };
    let client = async {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(&vec![7; 1 << 20]).await.expect("sent");
        stream.shutdown().await.expect("shut down");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("its end");
        answer.len()
    };
    let ((), length) = tokio::join!(server, client);
    assert_eq!(length, 1 << 20);
}

#[tokio::test]
async fn a_client_of_a_port_that_nobody_listens_on_in_the_pod_is_reset() {
    let pod = TcpListener::bind((HERE, 0)).await.expect("a server");
    let to = pod.local_addr().expect("its address");
    drop(pod);
    let (_ports, address) = port(Protocol::Tcp, to);
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let error = stream.read(&mut [0; 8]).await.expect_err("reset");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn each_client_of_a_udp_port_gets_its_own_answers() {
    let pod = UdpSocket::bind((HERE, 0)).await.expect("a server");
    let (_ports, address) = port(Protocol::Udp, pod.local_addr().expect("its address"));
    let mut clients = Vec::new();
    for name in ["one", "two"] {
        let client = UdpSocket::bind((HERE, 0)).await.expect("a client");
        client.connect(address).await.expect("connected");
        client.send(name.as_bytes()).await.expect("sent");
        clients.push((name, client));
    }
    let mut buffer = [0; 64];
    let mut flows = Vec::new();
    for _ in &clients {
        let (length, from) = pod.recv_from(&mut buffer).await.expect("a datagram");
        pod.send_to(&buffer[..length], from).await.expect("sent");
        flows.push(from);
    }
    assert_ne!(flows[0], flows[1]);
    for (name, client) in &clients {
        let length = client.recv(&mut buffer).await.expect("an answer");
        assert_eq!(&buffer[..length], name.as_bytes());
    }
    // The same client again, on the same flow.
    clients[0].1.send(b"more").await.expect("sent");
    let (_, from) = pod.recv_from(&mut buffer).await.expect("a datagram");
    assert!(flows.contains(&from));
}

#[tokio::test]
async fn a_flow_ends_when_it_is_idle() {
    let pod = UdpSocket::bind((HERE, 0)).await.expect("a server");
    let socket = Arc::new(UdpSocket::bind((HERE, 0)).await.expect("a port"));
    let client = socket.local_addr().expect("its address");
    let (sender, receiver) = mpsc::channel(udp::WAITING);
    sender.try_send(b"x".to_vec()).expect("room");
    let clock = clock();
    let way = Way {
        dial: Loopback,
        target: pod.local_addr().expect("its address"),
        clock: clock.clone(),
        open: watch::channel(()).0,
    };
    let flow = tokio::spawn(udp::flow(way, socket, client, receiver));
    let (length, _) = pod.recv_from(&mut [0; 8]).await.expect("a datagram");
    assert_eq!(length, 1);
    clock.advance(Duration::from_secs(119));
    tokio::task::yield_now().await;
    assert!(!flow.is_finished());
    clock.advance(Duration::from_secs(120));
    flow.await.expect("ended");
    // The next datagram begins another one.
    assert!(sender.is_closed());
}

#[tokio::test]
async fn a_port_that_is_taken_is_refused_in_the_schedulers_words_and_free_after_it_was_closed() {
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let (first, address) = port(protocol, (HERE, 1).into());
        let taken = address.port();
        let again = || open(&[mapping(protocol, 1, taken)]);
        assert_eq!(
            again().expect_err("taken").to_string(),
            format!(
                "node(s) didn't have free ports for the requested pod ports: 127.0.0.1:{taken}/{protocol} is in use on this machine: end what \
                 listens there, or choose another hostPort or hostIP"
            )
        );
        first.close();
        first.closed().await;
        again().expect("free");
    }
}

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    let on = |host_ip: &str| PortMapping {
        host_ip: host_ip.to_owned(),
        ..mapping(Protocol::Tcp, 80, 8080)
    };
    for (mapping, expected) in [
        (
            on("192.0.2.1"),
            "cannot open 192.0.2.1:8080/TCP: hostIP is not an address of this machine; leave it out for 127.0.0.1, or choose 0.0.0.0 for all",
        ),
        (on("everywhere"), "hostIP \"everywhere\" is not an IP address"),
        (
            mapping(Protocol::Sctp, 80, 8080),
            "cannot open 127.0.0.1:8080/SCTP: there is no SCTP here; use TCP or UDP, or leave hostPort out",
        ),
    ] {
        assert_eq!(open(&[mapping]).expect_err("refused").to_string(), expected);
    }
}

#[tokio::test]
async fn closing_it_ends_its_connections() {
    let pod = TcpListener::bind((HERE, 0)).await.expect("a server");
    let (ports, address) = port(Protocol::Tcp, pod.local_addr().expect("its address"));
    let mut client = TcpStream::connect(address).await.expect("connected");
    let (mut server, _) = pod.accept().await.expect("a client");
    server.write_all(b"x").await.expect("sent");
    client.read_exact(&mut [0]).await.expect("received");
    ports.close();
    ports.closed().await;
    assert_eq!(client.read(&mut [0]).await.unwrap_or(0), 0);
    assert_eq!(server.read(&mut [0]).await.unwrap_or(0), 0);
}

//! UDP.

use super::*;
use podsim_sys::{Errno, PollEvents};
use std::pin::pin;

fn bound(ns: &NetNamespace, address: &str) -> Arc<dyn Socket> {
    let socket = udp4(ns);
    socket.bind(&at(address), &root()).unwrap();
    socket
}

#[test]
fn datagrams_keep_their_limits_and_the_rest_is_cut() {
    let ns = host();
    let server = bound(&ns, "127.0.0.1:53");
    let client = udp4(&ns);
    for text in ["first", "second", ""] {
        assert_eq!(
            client.send(text.as_bytes(), MsgFlags::empty(), Some(&at("127.0.0.1:53"))),
            Ok(text.len())
        );
    }
    let mut buf = [0; 3];
    let (n, from, flags) = server.recv(&mut buf, MsgFlags::PEEK | MsgFlags::TRUNC).unwrap();
    assert_eq!((n, flags), (5, MsgFlags::TRUNC));
    let SockAddr::Inet(from) = from.unwrap() else { panic!() };
    assert_eq!(from.ip(), Ipv4Addr::LOCALHOST);
    assert_eq!(
        server.recv(&mut buf, MsgFlags::empty()).unwrap(),
        (3, Some(SockAddr::Inet(from)), MsgFlags::TRUNC)
    );
    assert_eq!(&buf, b"fir");
    assert_eq!(receive(&server, 99).unwrap(), "second");
    assert_eq!(receive(&server, 99).unwrap(), "");
    assert_eq!(receive(&server, 99), Err(Errno::EAGAIN));
}

#[test]
fn a_connected_socket_hears_only_its_peer_and_learns_that_nobody_listens() {
    let ns = host();
    let server = bound(&ns, "127.0.0.1:53");
    let other = bound(&ns, "127.0.0.1:54");
    let client = udp4(&ns);
    client.connect(&at("127.0.0.1:53"), false).unwrap();
    let SockAddr::Inet(own) = client.local_address() else {
        panic!()
    };
    let to_client = Endpoint::Inet(own);
    other.send(b"spoof", MsgFlags::empty(), Some(&to_client)).unwrap();
    server.send(b"real", MsgFlags::empty(), Some(&to_client)).unwrap();
    assert_eq!(receive(&client, 9).unwrap(), "real");
    assert_eq!(receive(&client, 9), Err(Errno::EAGAIN));

    server.release();
    assert_eq!(send(&client, "anybody?"), Ok(8));
    assert!(client.poll(None).contains(PollEvents::ERR));
    assert_eq!(receive(&client, 9), Err(Errno::ECONNREFUSED));
    assert_eq!(receive(&client, 9), Err(Errno::EAGAIN));
    // An unconnected one never learns.
    assert_eq!(other.send(b"x", MsgFlags::empty(), Some(&at("127.0.0.1:53"))), Ok(1));
    assert_eq!(receive(&other, 9), Err(Errno::EAGAIN));
}

#[test]
fn sending_fails_as_linux_says() {
    let (node, pod, _) = node_and_pods();
    let cases = [
        (
            "broadcast without SO_BROADCAST",
            &pod,
            "172.172.1.255:9",
            1,
            Errno::EACCES,
        ),
        ("limited broadcast", &node, "255.255.255.255:9", 1, Errno::EACCES),
        ("multicast", &pod, "224.0.0.251:5353", 1, Errno::ENETUNREACH),
        ("no route", &node, "8.8.8.8:53", 1, Errno::ENETUNREACH),
        ("nobody there", &pod, "172.172.1.99:9", 1, Errno::EHOSTUNREACH),
        ("port 0", &pod, "127.0.0.1:0", 1, Errno::EINVAL),
        ("too long", &pod, "127.0.0.1:9", 65_508, Errno::EMSGSIZE),
    ];
    for (case, ns, to, len, errno) in cases {
        assert_eq!(
            udp4(ns).send(&vec![0; len], MsgFlags::empty(), Some(&at(to))),
            Err(errno),
            "{case}"
        );
    }
    assert_eq!(send(&udp4(&pod), "x"), Err(Errno::EDESTADDRREQ));
    assert_eq!(udp4(&pod).listen(1), Err(Errno::EOPNOTSUPP));
}

#[test]
fn a_receiver_that_does_not_read_loses_datagrams_and_not_memory() {
    let ns = host();
    let server = bound(&ns, "127.0.0.1:53");
    let client = udp4(&ns);
    for _ in 0..10_000 {
        assert_eq!(client.send(b"", MsgFlags::empty(), Some(&at("127.0.0.1:53"))), Ok(0));
    }
    let received = (0..).take_while(|_| receive(&server, 1).is_ok()).count();
    assert!((100..1000).contains(&received), "{received}");
}

#[test]
fn a_pod_asks_the_dns_of_the_node() {
    let (node, pod, _) = node_and_pods();
    let dns = node.bind_host_udp("172.172.1.1:53".parse().unwrap()).unwrap();
    let client = udp4(&pod);
    client.connect(&at("172.172.1.1:53"), false).unwrap();
    send(&client, "web.default?").unwrap();
    let mut buf = [0; 64];
    let Poll::Ready(Ok((n, from))) = poll_once(pin!(dns.recv_from(&mut buf))) else {
        panic!()
    };
    assert_eq!((n, from.ip().to_string().as_str()), (12, "172.172.1.41"));
    dns.send_to(b"172.172.1.42", from).unwrap();
    assert_eq!(receive(&client, 64).unwrap(), "172.172.1.42");
}

//! TCP.

use super::*;
use crate::net::SocketFile;
use podsim_sys::{Errno, PollEvents, Shutdown, SockOpt};
use std::pin::pin;

const E: MsgFlags = MsgFlags::empty();

/// A connected pair over `lo`: client and server end.
fn connected(ns: &NetNamespace) -> [Arc<dyn Socket>; 2] {
    let server = listener(ns, AddressFamily::Inet, "127.0.0.1:80");
    let client = tcp4(ns);
    client.connect(&at("127.0.0.1:80"), false).unwrap();
    let (accepted, peer) = server.accept(10).unwrap();
    assert_eq!(peer, client.local_address());
    server.release();
    [client, accepted]
}

#[test]
fn bytes_go_both_ways_and_the_end_comes_after_them() {
    let ns = host();
    let [client, server] = connected(&ns);
    assert_eq!(receive(&server, 9), Err(Errno::EAGAIN));
    send(&client, "hello").unwrap();
    assert_eq!(receive(&server, 2).unwrap(), "he");
    send(&server, "reply").unwrap();
    client.release();
    // The reply was not read: the client's close resets the connection, but what had come before can be read.
    assert_eq!(receive(&server, 9).unwrap(), "llo");
    assert_eq!(receive(&server, 9), Err(Errno::ECONNRESET));
    assert_eq!(receive(&server, 9).unwrap(), "");
    assert_eq!(send(&server, "x"), Err(Errno::EPIPE));
}

#[test]
fn the_first_write_to_a_closed_peer_succeeds_and_the_second_fails() {
    let ns = host();
    let [client, server] = connected(&ns);
    client.release();
    assert_eq!(server.poll(None), PollEvents::IN | PollEvents::OUT | PollEvents::RDHUP);
    assert_eq!(receive(&server, 9).unwrap(), "");
    assert_eq!(send(&server, "lost"), Ok(4));
    assert!(server.poll(None).contains(PollEvents::HUP | PollEvents::ERR));
    assert_eq!(send(&server, "x"), Err(Errno::EPIPE));
    assert_eq!(receive(&server, 9).unwrap(), "");
}

#[test]
fn a_half_closed_connection_still_carries_the_other_half() {
    let ns = host();
    let [client, server] = connected(&ns);
    send(&client, "question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(send(&client, "x"), Err(Errno::EPIPE));
    assert_eq!(receive(&server, 99).unwrap(), "question");
    assert_eq!(receive(&server, 99).unwrap(), "");
    send(&server, "answer").unwrap();
    assert_eq!(receive(&client, 99).unwrap(), "answer");
    assert_eq!(client.poll(None), PollEvents::OUT);
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(
        client.poll(None),
        PollEvents::IN | PollEvents::OUT | PollEvents::RDHUP | PollEvents::HUP
    );
    assert_eq!(receive(&client, 99).unwrap(), "");
    assert_eq!(client.peer_address(), Err(Errno::ENOTCONN));
    assert_eq!(client.shutdown(Shutdown::Both), Err(Errno::ENOTCONN));
}

#[test]
fn a_full_buffer_stops_the_writer_until_the_reader_has_made_room() {
    let ns = host();
    let [client, server] = connected(&ns);
    let chunk = vec![7; 64 * 1024];
    let mut sent = 0;
    loop {
        match client.send(&chunk, E, None) {
            Ok(n) => sent += n,
            Err(errno) => break assert_eq!(errno, Errno::EAGAIN),
        }
        assert!(sent < 1 << 20, "a buffer without bound");
    }
    assert_eq!(client.poll(None), PollEvents::empty());
    let (bell, waker) = bell();
    client.poll(Some(&waker));
    let mut buf = vec![0; sent];
    assert_eq!(server.recv(&mut buf, E).unwrap().0, sent);
    assert!(bell.rang());
    assert_eq!(client.poll(None), PollEvents::OUT);
    assert!(buf.iter().all(|b| *b == 7));
}

#[test]
fn connecting_fails_as_the_network_says() {
    let (node, pod, _) = node_and_pods();
    let down = NetNamespace::new(3);
    let cases = [
        ("nobody listens", &pod, "127.0.0.1:1", Errno::ECONNREFUSED),
        ("nobody listens on the node", &pod, "172.172.1.1:1", Errno::ECONNREFUSED),
        ("nobody has the address", &pod, "172.172.1.99:1", Errno::EHOSTUNREACH),
        ("nothing leaves the node", &pod, "8.8.8.8:53", Errno::ENETUNREACH),
        (
            "nobody behind the node's card",
            &node,
            "192.168.1.77:1",
            Errno::EHOSTUNREACH,
        ),
        ("no route", &node, "8.8.8.8:53", Errno::ENETUNREACH),
        ("lo is down", &down, "127.0.0.1:1", Errno::ENETUNREACH),
    ];
    for (case, ns, address, errno) in cases {
        assert_eq!(tcp4(ns).connect(&at(address), false), Err(errno), "{case}");
    }
}

#[test]
fn a_non_blocking_connect_is_in_progress_and_its_answer_comes_by_poll() {
    let ns = host();
    let server = listener(&ns, AddressFamily::Inet, "0.0.0.0:80");
    let client = tcp4(&ns);
    assert_eq!(client.connect(&at("127.0.0.1:80"), true), Err(Errno::EINPROGRESS));
    assert_eq!(client.poll(None), PollEvents::OUT);
    assert_eq!(client.option(SockOpt::Error(9)), Ok(SockOpt::Error(0)));
    assert_eq!(client.connect(&at("127.0.0.1:80"), true), Ok(()));
    assert_eq!(client.connect(&at("127.0.0.1:80"), true), Err(Errno::EISCONN));
    server.release();

    let refused = tcp4(&ns);
    assert_eq!(refused.connect(&at("127.0.0.1:81"), true), Err(Errno::EINPROGRESS));
    assert!(
        refused
            .poll(None)
            .contains(PollEvents::ERR | PollEvents::HUP | PollEvents::OUT)
    );
    assert_eq!(refused.option(SockOpt::Error(0)), Ok(SockOpt::Error(111)));
    assert_eq!(refused.option(SockOpt::Error(0)), Ok(SockOpt::Error(0)));
}

#[test]
fn binding_follows_the_rules_of_addresses_and_reuse() {
    use AddressFamily::{Inet, Inet6};
    // First socket, second socket, both with SO_REUSEADDR, whether the first listens, the answer.
    let cases = [
        (
            (Inet, "0.0.0.0:80"),
            (Inet, "0.0.0.0:80"),
            false,
            false,
            Err(Errno::EADDRINUSE),
        ),
        (
            (Inet, "0.0.0.0:80"),
            (Inet, "127.0.0.1:80"),
            false,
            false,
            Err(Errno::EADDRINUSE),
        ),
        ((Inet, "127.0.0.1:80"), (Inet, "127.0.0.2:80"), false, false, Ok(())),
        ((Inet, "127.0.0.1:80"), (Inet, "127.0.0.1:81"), false, false, Ok(())),
        ((Inet, "0.0.0.0:80"), (Inet, "0.0.0.0:80"), true, false, Ok(())),
        (
            (Inet, "0.0.0.0:80"),
            (Inet, "0.0.0.0:80"),
            true,
            true,
            Err(Errno::EADDRINUSE),
        ),
        (
            (Inet6, "[::]:80"),
            (Inet, "0.0.0.0:80"),
            false,
            false,
            Err(Errno::EADDRINUSE),
        ),
        ((Inet6, "[::1]:80"), (Inet, "0.0.0.0:80"), false, false, Ok(())),
        (
            (Inet, "127.0.0.1:80"),
            (Inet6, "[::]:80"),
            false,
            false,
            Err(Errno::EADDRINUSE),
        ),
    ];
    for (first, second, reuse, listening, expected) in cases {
        let ns = host();
        let open = |(family, _): (AddressFamily, &str)| {
            let socket = ns.socket(family, SocketType::Stream, 1, &root()).unwrap();
            socket.set_option(SockOpt::ReuseAddr(reuse)).unwrap();
            socket
        };
        let (a, b) = (open(first), open(second));
        a.bind(&at(first.1), &root()).unwrap();
        if listening {
            a.listen(1).unwrap();
        }
        assert_eq!(
            b.bind(&at(second.1), &root()),
            expected,
            "{first:?} {second:?} {reuse} {listening}"
        );
        a.release();
        assert_eq!(
            open(second).bind(&at(second.1), &root()).is_ok(),
            expected.is_err() || reuse,
            "after release"
        );
    }
}

#[test]
fn privileged_ports_and_foreign_addresses_are_refused() {
    let ns = host();
    let nobody = Credentials::root(CapSet::EMPTY);
    assert_eq!(tcp4(&ns).bind(&at("0.0.0.0:80"), &nobody), Err(Errno::EACCES));
    assert_eq!(tcp4(&ns).bind(&at("0.0.0.0:8080"), &nobody), Ok(()));
    assert_eq!(tcp4(&ns).bind(&at("10.0.0.1:8081"), &nobody), Err(Errno::EADDRNOTAVAIL));
    assert_eq!(tcp4(&ns).bind(&at("[::]:8081"), &nobody), Err(Errno::EAFNOSUPPORT));
    let free = tcp4(&ns);
    free.bind(&at("0.0.0.0:0"), &nobody).unwrap();
    let SockAddr::Inet(address) = free.local_address() else {
        panic!()
    };
    assert!((32768..=60999).contains(&address.port()));
    assert_eq!(free.bind(&at("0.0.0.0:0"), &nobody), Err(Errno::EINVAL));
}

#[test]
fn a_dual_stack_listener_sees_ipv4_clients_as_mapped() {
    let ns = host();
    let server = listener(&ns, AddressFamily::Inet6, "[::]:80");
    let client = tcp4(&ns);
    client.connect(&at("127.0.0.1:80"), false).unwrap();
    let (child, peer) = server.accept(3).unwrap();
    let SockAddr::Inet(peer) = peer else { panic!() };
    assert_eq!(peer.ip().to_string(), "::ffff:127.0.0.1");
    assert_eq!(child.local_address(), shown("[::ffff:127.0.0.1]:80"));

    let six = ns.socket(AddressFamily::Inet6, SocketType::Stream, 1, &root()).unwrap();
    six.connect(&at("[::1]:80"), false).unwrap();
    assert_eq!(server.accept(4).unwrap().0.local_address(), shown("[::1]:80"));
    server.release();

    let only = ns.socket(AddressFamily::Inet6, SocketType::Stream, 1, &root()).unwrap();
    only.set_option(SockOpt::V6Only(true)).unwrap();
    only.bind(&at("[::]:81"), &root()).unwrap();
    only.listen(1).unwrap();
    assert_eq!(tcp4(&ns).connect(&at("127.0.0.1:81"), false), Err(Errno::ECONNREFUSED));
}

#[test]
fn clients_wait_for_a_place_in_a_full_backlog_and_are_refused_when_the_listener_goes() {
    let ns = host();
    let server = listener(&ns, AddressFamily::Inet, "127.0.0.1:80");
    server.listen(0).unwrap();
    let [first, second, third] = [tcp4(&ns), tcp4(&ns), tcp4(&ns)];
    assert_eq!(first.connect(&at("127.0.0.1:80"), false), Ok(()));
    assert_eq!(second.connect(&at("127.0.0.1:80"), false), Err(Errno::EINPROGRESS));
    assert_eq!(third.connect(&at("127.0.0.1:80"), false), Err(Errno::EINPROGRESS));
    assert_eq!(second.poll(None), PollEvents::empty());
    assert_eq!(second.connect(&at("127.0.0.1:80"), false), Err(Errno::EALREADY));
    let (bell, waker) = bell();
    second.poll(Some(&waker));
    assert_eq!(server.accept(1).unwrap().1, first.local_address());
    assert!(bell.rang());
    assert_eq!(second.poll(None), PollEvents::OUT);
    send(&second, "queued").unwrap();
    server.release();
    assert_eq!(third.option(SockOpt::Error(0)), Ok(SockOpt::Error(111)));
    assert_eq!(receive(&second, 9), Err(Errno::ECONNRESET));
}

#[test]
fn a_listener_that_is_dropped_gives_its_port_back() {
    let ns = host();
    let socket = tcp4(&ns);
    let file = SocketFile::new(socket.clone());
    socket.bind(&at("127.0.0.1:80"), &root()).unwrap();
    socket.listen(1).unwrap();
    let client = tcp4(&ns);
    client.connect(&at("127.0.0.1:80"), false).unwrap();
    drop(file);
    assert_eq!(receive(&client, 1), Err(Errno::ECONNRESET));
    assert_eq!(tcp4(&ns).bind(&at("127.0.0.1:80"), &root()), Ok(()));
    assert_eq!(socket.accept(1).err(), Some(Errno::EINVAL));
}

#[test]
fn unconnected_sockets_say_so() {
    let ns = host();
    let socket = tcp4(&ns);
    assert_eq!(receive(&socket, 1), Err(Errno::ENOTCONN));
    assert_eq!(send(&socket, "x"), Err(Errno::EPIPE));
    assert_eq!(socket.shutdown(Shutdown::Both), Err(Errno::ENOTCONN));
    assert_eq!(socket.peer_address(), Err(Errno::ENOTCONN));
    assert_eq!(socket.accept(1).err(), Some(Errno::EINVAL));
    assert_eq!(socket.local_address(), shown("0.0.0.0:0"));
    assert_eq!(socket.poll(None), PollEvents::OUT | PollEvents::HUP);
}

#[test]
fn the_host_connects_to_a_pod_and_listens_for_it() {
    let (node, pod, _) = node_and_pods();
    let server = listener(&pod, AddressFamily::Inet, "0.0.0.0:80");
    let Poll::Ready(Ok(probe)) = poll_once(pin!(node.connect_from_host("172.172.1.41:80".parse().unwrap()))) else {
        panic!()
    };
    let (child, peer) = server.accept(1).unwrap();
    let SockAddr::Inet(peer) = peer else { panic!() };
    assert_eq!(peer.ip(), Ipv4Addr::new(172, 172, 1, 1));
    let mut buf = [0; 9];
    let mut reading = Box::pin(probe.read(&mut buf));
    assert_eq!(poll_once(reading.as_mut()), Poll::Pending);
    send(&child, "ok").unwrap();
    assert_eq!(poll_once(reading.as_mut()), Poll::Ready(Ok(2)));
    drop(reading);
    drop(probe);
    assert_eq!(receive(&child, 1).unwrap(), "");

    let dns = node.bind_host_tcp("172.172.1.1:53".parse().unwrap()).unwrap();
    let client = tcp4(&pod);
    client.connect(&at("172.172.1.1:53"), false).unwrap();
    let Poll::Ready(Ok((stream, from))) = poll_once(pin!(dns.accept())) else {
        panic!()
    };
    assert_eq!(from.ip(), Ipv4Addr::new(172, 172, 1, 41));
    assert_eq!(poll_once(pin!(stream.write_all(b"hi"))), Poll::Ready(Ok(())));
    stream.shutdown_write().unwrap();
    assert_eq!(receive(&client, 9).unwrap(), "hi");
    assert_eq!(receive(&client, 9).unwrap(), "");
}

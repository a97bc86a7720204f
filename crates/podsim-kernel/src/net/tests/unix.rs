//! Unix domain sockets.

use super::*;
use crate::net::unix::UnixBinding;
use podsim_sys::{Errno, PollEvents, Shutdown};

fn unix(ns: &NetNamespace, kind: SocketType) -> Arc<dyn Socket> {
    ns.socket(AddressFamily::Unix, kind, 5, &root()).unwrap()
}

fn name(name: &str) -> Endpoint {
    Endpoint::Unix {
        name: name.to_owned(),
        binding: None,
    }
}

#[test]
fn a_stream_connects_by_the_inode_behind_a_path() {
    let ns = host();
    let binding = Arc::new(UnixBinding::default());
    let path = Endpoint::Unix {
        name: "/run/app.sock".to_owned(),
        binding: Some(binding.clone()),
    };
    let client = unix(&ns, SocketType::Stream);
    assert_eq!(
        client.connect(&path, false),
        Err(Errno::ECONNREFUSED),
        "an inode without a socket"
    );
    let server = unix(&ns, SocketType::Stream);
    server.bind(&path, &root()).unwrap();
    assert_eq!(
        client.connect(&path, false),
        Err(Errno::ECONNREFUSED),
        "bound, but not listening"
    );
    server.listen(1).unwrap();
    assert_eq!(
        unix(&ns, SocketType::SeqPacket).connect(&path, false),
        Err(Errno::EPROTOTYPE)
    );
    // A path is good in every network namespace.
    let client = unix(&host(), SocketType::Stream);
    client.connect(&path, false).unwrap();
    let (child, peer) = server.accept(1).unwrap();
    assert_eq!(peer, SockAddr::Unix(String::new()));
    assert_eq!(client.peer_address(), Ok(SockAddr::Unix("/run/app.sock".to_owned())));
    assert_eq!(child.local_address(), SockAddr::Unix("/run/app.sock".to_owned()));
    send(&client, "hello").unwrap();
    assert_eq!(receive(&child, 9).unwrap(), "hello");
    server.release();
    assert_eq!(
        unix(&ns, SocketType::Stream).connect(&path, false),
        Err(Errno::ECONNREFUSED)
    );
}

#[test]
fn abstract_names_belong_to_the_network_namespace() {
    let (ns, elsewhere) = (host(), host());
    let server = unix(&ns, SocketType::Stream);
    server.bind(&name("\0app"), &root()).unwrap();
    server.listen(1).unwrap();
    assert_eq!(
        unix(&ns, SocketType::Stream).bind(&name("\0app"), &root()),
        Err(Errno::EADDRINUSE)
    );
    assert_eq!(
        unix(&elsewhere, SocketType::Stream).connect(&name("\0app"), false),
        Err(Errno::ECONNREFUSED)
    );
    assert_eq!(unix(&ns, SocketType::Stream).connect(&name("\0app"), false), Ok(()));
    server.release();
    assert_eq!(unix(&ns, SocketType::Stream).bind(&name("\0app"), &root()), Ok(()));
    let auto = unix(&ns, SocketType::Stream);
    auto.bind(&name(""), &root()).unwrap();
    assert_eq!(auto.local_address(), SockAddr::Unix("\x0000001".to_owned()));
}

#[test]
fn a_pair_ends_with_eof_or_reset_and_writing_to_it_fails_at_once() {
    let ns = host();
    let [a, b] = ns.socketpair(SocketType::Stream, [1, 2]).unwrap();
    send(&a, "last").unwrap();
    a.release();
    assert_eq!(
        b.poll(None),
        PollEvents::IN | PollEvents::OUT | PollEvents::HUP | PollEvents::RDHUP
    );
    assert_eq!(send(&b, "x"), Err(Errno::EPIPE));
    assert_eq!(receive(&b, 9).unwrap(), "last");
    assert_eq!(receive(&b, 9).unwrap(), "");

    let [a, b] = ns.socketpair(SocketType::Stream, [1, 2]).unwrap();
    send(&b, "unread").unwrap();
    a.release();
    assert_eq!(receive(&b, 9), Err(Errno::ECONNRESET));
    assert_eq!(receive(&b, 9).unwrap(), "");

    let [a, b] = ns.socketpair(SocketType::Stream, [1, 2]).unwrap();
    b.shutdown(Shutdown::Read).unwrap();
    assert_eq!(send(&a, "x"), Err(Errno::EPIPE));
}

#[test]
fn seqpackets_keep_their_limits() {
    let ns = host();
    let [a, b] = ns.socketpair(SocketType::SeqPacket, [1, 2]).unwrap();
    send(&a, "one").unwrap();
    send(&a, "two").unwrap();
    let mut buf = [0; 2];
    assert_eq!(b.recv(&mut buf, MsgFlags::empty()).unwrap(), (2, None, MsgFlags::TRUNC));
    assert_eq!(receive(&b, 9).unwrap(), "two");
    assert_eq!(receive(&b, 9), Err(Errno::EAGAIN));
    assert_eq!(a.send(&vec![0; 1 << 20], MsgFlags::empty(), None), Err(Errno::EMSGSIZE));
    let sent = (0..100_000).take_while(|_| send(&a, "").is_ok()).count();
    assert!(sent < 10_000, "empty messages without bound");
}

#[test]
fn datagrams_wait_for_a_slow_receiver() {
    let ns = host();
    let server = unix(&ns, SocketType::Datagram);
    server.bind(&name("\0log"), &root()).unwrap();
    let client = unix(&ns, SocketType::Datagram);
    assert_eq!(send(&client, "x"), Err(Errno::ENOTCONN));
    client.connect(&name("\0log"), false).unwrap();
    let sent = (0..100).take_while(|_| send(&client, "line").is_ok()).count();
    assert_eq!(sent, 11);
    assert_eq!(send(&client, "line"), Err(Errno::EAGAIN));
    let (bell, waker) = bell();
    client.poll(Some(&waker));
    assert_eq!(receive(&server, 9).unwrap(), "line");
    assert!(bell.rang());
    assert_eq!(send(&client, "line"), Ok(4));
    server.release();
    assert_eq!(send(&client, "line"), Err(Errno::ECONNREFUSED));
}

#[test]
fn a_full_backlog_makes_the_next_client_wait() {
    let ns = host();
    let server = unix(&ns, SocketType::Stream);
    assert_eq!(server.listen(1), Err(Errno::EINVAL), "not bound");
    server.bind(&name("\0app"), &root()).unwrap();
    server.listen(0).unwrap();
    unix(&ns, SocketType::Stream).connect(&name("\0app"), false).unwrap();
    let waiting = unix(&ns, SocketType::Stream);
    assert_eq!(waiting.connect(&name("\0app"), false), Err(Errno::EAGAIN));
    let (bell, waker) = bell();
    waiting.poll(Some(&waker));
    server.accept(1).unwrap();
    assert!(bell.rang());
    assert_eq!(waiting.connect(&name("\0app"), false), Ok(()));
}

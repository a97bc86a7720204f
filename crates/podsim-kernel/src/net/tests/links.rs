//! Interfaces, routes, and `/proc/net`.

use super::*;
use crate::net::{link_local, proc};
use podsim_sys::{Errno, Interface, InterfaceFlags, NetConfig, Route};
use std::net::IpAddr;

fn interface(ns: &NetNamespace, name: &str) -> Interface {
    ns.interfaces().into_iter().find(|i| i.name == name).unwrap()
}

#[test]
fn a_fresh_namespace_has_only_lo_and_that_is_down() {
    let ns = NetNamespace::new(1);
    let [lo] = &ns.interfaces()[..] else { panic!() };
    assert_eq!(
        (lo.name.as_str(), lo.flags, lo.ipv6.len()),
        ("lo", InterfaceFlags::LOOPBACK, 0)
    );
    ns.set_link_up("lo", true).unwrap();
    let lo = interface(&ns, "lo");
    assert_eq!(
        lo.flags,
        InterfaceFlags::LOOPBACK | InterfaceFlags::UP | InterfaceFlags::RUNNING
    );
    assert_eq!(lo.ipv6[0].address.to_string(), "::1");
}

#[test]
fn the_link_local_address_follows_from_the_mac() {
    assert_eq!(
        link_local([0x16, 0x80, 0xf0, 0xf9, 0xa0, 0xb4]).to_string(),
        "fe80::1480:f0ff:fef9:a0b4"
    );
    assert_eq!(
        link_local([0x02, 0x42, 0xbb, 0x9b, 0x62, 0x76]).to_string(),
        "fe80::42:bbff:fe9b:6276"
    );
}

#[test]
fn a_bridge_is_running_only_while_it_has_ports() {
    let (node, a, b) = node_and_pods();
    let running = |name: &str| interface(&node, name).flags.contains(InterfaceFlags::RUNNING);
    assert!(running("cni0") && !running("docker0") && running("eth0"));
    let pod = interface(&a, "eth0");
    assert_eq!(pod.ipv4[0].broadcast, Ipv4Addr::new(172, 172, 1, 255));
    assert_eq!(pod.peer_index, Some(interface(&node, "vethacac0129").index));
    a.detach_pod();
    assert!(running("cni0"));
    drop(b);
    assert!(!running("cni0"));
    assert_eq!(
        node.interfaces().iter().map(|i| i.name.as_str()).collect::<Vec<_>>(),
        ["lo", "eth0", "cni0", "docker0"]
    );
    a.attach_pod(&node, &pod_request(43)).unwrap();
    assert!(running("cni0"));
}

#[test]
fn packets_are_counted_on_both_ends_of_the_way() {
    let (node, a, b) = node_and_pods();
    let server = listener(&b, AddressFamily::Inet, "0.0.0.0:80");
    let client = tcp4(&a);
    client.connect(&at("172.172.1.42:80"), false).unwrap();
    let (child, peer) = server.accept(1).unwrap();
    assert_eq!(peer, client.local_address());
    send(&client, &"x".repeat(3000)).unwrap();
    receive(&child, 4000).unwrap();
    let pod_a = interface(&a, "eth0").counters;
    // SYN, ACK, and three segments of 1460 bytes at most; SYN+ACK and the acknowledgement come back.
    assert_eq!((pod_a.tx_packets, pod_a.tx_bytes), (5, 3000 + 5 * 40));
    assert_eq!((pod_a.rx_packets, pod_a.rx_bytes), (2, 80));
    let pod_b = interface(&b, "eth0").counters;
    assert_eq!((pod_b.rx_bytes, pod_b.tx_bytes), (pod_a.tx_bytes, pod_a.rx_bytes));
    let veth_a = interface(&node, "vethacac0129").counters;
    assert_eq!((veth_a.rx_bytes, veth_a.tx_bytes), (pod_a.tx_bytes, pod_a.rx_bytes));
    assert_eq!(
        interface(&node, "cni0").counters.rx_packets,
        0,
        "bridged frames do not come to the node"
    );

    udp4(&a)
        .send(b"12345678", MsgFlags::empty(), Some(&at("172.172.1.1:9")))
        .unwrap();
    assert_eq!(interface(&node, "cni0").counters.rx_bytes, 28 + 8);
}

#[test]
fn pods_reach_the_node_by_all_its_addresses_and_other_networks_over_it() {
    let (node, a, _) = node_and_pods();
    for address in ["172.172.1.1:80", "192.168.1.10:80", "172.17.0.1:80"] {
        let server = listener(&node, AddressFamily::Inet, address);
        let client = tcp4(&a);
        client.connect(&at(address), false).unwrap();
        let SockAddr::Inet(own) = client.local_address() else {
            panic!()
        };
        assert_eq!(own.ip().to_string(), "172.172.1.41", "{address}");
        server.release();
    }
    // A Pod on the other bridge is reached through the node.
    let far = NetNamespace::new(4);
    let request = VethRequest {
        bridge: "docker0".to_owned(),
        address: Ipv4Addr::new(172, 17, 0, 2),
        prefix: 16,
        gateway: Some(Ipv4Addr::new(172, 17, 0, 1)),
        mac: [2, 0x42, 172, 17, 0, 2],
    };
    far.attach_pod(&node, &request).unwrap();
    let server = listener(&far, AddressFamily::Inet, "0.0.0.0:80");
    tcp4(&a).connect(&at("172.17.0.2:80"), false).unwrap();
    let SockAddr::Inet(peer) = server.accept(1).unwrap().1 else {
        panic!()
    };
    assert_eq!(peer.ip().to_string(), "172.172.1.41");
    node.set_forwarding(false);
    assert_eq!(tcp4(&a).connect(&at("172.17.0.2:80"), false), Err(Errno::EHOSTUNREACH));
}

#[test]
fn interfaces_and_routes_are_changed_as_by_ip() {
    let ns = host();
    let name = || "br0".to_owned();
    let address = IpAddr::from([10, 0, 0, 1]);
    let route = |destination: [u8; 4], prefix, gateway: Option<[u8; 4]>| Route {
        destination: destination.into(),
        prefix,
        gateway: gateway.map(IpAddr::from),
        interface: name(),
        source: None,
        metric: 0,
    };
    let steps = [
        (
            NetConfig::AddLink {
                name: name(),
                kind: "bridge".to_owned(),
            },
            Ok(()),
        ),
        (
            NetConfig::AddLink {
                name: name(),
                kind: "bridge".to_owned(),
            },
            Err(Errno::EEXIST),
        ),
        (
            NetConfig::AddLink {
                name: "x".to_owned(),
                kind: "wireguard".to_owned(),
            },
            Err(Errno::EOPNOTSUPP),
        ),
        (
            NetConfig::AddLink {
                name: "far/too".to_owned(),
                kind: "dummy".to_owned(),
            },
            Err(Errno::EINVAL),
        ),
        (
            NetConfig::AddAddress {
                name: name(),
                address,
                prefix: 24,
            },
            Ok(()),
        ),
        (
            NetConfig::AddAddress {
                name: name(),
                address,
                prefix: 24,
            },
            Err(Errno::EEXIST),
        ),
        (
            NetConfig::AddAddress {
                name: name(),
                address,
                prefix: 33,
            },
            Err(Errno::EINVAL),
        ),
        (
            NetConfig::AddRoute(route([0; 4], 0, Some([10, 0, 0, 9]))),
            Err(Errno::ENETDOWN),
        ),
        (NetConfig::SetLink { name: name(), up: true }, Ok(())),
        (
            NetConfig::AddRoute(route([0; 4], 0, Some([10, 9, 9, 9]))),
            Err(Errno::ENETUNREACH),
        ),
        (NetConfig::AddRoute(route([0; 4], 0, Some([10, 0, 0, 9]))), Ok(())),
        (
            NetConfig::AddRoute(route([0; 4], 0, Some([10, 0, 0, 9]))),
            Err(Errno::EEXIST),
        ),
        (
            NetConfig::DeleteRoute(route([10, 1, 0, 0], 16, None)),
            Err(Errno::ESRCH),
        ),
        (
            NetConfig::SetLink {
                name: name(),
                up: false,
            },
            Ok(()),
        ),
        (NetConfig::DeleteRoute(route([0; 4], 0, None)), Err(Errno::ESRCH)),
        (
            NetConfig::DeleteAddress {
                name: name(),
                address,
                prefix: 24,
            },
            Ok(()),
        ),
        (
            NetConfig::DeleteAddress {
                name: name(),
                address,
                prefix: 24,
            },
            Err(Errno::EADDRNOTAVAIL),
        ),
        (NetConfig::DeleteLink("lo".to_owned()), Err(Errno::EOPNOTSUPP)),
        (NetConfig::DeleteLink(name()), Ok(())),
        (NetConfig::DeleteLink(name()), Err(Errno::ENODEV)),
    ];
    for (step, expected) in steps {
        assert_eq!(ns.configure(step.clone(), [1; 6]), expected, "{step:?}");
    }
}

#[test]
fn proc_net_has_the_columns_of_linux() {
    let (node, a, _) = node_and_pods();
    let server = listener(&a, AddressFamily::Inet, "0.0.0.0:80");
    let client = tcp4(&a);
    client.connect(&at("127.0.0.1:80"), false).unwrap();
    let _held = server.accept(11).unwrap();
    let _udp6 = {
        let socket = a
            .socket(AddressFamily::Inet6, SocketType::Datagram, 12, &root())
            .unwrap();
        socket.bind(&at("[::1]:53"), &root()).unwrap();
        socket
    };
    let lines = |text: String| text.lines().map(|l| l.trim_end().to_owned()).collect::<Vec<_>>();
    assert!(proc::render_tcp(&a).lines().all(|line| line.len() == 149));
    assert_eq!(
        lines(proc::render_tcp(&a))[1..],
        [
            "   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 9 1 0000000000000000 100 0 0 10 0",
            "   1: 0100007F:0050 0100007F:8000 01 00000000:00000000 00:00000000 00000000     0        0 11 1 0000000000000000 20 0 0 10 -1",
            "   2: 0100007F:8000 0100007F:0050 01 00000000:00000000 00:00000000 00000000     0        0 7 1 0000000000000000 20 0 0 10 -1",
        ]
    );
    assert_eq!(
        lines(proc::render_udp6(&a))[1],
        "   53: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 12 2 0000000000000000 0"
    );
    assert!(proc::render_route(&a).lines().all(|line| line.len() == 127));
    assert_eq!(
        lines(proc::render_route(&a))[1..],
        [
            "eth0\t00000000\t0101ACAC\t0003\t0\t0\t0\t00000000\t0\t0\t0",
            "eth0\t0001ACAC\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0",
        ]
    );
    assert_eq!(
        lines(proc::render_dev(&a))[2],
        "    lo:     120       3    0    0    0     0          0         0      120       3    0    0    0     0       0          0"
    );
    assert_eq!(
        proc::render_if_inet6(&node).lines().nth(2).unwrap(),
        "fe800000000000001480f0fffef9a0b4 03 40 20 80     cni0"
    );
    assert_eq!(lines(proc::render_arp(&node)).len(), 1);
    tcp4(&a).connect(&at("172.172.1.1:1"), false).unwrap_err();
    assert_eq!(
        lines(proc::render_arp(&node))[1],
        "172.172.1.41     0x1         0x2         0a:58:ac:ac:01:29     *        cni0"
    );
    let _pair = node.socketpair(SocketType::Stream, [21, 22]);
    assert_eq!(
        lines(proc::render_unix(&node))[1],
        "0000000000000000: 00000003 00000000 00000000 0001 03    21"
    );
}

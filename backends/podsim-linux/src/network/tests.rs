//! Nodes and Pods in namespaces that the tests make.

use super::{Cidr, Error, InterfaceConfig, Leftovers, NetNs, NodeNetwork, NodeNetworkConfig, Owner, PodAttachment};
use crate::netlink::{self, Address, Netlink};
use crate::testing::is_root;
use podsim_cri::backend::Dial;
use podsim_sys::{Interface, InterfaceFlags};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(super) const PODS: Cidr = Cidr {
    network: Ipv4Addr::new(10, 244, 0, 0),
    prefix: 24,
};

pub(super) fn config() -> NodeNetworkConfig {
    NodeNetworkConfig {
        node: "node-1".to_owned(),
        pod_cidr: PODS,
        bridge: InterfaceConfig::new("podsim0"),
    }
}

/// A Pod on a node: its namespace and its address.
pub(super) fn pod(node: &NodeNetwork, sandbox: &str) -> (NetNs, Ipv4Addr, String) {
    let netns = NetNs::new().unwrap();
    let lease = node.allocate().unwrap();
    let attachment = PodAttachment {
        sandbox,
        netns: &netns,
        address: lease.address(),
        mac: None,
    };
    let name = node.attach_pod(&attachment).unwrap();
    let address = lease.address();
    // As long as the node: the tests have no time to give it back.
    std::mem::forget(lease);
    (netns, address, name)
}

fn interfaces(netns: &NetNs) -> Vec<Interface> {
    netns.run(netlink::interfaces).unwrap().unwrap()
}

fn named<'a>(interfaces: &'a [Interface], name: &str) -> &'a Interface {
    interfaces.iter().find(|i| i.name == name).expect("an interface")
}

/// Whether an interface of the node's, all of which are up, has a carrier.
fn running(node: &NodeNetwork, name: &str) -> bool {
    let interfaces = interfaces(node.netns());
    let interface = named(&interfaces, name);
    assert!(interface.flags.contains(InterfaceFlags::UP), "{name}");
    interface.flags.contains(InterfaceFlags::RUNNING)
}

/// Waits for the kernel, which works out later what a change of a carrier means (`linkwatch_event`).
fn until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

/// The way `ip route` writes it.
fn routes(netns: &NetNs) -> Vec<String> {
    let routes = netns.run(netlink::routes).unwrap().unwrap();
    let v4 = routes.into_iter().filter(|route| route.destination.is_ipv4());
    v4.map(|route| match route.gateway {
        Some(gateway) => format!(
            "{}/{} via {gateway} dev {}",
            route.destination, route.prefix, route.interface
        ),
        None => format!("{}/{} dev {}", route.destination, route.prefix, route.interface),
    })
    .collect()
}

#[tokio::test]
async fn two_pods_exchange_tcp_and_udp_over_the_bridge() {
    if !is_root() {
        return;
    }
    let node = NodeNetwork::of_its_own(config(), &[]).unwrap();
    let (a, _, _) = pod(&node, "aaaaaaaaaaaa");
    let (b, at, _) = pod(&node, "bbbbbbbbbbbb");
    let listener = b.listen(SocketAddr::from((at, 80))).await.unwrap();
    let server = async {
        let (mut stream, peer) = listener.accept().await.unwrap();
        let mut request = String::new();
        stream.read_to_string(&mut request).await.unwrap();
        stream.write_all(request.to_uppercase().as_bytes()).await.unwrap();
        peer
    };
    let client = async {
        let mut stream = a.connect(SocketAddr::from((at, 80))).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let (peer, answer) = tokio::join!(server, client);
    assert_eq!(answer, "HELLO");
    assert_eq!(peer.ip(), IpAddr::from([10, 244, 0, 2]));

    let server = b.bind_udp(SocketAddr::from((at, 53))).await.unwrap();
    let client = a.connect_udp(SocketAddr::from((at, 53))).await.unwrap();
    client.send(b"question").await.unwrap();
    let mut buffer = [0; 64];
    let (length, from) = server.recv_from(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..length], b"question");
    server.send_to(b"answer", from).await.unwrap();
    let length = client.recv(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..length], b"answer");
    // And from the node.
    node.netns().connect(SocketAddr::from((at, 80))).await.unwrap();
}

#[test]
fn a_pod_has_its_address_its_default_route_and_lo() {
    if !is_root() {
        return;
    }
    let node = NodeNetwork::of_its_own(config(), &[]).unwrap();
    let (pod, address, name) = pod(&node, "0123456789abcdef");
    assert_eq!(name, "veth01234567");
    let inside = interfaces(&pod);
    let eth0 = named(&inside, "eth0");
    assert_eq!(eth0.mac, [0x0a, 0x58, 10, 244, 0, 2]);
    let ipv4 = podsim_sys::Ipv4Interface {
        address,
        prefix: 24,
        broadcast: Ipv4Addr::new(10, 244, 0, 255),
    };
    assert_eq!(eth0.ipv4, [ipv4]);
    assert!(named(&inside, "lo").flags.contains(InterfaceFlags::UP));
    assert_eq!(
        routes(&pod),
        ["0.0.0.0/0 via 10.244.0.1 dev eth0", "10.244.0.0/24 dev eth0"]
    );
    let outside = interfaces(node.netns());
    assert_eq!(named(&outside, &name).index, eth0.peer_index.unwrap());
    let forwards = || std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap();
    assert_eq!(node.netns().run(forwards).unwrap(), "1\n");

    node.detach_pod(&name).unwrap();
    node.detach_pod(&name).unwrap();
    assert_eq!(interfaces(&pod).len(), 1);
}

/// `examples/node-with-docker.yaml`.
#[test]
fn a_node_has_the_interfaces_of_its_configuration_and_docker0_has_no_carrier() {
    if !is_root() {
        return;
    }
    let docker0 = InterfaceConfig {
        mac: Some([2, 0x42, 0xbb, 0x9b, 0x62, 0x76]),
        ipv4: Some((Ipv4Addr::new(172, 17, 0, 1), 16)),
        broadcast: Ipv4Addr::new(172, 17, 255, 255),
        tx_queue_len: 0,
        carrier: false,
        ..InterfaceConfig::new("docker0")
    };
    let eth0 = InterfaceConfig {
        ipv4: Some((Ipv4Addr::new(192, 168, 10, 21), 24)),
        broadcast: Ipv4Addr::new(192, 168, 10, 255),
        mtu: 1400,
        ..InterfaceConfig::new("eth0")
    };
    let bridge = InterfaceConfig {
        mac: Some([0x16, 0x80, 0xf0, 0xf9, 0xa0, 0xb4]),
        ..InterfaceConfig::new("cni0")
    };
    let node = NodeNetwork::of_its_own(NodeNetworkConfig { bridge, ..config() }, &[eth0, docker0]).unwrap();
    until(|| running(&node, "eth0") && !running(&node, "docker0") && !running(&node, "cni0"));
    let all = interfaces(node.netns());
    let names: Vec<&str> = all.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["lo", "eth0", "docker0", "cni0"]);
    let docker0 = named(&all, "docker0");
    assert_eq!((docker0.mac[5], docker0.tx_queue_len), (0x76, 0));
    assert_eq!(docker0.ipv4[0].broadcast, Ipv4Addr::new(172, 17, 255, 255));
    assert_eq!(named(&all, "cni0").ipv4[0].broadcast, Ipv4Addr::UNSPECIFIED);
    assert_eq!(named(&all, "eth0").mtu, 1400);
    assert_eq!(
        routes(node.netns()),
        [
            "0.0.0.0/0 via 192.168.10.1 dev eth0",
            "10.244.0.0/24 dev cni0",
            "172.17.0.0/16 dev docker0",
            "192.168.10.0/24 dev eth0"
        ]
    );
    let _pod = pod(&node, "aaaaaaaa");
    until(|| running(&node, "cni0"));
    assert!(!running(&node, "docker0"));
}

#[test]
fn the_bridge_is_shared_and_goes_with_the_last_who_leaves() {
    if !is_root() {
        return;
    }
    let host = NetNs::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let start = || NodeNetwork::within(config(), host.clone(), folder.path()).unwrap();
    let bridges = || interfaces(&host).iter().filter(|i| i.name == "podsim0").count();
    let (one, other) = (start(), start());
    let (_ns1, first, veth1) = pod(&one, "11111111");
    let (_ns2, second, veth2) = pod(&other, "22222222");
    assert_ne!(first, second);
    let mut leftovers = host.run(|| Leftovers::of_host(folder.path())).unwrap().unwrap();
    let owner = |sandbox: &str| Owner::Pod {
        node: "node-1".to_owned(),
        sandbox: sandbox.to_owned(),
    };
    let ours: Vec<_> = leftovers
        .list()
        .unwrap()
        .into_iter()
        .map(|l| (l.name, l.owner))
        .collect();
    assert_eq!(
        ours,
        [
            ("podsim0".to_owned(), Owner::Bridge),
            (veth1.clone(), owner("11111111")),
            (veth2.clone(), owner("22222222"))
        ]
    );
    assert!(!leftovers.remove_bridge_if_unused("podsim0").unwrap());
    one.detach_pod(&veth1).unwrap();
    drop(one);
    assert_eq!(bridges(), 1);
    leftovers.remove(&veth2).unwrap();
    leftovers.remove(&veth2).unwrap();
    // Nothing hangs on it, but it is used.
    assert!(!leftovers.remove_bridge_if_unused("podsim0").unwrap());
    other.leave().unwrap();
    other.leave().unwrap();
    assert_eq!(bridges(), 0);
    assert!(leftovers.remove_bridge_if_unused("podsim0").unwrap());
}

#[test]
fn a_bridge_that_somebody_else_made_is_used_and_stays() {
    if !is_root() {
        return;
    }
    let host = NetNs::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    host.netlink().unwrap().add_link("podsim0", "bridge").unwrap();
    let node = NodeNetwork::within(config(), host.clone(), folder.path()).unwrap();
    drop(pod(&node, "11111111"));
    node.detach_pod("veth11111111").unwrap();
    drop(node);
    assert_eq!(named(&interfaces(&host), "podsim0").ipv4.len(), 1);
}

#[test]
fn a_bridge_that_was_removed_is_made_again_for_the_next_pod() {
    if !is_root() {
        return;
    }
    let node = NodeNetwork::of_its_own(config(), &[]).unwrap();
    node.netns().netlink().unwrap().delete_link("podsim0").unwrap();
    let (_, _, name) = pod(&node, "11111111");
    assert!(
        named(&interfaces(node.netns()), &name)
            .flags
            .contains(InterfaceFlags::UP)
    );
}

#[test]
fn a_range_that_another_network_of_the_host_covers_is_refused_by_name() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        (
            Ipv4Addr::new(10, 244, 0, 7),
            16,
            "the Pods' range 10.244.0.0/24 is in use on this node: vpn0 has 10.244.0.0/16; choose another podCIDR",
        ),
        (
            Ipv4Addr::new(10, 244, 0, 129),
            25,
            "the Pods' range 10.244.0.0/24 is in use on this node: vpn0 has 10.244.0.128/25; choose another podCIDR",
        ),
    ];
    for (address, prefix, text) in rows {
        let host = NetNs::new().unwrap();
        let mut netlink = host.netlink().unwrap();
        netlink.add_link("vpn0", "bridge").unwrap();
        let index = netlink.index_of("vpn0").unwrap();
        let address = Address {
            index,
            address: address.into(),
            prefix,
            broadcast: None,
        };
        netlink.add_address(&address).unwrap();
        let error = NodeNetwork::within(config(), host.clone(), folder.path()).unwrap_err();
        assert_eq!(error.to_string(), text);
        assert!(matches!(
            podsim_cri::Error::from(error),
            podsim_cri::Error::FailedPrecondition(_)
        ));
        assert_eq!(interfaces(&host).len(), 2, "nothing was made");
    }
}

#[test]
fn an_interface_of_the_bridges_name_that_is_none_is_refused() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let host = NetNs::new().unwrap();
    let names = ["podsim0", "other"].map(|name| netlink::LinkSettings {
        name: Some(name),
        ..netlink::LinkSettings::default()
    });
    host.netlink().unwrap().add_veth(&names[0], &names[1]).unwrap();
    let error = NodeNetwork::within(config(), host, folder.path()).unwrap_err();
    assert!(matches!(error, Error::NotABridge(_)), "{error}");
}

#[test]
fn a_pod_that_cannot_be_connected_leaves_nothing() {
    if !is_root() {
        return;
    }
    let node = NodeNetwork::of_its_own(config(), &[]).unwrap();
    let (first, _, _) = pod(&node, "11111111");
    let before = interfaces(node.netns()).len();
    let attachment = PodAttachment {
        sandbox: "22222222",
        netns: &first,
        address: Ipv4Addr::new(10, 244, 0, 9),
        mac: None,
    };
    // It has an eth0.
    let error = node.attach_pod(&attachment).unwrap_err();
    assert_eq!(error.to_string(), "cannot add the interface veth22222222: File exists");
    assert_eq!(interfaces(node.netns()).len(), before);
}

#[test]
fn namespaces_are_told_apart_and_the_callers_thread_stays_where_it_is() {
    if !is_root() {
        return;
    }
    let here = NetNs::current().unwrap().inode().unwrap();
    let new = NetNs::new().unwrap();
    assert_ne!(new.inode().unwrap(), here);
    let inside = new.run(|| NetNs::current().unwrap().inode().unwrap()).unwrap();
    assert_eq!(inside, new.inode().unwrap());
    assert_eq!(NetNs::current().unwrap().inode().unwrap(), here);
    assert_eq!(NetNs::of_pid(std::process::id()).unwrap().inode().unwrap(), here);
    // Of a process that is in it: cat waits for its input.
    let cat = || {
        std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
    };
    let mut cat = new.run(cat).unwrap().unwrap();
    let pid = rustix::process::Pid::from_raw(cat.id() as i32).unwrap();
    let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
    let by_pidfd = NetNs::of_pidfd(std::os::fd::AsFd::as_fd(&pidfd)).unwrap();
    assert_eq!(by_pidfd.inode().unwrap(), inside);
    drop(cat.stdin.take());
    cat.wait().unwrap();
}

#[test]
fn a_connection_of_the_netlink_kind_stays_in_its_namespace() {
    if !is_root() {
        return;
    }
    let ns = NetNs::new().unwrap();
    let mut netlink: Netlink = ns.netlink().unwrap();
    netlink.add_link("b0", "bridge").unwrap();
    assert!(interfaces(&ns).iter().any(|i| i.name == "b0"));
}

#[tokio::test]
async fn a_port_is_forwarded_to_whichever_loopback_address_listens() {
    if !is_root() {
        return;
    }
    let node = NodeNetwork::of_its_own(config(), &[]).unwrap();
    let (pod, _, _) = pod(&node, "11111111");
    for listen in ["127.0.0.1:8080", "[::1]:8081"] {
        let listen: SocketAddr = listen.parse().unwrap();
        let listener = pod.run(|| std::net::TcpListener::bind(listen).unwrap()).unwrap();
        let stream = super::port_forward(&pod, listen.port()).await.unwrap();
        let mut client = stream.into_std().unwrap();
        client.set_nonblocking(false).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.write_all(b"hi").unwrap();
        drop(server);
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hi");
    }
    let error = super::port_forward(&pod, 9).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_bridge_whose_maker_was_killed_is_finished_or_removed() {
    if !is_root() {
        return;
    }
    for finish in [true, false] {
        let host = NetNs::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let half_made = InterfaceConfig::new("podsim0");
        super::bridge::add(&mut host.netlink().unwrap(), &half_made, Some(super::bridge::HALF_MADE)).unwrap();
        let mut leftovers = host.run(|| Leftovers::of_host(folder.path())).unwrap().unwrap();
        let owners = |leftovers: &mut Leftovers| -> Vec<Owner> {
            let all = leftovers.list().unwrap().into_iter();
            all.map(|link| link.owner).collect()
        };
        assert_eq!(owners(&mut leftovers), [Owner::Bridge]);
        if finish {
            let node = NodeNetwork::within(config(), host.clone(), folder.path()).unwrap();
            let link = host.netlink().unwrap().link("podsim0").unwrap().unwrap();
            assert_eq!((link.alias.as_deref(), link.group), (Some("podsim:bridge"), 0));
            node.leave().unwrap();
        } else {
            assert!(leftovers.remove_bridge_if_unused("podsim0").unwrap());
        }
        assert_eq!(owners(&mut leftovers), []);
    }
}

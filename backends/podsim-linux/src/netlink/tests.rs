//! Against the real kernel, in namespaces that the tests make; and against iproute2, where it is installed.

use super::{Address, LinkSettings, Netlink, interfaces, net_config, routes};
use crate::network::NetNs;
use crate::testing::is_root;
use podsim_sys::{Errno, Interface, InterfaceFlags, NetConfig, Route};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::process::Command;

/// What `ip -j …` says in the calling thread's namespace; `None` without iproute2.
fn ip(arguments: &[&str]) -> Option<Vec<Value>> {
    let output = Command::new("ip").arg("-j").args(arguments).output().ok()?;
    assert!(output.status.success(), "ip {arguments:?}: {output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    Some(serde_json::from_str(&text).unwrap_or_default())
}

/// What we see and what they see, at a time when nothing changes: the kernel makes IPv6 addresses when it comes to it.
fn at_rest<T: PartialEq, U>(ours: impl Fn() -> podsim_sys::Result<Vec<T>>, theirs: impl Fn() -> U) -> (Vec<T>, U) {
    loop {
        let before = ours().unwrap();
        let theirs = theirs();
        if before == ours().unwrap() {
            return (before, theirs);
        }
    }
}

fn up(name: &str) -> NetConfig {
    NetConfig::SetLink {
        name: name.to_owned(),
        up: true,
    }
}

fn default_route(gateway: Ipv4Addr) -> Route {
    Route {
        destination: Ipv4Addr::UNSPECIFIED.into(),
        prefix: 0,
        gateway: Some(gateway.into()),
        interface: "b0".to_owned(),
        source: None,
        metric: 7,
    }
}

/// A bridge with addresses, a pair over two namespaces, routes.
fn populate(other: &NetNs) {
    let mut netlink = Netlink::open().unwrap();
    let bridge = LinkSettings {
        name: Some("b0"),
        mac: Some([2, 0x42, 0xbb, 0x9b, 0x62, 0x76]),
        tx_queue_len: Some(0),
        ..LinkSettings::default()
    };
    netlink.add_bridge(&bridge).unwrap();
    let index = netlink.index_of("b0").unwrap();
    netlink
        .add_address(&Address {
            index,
            address: Ipv4Addr::new(172, 17, 0, 1).into(),
            prefix: 16,
            broadcast: Some(Ipv4Addr::new(172, 17, 255, 255)),
        })
        .unwrap();
    let here = LinkSettings {
        name: Some("v0"),
        mtu: Some(1400),
        master: Some(index),
        up: Some(true),
        ..LinkSettings::default()
    };
    let there = LinkSettings {
        name: Some("eth0"),
        netns: Some(other.as_fd()),
        ..LinkSettings::default()
    };
    netlink.add_veth(&here, &there).unwrap();
    other.run(|| net_config(up("eth0"))).unwrap().unwrap();
    net_config(up("lo")).unwrap();
    net_config(up("b0")).unwrap();
    for (address, prefix) in [
        (IpAddr::from(Ipv4Addr::new(10, 9, 8, 7)), 24),
        (IpAddr::from(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1)), 64),
    ] {
        let name = "b0".to_owned();
        net_config(NetConfig::AddAddress { name, address, prefix }).unwrap();
    }
    net_config(NetConfig::AddRoute(default_route(Ipv4Addr::new(10, 9, 8, 1)))).unwrap();
}

#[test]
fn interfaces_are_as_ip_address_shows_them() {
    if !is_root() {
        return;
    }
    let (ns, other) = (NetNs::new().unwrap(), NetNs::new().unwrap());
    let (ours, theirs) = ns
        .run(|| {
            populate(&other);
            at_rest(interfaces, || ip(&["address"]))
        })
        .unwrap();
    let find = |name: &str| ours.iter().find(|i| i.name == name).expect("an interface");
    assert_eq!(find("b0").mac, [2, 0x42, 0xbb, 0x9b, 0x62, 0x76]);
    assert_eq!(find("b0").tx_queue_len, 0);
    assert_eq!(find("b0").ipv4.len(), 2);
    assert_eq!((find("v0").mtu, find("v0").peer_index.is_some()), (1400, true));
    let peer = other.run(interfaces).unwrap().unwrap();
    let eth0 = peer.iter().find(|i| i.name == "eth0").expect("the other end");
    assert_eq!(find("v0").peer_index, Some(eth0.index));
    assert_eq!(eth0.peer_index, Some(find("v0").index));
    for (theirs, ours) in theirs.unwrap_or_default().iter().zip(&ours) {
        compare(theirs, ours);
    }
}

fn compare(theirs: &Value, ours: &Interface) {
    assert_eq!(theirs["ifname"], ours.name);
    assert_eq!(theirs["ifindex"], ours.index);
    assert_eq!(theirs["mtu"], ours.mtu);
    assert_eq!(theirs["txqlen"].as_u64().unwrap_or(0), u64::from(ours.tx_queue_len));
    let mac: Vec<String> = ours.mac.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(theirs["address"], mac.join(":"));
    let flags = theirs["flags"].as_array().expect("flags");
    assert_eq!(
        flags.contains(&"UP".into()),
        ours.flags.contains(InterfaceFlags::UP),
        "{theirs}"
    );
    let (mut v4, mut v6) = (ours.ipv4.iter(), ours.ipv6.iter());
    for address in theirs["addr_info"].as_array().expect("addresses") {
        if address["family"] == "inet" {
            let ours = v4.next().expect("an address");
            assert_eq!(address["local"], ours.address.to_string());
            assert_eq!(address["prefixlen"], ours.prefix);
            let broadcast = address["broadcast"].as_str().unwrap_or("0.0.0.0");
            assert_eq!(broadcast, ours.broadcast.to_string());
        } else {
            let ours = v6.next().expect("an address");
            assert_eq!(address["local"], ours.address.to_string());
            assert_eq!(address["prefixlen"], ours.prefix);
        }
    }
    assert_eq!((v4.next(), v6.next()), (None, None), "{theirs}");
}

#[test]
fn routes_are_as_ip_route_shows_them() {
    if !is_root() {
        return;
    }
    let (ns, other) = (NetNs::new().unwrap(), NetNs::new().unwrap());
    let (ours, theirs) = ns
        .run(|| {
            populate(&other);
            at_rest(routes, || {
                ip(&["route"])
                    .zip(ip(&["-6", "route"]))
                    .map(|(v4, v6)| [v4, v6].concat())
            })
        })
        .unwrap();
    assert_eq!(ours[0], default_route(Ipv4Addr::new(10, 9, 8, 1)));
    assert!(
        ours.iter()
            .any(|r| r.source == Some(Ipv4Addr::new(172, 17, 0, 1).into()))
    );
    let Some(theirs) = theirs else { return };
    assert_eq!(theirs.len(), ours.len(), "{theirs:?}\n{ours:?}");
    for (theirs, ours) in theirs.iter().zip(&ours) {
        let destination = match (ours.prefix, ours.destination) {
            (0, _) => "default".to_owned(),
            (prefix, destination) => format!("{destination}/{prefix}"),
        };
        assert_eq!(theirs["dst"], destination);
        assert_eq!(theirs["dev"], ours.interface);
        assert_eq!(theirs["metric"].as_u64().unwrap_or(0), u64::from(ours.metric));
        assert_eq!(
            theirs["gateway"].as_str(),
            ours.gateway.map(|g| g.to_string()).as_deref()
        );
        assert_eq!(
            theirs["prefsrc"].as_str(),
            ours.source.map(|s| s.to_string()).as_deref()
        );
    }
}

#[test]
fn changes_fail_with_the_kernels_error_numbers_and_words() {
    if !is_root() {
        return;
    }
    let ns = NetNs::new().unwrap();
    ns.run(|| {
        let add = |name: &str, kind: &str| NetConfig::AddLink {
            name: name.to_owned(),
            kind: kind.to_owned(),
        };
        let address = |name: &str, prefix| (name.to_owned(), IpAddr::from(Ipv4Addr::new(10, 1, 1, 1)), prefix);
        let add_address = |name: &str, prefix| {
            let (name, address, prefix) = address(name, prefix);
            NetConfig::AddAddress { name, address, prefix }
        };
        net_config(add("b0", "bridge")).unwrap();
        net_config(add_address("b0", 24)).unwrap();
        let (name, gone, prefix) = address("b0", 25);
        let rows = [
            (add("b0", "bridge"), Errno::EEXIST),
            (add("x", "no-such-kind"), Errno::EOPNOTSUPP),
            (add("a/b", "bridge"), Errno::EINVAL),
            (NetConfig::DeleteLink("none".to_owned()), Errno::ENODEV),
            (NetConfig::DeleteLink("lo".to_owned()), Errno::EOPNOTSUPP),
            (up("none"), Errno::ENODEV),
            (add_address("none", 24), Errno::ENODEV),
            (add_address("b0", 24), Errno::EEXIST),
            (add_address("b0", 33), Errno::EINVAL),
            (
                NetConfig::DeleteAddress {
                    name,
                    address: gone,
                    prefix,
                },
                Errno::EADDRNOTAVAIL,
            ),
            // The bridge is down, so there is no way to the gateway; without one Linux sees that it is down.
            (
                NetConfig::AddRoute(default_route(Ipv4Addr::new(10, 1, 1, 9))),
                Errno::ENETUNREACH,
            ),
            (
                NetConfig::AddRoute(Route {
                    gateway: None,
                    ..default_route(Ipv4Addr::UNSPECIFIED)
                }),
                Errno::ENETDOWN,
            ),
            (
                NetConfig::DeleteRoute(default_route(Ipv4Addr::new(10, 1, 1, 9))),
                Errno::ESRCH,
            ),
        ];
        for (change, errno) in rows {
            assert_eq!(net_config(change.clone()), Err(errno), "{change:?}");
        }
        let error = Netlink::open().unwrap().add_link("x", "no-such-kind").unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot add the interface x: Operation not supported (Unknown device type)"
        );
        net_config(up("b0")).unwrap();
        let unreachable = NetConfig::AddRoute(default_route(Ipv4Addr::new(9, 9, 9, 9)));
        assert_eq!(net_config(unreachable), Err(Errno::ENETUNREACH));
    })
    .unwrap();
}

#[test]
fn what_was_added_can_be_removed() {
    if !is_root() {
        return;
    }
    let ns = NetNs::new().unwrap();
    ns.run(|| {
        let other = NetNs::new().unwrap();
        populate(&other);
        let route = default_route(Ipv4Addr::new(10, 9, 8, 1));
        // What is left open fits every route.
        let open = Route {
            gateway: None,
            interface: String::new(),
            metric: 0,
            ..route
        };
        net_config(NetConfig::DeleteRoute(open)).unwrap();
        net_config(NetConfig::DeleteAddress {
            name: "b0".to_owned(),
            address: Ipv4Addr::new(10, 9, 8, 7).into(),
            prefix: 24,
        })
        .unwrap();
        net_config(NetConfig::DeleteLink("v0".to_owned())).unwrap();
        assert!(routes().unwrap().iter().all(|r| r.prefix > 0));
        let names: Vec<String> = interfaces().unwrap().into_iter().map(|i| i.name).collect();
        assert_eq!(names, ["lo", "b0"]);
        // With one end goes the other.
        assert_eq!(other.run(interfaces).unwrap().unwrap().len(), 1);
    })
    .unwrap();
}

#[test]
fn interfaces_get_new_names_and_namespaces() {
    if !is_root() {
        return;
    }
    let (ns, other) = (NetNs::new().unwrap(), NetNs::new().unwrap());
    let mut netlink = ns.netlink().unwrap();
    netlink.add_link("old", "bridge").unwrap();
    let index = netlink.index_of("old").unwrap();
    let settings = LinkSettings {
        name: Some("new"),
        alias: Some("podsim:a:b"),
        mtu: Some(1300),
        ..LinkSettings::default()
    };
    netlink.set_link(index, &settings).unwrap();
    let link = netlink.link("new").unwrap().expect("the new name");
    assert_eq!(
        (link.index, link.mtu, link.kind.as_str(), link.alias.as_deref()),
        (index, 1300, "bridge", Some("podsim:a:b"))
    );
    assert_eq!(netlink.link("old").unwrap(), None);
    let pair = |name| LinkSettings {
        name: Some(name),
        ..LinkSettings::default()
    };
    netlink.add_veth(&pair("v0"), &pair("v1")).unwrap();
    let moved = LinkSettings {
        netns: Some(other.as_fd()),
        ..LinkSettings::default()
    };
    netlink.set_link("v1", &moved).unwrap();
    assert!(netlink.link("v1").unwrap().is_none());
    assert!(other.netlink().unwrap().link("v1").unwrap().is_some());
}

#[test]
fn a_route_over_several_next_hops_is_several_routes() {
    if !is_root() {
        return;
    }
    let ns = NetNs::new().unwrap();
    ns.run(|| {
        let other = NetNs::new().unwrap();
        populate(&other);
        let hops = ["nexthop", "via", "10.9.8.2", "nexthop", "via", "10.9.8.3"];
        let added = Command::new("ip")
            .args(["route", "add", "10.50.0.0/16"])
            .args(hops)
            .status();
        if !added.is_ok_and(|status| status.success()) {
            eprintln!("no iproute2, or no multipath routes in this kernel");
            return;
        }
        let gateways: Vec<IpAddr> = routes()
            .unwrap()
            .iter()
            .filter(|r| r.prefix == 16 && r.destination == IpAddr::from(Ipv4Addr::new(10, 50, 0, 0)))
            .filter_map(|r| r.gateway)
            .collect();
        assert_eq!(gateways, [IpAddr::from([10, 9, 8, 2]), IpAddr::from([10, 9, 8, 3])]);
    })
    .unwrap();
}

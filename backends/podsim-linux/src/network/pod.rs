//! A Pod's connection: what the CNI plugin `bridge` does.

use super::bridge::unless;
use super::error::Result;
use super::{Cidr, NetNs, Owner};
use crate::netlink::{Address, Link, LinkId, LinkSettings, Netlink, OperState, RouteEntry};
use podsim_sys::Errno;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// The name of a Pod's interface.
const POD_INTERFACE: &str = "eth0";

/// How long a Pod waits for its interfaces to work, and how long between two looks.
const SETTLE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_micros(200);
/// The longest alias (IFALIASZ without its NUL).
const ALIAS_MAX: usize = 255;

/// A Pod that is to be connected.
#[derive(Clone, Copy, Debug)]
pub struct PodAttachment<'a> {
    /// The sandbox's id; the node's end is named after its first eight characters.
    pub sandbox: &'a str,
    /// The Pod's network namespace.
    pub netns: &'a NetNs,
    /// Its address, in the Pods' range.
    pub address: Ipv4Addr,
    /// Its hardware address. `None` makes it from the address.
    pub mac: Option<[u8; 6]>,
}

/// Where it is connected.
pub(super) struct Place<'a> {
    pub(super) node: &'a str,
    pub(super) bridge: u32,
    pub(super) mtu: u32,
    pub(super) range: Cidr,
}

/// The name of the node's end.
fn host_end(sandbox: &str) -> String {
    let id: String = sandbox.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    format!("veth{id}")
}

/// Kubenet's and the bridge plugin's way: the same address has always the same hardware address, so that nobody who still knows an
/// earlier Pod's sends to nowhere.
fn mac_of(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x0a, 0x58, a, b, c, d]
}

pub(super) fn attach(netlink: &mut Netlink, place: &Place<'_>, pod: &PodAttachment<'_>) -> Result<String> {
    let name = host_end(pod.sandbox);
    let node_end = LinkSettings {
        name: Some(&name),
        mtu: Some(place.mtu),
        master: Some(place.bridge),
        up: Some(true),
        ..LinkSettings::default()
    };
    let pod_end = LinkSettings {
        name: Some(POD_INTERFACE),
        mac: Some(pod.mac.unwrap_or_else(|| mac_of(pod.address))),
        mtu: Some(place.mtu),
        netns: Some(pod.netns.as_fd()),
        ..LinkSettings::default()
    };
    netlink.add_veth(&node_end, &pod_end)?;
    let configured = configure(netlink, &name, place, pod);
    if configured.is_err() {
        // The pair is of no use; what matters is why.
        let _ = netlink.delete_link(&*name);
    }
    configured.map(|()| name)
}

fn configure(netlink: &mut Netlink, name: &str, place: &Place<'_>, pod: &PodAttachment<'_>) -> Result<()> {
    let owner = Owner::Pod {
        node: place.node.to_owned(),
        sandbox: pod.sandbox.to_owned(),
    };
    // No longer than the kernel takes it; the names are ASCII.
    let owner: String = owner.to_string().chars().take(ALIAS_MAX).collect();
    // Not in the first request: the kernel passes it over for an interface that is just being made.
    let alias = LinkSettings {
        alias: Some(&owner),
        ..LinkSettings::default()
    };
    netlink.set_link(name, &alias)?;

    let mut inside = pod.netns.netlink()?;
    super::node::up(&mut inside, "lo")?;
    super::node::up(&mut inside, POD_INTERFACE)?;
    let index = inside.index_of(POD_INTERFACE)?;
    inside.add_address(&Address {
        index,
        address: pod.address.into(),
        prefix: place.range.prefix,
        broadcast: place.range.broadcast(),
    })?;
    let gateway = RouteEntry::default_over(place.range.gateway().into(), index);
    unless(Errno::EEXIST, inside.add_route(&gateway))?;

    settle(&mut inside, index, |link| link.oper_state == OperState::Up)?;
    settle(netlink, name, |link| link.oper_state == OperState::Up)?;
    // A bridge that never was without a carrier (one that somebody else made) stays at Unknown.
    let ours = Owner::Bridge.to_string();
    settle(netlink, place.bridge, |link| match link.oper_state {
        OperState::Up => true,
        OperState::Unknown => link.alias.as_deref() != Some(&ours),
        OperState::Down => false,
    })
}

/// Waits until the kernel has worked out that an interface has got its carrier (`linkwatch_event`: about a millisecond). Until
/// then a bridge's port drops what it should forward, and the bridge forgets the neighbours that it is asking for together with the
/// packets that wait for them: the Pod's first ones would be lost.
fn settle<'a>(netlink: &mut Netlink, link: impl Into<LinkId<'a>>, settled: impl Fn(&Link) -> bool) -> Result<()> {
    let link = link.into();
    let end = Instant::now() + SETTLE;
    while !netlink.link(link)?.is_some_and(|link| settled(&link)) {
        if Instant::now() > end {
            tracing::warn!("the interface {link} does not come up");
            break;
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_end_has_a_name_that_an_interface_may_have() {
        assert_eq!(host_end("0123456789abcdef"), "veth01234567");
        assert_eq!(host_end("a/b c:d"), "vethabcd");
        assert_eq!(mac_of(Ipv4Addr::new(10, 244, 0, 2)), [0x0a, 0x58, 10, 244, 0, 2]);
    }
}

//! The Pods' bridge: found or made, checked against the other networks of the node, removed by the last who leaves.

use super::error::{Error, Result};
use super::{Cidr, InterfaceConfig, Owner};
use crate::netlink::{Address, Link, LinkSettings, Netlink};
use podsim_sys::Errno;
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::Path;

/// A process's use of a bridge that others may use too: a lock that all of them share. Who can have it alone is the last.
#[derive(Debug)]
pub(super) struct BridgeUse {
    lock: OwnedFd,
}

impl BridgeUse {
    /// Says that this process uses the bridge; waits while another one removes it.
    pub(super) fn start(folder: &Path, bridge: &str) -> Result<Self> {
        let lock = Self::open(folder, bridge)?;
        rustix::fs::flock(&lock, FlockOperation::LockShared)
            .map_err(|errno| Error::host(format!("lock the bridge {bridge}"))(errno.into()))?;
        Ok(Self { lock })
    }

    /// Ends the use. What comes back is `Some` if nobody else uses the bridge; and nobody starts to while it is held.
    pub(super) fn end(self) -> Option<OwnedFd> {
        let alone = rustix::fs::flock(&self.lock, FlockOperation::NonBlockingLockExclusive);
        alone.is_ok().then_some(self.lock)
    }

    /// The same for a process that does not use it.
    pub(super) fn alone(folder: &Path, bridge: &str) -> Result<Option<OwnedFd>> {
        Ok(Self {
            lock: Self::open(folder, bridge)?,
        }
        .end())
    }

    fn open(folder: &Path, bridge: &str) -> Result<OwnedFd> {
        std::fs::create_dir_all(folder).map_err(Error::host(format!("make {}", folder.display())))?;
        let path = folder.join(format!("{bridge}.lock"));
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| Error::host(format!("open {}", path.display()))(errno.into()))
    }
}

/// Makes sure that the bridge is there and up, and has the gateway's address. Returns its number.
pub(super) fn ensure(netlink: &mut Netlink, config: &InterfaceConfig, range: Cidr) -> Result<u32> {
    check_range(netlink, &config.name, range)?;
    let link = match netlink.link(&*config.name)? {
        // Who was making it may have been killed.
        Some(link) if !is_half_made(&link) => link,
        _ => make(netlink, config)?,
    };
    if link.kind != "bridge" {
        return Err(Error::NotABridge(config.name.clone()));
    }
    let (address, prefix) = config.ipv4.unwrap_or((range.gateway(), range.prefix));
    let address = Address {
        index: link.index,
        address: address.into(),
        prefix,
        broadcast: Some(config.broadcast).filter(|ip| !ip.is_unspecified()),
    };
    unless(Errno::EEXIST, netlink.add_address(&address))?;
    let up = LinkSettings {
        up: Some(true),
        ..LinkSettings::default()
    };
    netlink.set_link(link.index, &up)?;
    Ok(link.index)
}

/// The group of a bridge that has no alias yet: the kernel takes a group for an interface that is just being made, but no alias.
pub(super) const HALF_MADE: u32 = 0x706f_6473;

/// Whether it is a bridge of ours, though nothing says so yet.
pub(super) fn is_half_made(link: &Link) -> bool {
    link.kind == "bridge" && link.group == HALF_MADE
}

fn make(netlink: &mut Netlink, config: &InterfaceConfig) -> Result<Link> {
    unless(Errno::EEXIST, add(netlink, config, Some(HALF_MADE)))?;
    let owner = Owner::Bridge.to_string();
    let alias = LinkSettings {
        alias: Some(&owner),
        group: Some(0),
        ..LinkSettings::default()
    };
    netlink.set_link(&*config.name, &alias)?;
    let missing = || Error::NotABridge(config.name.clone());
    netlink.link(&*config.name)?.ok_or_else(missing)
}

/// Makes a bridge, down. It has a hardware address from the start: so it keeps it whatever its ports have, and the kernel knows at
/// once that it has no carrier (`br_dev_newlink`), which it would else find out with the first port.
pub(super) fn add(netlink: &mut Netlink, config: &InterfaceConfig, group: Option<u32>) -> crate::netlink::Result<()> {
    let mac = config.mac.unwrap_or_else(random_mac);
    netlink.add_bridge(&LinkSettings {
        name: Some(&config.name),
        mac: Some(mac),
        mtu: Some(config.mtu),
        tx_queue_len: Some(config.tx_queue_len),
        group,
        ..LinkSettings::default()
    })?;
    let index = netlink.index_of(&config.name)?;
    if let Err(error) = netlink.add_link_local(index, mac) {
        // There may be no IPv6 here.
        tracing::debug!("{error}");
    }
    Ok(())
}

/// Locally administered, unicast.
fn random_mac() -> [u8; 6] {
    let mut mac = [0; 6];
    // It does not fail for so few bytes; and zeros would do but for the name.
    let _ = rustix::rand::getrandom(&mut mac, rustix::rand::GetRandomFlags::empty());
    mac[0] = (mac[0] & 0xfc) | 0x02;
    mac
}

/// No other interface may have an address or a route in the Pods' range; nor the bridge one in a part of it.
fn check_range(netlink: &mut Netlink, bridge: &str, range: Cidr) -> Result<()> {
    let taken = |interface: &str, taken: Cidr| {
        let same = interface == bridge && taken == range;
        if taken.overlaps(range) && !same {
            return Err(Error::RangeTaken {
                range,
                interface: interface.to_owned(),
                taken,
            });
        }
        Ok(())
    };
    for interface in netlink.interfaces()? {
        for ipv4 in &interface.ipv4 {
            taken(&interface.name, Cidr::of(ipv4.address, ipv4.prefix))?;
        }
    }
    for route in netlink.named_routes()? {
        // The default route covers all that nothing else does.
        if let (IpAddr::V4(to), 1..) = (route.destination, route.prefix) {
            taken(&route.interface, Cidr::of(to, route.prefix))?;
        }
    }
    Ok(())
}

/// Removes the bridge if we made it and nothing hangs on it. Says whether it is gone.
pub(super) fn remove(netlink: &mut Netlink, name: &str) -> Result<bool> {
    let links = netlink.links()?;
    let Some(bridge) = links.iter().find(|link| link.name == name) else {
        return Ok(true);
    };
    let ours = is_half_made(bridge) || bridge.alias.as_deref().and_then(Owner::parse) == Some(Owner::Bridge);
    let used = links.iter().any(|link| link.master == Some(bridge.index));
    if !ours || used {
        return Ok(false);
    }
    unless(Errno::ENODEV, netlink.delete_link(bridge.index))?;
    Ok(true)
}

/// This errno says that there is nothing to do any more.
pub(super) fn unless(errno: Errno, result: crate::netlink::Result<()>) -> crate::netlink::Result<()> {
    match result {
        Err(error) if error.errno == errno => Ok(()),
        result => result,
    }
}

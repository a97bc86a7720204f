//! The same in podsim-sys' words: what the system calls `interfaces`, `routes` and `net_config` of a process are on Linux.
//!
//! Each opens a connection and closes it again: a guest's descriptors are its process's, and none may stay.

use super::{Address, Error, Netlink, Result, RouteEntry};
use crate::netlink::LinkSettings;
use podsim_sys::{Interface, Ipv4Interface, Ipv6Interface, NetConfig, Route};
use std::net::{IpAddr, Ipv4Addr};

/// The interfaces of the calling thread's network namespace.
pub fn interfaces() -> podsim_sys::Result<Vec<Interface>> {
    Ok(Netlink::open()?.interfaces()?)
}

/// Its routes.
pub fn routes() -> podsim_sys::Result<Vec<Route>> {
    Ok(Netlink::open()?.named_routes()?)
}

/// Changes them. The caller needs CAP_NET_ADMIN, and the kernel says so.
pub fn net_config(change: NetConfig) -> podsim_sys::Result<()> {
    Ok(Netlink::open()?.configure(change)?)
}

impl Netlink {
    /// The interfaces with their addresses.
    pub fn interfaces(&mut self) -> Result<Vec<Interface>> {
        let links = self.links()?;
        let addresses = self.addresses()?;
        let with_addresses = |link: super::Link| {
            let own = || addresses.iter().filter(|address| address.index == link.index);
            let ipv4 = own().filter_map(|a| match a.address {
                IpAddr::V4(address) => Some(Ipv4Interface {
                    address,
                    prefix: a.prefix,
                    broadcast: a.broadcast.unwrap_or(Ipv4Addr::UNSPECIFIED),
                }),
                IpAddr::V6(_) => None,
            });
            let ipv6 = own().filter_map(|a| match a.address {
                IpAddr::V6(address) => Some(Ipv6Interface {
                    address,
                    prefix: a.prefix,
                }),
                IpAddr::V4(_) => None,
            });
            Interface {
                ipv4: ipv4.collect(),
                ipv6: ipv6.collect(),
                index: link.index,
                name: link.name,
                flags: link.flags,
                mac: link.mac,
                mtu: link.mtu,
                tx_queue_len: link.tx_queue_len,
                counters: link.counters,
                peer_index: link.peer,
            }
        };
        Ok(links.into_iter().map(with_addresses).collect())
    }

    /// The routes with the names of their interfaces.
    pub fn named_routes(&mut self) -> Result<Vec<Route>> {
        let entries = self.routes()?;
        let links = self.links()?;
        let named = |entry: RouteEntry| {
            let link = links.iter().find(|link| link.index == entry.index);
            Route {
                destination: entry.destination,
                prefix: entry.prefix,
                gateway: entry.gateway,
                interface: link.map(|link| link.name.clone()).unwrap_or_default(),
                source: entry.source,
                metric: entry.metric,
            }
        };
        Ok(entries.into_iter().map(named).collect())
    }

    /// Carries out a change.
    pub fn configure(&mut self, change: NetConfig) -> Result<()> {
        match change {
            NetConfig::AddLink { name, kind } => self.add_link(&name, &kind),
            NetConfig::DeleteLink(name) => self.delete_link(&*name),
            NetConfig::SetLink { name, up } => {
                let settings = LinkSettings {
                    up: Some(up),
                    ..LinkSettings::default()
                };
                self.set_link(&*name, &settings)
            }
            NetConfig::AddAddress { name, address, prefix } => {
                let address = self.address(&name, address, prefix)?;
                self.add_address(&address)
            }
            NetConfig::DeleteAddress { name, address, prefix } => {
                let address = self.address(&name, address, prefix)?;
                self.delete_address(&address)
            }
            NetConfig::AddRoute(route) => {
                let entry = self.entry(&route)?;
                self.add_route(&entry)
            }
            NetConfig::DeleteRoute(route) => {
                let entry = self.entry(&route)?;
                self.delete_route(&entry)
            }
        }
    }

    /// As `ip address add` without `broadcast`: none is set.
    fn address(&mut self, name: &str, address: IpAddr, prefix: u8) -> Result<Address, Error> {
        Ok(Address {
            index: self.index_of(name)?,
            address,
            prefix,
            broadcast: None,
        })
    }

    fn entry(&mut self, route: &Route) -> Result<RouteEntry, Error> {
        Ok(RouteEntry {
            destination: route.destination,
            prefix: route.prefix,
            gateway: route.gateway,
            index: match route.interface.as_str() {
                "" => 0,
                name => self.index_of(name)?,
            },
            source: route.source,
            metric: route.metric,
        })
    }
}

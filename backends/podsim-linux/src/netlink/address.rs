//! Addresses of interfaces: `ip address`.

use super::error::Result;
use super::socket::{Answer, Netlink};
use netlink_packet_core::{Emitable, NLM_F_CREATE, NLM_F_EXCL, NlasIterator, Parseable};
use netlink_packet_route::address::{
    AddressAttribute, AddressHeader, AddressHeaderFlags, AddressMessage, AddressScope,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The interface's number.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// Bits of the network part.
    pub prefix: u8,
    /// The broadcast address, if one was set.
    pub broadcast: Option<Ipv4Addr>,
}

impl Netlink {
    /// All addresses, IPv4 and IPv6.
    pub fn addresses(&mut self) -> Result<Vec<Address>> {
        let answers = self
            .dump(&RouteNetlinkMessage::GetAddress(AddressMessage::default()))
            .map_err(|failure| failure.in_order_to("list the addresses"))?;
        Ok(answers.iter().filter_map(Address::parse).collect())
    }

    /// Gives an interface an address. EEXIST if it has it.
    pub fn add_address(&mut self, address: &Address) -> Result<()> {
        self.change(
            RouteNetlinkMessage::NewAddress(address.message()),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .map_err(|failure| failure.in_order_to(format!("add the address {}/{}", address.address, address.prefix)))
    }

    /// Gives an interface the IPv6 address that comes from its hardware address (RFC 4291, appendix A). The kernel does that by itself when
    /// there is a carrier for the first time; a real bridge without ports once had some.
    pub fn add_link_local(&mut self, index: u32, mac: [u8; 6]) -> Result<()> {
        let [a, b, c, d, e, f] = mac.map(u16::from);
        let address = Address {
            index,
            address: Ipv6Addr::new(0xfe80, 0, 0, 0, (a ^ 2) << 8 | b, c << 8 | 0xff, 0xfe00 | d, e << 8 | f).into(),
            prefix: 64,
            broadcast: None,
        };
        let mut message = address.message();
        // There is nobody yet who could have it.
        message.header.flags = AddressHeaderFlags::Nodad;
        message.header.scope = AddressScope::Link;
        self.change(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL)
            .map_err(|failure| failure.in_order_to(format!("add the address {}/64", address.address)))
    }

    /// Takes an address from an interface. EADDRNOTAVAIL if it has none such.
    pub fn delete_address(&mut self, address: &Address) -> Result<()> {
        self.change(RouteNetlinkMessage::DelAddress(address.message()), 0)
            .map_err(|failure| {
                failure.in_order_to(format!("remove the address {}/{}", address.address, address.prefix))
            })
    }
}

impl Address {
    fn message(&self) -> AddressMessage {
        let mut message = AddressMessage::default();
        message.header = AddressHeader {
            family: family_of(self.address),
            prefix_len: self.prefix,
            scope: if self.address.is_loopback() {
                AddressScope::Host
            } else {
                AddressScope::Universe
            },
            index: self.index,
            ..AddressHeader::default()
        };
        message.attributes = vec![
            AddressAttribute::Local(self.address),
            AddressAttribute::Address(self.address),
        ];
        message
            .attributes
            .extend(self.broadcast.map(AddressAttribute::Broadcast));
        message
    }

    fn parse(answer: &Answer) -> Option<Address> {
        if answer.kind != libc::RTM_NEWADDR {
            return None;
        }
        let header = AddressHeader::parse(&answer.payload).ok()?;
        let (mut local, mut address, mut broadcast) = (None, None, None);
        let attributes = answer.payload.get(header.buffer_len()..)?;
        for attribute in NlasIterator::new(attributes).map_while(Result::ok) {
            match AddressAttribute::parse(&attribute) {
                Ok(AddressAttribute::Local(ip)) => local = Some(ip),
                Ok(AddressAttribute::Address(ip)) => address = Some(ip),
                Ok(AddressAttribute::Broadcast(ip)) => broadcast = Some(ip),
                _ => {}
            }
        }
        Some(Address {
            index: header.index,
            // IFA_ADDRESS is the other end's where there is a local one (rtnetlink(7)).
            address: local.or(address)?,
            prefix: header.prefix_len,
            broadcast,
        })
    }
}

/// The family of an address.
pub(super) fn family_of(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

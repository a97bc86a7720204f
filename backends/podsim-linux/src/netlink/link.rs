//! Interfaces: `ip link`.

use super::error::{Failure, Result};
use super::socket::{Answer, Netlink};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NlasIterator, parse_i32, parse_string, parse_u32, parse_u64};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkHeader, LinkInfo, LinkMessage,
};
use podsim_sys::{Errno, InterfaceCounters, InterfaceFlags};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Length of `struct ifinfomsg`.
const HEADER: usize = 16;
/// `IFLA_INFO_KIND` of `linux/if_link.h`, within `IFLA_LINKINFO`.
const INFO_KIND: u16 = 1;

/// Whether an interface can carry traffic (RFC 2863). The kernel works it out a little later than what it follows from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OperState {
    /// Nothing has happened that it would have to be worked out after: it can.
    #[default]
    Unknown,
    /// It can.
    Up,
    /// It cannot.
    Down,
}

/// An interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// What the driver calls itself: `bridge`, `veth`; empty for cards and `lo`.
    pub kind: String,
    /// Its flags.
    pub flags: InterfaceFlags,
    /// Whether it can carry traffic.
    pub oper_state: OperState,
    /// Hardware address; zeros if it has none of six bytes.
    pub mac: [u8; 6],
    /// Largest packet.
    pub mtu: u32,
    /// Length of the send queue.
    pub tx_queue_len: u32,
    /// Traffic so far.
    pub counters: InterfaceCounters,
    /// The bridge that it is a port of.
    pub master: Option<u32>,
    /// For a veth end: the index of its peer, in the peer's namespace.
    pub peer: Option<u32>,
    /// Its group.
    pub group: u32,
    /// The text that was given to it.
    pub alias: Option<String>,
}

/// Which interface.
#[derive(Clone, Copy, Debug)]
pub enum LinkId<'a> {
    /// By number.
    Index(u32),
    /// By name.
    Name(&'a str),
}

impl From<u32> for LinkId<'_> {
    fn from(index: u32) -> Self {
        LinkId::Index(index)
    }
}

impl<'a> From<&'a str> for LinkId<'a> {
    fn from(name: &'a str) -> Self {
        LinkId::Name(name)
    }
}

impl std::fmt::Display for LinkId<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LinkId::Index(index) => write!(f, "number {index}"),
            LinkId::Name(name) => f.write_str(name),
        }
    }
}

impl LinkId<'_> {
    fn message(self) -> LinkMessage {
        let mut message = LinkMessage::default();
        match self {
            LinkId::Index(index) => message.header.index = index,
            LinkId::Name(name) => message.attributes.push(LinkAttribute::IfName(name.to_owned())),
        }
        message
    }
}

/// What an interface is to be like; `None` leaves it as it is, or to the kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinkSettings<'a> {
    /// Its name; a new one if it is there already.
    pub name: Option<&'a str>,
    /// Hardware address.
    pub mac: Option<[u8; 6]>,
    /// Largest packet.
    pub mtu: Option<u32>,
    /// Length of the send queue.
    pub tx_queue_len: Option<u32>,
    /// A text for people (and for us: whose it is). Only for interfaces that are there.
    pub alias: Option<&'a str>,
    /// The group that it is in (`ip link show group`).
    pub group: Option<u32>,
    /// The bridge to become a port of; 0 for none.
    pub master: Option<u32>,
    /// The network namespace to be in.
    pub netns: Option<BorrowedFd<'a>>,
    /// Up or down.
    pub up: Option<bool>,
}

impl LinkSettings<'_> {
    /// As a message about this interface (a default one for a new interface).
    fn apply_to(&self, mut message: LinkMessage) -> LinkMessage {
        if let Some(up) = self.up {
            message.header.change_mask = LinkFlags::Up;
            message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
        }
        message.attributes.extend(
            [
                self.name.map(|name| LinkAttribute::IfName(name.to_owned())),
                self.mac.map(|mac| LinkAttribute::Address(mac.to_vec())),
                self.mtu.map(LinkAttribute::Mtu),
                self.tx_queue_len.map(LinkAttribute::TxQueueLen),
                self.alias.map(|alias| LinkAttribute::IfAlias(alias.to_owned())),
                self.group.map(LinkAttribute::Group),
                self.master.map(LinkAttribute::Controller),
                self.netns.map(|fd| LinkAttribute::NetNsFd(fd.as_raw_fd())),
            ]
            .into_iter()
            .flatten(),
        );
        message
    }

    fn name(&self) -> &str {
        self.name.unwrap_or_default()
    }
}

impl Netlink {
    /// All interfaces.
    pub fn links(&mut self) -> Result<Vec<Link>> {
        let answers = self
            .dump(&RouteNetlinkMessage::GetLink(LinkMessage::default()))
            .map_err(|failure| failure.in_order_to("list the interfaces"))?;
        Ok(answers.iter().filter_map(Link::parse).collect())
    }

    /// One interface, if it is there.
    pub fn link<'a>(&mut self, id: impl Into<LinkId<'a>>) -> Result<Option<Link>> {
        let id = id.into();
        match self.get(RouteNetlinkMessage::GetLink(id.message())) {
            Ok(answers) => Ok(answers.iter().find_map(Link::parse)),
            Err(failure) if failure.errno == Errno::ENODEV => Ok(None),
            Err(failure) => Err(failure.in_order_to(format!("find the interface {id}"))),
        }
    }

    /// The number of an interface; ENODEV if there is none of this name.
    pub fn index_of(&mut self, name: &str) -> Result<u32> {
        let none = || Failure::from(Errno::ENODEV).in_order_to(format!("find the interface {name}"));
        self.link(name)?.map(|link| link.index).ok_or_else(none)
    }

    /// Makes a bridge.
    pub fn add_bridge(&mut self, settings: &LinkSettings<'_>) -> Result<()> {
        self.add(settings, vec![LinkInfo::Kind(InfoKind::Bridge)])
    }

    /// Makes a pair of interfaces, in one request: with `netns` in the peer's settings the peer is never seen in this namespace.
    /// The peer is down whatever its settings say: the kernel opens it before it has tied it to the other end (ENOTCONN).
    pub fn add_veth(&mut self, settings: &LinkSettings<'_>, peer: &LinkSettings<'_>) -> Result<()> {
        let peer = LinkSettings { up: None, ..*peer };
        let peer = InfoVeth::Peer(peer.apply_to(LinkMessage::default()));
        self.add(
            settings,
            vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(InfoData::Veth(peer))],
        )
    }

    /// Makes an interface of any kind that needs nothing but a name.
    pub fn add_link(&mut self, name: &str, kind: &str) -> Result<()> {
        let settings = LinkSettings {
            name: Some(name),
            ..LinkSettings::default()
        };
        self.add(&settings, vec![LinkInfo::Kind(InfoKind::from(kind))])
    }

    fn add(&mut self, settings: &LinkSettings<'_>, info: Vec<LinkInfo>) -> Result<()> {
        let mut message = settings.apply_to(LinkMessage::default());
        message.attributes.push(LinkAttribute::LinkInfo(info));
        self.change(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL)
            .map_err(|failure| failure.in_order_to(format!("add the interface {}", settings.name())))
    }

    /// Changes an interface. A new name needs it to be given by its number.
    pub fn set_link<'a>(&mut self, id: impl Into<LinkId<'a>>, settings: &LinkSettings<'_>) -> Result<()> {
        let id = id.into();
        let message = settings.apply_to(id.message());
        self.change(RouteNetlinkMessage::SetLink(message), 0)
            .map_err(|failure| failure.in_order_to(format!("change the interface {id}")))
    }

    /// Removes an interface, and with a veth end its peer.
    pub fn delete_link<'a>(&mut self, id: impl Into<LinkId<'a>>) -> Result<()> {
        let id = id.into();
        self.change(RouteNetlinkMessage::DelLink(id.message()), 0)
            .map_err(|failure| failure.in_order_to(format!("remove the interface {id}")))
    }
}

impl Link {
    /// Reads a message, attribute by attribute: `LinkMessage::parse` refuses all of it when one that we have no use for is of a
    /// shape that it does not know, as those of newer kernels are.
    fn parse(answer: &Answer) -> Option<Link> {
        if answer.kind != libc::RTM_NEWLINK {
            return None;
        }
        let header = LinkHeader::parse(&answer.payload).ok()?;
        let mut link = Link {
            index: header.index,
            flags: InterfaceFlags::from_bits_truncate(header.flags.bits()),
            ..Link::default()
        };
        let mut parent = None;
        for attribute in NlasIterator::new(answer.payload.get(HEADER..)?).map_while(Result::ok) {
            let value = attribute.value();
            match attribute.kind() {
                libc::IFLA_IFNAME => link.name = parse_string(value).ok()?,
                libc::IFLA_ADDRESS => link.mac = value.try_into().unwrap_or_default(),
                libc::IFLA_OPERSTATE => {
                    link.oper_state = match value {
                        [0] => OperState::Unknown,
                        [6] => OperState::Up,
                        _ => OperState::Down,
                    }
                }
                libc::IFLA_MTU => link.mtu = parse_u32(value).unwrap_or_default(),
                libc::IFLA_TXQLEN => link.tx_queue_len = parse_u32(value).unwrap_or_default(),
                libc::IFLA_MASTER => link.master = parse_u32(value).ok(),
                libc::IFLA_LINK => parent = parse_i32(value).ok(),
                libc::IFLA_GROUP => link.group = parse_u32(value).unwrap_or_default(),
                libc::IFLA_IFALIAS => link.alias = parse_string(value).ok(),
                libc::IFLA_STATS64 => link.counters = counters(value).unwrap_or_default(),
                libc::IFLA_LINKINFO => {
                    link.kind = NlasIterator::new(value)
                        .map_while(Result::ok)
                        .find(|info| info.kind() == INFO_KIND)
                        .and_then(|info| parse_string(info.value()).ok())
                        .unwrap_or_default();
                }
                _ => {}
            }
        }
        if link.kind == "veth" {
            link.peer = parent
                .and_then(|index| u32::try_from(index).ok())
                .filter(|index| *index != 0);
        }
        Some(link)
    }
}

/// The beginning of `struct rtnl_link_stats64`.
fn counters(bytes: &[u8]) -> Option<InterfaceCounters> {
    let field = |n: usize| parse_u64(bytes.get(8 * n..8 * (n + 1))?).ok();
    Some(InterfaceCounters {
        rx_packets: field(0)?,
        tx_packets: field(1)?,
        rx_bytes: field(2)?,
        tx_bytes: field(3)?,
    })
}

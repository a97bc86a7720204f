//! Routes: `ip route`.

use super::address::family_of;
use super::error::Result;
use super::socket::{Answer, Netlink};
use netlink_packet_core::{Emitable, NLM_F_CREATE, NLM_F_EXCL, NlasIterator, ParseableParametrized};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteLwEnCapType, RouteMessage, RouteProtocol, RouteScope, RouteType,
    RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A route of the main table; the interface by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteEntry {
    /// The network; unspecified with prefix 0 is the default route.
    pub destination: IpAddr,
    /// Its bits.
    pub prefix: u8,
    /// The next hop.
    pub gateway: Option<IpAddr>,
    /// The interface; 0 leaves it to the kernel, which knows the gateway's.
    pub index: u32,
    /// The source address to prefer.
    pub source: Option<IpAddr>,
    /// Its metric; 0 is the kernel's usual one.
    pub metric: u32,
}

impl RouteEntry {
    /// The default route over a gateway.
    #[must_use]
    pub fn default_over(gateway: IpAddr, index: u32) -> Self {
        Self {
            destination: match gateway {
                IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            },
            prefix: 0,
            gateway: Some(gateway),
            index,
            source: None,
            metric: 0,
        }
    }
}

impl Netlink {
    /// The unicast routes of the main table, IPv4 and then IPv6: what `ip route` shows. One with several next hops is as many.
    pub fn routes(&mut self) -> Result<Vec<RouteEntry>> {
        let mut routes = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut message = RouteMessage::default();
            message.header.address_family = family;
            let answers = self
                .dump(&RouteNetlinkMessage::GetRoute(message))
                .map_err(|failure| failure.in_order_to("list the routes"))?;
            // A kernel without IPv6 dumps what it has when it is asked for that.
            let of_family = |route: &RouteEntry| family_of(route.destination) == family;
            let answers = answers.iter().flat_map(|answer| parse(answer).unwrap_or_default());
            routes.extend(answers.filter(of_family));
        }
        Ok(routes)
    }

    /// Adds a route. ENETUNREACH if its gateway is not on a link, EEXIST if it is there.
    pub fn add_route(&mut self, route: &RouteEntry) -> Result<()> {
        let mut message = message(route);
        message.header.protocol = RouteProtocol::Boot; // as ip(8)
        message.header.kind = RouteType::Unicast;
        message.header.scope = match route.gateway {
            Some(_) => RouteScope::Universe,
            None => RouteScope::Link,
        };
        self.change(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_EXCL)
            .map_err(|failure| failure.in_order_to(format!("add the route to {}", name(route))))
    }

    /// Removes the first route that is like this one; what it leaves open fits every route. ESRCH if there is none.
    pub fn delete_route(&mut self, route: &RouteEntry) -> Result<()> {
        let mut message = message(route);
        message.header.scope = RouteScope::NoWhere; // any
        self.change(RouteNetlinkMessage::DelRoute(message), 0)
            .map_err(|failure| failure.in_order_to(format!("remove the route to {}", name(route))))
    }
}

fn name(route: &RouteEntry) -> String {
    match route.prefix {
        0 => "default".to_owned(),
        prefix => format!("{}/{prefix}", route.destination),
    }
}

fn message(route: &RouteEntry) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family_of(route.destination);
    message.header.destination_prefix_length = route.prefix;
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    let via = |gateway: IpAddr| match (route.destination, gateway) {
        (IpAddr::V4(_), IpAddr::V6(v6)) => RouteAttribute::Via(RouteVia::Inet6(v6)),
        _ => RouteAttribute::Gateway(gateway.into()),
    };
    message.attributes.extend(
        [
            (route.prefix > 0).then(|| RouteAttribute::Destination(route.destination.into())),
            route.gateway.map(via),
            (route.index > 0).then_some(RouteAttribute::Oif(route.index)),
            route.source.map(|ip| RouteAttribute::PrefSource(ip.into())),
            (route.metric > 0).then_some(RouteAttribute::Priority(route.metric)),
        ]
        .into_iter()
        .flatten(),
    );
    message
}

/// The routes of one message: none if it is not a unicast route of the main table.
fn parse(answer: &Answer) -> Option<Vec<RouteEntry>> {
    if answer.kind != libc::RTM_NEWROUTE {
        return None;
    }
    let header = RouteHeader::parse(&answer.payload).ok()?;
    if header.kind != RouteType::Unicast || header.table != RouteHeader::RT_TABLE_MAIN {
        return None;
    }
    let mut route = RouteEntry {
        destination: match header.address_family {
            AddressFamily::Inet => Ipv4Addr::UNSPECIFIED.into(),
            AddressFamily::Inet6 => Ipv6Addr::UNSPECIFIED.into(),
            _ => return None,
        },
        prefix: header.destination_prefix_length,
        gateway: None,
        index: 0,
        source: None,
        metric: 0,
    };
    let mut hops = Vec::new();
    let parameters = (header.address_family, header.kind, RouteLwEnCapType::None);
    for attribute in NlasIterator::new(answer.payload.get(header.buffer_len()..)?).map_while(Result::ok) {
        // One that cannot be read is one that we have no use for.
        match RouteAttribute::parse_with_param(&attribute, parameters) {
            Ok(RouteAttribute::Destination(to)) => route.destination = ip(&to)?,
            Ok(RouteAttribute::PrefSource(from)) => route.source = ip(&from),
            Ok(RouteAttribute::Priority(metric)) => route.metric = metric,
            Ok(RouteAttribute::MultiPath(next_hops)) => hops = next_hops,
            Ok(attribute) => next_hop(&mut route, &attribute),
            Err(_) => {}
        }
    }
    if hops.is_empty() {
        return Some(vec![route]);
    }
    let over = |hop: netlink_packet_route::route::RouteNextHop| {
        let mut route = RouteEntry {
            index: hop.interface_index,
            ..route
        };
        for attribute in &hop.attributes {
            next_hop(&mut route, attribute);
        }
        route
    };
    Some(hops.into_iter().map(over).collect())
}

/// What an attribute says about the next hop.
fn next_hop(route: &mut RouteEntry, attribute: &RouteAttribute) {
    match attribute {
        RouteAttribute::Gateway(gateway) => route.gateway = ip(gateway),
        RouteAttribute::Via(RouteVia::Inet(gateway)) => route.gateway = Some((*gateway).into()),
        RouteAttribute::Via(RouteVia::Inet6(gateway)) => route.gateway = Some((*gateway).into()),
        RouteAttribute::Oif(index) => route.index = *index,
        _ => {}
    }
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some((*v4).into()),
        RouteAddress::Inet6(v6) => Some((*v6).into()),
        _ => None,
    }
}

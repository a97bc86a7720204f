//! `ip`: `address`, `link` and `route`.

use crate::util::{Out, show_usage};
use crate::{complain, out};
use podsim_guest as sys;
use podsim_sys::{Errno, Interface, InterfaceFlags, NetConfig, Route};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ifconfig::mac;

struct Options {
    /// Only this family: 4 or 6.
    family: Option<u8>,
    one_line: bool,
}

/// `ip [OPTIONS] address|link|route [ARGS]`
pub fn main(args: &[String]) -> i32 {
    let mut options = Options {
        family: None,
        one_line: false,
    };
    let mut words: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    while let Some(option) = words.first().copied().filter(|word| word.starts_with('-')) {
        match option {
            "-4" => options.family = Some(4),
            "-6" => options.family = Some(6),
            "-o" | "-oneline" => options.one_line = true,
            "-f" | "-family" => {
                options.family = match words.get(1).copied() {
                    Some("inet") => Some(4),
                    Some("inet6") => Some(6),
                    _ => return show_usage("ip"),
                };
                words.remove(0);
            }
            "-s" | "-d" | "-br" | "-c" => {}
            _ => return show_usage("ip"),
        }
        words.remove(0);
    }
    let Some(object) = words.first().copied() else {
        return show_usage("ip");
    };
    let rest = words.get(1..).unwrap_or_default();
    let is = |full: &str| full.starts_with(object);
    let result = if is("address") {
        address(rest, &options)
    } else if is("link") {
        link(rest, &options)
    } else if is("route") {
        route(rest, &options)
    } else {
        return show_usage("ip");
    };
    match result {
        Ok(()) => 0,
        Err(Failure::Usage) => show_usage("ip"),
        Err(Failure::Message(message)) => {
            complain!("ip", "{message}");
            1
        }
        Err(Failure::Netlink(error)) => {
            complain!("ip", "RTNETLINK answers: {error}");
            2
        }
    }
}

enum Failure {
    Usage,
    Message(String),
    Netlink(Errno),
}

type Done = Result<(), Failure>;

fn message<T>(text: String) -> Result<T, Failure> {
    Err(Failure::Message(text))
}

fn configure(change: NetConfig) -> Done {
    sys::net_config(change).map_err(Failure::Netlink)
}

/// `ADDRESS[/PREFIX]`; without a prefix it is a host.
#[must_use]
pub fn parse_prefix(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => most,
        Some(text) => text.parse().ok().filter(|prefix| *prefix <= most)?,
    };
    Some((address, prefix))
}

fn is_command(word: &str, full: &str) -> bool {
    !word.is_empty() && full.starts_with(word)
}

fn wanted_device<'a>(words: &[&'a str]) -> Option<&'a str> {
    words.iter().copied().find(|word| *word != "dev" && *word != "up")
}

fn filtered(words: &[&str]) -> Result<Vec<Interface>, Failure> {
    let all = sys::interfaces();
    let only_up = words.contains(&"up");
    match wanted_device(words) {
        Some(name) if !all.iter().any(|i| i.name == name) => message(format!("can't find device '{name}'")),
        device => Ok(all
            .into_iter()
            .filter(|i| device.is_none_or(|name| i.name == name) && (!only_up || i.flags.contains(InterfaceFlags::UP)))
            .collect()),
    }
}

fn address(words: &[&str], options: &Options) -> Done {
    match words {
        [] => show_addresses(&[], options),
        [command, rest @ ..] if is_command(command, "show") || is_command(command, "list") => {
            show_addresses(rest, options)
        }
        [command, rest @ ..] if is_command(command, "add") || is_command(command, "delete") => {
            let text = rest
                .iter()
                .copied()
                .find(|word| word.contains(['.', ':']))
                .ok_or(Failure::Usage)?;
            let Some((address, prefix)) = parse_prefix(text) else {
                return message(format!("an inet prefix is expected rather than \"{text}\""));
            };
            let device = rest
                .iter()
                .position(|word| *word == "dev")
                .and_then(|at| rest.get(at + 1));
            let Some(device) = device else {
                return message("argument of \"dev\" is required".to_owned());
            };
            let name = (*device).to_owned();
            if !sys::interfaces().iter().any(|i| i.name == name) {
                return message(format!("can't find device '{name}'"));
            }
            configure(if is_command(command, "add") {
                NetConfig::AddAddress { name, address, prefix }
            } else {
                NetConfig::DeleteAddress { name, address, prefix }
            })
        }
        [command, rest @ ..] if is_command(command, "flush") => {
            for interface in filtered(rest)? {
                let v4 = interface.ipv4.iter().map(|ip| (IpAddr::V4(ip.address), ip.prefix));
                let v6 = interface.ipv6.iter().map(|ip| (IpAddr::V6(ip.address), ip.prefix));
                for (address, prefix) in v4.chain(v6) {
                    configure(NetConfig::DeleteAddress {
                        name: interface.name.clone(),
                        address,
                        prefix,
                    })?;
                }
            }
            Ok(())
        }
        _ => Err(Failure::Usage),
    }
}

fn show_addresses(words: &[&str], options: &Options) -> Done {
    let mut out = Out::stdout();
    for interface in filtered(words)? {
        if !options.one_line {
            out.text(&link_line(&interface));
            if options.family.is_none() {
                out.text(&hardware_line(&interface));
            }
        }
        let mut lines = Vec::new();
        if options.family != Some(6) {
            for ip in &interface.ipv4 {
                let scope = if ip.address.is_loopback() {
                    "host"
                } else if ip.address.is_link_local() {
                    "link"
                } else {
                    "global"
                };
                let broadcast = if ip.broadcast.is_unspecified() {
                    String::new()
                } else {
                    format!(" brd {}", ip.broadcast)
                };
                lines.push(format!(
                    "inet {}/{}{broadcast} scope {scope} {}",
                    ip.address, ip.prefix, interface.name
                ));
            }
        }
        if options.family != Some(4) {
            for ip in &interface.ipv6 {
                let scope = match ip.address {
                    a if a.is_loopback() => "host",
                    a if a.is_unicast_link_local() => "link",
                    _ => "global",
                };
                lines.push(format!("inet6 {}/{} scope {scope} ", ip.address, ip.prefix));
            }
        }
        for line in lines {
            if options.one_line {
                let lifetime = "valid_lft forever preferred_lft forever";
                out!(
                    out,
                    "{}: {}    {line}\\       {lifetime}\n",
                    interface.index,
                    interface.name
                );
            } else {
                out!(out, "    {line}\n       valid_lft forever preferred_lft forever\n");
            }
        }
    }
    Ok(())
}

/// `2: eth0@if7: <BROADCAST,MULTICAST,UP,LOWER_UP,M-DOWN> mtu 1500 qdisc noqueue `. M-DOWN is what BusyBox says of a veth
/// whose peer it cannot see.
#[must_use]
pub fn link_line(interface: &Interface) -> String {
    let has = |flag| interface.flags.contains(flag);
    let mut flags = Vec::new();
    if has(InterfaceFlags::UP) && !has(InterfaceFlags::RUNNING) {
        flags.push("NO-CARRIER");
    }
    for (flag, name) in [
        (InterfaceFlags::LOOPBACK, "LOOPBACK"),
        (InterfaceFlags::BROADCAST, "BROADCAST"),
        (InterfaceFlags::POINTOPOINT, "POINTOPOINT"),
        (InterfaceFlags::MULTICAST, "MULTICAST"),
        (InterfaceFlags::NOARP, "NOARP"),
        (InterfaceFlags::UP, "UP"),
        (InterfaceFlags::RUNNING, "LOWER_UP"),
    ] {
        if has(flag) {
            flags.push(name);
        }
    }
    let mut peer = String::new();
    if let Some(index) = interface.peer_index {
        peer = format!("@if{index}");
        flags.push("M-DOWN");
    }
    let discipline = if has(InterfaceFlags::UP) { "noqueue" } else { "noop" };
    let queue = if interface.tx_queue_len > 0 {
        format!("qlen {}", interface.tx_queue_len)
    } else {
        String::new()
    };
    let (index, name, mtu) = (interface.index, &interface.name, interface.mtu);
    format!(
        "{index}: {name}{peer}: <{}> mtu {mtu} qdisc {discipline} {queue}\n",
        flags.join(",")
    )
}

fn hardware_line(interface: &Interface) -> String {
    let loopback = interface.flags.contains(InterfaceFlags::LOOPBACK);
    let (kind, broadcast) = if loopback {
        ("loopback", [0; 6])
    } else {
        ("ether", [0xff; 6])
    };
    format!(
        "    link/{kind} {} brd {}\n",
        mac(interface.mac, false),
        mac(broadcast, false)
    )
}

fn link(words: &[&str], options: &Options) -> Done {
    match words {
        [] => show_links(&[], options),
        [command, rest @ ..] if is_command(command, "show") || is_command(command, "list") => show_links(rest, options),
        [command, rest @ ..] if is_command(command, "set") => {
            let rest = rest.strip_prefix(&["dev"]).unwrap_or(rest);
            let [device, changes @ ..] = rest else {
                return Err(Failure::Usage);
            };
            if !sys::interfaces().iter().any(|i| i.name == **device) {
                return message(format!("SIOCGIFFLAGS: {}", Errno::ENODEV));
            }
            let name = (*device).to_owned();
            match changes {
                ["up"] => sys::net_config(NetConfig::SetLink { name, up: true }),
                ["down"] => sys::net_config(NetConfig::SetLink { name, up: false }),
                _ => return Err(Failure::Usage),
            }
            .or_else(|error| message(format!("SIOCSIFFLAGS: {error}")))
        }
        [command, rest @ ..] if is_command(command, "add") => {
            let rest: Vec<&str> = rest
                .iter()
                .copied()
                .filter(|word| *word != "dev" && *word != "name")
                .collect();
            match rest.as_slice() {
                [name, "type", kind] => configure(NetConfig::AddLink {
                    name: (*name).to_owned(),
                    kind: (*kind).to_owned(),
                }),
                _ => Err(Failure::Usage),
            }
        }
        [command, rest @ ..] if is_command(command, "delete") => match wanted_device(rest) {
            Some(name) => configure(NetConfig::DeleteLink(name.to_owned())),
            None => Err(Failure::Usage),
        },
        _ => Err(Failure::Usage),
    }
}

fn show_links(words: &[&str], options: &Options) -> Done {
    let mut out = Out::stdout();
    for interface in filtered(words)? {
        let text = format!("{}{}", link_line(&interface), hardware_line(&interface));
        if options.one_line {
            out!(out, "{}\n", text.trim_end_matches('\n').replace('\n', "\\"));
        } else {
            out.text(&text);
        }
    }
    Ok(())
}

fn route(words: &[&str], options: &Options) -> Done {
    match words {
        [] => show_routes(&[], options),
        [command, rest @ ..] if is_command(command, "show") || is_command(command, "list") => {
            show_routes(rest, options)
        }
        ["add", rest @ ..] => configure(NetConfig::AddRoute(parse_route(rest, options)?)),
        [command, rest @ ..] if is_command(command, "delete") => {
            configure(NetConfig::DeleteRoute(parse_route(rest, options)?))
        }
        [command @ ("replace" | "change"), rest @ ..] => {
            let new = parse_route(rest, options)?;
            let old = sys::routes()
                .into_iter()
                .find(|r| (r.destination, r.prefix) == (new.destination, new.prefix));
            match old {
                Some(old) => configure(NetConfig::DeleteRoute(old))?,
                None if *command == "change" => return Err(Failure::Netlink(Errno::ENOENT)),
                None => {}
            }
            configure(NetConfig::AddRoute(new))
        }
        _ => Err(Failure::Usage),
    }
}

fn parse_route(words: &[&str], options: &Options) -> Result<Route, Failure> {
    let mut words = words.iter().copied().peekable();
    let unspecified: IpAddr = if options.family == Some(6) {
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    };
    let mut route = Route {
        destination: unspecified,
        prefix: 0,
        gateway: None,
        interface: String::new(),
        source: None,
        metric: 0,
    };
    if words.peek() == Some(&"to") {
        words.next();
    }
    let target = words.next().ok_or(Failure::Usage)?;
    if target != "default" {
        let Some((address, prefix)) = parse_prefix(target) else {
            return message(format!("an inet prefix is expected rather than \"{target}\""));
        };
        (route.destination, route.prefix) = (address, prefix);
    }
    while let Some(word) = words.next() {
        let value = words
            .next()
            .ok_or_else(|| Failure::Message(format!("argument of \"{word}\" is required")))?;
        let address = |text: &str| {
            text.parse::<IpAddr>()
                .map_err(|_| Failure::Message(format!("an inet address is expected rather than \"{text}\"")))
        };
        match word {
            "via" => route.gateway = Some(address(value)?),
            "src" => route.source = Some(address(value)?),
            "dev" => route.interface = value.to_owned(),
            "metric" => {
                route.metric = value
                    .parse()
                    .map_err(|_| Failure::Message(format!("invalid argument '{value}' to 'metric'")))?
            }
            "scope" | "proto" | "table" => {}
            _ => return Err(Failure::Usage),
        }
    }
    if route.interface.is_empty()
        && let Some(gateway) = route.gateway
    {
        route.interface = leads_to(gateway).ok_or(Failure::Netlink(Errno::ENETUNREACH))?;
    }
    Ok(route)
}

/// The interface on whose network an address is.
#[must_use]
pub fn leads_to(address: IpAddr) -> Option<String> {
    let in_network = |interface: &Interface| match address {
        IpAddr::V4(v4) => interface.ipv4.iter().any(|ip| {
            let mask = super::ifconfig::netmask(ip.prefix).to_bits();
            v4.to_bits() & mask == ip.address.to_bits() & mask
        }),
        IpAddr::V6(v6) => interface.ipv6.iter().any(|ip| {
            let mask = u128::MAX.checked_shl(128 - u32::from(ip.prefix.min(128))).unwrap_or(0);
            v6.to_bits() & mask == ip.address.to_bits() & mask
        }),
    };
    sys::interfaces()
        .into_iter()
        .find(in_network)
        .map(|interface| interface.name)
}

fn show_routes(words: &[&str], options: &Options) -> Done {
    let device = words
        .iter()
        .position(|word| *word == "dev")
        .and_then(|at| words.get(at + 1));
    let family = options.family.unwrap_or(4);
    let mut out = Out::stdout();
    for route in sys::routes() {
        let version = if route.destination.is_ipv4() { 4 } else { 6 };
        if version == family && device.is_none_or(|name| route.interface == **name) {
            out!(out, "{}\n", route_line(&route));
        }
    }
    Ok(())
}

/// `default via 10.0.0.1 dev eth0 `
#[must_use]
pub fn route_line(route: &Route) -> String {
    let host = if route.destination.is_ipv4() { 32 } else { 128 };
    let mut line = if route.prefix == 0 && route.destination.is_unspecified() {
        "default ".to_owned()
    } else if route.prefix == host {
        format!("{} ", route.destination)
    } else {
        format!("{}/{} ", route.destination, route.prefix)
    };
    if let Some(gateway) = route.gateway {
        line.push_str(&format!("via {gateway} "));
    }
    line.push_str(&format!("dev {} ", route.interface));
    if route.gateway.is_none() && route.destination.is_ipv4() {
        line.push_str("scope link ");
    }
    if let Some(source) = route.source {
        line.push_str(&format!(" src {source} "));
    }
    if route.metric > 0 {
        line.push_str(&format!(" metric {} ", route.metric));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_look_as_busyboxs_ip_shows_them() {
        let route = |destination: &str, prefix, gateway: Option<&str>, source: Option<&str>| Route {
            destination: destination.parse().expect("an address"),
            prefix,
            gateway: gateway.map(|g| g.parse().expect("an address")),
            interface: "eth0".to_owned(),
            source: source.map(|s| s.parse().expect("an address")),
            metric: 0,
        };
        for (route, want) in [
            (
                route("0.0.0.0", 0, Some("192.0.2.1"), None),
                "default via 192.0.2.1 dev eth0 ",
            ),
            (
                route("192.0.2.0", 24, None, Some("192.0.2.2")),
                "192.0.2.0/24 dev eth0 scope link  src 192.0.2.2 ",
            ),
            (
                route("10.1.2.3", 32, Some("192.0.2.1"), None),
                "10.1.2.3 via 192.0.2.1 dev eth0 ",
            ),
        ] {
            assert_eq!(route_line(&route), want);
        }
    }

    #[test]
    fn prefixes_are_read() {
        assert_eq!(parse_prefix("10.0.0.1/8"), Some((Ipv4Addr::new(10, 0, 0, 1).into(), 8)));
        assert_eq!(parse_prefix("::1"), Some((Ipv6Addr::LOCALHOST.into(), 128)));
        assert_eq!(parse_prefix("10.0.0.1/33"), None);
        assert_eq!(parse_prefix("x/8"), None);
    }
}

//! `route`.

use super::{ifconfig::netmask, ip};
use crate::util::{Opts, Out, dial, parse, show_usage};
use crate::{complain, out};
use podsim_guest as sys;
use podsim_sys::{NetConfig, Route};
use std::net::{IpAddr, Ipv4Addr};

/// `route [-ne] [-A inet[6]] [{add|del} [-net|-host] TARGET [netmask MASK] [gw GATEWAY] [metric N] [dev IFACE]]`
pub fn main(args: &[String]) -> i32 {
    let opts = match parse(args, "+neA:", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    match opts.args.split_first() {
        None => show(&opts),
        Some((command, rest)) if command == "add" || command.starts_with("del") => match parse_change(rest) {
            Err(Some(message)) => {
                complain!("route", "{message}");
                1
            }
            Err(None) => show_usage("route"),
            Ok(route) => {
                let (change, name) = if command == "add" {
                    (NetConfig::AddRoute(route), "SIOCADDRT")
                } else {
                    (NetConfig::DeleteRoute(route), "SIOCDELRT")
                };
                match sys::net_config(change) {
                    Ok(()) => 0,
                    Err(error) => {
                        complain!("route", "{name}: {error}");
                        1
                    }
                }
            }
        },
        Some(_) => show_usage("route"),
    }
}

fn parse_change(words: &[String]) -> Result<Route, Option<String>> {
    let mut words = words.iter().map(String::as_str).peekable();
    let mut prefix = None;
    match words.peek() {
        Some(&"-net") => drop(words.next()),
        Some(&"-host") => {
            words.next();
            prefix = Some(32);
        }
        _ => {}
    }
    let target = words.next().ok_or(None)?;
    let resolve = |name: &str| {
        let found = dial::lookup(name)
            .ok()
            .and_then(|all| all.into_iter().find(IpAddr::is_ipv4));
        found.ok_or_else(|| Some(format!("resolving {name}")))
    };
    let destination = if target == "default" {
        prefix = Some(0);
        Ipv4Addr::UNSPECIFIED.into()
    } else if let Some((address, bits)) = ip::parse_prefix(target).filter(|_| target.contains('/')) {
        prefix = Some(bits);
        address
    } else {
        resolve(target)?
    };
    let mut route = Route {
        destination,
        prefix: 0,
        gateway: None,
        interface: String::new(),
        source: None,
        metric: 0,
    };
    while let Some(word) = words.next() {
        let value = match word {
            "gw" | "netmask" | "metric" | "dev" => words.next().ok_or(None)?,
            name => {
                route.interface = name.to_owned();
                continue;
            }
        };
        match word {
            "gw" => route.gateway = Some(resolve(value)?),
            "netmask" => {
                let mask: Ipv4Addr = value.parse().map_err(|_| Some(format!("resolving {value}")))?;
                prefix = u8::try_from(mask.to_bits().leading_ones()).ok();
            }
            "metric" => route.metric = value.parse().map_err(|_| Some(format!("invalid number '{value}'")))?,
            _ => route.interface = value.to_owned(),
        }
    }
    route.prefix = prefix.unwrap_or(32);
    if route.interface.is_empty()
        && let Some(name) = route.gateway.and_then(ip::leads_to)
    {
        route.interface = name;
    }
    Ok(route)
}

fn show(opts: &Opts) -> i32 {
    let mut out = Out::stdout();
    if opts.value('A').is_some_and(|family| family.starts_with("inet6")) {
        out.text("Kernel IPv6 routing table\n");
        out.text("Destination                                 Next Hop                                Flags Metric Ref    Use Iface\n");
        for route in sys::routes().into_iter().filter(|route| route.destination.is_ipv6()) {
            let destination = format!("{}/{}", route.destination, route.prefix);
            let hop = route
                .gateway
                .map_or_else(|| "::".to_owned(), |gateway| gateway.to_string());
            let (flags, metric, interface) = (flags(&route), route.metric, &route.interface);
            out!(
                out,
                "{destination:<43} {hop:<39} {flags:<5} {metric:<6} 0        0 {interface:<8}\n"
            );
        }
        return out.finish("route", 0);
    }
    table(&mut out, opts.has('n'), opts.has('e'));
    out.finish("route", 0)
}

fn flags(route: &Route) -> String {
    let host = if route.destination.is_ipv4() { 32 } else { 128 };
    let mut flags = "U".to_owned();
    if route.gateway.is_some() {
        flags.push('G');
    }
    if route.prefix == host {
        flags.push('H');
    }
    flags
}

/// The IPv4 table, as route and `netstat -r` show it.
pub fn table(out: &mut Out, numeric: bool, netstat: bool) {
    out.text("Kernel IP routing table\n");
    let last = if netstat {
        "  MSS Window  irtt Iface"
    } else {
        "Metric Ref    Use Iface"
    };
    out!(out, "Destination     Gateway         Genmask         Flags {last}\n");
    for route in sys::routes().into_iter().filter(|route| route.destination.is_ipv4()) {
        let unspecified = route.destination.is_unspecified();
        let destination = if !numeric && unspecified {
            "default".to_owned()
        } else {
            route.destination.to_string()
        };
        let gateway = match route.gateway {
            Some(gateway) => gateway.to_string(),
            None => (if numeric { "0.0.0.0" } else { "*" }).to_owned(),
        };
        let (mask, flags, metric, interface) = (netmask(route.prefix), flags(&route), route.metric, &route.interface);
        let mask = mask.to_string();
        out!(out, "{destination:<15.15} {gateway:<15.15} {mask:<16}{flags:<6}");
        if netstat {
            out!(out, "{:5} {:<5} {:6} {interface}\n", 0, 0, 0);
        } else {
            out!(out, "{metric:<6} {:<2} {:7} {interface}\n", 0, 0);
        }
    }
}

//! `ifconfig`.

use crate::complain;
use crate::util::{Out, dial, human, show_usage};
use podsim_guest as sys;
use podsim_sys::{Errno, Interface, InterfaceFlags, NetConfig};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `ifconfig [-a] [INTERFACE] [ADDRESS] [up|down|netmask MASK|add ADDR/LEN|del ADDR/LEN]`
pub fn main(args: &[String]) -> i32 {
    let mut rest = args.get(1..).unwrap_or_default();
    let mut all = false;
    while let [first, tail @ ..] = rest {
        match first.as_str() {
            "-a" => all = true,
            option if option.starts_with('-') => {
                complain!("ifconfig", "invalid option -- '{}'", option.trim_start_matches('-'));
                return show_usage("ifconfig");
            }
            _ => break,
        }
        rest = tail;
    }
    let interfaces = sys::interfaces();
    match rest {
        [] => show(&interfaces, |i| all || i.flags.contains(InterfaceFlags::UP)),
        [name] if interfaces.iter().any(|i| i.name == *name) => show(&interfaces, |i| i.name == *name),
        [name] => {
            complain!(
                "ifconfig",
                "{name}: error fetching interface information: Device not found"
            );
            1
        }
        [name, changes @ ..] => change(&interfaces, name, changes),
    }
}

fn show(interfaces: &[Interface], wanted: impl Fn(&Interface) -> bool) -> i32 {
    let mut sorted: Vec<&Interface> = interfaces.iter().filter(|i| wanted(i)).collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let mut out = Out::stdout();
    sorted.iter().for_each(|interface| out.text(&describe(interface)));
    out.finish("ifconfig", 0)
}

/// An interface as ifconfig shows it, with the empty line behind it. (The spaces at the ends of lines are BusyBox's.)
#[must_use]
pub fn describe(interface: &Interface) -> String {
    let loopback = interface.flags.contains(InterfaceFlags::LOOPBACK);
    let mut text = format!("{:<9.9} Link encap:", interface.name);
    if loopback {
        text.push_str("Local Loopback  \n");
    } else {
        text.push_str(&format!("Ethernet  HWaddr {}  \n", mac(interface.mac, true)));
    }
    if let Some(ip) = interface.ipv4.first() {
        text.push_str(&format!("          inet addr:{} ", ip.address));
        if interface.flags.contains(InterfaceFlags::BROADCAST) {
            text.push_str(&format!(" Bcast:{} ", ip.broadcast));
        }
        text.push_str(&format!(" Mask:{}\n", netmask(ip.prefix)));
    }
    for ip in &interface.ipv6 {
        let scope = scope(ip.address);
        text.push_str(&format!(
            "          inet6 addr: {}/{} Scope:{scope}\n",
            ip.address, ip.prefix
        ));
    }
    text.push_str("          ");
    let flags: Vec<&str> = FLAGS
        .iter()
        .filter(|(flag, _)| interface.flags.contains(*flag))
        .map(|(_, name)| *name)
        .collect();
    if flags.is_empty() {
        text.push_str("[NO FLAGS] ");
    }
    flags.iter().for_each(|flag| {
        text.push_str(flag);
        text.push(' ');
    });
    let counters = &interface.counters;
    text.push_str(&format!(
        " MTU:{}  Metric:1\n\
         \x20         RX packets:{} errors:0 dropped:0 overruns:0 frame:0\n\
         \x20         TX packets:{} errors:0 dropped:0 overruns:0 carrier:0\n\
         \x20         collisions:0 txqueuelen:{} \n\
         \x20         RX bytes:{} ({})  TX bytes:{} ({})\n\n",
        interface.mtu,
        counters.rx_packets,
        counters.tx_packets,
        interface.tx_queue_len,
        counters.rx_bytes,
        human::counted(counters.rx_bytes),
        counters.tx_bytes,
        human::counted(counters.tx_bytes),
    ));
    text
}

const FLAGS: &[(InterfaceFlags, &str)] = &[
    (InterfaceFlags::UP, "UP"),
    (InterfaceFlags::BROADCAST, "BROADCAST"),
    (InterfaceFlags::LOOPBACK, "LOOPBACK"),
    (InterfaceFlags::POINTOPOINT, "POINTOPOINT"),
    (InterfaceFlags::RUNNING, "RUNNING"),
    (InterfaceFlags::NOARP, "NOARP"),
    (InterfaceFlags::MULTICAST, "MULTICAST"),
];

/// A hardware address.
#[must_use]
pub fn mac(mac: [u8; 6], upper: bool) -> String {
    let bytes: Vec<String> = mac
        .iter()
        .map(|byte| {
            if upper {
                format!("{byte:02X}")
            } else {
                format!("{byte:02x}")
            }
        })
        .collect();
    bytes.join(":")
}

/// The mask of a prefix length.
#[must_use]
pub fn netmask(prefix: u8) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0))
}

fn scope(address: Ipv6Addr) -> &'static str {
    match address {
        a if a.is_loopback() => "Host",
        a if a.is_unicast_link_local() => "Link",
        a if a.segments().first().is_some_and(|s| s & 0xffc0 == 0xfec0) => "Site",
        _ => "Global",
    }
}

fn change(interfaces: &[Interface], name: &str, changes: &[String]) -> i32 {
    let Some(interface) = interfaces.iter().find(|i| i.name == name) else {
        complain!("ifconfig", "SIOCGIFFLAGS: {}", Errno::ENODEV);
        return 1;
    };
    match plan(interface, changes) {
        Err(message) => {
            complain!("ifconfig", "{message}");
            1
        }
        Ok(plan) => {
            for (request, change) in plan {
                if let Err(error) = sys::net_config(change) {
                    complain!("ifconfig", "{request}: {error}");
                    return 1;
                }
            }
            0
        }
    }
}

/// What to do, with the name of the ioctl that Linux would use for it (for the message).
fn plan(interface: &Interface, changes: &[String]) -> Result<Vec<(&'static str, NetConfig)>, String> {
    let name = || interface.name.clone();
    let mut steps = Vec::new();
    let mut words = changes.iter();
    let mut mask: Option<u8> = None;
    let mut address: Option<Ipv4Addr> = None;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word}: an argument is missing"));
        match word.as_str() {
            "up" => steps.push(("SIOCSIFFLAGS", NetConfig::SetLink { name: name(), up: true })),
            "down" => steps.push((
                "SIOCSIFFLAGS",
                NetConfig::SetLink {
                    name: name(),
                    up: false,
                },
            )),
            "netmask" => {
                let text = value()?;
                let bits: Ipv4Addr = text.parse().map_err(|_| format!("bad address '{text}'"))?;
                mask = Some(u8::try_from(bits.to_bits().leading_ones()).unwrap_or(32));
            }
            // Kept by the kernel with the address.
            "broadcast" => drop(value()?),
            "add" | "del" => {
                let text = value()?;
                let (ip, prefix) = super::ip::parse_prefix(text).ok_or_else(|| format!("bad address '{text}'"))?;
                steps.push(if word == "add" {
                    (
                        "SIOCSIFADDR",
                        NetConfig::AddAddress {
                            name: name(),
                            address: ip,
                            prefix,
                        },
                    )
                } else {
                    (
                        "SIOCDIFADDR",
                        NetConfig::DeleteAddress {
                            name: name(),
                            address: ip,
                            prefix,
                        },
                    )
                });
            }
            host => match dial::lookup(host)
                .ok()
                .and_then(|all| all.into_iter().find(IpAddr::is_ipv4))
            {
                Some(IpAddr::V4(ip)) => address = Some(ip),
                _ => return Err(format!("bad address '{host}'")),
            },
        }
    }
    let old = interface.ipv4.first();
    if let Some(new) = address.or_else(|| mask.and(old.map(|ip| ip.address))) {
        let by_class = match new.octets().first() {
            Some(0..=127) => 8,
            Some(128..=191) => 16,
            _ => 24,
        };
        if let Some(old) = old {
            let (address, prefix) = (IpAddr::V4(old.address), old.prefix);
            steps.push((
                "SIOCSIFADDR",
                NetConfig::DeleteAddress {
                    name: name(),
                    address,
                    prefix,
                },
            ));
        }
        let prefix = mask.unwrap_or(by_class);
        steps.push((
            "SIOCSIFADDR",
            NetConfig::AddAddress {
                name: name(),
                address: IpAddr::V4(new),
                prefix,
            },
        ));
        steps.push(("SIOCSIFFLAGS", NetConfig::SetLink { name: name(), up: true }));
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use podsim_sys::{InterfaceCounters, Ipv4Interface, Ipv6Interface};

    #[test]
    fn interfaces_look_as_in_the_users_notes() {
        let interface = Interface {
            index: 3,
            name: "docker0".to_owned(),
            flags: InterfaceFlags::UP | InterfaceFlags::BROADCAST | InterfaceFlags::MULTICAST,
            mac: [0x02, 0x42, 0xbb, 0x9b, 0x62, 0x76],
            mtu: 1500,
            tx_queue_len: 0,
            ipv4: vec![Ipv4Interface {
                address: Ipv4Addr::new(172, 17, 0, 1),
                prefix: 16,
                broadcast: Ipv4Addr::new(172, 17, 255, 255),
            }],
            ipv6: vec![Ipv6Interface {
                address: "fe80::42:bbff:fe9b:6276".parse().expect("an address"),
                prefix: 64,
            }],
            counters: InterfaceCounters {
                rx_bytes: 0,
                rx_packets: 0,
                tx_bytes: 1666,
                tx_packets: 19,
            },
            peer_index: None,
        };
        let want = "\
docker0   Link encap:Ethernet  HWaddr 02:42:BB:9B:62:76  
          inet addr:172.17.0.1  Bcast:172.17.255.255  Mask:255.255.0.0
          inet6 addr: fe80::42:bbff:fe9b:6276/64 Scope:Link
          UP BROADCAST MULTICAST  MTU:1500  Metric:1
          RX packets:0 errors:0 dropped:0 overruns:0 frame:0
          TX packets:19 errors:0 dropped:0 overruns:0 carrier:0
          collisions:0 txqueuelen:0 
          RX bytes:0 (0.0 B)  TX bytes:1666 (1.6 KiB)

";
        assert_eq!(describe(&interface), want);
    }

    #[test]
    fn masks_come_from_prefixes() {
        for (prefix, want) in [
            (0, "0.0.0.0"),
            (8, "255.0.0.0"),
            (20, "255.255.240.0"),
            (32, "255.255.255.255"),
        ] {
            assert_eq!(netmask(prefix).to_string(), want);
        }
    }
}

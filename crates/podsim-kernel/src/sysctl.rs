//! Settings of namespaces (`sysctl(8)`): those files of `/proc/sys` that a Pod's `securityContext.sysctls` may name, and `ip_forward`.
//!
//! `ip_forward`, `ip_unprivileged_port_start` and `ip_local_port_range` act. The others are kept and shown, and do nothing: there are no packets
//! that could be late or wait in buffers ([`crate::net`]), and no attached segments of shared memory ([`crate::ipc`]).

use crate::NsProxy;
use parking_lot::Mutex;
use podsim_sys::{Errno, Result};
use std::collections::BTreeMap;

/// Settings that are only kept, and their defaults. Numbers are separated by tabs.
const KEPT: &[(&str, &str)] = &[
    ("kernel.shm_rmid_forced", "0"),
    ("net.ipv4.ip_local_reserved_ports", ""),
    // A container runtime lets every group ping.
    ("net.ipv4.ping_group_range", "0\t2147483647"),
    ("net.ipv4.tcp_fin_timeout", "60"),
    ("net.ipv4.tcp_keepalive_intvl", "75"),
    ("net.ipv4.tcp_keepalive_probes", "9"),
    ("net.ipv4.tcp_keepalive_time", "7200"),
    ("net.ipv4.tcp_rmem", "4096\t131072\t6291456"),
    ("net.ipv4.tcp_syncookies", "1"),
    ("net.ipv4.tcp_wmem", "4096\t16384\t4194304"),
];

/// What was set in one namespace.
#[derive(Debug, Default)]
pub(crate) struct Settings(Mutex<BTreeMap<&'static str, String>>);

/// The namespace's settings, by the first word of the name.
fn settings<'a>(namespaces: &'a NsProxy, name: &str) -> &'a Settings {
    if name.starts_with("net.") {
        &namespaces.net.settings
    } else {
        &namespaces.ipc.settings
    }
}

/// The value of a setting, without the line's end; ENOENT.
pub fn get(namespaces: &NsProxy, name: &str) -> Result<String> {
    let net = &namespaces.net;
    Ok(match name {
        "net.ipv4.ip_forward" => u8::from(net.is_forwarding()).to_string(),
        "net.ipv4.ip_unprivileged_port_start" => net.unprivileged_port_start().to_string(),
        "net.ipv4.ip_local_port_range" => {
            let (first, last) = net.local_ports();
            format!("{first}\t{last}")
        }
        _ => {
            let (name, default) = KEPT.iter().find(|(known, _)| *known == name).ok_or(Errno::ENOENT)?;
            let set = settings(namespaces, name).0.lock().get(name).cloned();
            set.unwrap_or_else(|| (*default).to_owned())
        }
    })
}

/// Sets it, with dots in its name: ENOENT for one that is not there, EINVAL for a value that cannot be.
pub fn set(namespaces: &NsProxy, name: &str, value: &str) -> Result<()> {
    let net = &namespaces.net;
    let value = value.trim();
    let number = |max: u16| value.parse::<u16>().ok().filter(|n| *n <= max).ok_or(Errno::EINVAL);
    match name {
        "net.ipv4.ip_forward" => net.set_forwarding(number(1)? == 1),
        "net.ipv4.ip_unprivileged_port_start" => net.set_unprivileged_port_start(number(u16::MAX)?),
        "net.ipv4.ip_local_port_range" => {
            let ports: Option<Vec<u16>> = value.split_whitespace().map(|word| word.parse().ok()).collect();
            match ports.as_deref() {
                Some(&[first, last]) if 0 < first && first <= last => net.set_local_ports(first, last),
                _ => return Err(Errno::EINVAL),
            }
        }
        _ => {
            let (name, default) = KEPT.iter().find(|(known, _)| *known == name).ok_or(Errno::ENOENT)?;
            let value = checked(default, value).ok_or(Errno::EINVAL)?;
            settings(namespaces, name).0.lock().insert(name, value);
        }
    }
    Ok(())
}

/// As many numbers as the default has; or, where that is empty, a list of ports and ranges.
fn checked(default: &str, value: &str) -> Option<String> {
    if default.is_empty() {
        let is_port = |port: &str| port.parse::<u16>().is_ok();
        let is_part = |part: &str| {
            part.split_once('-')
                .map_or(is_port(part), |(a, b)| is_port(a) && is_port(b))
        };
        return (value.is_empty() || value.split(',').all(is_part)).then(|| value.to_owned());
    }
    let words: Vec<&str> = value.split_whitespace().collect();
    let are_numbers = words.iter().all(|word| word.parse::<i32>().is_ok());
    (are_numbers && words.len() == default.split('\t').count()).then(|| words.join("\t"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestNode;

    #[test]
    fn settings_are_their_namespaces_own_and_values_are_checked() {
        let node = TestNode::new();
        let namespaces = node.kernel.initial_namespaces();
        for (name, value, want) in [
            ("kernel.shm_rmid_forced", "1", Ok("1")),
            ("kernel.shm_rmid_forced", "one", Err(Errno::EINVAL)),
            ("net.ipv4.tcp_rmem", " 1 2  3\n", Ok("1\t2\t3")),
            ("net.ipv4.tcp_rmem", "1 2", Err(Errno::EINVAL)),
            (
                "net.ipv4.ip_local_reserved_ports",
                "8080,9000-9010",
                Ok("8080,9000-9010"),
            ),
            ("net.ipv4.ip_local_reserved_ports", "8080;", Err(Errno::EINVAL)),
            ("net.ipv4.ip_local_port_range", "40000 40001", Ok("40000\t40001")),
            ("net.ipv4.ip_local_port_range", "2 1", Err(Errno::EINVAL)),
            ("net.ipv4.ip_unprivileged_port_start", "0", Ok("0")),
            ("net.ipv4.ip_forward", "2", Err(Errno::EINVAL)),
            ("kernel.msgmax", "1", Err(Errno::ENOENT)),
        ] {
            let got = set(namespaces, name, value).and_then(|()| get(namespaces, name));
            assert_eq!(got, want.map(str::to_owned), "{name} {value}");
        }
        let other = NsProxy {
            net: crate::net::NetNamespace::new(1),
            ..(**namespaces).clone()
        };
        let there = |name| get(&other, name).unwrap_or_default();
        assert_eq!(there("net.ipv4.tcp_rmem"), "4096\t131072\t6291456");
        assert_eq!(there("net.ipv4.ip_local_port_range"), "32768\t60999");
        assert_eq!(there("kernel.shm_rmid_forced"), "1", "the ipc namespace is the same");
    }
}

//! sysfs: the interfaces of a network namespace and what little else programs look for (`sysfs(5)`); read-only.

use super::caller::Caller;
use super::pseudo::statfs;
use super::super_block::{FileSystem, SuperBlock};
use super::tree::{Item, TreeFs, mount};
use crate::kernel::Kernel;
use crate::net::NetNamespace;
use podsim_sys::{DeviceNumber, Errno, Interface, InterfaceFlags, Result, StatFs};
use std::sync::Arc;
use std::time::Duration;

/// An instance of sysfs.
pub struct SysFs {
    net: Arc<NetNamespace>,
    cpus: u32,
    dev: DeviceNumber,
    created: Duration,
}

impl SysFs {
    /// `/sys` with the interfaces of a network namespace.
    #[must_use]
    pub fn mount(kernel: &Kernel, net: &Arc<NetNamespace>) -> Arc<SuperBlock> {
        mount(Arc::new(Self {
            net: net.clone(),
            cpus: kernel.config().cpus.max(1),
            dev: kernel.vfs().new_device(),
            created: kernel.clock().realtime(),
        }))
    }

    fn interface(&self, name: &str) -> Option<Interface> {
        self.net
            .interfaces()
            .into_iter()
            .find(|interface| interface.name == name)
    }
}

impl FileSystem for SysFs {
    fn name(&self) -> &'static str {
        "sysfs"
    }

    fn statfs(&self) -> StatFs {
        statfs(0x6265_6572)
    }
}

const INTERFACE: [&str; 14] = [
    "addr_len",
    "address",
    "broadcast",
    "carrier",
    "dev_id",
    "flags",
    "ifindex",
    "iflink",
    "link_mode",
    "mtu",
    "operstate",
    "statistics",
    "tx_queue_len",
    "type",
];

const STATISTICS: [&str; 8] = [
    "rx_bytes",
    "rx_dropped",
    "rx_errors",
    "rx_packets",
    "tx_bytes",
    "tx_dropped",
    "tx_errors",
    "tx_packets",
];

impl TreeFs for SysFs {
    fn item(&self, path: &[&str]) -> Option<Item> {
        match path {
            [] => Item::dir(&[
                "block", "bus", "class", "dev", "devices", "firmware", "fs", "kernel", "module", "power",
            ]),
            ["block" | "bus" | "dev" | "firmware" | "module" | "power"] => Item::dir(&[]),
            ["class"] => Item::dir(&["net"]),
            ["class", "net"] => {
                let interfaces = self.net.interfaces();
                let mut names: Vec<_> = interfaces.into_iter().map(|interface| interface.name).collect();
                names.sort();
                Some(Item::Dir(names))
            }
            ["class", "net", name] => self.interface(name).and_then(|_| Item::dir(&INTERFACE)),
            ["class", "net", name, "statistics"] => self.interface(name).and_then(|_| Item::dir(&STATISTICS)),
            ["class", "net", name, _] | ["class", "net", name, "statistics", _] => {
                self.interface(name).map(|_| Item::File)
            }
            ["devices"] => Item::dir(&["system"]),
            ["devices", "system"] => Item::dir(&["cpu"]),
            ["devices", "system", "cpu"] => {
                let cpus = (0..self.cpus).map(|cpu| format!("cpu{cpu}"));
                let files = ["online", "possible", "present"].map(String::from);
                Some(Item::Dir(cpus.chain(files).collect()))
            }
            ["devices", "system", "cpu", "online" | "possible" | "present"] => Some(Item::File),
            ["devices", "system", "cpu", _] => Item::dir(&[]),
            // Where cgroup2 is mounted.
            ["fs"] => Item::dir(&["cgroup"]),
            ["fs", "cgroup"] => Item::dir(&[]),
            ["kernel"] => Item::dir(&["mm"]),
            ["kernel", "mm"] => Item::dir(&["transparent_hugepage"]),
            ["kernel", "mm", "transparent_hugepage"] => Item::dir(&["enabled"]),
            ["kernel", "mm", "transparent_hugepage", "enabled"] => Some(Item::File),
            _ => None,
        }
    }

    fn text(&self, path: &[&str], _caller: &Caller) -> Result<String> {
        let text = match path {
            ["class", "net", name, rest @ ..] => {
                let interface = self.interface(name).ok_or(Errno::ENODEV)?;
                interface_file(&interface, rest)?
            }
            ["devices", ..] if self.cpus == 1 => "0".into(),
            ["devices", ..] => format!("0-{}", self.cpus - 1),
            ["kernel", ..] => "always madvise [never]".into(),
            _ => return Err(Errno::EIO),
        };
        Ok(text + "\n")
    }

    fn dev(&self) -> DeviceNumber {
        self.dev
    }

    fn created(&self) -> Duration {
        self.created
    }
}

fn mac(bytes: [u8; 6]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).join(":")
}

/// `/sys/class/net/IF/*` (`Documentation/ABI/testing/sysfs-class-net`).
fn interface_file(interface: &Interface, path: &[&str]) -> Result<String> {
    let has = |flag| interface.flags.contains(flag);
    let loopback = has(InterfaceFlags::LOOPBACK);
    let counters = &interface.counters;
    Ok(match path {
        ["addr_len"] => "6".into(),
        ["address"] => mac(interface.mac),
        ["broadcast"] if loopback => mac([0; 6]),
        ["broadcast"] => mac([0xff; 6]),
        ["carrier"] if !has(InterfaceFlags::UP) => return Err(Errno::EINVAL),
        ["carrier"] => u8::from(has(InterfaceFlags::RUNNING)).to_string(),
        ["dev_id"] => "0x0".into(),
        // IFF_RUNNING is worked out by ioctls; it is not in this file.
        ["flags"] => format!("0x{:x}", (interface.flags - InterfaceFlags::RUNNING).bits()),
        ["ifindex"] => interface.index.to_string(),
        ["iflink"] => interface.peer_index.unwrap_or(interface.index).to_string(),
        ["link_mode"] => "0".into(),
        ["mtu"] => interface.mtu.to_string(),
        ["operstate"] if loopback && has(InterfaceFlags::UP) => "unknown".into(),
        ["operstate"] if has(InterfaceFlags::UP | InterfaceFlags::RUNNING) => "up".into(),
        ["operstate"] => "down".into(),
        ["tx_queue_len"] => interface.tx_queue_len.to_string(),
        // ARPHRD_LOOPBACK, ARPHRD_ETHER
        ["type"] => if loopback { "772" } else { "1" }.into(),
        ["statistics", "rx_bytes"] => counters.rx_bytes.to_string(),
        ["statistics", "rx_packets"] => counters.rx_packets.to_string(),
        ["statistics", "tx_bytes"] => counters.tx_bytes.to_string(),
        ["statistics", "tx_packets"] => counters.tx_packets.to_string(),
        ["statistics", _] => "0".into(),
        _ => return Err(Errno::EIO),
    })
}

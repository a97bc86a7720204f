//! `/proc/sys`: settings. What can be written takes effect; the rest is what this kernel does.

use super::node::{Entry, Kind};
use super::view::View;
use crate::sysctl;
use podsim_sys::{Capability, Errno, Result};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

type Show = fn(&View) -> Result<String>;

const fn dir(name: &'static str, entries: &'static [Entry]) -> Entry {
    Entry {
        name,
        mode: 0o555,
        kind: Kind::Dir(entries),
    }
}

const fn file(name: &'static str, show: Show) -> Entry {
    Entry {
        name,
        mode: 0o444,
        kind: Kind::File(show),
    }
}

const fn write(name: &'static str, show: Show, write: fn(&View, &str) -> Result<()>) -> Entry {
    Entry {
        name,
        mode: 0o644,
        kind: Kind::Write(show, write),
    }
}

macro_rules! constant {
    ($name:literal, $value:literal) => {
        file($name, |_| Ok(concat!($value, "\n").into()))
    };
}

/// A setting of a namespace: its file's name, and its whole one.
macro_rules! setting {
    ($file:literal, $name:literal) => {
        write(
            $file,
            |view| Ok(sysctl::get(&view.process.namespaces(), $name)? + "\n"),
            |view, text| set(view, $name, text),
        )
    };
}

pub(super) const ENTRIES: &[Entry] = &[dir("fs", FS), dir("kernel", KERNEL), dir("net", NET), dir("vm", VM)];

const FS: &[Entry] = &[
    constant!("file-max", "9223372036854775807"),
    dir("mqueue", MQUEUE),
    constant!("nr_open", "1048576"),
    constant!("pipe-max-size", "65536"),
    constant!("protected_hardlinks", "1"),
    constant!("protected_symlinks", "0"),
];

const MQUEUE: &[Entry] = &[
    constant!("msg_default", "10"),
    constant!("msg_max", "10"),
    constant!("msgsize_default", "8192"),
    constant!("msgsize_max", "8192"),
    constant!("queues_max", "256"),
];

const KERNEL: &[Entry] = &[
    constant!("cap_last_cap", "40"),
    write("domainname", domainname, set_domainname),
    write("hostname", hostname, set_hostname),
    constant!("msgmax", "8192"),
    constant!("msgmnb", "16384"),
    constant!("msgmni", "32000"),
    constant!("ngroups_max", "65536"),
    file("osrelease", |view| {
        Ok(format!("{}\n", view.process.namespaces().uts.name.lock().release))
    }),
    file("ostype", |view| {
        Ok(format!("{}\n", view.process.namespaces().uts.name.lock().sysname))
    }),
    constant!("overflowgid", "65534"),
    constant!("overflowuid", "65534"),
    constant!("pid_max", "4194304"),
    dir("random", RANDOM),
    // The limits of `ipc/sem.rs` and `ipc/shm.rs`: lower than Linux's defaults, since memory is the host's.
    constant!("sem", "32000\t1024000\t500\t32000"),
    constant!("shmall", "65536"),
    constant!("shmmax", "67108864"),
    constant!("shmmni", "4096"),
    setting!("shm_rmid_forced", "kernel.shm_rmid_forced"),
    constant!("threads-max", "127000"),
    file("version", |view| {
        Ok(format!("{}\n", view.process.namespaces().uts.name.lock().version))
    }),
];

const RANDOM: &[Entry] = &[
    file("boot_id", boot_id),
    constant!("entropy_avail", "256"),
    constant!("poolsize", "256"),
    file("uuid", |view| {
        let mut bytes = [0; 16];
        view.kernel.random(&mut bytes);
        Ok(uuid(bytes))
    }),
];

const NET: &[Entry] = &[dir("core", &[constant!("somaxconn", "4096")]), dir("ipv4", IPV4)];

const IPV4: &[Entry] = &[
    constant!("ip_default_ttl", "64"),
    setting!("ip_forward", "net.ipv4.ip_forward"),
    setting!("ip_local_port_range", "net.ipv4.ip_local_port_range"),
    setting!("ip_local_reserved_ports", "net.ipv4.ip_local_reserved_ports"),
    setting!("ip_unprivileged_port_start", "net.ipv4.ip_unprivileged_port_start"),
    setting!("ping_group_range", "net.ipv4.ping_group_range"),
    setting!("tcp_fin_timeout", "net.ipv4.tcp_fin_timeout"),
    setting!("tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_intvl"),
    setting!("tcp_keepalive_probes", "net.ipv4.tcp_keepalive_probes"),
    setting!("tcp_keepalive_time", "net.ipv4.tcp_keepalive_time"),
    setting!("tcp_rmem", "net.ipv4.tcp_rmem"),
    setting!("tcp_syncookies", "net.ipv4.tcp_syncookies"),
    setting!("tcp_wmem", "net.ipv4.tcp_wmem"),
];

const VM: &[Entry] = &[
    constant!("max_map_count", "65530"),
    constant!("overcommit_memory", "1"),
    constant!("swappiness", "60"),
];

fn hostname(view: &View) -> Result<String> {
    Ok(format!("{}\n", view.process.namespaces().uts.name.lock().nodename))
}

fn domainname(view: &View) -> Result<String> {
    Ok(format!("{}\n", view.process.namespaces().uts.name.lock().domainname))
}

/// A name of at most 64 bytes without its line end, from somebody who may set it.
fn new_name<'a>(view: &View, text: &'a str) -> Result<&'a str> {
    if !view.caller.capable(Capability::SYS_ADMIN) {
        return Err(Errno::EPERM);
    }
    let name = text.lines().next().unwrap_or_default();
    if name.len() > 64 || name.contains('\0') {
        Err(Errno::EINVAL)
    } else {
        Ok(name)
    }
}

fn set_hostname(view: &View, text: &str) -> Result<()> {
    let name = new_name(view, text)?;
    name.clone_into(&mut view.process.namespaces().uts.name.lock().nodename);
    Ok(())
}

fn set_domainname(view: &View, text: &str) -> Result<()> {
    let name = new_name(view, text)?;
    name.clone_into(&mut view.process.namespaces().uts.name.lock().domainname);
    Ok(())
}

fn uuid(mut bytes: [u8; 16]) -> String {
    // Version 4, variant 1 (RFC 9562).
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let (a, b) = (hex.get(..8), hex.get(8..12));
    let (c, d, e) = (hex.get(12..16), hex.get(16..20), hex.get(20..));
    let parts: Vec<&str> = [a, b, c, d, e].into_iter().flatten().collect();
    parts.join("-") + "\n"
}

/// The same as long as the node runs.
fn boot_id(view: &View) -> Result<String> {
    let mut bytes = [0; 16];
    StdRng::seed_from_u64(!view.kernel.config().seed).fill_bytes(&mut bytes);
    Ok(uuid(bytes))
}

/// Sets a setting. Those of the network are for whoever may configure it.
fn set(view: &View, name: &str, text: &str) -> Result<()> {
    if name.starts_with("net.") && !view.caller.capable(Capability::NET_ADMIN) {
        return Err(Errno::EPERM);
    }
    sysctl::set(&view.process.namespaces(), name, text)
}

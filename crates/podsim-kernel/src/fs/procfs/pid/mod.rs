//! The names of `/proc/PID`, and its small files.

pub(super) mod fd;
mod limits;
mod mounts;
pub(super) mod ns;
mod stat;
mod status;

use super::node::{Entry, Kind};
use super::view::View;
use crate::fs::PathRef;
use crate::net::{NetNamespace, proc as net};
use crate::process::ProcessState;
use podsim_sys::{Errno, Result};

const fn entry(name: &'static str, mode: u16, kind: Kind) -> Entry {
    Entry { name, mode, kind }
}

const fn file(name: &'static str, show: fn(&View) -> Result<String>) -> Entry {
    entry(name, 0o444, Kind::File(show))
}

pub(in crate::fs::procfs) const ENTRIES: &[Entry] = &[
    file("cgroup", |view| Ok(format!("0::{}\n", view.process.cgroup.path()))),
    file("cmdline", |view| {
        if view.process.state() == ProcessState::Zombie {
            // Its memory is gone, and the arguments with it.
            return Ok(String::new());
        }
        Ok(String::from_utf8_lossy(&view.process.identity.lock().cmdline()).into_owned())
    }),
    entry("comm", 0o644, Kind::Write(comm, set_comm)),
    entry("cwd", 0o777, Kind::Magic(cwd)),
    entry("environ", 0o400, Kind::Private(environ)),
    entry("exe", 0o777, Kind::Magic(exe)),
    entry("fd", 0o500, Kind::FdDir { info: false }),
    entry("fdinfo", 0o500, Kind::FdDir { info: true }),
    file("gid_map", id_map),
    file("limits", limits::show),
    file("loginuid", |_| Ok("4294967295".into())),
    file("mountinfo", mounts::mountinfo),
    file("mounts", mounts::mounts),
    entry("net", 0o555, Kind::Dir(NET)),
    entry("ns", 0o511, Kind::NsDir),
    file("oom_score", |_| Ok("0\n".into())),
    file("oom_score_adj", |_| Ok("0\n".into())),
    entry("root", 0o777, Kind::Magic(root)),
    file("sessionid", |_| Ok("4294967295".into())),
    file("stat", stat::stat),
    file("statm", stat::statm),
    file("status", status::show),
    entry("task", 0o555, Kind::TaskDir),
    file("uid_map", id_map),
    file("wchan", |_| Ok("0".into())),
];

macro_rules! net_file {
    ($name:literal, $render:path) => {
        file($name, |view| Ok(in_net_ns(view, $render)))
    };
}

const NET: &[Entry] = &[
    net_file!("arp", net::render_arp),
    net_file!("dev", net::render_dev),
    net_file!("if_inet6", net::render_if_inet6),
    net_file!("ipv6_route", net::render_ipv6_route),
    net_file!("route", net::render_route),
    net_file!("tcp", net::render_tcp),
    net_file!("tcp6", net::render_tcp6),
    net_file!("udp", net::render_udp),
    net_file!("udp6", net::render_udp6),
    net_file!("unix", net::render_unix),
];

fn in_net_ns(view: &View, render: fn(&NetNamespace) -> String) -> String {
    render(&view.process.namespaces().net)
}

fn comm(view: &View) -> Result<String> {
    Ok(format!("{}\n", view.process.identity.lock().comm))
}

/// A process names itself, no other (comm_write).
fn set_comm(view: &View, text: &str) -> Result<()> {
    let itself = view
        .caller
        .process
        .as_ref()
        .is_some_and(|caller| std::sync::Arc::ptr_eq(caller, &view.process));
    if !itself {
        return Err(Errno::EINVAL);
    }
    let name = text.lines().next().unwrap_or_default();
    view.process.identity.lock().comm = crate::process::identity::comm_of(name);
    Ok(())
}

fn environ(view: &View) -> Result<String> {
    view.check_ptrace()?;
    if view.process.exit_status().is_some() {
        return Ok(String::new());
    }
    Ok(view
        .process
        .identity
        .lock()
        .environ
        .iter()
        .map(|variable| format!("{variable}\0"))
        .collect())
}

fn cwd(view: &View) -> Result<PathRef> {
    view.check_alive()?;
    Ok(view.process.fs.lock().cwd.clone())
}

fn root(view: &View) -> Result<PathRef> {
    view.check_alive()?;
    Ok(view.process.fs.lock().root.clone())
}

fn exe(view: &View) -> Result<PathRef> {
    view.check_alive()?;
    view.process.identity.lock().exe.clone().ok_or(Errno::ENOENT)
}

/// Users and groups are mapped alike.
fn id_map(view: &View) -> Result<String> {
    Ok(view.process.namespaces().user.map(view.fs.pid_ns.owner()))
}

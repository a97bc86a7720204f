//! The names of `/proc`, and its small files.

use super::node::{Entry, Kind};
use super::view::View;
use super::{cpuinfo, meminfo, stat, sys};
use crate::process::ProcessState;
use podsim_sys::{Errno, Result};

const fn file(name: &'static str, show: fn(&View) -> Result<String>) -> Entry {
    Entry {
        name,
        mode: 0o444,
        kind: Kind::File(show),
    }
}

const fn link(name: &'static str, show: fn(&View) -> Result<String>) -> Entry {
    Entry {
        name,
        mode: 0o777,
        kind: Kind::Link(show),
    }
}

const fn dir(name: &'static str, entries: &'static [Entry]) -> Entry {
    Entry {
        name,
        mode: 0o555,
        kind: Kind::Dir(entries),
    }
}

pub(super) const ENTRIES: &[Entry] = &[
    file("cmdline", |_| Ok("podsim\n".into())),
    file("cpuinfo", cpuinfo::show),
    file("devices", |_| Ok(DEVICES.into())),
    file("filesystems", |_| Ok(FILESYSTEMS.into())),
    file("loadavg", loadavg),
    file("meminfo", meminfo::show),
    link("mounts", |_| Ok("self/mounts".into())),
    link("net", |_| Ok("self/net".into())),
    link("self", caller_pid),
    file("stat", stat::show),
    dir("sys", sys::ENTRIES),
    dir("sysvipc", SYSVIPC),
    link("thread-self", |view| {
        caller_pid(view).map(|pid| format!("{pid}/task/{pid}"))
    }),
    file("uptime", uptime),
    file("version", version),
];

const SYSVIPC: &[Entry] = &[
    file("msg", |view| {
        Ok(crate::ipc::proc::render_msg(
            &view.process.namespaces().ipc,
            &view.fs.pid_ns,
        ))
    }),
    file("sem", |view| {
        Ok(crate::ipc::proc::render_sem(
            &view.process.namespaces().ipc,
            &view.fs.pid_ns,
        ))
    }),
    file("shm", |view| {
        Ok(crate::ipc::proc::render_shm(
            &view.process.namespaces().ipc,
            &view.fs.pid_ns,
        ))
    }),
];

const DEVICES: &str = "\
Character devices:
  1 mem
  5 /dev/tty
  5 /dev/console
  5 /dev/ptmx
136 pts

Block devices:
";

const FILESYSTEMS: &str = "\
nodev\tsysfs
nodev\ttmpfs
nodev\tproc
nodev\tdevpts
nodev\tmqueue
nodev\toverlay
";

/// The asker's number in the namespace of the mount; ENOENT when it has none there.
fn caller_pid(view: &View) -> Result<String> {
    let caller = view.caller.process.as_ref().ok_or(Errno::ENOENT)?;
    Ok(caller.pid_in(&view.fs.pid_ns).ok_or(Errno::ENOENT)?.to_string())
}

/// No load is measured: the averages are 0. Running and all processes, and the last pid, are real.
fn loadavg(view: &View) -> Result<String> {
    let processes = view.kernel.processes(&view.fs.pid_ns);
    let running = processes
        .iter()
        .filter(|(_, process)| process.state() == ProcessState::Running)
        .count();
    let last = view.fs.pid_ns.last_pid();
    Ok(format!("0.00 0.00 0.00 {running}/{} {last}\n", processes.len()))
}

fn uptime(view: &View) -> Result<String> {
    let up = view.kernel.clock().monotonic();
    let busy = view.kernel.root_cgroup().stats().cpu;
    let idle = (up * view.kernel.config().cpus).saturating_sub(busy);
    let show = |time: std::time::Duration| format!("{}.{:02}", time.as_secs(), time.subsec_millis() / 10);
    Ok(format!("{} {}\n", show(up), show(idle)))
}

fn version(view: &View) -> Result<String> {
    let name = view.process.namespaces().uts.name.lock().clone();
    Ok(format!(
        "{} version {} (podsim) {}\n",
        name.sysname, name.release, name.version
    ))
}

//! `/proc/PID/status`: a process in words.

use crate::fs::procfs::view::View;
use crate::process::ProcessState;
use podsim_sys::{Pid, Resource, Result};

pub(super) fn show(view: &View) -> Result<String> {
    let process = &view.process;
    let relations = view.kernel.relations(process, &view.fs.pid_ns);
    let who = process.credentials();
    let usage = process.usage();
    let signals = process.signal_sets();
    let cpus = view.kernel.config().cpus.clamp(1, 63);
    let state = match process.state() {
        ProcessState::Running => "R (running)",
        ProcessState::Sleeping => "S (sleeping)",
        ProcessState::Stopped => "T (stopped)",
        ProcessState::Zombie => "Z (zombie)",
    };
    let comm = process.identity.lock().comm.replace('\\', "\\\\").replace('\n', "\\n");
    let users = process.namespaces().user.clone();
    let seen = |id: u32| users.seen_in(view.fs.pid_ns.owner(), id);
    let groups: String = who.groups.iter().map(|gid| format!("{} ", seen(*gid))).collect();
    let tabbed = |numbers: Vec<Pid>| numbers.iter().map(|pid| format!("\t{pid}")).collect::<String>();
    // From the namespace of this mount down to the process's own.
    let levels = process.pids().levels().skip(view.fs.pid_ns.level());
    let own_numbers = tabbed(levels.map(|(_, pid)| pid).collect());
    let pending_max = process.limits.lock().get(Resource::Sigpending).soft.unwrap_or(u64::MAX);
    let mut text = String::new();
    let mut row = |name: &str, value: String| text += &format!("{name}:\t{value}\n");
    row("Name", comm);
    row("Umask", format!("{:04o}", process.fs.lock().umask.0));
    row("State", state.into());
    row("Tgid", view.pid().to_string());
    row("Ngid", "0".into());
    row("Pid", view.pid().to_string());
    row("PPid", relations.parent.to_string());
    row("TracerPid", "0".into());
    let ids = |ids: [u32; 4]| ids.map(|id| seen(id).to_string()).join("\t");
    row("Uid", ids([who.uid, who.euid, who.suid, who.fsuid]));
    row("Gid", ids([who.gid, who.egid, who.sgid, who.fsgid]));
    row(
        "FDSize",
        process.files.list().len().next_multiple_of(64).max(64).to_string(),
    );
    row("Groups", groups);
    row("NStgid", own_numbers.trim_start().into());
    row("NSpid", own_numbers.trim_start().into());
    row("Kthread", "0".into());
    if process.state() != ProcessState::Zombie {
        let size = format!("{:>8} kB", usage.memory / 1024);
        for name in ["VmPeak", "VmSize", "VmHWM", "VmRSS", "VmData"] {
            row(name, size.clone());
        }
    }
    row("Threads", "1".into());
    row("SigQ", format!("{}/{pending_max}", signals.pending.0.count_ones()));
    row("SigPnd", format!("{:016x}", 0));
    row("ShdPnd", format!("{:016x}", signals.pending.0));
    row("SigBlk", format!("{:016x}", signals.blocked.0));
    row("SigIgn", format!("{:016x}", signals.ignored.0));
    row("SigCgt", format!("{:016x}", signals.caught.0));
    row("CapInh", format!("{:016x}", who.inheritable.0));
    row("CapPrm", format!("{:016x}", who.permitted.0));
    row("CapEff", format!("{:016x}", who.effective.0));
    row("CapBnd", format!("{:016x}", who.bounding.0));
    row("CapAmb", format!("{:016x}", who.ambient.0));
    row("NoNewPrivs", u8::from(who.no_new_privs).to_string());
    row("Seccomp", "0".into());
    row("Cpus_allowed", format!("{:x}", (1_u64 << cpus) - 1));
    row(
        "Cpus_allowed_list",
        if cpus == 1 {
            "0".into()
        } else {
            format!("0-{}", cpus - 1)
        },
    );
    row("voluntary_ctxt_switches", "0".into());
    row("nonvoluntary_ctxt_switches", "0".into());
    Ok(text)
}

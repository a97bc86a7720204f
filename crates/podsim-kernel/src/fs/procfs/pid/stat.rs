//! `/proc/PID/stat` and `/proc/PID/statm`: a process in numbers, as `ps` reads them.

use crate::fs::procfs::ticks;
use crate::fs::procfs::view::View;
use podsim_sys::{Resource, Result, WaitStatus};

const PAGE: u64 = 4096;

pub(super) fn stat(view: &View) -> Result<String> {
    let process = &view.process;
    let relations = view.kernel.relations(process, &view.fs.pid_ns);
    let usage = process.usage();
    let signals = process.signal_sets();
    let tty = relations.tty.map_or(0, |device| {
        // new_encode_dev: eight bits of the minor, the major, the rest of the minor.
        u64::from(device.minor & 0xff) | (u64::from(device.major) << 8) | (u64::from(device.minor & !0xff) << 12)
    });
    let rss_limit = process.limits.lock().get(Resource::Rss).soft.unwrap_or(u64::MAX);
    let exit_code = process.exit_status().map_or(0, WaitStatus::to_raw);
    let comm = process.identity.lock().comm.clone();
    let fields = [
        view.pid().to_string(),
        format!("({comm})"),
        process.state().letter().to_string(),
        relations.parent.to_string(),
        relations.group.to_string(),
        relations.session.to_string(),
        tty.to_string(),
        relations.foreground.to_string(),
        // flags, minflt, cminflt, majflt, cmajflt
        "4194304 0 0 0 0".to_owned(),
        ticks(usage.times.user).to_string(),
        ticks(usage.times.system).to_string(),
        ticks(usage.times.children_user).to_string(),
        ticks(usage.times.children_system).to_string(),
        // priority, nice, num_threads, itrealvalue
        format!("{} {} 1 0", 20 + i16::from(usage.nice), usage.nice),
        ticks(process.started()).to_string(),
        usage.memory.to_string(),
        usage.memory.div_ceil(PAGE).to_string(),
        rss_limit.to_string(),
        // startcode, endcode, startstack, kstkesp, kstkeip
        "0 0 0 0 0".to_owned(),
        // The signal sets are 32 bits wide here; status has all of them.
        format!(
            "{} {}",
            signals.pending.0 & 0x7fff_ffff,
            signals.blocked.0 & 0x7fff_ffff
        ),
        format!("{} {}", signals.ignored.0 & 0x7fff_ffff, signals.caught.0 & 0x7fff_ffff),
        // wchan, nswap, cnswap, exit_signal, processor, rt_priority, policy, blkio, guest, cguest
        "0 0 0 17 0 0 0 0 0 0".to_owned(),
        // start_data, end_data, start_brk, arg_start, arg_end, env_start, env_end
        "0 0 0 0 0 0 0".to_owned(),
        exit_code.to_string(),
    ];
    Ok(fields.join(" ") + "\n")
}

pub(super) fn statm(view: &View) -> Result<String> {
    let pages = view.process.usage().memory.div_ceil(PAGE);
    Ok(format!("{pages} {pages} 0 0 0 {pages} 0\n"))
}

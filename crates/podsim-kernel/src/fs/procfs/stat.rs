//! `/proc/stat`: CPU time of the node, boot time, processes.

use super::ticks;
use super::view::View;
use crate::process::ProcessState;
use podsim_sys::Result;

pub(super) fn show(view: &View) -> Result<String> {
    let cpus = view.kernel.config().cpus.max(1);
    let busy = ticks(view.kernel.root_cgroup().stats().cpu);
    let up = ticks(view.kernel.clock().monotonic());
    let line = |name: &str, busy: u128, all: u128| {
        let idle = all.saturating_sub(busy);
        format!("{name} {busy} 0 0 {idle} 0 0 0 0 0 0\n")
    };
    let mut text = line("cpu ", busy, up * u128::from(cpus));
    for cpu in 0..cpus {
        // Which CPU a guest ran on is not known: an even share each.
        text += &line(&format!("cpu{cpu}"), busy / u128::from(cpus), up);
    }
    let processes = view.kernel.processes(view.kernel.initial_pid_namespace());
    let running = processes
        .iter()
        .filter(|(_, process)| process.state() == ProcessState::Running)
        .count();
    text += &format!(
        "intr 0\nctxt 0\nbtime {}\nprocesses {}\nprocs_running {running}\nprocs_blocked 0\nsoftirq 0\n",
        view.fs.booted.as_secs(),
        view.kernel.forks(),
    );
    Ok(text)
}

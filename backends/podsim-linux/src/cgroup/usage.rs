//! What a cgroup has used, from the kernel's files.

use super::group::Place;
use super::hierarchy::Version;
use std::path::Path;

/// What a cgroup has used so far; `None`: no hierarchy that is used tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time in nanoseconds.
    pub cpu_nanos: Option<u64>,
    /// Memory in use without what the kernel would drop first (`inactive_file`), as the kubelet counts it.
    pub memory_working_set: Option<u64>,
    /// Living processes and threads.
    pub pids: Option<u64>,
}

impl Usage {
    /// Adds what one of the group's directories tells.
    pub(super) fn add(&mut self, place: &Place) {
        let dir = place.dir.as_path();
        let has = |name: &str| place.controllers.iter().any(|controller| controller == name);
        let (cpu, memory, cache) = match place.version {
            Version::V1 => (
                if has("cpuacct") {
                    number(&dir.join("cpuacct.usage"))
                } else {
                    None
                },
                if has("memory") {
                    number(&dir.join("memory.usage_in_bytes"))
                } else {
                    None
                },
                "total_inactive_file",
            ),
            Version::V2 => (
                // In every group, also where the controller is not enabled.
                field(&dir.join("cpu.stat"), "usage_usec").map(|micros| micros.saturating_mul(1000)),
                if has("memory") {
                    number(&dir.join("memory.current"))
                } else {
                    None
                },
                "inactive_file",
            ),
        };
        self.cpu_nanos = self.cpu_nanos.or(cpu);
        let inactive = || field(&dir.join("memory.stat"), cache).unwrap_or(0);
        self.memory_working_set = self
            .memory_working_set
            .or_else(|| memory.map(|used| used.saturating_sub(inactive())));
        if has("pids") {
            self.pids = self.pids.or_else(|| number(&dir.join("pids.current")));
        }
    }
}

/// How often the kernel killed a process of the group for memory; 0 if no hierarchy tells it.
pub(super) fn oom_kills(place: &Place) -> u64 {
    let file = match place.version {
        Version::V1 => "memory.oom_control",
        Version::V2 => "memory.events",
    };
    field(&place.dir.join(file), "oom_kill").unwrap_or(0)
}

/// A file that is one number; the largest is "no limit" in some.
pub(super) fn number(file: &Path) -> Option<u64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// A line `name value` of a file.
fn field(file: &Path, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let value = |line: &str| {
        line.split_once(' ')
            .filter(|(key, _)| *key == name)?
            .1
            .trim()
            .parse()
            .ok()
    };
    text.lines().find_map(value)
}

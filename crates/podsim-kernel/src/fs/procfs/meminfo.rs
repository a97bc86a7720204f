//! `/proc/meminfo`. There is no swap and no cache beside the files in memory.

use super::view::View;
use podsim_sys::Result;

pub(super) fn show(view: &View) -> Result<String> {
    let total = view.kernel.config().memory;
    let files = view.kernel.vfs().memory_used();
    let used = view.kernel.root_cgroup().stats().memory.saturating_add(files);
    let free = total.saturating_sub(used);
    let rows = [
        ("MemTotal", total),
        ("MemFree", free),
        ("MemAvailable", free),
        ("Buffers", 0),
        ("Cached", files),
        ("SwapCached", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Shmem", files),
        ("SReclaimable", 0),
    ];
    Ok(rows
        .iter()
        .map(|(name, bytes)| format!("{:<15} {:>8} kB\n", format!("{name}:"), bytes / 1024))
        .collect())
}

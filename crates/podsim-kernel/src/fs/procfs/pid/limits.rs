//! `/proc/PID/limits`.

use crate::fs::procfs::view::View;
use podsim_sys::{Resource, Result};

/// Name and unit of a limit (`lnames` in `fs/proc/base.c`).
fn name_and_unit(resource: Resource) -> (&'static str, &'static str) {
    match resource {
        Resource::Cpu => ("Max cpu time", "seconds"),
        Resource::Fsize => ("Max file size", "bytes"),
        Resource::Data => ("Max data size", "bytes"),
        Resource::Stack => ("Max stack size", "bytes"),
        Resource::Core => ("Max core file size", "bytes"),
        Resource::Rss => ("Max resident set", "bytes"),
        Resource::Nproc => ("Max processes", "processes"),
        Resource::Nofile => ("Max open files", "files"),
        Resource::Memlock => ("Max locked memory", "bytes"),
        Resource::As => ("Max address space", "bytes"),
        Resource::Locks => ("Max file locks", "locks"),
        Resource::Sigpending => ("Max pending signals", "signals"),
        Resource::Msgqueue => ("Max msgqueue size", "bytes"),
        Resource::Nice => ("Max nice priority", ""),
        Resource::Rtprio => ("Max realtime priority", ""),
        Resource::Rttime => ("Max realtime timeout", "us"),
    }
}

pub(super) fn show(view: &View) -> Result<String> {
    let limits = view.process.limits.lock().clone();
    let mut text = "Limit                     Soft Limit           Hard Limit           Units     \n".to_owned();
    let value = |limit: Option<u64>| limit.map_or("unlimited".into(), |limit| limit.to_string());
    for resource in Resource::ALL {
        let (name, unit) = name_and_unit(resource);
        let limit = limits.get(resource);
        text += &format!("{name:<25} {:<20} {:<20} ", value(limit.soft), value(limit.hard));
        if !unit.is_empty() {
            text += &format!("{unit:<10}");
        }
        text.push('\n');
    }
    Ok(text)
}

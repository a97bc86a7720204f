//! cgroup2: what a container's control group uses and its limits (`Documentation/admin-guide/cgroup-v2.rst`); read-only.

use super::caller::Caller;
use super::pseudo::statfs;
use super::super_block::{FileSystem, SuperBlock};
use super::tree::{Item, TreeFs, mount};
use crate::kernel::Kernel;
use crate::process::Cgroup;
use podsim_sys::{DeviceNumber, Errno, Pid, Result, StatFs};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The control group of a container as a filesystem.
pub struct CgroupFs {
    kernel: Weak<Kernel>,
    cgroup: Arc<Cgroup>,
    dev: DeviceNumber,
    created: Duration,
}

impl CgroupFs {
    /// `/sys/fs/cgroup` of those in this control group.
    #[must_use]
    pub fn mount(kernel: &Arc<Kernel>, cgroup: &Arc<Cgroup>) -> Arc<SuperBlock> {
        mount(Arc::new(Self {
            kernel: Arc::downgrade(kernel),
            cgroup: cgroup.clone(),
            dev: kernel.vfs().new_device(),
            created: kernel.clock().realtime(),
        }))
    }

    /// The processes in the group, as the reader numbers them; 0 for those it cannot see.
    fn processes(&self, caller: &Caller) -> Result<String> {
        let kernel = self.kernel.upgrade().ok_or(Errno::EIO)?;
        let all = kernel.processes(kernel.initial_pid_namespace());
        let ours = all
            .into_iter()
            .filter(|(_, process)| Arc::ptr_eq(&process.cgroup, &self.cgroup));
        let number = |(global, process): (Pid, Arc<crate::process::Process>)| match &caller.process {
            Some(reader) => process.pid_in(reader.pid_namespace()).unwrap_or(Pid(0)),
            None => global,
        };
        Ok(ours.map(|row| format!("{}\n", number(row))).collect())
    }
}

impl FileSystem for CgroupFs {
    fn name(&self) -> &'static str {
        "cgroup2"
    }

    fn statfs(&self) -> StatFs {
        statfs(0x6367_7270)
    }
}

const FILES: [&str; 13] = [
    "cgroup.controllers",
    "cgroup.events",
    "cgroup.procs",
    "cgroup.type",
    "cpu.max",
    "cpu.stat",
    "cpu.weight",
    "memory.current",
    "memory.events",
    "memory.max",
    "memory.swap.max",
    "pids.current",
    "pids.max",
];

impl TreeFs for CgroupFs {
    fn item(&self, path: &[&str]) -> Option<Item> {
        match path {
            [] => Item::dir(&FILES),
            [name] if FILES.contains(name) => Some(Item::File),
            _ => None,
        }
    }

    fn text(&self, path: &[&str], caller: &Caller) -> Result<String> {
        let stats = self.cgroup.stats();
        let limit = |value: Option<u64>| value.map_or("max\n".into(), |value| format!("{value}\n"));
        Ok(match path {
            ["cgroup.controllers"] => "cpu memory pids\n".into(),
            ["cgroup.events"] => format!("populated {}\nfrozen 0\n", u8::from(stats.pids > 0)),
            ["cgroup.procs"] => self.processes(caller)?,
            ["cgroup.type"] => "domain\n".into(),
            ["cpu.max"] => match self.cgroup.cpu().quota {
                None => "max 100000\n".into(),
                Some(quota) => format!("{} 100000\n", quota.as_micros()),
            },
            ["cpu.stat"] => {
                let used = stats.cpu.as_micros();
                let (periods, throttled) = (stats.periods, stats.throttled);
                let waited = stats.throttled_for.as_micros();
                format!(
                    "usage_usec {used}\nuser_usec {used}\nsystem_usec 0\nnr_periods {periods}\nnr_throttled {throttled}\n\
                     throttled_usec {waited}\n"
                )
            }
            ["cpu.weight"] => format!("{}\n", self.cgroup.cpu().weight),
            ["memory.current"] => format!("{}\n", stats.memory),
            ["memory.events"] => {
                let kills = stats.oom_kills;
                format!("low 0\nhigh 0\nmax {kills}\noom {kills}\noom_kill {kills}\noom_group_kill 0\n")
            }
            ["memory.max"] => limit(self.cgroup.memory_max()),
            ["memory.swap.max"] => "0\n".into(),
            ["pids.current"] => format!("{}\n", stats.pids),
            ["pids.max"] => limit(self.cgroup.pids_max()),
            _ => return Err(Errno::EIO),
        })
    }

    fn dev(&self) -> DeviceNumber {
        self.dev
    }

    fn created(&self) -> Duration {
        self.created
    }
}

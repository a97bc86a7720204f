//! procfs: the kernel's state as files (`proc(5)`), for the pid namespace that it was mounted for.
//!
//! * `node`: one inode type for all; what a name is comes from tables of its `Entry`.
//! * `root`, `sys`: the tables of `/proc` and `/proc/sys`; files with substance are in files of their own.
//! * `pid`: the table of `/proc/PID`.

mod cpuinfo;
mod meminfo;
mod node;
mod pid;
mod root;
mod stat;
mod sys;
mod view;

use super::super_block::{FileSystem, SuperBlock, Vfs};
use crate::kernel::Kernel;
use crate::process::PidNamespace;
use node::ProcNode;
use podsim_sys::{DeviceNumber, Errno, Result, StatFs};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The unit of times in `/proc/PID/stat` and `/proc/stat`, a second (`sysconf(_SC_CLK_TCK)`).
const USER_HZ: u128 = 100;

/// A time in clock ticks.
fn ticks(time: Duration) -> u128 {
    time.as_nanos() * USER_HZ / 1_000_000_000
}

/// An instance of procfs.
pub struct ProcFs {
    kernel: Weak<Kernel>,
    pid_ns: Arc<PidNamespace>,
    dev: DeviceNumber,
    /// When the node booted, since the epoch.
    booted: Duration,
}

impl ProcFs {
    /// `/proc` as processes of this pid namespace are to see it.
    #[must_use]
    pub fn mount(kernel: &Arc<Kernel>, pid_ns: &Arc<PidNamespace>) -> Arc<SuperBlock> {
        let vfs: &Vfs = kernel.vfs();
        let clock = vfs.clock();
        let fs = Arc::new(Self {
            kernel: Arc::downgrade(kernel),
            pid_ns: pid_ns.clone(),
            dev: vfs.new_device(),
            booted: clock.realtime().saturating_sub(clock.monotonic()),
        });
        let root = ProcNode::root(&fs);
        SuperBlock::new(fs.clone(), fs.dev, root)
    }

    fn kernel(&self) -> Result<Arc<Kernel>> {
        self.kernel.upgrade().ok_or(Errno::EIO)
    }
}

impl FileSystem for ProcFs {
    fn name(&self) -> &'static str {
        "proc"
    }

    fn statfs(&self) -> StatFs {
        super::pseudo::statfs(0x9fa0)
    }
}

//! [`SystemMounts`]: the filesystems of the kernel in a mount namespace, where container runtimes mount them and with their flags
//! (OCI runtime specification, "Default Filesystems"; containerd's default mounts): `/proc`, `/dev`, `/sys` and what is below.

use super::cgroupfs::CgroupFs;
use super::devfs;
use super::devpts::DevPts;
use super::mount::MountNamespace;
use super::mqueue;
use super::procfs::ProcFs;
use super::super_block::{SuperBlock, Vfs};
use super::sysfs::SysFs;
use super::tmpfs::{Limits, Options, TmpFs};
use crate::kernel::Kernel;
use crate::nsproxy::NsProxy;
use crate::process::Cgroup;
use crate::tty::PtyRegistry;
use podsim_sys::{Mode, MountFlags, Result};
use std::sync::Arc;

/// What the kernel's filesystems in a mount namespace show.
pub struct SystemMounts<'a> {
    /// Namespaces: `/proc` shows `pid_for_children`, `/sys/class/net` the network's, `/dev/mqueue` the IPC's. (`mnt` is not asked.)
    pub namespaces: &'a NsProxy,
    /// What `/sys/fs/cgroup` shows.
    pub cgroup: &'a Arc<Cgroup>,
    /// The terminals of `/dev/pts`.
    pub ptys: &'a Arc<PtyRegistry>,
    /// `/dev/shm`: one for all containers of a Pod ([`shm`]).
    pub shm: &'a Arc<SuperBlock>,
    /// Whether `/sys` is read-only: in containers that are not privileged.
    pub sys_readonly: bool,
}

/// What runtimes hide from containers that are not privileged ([`MountNamespace::mask`]).
pub const MASKED_PATHS: [&str; 10] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
];

/// What is read-only in containers that are not privileged ([`MountNamespace::make_readonly`]).
pub const READONLY_PATHS: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Bytes of `/dev/shm` and of `/dev`, as Docker and containerd have them.
const SIZE: u64 = 64 << 20;

const NOSUID_NOEXEC: MountFlags = MountFlags::NOSUID.union(MountFlags::NOEXEC);
const HARDENED: MountFlags = NOSUID_NOEXEC.union(MountFlags::NODEV);

fn tmpfs(vfs: &Arc<Vfs>, mode: Mode) -> Arc<SuperBlock> {
    let limits = Limits {
        size: Some(SIZE),
        inodes: None,
    };
    let options = Options {
        limits,
        mode,
        ..Options::default()
    };
    TmpFs::mount(vfs, &options)
}

/// A new `/dev/shm`.
#[must_use]
pub fn shm(vfs: &Arc<Vfs>) -> Arc<SuperBlock> {
    tmpfs(vfs, Mode(0o1777))
}

impl SystemMounts<'_> {
    /// Mounts them; directories that are not there are made.
    pub fn mount(&self, kernel: &Arc<Kernel>, ns: &Arc<MountNamespace>) -> Result<()> {
        let vfs = kernel.vfs();
        let proc = ProcFs::mount(kernel, &self.namespaces.pid_for_children);
        ns.mount_at("/proc", &proc, "proc", HARDENED)?;
        ns.mount_at("/dev", &tmpfs(vfs, Mode(0o755)), "tmpfs", MountFlags::NOSUID)?;
        devfs::populate(ns)?;
        let pts = DevPts::mount(vfs, self.ptys);
        ns.mount_at("/dev/pts", &pts, "devpts", NOSUID_NOEXEC)?;
        let queues = mqueue::mount(vfs, &self.namespaces.ipc);
        ns.mount_at("/dev/mqueue", &queues, "mqueue", HARDENED)?;
        ns.mount_at("/dev/shm", self.shm, "shm", HARDENED)?;
        let mut sys_flags = HARDENED;
        sys_flags.set(MountFlags::RDONLY, self.sys_readonly);
        let sys = SysFs::mount(kernel, &self.namespaces.net);
        ns.mount_at("/sys", &sys, "sysfs", sys_flags)?;
        let cgroup = CgroupFs::mount(kernel, self.cgroup);
        ns.mount_at("/sys/fs/cgroup", &cgroup, "cgroup", sys_flags)?;
        Ok(())
    }
}

//! [`ContainerMounts`]: the mount namespace of a container as container runtimes make it (OCI runtime specification and containerd's
//! defaults): the image under a private upper layer, `/proc`, `/dev` with its own devpts, `/sys`, masked and read-only paths.

use super::cgroupfs::CgroupFs;
use super::devfs;
use super::devpts::DevPts;
use super::layer::LayerTree;
use super::mount::MountNamespace;
use super::mqueue;
use super::overlay::Overlay;
use super::procfs::ProcFs;
use super::super_block::{SuperBlock, Vfs};
use super::sysfs::SysFs;
use super::tmpfs::{Limits, Options, TmpFs};
use crate::ipc::IpcNamespace;
use crate::kernel::Kernel;
use crate::net::NetNamespace;
use crate::process::{Cgroup, PidNamespace};
use crate::tty::PtyRegistry;
use podsim_sys::{Mode, MountFlags, Result};
use std::sync::Arc;

/// What a container's mount namespace is made from.
pub struct ContainerMounts<'a> {
    /// The image: its layers, the lowest first. Merge them once an image ([`LayerTree::merge`]) and pass the one tree.
    pub layers: &'a [Arc<LayerTree>],
    /// How much the container may write into its root filesystem.
    pub limits: Limits,
    /// What `/proc` shows.
    pub pid_ns: &'a Arc<PidNamespace>,
    /// What `/sys/class/net` shows.
    pub net_ns: &'a Arc<NetNamespace>,
    /// What `/dev/mqueue` shows.
    pub ipc_ns: &'a Arc<IpcNamespace>,
    /// What `/sys/fs/cgroup` shows.
    pub cgroup: &'a Arc<Cgroup>,
    /// The container's terminals: its own `/dev/pts`.
    pub ptys: &'a Arc<PtyRegistry>,
    /// `/dev/shm`: one for all containers of a Pod ([`shm`]).
    pub shm: &'a Arc<SuperBlock>,
    /// `securityContext.privileged`: `/sys` can be written, nothing is masked.
    pub privileged: bool,
    /// `securityContext.readOnlyRootFilesystem`.
    pub readonly_root: bool,
}

/// What runtimes hide from containers.
const MASKED: [&str; 10] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
];

/// What containers may not change.
const READONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

const NOSUID_NOEXEC: MountFlags = MountFlags::NOSUID.union(MountFlags::NOEXEC);
const HARDENED: MountFlags = NOSUID_NOEXEC.union(MountFlags::NODEV);

/// A new `/dev/shm`: 64 MiB, as container runtimes give.
#[must_use]
pub fn shm(vfs: &Arc<Vfs>) -> Arc<SuperBlock> {
    let options = Options {
        limits: Limits {
            size: Some(64 << 20),
            inodes: None,
        },
        ..Options::default()
    };
    TmpFs::mount(vfs, &options)
}

impl ContainerMounts<'_> {
    /// Makes the namespace. Volumes and the kubelet's files are added with [`MountNamespace::bind_at`].
    pub fn build(&self, kernel: &Arc<Kernel>) -> Result<Arc<MountNamespace>> {
        let vfs = kernel.vfs();
        let root = Overlay::mount(vfs, self.layers, self.limits);
        let ns = MountNamespace::new(vfs, kernel.allocate_ns_inode(), &root, "overlay", MountFlags::empty());
        ns.mount_at("/proc", &ProcFs::mount(kernel, self.pid_ns), "proc", HARDENED)?;
        self.mount_dev(&ns)?;
        let sys_flags = if self.privileged {
            HARDENED
        } else {
            HARDENED | MountFlags::RDONLY
        };
        ns.mount_at("/sys", &SysFs::mount(kernel, self.net_ns), "sysfs", sys_flags)?;
        ns.mount_at(
            "/sys/fs/cgroup",
            &CgroupFs::mount(kernel, self.cgroup),
            "cgroup",
            sys_flags,
        )?;
        if !self.privileged {
            MASKED.iter().try_for_each(|path| ns.mask(path))?;
            READONLY.iter().try_for_each(|path| ns.make_readonly(path))?;
        }
        Ok(ns)
    }

    fn mount_dev(&self, ns: &Arc<MountNamespace>) -> Result<()> {
        let options = Options {
            limits: Limits {
                size: Some(64 << 20),
                inodes: None,
            },
            mode: Mode(0o755),
            ..Options::default()
        };
        let vfs = ns.vfs();
        ns.mount_at("/dev", &TmpFs::mount(vfs, &options), "tmpfs", MountFlags::NOSUID)?;
        devfs::populate(ns)?;
        ns.mount_at("/dev/pts", &DevPts::mount(vfs, self.ptys), "devpts", NOSUID_NOEXEC)?;
        ns.mount_at("/dev/mqueue", &mqueue::mount(vfs, self.ipc_ns), "mqueue", HARDENED)?;
        ns.mount_at("/dev/shm", self.shm, "shm", HARDENED)?;
        Ok(())
    }

    /// Makes the root filesystem read-only if that is asked for: the last step, when all mount points are there.
    pub fn seal(&self, ns: &MountNamespace) {
        if self.readonly_root {
            ns.root().mount.remount(MountFlags::RDONLY);
        }
    }
}

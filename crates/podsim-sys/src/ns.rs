//! Namespaces: their kinds, and the inode numbers by which they are known.

bitflags::bitflags! {
    /// Which namespaces to make or join, with the numbers of `clone(2)`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct CloneFlags: u32 {
        /// Mount namespace.
        const NEWNS = 0x0002_0000;
        /// Cgroup namespace.
        const NEWCGROUP = 0x0200_0000;
        /// UTS namespace.
        const NEWUTS = 0x0400_0000;
        /// IPC namespace.
        const NEWIPC = 0x0800_0000;
        /// User namespace.
        const NEWUSER = 0x1000_0000;
        /// PID namespace.
        const NEWPID = 0x2000_0000;
        /// Network namespace.
        const NEWNET = 0x4000_0000;
    }
}

/// A kind of namespace, in the order of `ls /proc/PID/ns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NsKind {
    /// Control groups.
    Cgroup,
    /// System V IPC and POSIX message queues.
    Ipc,
    /// Mounts.
    Mnt,
    /// Network.
    Net,
    /// Process ids.
    Pid,
    /// User and group ids.
    User,
    /// Host and domain name.
    Uts,
}

impl NsKind {
    /// All kinds, in the order of `ls /proc/PID/ns`.
    pub const ALL: [NsKind; 7] = [
        NsKind::Cgroup,
        NsKind::Ipc,
        NsKind::Mnt,
        NsKind::Net,
        NsKind::Pid,
        NsKind::User,
        NsKind::Uts,
    ];

    /// The name in `/proc/PID/ns`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            NsKind::Cgroup => "cgroup",
            NsKind::Ipc => "ipc",
            NsKind::Mnt => "mnt",
            NsKind::Net => "net",
            NsKind::Pid => "pid",
            NsKind::User => "user",
            NsKind::Uts => "uts",
        }
    }

    /// The flag that `clone(2)`, `unshare(2)` and `setns(2)` know it by.
    #[must_use]
    pub fn flag(self) -> CloneFlags {
        match self {
            NsKind::Cgroup => CloneFlags::NEWCGROUP,
            NsKind::Ipc => CloneFlags::NEWIPC,
            NsKind::Mnt => CloneFlags::NEWNS,
            NsKind::Net => CloneFlags::NEWNET,
            NsKind::Pid => CloneFlags::NEWPID,
            NsKind::User => CloneFlags::NEWUSER,
            NsKind::Uts => CloneFlags::NEWUTS,
        }
    }

    /// The inode number of the node's initial namespace: constants in Linux too
    /// (`include/linux/proc_ns.h`; mnt and net are the first that are handed out).
    #[must_use]
    pub fn initial_inode(self) -> u64 {
        match self {
            NsKind::Cgroup => 4_026_531_835,
            NsKind::Pid => 4_026_531_836,
            NsKind::User => 4_026_531_837,
            NsKind::Uts => 4_026_531_838,
            NsKind::Ipc => 4_026_531_839,
            NsKind::Mnt => 4_026_531_840,
            NsKind::Net => 4_026_531_992,
        }
    }
}

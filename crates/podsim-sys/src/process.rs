//! Processes: ids, credentials, capabilities, wait statuses, limits, and what spawn takes.

use crate::{Fd, Mode, OpenFlags, SigSet, Signal};
use std::time::Duration;

/// A process id as some pid namespace numbers it. 0 and negative numbers have the meanings that the call gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pid(pub i32);

impl std::fmt::Display for Pid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// How a process ended, or what else happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitStatus {
    /// It exited with this code, 0 to 255.
    Exited(u8),
    /// A signal killed it.
    Signaled(Signal),
    /// A signal stopped it.
    Stopped(Signal),
    /// SIGCONT continued it.
    Continued,
}

impl WaitStatus {
    /// The exit code as a shell and a container runtime tell it: 128 + the signal's number if a signal killed it.
    #[must_use]
    pub fn exit_code(self) -> i32 {
        match self {
            WaitStatus::Exited(code) => code.into(),
            WaitStatus::Signaled(signal) | WaitStatus::Stopped(signal) => 128 + i32::from(signal.number()),
            WaitStatus::Continued => 0,
        }
    }

    /// As `wait(2)` packs it.
    #[must_use]
    pub fn to_raw(self) -> u32 {
        match self {
            WaitStatus::Exited(code) => u32::from(code) << 8,
            WaitStatus::Signaled(signal) => {
                let core = signal.default_action() == crate::DefaultAction::Core;
                u32::from(signal.number()) | if core { 0x80 } else { 0 }
            }
            WaitStatus::Stopped(signal) => (u32::from(signal.number()) << 8) | 0x7f,
            WaitStatus::Continued => 0xffff,
        }
    }
}

/// Which children `waitpid(2)` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitTarget {
    /// Any child.
    Any,
    /// This child.
    Pid(Pid),
    /// Any child of this process group.
    Group(Pid),
}

bitflags::bitflags! {
    /// Options of `waitpid(2)`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct WaitOptions: u32 {
        /// Do not wait.
        const NOHANG = 1;
        /// Stopped children too.
        const UNTRACED = 2;
        /// Continued children too.
        const CONTINUED = 8;
    }
}

/// A set of capabilities, as in `/proc/PID/status` (bit n is capability n of `capabilities(7)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapSet(pub u64);

/// The names of the capabilities by number, without `CAP_`.
pub const CAPABILITY_NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// One capability of `capabilities(7)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability(pub u8);

#[expect(missing_docs, reason = "the names of capabilities(7) say it")]
impl Capability {
    pub const CHOWN: Self = Self(0);
    pub const DAC_OVERRIDE: Self = Self(1);
    pub const DAC_READ_SEARCH: Self = Self(2);
    pub const FOWNER: Self = Self(3);
    pub const FSETID: Self = Self(4);
    pub const KILL: Self = Self(5);
    pub const SETGID: Self = Self(6);
    pub const SETUID: Self = Self(7);
    pub const SETPCAP: Self = Self(8);
    pub const NET_BIND_SERVICE: Self = Self(10);
    pub const NET_ADMIN: Self = Self(12);
    pub const NET_RAW: Self = Self(13);
    pub const IPC_LOCK: Self = Self(14);
    pub const IPC_OWNER: Self = Self(15);
    pub const SYS_CHROOT: Self = Self(18);
    pub const SYS_PTRACE: Self = Self(19);
    pub const SYS_ADMIN: Self = Self(21);
    pub const SYS_NICE: Self = Self(23);
    pub const SYS_RESOURCE: Self = Self(24);
    pub const SYS_TIME: Self = Self(25);
    pub const MKNOD: Self = Self(27);

    /// Reads `NET_ADMIN` or `CAP_NET_ADMIN`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.strip_prefix("CAP_").unwrap_or(name);
        let number = CAPABILITY_NAMES.iter().position(|n| *n == name)?;
        u8::try_from(number).ok().map(Self)
    }
}

impl CapSet {
    /// None.
    pub const EMPTY: CapSet = CapSet(0);
    /// All 41.
    pub const FULL: CapSet = CapSet((1 << 41) - 1);
    /// What container runtimes give a container (CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP,
    /// NET_BIND_SERVICE, NET_RAW, SYS_CHROOT, MKNOD, AUDIT_WRITE, SETFCAP): `00000000a80425fb`.
    pub const CONTAINER_DEFAULT: CapSet = CapSet(0xa804_25fb);

    /// Whether it is in the set.
    #[must_use]
    pub fn has(self, capability: Capability) -> bool {
        self.0 & (1 << capability.0) != 0
    }

    /// The set with it.
    #[must_use]
    pub fn with(self, capability: Capability) -> CapSet {
        CapSet(self.0 | (1 << capability.0))
    }

    /// The set without it.
    #[must_use]
    pub fn without(self, capability: Capability) -> CapSet {
        CapSet(self.0 & !(1 << capability.0))
    }
}

/// The credentials of a process (`credentials(7)`, `capabilities(7)`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Real user id.
    pub uid: u32,
    /// Effective user id.
    pub euid: u32,
    /// Saved user id.
    pub suid: u32,
    /// User id for filesystem checks.
    pub fsuid: u32,
    /// Real group id.
    pub gid: u32,
    /// Effective group id.
    pub egid: u32,
    /// Saved group id.
    pub sgid: u32,
    /// Group id for filesystem checks.
    pub fsgid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Kept over exec by files that ask for it.
    pub inheritable: CapSet,
    /// What may be made effective.
    pub permitted: CapSet,
    /// What is checked.
    pub effective: CapSet,
    /// The limit of what exec can give.
    pub bounding: CapSet,
    /// Kept over exec of ordinary files.
    pub ambient: CapSet,
    /// Exec gives no privileges.
    pub no_new_privs: bool,
}

impl Credentials {
    /// Root with these capabilities.
    #[must_use]
    pub fn root(capabilities: CapSet) -> Self {
        Self {
            uid: 0,
            euid: 0,
            suid: 0,
            fsuid: 0,
            gid: 0,
            egid: 0,
            sgid: 0,
            fsgid: 0,
            groups: vec![0],
            inheritable: CapSet::EMPTY,
            permitted: capabilities,
            effective: capabilities,
            bounding: capabilities,
            ambient: CapSet::EMPTY,
            no_new_privs: false,
        }
    }

    /// Whether the capability is in effect.
    #[must_use]
    pub fn capable(&self, capability: Capability) -> bool {
        self.effective.has(capability)
    }

    /// Whether the group is the filesystem group or one of the supplementary ones.
    #[must_use]
    pub fn in_group(&self, gid: u32) -> bool {
        self.fsgid == gid || self.groups.contains(&gid)
    }
}

/// A resource that `setrlimit(2)` limits, with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names of getrlimit(2) say it")]
pub enum Resource {
    Cpu = 0,
    Fsize = 1,
    Data = 2,
    Stack = 3,
    Core = 4,
    Rss = 5,
    Nproc = 6,
    Nofile = 7,
    Memlock = 8,
    As = 9,
    Locks = 10,
    Sigpending = 11,
    Msgqueue = 12,
    Nice = 13,
    Rtprio = 14,
    Rttime = 15,
}

impl Resource {
    /// All, by number: the order of `/proc/PID/limits`.
    pub const ALL: [Resource; 16] = [
        Resource::Cpu,
        Resource::Fsize,
        Resource::Data,
        Resource::Stack,
        Resource::Core,
        Resource::Rss,
        Resource::Nproc,
        Resource::Nofile,
        Resource::Memlock,
        Resource::As,
        Resource::Locks,
        Resource::Sigpending,
        Resource::Msgqueue,
        Resource::Nice,
        Resource::Rtprio,
        Resource::Rttime,
    ];
}

/// A soft and a hard limit; `None` is unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rlimit {
    /// What is enforced.
    pub soft: Option<u64>,
    /// How far the soft limit may be raised.
    pub hard: Option<u64>,
}

/// What `uname(2)` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of uname(2) say it")]
pub struct UtsName {
    pub sysname: String,
    pub nodename: String,
    pub release: String,
    pub version: String,
    pub machine: String,
    pub domainname: String,
}

/// CPU time used (`times(2)`, `getrusage(2)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// In the guest.
    pub user: Duration,
    /// In the kernel.
    pub system: Duration,
    /// Of waited-for children, in the guest.
    pub children_user: Duration,
    /// Of waited-for children, in the kernel.
    pub children_system: Duration,
}

/// A change to the new process's file descriptors, done in order (`posix_spawn_file_actions_init(3)`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FdAction {
    /// `dup2(from, to)`: clears close-on-exec, also where both are the same.
    Dup2 {
        /// The open file.
        from: Fd,
        /// Its new number.
        to: Fd,
    },
    /// `close(fd)`.
    Close(Fd),
    /// `open(path, flags, mode)` as `fd`.
    Open {
        /// The number it gets.
        fd: Fd,
        /// The path, from the new process's current directory.
        path: String,
        /// How.
        flags: OpenFlags,
        /// For new files.
        mode: Mode,
    },
    /// `chdir(path)`.
    Chdir(String),
    /// `fchdir(fd)`.
    Fchdir(Fd),
}

/// What a new process is made from: `posix_spawn(3)` in one value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpawnRequest {
    /// The program. Without a slash and with `search_path`, looked up in it.
    pub path: String,
    /// A `PATH` to search.
    pub search_path: Option<String>,
    /// Arguments, from the program's name on.
    pub argv: Vec<String>,
    /// Environment, `NAME=value`.
    pub envp: Vec<String>,
    /// Changes to the descriptors.
    pub fd_actions: Vec<FdAction>,
    /// Join this process group; 0 makes one of its own.
    pub process_group: Option<Pid>,
    /// Begin a new session.
    pub new_session: bool,
    /// With `new_session`: the terminal on this descriptor becomes the controlling one.
    pub controlling_tty: Option<Fd>,
    /// Make this process group the terminal's foreground group (on this descriptor of the caller), before the program starts.
    pub foreground_tty: Option<Fd>,
    /// Signals set to their default.
    pub signal_default: SigSet,
    /// Signals set to be ignored.
    pub signal_ignore: SigSet,
    /// The signal mask; the caller's own otherwise.
    pub signal_mask: Option<SigSet>,
}

//! What a container's process may do (`LinuxContainerSecurityContext` of CRI) and how much it may use
//! (`LinuxContainerResources`).

use serde::{Deserialize, Serialize};

/// Credentials and restrictions of a container's processes. (A backend may hand it to another process: serde.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityContext {
    /// User id; `None`: the image's user.
    pub run_as_user: Option<u32>,
    /// User name to be looked up in the image's `/etc/passwd`; only if `run_as_user` is not set.
    pub run_as_username: Option<String>,
    /// Primary group id; `None`: the image's, or the user's in `/etc/passwd`, or 0.
    pub run_as_group: Option<u32>,
    /// Further groups (includes `fsGroup`).
    pub supplemental_groups: Vec<u32>,
    /// The root filesystem cannot be written.
    pub readonly_rootfs: bool,
    /// All capabilities, all devices, nothing masked.
    pub privileged: bool,
    /// `no_new_privs` of `prctl(2)` (`allowPrivilegeEscalation: false`).
    pub no_new_privs: bool,
    /// Changes to the default set of capabilities.
    pub capabilities: Capabilities,
    /// Paths that are hidden; `None`: the runtime's default list.
    pub masked_paths: Option<Vec<String>>,
    /// Paths that are read-only; `None`: the runtime's default list.
    pub readonly_paths: Option<Vec<String>>,
    /// Which system calls are let through.
    pub seccomp: SeccompProfile,
}

/// `seccompProfile` of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeccompProfile {
    /// All: Kubernetes' default, and always so in a privileged container.
    #[default]
    Unconfined,
    /// The runtime's default list.
    RuntimeDefault,
    /// A list of the node's: the text of the JSON file.
    Localhost(String),
}

/// Capability names without `CAP_`, upper case; `ALL` means all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Added to the default set, after `drop`.
    pub add: Vec<String>,
    /// Taken from the default set.
    pub drop: Vec<String>,
}

/// Limits of a container, or of a Pod as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Bytes; going over it is an `OOMKilled`.
    pub memory_limit: Option<u64>,
    /// CPU limit in thousandths of a CPU.
    pub cpu_limit_millis: Option<u64>,
    /// CPU request in thousandths of a CPU (cgroup weight).
    pub cpu_request_millis: Option<u64>,
    /// Processes and threads.
    pub pids_limit: Option<u64>,
    /// `oom_score_adj` of the container's processes.
    pub oom_score_adj: i32,
}

/// The period of the CPU quota in microseconds, as the kubelet sets it (`--cpu-cfs-quota-period`).
pub const CPU_PERIOD: u64 = 100_000;
/// The kernel refuses a smaller quota (`min_cfs_quota_period`).
const MIN_CPU_QUOTA: u64 = 1_000;

impl Resources {
    /// The CPU limit in microseconds a [`CPU_PERIOD`] (`MilliCPUToQuota` of the kubelet).
    #[must_use]
    pub fn cpu_quota(&self) -> Option<u64> {
        let quota = |millis: u64| (millis.saturating_mul(CPU_PERIOD) / 1000).max(MIN_CPU_QUOTA);
        self.cpu_limit_millis.map(quota)
    }

    /// `cpu.shares` (`MilliCPUToShares` of the kubelet); without a request it is the limit that counts.
    #[must_use]
    pub fn cpu_shares(&self) -> u64 {
        let millis = self.cpu_request_millis.or(self.cpu_limit_millis).unwrap_or(0);
        (millis.saturating_mul(1024) / 1000).clamp(2, 262_144)
    }

    /// `cpu.weight`: shares from 2 to 262144 become 1 to 10000 (`CpuSharesToCpuWeight`, KEP-2254).
    #[must_use]
    pub fn cpu_weight(&self) -> u64 {
        (self.cpu_shares() - 2) * 9999 / 262_142 + 1
    }
}

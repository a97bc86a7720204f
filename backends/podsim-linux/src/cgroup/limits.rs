//! What is written into the files of a cgroup for [`Resources`]: Kubernetes' formulas, and nothing is touched here.

use super::hierarchy::Version;
use podsim_cri::{CPU_PERIOD, Resources};

/// One value for one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    /// The file.
    pub(super) file: &'static str,
    /// What is written.
    pub(super) value: String,
    /// Kernels without it are fine (swap accounting, newer features).
    pub(super) optional: bool,
}

/// What is to be written, in this order. `swap_now` is the limit of memory and swap that a group of version 1 has: the
/// kernel refuses a memory limit above it, and one below the memory limit.
pub(super) fn plan(
    version: Version,
    controllers: &[String],
    resources: &Resources,
    swap_now: Option<u64>,
) -> Vec<Write> {
    let mut writes = Vec::new();
    let mut write = |file, value: String, optional| writes.push(Write { file, value, optional });
    let or = |value: Option<u64>, none: &str| value.map_or(none.to_owned(), |value| value.to_string());
    let has = |name: &str| controllers.iter().any(|controller| controller == name);
    let quota = resources.cpu_quota();
    match version {
        Version::V1 => {
            if has("memory") {
                let limit = or(resources.memory_limit, "-1");
                let raised = match (resources.memory_limit, swap_now) {
                    (Some(limit), Some(now)) => limit > now,
                    (None, _) => true,
                    (Some(_), None) => false,
                };
                if raised {
                    write("memory.memsw.limit_in_bytes", limit.clone(), true);
                }
                write("memory.limit_in_bytes", limit.clone(), false);
                if !raised {
                    write("memory.memsw.limit_in_bytes", limit, true);
                }
            }
            if has("cpu") {
                write("cpu.shares", resources.cpu_shares().to_string(), false);
                // A kernel without CONFIG_CFS_BANDWIDTH has no quota.
                let optional = quota.is_none();
                write("cpu.cfs_period_us", CPU_PERIOD.to_string(), optional);
                write("cpu.cfs_quota_us", or(quota, "-1"), optional);
            }
        }
        Version::V2 => {
            if has("memory") {
                write(
                    "memory.swap.max",
                    resources.memory_limit.map_or("max", |_| "0").to_owned(),
                    true,
                );
                write("memory.max", or(resources.memory_limit, "max"), false);
                // As the kubelet does it (singleProcessOOMKill: false): all of a container dies together.
                write("memory.oom.group", "1".to_owned(), true);
            }
            if has("cpu") {
                write("cpu.weight", resources.cpu_weight().to_string(), false);
                write("cpu.max", format!("{} {CPU_PERIOD}", or(quota, "max")), quota.is_none());
            }
        }
    }
    if has("pids") {
        write("pids.max", or(resources.pids_limit, "max"), false);
    }
    writes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(version: Version, resources: &Resources, swap_now: Option<u64>, expected: &str) {
        let all: Vec<_> = ["memory", "cpu", "pids"].map(str::to_owned).into();
        let plan: Vec<_> = plan(version, &all, resources, swap_now)
            .into_iter()
            .map(|write| format!("{}={}", write.file, write.value))
            .collect();
        assert_eq!(plan.join("; "), expected);
    }

    #[test]
    fn limits_are_written_as_the_kubelet_has_them_written() {
        let all = Resources {
            memory_limit: Some(64 << 20),
            cpu_limit_millis: Some(500),
            cpu_request_millis: Some(250),
            pids_limit: Some(32),
            oom_score_adj: 0,
        };
        check(
            Version::V2,
            &all,
            None,
            "memory.swap.max=0; memory.max=67108864; memory.oom.group=1; cpu.weight=10; cpu.max=50000 100000; pids.max=32",
        );
        let v1 = "cpu.shares=256; cpu.cfs_period_us=100000; cpu.cfs_quota_us=50000; pids.max=32";
        check(
            Version::V1,
            &all,
            Some(u64::MAX),
            &format!("memory.limit_in_bytes=67108864; memory.memsw.limit_in_bytes=67108864; {v1}"),
        );
        check(
            Version::V1,
            &all,
            Some(32 << 20),
            &format!("memory.memsw.limit_in_bytes=67108864; memory.limit_in_bytes=67108864; {v1}"),
        );
    }

    #[test]
    fn without_limits_everything_is_unlimited_and_the_weight_is_the_smallest() {
        check(
            Version::V2,
            &Resources::default(),
            None,
            "memory.swap.max=max; memory.max=max; memory.oom.group=1; cpu.weight=1; cpu.max=max 100000; pids.max=max",
        );
        let tiny = Resources {
            cpu_limit_millis: Some(1),
            cpu_request_millis: Some(u64::MAX),
            ..Default::default()
        };
        check(
            Version::V2,
            &tiny,
            None,
            "memory.swap.max=max; memory.max=max; memory.oom.group=1; cpu.weight=10000; cpu.max=1000 100000; pids.max=max",
        );
    }
}

//! Profiles of the user's (`seccompProfile.type: Localhost`): the JSON of Docker and of the OCI runtime specification.

use super::bpf::{Action, Compare, Condition, Rule, Rules};
use super::{table, unknown_from};
use podsim_sys::{CapSet, Capability};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: String,
    default_errno_ret: Option<u16>,
    #[serde(default)]
    architectures: Option<Vec<String>>,
    #[serde(default)]
    syscalls: Option<Vec<Syscall>>,
    #[serde(default)]
    flags: Option<Vec<String>>,
    listener_path: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Syscall {
    name: Option<String>,
    #[serde(default)]
    names: Option<Vec<String>>,
    action: String,
    errno_ret: Option<u16>,
    #[serde(default)]
    args: Option<Vec<Arg>>,
    #[serde(default)]
    includes: Option<Only>,
    #[serde(default)]
    excludes: Option<Only>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arg {
    index: u8,
    #[serde(default)]
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: String,
}

/// Docker's conditions on the container and the machine.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Only {
    #[serde(default)]
    caps: Option<Vec<String>>,
    #[serde(default)]
    arches: Option<Vec<String>>,
    min_kernel: Option<String>,
}

/// Docker's and libseccomp's names of this machine.
const ARCHES: [&str; 2] = if cfg!(target_arch = "x86_64") {
    ["amd64", "SCMP_ARCH_X86_64"]
} else {
    ["arm64", "SCMP_ARCH_AARCH64"]
};

/// Reads a profile for a container with these capabilities.
pub(super) fn parse(json: &str, bounding: CapSet) -> Result<Rules, String> {
    let profile: Profile = serde_json::from_str(json).map_err(|error| error.to_string())?;
    if profile.listener_path.is_some() {
        return Err("listenerPath is not supported".to_owned());
    }
    if let Some(flag) = profile
        .flags
        .iter()
        .flatten()
        .find(|flag| *flag != "SECCOMP_FILTER_FLAG_LOG")
    {
        return Err(format!("the flag {flag} is not supported"));
    }
    let listed = profile.architectures.as_deref().unwrap_or_default();
    if !listed.is_empty() && !listed.iter().any(|name| ARCHES.contains(&name.as_str())) {
        return Err(format!("it is for {}, and not for {}", listed.join(", "), ARCHES[1]));
    }
    let default = action(&profile.default_action, profile.default_errno_ret)?;
    let mut calls: BTreeMap<u32, Vec<Rule>> = BTreeMap::new();
    for syscall in profile.syscalls.iter().flatten() {
        let includes = syscall
            .includes
            .as_ref()
            .map_or(Ok(true), |only| only.holds(bounding, true))?;
        let excludes = syscall
            .excludes
            .as_ref()
            .map_or(Ok(false), |only| only.holds(bounding, false))?;
        if !includes || excludes {
            continue;
        }
        let action = action(&syscall.action, syscall.errno_ret)?;
        for conditions in conditions(syscall.args.as_deref().unwrap_or_default())? {
            for name in syscall.names.iter().flatten().chain(&syscall.name) {
                // As libseccomp does it: names of other machines, and of newer kernels, are passed over.
                let call = table::CALLS.iter().find(|call| call.name == name);
                let Some(number) = call.and_then(table::Call::number) else {
                    continue;
                };
                calls.entry(number).or_default().push(Rule {
                    conditions: conditions.clone(),
                    action,
                });
            }
        }
    }
    for rules in calls.values_mut() {
        // Those with conditions first; the sort keeps their order.
        rules.sort_by_key(|rule| rule.conditions.is_empty());
    }
    // As runc does it, where a call that is not in the profile fails anyway.
    let unknown_from = matches!(default, Action::Errno(_)).then(unknown_from);
    Ok(Rules {
        calls,
        default,
        unknown_from,
    })
}

fn action(name: &str, errno: Option<u16>) -> Result<Action, String> {
    let number = errno.unwrap_or(libc::EPERM as u16);
    Ok(match name {
        "SCMP_ACT_ALLOW" => Action::Allow,
        // The kernel's MAX_ERRNO.
        "SCMP_ACT_ERRNO" if number > 4095 => return Err(format!("{number} is no error number")),
        "SCMP_ACT_ERRNO" => Action::Errno(number),
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Action::KillThread,
        "SCMP_ACT_KILL_PROCESS" => Action::KillProcess,
        "SCMP_ACT_TRAP" => Action::Trap,
        "SCMP_ACT_TRACE" => Action::Trace(number),
        "SCMP_ACT_LOG" => Action::Log,
        other => return Err(format!("the action {other} is not supported")),
    })
}

/// The arguments of a rule as conditions that must all hold; more than one on the same argument are alternatives (runc).
fn conditions(args: &[Arg]) -> Result<Vec<Vec<Condition>>, String> {
    let all: Vec<_> = args.iter().map(condition).collect::<Result<_, _>>()?;
    let twice = all
        .iter()
        .enumerate()
        .any(|(at, one)| all[..at].iter().any(|other| other.index == one.index));
    Ok(match twice {
        true => all.into_iter().map(|condition| vec![condition]).collect(),
        false => vec![all],
    })
}

fn condition(arg: &Arg) -> Result<Condition, String> {
    let (mask, compare, value) = match arg.op.as_str() {
        "SCMP_CMP_NE" => (u64::MAX, Compare::Ne, arg.value),
        "SCMP_CMP_LT" => (u64::MAX, Compare::Lt, arg.value),
        "SCMP_CMP_LE" => (u64::MAX, Compare::Le, arg.value),
        "SCMP_CMP_EQ" => (u64::MAX, Compare::Eq, arg.value),
        "SCMP_CMP_GE" => (u64::MAX, Compare::Ge, arg.value),
        "SCMP_CMP_GT" => (u64::MAX, Compare::Gt, arg.value),
        "SCMP_CMP_MASKED_EQ" => (arg.value, Compare::Eq, arg.value_two),
        other => return Err(format!("the comparison {other} is not supported")),
    };
    if arg.index > 5 {
        return Err(format!("a system call has no argument {}", arg.index));
    }
    Ok(Condition {
        index: arg.index,
        mask,
        compare,
        value,
    })
}

impl Only {
    /// For `includes`, whether all hold; for `excludes`, whether any does.
    fn holds(&self, bounding: CapSet, all: bool) -> Result<bool, String> {
        let mut holds = Vec::new();
        for name in self.caps.iter().flatten() {
            let capability = Capability::parse(name).ok_or_else(|| format!("unknown capability {name:?}"))?;
            holds.push(bounding.has(capability));
        }
        if let Some(arches) = self.arches.as_ref().filter(|arches| !arches.is_empty()) {
            holds.push(arches.iter().any(|name| ARCHES.contains(&name.as_str())));
        }
        if let Some(version) = &self.min_kernel {
            holds.push(at_least(version)?);
        }
        Ok(match all {
            true => holds.into_iter().all(|holds| holds),
            false => holds.into_iter().any(|holds| holds),
        })
    }
}

/// Whether the kernel is of this version (`4.8`) or newer.
fn at_least(version: &str) -> Result<bool, String> {
    let parse = |text: &str| {
        let mut numbers = text.split(['.', '-', '+']).map(|number| number.parse::<u32>().ok());
        Some((numbers.next()??, numbers.next()??))
    };
    let wanted = parse(version).ok_or_else(|| format!("{version:?} is no kernel version"))?;
    let release = rustix::system::uname();
    Ok(parse(&release.release().to_string_lossy()).is_none_or(|have| have >= wanted))
}

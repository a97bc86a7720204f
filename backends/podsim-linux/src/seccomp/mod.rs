//! The system calls that containers may make (`seccomp(2)`).
//!
//! * [`compile`] makes a [`Filter`] of the `seccompProfile` of a container.
//! * [`Filter::install`]: from then on the process and its children live with it.
//! * `table`: the default profile; `localhost`: profiles of the user's, as JSON; `bpf`: the program.
//!
//! Without `no_new_privs` a filter needs CAP_SYS_ADMIN, so it is installed before the capabilities are given up; with it,
//! afterwards, as in runc. The default profile lets through what giving up rights needs, what wasmtime needs (`mmap`, `mprotect`,
//! `madvise`, `sigaltstack`, `rt_sigaction`, `membarrier`, `memfd_create`), and all of `prctl(2)`: `PR_SET_NAME` and, for the title and
//! environment of a guest, `PR_SET_MM`.

mod bpf;
mod localhost;
mod table;

use bpf::{Action, Rules};
use podsim_cri::SeccompProfile;
use podsim_sys::CapSet;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A profile that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("seccomp profile: {0}")]
pub struct Error(String);

/// A program for the kernel: code, jump if true, jump if false, value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter(Vec<(u16, u8, u8, u32)>);

/// The filter for a container with this bounding set of capabilities; `None`: there is none.
///
/// # Errors
///
/// What is wrong with a profile of the user's.
pub fn compile(profile: &SeccompProfile, bounding: CapSet) -> Result<Option<Filter>, Error> {
    let rules = match profile {
        SeccompProfile::Unconfined => return Ok(None),
        SeccompProfile::RuntimeDefault => default(bounding),
        SeccompProfile::Localhost(json) => localhost::parse(json, bounding).map_err(Error)?,
    };
    let program = bpf::compile(&rules).ok_or_else(|| Error("it has more rules than the kernel takes".to_owned()))?;
    let raw = |instruction: bpf::Instruction| (instruction.code, instruction.jt, instruction.jf, instruction.k);
    Ok(Some(Filter(program.into_iter().map(raw).collect())))
}

impl Filter {
    /// Installs it for the calling thread and what it starts.
    ///
    /// # Errors
    ///
    /// EACCES without `no_new_privs` and CAP_SYS_ADMIN; EINVAL if the kernel has no seccomp filters.
    pub fn install(&self) -> Result<(), Errno> {
        let raw = |&(code, jt, jf, k): &(u16, u8, u8, u32)| libc::sock_filter { code, jt, jf, k };
        let mut program: Vec<_> = self.0.iter().map(raw).collect();
        let fprog = libc::sock_fprog {
            len: u16::try_from(program.len()).map_err(|_| Errno::INVAL)?,
            filter: program.as_mut_ptr(),
        };
        #[expect(
            unsafe_code,
            reason = "rustix and nix do not wrap it, and seccompiler sets no_new_privs"
        )]
        // SAFETY: the program and its length live over the call; the kernel copies and checks them.
        let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const fprog) };
        if result == 0 {
            return Ok(());
        }
        Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
    }
}

/// The number from which on calls are newer than the table.
fn unknown_from() -> u32 {
    table::CALLS
        .iter()
        .filter_map(table::Call::number)
        .max()
        .map_or(0, |last| last + 1)
}

/// The rules of the default profile.
fn default(bounding: CapSet) -> Rules {
    let allow = |conditions| bpf::Rule {
        conditions,
        action: Action::Allow,
    };
    let mut calls = BTreeMap::new();
    for call in table::CALLS {
        let Some(number) = call.number() else { continue };
        let always = vec![allow(Vec::new())];
        let rules = match &call.rule {
            table::Rule::Always => always,
            table::Rule::Needs(any) if any.iter().any(|capability| bounding.has(*capability)) => always,
            table::Rule::Needs(_) | table::Rule::Never => continue,
            table::Rule::If(_, Some(capability)) if bounding.has(*capability) => always,
            table::Rule::If(any, _) => any.iter().map(|condition| allow(vec![*condition])).collect(),
            table::Rule::Hidden(capability) if bounding.has(*capability) => always,
            table::Rule::Hidden(_) => vec![bpf::Rule {
                conditions: Vec::new(),
                action: Action::Errno(libc::ENOSYS as u16),
            }],
        };
        calls.insert(number, rules);
    }
    Rules {
        calls,
        default: Action::Errno(libc::EPERM as u16),
        unknown_from: Some(unknown_from()),
    }
}

#[cfg(test)]
mod tests;

//! System calls: identity.

use crate::task::Task;
use podsim_sys::*;
use std::time::Duration;

pub(super) fn credentials(task: &Task) -> Credentials {
    todo!()
}

pub(super) fn setresuid(task: &Task, real: Option<u32>, effective: Option<u32>, saved: Option<u32>) -> Result<()> {
    todo!()
}

pub(super) fn setresgid(task: &Task, real: Option<u32>, effective: Option<u32>, saved: Option<u32>) -> Result<()> {
    todo!()
}

pub(super) fn setgroups(task: &Task, groups: Vec<u32>) -> Result<()> {
    todo!()
}

pub(super) fn capset(task: &Task, effective: CapSet, permitted: CapSet, inheritable: CapSet) -> Result<()> {
    todo!()
}

pub(super) fn uname(task: &Task) -> UtsName {
    todo!()
}

pub(super) fn sethostname(task: &Task, name: &str) -> Result<()> {
    todo!()
}

pub(super) fn unshare(task: &Task, flags: CloneFlags) -> Result<()> {
    todo!()
}

pub(super) fn setns(task: &Task, fd: Fd, flags: CloneFlags) -> Result<()> {
    todo!()
}

//! System calls: fd.

use crate::task::Task;
use podsim_sys::*;
use std::time::Duration;

pub(super) fn dup(task: &Task, fd: Fd, min: Fd, cloexec: bool) -> Result<Fd> {
    todo!()
}

pub(super) fn dup2(task: &Task, from: Fd, to: Fd, cloexec: bool) -> Result<Fd> {
    todo!()
}

pub(super) fn pipe(task: &Task, flags: OpenFlags) -> Result<(Fd, Fd)> {
    todo!()
}

pub(super) fn get_status_flags(task: &Task, fd: Fd) -> Result<OpenFlags> {
    todo!()
}

pub(super) fn set_status_flags(task: &Task, fd: Fd, flags: OpenFlags) -> Result<()> {
    todo!()
}

pub(super) fn get_cloexec(task: &Task, fd: Fd) -> Result<bool> {
    todo!()
}

pub(super) fn set_cloexec(task: &Task, fd: Fd, cloexec: bool) -> Result<()> {
    todo!()
}

pub(super) async fn poll(task: &Task, fds: &mut [PollFd], timeout: Option<Duration>) -> Result<usize> {
    todo!()
}

pub(super) fn eventfd(task: &Task, initial: u64, semaphore: bool, flags: OpenFlags) -> Result<Fd> {
    todo!()
}

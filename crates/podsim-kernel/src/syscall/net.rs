//! System calls: net.

use crate::task::Task;
use podsim_sys::*;
use std::time::Duration;

pub(super) fn socket(task: &Task, family: AddressFamily, kind: SocketType, flags: OpenFlags) -> Result<Fd> {
    todo!()
}

pub(super) fn socketpair(task: &Task, kind: SocketType, flags: OpenFlags) -> Result<(Fd, Fd)> {
    todo!()
}

pub(super) fn bind(task: &Task, fd: Fd, address: &SockAddr) -> Result<()> {
    todo!()
}

pub(super) fn listen(task: &Task, fd: Fd, backlog: u32) -> Result<()> {
    todo!()
}

pub(super) async fn accept(task: &Task, fd: Fd, flags: OpenFlags) -> Result<(Fd, SockAddr)> {
    todo!()
}

pub(super) async fn connect(task: &Task, fd: Fd, address: &SockAddr) -> Result<()> {
    todo!()
}

pub(super) async fn sendto(task: &Task, fd: Fd, buf: &[u8], flags: MsgFlags, to: Option<&SockAddr>) -> Result<usize> {
    todo!()
}

pub(super) async fn recvfrom(
    task: &Task,
    fd: Fd,
    buf: &mut [u8],
    flags: MsgFlags,
) -> Result<(usize, Option<SockAddr>, MsgFlags)> {
    todo!()
}

pub(super) fn shutdown(task: &Task, fd: Fd, how: Shutdown) -> Result<()> {
    todo!()
}

pub(super) fn getsockname(task: &Task, fd: Fd) -> Result<SockAddr> {
    todo!()
}

pub(super) fn getpeername(task: &Task, fd: Fd) -> Result<SockAddr> {
    todo!()
}

pub(super) fn setsockopt(task: &Task, fd: Fd, option: SockOpt) -> Result<()> {
    todo!()
}

pub(super) fn getsockopt(task: &Task, fd: Fd, option: SockOpt) -> Result<SockOpt> {
    todo!()
}

pub(super) fn interfaces(task: &Task) -> Vec<Interface> {
    todo!()
}

pub(super) fn routes(task: &Task) -> Vec<Route> {
    todo!()
}

pub(super) fn net_config(task: &Task, change: NetConfig) -> Result<()> {
    todo!()
}

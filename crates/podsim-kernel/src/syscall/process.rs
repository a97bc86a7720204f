//! System calls: process.

use crate::task::Task;
use podsim_sys::*;
use std::time::Duration;

pub(super) fn getpid(task: &Task) -> Pid {
    todo!()
}

pub(super) fn getppid(task: &Task) -> Pid {
    todo!()
}

pub(super) async fn spawn(task: &Task, request: SpawnRequest) -> Result<Pid> {
    todo!()
}

pub(super) async fn execve(task: &Task, path: &str, argv: Vec<String>, envp: Vec<String>) -> Result<()> {
    todo!()
}

pub(super) async fn wait(task: &Task, target: WaitTarget, options: WaitOptions) -> Result<Option<(Pid, WaitStatus)>> {
    todo!()
}

pub(super) fn exit(task: &Task, status: WaitStatus) -> () {
    todo!()
}

pub(super) fn argv(task: &Task) -> Vec<String> {
    todo!()
}

pub(super) fn environ(task: &Task) -> Vec<String> {
    todo!()
}

pub(super) fn set_title(task: &Task, title: &str) -> () {
    todo!()
}

pub(super) fn set_comm(task: &Task, comm: &str) -> () {
    todo!()
}

pub(super) fn getpgid(task: &Task, pid: Pid) -> Result<Pid> {
    todo!()
}

pub(super) fn setpgid(task: &Task, pid: Pid, group: Pid) -> Result<()> {
    todo!()
}

pub(super) fn getsid(task: &Task, pid: Pid) -> Result<Pid> {
    todo!()
}

pub(super) fn setsid(task: &Task) -> Result<Pid> {
    todo!()
}

pub(super) fn times(task: &Task) -> Times {
    todo!()
}

pub(super) fn getrlimit(task: &Task, resource: Resource) -> Rlimit {
    todo!()
}

pub(super) fn setrlimit(task: &Task, resource: Resource, limit: Rlimit) -> Result<()> {
    todo!()
}

pub(super) fn nice(task: &Task, set: Option<i8>) -> Result<i8> {
    todo!()
}

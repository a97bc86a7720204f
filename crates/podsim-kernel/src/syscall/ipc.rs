//! System calls: ipc.

use crate::task::Task;
use podsim_sys::*;
use std::time::Duration;

pub(super) fn ipc_get(task: &Task, kind: IpcKind, request: IpcGet) -> Result<i32> {
    todo!()
}

pub(super) fn ipc_remove(task: &Task, kind: IpcKind, id: i32) -> Result<()> {
    todo!()
}

pub(super) fn shm_read(task: &Task, id: i32, offset: u64, buf: &mut [u8]) -> Result<usize> {
    todo!()
}

pub(super) fn shm_write(task: &Task, id: i32, offset: u64, buf: &[u8]) -> Result<usize> {
    todo!()
}

pub(super) async fn semop(task: &Task, id: i32, ops: Vec<SemOp>) -> Result<()> {
    todo!()
}

pub(super) fn semval(task: &Task, id: i32, index: u16, set: Option<u16>) -> Result<u16> {
    todo!()
}

pub(super) async fn msgsnd(task: &Task, id: i32, message: IpcMessage, no_wait: bool) -> Result<()> {
    todo!()
}

pub(super) async fn msgrcv(task: &Task, id: i32, max: usize, mtype: i64, no_wait: bool) -> Result<IpcMessage> {
    todo!()
}

//! System calls on System V IPC objects.

use crate::ipc::{IpcCaller, IpcNamespace, Object, msg, sem};
use crate::task::Task;
use podsim_sys::*;
use std::sync::Arc;

/// The caller's namespace, and the caller as its objects see it.
fn context(task: &Task) -> (Arc<IpcNamespace>, IpcCaller) {
    let ipc = task.process.namespaces().ipc.clone();
    let caller = ipc.caller(&task.process);
    (ipc, caller)
}

/// Tries until the answer is not EAGAIN: EIDRM when the object is removed meanwhile.
async fn wait<T, R>(task: &Task, object: &Object<T>, mut attempt: impl FnMut() -> Result<R>) -> Result<R> {
    task.block_on(|waker| {
        object.changed.register(waker);
        match attempt() {
            Err(Errno::EAGAIN) => None,
            result => Some(result),
        }
    })
    .await?
}

pub(super) fn ipc_get(task: &Task, kind: IpcKind, request: IpcGet) -> Result<i32> {
    let (ipc, caller) = context(task);
    ipc.get(&caller, kind, &request)
}

pub(super) fn ipc_remove(task: &Task, kind: IpcKind, id: i32) -> Result<()> {
    let (ipc, caller) = context(task);
    ipc.remove(&caller, kind, id)
}

pub(super) fn shm_read(task: &Task, id: i32, offset: u64, buf: &mut [u8]) -> Result<usize> {
    let (ipc, caller) = context(task);
    ipc.segment(id)?
        .with(&caller, 0o4, |segment| segment.read(&caller, offset, buf))
}

pub(super) fn shm_write(task: &Task, id: i32, offset: u64, buf: &[u8]) -> Result<usize> {
    let (ipc, caller) = context(task);
    ipc.segment(id)?
        .with(&caller, 0o2, |segment| segment.write(&caller, offset, buf))
}

pub(super) async fn semop(task: &Task, id: i32, ops: Vec<SemOp>) -> Result<()> {
    let (ipc, caller) = context(task);
    let wanted = sem::check_ops(&ops)?;
    let set = ipc.semaphores(id)?;
    let mut may_wait = true;
    let mut attempt = || {
        let done = set.with(&caller, wanted, |set| {
            set.operate(&caller, &ops).map_err(|(errno, wait)| {
                may_wait = wait;
                errno
            })
        });
        (done, may_wait)
    };
    match attempt() {
        (Err(Errno::EAGAIN), true) => {}
        (result, _) => return result,
    }
    task.block_on(|waker| {
        set.changed.register(waker);
        match attempt() {
            (Err(Errno::EAGAIN), true) => None,
            (result, _) => Some(result),
        }
    })
    .await?
}

pub(super) fn semval(task: &Task, id: i32, index: u16, set: Option<u16>) -> Result<u16> {
    let (ipc, caller) = context(task);
    let wanted = if set.is_some() { 0o2 } else { 0o4 };
    ipc.semaphores(id)?
        .with(&caller, wanted, |s| s.value(&caller, index, set))
}

pub(super) async fn msgsnd(task: &Task, id: i32, message: IpcMessage, no_wait: bool) -> Result<()> {
    let (ipc, caller) = context(task);
    msg::check(&message)?;
    let queue = ipc.messages(id)?;
    let attempt = || queue.with(&caller, 0o2, |q| q.send(&caller, &message));
    match attempt() {
        Err(Errno::EAGAIN) if !no_wait => wait(task, &queue, attempt).await,
        result => result,
    }
}

pub(super) async fn msgrcv(task: &Task, id: i32, max: usize, mtype: i64, no_wait: bool) -> Result<IpcMessage> {
    let (ipc, caller) = context(task);
    let queue = ipc.messages(id)?;
    let attempt = || queue.with(&caller, 0o4, |q| q.receive(&caller, max, mtype));
    match attempt() {
        Err(Errno::EAGAIN) if no_wait => Err(Errno::ENOMSG),
        Err(Errno::EAGAIN) => wait(task, &queue, attempt).await,
        result => result,
    }
}

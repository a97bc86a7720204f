//! System calls on POSIX message queues (`mq_overview(7)`).

use crate::fs::mqueue::QueueInode;
use crate::fs::permission::{generic_permission, owner_or_capable};
use crate::fs::{FileDescription, Inode};
use crate::ipc::mqueue::{MqueueRequest, PosixQueue};
use crate::task::Task;
use podsim_sys::*;
use std::sync::Arc;

/// The name without its slash: EINVAL without one, EACCES with another one in it.
fn checked(name: &str) -> Result<&str> {
    let name = name.strip_prefix('/').ok_or(Errno::EINVAL)?;
    match name {
        "" => Err(Errno::ENOENT),
        name if name.contains('/') || name == "." || name == ".." => Err(Errno::EACCES),
        name if name.len() > 255 => Err(Errno::ENAMETOOLONG),
        name => Ok(name),
    }
}

pub(super) fn mq_open(task: &Task, name: &str, flags: OpenFlags, mode: Mode, attr: Option<MqAttr>) -> Result<Fd> {
    let name = checked(name)?;
    let ipc = task.process.namespaces().ipc.clone();
    let credentials = task.process.credentials();
    let queue = match ipc.mqueue(name) {
        Ok(_) if flags.contains(OpenFlags::CREAT | OpenFlags::EXCL) => return Err(Errno::EEXIST),
        Ok(queue) => {
            let mut wanted = Access::empty();
            wanted.set(Access::READ, flags.readable());
            wanted.set(Access::WRITE, flags.writable());
            generic_permission(&Inode::stat(&*QueueInode::new(queue.clone()))?, &credentials, wanted)?;
            queue
        }
        Err(Errno::ENOENT) if flags.contains(OpenFlags::CREAT) => {
            let umask = task.process.fs.lock().umask;
            let mut request = MqueueRequest {
                mode: Mode(mode.0 & 0o777 & !umask.0),
                uid: credentials.fsuid,
                gid: credentials.fsgid,
                ..MqueueRequest::default()
            };
            if let Some(attr) = attr {
                let limit = |n: u32| usize::try_from(n).map_err(|_| Errno::EINVAL);
                request.messages = limit(attr.messages)?;
                request.message_size = limit(attr.message_size)?;
            }
            ipc.create_mqueue(name, request)?
        }
        Err(errno) => return Err(errno),
    };
    let access = flags & (OpenFlags::WRONLY | OpenFlags::RDWR | OpenFlags::NONBLOCK);
    let file = FileDescription::new(QueueInode::new(queue), access);
    // mq_open(3): close-on-exec is always set.
    task.process.files.insert(file, true)
}

/// An open queue; EBADF for anything else, and for one that was not opened for this.
fn open(task: &Task, fd: Fd, allowed: fn(OpenFlags) -> bool) -> Result<(Arc<FileDescription>, Arc<PosixQueue>)> {
    let file = task.process.files.get(fd)?;
    let queue = file
        .ops()
        .mqueue()
        .filter(|_| allowed(file.flags()))
        .ok_or(Errno::EBADF)?
        .clone();
    Ok((file, queue))
}

pub(super) async fn mq_send(task: &Task, fd: Fd, data: Vec<u8>, priority: u32) -> Result<()> {
    let (file, queue) = open(task, fd, OpenFlags::writable)?;
    task.retry(&file, |_| queue.send(&data, priority)).await
}

pub(super) async fn mq_receive(task: &Task, fd: Fd, max: usize) -> Result<(Vec<u8>, u32)> {
    let (file, queue) = open(task, fd, OpenFlags::readable)?;
    task.retry(&file, |_| queue.receive(max)).await
}

pub(super) fn mq_unlink(task: &Task, name: &str) -> Result<()> {
    let name = checked(name)?;
    let ipc = task.process.namespaces().ipc.clone();
    let queue = ipc.mqueue(name)?;
    // The directory is sticky: only the owner, or who may act as one. mq_unlink(3) says EACCES where unlink(2) says EPERM.
    let stat = Inode::stat(&*QueueInode::new(queue))?;
    owner_or_capable(&stat, &task.process.credentials()).map_err(|_| Errno::EACCES)?;
    ipc.unlink_mqueue(name)
}

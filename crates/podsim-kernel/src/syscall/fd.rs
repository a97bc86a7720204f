//! System calls on file descriptors: `dup(2)`, `pipe(2)`, `fcntl(2)`, `poll(2)`, `eventfd(2)`.

use crate::eventfd::EventFd;
use crate::fs::FileDescription;
use crate::fs::pipe::Pipe;
use crate::task::Task;
use podsim_sys::*;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

pub(super) fn dup(task: &Task, fd: Fd, min: Fd, cloexec: bool) -> Result<Fd> {
    let files = &task.process.files;
    files.insert_from(min, files.get(fd)?, cloexec)
}

pub(super) fn dup2(task: &Task, from: Fd, to: Fd, cloexec: bool) -> Result<Fd> {
    let files = &task.process.files;
    let file = files.get(from)?;
    if from != to {
        files.set(to, file, cloexec)?;
    }
    Ok(to)
}

pub(super) fn pipe(task: &Task, flags: OpenFlags) -> Result<(Fd, Fd)> {
    if !(OpenFlags::CLOEXEC | OpenFlags::NONBLOCK).contains(flags) {
        return Err(Errno::EINVAL);
    }
    let inode = task.kernel.allocate_anonymous_inode();
    let (reader, writer) = Pipe::new(inode, task.kernel.clock().realtime()).ends();
    let files = &task.process.files;
    let cloexec = flags.contains(OpenFlags::CLOEXEC);
    let status = flags & OpenFlags::NONBLOCK;
    let read = files.insert(FileDescription::new(reader, status), cloexec)?;
    match files.insert(FileDescription::new(writer, status | OpenFlags::WRONLY), cloexec) {
        Ok(write) => Ok((read, write)),
        Err(errno) => {
            files.remove(read)?;
            Err(errno)
        }
    }
}

pub(super) fn get_status_flags(task: &Task, fd: Fd) -> Result<OpenFlags> {
    Ok(task.process.files.get(fd)?.flags())
}

pub(super) fn set_status_flags(task: &Task, fd: Fd, flags: OpenFlags) -> Result<()> {
    task.process.files.get(fd)?.set_status_flags(flags);
    Ok(())
}

pub(super) fn get_cloexec(task: &Task, fd: Fd) -> Result<bool> {
    task.process.files.cloexec(fd)
}

pub(super) fn set_cloexec(task: &Task, fd: Fd, cloexec: bool) -> Result<()> {
    task.process.files.set_cloexec(fd, cloexec)
}

/// Looks at all files once; with a waker, registers with them first.
fn look(files: &[Option<Arc<FileDescription>>], fds: &mut [PollFd], waker: Option<&Waker>) -> usize {
    const ALWAYS: PollEvents = PollEvents::ERR.union(PollEvents::HUP);
    let mut ready = 0;
    for (file, entry) in files.iter().zip(fds) {
        entry.revents = match file {
            _ if entry.fd.0 < 0 => PollEvents::empty(),
            Some(file) => file.ops().poll(waker) & (entry.events | ALWAYS),
            None => PollEvents::NVAL,
        };
        ready += usize::from(!entry.revents.is_empty());
    }
    ready
}

pub(super) async fn poll(task: &Task, fds: &mut [PollFd], timeout: Option<Duration>) -> Result<usize> {
    let limit = task.process.limits.lock().get(Resource::Nofile).soft;
    if limit.is_some_and(|limit| fds.len() as u64 > limit) {
        return Err(Errno::EINVAL);
    }
    let files: Vec<_> = fds.iter().map(|entry| task.process.files.get(entry.fd).ok()).collect();
    let ready = look(&files, fds, None);
    if ready > 0 || timeout == Some(Duration::ZERO) {
        return Ok(ready);
    }
    let clock = task.kernel.clock();
    let deadline = timeout.map(|timeout| clock.monotonic().saturating_add(timeout));
    // To a terminal, a program that polls for input is one that waits to read it.
    let reads = |entry: &PollFd| entry.events.contains(PollEvents::IN);
    let tty = files.iter().zip(fds.iter()).filter(|(_, entry)| reads(entry));
    let tty = tty
        .filter_map(|(file, _)| file.as_ref())
        .find(|file| file.ops().tty().is_some());
    let _reading = tty.and_then(|file| task.note_reading(file));
    let mut armed: Option<Waker> = None;
    task.block_on(|waker| {
        if let Some(deadline) = deadline.filter(|_| !armed.as_ref().is_some_and(|w| w.will_wake(waker))) {
            clock.wake_at(deadline, waker);
            armed = Some(waker.clone());
        }
        let ready = look(&files, fds, Some(waker));
        let timed_out = deadline.is_some_and(|deadline| clock.monotonic() >= deadline);
        (ready > 0 || timed_out).then_some(ready)
    })
    .await
}

pub(super) fn eventfd(task: &Task, initial: u64, semaphore: bool, flags: OpenFlags) -> Result<Fd> {
    if !(OpenFlags::CLOEXEC | OpenFlags::NONBLOCK).contains(flags) {
        return Err(Errno::EINVAL);
    }
    let inode = task.kernel.allocate_anonymous_inode();
    let ops = EventFd::new(initial, semaphore, inode, task.kernel.clock().realtime());
    let file = FileDescription::new(Arc::new(ops), (flags & OpenFlags::NONBLOCK) | OpenFlags::RDWR);
    task.process.files.insert(file, flags.contains(OpenFlags::CLOEXEC))
}

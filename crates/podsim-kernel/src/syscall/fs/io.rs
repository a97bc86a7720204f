//! System calls on open files: open, close, read, write, seek, and what belongs to them.

use super::start;
use crate::fs::open::{Opened, open};
use crate::fs::pipe::Pipe;
use crate::fs::{FileDescription, PathRef};
use crate::task::Task;
use podsim_sys::*;
use std::sync::Arc;

pub(in crate::syscall) async fn openat(task: &Task, dir: Fd, path: &str, flags: OpenFlags, mode: Mode) -> Result<Fd> {
    let file = open_file(task, dir, path, flags, mode).await?;
    let fd = task
        .process
        .files
        .insert(file.clone(), flags.contains(OpenFlags::CLOEXEC))?;
    crate::tty::opened(task, &file, flags);
    Ok(fd)
}

/// Opens a path at once, without a number: EAGAIN for what would have to wait.
pub(in crate::syscall) fn open_now(task: &Task, path: &str, flags: OpenFlags) -> Result<Arc<FileDescription>> {
    let (caller, start) = start(task, Fd::CWD, path)?;
    match open(&caller, &start, path, flags, Mode(0))? {
        Opened::File(file) => Ok(file),
        Opened::Fifo(_) => Err(Errno::EAGAIN),
    }
}

async fn open_file(task: &Task, dir: Fd, path: &str, flags: OpenFlags, mode: Mode) -> Result<Arc<FileDescription>> {
    let (caller, start) = start(task, dir, path)?;
    match open(&caller, &start, path, flags, mode)? {
        Opened::File(file) => Ok(file),
        Opened::Fifo(path) => open_fifo(task, path, flags).await,
    }
}

async fn open_fifo(task: &Task, path: PathRef, flags: OpenFlags) -> Result<Arc<FileDescription>> {
    let inode = path.inode().clone();
    let kernel = task.kernel();
    let made = || Pipe::new(kernel.allocate_anonymous_inode(), kernel.clock().realtime());
    let pipe = inode.slot().ok_or(Errno::ENXIO)?.get_or_init(made);
    let stat = Box::new(move || inode.stat());
    let ops = pipe.open_fifo(task, flags, stat).await?;
    Ok(FileDescription::with_path(ops, flags, Some(path)))
}

pub(in crate::syscall) fn close(task: &Task, fd: Fd) -> Result<()> {
    task.process.files.remove(fd).map(drop)
}

pub(in crate::syscall) async fn read(task: &Task, fd: Fd, buf: &mut [u8]) -> Result<usize> {
    let file = task.process.files.get(fd)?;
    if file.ops().socket().is_some() {
        return Ok(crate::syscall::net::recvfrom(task, fd, buf, MsgFlags::empty()).await?.0);
    }
    task.read_file(&file, buf).await
}

pub(in crate::syscall) async fn write(task: &Task, fd: Fd, buf: &[u8]) -> Result<usize> {
    let file = task.process.files.get(fd)?;
    if file.ops().socket().is_some() {
        return crate::syscall::net::sendto(task, fd, buf, MsgFlags::empty(), None).await;
    }
    match size_limit(task, &file) {
        Some(limit) => file
            .try_write_below(buf, limit)
            .inspect_err(|errno| too_large(task, *errno)),
        None => task.write_file(&file, buf).await,
    }
}

/// `RLIMIT_FSIZE`, where it means something: regular files.
fn size_limit(task: &Task, file: &FileDescription) -> Option<u64> {
    let limit = task.process.limits.lock().get(Resource::Fsize).soft?;
    let regular = file.ops().stat().is_ok_and(|stat| stat.file_type == FileType::Regular);
    regular.then_some(limit)
}

/// A write beyond `RLIMIT_FSIZE` comes with SIGXFSZ.
fn too_large(task: &Task, errno: Errno) {
    if errno == Errno::EFBIG {
        task.kernel.send(&task.process, Signal::XFSZ);
    }
}

/// A position that `pread(2)` and the like take.
fn position(file: &FileDescription, offset: u64) -> Result<u64> {
    if i64::try_from(offset).is_err() {
        return Err(Errno::EINVAL);
    }
    if file.ops().seekable() {
        Ok(offset)
    } else {
        Err(Errno::ESPIPE)
    }
}

pub(in crate::syscall) fn pread(task: &Task, fd: Fd, buf: &mut [u8], offset: u64) -> Result<usize> {
    let file = task.process.files.get(fd)?;
    if !file.flags().readable() {
        return Err(Errno::EBADF);
    }
    file.ops().read_at(buf, position(&file, offset)?)
}

pub(in crate::syscall) fn pwrite(task: &Task, fd: Fd, buf: &[u8], offset: u64) -> Result<usize> {
    let file = task.process.files.get(fd)?;
    let flags = file.flags();
    if !flags.writable() {
        return Err(Errno::EBADF);
    }
    let offset = position(&file, offset)?;
    // On Linux a file with O_APPEND appends even here (pwrite(2), BUGS).
    let append = flags.contains(OpenFlags::APPEND);
    let mut buf = buf;
    if let Some(limit) = size_limit(task, &file) {
        let from = if append { file.ops().stat()?.size } else { offset };
        buf = crate::fs::file::below(buf, from, limit).inspect_err(|errno| too_large(task, *errno))?;
    }
    file.ops().write_at(buf, offset, append).map(|(n, _)| n)
}

pub(in crate::syscall) fn lseek(task: &Task, fd: Fd, offset: i64, whence: Whence) -> Result<u64> {
    let file = task.process.files.get(fd)?;
    if file.flags().contains(OpenFlags::PATH) {
        return Err(Errno::EBADF);
    }
    file.seek(offset, whence)
}

pub(in crate::syscall) fn ftruncate(task: &Task, fd: Fd, size: u64) -> Result<()> {
    let file = task.process.files.get(fd)?;
    if file.flags().contains(OpenFlags::PATH) {
        return Err(Errno::EBADF);
    }
    if !file.flags().writable() || i64::try_from(size).is_err() {
        return Err(Errno::EINVAL);
    }
    within_limit(task, &file, size)?;
    file.ops().truncate(size)
}

fn within_limit(task: &Task, file: &FileDescription, size: u64) -> Result<()> {
    let Some(limit) = size_limit(task, file) else {
        return Ok(());
    };
    if size > limit && size > file.ops().stat()?.size {
        too_large(task, Errno::EFBIG);
        return Err(Errno::EFBIG);
    }
    Ok(())
}

pub(in crate::syscall) fn fallocate(task: &Task, fd: Fd, offset: u64, len: u64) -> Result<()> {
    let file = task.process.files.get(fd)?;
    if !file.flags().writable() {
        return Err(Errno::EBADF);
    }
    if len == 0 || i64::try_from(offset).is_err() || i64::try_from(len).is_err() {
        return Err(Errno::EINVAL);
    }
    if file.ops().stat()?.file_type == FileType::Fifo {
        return Err(Errno::ESPIPE);
    }
    within_limit(task, &file, offset.saturating_add(len))?;
    file.ops().allocate(offset, len)
}

pub(in crate::syscall) fn fsync(task: &Task, fd: Fd) -> Result<()> {
    let file = task.process.files.get(fd)?;
    if file.flags().contains(OpenFlags::PATH) {
        return Err(Errno::EBADF);
    }
    match file.ops().stat()?.file_type {
        FileType::Regular | FileType::Directory | FileType::BlockDevice => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

pub(in crate::syscall) fn fstat(task: &Task, fd: Fd) -> Result<Stat> {
    task.process.files.get(fd)?.ops().stat()
}

pub(in crate::syscall) fn getdents(task: &Task, fd: Fd, start: u64, max: usize) -> Result<Vec<DirEntry>> {
    task.process.files.get(fd)?.ops().getdents(start, max)
}

pub(in crate::syscall) async fn flock(task: &Task, fd: Fd, op: Flock, no_wait: bool) -> Result<()> {
    let file = task.process.files.get(fd)?;
    if file.flags().contains(OpenFlags::PATH) {
        return Err(Errno::EBADF);
    }
    if no_wait {
        return file.try_flock(op, None);
    }
    task.block_on(|waker| match file.try_flock(op, Some(waker)) {
        Err(Errno::EAGAIN) => None,
        result => Some(result),
    })
    .await?
}

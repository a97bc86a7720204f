//! System calls: fs.

use crate::task::Task;
use podsim_sys::*;
use std::time::Duration;

pub(super) async fn openat(task: &Task, dir: Fd, path: &str, flags: OpenFlags, mode: Mode) -> Result<Fd> {
    todo!()
}

/// Opens a path at once, without a number: EAGAIN for what would have to wait.
pub(super) fn open_now(
    task: &Task,
    path: &str,
    flags: OpenFlags,
) -> Result<std::sync::Arc<crate::fs::FileDescription>> {
    use crate::fs::{Caller, open};
    let caller = Caller::of(task);
    match open::open(&caller, &caller.fs.cwd.clone(), path, flags, Mode(0))? {
        open::Opened::File(file) => Ok(file),
        open::Opened::Fifo(_) => Err(Errno::EAGAIN),
    }
}

pub(super) fn close(task: &Task, fd: Fd) -> Result<()> {
    todo!()
}

pub(super) async fn read(task: &Task, fd: Fd, buf: &mut [u8]) -> Result<usize> {
    todo!()
}

pub(super) async fn write(task: &Task, fd: Fd, buf: &[u8]) -> Result<usize> {
    todo!()
}

pub(super) fn pread(task: &Task, fd: Fd, buf: &mut [u8], offset: u64) -> Result<usize> {
    todo!()
}

pub(super) fn pwrite(task: &Task, fd: Fd, buf: &[u8], offset: u64) -> Result<usize> {
    todo!()
}

pub(super) fn lseek(task: &Task, fd: Fd, offset: i64, whence: Whence) -> Result<u64> {
    todo!()
}

pub(super) fn ftruncate(task: &Task, fd: Fd, size: u64) -> Result<()> {
    todo!()
}

pub(super) fn fallocate(task: &Task, fd: Fd, offset: u64, len: u64) -> Result<()> {
    todo!()
}

pub(super) fn fsync(task: &Task, fd: Fd) -> Result<()> {
    todo!()
}

pub(super) fn fstat(task: &Task, fd: Fd) -> Result<Stat> {
    todo!()
}

pub(super) fn fstatat(task: &Task, dir: Fd, path: &str, follow: bool) -> Result<Stat> {
    todo!()
}

pub(super) fn faccessat(task: &Task, dir: Fd, path: &str, access: Access) -> Result<()> {
    todo!()
}

pub(super) fn fchmodat(task: &Task, dir: Fd, path: &str, mode: Mode) -> Result<()> {
    todo!()
}

pub(super) fn fchmod(task: &Task, fd: Fd, mode: Mode) -> Result<()> {
    todo!()
}

pub(super) fn fchownat(
    task: &Task,
    dir: Fd,
    path: &str,
    uid: Option<u32>,
    gid: Option<u32>,
    follow: bool,
) -> Result<()> {
    todo!()
}

pub(super) fn utimensat(task: &Task, dir: Fd, path: &str, atime: SetTime, mtime: SetTime, follow: bool) -> Result<()> {
    todo!()
}

pub(super) fn futimens(task: &Task, fd: Fd, atime: SetTime, mtime: SetTime) -> Result<()> {
    todo!()
}

pub(super) fn getdents(task: &Task, fd: Fd, start: u64, max: usize) -> Result<Vec<DirEntry>> {
    todo!()
}

pub(super) fn mkdirat(task: &Task, dir: Fd, path: &str, mode: Mode) -> Result<()> {
    todo!()
}

pub(super) fn mknodat(
    task: &Task,
    dir: Fd,
    path: &str,
    file_type: FileType,
    mode: Mode,
    device: DeviceNumber,
) -> Result<()> {
    todo!()
}

pub(super) fn unlinkat(task: &Task, dir: Fd, path: &str, directory: bool) -> Result<()> {
    todo!()
}

pub(super) fn renameat(task: &Task, old_dir: Fd, old: &str, new_dir: Fd, new: &str) -> Result<()> {
    todo!()
}

pub(super) fn linkat(task: &Task, old_dir: Fd, old: &str, new_dir: Fd, new: &str, follow: bool) -> Result<()> {
    todo!()
}

pub(super) fn symlinkat(task: &Task, target: &str, dir: Fd, path: &str) -> Result<()> {
    todo!()
}

pub(super) fn readlinkat(task: &Task, dir: Fd, path: &str) -> Result<String> {
    todo!()
}

pub(super) fn statfs(task: &Task, path: &str) -> Result<StatFs> {
    todo!()
}

pub(super) async fn flock(task: &Task, fd: Fd, op: Flock, no_wait: bool) -> Result<()> {
    todo!()
}

pub(super) fn umask(task: &Task, mask: Mode) -> Mode {
    todo!()
}

pub(super) fn getcwd(task: &Task) -> Result<String> {
    todo!()
}

pub(super) fn chdir(task: &Task, path: &str) -> Result<()> {
    todo!()
}

pub(super) fn fchdir(task: &Task, fd: Fd) -> Result<()> {
    todo!()
}

pub(super) fn chroot(task: &Task, path: &str) -> Result<()> {
    todo!()
}

pub(super) fn mount(
    task: &Task,
    source: &str,
    target: &str,
    fstype: &str,
    flags: MountFlags,
    data: &str,
) -> Result<()> {
    todo!()
}

pub(super) fn umount(task: &Task, target: &str, lazy: bool) -> Result<()> {
    todo!()
}

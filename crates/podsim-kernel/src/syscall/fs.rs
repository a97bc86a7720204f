//! System calls: files. Names and attributes are here; open files in `io`, mounts in `mount`.

mod io;
mod mount;

pub(super) use io::*;
pub(super) use mount::*;

use crate::fs::namei::{PATH_MAX, lookup};
use crate::fs::{Caller, PathRef, attr, names};
use crate::task::Task;
use podsim_sys::*;

/// The caller, and where a path that is relative to `dir` begins.
fn start(task: &Task, dir: Fd, path: &str) -> Result<(Caller, PathRef)> {
    let caller = Caller::of(task);
    let start = if path.starts_with('/') || dir == Fd::CWD {
        caller.fs.cwd.clone()
    } else {
        let file = task.process.files.get(dir)?;
        file.path()
            .filter(|path| path.is_dir())
            .cloned()
            .ok_or(Errno::ENOTDIR)?
    };
    Ok((caller, start))
}

/// What a path names.
fn find(task: &Task, dir: Fd, path: &str, follow: bool) -> Result<(Caller, PathRef)> {
    let (caller, start) = start(task, dir, path)?;
    let found = lookup(&caller, &start, path, follow)?;
    Ok((caller, found))
}

/// Where an open file was found, for calls that change what is there.
fn path_of(task: &Task, fd: Fd) -> Result<PathRef> {
    let file = task.process.files.get(fd)?;
    if file.flags().contains(OpenFlags::PATH) {
        return Err(Errno::EBADF);
    }
    // Pipes, sockets and the like have no attributes that could be changed.
    file.path().cloned().ok_or(Errno::EINVAL)
}

pub(super) fn fstatat(task: &Task, dir: Fd, path: &str, follow: bool) -> Result<Stat> {
    let (caller, start) = start(task, dir, path)?;
    crate::fs::open::stat(&caller, &start, path, follow)
}

pub(super) fn faccessat(task: &Task, dir: Fd, path: &str, access: Access) -> Result<()> {
    let (caller, start) = start(task, dir, path)?;
    let caller = caller.with_real_ids();
    let found = lookup(&caller, &start, path, true)?;
    let file_type = found.inode().file_type();
    let device = !matches!(file_type, FileType::Regular | FileType::Directory | FileType::Symlink);
    if access.contains(Access::EXEC)
        && file_type == FileType::Regular
        && found.mount.flags().contains(MountFlags::NOEXEC)
    {
        return Err(Errno::EACCES);
    }
    found.inode().permission(&caller, access)?;
    if access.contains(Access::WRITE) && !device {
        found.check_writable()?;
    }
    Ok(())
}

pub(super) fn fchmodat(task: &Task, dir: Fd, path: &str, mode: Mode) -> Result<()> {
    let (caller, found) = find(task, dir, path, true)?;
    attr::chmod(&caller, &found, mode)
}

pub(super) fn fchmod(task: &Task, fd: Fd, mode: Mode) -> Result<()> {
    attr::chmod(&Caller::of(task), &path_of(task, fd)?, mode)
}

pub(super) fn fchownat(
    task: &Task,
    dir: Fd,
    path: &str,
    uid: Option<u32>,
    gid: Option<u32>,
    follow: bool,
) -> Result<()> {
    let (caller, found) = find(task, dir, path, follow)?;
    attr::chown(&caller, &found, uid, gid)
}

pub(super) fn utimensat(task: &Task, dir: Fd, path: &str, atime: SetTime, mtime: SetTime, follow: bool) -> Result<()> {
    let (caller, found) = find(task, dir, path, follow)?;
    attr::utimens(&caller, &found, atime, mtime, task.kernel().clock().realtime())
}

pub(super) fn futimens(task: &Task, fd: Fd, atime: SetTime, mtime: SetTime) -> Result<()> {
    let found = path_of(task, fd)?;
    attr::utimens(
        &Caller::of(task),
        &found,
        atime,
        mtime,
        task.kernel().clock().realtime(),
    )
}

pub(super) fn mkdirat(task: &Task, dir: Fd, path: &str, mode: Mode) -> Result<()> {
    let (caller, start) = start(task, dir, path)?;
    names::mkdir(&caller, &start, path, mode).map(drop)
}

pub(super) fn mknodat(
    task: &Task,
    dir: Fd,
    path: &str,
    file_type: FileType,
    mode: Mode,
    device: DeviceNumber,
) -> Result<()> {
    let (caller, start) = start(task, dir, path)?;
    names::mknod(&caller, &start, path, file_type, mode, device).map(drop)
}

pub(super) fn unlinkat(task: &Task, dir: Fd, path: &str, directory: bool) -> Result<()> {
    let (caller, start) = start(task, dir, path)?;
    if directory {
        names::rmdir(&caller, &start, path)
    } else {
        names::unlink(&caller, &start, path)
    }
}

pub(super) fn renameat(task: &Task, old_dir: Fd, old: &str, new_dir: Fd, new: &str) -> Result<()> {
    let (caller, old_start) = start(task, old_dir, old)?;
    let (_, new_start) = start(task, new_dir, new)?;
    names::rename(&caller, &old_start, old, &new_start, new)
}

pub(super) fn linkat(task: &Task, old_dir: Fd, old: &str, new_dir: Fd, new: &str, follow: bool) -> Result<()> {
    let (caller, old_start) = start(task, old_dir, old)?;
    let (_, new_start) = start(task, new_dir, new)?;
    names::link(&caller, &old_start, old, &new_start, new, follow)
}

pub(super) fn symlinkat(task: &Task, target: &str, dir: Fd, path: &str) -> Result<()> {
    let (caller, start) = start(task, dir, path)?;
    names::symlink(&caller, target, &start, path).map(drop)
}

pub(super) fn readlinkat(task: &Task, dir: Fd, path: &str) -> Result<String> {
    let (caller, found) = find(task, dir, path, false)?;
    found.inode().read_link(&caller)
}

pub(super) fn statfs(task: &Task, path: &str) -> Result<StatFs> {
    let (_, found) = find(task, Fd::CWD, path, true)?;
    Ok(found.mount.sb().fs().statfs())
}

pub(super) fn umask(task: &Task, mask: Mode) -> Mode {
    std::mem::replace(&mut task.process.fs.lock().umask, Mode(mask.0 & 0o777))
}

pub(super) fn getcwd(task: &Task) -> Result<String> {
    let caller = Caller::of(task);
    let path = caller.fs.cwd.reachable(&caller.fs.root).ok_or(Errno::ENOENT)?;
    if path.len() >= PATH_MAX {
        Err(Errno::ENAMETOOLONG)
    } else {
        Ok(path)
    }
}

/// A directory that the caller may stand in.
fn enterable(caller: &Caller, path: PathRef) -> Result<PathRef> {
    if !path.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    path.inode().permission(caller, Access::EXEC)?;
    Ok(path)
}

pub(super) fn chdir(task: &Task, path: &str) -> Result<()> {
    let (caller, found) = find(task, Fd::CWD, path, true)?;
    let cwd = enterable(&caller, found)?;
    let old = std::mem::replace(&mut task.process.fs.lock().cwd, cwd);
    drop(old);
    Ok(())
}

pub(super) fn fchdir(task: &Task, fd: Fd) -> Result<()> {
    let found = task.process.files.get(fd)?.path().cloned().ok_or(Errno::ENOTDIR)?;
    let cwd = enterable(&Caller::of(task), found)?;
    let old = std::mem::replace(&mut task.process.fs.lock().cwd, cwd);
    drop(old);
    Ok(())
}

pub(super) fn chroot(task: &Task, path: &str) -> Result<()> {
    let (caller, found) = find(task, Fd::CWD, path, true)?;
    let root = enterable(&caller, found)?;
    if !caller.capable(Capability::SYS_CHROOT) {
        return Err(Errno::EPERM);
    }
    let old = std::mem::replace(&mut task.process.fs.lock().root, root);
    drop(old);
    Ok(())
}

//! Calls that make and remove names: mkdir, mknod, symlink, link, unlink, rmdir, rename (Linux's `vfs_mkdir` and so on).
//!
//! Each looks the directory up, then does its checks and the change itself under the filesystem's tree lock, so that a name is
//! never made twice or removed under somebody's feet.

use super::caller::Caller;
use super::dentry::Dentry;
use super::inode::NewInode;
use super::namei::{Last, lookup, lookup_parent};
use super::path::PathRef;
use super::permission::{check_sticky, owner_or_capable};
use podsim_sys::{Access, Capability, DeviceNumber, Errno, FileType, Mode, Result};
use std::sync::Arc;

const CHANGE: Access = Access::WRITE.union(Access::EXEC);

/// `mkdirat(2)`.
pub fn mkdir(caller: &Caller, start: &PathRef, path: &str, mode: Mode) -> Result<PathRef> {
    let (dir, last) = lookup_parent(caller, start, path)?;
    let Last::Name { name, .. } = last else {
        return Err(Errno::EEXIST);
    };
    let mode = Mode(mode.0 & (0o777 | Mode::STICKY));
    create_in(
        caller,
        &dir,
        &name,
        FileType::Directory,
        mode,
        DeviceNumber::default(),
        "",
    )
}

/// `mknodat(2)`: FIFOs, sockets, devices (with CAP_MKNOD) and regular files.
pub fn mknod(
    caller: &Caller,
    start: &PathRef,
    path: &str,
    file_type: FileType,
    mode: Mode,
    device: DeviceNumber,
) -> Result<PathRef> {
    match file_type {
        FileType::Directory => return Err(Errno::EPERM),
        FileType::Symlink => return Err(Errno::EINVAL),
        FileType::CharDevice | FileType::BlockDevice if !caller.capable_on_node(Capability::MKNOD) => {
            return Err(Errno::EPERM);
        }
        _ => {}
    }
    let (dir, name) = new_name(caller, start, path)?;
    create_in(caller, &dir, &name, file_type, mode, device, "")
}

/// `symlinkat(2)`.
pub fn symlink(caller: &Caller, target: &str, start: &PathRef, path: &str) -> Result<PathRef> {
    if target.is_empty() {
        return Err(Errno::ENOENT);
    }
    if target.len() >= super::namei::PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    let (dir, name) = new_name(caller, start, path)?;
    create_in(
        caller,
        &dir,
        &name,
        FileType::Symlink,
        Mode(0o777),
        DeviceNumber::default(),
        target,
    )
}

/// The directory and the name of something new that is no directory.
fn new_name(caller: &Caller, start: &PathRef, path: &str) -> Result<(PathRef, String)> {
    let (dir, last) = lookup_parent(caller, start, path)?;
    match last {
        Last::Name { name, slash: false } => Ok((dir, name)),
        Last::Name { name, slash: true } => Err(match dir.dentry.lookup(&name, &dir.mount.sb().tree) {
            Ok(_) => Errno::EEXIST,
            Err(errno) => errno,
        }),
        Last::Dot | Last::DotDot => Err(Errno::EEXIST),
    }
}

/// Makes a new object in a directory. `mode` is what was asked for: the umask is taken off here.
pub(super) fn create_in(
    caller: &Caller,
    dir: &PathRef,
    name: &str,
    file_type: FileType,
    mode: Mode,
    rdev: DeviceNumber,
    target: &str,
) -> Result<PathRef> {
    let _tree = dir.mount.sb().tree.write();
    may_add(caller, dir, name)?;
    let parent = dir.stat()?;
    let who = &caller.credentials;
    let mut bits = mode.0 & 0o7777;
    if file_type != FileType::Symlink {
        bits &= !(caller.fs.umask.0 & 0o777);
    }
    // A set-group-id directory hands its group on, and to directories the bit too (inode_init_owner in fs/inode.c).
    let inherit = parent.mode.0 & Mode::SETGID != 0;
    let gid = if inherit { parent.gid } else { who.fsgid };
    if inherit && file_type == FileType::Directory {
        bits |= Mode::SETGID;
    } else if bits & Mode::SETGID != 0 && !who.in_group(gid) && !who.capable(Capability::FSETID) {
        bits &= !Mode::SETGID;
    }
    let new = NewInode {
        file_type,
        mode: Mode(bits),
        uid: who.fsuid,
        gid,
        rdev,
        target: target.into(),
    };
    let inode = dir.inode().create(name, &new)?;
    Ok(dir.with_dentry(dir.dentry.remember(name, inode)))
}

/// Whether the caller may add this name: EEXIST before everything else, as Linux does.
fn may_add(caller: &Caller, dir: &PathRef, name: &str) -> Result<()> {
    if dir.dentry.is_removed() {
        return Err(Errno::ENOENT);
    }
    match dir.dentry.lookup_locked(name) {
        Ok(_) => return Err(Errno::EEXIST),
        Err(Errno::ENOENT) => {}
        Err(errno) => return Err(errno),
    }
    dir.check_writable()?;
    dir.inode().permission(caller, CHANGE)
}

/// Whether the caller may take this name out of its directory.
fn may_remove(caller: &Caller, dir: &PathRef, entry: &Arc<Dentry>) -> Result<()> {
    dir.check_writable()?;
    dir.inode().permission(caller, CHANGE)?;
    check_sticky(&dir.stat()?, &entry.inode().stat()?, &caller.credentials)?;
    let mounted = dir.mount.namespace().is_some_and(|ns| ns.is_mountpoint(entry));
    if mounted { Err(Errno::EBUSY) } else { Ok(()) }
}

fn is_dir(dentry: &Arc<Dentry>) -> bool {
    dentry.inode().file_type() == FileType::Directory
}

/// `unlink(2)`.
pub fn unlink(caller: &Caller, start: &PathRef, path: &str) -> Result<()> {
    let (dir, last) = lookup_parent(caller, start, path)?;
    let Last::Name { name, slash } = last else {
        return Err(Errno::EISDIR);
    };
    let _tree = dir.mount.sb().tree.write();
    let entry = dir.dentry.lookup_locked(&name)?;
    if slash {
        return Err(if is_dir(&entry) { Errno::EISDIR } else { Errno::ENOTDIR });
    }
    may_remove(caller, &dir, &entry)?;
    if is_dir(&entry) {
        return Err(Errno::EISDIR);
    }
    dir.inode().unlink(&name)?;
    dir.dentry.forget(&name);
    Ok(())
}

/// `rmdir(2)`.
pub fn rmdir(caller: &Caller, start: &PathRef, path: &str) -> Result<()> {
    let (dir, last) = lookup_parent(caller, start, path)?;
    let name = match last {
        Last::Name { name, .. } => name,
        Last::Dot if path.trim_end_matches('/').is_empty() => return Err(Errno::EBUSY),
        Last::Dot => return Err(Errno::EINVAL),
        Last::DotDot => return Err(Errno::ENOTEMPTY),
    };
    let _tree = dir.mount.sb().tree.write();
    let entry = dir.dentry.lookup_locked(&name)?;
    may_remove(caller, &dir, &entry)?;
    if !is_dir(&entry) {
        return Err(Errno::ENOTDIR);
    }
    dir.inode().rmdir(&name)?;
    dir.dentry.forget(&name);
    Ok(())
}

/// `linkat(2)`.
pub fn link(
    caller: &Caller,
    old_start: &PathRef,
    old: &str,
    new_start: &PathRef,
    new: &str,
    follow: bool,
) -> Result<()> {
    let target = lookup(caller, old_start, old, follow)?;
    let (dir, name) = new_name(caller, new_start, new)?;
    let _tree = dir.mount.sb().tree.write();
    may_add_link(caller, &dir, &name, &target)?;
    dir.inode().link(&name, target.inode())?;
    dir.dentry.remember(&name, target.inode().clone());
    Ok(())
}

fn may_add_link(caller: &Caller, dir: &PathRef, name: &str, target: &PathRef) -> Result<()> {
    match dir.dentry.lookup_locked(name) {
        Ok(_) => return Err(Errno::EEXIST),
        Err(Errno::ENOENT) => {}
        Err(errno) => return Err(errno),
    }
    if !Arc::ptr_eq(&dir.mount, &target.mount) {
        return Err(Errno::EXDEV);
    }
    may_add(caller, dir, name)?;
    if target.is_dir() {
        return Err(Errno::EPERM);
    }
    // fs.protected_hardlinks = 1, as distributions set it: only what one owns, or may read and write anyway.
    let stat = target.stat()?;
    let plain = stat.file_type == FileType::Regular && stat.mode.0 & Mode::SETUID == 0;
    let usable = || target.inode().permission(caller, Access::READ | Access::WRITE).is_ok();
    if owner_or_capable(&stat, &caller.credentials).is_err() && !(plain && usable()) {
        return Err(Errno::EPERM);
    }
    Ok(())
}

/// `renameat(2)`.
pub fn rename(caller: &Caller, old_start: &PathRef, old: &str, new_start: &PathRef, new: &str) -> Result<()> {
    let (old_dir, old_last) = lookup_parent(caller, old_start, old)?;
    let (new_dir, new_last) = lookup_parent(caller, new_start, new)?;
    if !Arc::ptr_eq(&old_dir.mount, &new_dir.mount) {
        return Err(Errno::EXDEV);
    }
    let (
        Last::Name {
            name: old,
            slash: old_slash,
        },
        Last::Name {
            name: new,
            slash: new_slash,
        },
    ) = (old_last, new_last)
    else {
        return Err(Errno::EBUSY);
    };
    let _tree = old_dir.mount.sb().tree.write();
    let moving = old_dir.dentry.lookup_locked(&old)?;
    let target = match new_dir.dentry.lookup_locked(&new) {
        Ok(target) => Some(target),
        Err(Errno::ENOENT) if new_dir.dentry.is_removed() => return Err(Errno::ENOENT),
        Err(Errno::ENOENT) => None,
        Err(errno) => return Err(errno),
    };
    if !is_dir(&moving) && (old_slash || new_slash) {
        return Err(Errno::ENOTDIR);
    }
    if new_dir.dentry.is_within(&moving) {
        return Err(Errno::EINVAL);
    }
    if target.as_ref().is_some_and(|target| old_dir.dentry.is_within(target)) {
        return Err(Errno::ENOTEMPTY);
    }
    may_remove(caller, &old_dir, &moving)?;
    match &target {
        None => new_dir.inode().permission(caller, CHANGE)?,
        Some(target) => {
            // Two names of the same file: nothing to do (rename(2)).
            if same_inode(&moving, target)? {
                return Ok(());
            }
            may_remove(caller, &new_dir, target)?;
            match (is_dir(&moving), is_dir(target)) {
                (true, false) => return Err(Errno::ENOTDIR),
                (false, true) => return Err(Errno::EISDIR),
                _ => {}
            }
        }
    }
    // Another parent means another `..`, which is a write to the directory that moves.
    if is_dir(&moving) && !Arc::ptr_eq(&old_dir.dentry, &new_dir.dentry) {
        moving.inode().permission(caller, Access::WRITE)?;
    }
    old_dir.inode().rename(&old, new_dir.inode(), &new)?;
    old_dir.dentry.moved(&old, &new_dir.dentry, &new);
    Ok(())
}

fn same_inode(a: &Arc<Dentry>, b: &Arc<Dentry>) -> Result<bool> {
    Ok(Arc::ptr_eq(a.inode(), b.inode()) || a.inode().stat()?.ino == b.inode().stat()?.ino)
}

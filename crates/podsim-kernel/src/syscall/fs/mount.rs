//! System calls: mount and umount.

use crate::fs::cgroupfs::CgroupFs;
use crate::fs::devpts::DevPts;
use crate::fs::mqueue;
use crate::fs::namei::lookup;
use crate::fs::procfs::ProcFs;
use crate::fs::super_block::SuperBlock;
use crate::fs::sysfs::SysFs;
use crate::fs::tmpfs::{Options, TmpFs};
use crate::fs::{Caller, PathRef};
use crate::task::Task;
use crate::tty::PtyRegistry;
use podsim_sys::*;
use std::sync::Arc;

const PROPAGATION: MountFlags = MountFlags::PRIVATE.union(MountFlags::SLAVE).union(MountFlags::SHARED);

/// The caller, who must be allowed to mount, and what is at a path.
fn mounter(task: &Task, target: &str) -> Result<(Caller, PathRef)> {
    let caller = Caller::of(task);
    let at = lookup(&caller, &caller.fs.cwd, target, true)?;
    if !caller.capable(Capability::SYS_ADMIN) {
        return Err(Errno::EPERM);
    }
    Ok((caller, at))
}

pub(in crate::syscall) fn mount(
    task: &Task,
    source: &str,
    target: &str,
    fstype: &str,
    flags: MountFlags,
    data: &str,
) -> Result<()> {
    let (caller, at) = mounter(task, target)?;
    let ns = task.process.namespaces().mnt.clone();
    if at.mount.namespace().is_none_or(|other| !Arc::ptr_eq(&other, &ns)) {
        return Err(Errno::EINVAL);
    }
    if flags.contains(MountFlags::REMOUNT) {
        return remount(&at, flags, data);
    }
    if flags.contains(MountFlags::BIND) {
        let what = lookup(&caller, &caller.fs.cwd, source, true)?;
        // The new mount takes over the flags of the old one; others need a remount (mount(2)).
        ns.bind(&what, &at, what.mount.flags(), flags.contains(MountFlags::REC))?;
        return Ok(());
    }
    if flags.intersects(PROPAGATION) {
        return set_propagation(&at, flags);
    }
    if flags.contains(MountFlags::MOVE) {
        let what = lookup(&caller, &caller.fs.cwd, source, true)?;
        return ns.move_mount(&what, &at);
    }
    let sb = new_filesystem(task, fstype, data)?;
    ns.mount(&sb, source, &at, flags)?;
    Ok(())
}

fn is_mount_root(at: &PathRef) -> bool {
    Arc::ptr_eq(&at.dentry, at.mount.root())
}

/// With BIND only this mount changes; without, the filesystem's own options too.
fn remount(at: &PathRef, flags: MountFlags, data: &str) -> Result<()> {
    if !is_mount_root(at) {
        return Err(Errno::EINVAL);
    }
    if !flags.contains(MountFlags::BIND) {
        at.mount.sb().fs().remount(data)?;
    }
    at.mount.remount(flags);
    Ok(())
}

/// One kind a call, as on Linux.
fn set_propagation(at: &PathRef, flags: MountFlags) -> Result<()> {
    let kind = flags & PROPAGATION;
    if kind.bits().count_ones() != 1 || !(flags - PROPAGATION - MountFlags::REC).is_empty() || !is_mount_root(at) {
        return Err(Errno::EINVAL);
    }
    if let Some(ns) = at.mount.namespace() {
        ns.set_propagation(&at.mount, kind, flags.contains(MountFlags::REC));
    }
    Ok(())
}

/// A new filesystem of a type that a process can mount, for the caller's own namespaces; ENODEV for other types.
fn new_filesystem(task: &Task, fstype: &str, data: &str) -> Result<Arc<SuperBlock>> {
    let kernel = task.kernel();
    let vfs = kernel.vfs();
    let process = &task.process;
    match fstype {
        "tmpfs" | "ramfs" => Ok(TmpFs::mount(
            vfs,
            &Options::parse(data, vfs.default_size().saturating_mul(2))?,
        )),
        "proc" => Ok(ProcFs::mount(kernel, process.pid_namespace())),
        "sysfs" => Ok(SysFs::mount(kernel, &process.namespaces().net)),
        "cgroup2" => Ok(CgroupFs::mount(kernel, &process.cgroup)),
        "devpts" => Ok(DevPts::mount(vfs, &PtyRegistry::new(Arc::downgrade(kernel)))),
        "mqueue" => Ok(mqueue::mount(vfs, &process.namespaces().ipc)),
        _ => Err(Errno::ENODEV),
    }
}

pub(in crate::syscall) fn umount(task: &Task, target: &str, lazy: bool) -> Result<()> {
    let (caller, at) = mounter(task, target)?;
    let ns = task.process.namespaces().mnt.clone();
    drop(caller);
    ns.umount(&at, lazy)
}

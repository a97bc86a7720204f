//! System calls on identity: credentials, host name, namespaces.

use crate::ipc::IpcNamespace;
use crate::net::NetNamespace;
use crate::nsproxy::{NsProxy, NsRef, UtsNamespace};
use crate::process::credentials as rules;
use crate::task::Task;
use parking_lot::Mutex;
use podsim_sys::*;
use std::sync::Arc;

/// `HOST_NAME_MAX`.
const HOST_NAME_MAX: usize = 64;
/// `NGROUPS_MAX`.
const NGROUPS_MAX: usize = 65_536;

pub(super) fn credentials(task: &Task) -> Credentials {
    (*task.process.credentials()).clone()
}

/// Replaces the credentials by what a rule makes of them.
fn change(task: &Task, rule: impl FnOnce(&Credentials) -> Result<Credentials>) -> Result<()> {
    let mut credentials = task.process.credentials.write();
    let new = rule(&credentials)?;
    *credentials = Arc::new(new);
    Ok(())
}

pub(super) fn setresuid(task: &Task, real: Option<u32>, effective: Option<u32>, saved: Option<u32>) -> Result<()> {
    change(task, |old| rules::setresuid(old, real, effective, saved))
}

pub(super) fn setresgid(task: &Task, real: Option<u32>, effective: Option<u32>, saved: Option<u32>) -> Result<()> {
    change(task, |old| rules::setresgid(old, real, effective, saved))
}

pub(super) fn setgroups(task: &Task, groups: Vec<u32>) -> Result<()> {
    if groups.len() > NGROUPS_MAX {
        return Err(Errno::EINVAL);
    }
    change(task, |old| {
        if !old.capable(Capability::SETGID) {
            return Err(Errno::EPERM);
        }
        Ok(Credentials { groups, ..old.clone() })
    })
}

pub(super) fn capset(task: &Task, effective: CapSet, permitted: CapSet, inheritable: CapSet) -> Result<()> {
    change(task, |old| rules::capset(old, effective, permitted, inheritable))
}

pub(super) fn uname(task: &Task) -> UtsName {
    task.process.namespaces().uts.name.lock().clone()
}

fn require(task: &Task, capability: Capability) -> Result<()> {
    if task.process.credentials().capable(capability) {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

pub(super) fn sethostname(task: &Task, name: &str) -> Result<()> {
    require(task, Capability::SYS_ADMIN)?;
    if name.len() > HOST_NAME_MAX {
        return Err(Errno::EINVAL);
    }
    name.clone_into(&mut task.process.namespaces().uts.name.lock().nodename);
    Ok(())
}

/// There are no user and cgroup namespaces but those that Pods are given: EINVAL, as from a kernel that was built without them.
pub(super) fn unshare(task: &Task, flags: CloneFlags) -> Result<()> {
    let fixed = CloneFlags::NEWUSER | CloneFlags::NEWCGROUP;
    if flags.intersects(fixed) || !CloneFlags::all().contains(flags) {
        return Err(Errno::EINVAL);
    }
    if flags.is_empty() {
        return Ok(());
    }
    require(task, Capability::SYS_ADMIN)?;
    let kernel = &task.kernel;
    let process = &task.process;
    let mut ns = (*process.namespaces()).clone();
    if flags.contains(CloneFlags::NEWUTS) {
        let name = ns.uts.name.lock().clone();
        ns.uts = Arc::new(UtsNamespace {
            inode: kernel.allocate_ns_inode(),
            name: Mutex::new(name),
        });
    }
    if flags.contains(CloneFlags::NEWIPC) {
        ns.ipc = IpcNamespace::new(kernel.allocate_ns_inode(), kernel.clock().clone());
    }
    if flags.contains(CloneFlags::NEWNET) {
        ns.net = NetNamespace::new(kernel.allocate_ns_inode());
    }
    if flags.contains(CloneFlags::NEWPID) {
        // copy_pid_ns: only once, before the first child.
        if !Arc::ptr_eq(&ns.pid_for_children, process.pid_namespace()) {
            return Err(Errno::EINVAL);
        }
        ns.pid_for_children = kernel.new_pid_namespace(process.pid_namespace(), &ns.user)?;
    }
    if flags.contains(CloneFlags::NEWNS) {
        let mut fs = process.fs.lock();
        let (mnt, moved) = ns.mnt.copy(kernel.allocate_ns_inode(), &fs);
        ns.mnt = mnt;
        *fs = moved;
    }
    *process.ns.write() = Arc::new(ns);
    Ok(())
}

pub(super) fn setns(task: &Task, fd: Fd, flags: CloneFlags) -> Result<()> {
    let target = task.process.files.get(fd)?.ops().namespace().ok_or(Errno::EINVAL)?;
    if !flags.is_empty() && flags != target.kind().flag() {
        return Err(Errno::EINVAL);
    }
    require(task, Capability::SYS_ADMIN)?;
    let process = &task.process;
    let mut ns: NsProxy = (*process.namespaces()).clone();
    match target {
        // It is the one that everybody is in already.
        NsRef::Cgroup => {}
        // setns(2): "it is not possible to … reenter the caller's current user namespace".
        NsRef::User(_) => return Err(Errno::EINVAL),
        NsRef::Uts(uts) => ns.uts = uts,
        NsRef::Ipc(ipc) => ns.ipc = ipc,
        NsRef::Net(net) => ns.net = net,
        NsRef::Pid(pid) => {
            if !pid.is_within(process.pid_namespace()) {
                return Err(Errno::EINVAL);
            }
            ns.pid_for_children = pid;
        }
        NsRef::Mnt(mnt) => {
            require(task, Capability::SYS_CHROOT)?;
            let mut fs = process.fs.lock();
            fs.root = mnt.root();
            fs.cwd = mnt.root();
            ns.mnt = mnt;
        }
    }
    *process.ns.write() = Arc::new(ns);
    Ok(())
}

//! System calls on credentials, names and namespaces.
#![expect(unsafe_code, reason = "ids that are left alone, and setfsuid, have no safe wrapper")]

use super::abi::{check, errno, fd, nix_errno};
use super::exec;
use podsim_sys::*;
use rustix::thread::{CapabilitySet, CapabilitySets};

pub(super) fn credentials() -> Credentials {
    let (mut uid, mut euid, mut suid) = (0, 0, 0);
    let (mut gid, mut egid, mut sgid) = (0, 0, 0);
    // SAFETY: the kernel writes three numbers each. Asking for the ids cannot fail. No id is -1: nothing is set.
    let (fsuid, fsgid) = unsafe {
        libc::getresuid(&raw mut uid, &raw mut euid, &raw mut suid);
        libc::getresgid(&raw mut gid, &raw mut egid, &raw mut sgid);
        (libc::setfsuid(u32::MAX), libc::setfsgid(u32::MAX))
    };
    let sets = rustix::thread::capabilities(None).ok();
    let set = |pick: fn(&CapabilitySets) -> CapabilitySet| CapSet(sets.as_ref().map_or(0, |all| pick(all).bits()));
    let each = |has: &dyn Fn(CapabilitySet) -> bool| {
        let there = (0..CAPABILITY_NAMES.len()).filter(|n| has(CapabilitySet::from_bits_retain(1 << n)));
        CapSet(there.fold(0, |all, n| all | (1 << n)))
    };
    let groups = rustix::process::getgroups().unwrap_or_default();
    Credentials {
        uid,
        euid,
        suid,
        fsuid: fsuid.cast_unsigned(),
        gid,
        egid,
        sgid,
        fsgid: fsgid.cast_unsigned(),
        groups: groups.into_iter().map(rustix::process::Gid::as_raw).collect(),
        inheritable: set(|all| all.inheritable),
        permitted: set(|all| all.permitted),
        effective: set(|all| all.effective),
        bounding: each(&|one| rustix::thread::capability_is_in_bounding_set(one).unwrap_or(false)),
        ambient: each(&|one| rustix::thread::capability_is_in_ambient_set(one).unwrap_or(false)),
        no_new_privs: rustix::thread::no_new_privs().unwrap_or(false),
    }
}

/// What leaves an id alone.
fn id(id: Option<u32>) -> Result<u32> {
    match id {
        Some(u32::MAX) => Err(Errno::EINVAL),
        id => Ok(id.unwrap_or(u32::MAX)),
    }
}

pub(super) fn setresuid(real: Option<u32>, effective: Option<u32>, saved: Option<u32>) -> Result<()> {
    let (real, effective, saved) = (id(real)?, id(effective)?, id(saved)?);
    // SAFETY: takes numbers only; there is no other thread.
    check(unsafe { libc::setresuid(real, effective, saved) }).map(drop)
}

pub(super) fn setresgid(real: Option<u32>, effective: Option<u32>, saved: Option<u32>) -> Result<()> {
    let (real, effective, saved) = (id(real)?, id(effective)?, id(saved)?);
    // SAFETY: takes numbers only; there is no other thread.
    check(unsafe { libc::setresgid(real, effective, saved) }).map(drop)
}

pub(super) fn setgroups(groups: Vec<u32>) -> Result<()> {
    // SAFETY: the kernel reads as many numbers as there are; there is no other thread.
    check(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) }).map(drop)
}

pub(super) fn capset(effective: CapSet, permitted: CapSet, inheritable: CapSet) -> Result<()> {
    let set = |set: CapSet| CapabilitySet::from_bits_retain(set.0);
    let sets = CapabilitySets {
        effective: set(effective),
        permitted: set(permitted),
        inheritable: set(inheritable),
    };
    rustix::thread::set_capabilities(None, sets).map_err(errno)
}

pub(super) fn uname() -> UtsName {
    let names = rustix::system::uname();
    let text = |name: &std::ffi::CStr| name.to_string_lossy().into_owned();
    UtsName {
        sysname: text(names.sysname()),
        nodename: text(names.nodename()),
        release: text(names.release()),
        version: text(names.version()),
        machine: text(names.machine()),
        domainname: text(names.domainname()),
    }
}

pub(super) fn sethostname(name: &str) -> Result<()> {
    rustix::system::sethostname(name.as_bytes()).map_err(errno)
}

fn clone_flags(flags: CloneFlags) -> nix::sched::CloneFlags {
    nix::sched::CloneFlags::from_bits_retain(flags.bits().cast_signed())
}

pub(super) fn unshare(flags: CloneFlags) -> Result<()> {
    nix::sched::unshare(clone_flags(flags)).map_err(nix_errno)
}

pub(super) fn setns(number: Fd, flags: CloneFlags) -> Result<()> {
    // In another mount namespace, or for another pid namespace's /proc, `/proc/self/exe` may not be this program.
    exec::hold_executable();
    nix::sched::setns(fd(number)?, clone_flags(flags)).map_err(nix_errno)
}

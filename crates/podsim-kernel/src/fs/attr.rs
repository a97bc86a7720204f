//! Calls that change attributes: chmod, chown, utimensat, truncate (Linux's `fs/attr.c`).

use super::caller::Caller;
use super::inode::SetAttr;
use super::path::PathRef;
use super::permission::owner_or_capable;
use podsim_sys::{Access, Capability, Errno, FileType, Mode, Result, SetTime};
use std::time::Duration;

/// `chmod(2)`.
pub fn chmod(caller: &Caller, path: &PathRef, mode: Mode) -> Result<()> {
    path.check_writable()?;
    let stat = path.stat()?;
    if stat.file_type == FileType::Symlink {
        return Err(Errno::EOPNOTSUPP);
    }
    let who = &caller.credentials;
    owner_or_capable(&stat, who)?;
    let mut bits = mode.0 & 0o7777;
    if !who.in_group(stat.gid) && !who.capable(Capability::FSETID) {
        bits &= !Mode::SETGID;
    }
    path.inode().set_attr(&SetAttr {
        mode: Some(Mode(bits)),
        ..SetAttr::default()
    })
}

/// `chown(2)`: `None` leaves an id alone. Set-id bits of files go away, as they do on Linux.
pub fn chown(caller: &Caller, path: &PathRef, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
    path.check_writable()?;
    let stat = path.stat()?;
    let who = &caller.credentials;
    let owner = who.fsuid == stat.uid;
    let uid_ok = uid.is_none_or(|uid| owner && uid == stat.uid);
    let gid_ok = gid.is_none_or(|gid| owner && (gid == stat.gid || who.in_group(gid)));
    let allowed = (uid_ok && gid_ok) || who.capable(Capability::CHOWN);
    if !allowed {
        return Err(Errno::EPERM);
    }
    let mut bits = stat.mode.0;
    if stat.file_type != FileType::Directory && (uid.is_some() || gid.is_some()) {
        bits &= !Mode::SETUID;
        // Without group execution the bit means mandatory locking, and stays.
        if bits & 0o010 != 0 {
            bits &= !Mode::SETGID;
        }
    }
    path.inode().set_attr(&SetAttr {
        mode: (bits != stat.mode.0).then_some(Mode(bits)),
        uid,
        gid,
        ..SetAttr::default()
    })
}

/// `utimensat(2)`. `now` is the time of the clock.
pub fn utimens(caller: &Caller, path: &PathRef, atime: SetTime, mtime: SetTime, now: Duration) -> Result<()> {
    if (atime, mtime) == (SetTime::Omit, SetTime::Omit) {
        return Ok(());
    }
    path.check_writable()?;
    let stat = path.stat()?;
    if owner_or_capable(&stat, &caller.credentials).is_err() {
        if (atime, mtime) != (SetTime::Now, SetTime::Now) {
            return Err(Errno::EPERM);
        }
        path.inode().permission(caller, Access::WRITE)?;
    }
    let value = |time| match time {
        SetTime::Omit => None,
        SetTime::Now => Some(now),
        SetTime::To(time) => Some(time),
    };
    path.inode().set_attr(&SetAttr {
        atime: value(atime),
        mtime: value(mtime),
        ..SetAttr::default()
    })
}

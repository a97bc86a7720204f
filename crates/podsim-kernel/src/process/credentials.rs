//! How credentials change (`credentials(7)`, `capabilities(7)`, `setresuid(2)`): pure functions from old to new.

use podsim_sys::{CapSet, Capability, Credentials, Errno, Result};

/// What the program file asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileIds {
    /// The owner of a set-user-id file.
    pub(crate) setuid: Option<u32>,
    /// The group of a set-group-id file.
    pub(crate) setgid: Option<u32>,
}

/// The credentials after exec (`capabilities(7)`, "Transformation of capabilities during execve()").
pub(crate) fn after_exec(old: &Credentials, file: FileIds) -> Credentials {
    let mut new = old.clone();
    let file = if old.no_new_privs { FileIds::default() } else { file };
    if let Some(uid) = file.setuid {
        new.euid = uid;
    }
    if let Some(gid) = file.setgid {
        new.egid = gid;
    }
    let changed = new.euid != old.euid || new.egid != old.egid;
    // A file that changes ids is privileged: no ambient capabilities for it.
    if changed {
        new.ambient = CapSet::EMPTY;
    }
    let ambient = new.ambient.0;
    // For root, every file has all capabilities, permitted and inheritable.
    let from_file = if new.uid == 0 || new.euid == 0 {
        old.inheritable.0 | old.bounding.0
    } else {
        0
    };
    new.permitted = CapSet(from_file | ambient);
    if old.no_new_privs {
        new.permitted = CapSet(new.permitted.0 & (old.permitted.0 | ambient));
    }
    new.effective = if new.euid == 0 { new.permitted } else { CapSet(ambient) };
    (new.suid, new.fsuid) = (new.euid, new.euid);
    (new.sgid, new.fsgid) = (new.egid, new.egid);
    new
}

/// Checks the ids of `setresuid(2)` and `setresgid(2)`: without the capability only ids that one already has.
fn allowed(ids: [Option<u32>; 3], mine: [u32; 3], privileged: bool) -> Result<()> {
    const NO_ID: u32 = u32::MAX;
    if ids.into_iter().flatten().any(|id| id == NO_ID) {
        return Err(Errno::EINVAL);
    }
    if privileged || ids.into_iter().flatten().all(|id| mine.contains(&id)) {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

/// `setresuid(2)`, with its effect on capabilities.
pub(crate) fn setresuid(
    old: &Credentials,
    real: Option<u32>,
    effective: Option<u32>,
    saved: Option<u32>,
) -> Result<Credentials> {
    let mine = [old.uid, old.euid, old.suid];
    allowed([real, effective, saved], mine, old.capable(Capability::SETUID))?;
    let mut new = old.clone();
    new.uid = real.unwrap_or(old.uid);
    new.euid = effective.unwrap_or(old.euid);
    new.suid = saved.unwrap_or(old.suid);
    new.fsuid = new.euid;
    let had_root = mine.contains(&0);
    let has_root = [new.uid, new.euid, new.suid].contains(&0);
    if had_root && !has_root {
        new.permitted = CapSet::EMPTY;
        new.effective = CapSet::EMPTY;
        new.ambient = CapSet::EMPTY;
    } else if old.euid == 0 && new.euid != 0 {
        new.effective = CapSet::EMPTY;
    } else if old.euid != 0 && new.euid == 0 {
        new.effective = new.permitted;
    }
    Ok(new)
}

/// `setresgid(2)`.
pub(crate) fn setresgid(
    old: &Credentials,
    real: Option<u32>,
    effective: Option<u32>,
    saved: Option<u32>,
) -> Result<Credentials> {
    let mine = [old.gid, old.egid, old.sgid];
    allowed([real, effective, saved], mine, old.capable(Capability::SETGID))?;
    let mut new = old.clone();
    new.gid = real.unwrap_or(old.gid);
    new.egid = effective.unwrap_or(old.egid);
    new.sgid = saved.unwrap_or(old.sgid);
    new.fsgid = new.egid;
    Ok(new)
}

/// `capset(2)`.
pub(crate) fn capset(
    old: &Credentials,
    effective: CapSet,
    permitted: CapSet,
    inheritable: CapSet,
) -> Result<Credentials> {
    let within = |small: CapSet, large: u64| small.0 & !large == 0;
    let inheritable_limit = if old.capable(Capability::SETPCAP) {
        old.inheritable.0 | old.bounding.0
    } else {
        (old.inheritable.0 | old.permitted.0) & (old.inheritable.0 | old.bounding.0)
    };
    let fine =
        within(permitted, old.permitted.0) && within(effective, permitted.0) && within(inheritable, inheritable_limit);
    if !fine {
        return Err(Errno::EPERM);
    }
    let ambient = CapSet(old.ambient.0 & permitted.0 & inheritable.0);
    Ok(Credentials {
        effective,
        permitted,
        inheritable,
        ambient,
        ..old.clone()
    })
}

//! Who may do what: mode bits, owners, groups, and the capabilities that override them (`fs/namei.c`: `generic_permission`).

use podsim_sys::{Access, Capability, Credentials, Errno, FileType, Mode, Result, Stat};

/// Whether someone may do this to an object with these attributes: EACCES if not.
pub fn generic_permission(stat: &Stat, who: &Credentials, access: Access) -> Result<()> {
    let mode = u32::from(stat.mode.0);
    let bits = if who.fsuid == stat.uid {
        mode >> 6
    } else if who.in_group(stat.gid) {
        mode >> 3
    } else {
        mode
    };
    let wanted = u32::from(access.bits());
    if bits & wanted == wanted {
        return Ok(());
    }
    let directory = stat.file_type == FileType::Directory;
    let read_search = if directory {
        Access::READ | Access::EXEC
    } else {
        Access::READ
    };
    if who.capable(Capability::DAC_READ_SEARCH) && read_search.contains(access) {
        return Ok(());
    }
    // A file without any x bit is not executable for root either.
    let executable = directory || mode & 0o111 != 0 || !access.contains(Access::EXEC);
    if who.capable(Capability::DAC_OVERRIDE) && executable {
        return Ok(());
    }
    Err(Errno::EACCES)
}

/// Whether someone owns the object or may act as if: EPERM if not.
pub fn owner_or_capable(stat: &Stat, who: &Credentials) -> Result<()> {
    if who.fsuid == stat.uid || who.capable(Capability::FOWNER) {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

/// In a sticky directory only the owner of the entry or of the directory removes it: EPERM otherwise.
pub fn check_sticky(dir: &Stat, entry: &Stat, who: &Credentials) -> Result<()> {
    let sticky = dir.mode.0 & Mode::STICKY != 0;
    if !sticky || who.fsuid == entry.uid || who.fsuid == dir.uid || who.capable(Capability::FOWNER) {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

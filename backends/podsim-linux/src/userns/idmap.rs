//! User namespaces for Pods, and mounts with other owners.

use super::ids::IdMap;
use crate::mount::{Attributes, set_attributes};
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::fmt::Write as _;
use std::io::{self, Read, Write};

/// Writes the maps of the user namespace that process `pid` has just made. The caller has the rights for it outside.
///
/// # Errors
///
/// If the kernel refuses them: overlapping ids, or ids that the caller does not have.
pub fn write_maps(pid: i32, uids: &[IdMap], gids: &[IdMap]) -> io::Result<()> {
    for (file, maps) in [("uid_map", uids), ("gid_map", gids)] {
        let mut text = String::new();
        for map in maps {
            let _ = writeln!(text, "{} {} {}", map.inside, map.outside, map.count);
        }
        // The kernel takes a map in one write(2).
        std::fs::write(format!("/proc/{pid}/{file}"), text)?;
    }
    Ok(())
}

/// Makes a user namespace with these maps that nobody is in: for [`idmap_mount`], and for a Pod to join.
///
/// # Errors
///
/// If the kernel refuses it or its maps.
pub fn new(uids: &[IdMap], gids: &[IdMap]) -> io::Result<OwnedFd> {
    let (mut ready, tell) = io::pipe()?;
    let (hold, release) = io::pipe()?;
    #[expect(unsafe_code, reason = "fork has no safe wrapper")]
    // SAFETY: the child only makes system calls and ends by _exit, which is allowed also if other threads hold locks.
    let fork = unsafe { nix::unistd::fork() }?;
    let child = match fork {
        nix::unistd::ForkResult::Child => hold_namespace(&tell, &hold, release),
        nix::unistd::ForkResult::Parent { child } => child,
    };
    drop((tell, hold));
    let mut made = || {
        let mut answer = [0];
        ready.read_exact(&mut answer)?;
        if answer[0] != 0 {
            return Err(io::Error::from_raw_os_error(answer[0].into()));
        }
        write_maps(child.as_raw(), uids, gids)?;
        std::fs::File::open(format!("/proc/{child}/ns/user")).map(OwnedFd::from)
    };
    let result = made();
    drop(release);
    while nix::sys::wait::waitpid(child, None) == Err(nix::Error::EINTR) {}
    result
}

/// What the child of [`new`] does: makes the namespace and lives until the parent has it.
fn hold_namespace(mut tell: &io::PipeWriter, mut hold: &io::PipeReader, release: io::PipeWriter) -> ! {
    drop(release);
    let errno = match nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER) {
        Ok(()) => 0,
        Err(error) => u8::try_from(error as i32).unwrap_or(u8::MAX),
    };
    let _ = tell.write_all(&[errno]);
    let _ = hold.read(&mut [0]);
    #[expect(unsafe_code, reason = "_exit has no safe wrapper in std")]
    // SAFETY: ends the process, without destructors or handlers of the parent's.
    unsafe {
        libc::_exit(0)
    }
}

/// Whether a mount has become id-mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdMapped {
    /// It has.
    Done,
    /// The filesystem (or the kernel, before 5.12) cannot do it: files need to be owned by the Pod's ids, or copied.
    Refused,
}

/// Gives a detached mount (`open_tree(2)` with OPEN_TREE_CLONE) the owners that a user namespace maps: the file of user 0 on
/// the disk is user 0's inside it. An overlay cannot be mapped itself; its layers can, before it is mounted (Linux 5.19).
///
/// # Errors
///
/// EPERM without the rights, EBADF for what is no mount or no user namespace.
pub fn idmap_mount(mount: BorrowedFd<'_>, userns: BorrowedFd<'_>, recursive: bool) -> Result<IdMapped, Errno> {
    let attributes = Attributes {
        set: libc::MOUNT_ATTR_IDMAP,
        userns: u64::try_from(userns.as_raw_fd()).map_err(|_| Errno::BADF)?,
        ..Attributes::default()
    };
    match set_attributes(mount, recursive, &attributes) {
        Ok(()) => Ok(IdMapped::Done),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(IdMapped::Refused),
        Err(error) => Err(error),
    }
}

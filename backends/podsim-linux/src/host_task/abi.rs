//! Between podsim's words and those of libc and rustix: errors, descriptors, flags, strings.
#![expect(
    unsafe_code,
    reason = "a guest's descriptor is a number, not something that this program owns"
)]

use podsim_sys::{Errno, Fd, FileType, OpenFlags, Result};
use rustix::fs::OFlags;
use std::ffi::CString;
use std::os::fd::{BorrowedFd, IntoRawFd as _, OwnedFd};
use std::time::Duration;

/// rustix's error.
pub(super) fn errno(error: rustix::io::Errno) -> Errno {
    Errno(u16::try_from(error.raw_os_error()).unwrap_or(Errno::EIO.0))
}

/// The result of a libc function that answers -1 and sets errno.
pub(super) fn check<T: Copy + Into<i64>>(result: T) -> Result<T> {
    if result.into() == -1 {
        Err(last_error())
    } else {
        Ok(result)
    }
}

/// What errno says.
pub(super) fn last_error() -> Errno {
    let number = std::io::Error::last_os_error().raw_os_error();
    number
        .and_then(|number| u16::try_from(number).ok())
        .map_or(Errno::EIO, Errno)
}

/// A descriptor of the guest's.
pub(super) fn fd(fd: Fd) -> Result<BorrowedFd<'static>> {
    if fd.0 < 0 {
        return Err(Errno::EBADF);
    }
    // SAFETY: not -1. Whether it is open, the kernel says (EBADF); it is used for one system call, and whose file it is, is the
    // guest's affair.
    Ok(unsafe { BorrowedFd::borrow_raw(fd.0) })
}

/// A directory to start from.
pub(super) fn dir(dir: Fd) -> Result<BorrowedFd<'static>> {
    if dir == Fd::CWD { Ok(rustix::fs::CWD) } else { fd(dir) }
}

/// The descriptor is the guest's now.
pub(super) fn give(fd: OwnedFd) -> Fd {
    Fd(fd.into_raw_fd())
}

/// A string for the kernel; EINVAL where it holds a NUL.
pub(super) fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Errno::EINVAL)
}

/// Flags by their names: their numbers are those of x86-64, and other machines have others.
const FLAGS: [(OpenFlags, OFlags); 14] = [
    (OpenFlags::WRONLY, OFlags::WRONLY),
    (OpenFlags::RDWR, OFlags::RDWR),
    (OpenFlags::CREAT, OFlags::CREATE),
    (OpenFlags::EXCL, OFlags::EXCL),
    (OpenFlags::NOCTTY, OFlags::NOCTTY),
    (OpenFlags::TRUNC, OFlags::TRUNC),
    (OpenFlags::APPEND, OFlags::APPEND),
    (OpenFlags::NONBLOCK, OFlags::NONBLOCK),
    (OpenFlags::DSYNC, OFlags::DSYNC),
    (OpenFlags::DIRECTORY, OFlags::DIRECTORY),
    (OpenFlags::NOFOLLOW, OFlags::NOFOLLOW),
    (OpenFlags::CLOEXEC, OFlags::CLOEXEC),
    (OpenFlags::PATH, OFlags::PATH),
    (OpenFlags::empty(), OFlags::empty()),
];

/// Flags for the kernel.
pub(super) fn oflags(flags: OpenFlags) -> OFlags {
    FLAGS
        .iter()
        .filter(|(ours, _)| flags.contains(*ours))
        .fold(OFlags::empty(), |all, (_, theirs)| all | *theirs)
}

/// Flags from the kernel.
pub(super) fn open_flags(flags: OFlags) -> OpenFlags {
    FLAGS
        .iter()
        .filter(|(_, theirs)| flags.contains(*theirs))
        .fold(OpenFlags::empty(), |all, (ours, _)| all | *ours)
}

/// `flags` must be of CLOEXEC and NONBLOCK.
pub(super) fn only_descriptor_flags(flags: OpenFlags) -> Result<()> {
    if (OpenFlags::CLOEXEC | OpenFlags::NONBLOCK).contains(flags) {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

/// The type in a mode or of a directory entry; what Linux does not know either is a plain file.
pub(super) fn file_type(kind: rustix::fs::FileType) -> FileType {
    use rustix::fs::FileType as T;
    match kind {
        T::Fifo => FileType::Fifo,
        T::CharacterDevice => FileType::CharDevice,
        T::Directory => FileType::Directory,
        T::BlockDevice => FileType::BlockDevice,
        T::Symlink => FileType::Symlink,
        T::Socket => FileType::Socket,
        _ => FileType::Regular,
    }
}

/// A time of the kernel's; before the epoch is the epoch.
pub(super) fn duration(seconds: i64, nanos: i64) -> Duration {
    Duration::new(
        u64::try_from(seconds).unwrap_or(0),
        u32::try_from(nanos).unwrap_or(0).min(999_999_999),
    )
}

/// A time for the kernel; as late as can be said.
pub(super) fn timespec(time: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

/// nix's error.
pub(super) fn nix_errno(error: nix::errno::Errno) -> Errno {
    Errno(u16::try_from(error as i32).unwrap_or(Errno::EIO.0))
}

//! System calls on files and directories.
#![expect(unsafe_code, reason = "calls that may wait, and getdents64")]

use super::Identity;
use super::abi::{c_string, dir, duration, errno, fd, file_type, oflags, timespec};
use super::interruptible::{interruptible_unless_ready, not_ready};
use podsim_sys::*;
use rustix::event::PollFlags;
use rustix::fs::{AtFlags, FallocateFlags, SeekFrom, Timestamps};
use std::mem::MaybeUninit;
use std::time::Duration;

/// The most that one read or write moves (`MAX_RW_COUNT`), so that a length fits everywhere.
const RW_MAX: usize = 0x7fff_f000;

pub(super) fn openat(program: &Identity, at: Fd, path: &str, flags: OpenFlags, mode: Mode) -> Result<Fd> {
    let path = program.resolve(path)?;
    let c_path = c_string(&path)?;
    let directory = dir(at)?;
    let number = |flags: rustix::fs::OFlags| flags.bits() as usize;
    let arguments = [
        std::os::fd::AsRawFd::as_raw_fd(&directory) as usize,
        c_path.as_ptr().addr(),
        number(oflags(flags) | rustix::fs::OFlags::LARGEFILE),
        usize::from(mode.0 & 0o7777),
        0,
        0,
    ];
    // Only a FIFO waits.
    let would_wait = || stat_at(at, &path, true).is_ok_and(|stat| stat.file_type == FileType::Fifo);
    // SAFETY: the path is a C string that lives until the call is over.
    let opened = unsafe { interruptible_unless_ready(libc::SYS_openat, arguments, would_wait) }?;
    i32::try_from(opened).map(Fd).map_err(|_| Errno::EMFILE)
}

pub(super) fn close(number: Fd) -> Result<()> {
    fd(number)?;
    // SAFETY: the descriptor is the guest's.
    super::abi::check(unsafe { libc::close(number.0) }).map(drop)
}

pub(super) fn read(number: Fd, buf: &mut [u8]) -> Result<usize> {
    fd(number)?;
    let arguments = [
        number.0 as usize,
        buf.as_mut_ptr().addr(),
        buf.len().min(RW_MAX),
        0,
        0,
        0,
    ];
    // SAFETY: the kernel writes into the buffer, at most as much as it is long.
    unsafe { interruptible_unless_ready(libc::SYS_read, arguments, || not_ready(number, PollFlags::IN)) }
}

pub(super) fn write(number: Fd, buf: &[u8]) -> Result<usize> {
    fd(number)?;
    let arguments = [number.0 as usize, buf.as_ptr().addr(), buf.len().min(RW_MAX), 0, 0, 0];
    // SAFETY: the kernel reads from the buffer, at most as much as it is long.
    unsafe { interruptible_unless_ready(libc::SYS_write, arguments, || not_ready(number, PollFlags::OUT)) }
}

pub(super) fn pread(number: Fd, buf: &mut [u8], offset: u64) -> Result<usize> {
    rustix::io::pread(fd(number)?, buf, offset).map_err(errno)
}

pub(super) fn pwrite(number: Fd, buf: &[u8], offset: u64) -> Result<usize> {
    rustix::io::pwrite(fd(number)?, buf, offset).map_err(errno)
}

pub(super) fn lseek(number: Fd, offset: i64, whence: Whence) -> Result<u64> {
    fd(number)?;
    let whence = match whence {
        Whence::Set => libc::SEEK_SET,
        Whence::Current => libc::SEEK_CUR,
        Whence::End => libc::SEEK_END,
    };
    // SAFETY: takes numbers only. (rustix has no negative position, and so no errno for it.)
    let position = super::abi::check(unsafe { libc::lseek(number.0, offset, whence) })?;
    Ok(position.cast_unsigned())
}

pub(super) fn ftruncate(number: Fd, size: u64) -> Result<()> {
    rustix::fs::ftruncate(fd(number)?, size).map_err(errno)
}

pub(super) fn fallocate(number: Fd, offset: u64, len: u64) -> Result<()> {
    rustix::fs::fallocate(fd(number)?, FallocateFlags::empty(), offset, len).map_err(errno)
}

pub(super) fn fsync(number: Fd) -> Result<()> {
    rustix::fs::fsync(fd(number)?).map_err(errno)
}

fn stat_of(stat: &rustix::fs::Stat) -> Stat {
    let device = |device: u64| DeviceNumber {
        major: rustix::fs::major(device),
        minor: rustix::fs::minor(device),
    };
    Stat {
        dev: device(stat.st_dev),
        ino: stat.st_ino,
        file_type: file_type(rustix::fs::FileType::from_raw_mode(stat.st_mode)),
        mode: Mode((stat.st_mode & 0o7777) as u16),
        nlink: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
        uid: stat.st_uid,
        gid: stat.st_gid,
        rdev: device(stat.st_rdev),
        size: u64::try_from(stat.st_size).unwrap_or(0),
        blocks: u64::try_from(stat.st_blocks).unwrap_or(0),
        atime: duration(stat.st_atime, stat.st_atime_nsec as i64),
        mtime: duration(stat.st_mtime, stat.st_mtime_nsec as i64),
        ctime: duration(stat.st_ctime, stat.st_ctime_nsec as i64),
    }
}

pub(super) fn fstat(number: Fd) -> Result<Stat> {
    Ok(stat_of(&rustix::fs::fstat(fd(number)?).map_err(errno)?))
}

/// What a flag of the trait's is to the kernel.
fn nofollow(follow: bool) -> AtFlags {
    if follow {
        AtFlags::empty()
    } else {
        AtFlags::SYMLINK_NOFOLLOW
    }
}

pub(super) fn fstatat(program: &Identity, at: Fd, path: &str, follow: bool) -> Result<Stat> {
    let path = if follow { program.resolve(path)? } else { path.into() };
    stat_at(at, &path, follow)
}

/// `fstatat(2)` of what the kernel finds.
pub(super) fn stat_at(at: Fd, path: &str, follow: bool) -> Result<Stat> {
    let found = rustix::fs::statat(dir(at)?, path, nofollow(follow)).map_err(errno)?;
    Ok(stat_of(&found))
}

pub(super) fn faccessat(at: Fd, path: &str, access: Access) -> Result<()> {
    let wanted = rustix::fs::Access::from_bits_truncate(access.bits().into());
    rustix::fs::accessat(dir(at)?, path, wanted, AtFlags::empty()).map_err(errno)
}

fn raw_mode(mode: Mode) -> rustix::fs::Mode {
    rustix::fs::Mode::from_raw_mode(u32::from(mode.0 & 0o7777))
}

pub(super) fn fchmodat(at: Fd, path: &str, mode: Mode) -> Result<()> {
    rustix::fs::chmodat(dir(at)?, path, raw_mode(mode), AtFlags::empty()).map_err(errno)
}

pub(super) fn fchmod(number: Fd, mode: Mode) -> Result<()> {
    rustix::fs::fchmod(fd(number)?, raw_mode(mode)).map_err(errno)
}

pub(super) fn fchownat(at: Fd, path: &str, uid: Option<u32>, gid: Option<u32>, follow: bool) -> Result<()> {
    let path = c_string(path)?;
    let directory = std::os::fd::AsRawFd::as_raw_fd(&dir(at)?);
    let flags = if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
    let (uid, gid) = (uid.unwrap_or(u32::MAX), gid.unwrap_or(u32::MAX));
    // SAFETY: the path is a C string. (rustix has no value for "leave it alone".)
    super::abi::check(unsafe { libc::fchownat(directory, path.as_ptr(), uid, gid, flags) }).map(drop)
}

fn timestamps(atime: SetTime, mtime: SetTime) -> Timestamps {
    let time = |time: SetTime| {
        let (tv_sec, tv_nsec) = match time {
            SetTime::Omit => (0, libc::UTIME_OMIT),
            SetTime::Now => (0, libc::UTIME_NOW),
            SetTime::To(time) => {
                let time = timespec(time);
                (time.tv_sec, time.tv_nsec)
            }
        };
        rustix::fs::Timespec { tv_sec, tv_nsec }
    };
    Timestamps {
        last_access: time(atime),
        last_modification: time(mtime),
    }
}

pub(super) fn utimensat(at: Fd, path: &str, atime: SetTime, mtime: SetTime, follow: bool) -> Result<()> {
    rustix::fs::utimensat(dir(at)?, path, &timestamps(atime, mtime), nofollow(follow)).map_err(errno)
}

pub(super) fn futimens(number: Fd, atime: SetTime, mtime: SetTime) -> Result<()> {
    rustix::fs::futimens(fd(number)?, &timestamps(atime, mtime)).map_err(errno)
}

/// Bytes for directory entries: as libc's `readdir(3)` asks for.
const DIRENTS: usize = 32 << 10;

/// The offset of an open directory is the kernel's cookie of the next entry, which is what `start` is.
pub(super) fn getdents(number: Fd, start: u64, max: usize) -> Result<Vec<DirEntry>> {
    let directory = fd(number)?;
    // ENOTDIR before the offset of what is not a directory is changed.
    if fstat(number)?.file_type != FileType::Directory {
        return Err(Errno::ENOTDIR);
    }
    rustix::fs::seek(directory, SeekFrom::Start(start)).map_err(errno)?;
    let mut room = [MaybeUninit::<u8>::uninit(); DIRENTS];
    let mut raw = rustix::fs::RawDir::new(directory, &mut room);
    let mut entries = Vec::new();
    while entries.len() < max {
        let Some(entry) = raw.next() else { break };
        let entry = entry.map_err(errno)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = match entry.file_type() {
            rustix::fs::FileType::Unknown => stat_at(number, &name, false).map_or(FileType::Regular, |s| s.file_type),
            kind => file_type(kind),
        };
        entries.push(DirEntry {
            ino: entry.ino(),
            file_type: kind,
            name,
            next: entry.next_entry_cookie(),
        });
        // One system call's worth is enough: who wants more asks again.
        if raw.is_buffer_empty() {
            break;
        }
    }
    Ok(entries)
}

pub(super) fn mkdirat(at: Fd, path: &str, mode: Mode) -> Result<()> {
    rustix::fs::mkdirat(dir(at)?, path, raw_mode(mode)).map_err(errno)
}

pub(super) fn mknodat(at: Fd, path: &str, kind: FileType, mode: Mode, device: DeviceNumber) -> Result<()> {
    use rustix::fs::FileType as T;
    let kind = match kind {
        FileType::Fifo => T::Fifo,
        FileType::CharDevice => T::CharacterDevice,
        FileType::BlockDevice => T::BlockDevice,
        FileType::Regular => T::RegularFile,
        FileType::Socket => T::Socket,
        FileType::Directory => return Err(Errno::EPERM),
        FileType::Symlink => return Err(Errno::EINVAL),
    };
    let device = rustix::fs::makedev(device.major, device.minor);
    rustix::fs::mknodat(dir(at)?, path, kind, raw_mode(mode), device).map_err(errno)
}

pub(super) fn unlinkat(at: Fd, path: &str, directory: bool) -> Result<()> {
    let flags = if directory {
        AtFlags::REMOVEDIR
    } else {
        AtFlags::empty()
    };
    rustix::fs::unlinkat(dir(at)?, path, flags).map_err(errno)
}

pub(super) fn renameat(old_dir: Fd, old: &str, new_dir: Fd, new: &str) -> Result<()> {
    rustix::fs::renameat(dir(old_dir)?, old, dir(new_dir)?, new).map_err(errno)
}

pub(super) fn linkat(old_dir: Fd, old: &str, new_dir: Fd, new: &str, follow: bool) -> Result<()> {
    let flags = if follow {
        AtFlags::SYMLINK_FOLLOW
    } else {
        AtFlags::empty()
    };
    rustix::fs::linkat(dir(old_dir)?, old, dir(new_dir)?, new, flags).map_err(errno)
}

pub(super) fn symlinkat(target: &str, at: Fd, path: &str) -> Result<()> {
    rustix::fs::symlinkat(target, dir(at)?, path).map_err(errno)
}

pub(super) fn readlinkat(program: &Identity, at: Fd, path: &str) -> Result<String> {
    if Identity::is_own_exe(path) && !program.exe.is_empty() {
        return Ok(program.exe.clone());
    }
    let target = rustix::fs::readlinkat(dir(at)?, path, Vec::new()).map_err(errno)?;
    Ok(target.to_string_lossy().into_owned())
}

pub(super) fn flock(number: Fd, op: Flock, no_wait: bool) -> Result<()> {
    fd(number)?;
    let op = match op {
        Flock::Shared => libc::LOCK_SH,
        Flock::Exclusive => libc::LOCK_EX,
        Flock::Unlock => libc::LOCK_UN,
    };
    let try_now = |op: i32| -> Result<()> {
        // SAFETY: takes numbers only.
        super::abi::check(unsafe { libc::flock(number.0, op | libc::LOCK_NB) }).map(drop)
    };
    if no_wait || op == libc::LOCK_UN {
        return try_now(op);
    }
    let arguments = [number.0 as usize, op as usize, 0, 0, 0, 0];
    let mut tried = Err(Errno::EAGAIN);
    let would_wait = || {
        tried = try_now(op);
        tried == Err(Errno::EAGAIN)
    };
    // SAFETY: takes numbers only. (Locking what is locked already does nothing.)
    unsafe { interruptible_unless_ready(libc::SYS_flock, arguments, would_wait) }.map(drop)
}

pub(super) fn umask(mask: Mode) -> Mode {
    let old = rustix::process::umask(rustix::fs::Mode::from_raw_mode(u32::from(mask.0 & 0o777)));
    Mode((old.as_raw_mode() & 0o777) as u16)
}

pub(super) fn getcwd() -> Result<String> {
    let path = rustix::process::getcwd(Vec::new()).map_err(errno)?;
    // getcwd(3): the kernel marks a directory that is not below the root with "(unreachable)".
    match path.to_bytes().first() {
        Some(b'/') => Ok(path.to_string_lossy().into_owned()),
        _ => Err(Errno::ENOENT),
    }
}

pub(super) fn chdir(path: &str) -> Result<()> {
    rustix::process::chdir(path).map_err(errno)
}

pub(super) fn fchdir(number: Fd) -> Result<()> {
    rustix::process::fchdir(fd(number)?).map_err(errno)
}

/// A time since the epoch, or since boot.
pub(super) fn since(time: rustix::time::Timespec) -> Duration {
    duration(time.tv_sec, time.tv_nsec)
}

//! The records and numbers of `wasi_snapshot_preview1.witx`.

use crate::memory::GuestMemory;
use podsim_sys::{Errno, Fd, FileType, OpenFlags, Result, SetTime, SockOpt, Stat, Syscalls};
use std::time::Duration;

/// `filetype`.
pub(crate) mod filetype {
    pub(crate) const UNKNOWN: u8 = 0;
    pub(crate) const BLOCK_DEVICE: u8 = 1;
    pub(crate) const CHARACTER_DEVICE: u8 = 2;
    pub(crate) const DIRECTORY: u8 = 3;
    pub(crate) const REGULAR_FILE: u8 = 4;
    pub(crate) const SOCKET_DGRAM: u8 = 5;
    pub(crate) const SOCKET_STREAM: u8 = 6;
    pub(crate) const SYMBOLIC_LINK: u8 = 7;
}

/// `rights`.
pub(crate) mod rights {
    pub(crate) const FD_DATASYNC: u64 = 1 << 0;
    pub(crate) const FD_READ: u64 = 1 << 1;
    pub(crate) const FD_SEEK: u64 = 1 << 2;
    pub(crate) const FD_SYNC: u64 = 1 << 4;
    pub(crate) const FD_TELL: u64 = 1 << 5;
    pub(crate) const FD_WRITE: u64 = 1 << 6;
    pub(crate) const FD_ADVISE: u64 = 1 << 7;
    pub(crate) const FD_ALLOCATE: u64 = 1 << 8;
    /// All `path_*` and `fd_readdir`: bits 9 to 20 and 24 to 26.
    pub(crate) const PATH_AND_READDIR: u64 = 0x071f_fe00;
    pub(crate) const FD_FDSTAT_SET_FLAGS: u64 = 1 << 3;
    pub(crate) const FD_FILESTAT_GET: u64 = 1 << 21;
    pub(crate) const FD_FILESTAT_SET_SIZE: u64 = 1 << 22;
    pub(crate) const FD_FILESTAT_SET_TIMES: u64 = 1 << 23;
    pub(crate) const POLL_FD_READWRITE: u64 = 1 << 27;
    pub(crate) const SOCK_SHUTDOWN: u64 = 1 << 28;
    pub(crate) const SOCK_ACCEPT: u64 = 1 << 29;
    pub(crate) const ALL: u64 = (1 << 30) - 1;
}

/// The type of a file as WASI has it; it has no pipes.
pub(crate) fn filetype_of(file_type: FileType) -> u8 {
    match file_type {
        FileType::Fifo => filetype::UNKNOWN,
        FileType::CharDevice => filetype::CHARACTER_DEVICE,
        FileType::Directory => filetype::DIRECTORY,
        FileType::BlockDevice => filetype::BLOCK_DEVICE,
        FileType::Regular => filetype::REGULAR_FILE,
        FileType::Symlink => filetype::SYMBOLIC_LINK,
        FileType::Socket => filetype::SOCKET_STREAM,
    }
}

/// The type of an open file, with datagram sockets told apart.
pub(crate) fn filetype_of_fd<S: Syscalls>(task: &S, fd: Fd, file_type: FileType) -> u8 {
    match file_type {
        FileType::Socket if matches!(task.getsockopt(fd, SockOpt::Type(0)), Ok(SockOpt::Type(2))) => {
            filetype::SOCKET_DGRAM
        }
        other => filetype_of(other),
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Writes a `filestat` (64 bytes).
pub(crate) fn write_filestat(memory: &mut GuestMemory<'_>, ptr: u32, stat: &Stat, filetype: u8) -> Result<()> {
    let mut record = [0; 64];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = record.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    put(0, &stat.dev.to_u64().to_le_bytes());
    put(8, &stat.ino.to_le_bytes());
    put(16, &[filetype]);
    put(24, &u64::from(stat.nlink).to_le_bytes());
    put(32, &stat.size.to_le_bytes());
    put(40, &nanos(stat.atime).to_le_bytes());
    put(48, &nanos(stat.mtime).to_le_bytes());
    put(56, &nanos(stat.ctime).to_le_bytes());
    memory.write(ptr, &record)
}

/// `fdflags` of an open file.
pub(crate) fn fdflags_of(flags: OpenFlags) -> u16 {
    u16::from(flags.contains(OpenFlags::APPEND))
        | u16::from(flags.contains(OpenFlags::DSYNC)) << 1
        | u16::from(flags.contains(OpenFlags::NONBLOCK)) << 2
}

/// `fstflags` with their two times.
pub(crate) fn set_times(atime: u64, mtime: u64, flags: u32) -> Result<(SetTime, SetTime)> {
    let one = |time, set, now| match (set, now) {
        (true, true) => Err(Errno::EINVAL),
        (true, false) => Ok(SetTime::To(Duration::from_nanos(time))),
        (false, true) => Ok(SetTime::Now),
        (false, false) => Ok(SetTime::Omit),
    };
    if flags & !0xf != 0 {
        return Err(Errno::EINVAL);
    }
    Ok((
        one(atime, flags & 1 != 0, flags & 2 != 0)?,
        one(mtime, flags & 4 != 0, flags & 8 != 0)?,
    ))
}

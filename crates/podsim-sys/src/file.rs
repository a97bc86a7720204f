//! Files: flags, modes, `stat(2)`, directory entries, mounts.

use std::time::Duration;

/// A file descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fd(pub i32);

impl Fd {
    /// Standard input.
    pub const STDIN: Fd = Fd(0);
    /// Standard output.
    pub const STDOUT: Fd = Fd(1);
    /// Standard error.
    pub const STDERR: Fd = Fd(2);
    /// "The current directory", where a directory is expected (`AT_FDCWD`).
    pub const CWD: Fd = Fd(-100);
}

bitflags::bitflags! {
    /// `open(2)` flags, and the file status flags of `fcntl(F_GETFL)`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct OpenFlags: u32 {
        /// Writing only (reading only is neither bit).
        const WRONLY = 0o1;
        /// Reading and writing.
        const RDWR = 0o2;
        /// Make the file if it is not there.
        const CREAT = 0o100;
        /// With CREAT: fail if it is there.
        const EXCL = 0o200;
        /// Do not take the terminal as controlling terminal.
        const NOCTTY = 0o400;
        /// Cut to length 0.
        const TRUNC = 0o1000;
        /// Every write goes to the end.
        const APPEND = 0o2000;
        /// Never wait.
        const NONBLOCK = 0o4000;
        /// Data is on disk when a write returns.
        const DSYNC = 0o10000;
        /// Only a directory.
        const DIRECTORY = 0o200000;
        /// Not a symbolic link.
        const NOFOLLOW = 0o400000;
        /// Closed by exec.
        const CLOEXEC = 0o2000000;
        /// Only a handle on the path.
        const PATH = 0o10000000;
    }
}

impl OpenFlags {
    /// Whether reading is allowed.
    #[must_use]
    pub fn readable(self) -> bool {
        !self.intersects(OpenFlags::WRONLY | OpenFlags::PATH)
    }

    /// Whether writing is allowed.
    #[must_use]
    pub fn writable(self) -> bool {
        self.intersects(OpenFlags::WRONLY | OpenFlags::RDWR) && !self.contains(OpenFlags::PATH)
    }
}

/// The type of a file, with the numbers of `st_mode >> 12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FileType {
    /// A named pipe, or an anonymous one.
    Fifo = 1,
    /// A character device.
    CharDevice = 2,
    /// A directory.
    Directory = 4,
    /// A block device.
    BlockDevice = 6,
    /// A regular file.
    Regular = 8,
    /// A symbolic link.
    Symlink = 10,
    /// A socket.
    Socket = 12,
}

/// Permission bits with set-user-id, set-group-id and sticky: `0o7777`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(pub u16);

impl Mode {
    /// Set-user-id.
    pub const SETUID: u16 = 0o4000;
    /// Set-group-id.
    pub const SETGID: u16 = 0o2000;
    /// Sticky.
    pub const STICKY: u16 = 0o1000;
}

/// A device number: major and minor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeviceNumber {
    /// The driver.
    pub major: u32,
    /// Which of its devices.
    pub minor: u32,
}

impl DeviceNumber {
    /// As `makedev(3)` packs it for small numbers.
    #[must_use]
    pub fn to_u64(self) -> u64 {
        (u64::from(self.major) << 8) | u64::from(self.minor)
    }
}

/// What `stat(2)` tells. Times are since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The filesystem it is on.
    pub dev: DeviceNumber,
    /// Inode number.
    pub ino: u64,
    /// Type.
    pub file_type: FileType,
    /// Permissions.
    pub mode: Mode,
    /// Hard links.
    pub nlink: u32,
    /// Owner, as the caller's user namespace numbers it.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// For devices: which.
    pub rdev: DeviceNumber,
    /// Bytes.
    pub size: u64,
    /// 512-byte blocks in use.
    pub blocks: u64,
    /// Last read.
    pub atime: Duration,
    /// Last change of the content.
    pub mtime: Duration,
    /// Last change of the inode.
    pub ctime: Duration,
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// Its inode number.
    pub ino: u64,
    /// Its type.
    pub file_type: FileType,
    /// Its name.
    pub name: String,
    /// Where reading goes on after this entry (opaque; 0 is the beginning).
    pub next: u64,
}

/// Where a seek counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whence {
    /// The beginning.
    Set,
    /// The position.
    Current,
    /// The end.
    End,
}

/// A time to set: left alone, now, or a value since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetTime {
    /// UTIME_OMIT.
    Omit,
    /// UTIME_NOW.
    Now,
    /// This time.
    To(Duration),
}

bitflags::bitflags! {
    /// What `access(2)` asks for; none: only whether it exists.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Access: u8 {
        /// Run, or enter a directory.
        const EXEC = 1;
        /// Write.
        const WRITE = 2;
        /// Read.
        const READ = 4;
    }

    /// Mount flags, with the numbers of `mount(2)`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct MountFlags: u32 {
        /// Read-only.
        const RDONLY = 1;
        /// Set-id bits have no effect.
        const NOSUID = 2;
        /// Devices do not work.
        const NODEV = 4;
        /// Nothing can be executed.
        const NOEXEC = 8;
        /// Change the flags of a mount.
        const REMOUNT = 32;
        /// Access times are not kept.
        const NOATIME = 1024;
        /// A directory (or file) that is already there.
        const BIND = 4096;
        /// Move a mount.
        const MOVE = 8192;
        /// With BIND: what is mounted below comes along. With a propagation flag: all below.
        const REC = 16384;
        /// No propagation.
        const PRIVATE = 1 << 18;
        /// Receives propagation.
        const SLAVE = 1 << 19;
        /// Propagates both ways.
        const SHARED = 1 << 20;
        /// Access times only when older than the change.
        const RELATIME = 1 << 21;
    }
}

/// What `statfs(2)` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatFs {
    /// The magic number of the filesystem type.
    pub magic: u64,
    /// Bytes a block.
    pub block_size: u64,
    /// Blocks in all.
    pub blocks: u64,
    /// Free blocks.
    pub blocks_free: u64,
    /// Inodes in all.
    pub files: u64,
    /// Free inodes.
    pub files_free: u64,
}

/// A lock operation of `flock(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flock {
    /// Shared.
    Shared,
    /// Exclusive.
    Exclusive,
    /// Give it back.
    Unlock,
}

//! The machine's words for files, translated to Linux's: errors, attributes, owners.

use cap_std::fs::{Dir, FileType as HostType, Metadata};
use podsim_sys::{DeviceNumber, Errno, FileType, Mode, Result, Stat};
use std::io;
use std::time::{Duration, SystemTime};

/// The errno of a failure.
pub(super) fn to_errno(error: &io::Error) -> Errno {
    #[cfg(target_os = "linux")]
    if let Some(number) = error.raw_os_error().and_then(|number| u16::try_from(number).ok()) {
        return Errno(number);
    }
    match error.kind() {
        io::ErrorKind::NotFound => Errno::ENOENT,
        io::ErrorKind::PermissionDenied => Errno::EACCES,
        io::ErrorKind::AlreadyExists => Errno::EEXIST,
        io::ErrorKind::NotADirectory => Errno::ENOTDIR,
        io::ErrorKind::IsADirectory => Errno::EISDIR,
        io::ErrorKind::DirectoryNotEmpty => Errno::ENOTEMPTY,
        io::ErrorKind::ReadOnlyFilesystem => Errno::EROFS,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Errno::ENOSPC,
        io::ErrorKind::FileTooLarge => Errno::EFBIG,
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => Errno::EINVAL,
        io::ErrorKind::CrossesDevices => Errno::EXDEV,
        io::ErrorKind::TooManyLinks => Errno::EMLINK,
        _ => Errno::EIO,
    }
}

/// The type of a file.
pub(super) fn file_type(of: HostType) -> FileType {
    if of.is_dir() {
        return FileType::Directory;
    }
    if of.is_symlink() {
        return FileType::Symlink;
    }
    #[cfg(unix)]
    {
        use cap_std::fs::FileTypeExt;
        if of.is_fifo() {
            return FileType::Fifo;
        }
        if of.is_socket() {
            return FileType::Socket;
        }
        if of.is_char_device() {
            return FileType::CharDevice;
        }
        if of.is_block_device() {
            return FileType::BlockDevice;
        }
    }
    FileType::Regular
}

fn since_epoch(time: io::Result<cap_std::time::SystemTime>) -> Duration {
    let time = time.map(cap_std::time::SystemTime::into_std);
    let since = time.map(|time| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
    since.unwrap_or_default()
}

/// `stat(2)` of it.
pub(super) fn stat(metadata: &Metadata, dev: DeviceNumber) -> Stat {
    let (atime, mtime) = (since_epoch(metadata.accessed()), since_epoch(metadata.modified()));
    let file_type = file_type(metadata.file_type());
    let size = metadata.len();
    let stat = Stat {
        dev,
        ino: 1,
        file_type,
        // What machines without modes know of them.
        mode: Mode(match (file_type, metadata.permissions().readonly()) {
            (FileType::Directory, _) => 0o755,
            (FileType::Symlink, _) => 0o777,
            (_, true) => 0o444,
            (_, false) => 0o644,
        }),
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: DeviceNumber::default(),
        size,
        blocks: size.div_ceil(512),
        atime,
        mtime,
        ctime: mtime,
    };
    #[cfg(unix)]
    let stat = with_unix(stat, metadata);
    stat
}

/// What only Unix knows of a file.
#[cfg(unix)]
fn with_unix(stat: Stat, metadata: &Metadata) -> Stat {
    use cap_std::fs::MetadataExt;
    /// Who owns what is not podsim's own.
    const NOBODY: u32 = 65534;
    let own = |id: u32, own: u32| if id == own { 0 } else { NOBODY };
    let seconds = u64::try_from(metadata.ctime()).unwrap_or_default();
    let nanoseconds = u32::try_from(metadata.ctime_nsec()).unwrap_or_default();
    Stat {
        ino: metadata.ino(),
        mode: Mode((metadata.mode() & 0o7777) as u16),
        nlink: u32::try_from(metadata.nlink()).unwrap_or(u32::MAX),
        uid: own(metadata.uid(), rustix::process::geteuid().as_raw()),
        gid: own(metadata.gid(), rustix::process::getegid().as_raw()),
        blocks: metadata.blocks(),
        ctime: Duration::new(seconds, nanoseconds.min(999_999_999)),
        ..stat
    }
}

/// Makes a symbolic link in a directory.
pub(super) fn symlink(dir: &Dir, target: &str, name: &str) -> Result<()> {
    // Where it leads is the node's affair: absolute targets are in the node's filesystem.
    #[cfg(unix)]
    return dir.symlink_contents(target, name).map_err(|error| to_errno(&error));
    #[cfg(not(unix))]
    {
        let _ = (dir, target, name);
        Err(Errno::EPERM)
    }
}

/// Sets the permission bits of what is at a name; machines without them only know whether it can be written.
pub(super) fn set_mode(dir: &Dir, name: &str, mode: Mode) -> Result<()> {
    #[cfg(unix)]
    let permissions = {
        use cap_std::fs::PermissionsExt;
        cap_std::fs::Permissions::from_mode(u32::from(mode.0 & 0o7777))
    };
    #[cfg(not(unix))]
    let permissions = {
        let found = dir.symlink_metadata(name).map_err(|error| to_errno(&error))?;
        let mut permissions = found.permissions();
        permissions.set_readonly(mode.0 & 0o222 == 0);
        permissions
    };
    dir.set_permissions(name, permissions).map_err(|error| to_errno(&error))
}

//! Directories by descriptor: nothing here follows a symbolic link.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, chmodat, openat, statat, unlinkat};
use rustix::io::Errno;
use rustix::path::Arg;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Opens a directory that the user has named: symbolic links on the way are the user's own.
pub(super) fn open_root(at: impl AsFd, path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(at, path, flags, Mode::empty())?)
}

/// Opens a directory in a directory.
pub(super) fn open_dir(parent: impl AsFd, name: impl Arg) -> rustix::io::Result<OwnedFd> {
    openat(parent, name, DIRECTORY, Mode::empty())
}

/// The names of a path, each with where it ends in the path.
pub(super) fn parts(path: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut end = 0;
    path.split('/').filter(|name| !name.is_empty()).map(move |name| {
        let separator = usize::from(end > 0);
        end += separator + name.len();
        (end, name)
    })
}

/// Opens the directory at a path in a directory.
pub(super) fn walk(root: &OwnedFd, path: &str) -> io::Result<OwnedFd> {
    let mut at = open_dir(root, ".")?;
    for (_, name) in parts(path) {
        at = open_dir(&at, name)?;
    }
    Ok(at)
}

/// Whether there is a file of this name.
pub(super) fn exists(parent: BorrowedFd<'_>, name: impl Arg) -> io::Result<bool> {
    match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether there is a directory of this name.
pub(super) fn is_dir(parent: BorrowedFd<'_>, name: impl Arg) -> io::Result<bool> {
    match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// The names in a directory.
pub(super) fn names(directory: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            found.push(OsStr::from_bytes(name).to_owned());
        }
    }
    Ok(found)
}

/// Removes a file, or a directory with all that is in it.
pub(super) fn remove_tree(parent: BorrowedFd<'_>, name: impl AsRef<OsStr>) -> io::Result<()> {
    let name = name.as_ref();
    match unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) if is_dir(parent, name)? => {}
        result => return Ok(result?),
    }
    // An image may have directories that its own owner cannot read or write.
    let opened = open_dir(parent, name);
    let directory = match opened {
        Err(Errno::ACCESS) => {
            chmodat(parent, name, Mode::RWXU, AtFlags::empty())?;
            open_dir(parent, name)?
        }
        opened => opened?,
    };
    for inner in names(&directory)? {
        match remove_tree(directory.as_fd(), &inner) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                rustix::fs::fchmod(&directory, Mode::RWXU)?;
                remove_tree(directory.as_fd(), &inner)?;
            }
            result => result?,
        }
    }
    unlinkat(parent, name, AtFlags::REMOVEDIR)?;
    Ok(())
}

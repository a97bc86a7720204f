//! What the programs about files have in common.

use crate::{Outcome, must};
use podsim_guest::*;

/// Opens a path from the current directory; a new file gets the mode 0644.
pub fn open(path: &str, flags: OpenFlags) -> Result<Fd> {
    openat(Fd::CWD, path, flags, Mode(0o644))
}

/// Makes a file, or replaces its content.
pub fn put(path: &str, content: &[u8]) -> Outcome {
    let fd = must(
        path,
        open(path, OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::TRUNC),
    )?;
    must(path, write_all(fd, content))?;
    must(path, close(fd))
}

/// The content of a file.
pub fn content(path: &str) -> Result<String> {
    let fd = open(path, OpenFlags::empty())?;
    let bytes = read_to_end(fd);
    close(fd)?;
    Ok(String::from_utf8_lossy(&bytes?).into_owned())
}

/// `stat(2)`.
pub fn stat(path: &str) -> Result<Stat> {
    fstatat(Fd::CWD, path, true)
}

/// `lstat(2)`.
pub fn lstat(path: &str) -> Result<Stat> {
    fstatat(Fd::CWD, path, false)
}

/// The permission bits of a file.
pub fn mode(path: &str) -> Result<u16> {
    stat(path).map(|stat| stat.mode.0)
}

/// The inode number that a path leads to.
pub fn inode(path: &str) -> Result<u64> {
    stat(path).map(|stat| stat.ino)
}

/// `mkdir(2)` with mode 0755.
pub fn mkdir(path: &str) -> Result<()> {
    mkdirat(Fd::CWD, path, Mode(0o755))
}

/// `rmdir(2)`.
pub fn rmdir(path: &str) -> Result<()> {
    unlinkat(Fd::CWD, path, true)
}

/// `unlink(2)`.
pub fn unlink(path: &str) -> Result<()> {
    unlinkat(Fd::CWD, path, false)
}

/// `rename(2)`.
pub fn rename(old: &str, new: &str) -> Result<()> {
    renameat(Fd::CWD, old, Fd::CWD, new)
}

/// `link(2)`.
pub fn link(old: &str, new: &str) -> Result<()> {
    linkat(Fd::CWD, old, Fd::CWD, new, false)
}

/// `symlink(2)`.
pub fn symlink(target: &str, path: &str) -> Result<()> {
    symlinkat(target, Fd::CWD, path)
}

/// `readlink(2)`.
pub fn readlink(path: &str) -> Result<String> {
    readlinkat(Fd::CWD, path)
}

/// `chmod(2)`.
pub fn chmod(path: &str, mode: u16) -> Result<()> {
    fchmodat(Fd::CWD, path, Mode(mode))
}

/// `chown(2)`.
pub fn chown(path: &str, uid: u32, gid: u32) -> Result<()> {
    fchownat(Fd::CWD, path, Some(uid), Some(gid), true)
}

/// Makes a directory for this program, writable for all, and enters it.
pub fn enter_directory(name: &str) -> Outcome {
    must("mkdir", mkdir(name))?;
    must("chmod", chmod(name, 0o777))?;
    must("chdir", chdir(name))
}

/// Becomes another user for good, of these supplementary groups.
pub fn become_user(id: u32, groups: Vec<u32>) -> Outcome {
    must("setgroups", setgroups(groups))?;
    must("setresgid", setresgid(Some(id), Some(id), Some(id)))?;
    must("setresuid", setresuid(Some(id), Some(id), Some(id)))
}

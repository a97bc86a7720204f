//! The preopened directories `/` and `.`, which exist only in this ABI.
//!
//! A libc looks for them from descriptor 3 upwards until EBADF. On Linux a process's descriptors from 3 on are its own, so
//! the preopens have numbers that few programs reach, and for the numbers below them `fd_prestat_get` tells of a preopen of
//! an unknown kind, which wasi-libc (`__wasilibc_populate_preopens`) and Go (`syscall/fs_wasip1.go`) skip. A real descriptor
//! 200 or 201 still works for everything but the `path_*` calls.

use crate::call::{Call, fd};
use podsim_sys::{Errno, Fd, Result, Syscalls};

/// The number of `/`. It comes first: Go takes the first preopen as its root.
pub(crate) const ROOT: u32 = 200;
/// The number of `.`: the kernel's current directory, at each use.
pub(crate) const CWD: u32 = 201;

/// The first number that a libc asks for.
const FIRST: u32 = 3;
/// A kind of preopen that no libc knows (`preopentype` has only 0, a directory).
const UNKNOWN_KIND: u8 = 1;

fn name(fd: u32) -> Option<&'static str> {
    match fd {
        ROOT => Some("/"),
        CWD => Some("."),
        _ => None,
    }
}

/// Whether the number is a preopen's and the process has no file of its own there.
pub(crate) fn is_preopen<S: Syscalls>(task: &S, number: u32) -> bool {
    name(number).is_some() && task.get_cloexec(fd(number)).is_err()
}

/// A directory and a path as the kernel takes them. wasi-libc strips the `/` of an absolute path and gives [`ROOT`].
pub(crate) fn at(dir: u32, path: &str) -> (Fd, std::borrow::Cow<'_, str>) {
    match dir {
        ROOT if path.starts_with('/') => (Fd::CWD, path.into()),
        // An empty path is an error everywhere, also here.
        ROOT if path.is_empty() => (Fd::CWD, path.into()),
        ROOT => (Fd::CWD, format!("/{path}").into()),
        CWD => (Fd::CWD, path.into()),
        other => (fd(other), path.into()),
    }
}

pub(crate) fn fd_prestat_get<S: Syscalls>(call: &mut Call<'_, S>, fd: u32, prestat: u32) -> Result<()> {
    let mut memory = call.memory();
    let (kind, len) = match name(fd) {
        Some(name) => (0, name.len()),
        None if (FIRST..ROOT).contains(&fd) => (UNKNOWN_KIND, 0),
        None => return Err(Errno::EBADF),
    };
    memory.set_u32(prestat, kind.into())?;
    memory.set_u32(prestat.checked_add(4).ok_or(Errno::EFAULT)?, len as u32)
}

pub(crate) fn fd_prestat_dir_name<S: Syscalls>(
    call: &mut Call<'_, S>,
    fd: u32,
    path: u32,
    path_len: u32,
) -> Result<()> {
    let name = name(fd).ok_or(Errno::EBADF)?;
    if (path_len as usize) < name.len() {
        return Err(Errno::ENAMETOOLONG);
    }
    call.memory().write(path, name.as_bytes())
}

//! The preopened directory `/`, which exists only in this ABI, and what paths below it mean.
//!
//! A libc looks for preopens from descriptor 3 upwards until EBADF. On Linux a process's descriptors from 3 on are its own,
//! so the preopen has a number that few programs reach, and for the numbers below it `fd_prestat_get` tells of a preopen of
//! an unknown kind, which wasi-libc (`__wasilibc_populate_preopens`) and Go (`syscall/fs_wasip1.go`) skip. A real descriptor
//! 200 still works for everything but the `path_*` calls.
//!
//! There is no second one for `.`: wasi-libc strips `/` and `./` from paths and preopens alike, so the two could not be told
//! apart. A guest that knows its current directory (see [`knows_cwd`]) makes paths absolute itself. Others never heard of one
//! and mean `/` and `.` by the same words; for them see [`guess`].

use crate::call::{Call, fd};
use crate::state::State;
use podsim_sys::{Errno, Fd, Result, Syscalls};
use std::borrow::Cow;

/// The number of `/`.
const ROOT: u32 = 200;
/// The first number that a libc asks for.
const FIRST: u32 = 3;
/// A kind of preopen that no libc knows (`preopentype` has only 0, a directory).
const UNKNOWN_KIND: u8 = 1;
const NAME: &str = "/";

/// Whether a module that imports this keeps its libc's current directory in step with the kernel's: podsim-guest and
/// WASIX's libc do.
pub(crate) fn knows_cwd(module: &str, name: &str) -> bool {
    module == "podsim_v1" || (module == "wasix_32v1" && matches!(name, "getcwd" | "chdir"))
}

/// Whether the number is the preopen's and the process has no file of its own there.
pub(crate) fn is_preopen<S: Syscalls>(task: &S, number: u32) -> bool {
    number == ROOT && task.get_cloexec(fd(number)).is_err()
}

/// A directory and a path as the kernel takes them.
pub(crate) fn at<'p, S: Syscalls>(state: &State<S>, dir: u32, path: &'p str) -> (Fd, Cow<'p, str>) {
    match dir {
        // An empty path is an error everywhere, also here.
        ROOT if path.starts_with('/') || path.is_empty() => (Fd::CWD, path.into()),
        ROOT if state.knows_cwd => (Fd::CWD, format!("/{path}").into()),
        ROOT => (Fd::CWD, guess(&state.task, path)),
        other => (fd(other), path.into()),
    }
}

/// A path without its beginning, from a guest that does not know where it is: the current directory is meant if the first
/// name is there, `/` if it is there, and the current directory again for a name that is to be made.
fn guess<'p, S: Syscalls>(task: &S, path: &'p str) -> Cow<'p, str> {
    let absolute = || format!("/{path}").into();
    if task.getcwd().is_ok_and(|cwd| cwd == "/") {
        return absolute();
    }
    let first = path.split('/').next().unwrap_or(path);
    let here = task.fstatat(Fd::CWD, first, false).is_ok();
    let there = || task.fstatat(Fd::CWD, &format!("/{first}"), false).is_ok();
    if !here && there() { absolute() } else { path.into() }
}

pub(crate) fn fd_prestat_get<S: Syscalls>(call: &mut Call<'_, S>, fd: u32, prestat: u32) -> Result<()> {
    let (kind, len) = match fd {
        ROOT => (0, NAME.len()),
        FIRST..ROOT => (UNKNOWN_KIND, 0),
        _ => return Err(Errno::EBADF),
    };
    let mut memory = call.memory();
    memory.set_u32(prestat, kind.into())?;
    memory.set_u32(prestat.checked_add(4).ok_or(Errno::EFAULT)?, len as u32)
}

pub(crate) fn fd_prestat_dir_name<S: Syscalls>(
    call: &mut Call<'_, S>,
    fd: u32,
    path: u32,
    path_len: u32,
) -> Result<()> {
    match fd {
        ROOT if (path_len as usize) < NAME.len() => Err(Errno::ENAMETOOLONG),
        ROOT => call.memory().write(path, NAME.as_bytes()),
        _ => Err(Errno::EBADF),
    }
}

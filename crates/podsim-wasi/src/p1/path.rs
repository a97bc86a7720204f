//! Paths.

use super::at;
use super::types::{filetype_of, rights, set_times, write_filestat};
use crate::call::{Call, fdflags_to_linux};
use podsim_sys::{Errno, Fd, Mode, OpenFlags, Result, Syscalls};

/// `lookupflags::symlink_follow`.
const SYMLINK_FOLLOW: u32 = 1;

fn follow(lookup: u32) -> bool {
    lookup & SYMLINK_FOLLOW != 0
}

pub(crate) fn path_create_directory<S: Syscalls>(
    call: &mut Call<'_, S>,
    fd: u32,
    path: u32,
    path_len: u32,
) -> Result<()> {
    let (memory, state) = call.parts();
    let (dir, path) = at(state, fd, memory.path(path, path_len)?);
    state.task.mkdirat(dir, &path, Mode(0o777))
}

pub(crate) fn path_filestat_get<S: Syscalls>(
    call: &mut Call<'_, S>,
    fd: u32,
    lookup: u32,
    path: u32,
    path_len: u32,
    stat_ptr: u32,
) -> Result<()> {
    let (mut memory, state) = call.parts();
    let (dir, path) = at(state, fd, memory.path(path, path_len)?);
    let stat = state.task.fstatat(dir, &path, follow(lookup))?;
    drop(path);
    write_filestat(&mut memory, stat_ptr, &stat, filetype_of(stat.file_type))
}

#[expect(clippy::too_many_arguments, reason = "the signature is preview 1's")]
pub(crate) fn path_filestat_set_times<S: Syscalls>(
    call: &mut Call<'_, S>,
    fd: u32,
    lookup: u32,
    path: u32,
    path_len: u32,
    atime: u64,
    mtime: u64,
    flags: u32,
) -> Result<()> {
    let (memory, state) = call.parts();
    let (dir, path) = at(state, fd, memory.path(path, path_len)?);
    let (atime, mtime) = set_times(atime, mtime, flags)?;
    state.task.utimensat(dir, &path, atime, mtime, follow(lookup))
}

#[expect(clippy::too_many_arguments, reason = "the signature is preview 1's")]
pub(crate) fn path_link<S: Syscalls>(
    call: &mut Call<'_, S>,
    old_fd: u32,
    lookup: u32,
    old: u32,
    old_len: u32,
    new_fd: u32,
    new: u32,
    new_len: u32,
) -> Result<()> {
    let (memory, state) = call.parts();
    let (old_dir, old) = at(state, old_fd, memory.path(old, old_len)?);
    let (new_dir, new) = at(state, new_fd, memory.path(new, new_len)?);
    state.task.linkat(old_dir, &old, new_dir, &new, follow(lookup))
}

/// The arguments of `path_open` and of WASIX's `path_open2`.
#[derive(Clone, Copy)]
pub(crate) struct OpenRequest {
    pub(crate) lookup: u32,
    pub(crate) oflags: u32,
    pub(crate) rights: u64,
    pub(crate) fdflags: u32,
    pub(crate) cloexec: bool,
}

impl OpenRequest {
    /// As `open(2)` has it: what the rights ask for decides between reading and writing.
    pub(crate) fn flags(self) -> Result<OpenFlags> {
        if self.oflags & !0xf != 0 || self.fdflags & !0x1f != 0 {
            return Err(Errno::EINVAL);
        }
        let mut flags = fdflags_to_linux(self.fdflags);
        flags.set(OpenFlags::CREAT, self.oflags & 1 != 0);
        flags.set(OpenFlags::DIRECTORY, self.oflags & 2 != 0);
        flags.set(OpenFlags::EXCL, self.oflags & 4 != 0);
        flags.set(OpenFlags::TRUNC, self.oflags & 8 != 0);
        flags.set(OpenFlags::NOFOLLOW, !follow(self.lookup));
        flags.set(OpenFlags::CLOEXEC, self.cloexec);
        let writes = rights::FD_WRITE | rights::FD_ALLOCATE | rights::FD_FILESTAT_SET_SIZE;
        let write = self.rights & writes != 0 && !flags.contains(OpenFlags::DIRECTORY);
        flags |= match (write, self.rights & rights::FD_READ != 0) {
            (true, true) => OpenFlags::RDWR,
            (true, false) => OpenFlags::WRONLY,
            (false, _) => OpenFlags::empty(),
        };
        Ok(flags)
    }
}

/// Opens a file for a guest.
pub(crate) async fn open<S: Syscalls>(
    call: &mut Call<'_, S>,
    fd: u32,
    path: u32,
    path_len: u32,
    request: OpenRequest,
) -> Result<Fd> {
    let (memory, state) = call.parts();
    let (dir, path) = at(state, fd, memory.path(path, path_len)?);
    state.task.openat(dir, &path, request.flags()?, Mode(0o666)).await
}

#[expect(clippy::too_many_arguments, reason = "the signature is preview 1's")]
pub(crate) async fn path_open<S: Syscalls>(
    call: &mut Call<'_, S>,
    fd: u32,
    lookup: u32,
    path: u32,
    path_len: u32,
    oflags: u32,
    rights: u64,
    _inheriting: u64,
    fdflags: u32,
    opened: u32,
) -> Result<()> {
    call.memory().u32(opened)?;
    let request = OpenRequest {
        lookup,
        oflags,
        rights,
        fdflags,
        cloexec: true,
    };
    let fd = open(call, fd, path, path_len, request).await?;
    call.memory().set_u32(opened, fd.0.cast_unsigned())
}

pub(crate) fn path_readlink<S: Syscalls>(
    call: &mut Call<'_, S>,
    fd: u32,
    path: u32,
    path_len: u32,
    buf: u32,
    buf_len: u32,
    used: u32,
) -> Result<()> {
    let (mut memory, state) = call.parts();
    let (dir, path) = at(state, fd, memory.path(path, path_len)?);
    let target = state.task.readlinkat(dir, &path)?;
    drop(path);
    // What does not fit is cut off, as readlink(2) does.
    let bytes = target.as_bytes().get(..buf_len as usize).unwrap_or(target.as_bytes());
    memory.write(buf, bytes)?;
    memory.set_u32(used, bytes.len() as u32)
}

pub(crate) fn path_remove_directory<S: Syscalls>(
    call: &mut Call<'_, S>,
    fd: u32,
    path: u32,
    path_len: u32,
) -> Result<()> {
    let (memory, state) = call.parts();
    let (dir, path) = at(state, fd, memory.path(path, path_len)?);
    state.task.unlinkat(dir, &path, true)
}

pub(crate) fn path_rename<S: Syscalls>(
    call: &mut Call<'_, S>,
    old_fd: u32,
    old: u32,
    old_len: u32,
    new_fd: u32,
    new: u32,
    new_len: u32,
) -> Result<()> {
    let (memory, state) = call.parts();
    let (old_dir, old) = at(state, old_fd, memory.path(old, old_len)?);
    let (new_dir, new) = at(state, new_fd, memory.path(new, new_len)?);
    state.task.renameat(old_dir, &old, new_dir, &new)
}

pub(crate) fn path_symlink<S: Syscalls>(
    call: &mut Call<'_, S>,
    target: u32,
    target_len: u32,
    fd: u32,
    path: u32,
    path_len: u32,
) -> Result<()> {
    let (memory, state) = call.parts();
    let target = memory.path(target, target_len)?;
    let (dir, path) = at(state, fd, memory.path(path, path_len)?);
    state.task.symlinkat(target, dir, &path)
}

pub(crate) fn path_unlink_file<S: Syscalls>(call: &mut Call<'_, S>, fd: u32, path: u32, path_len: u32) -> Result<()> {
    let (memory, state) = call.parts();
    let (dir, path) = at(state, fd, memory.path(path, path_len)?);
    state.task.unlinkat(dir, &path, false)
}

//! Open files.

use super::preopen::is_preopen;
use super::types::{fdflags_of, filetype, filetype_of, filetype_of_fd, rights, set_times, write_filestat};
use crate::call::{Call, fd, fdflags_to_linux};
use crate::memory::scatter_len;
use podsim_sys::{Errno, Fd, FileType, OpenFlags, Result, Syscalls, Whence};

/// The most directory entries asked of the kernel at once.
const DIRENTS: usize = 256;

pub(crate) fn fd_advise<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    _offset: u64,
    _len: u64,
    advice: u32,
) -> Result<()> {
    let stat = call.task().fstat(fd(number))?;
    match stat.file_type {
        _ if advice > 5 => Err(Errno::EINVAL),
        FileType::Fifo => Err(Errno::ESPIPE),
        FileType::Directory => Err(Errno::EBADF),
        _ => Ok(()),
    }
}

pub(crate) fn fd_allocate<S: Syscalls>(call: &mut Call<'_, S>, number: u32, offset: u64, len: u64) -> Result<()> {
    call.task().fallocate(fd(number), offset, len)
}

pub(crate) fn fd_close<S: Syscalls>(call: &mut Call<'_, S>, number: u32) -> Result<()> {
    let task = call.task();
    // A libc may close its preopens; they cost nothing and stay.
    if is_preopen(&task, number) {
        Ok(())
    } else {
        task.close(fd(number))
    }
}

pub(crate) fn fd_datasync<S: Syscalls>(call: &mut Call<'_, S>, number: u32) -> Result<()> {
    call.task().fsync(fd(number))
}

pub(crate) fn fd_sync<S: Syscalls>(call: &mut Call<'_, S>, number: u32) -> Result<()> {
    call.task().fsync(fd(number))
}

pub(crate) fn fd_fdstat_get<S: Syscalls>(call: &mut Call<'_, S>, number: u32, ptr: u32) -> Result<()> {
    let task = call.task();
    let (filetype, flags, base, inheriting) = if is_preopen(&task, number) {
        (filetype::DIRECTORY, 0, rights::PATH_AND_READDIR, rights::ALL)
    } else {
        fdstat(&task, fd(number))?
    };
    let mut record = [0; 24];
    let words: [(usize, &[u8]); 4] = [
        (0, &[filetype]),
        (2, &flags.to_le_bytes()),
        (8, &base.to_le_bytes()),
        (16, &inheriting.to_le_bytes()),
    ];
    for (at, bytes) in words {
        if let Some(place) = record.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }
    call.memory().write(ptr, &record)
}

/// File type, `fdflags`, and the rights that its type and the way it was opened make sensible.
fn fdstat<S: Syscalls>(task: &S, fd: Fd) -> Result<(u8, u16, u64, u64)> {
    let stat = task.fstat(fd)?;
    let flags = task.get_status_flags(fd)?;
    let mut base = rights::FD_FDSTAT_SET_FLAGS | rights::FD_FILESTAT_GET | rights::FD_FILESTAT_SET_TIMES;
    let mut inheriting = 0;
    match stat.file_type {
        FileType::Directory => {
            base |= rights::PATH_AND_READDIR | rights::FD_SYNC | rights::FD_DATASYNC;
            inheriting = rights::ALL;
        }
        FileType::Socket => base |= rights::SOCK_SHUTDOWN | rights::SOCK_ACCEPT,
        FileType::Fifo => {}
        // wasi-libc's isatty: a character device without the rights to seek and tell.
        FileType::CharDevice if task.isatty(fd).unwrap_or(false) => {}
        _ => {
            base |= rights::FD_SEEK
                | rights::FD_TELL
                | rights::FD_ADVISE
                | rights::FD_SYNC
                | rights::FD_DATASYNC
                | rights::FD_ALLOCATE
                | rights::FD_FILESTAT_SET_SIZE;
        }
    }
    if stat.file_type != FileType::Directory {
        base |= rights::POLL_FD_READWRITE;
        if flags.readable() {
            base |= rights::FD_READ;
        }
        if flags.writable() {
            base |= rights::FD_WRITE;
        } else {
            base &= !(rights::FD_ALLOCATE | rights::FD_FILESTAT_SET_SIZE);
        }
    }
    Ok((
        filetype_of_fd(task, fd, stat.file_type),
        fdflags_of(flags),
        base,
        inheriting,
    ))
}

pub(crate) fn fd_fdstat_set_flags<S: Syscalls>(call: &mut Call<'_, S>, number: u32, flags: u32) -> Result<()> {
    if flags & !0x1f != 0 {
        return Err(Errno::EINVAL);
    }
    let settable = OpenFlags::APPEND | OpenFlags::NONBLOCK;
    call.task()
        .set_status_flags(fd(number), fdflags_to_linux(flags) & settable)
}

pub(crate) fn fd_fdstat_set_rights<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    _base: u64,
    _inheriting: u64,
) -> Result<()> {
    let task = call.task();
    if is_preopen(&task, number) {
        Ok(())
    } else {
        task.get_status_flags(fd(number)).map(drop)
    }
}

pub(crate) fn fd_filestat_get<S: Syscalls>(call: &mut Call<'_, S>, number: u32, ptr: u32) -> Result<()> {
    let task = call.task();
    let (stat, filetype) = if is_preopen(&task, number) {
        let stat = task.fstatat(Fd::CWD, "/", true)?;
        (stat, filetype_of(stat.file_type))
    } else {
        let stat = task.fstat(fd(number))?;
        (stat, filetype_of_fd(&task, fd(number), stat.file_type))
    };
    write_filestat(&mut call.memory(), ptr, &stat, filetype)
}

pub(crate) fn fd_filestat_set_size<S: Syscalls>(call: &mut Call<'_, S>, number: u32, size: u64) -> Result<()> {
    call.task().ftruncate(fd(number), size)
}

pub(crate) fn fd_filestat_set_times<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    atime: u64,
    mtime: u64,
    flags: u32,
) -> Result<()> {
    let (atime, mtime) = set_times(atime, mtime, flags)?;
    call.task().futimens(fd(number), atime, mtime)
}

pub(crate) async fn fd_read<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    iovs: u32,
    count: u32,
    nread: u32,
) -> Result<()> {
    let (mut memory, state) = call.parts();
    memory.u32(nread)?;
    let spans = memory.iovecs(iovs, count)?;
    let n = if let [span] = spans[..] {
        state
            .task
            .read(fd(number), memory.bytes_mut(span.ptr, span.len)?)
            .await?
    } else {
        let mut bytes = vec![0; scatter_len(&spans)];
        let n = state.task.read(fd(number), &mut bytes).await?;
        memory.scatter(&spans, bytes.get(..n).unwrap_or_default())?;
        n
    };
    memory.set_u32(nread, n as u32)
}

pub(crate) fn fd_pread<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    iovs: u32,
    count: u32,
    offset: u64,
    nread: u32,
) -> Result<()> {
    let (mut memory, state) = call.parts();
    let spans = memory.iovecs(iovs, count)?;
    let n = if let [span] = spans[..] {
        state
            .task
            .pread(fd(number), memory.bytes_mut(span.ptr, span.len)?, offset)?
    } else {
        let mut bytes = vec![0; scatter_len(&spans)];
        let n = state.task.pread(fd(number), &mut bytes, offset)?;
        memory.scatter(&spans, bytes.get(..n).unwrap_or_default())?;
        n
    };
    memory.set_u32(nread, n as u32)
}

pub(crate) async fn fd_write<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    iovs: u32,
    count: u32,
    written: u32,
) -> Result<()> {
    let (mut memory, state) = call.parts();
    memory.u32(written)?;
    let spans = memory.iovecs(iovs, count)?;
    let bytes = memory.gather(&spans)?;
    let n = state.task.write(fd(number), &bytes).await?;
    drop(bytes);
    memory.set_u32(written, n as u32)
}

pub(crate) fn fd_pwrite<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    iovs: u32,
    count: u32,
    offset: u64,
    written: u32,
) -> Result<()> {
    let (mut memory, state) = call.parts();
    let spans = memory.iovecs(iovs, count)?;
    let n = state.task.pwrite(fd(number), &memory.gather(&spans)?, offset)?;
    memory.set_u32(written, n as u32)
}

/// Fills the buffer; the last entry may be cut off, and a full buffer says that there is more.
pub(crate) fn fd_readdir<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    buf: u32,
    buf_len: u32,
    cookie: u64,
    used: u32,
) -> Result<()> {
    let task = call.task();
    let mut memory = call.memory();
    let buffer = memory.bytes_mut(buf, buf_len)?;
    let (mut filled, mut position) = (0, cookie);
    'full: loop {
        let entries = task.getdents(fd(number), position, DIRENTS)?;
        let Some(last) = entries.last() else { break };
        position = last.next;
        for entry in &entries {
            let mut record = Vec::with_capacity(24 + entry.name.len());
            record.extend_from_slice(&entry.next.to_le_bytes());
            record.extend_from_slice(&entry.ino.to_le_bytes());
            record.extend_from_slice(&(entry.name.len() as u32).to_le_bytes());
            record.extend_from_slice(&[filetype_of(entry.file_type), 0, 0, 0]);
            record.extend_from_slice(entry.name.as_bytes());
            let room = buffer.get_mut(filled..).unwrap_or_default();
            let len = record.len().min(room.len());
            room.iter_mut().zip(&record).for_each(|(to, from)| *to = *from);
            filled += len;
            if len < record.len() {
                break 'full;
            }
        }
    }
    memory.set_u32(used, filled as u32)
}

pub(crate) fn fd_renumber<S: Syscalls>(call: &mut Call<'_, S>, from: u32, to: u32) -> Result<()> {
    let task = call.task();
    let cloexec = task.get_cloexec(fd(from))?;
    if from == to {
        return Ok(());
    }
    task.dup2(fd(from), fd(to), cloexec)?;
    task.close(fd(from))
}

pub(crate) fn fd_seek<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    offset: i64,
    whence: u32,
    position: u32,
) -> Result<()> {
    let whence = match whence {
        0 => Whence::Set,
        1 => Whence::Current,
        2 => Whence::End,
        _ => return Err(Errno::EINVAL),
    };
    let at = call.task().lseek(fd(number), offset, whence)?;
    call.memory().set_u64(position, at)
}

pub(crate) fn fd_tell<S: Syscalls>(call: &mut Call<'_, S>, number: u32, position: u32) -> Result<()> {
    fd_seek(call, number, 0, 1, position)
}

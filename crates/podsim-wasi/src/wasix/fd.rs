//! Descriptors, the current directory, terminals.

use crate::call::{Call, fd};
use crate::p1::{OpenRequest, open};
use podsim_sys::{Errno, Fd, LocalFlags, OpenFlags, Result, Syscalls, TcSet, Winsize};

/// `fdflagsext::cloexec`.
const CLOEXEC: u32 = 1;
/// `eventfdflags::semaphore`.
const SEMAPHORE: u32 = 1;

pub(crate) fn chdir<S: Syscalls>(call: &mut Call<'_, S>, path: u32, path_len: u32) -> Result<()> {
    let task = call.task();
    task.chdir(call.memory().path(path, path_len)?)
}

pub(crate) fn clock_time_set<S: Syscalls>(_call: &mut Call<'_, S>, _id: u32, _time: u64) -> Result<()> {
    Err(Errno::EPERM)
}

pub(crate) fn fd_dup<S: Syscalls>(call: &mut Call<'_, S>, number: u32, new: u32) -> Result<()> {
    let copy = call.task().dup(fd(number), Fd(0), false)?;
    call.memory().set_u32(new, copy.0.cast_unsigned())
}

pub(crate) fn fd_dup2<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    min: u32,
    cloexec: u32,
    new: u32,
) -> Result<()> {
    let copy = call.task().dup(fd(number), fd(min), cloexec != 0)?;
    call.memory().set_u32(new, copy.0.cast_unsigned())
}

pub(crate) fn fd_event<S: Syscalls>(call: &mut Call<'_, S>, initial: u64, flags: u32, new: u32) -> Result<()> {
    let event = call
        .task()
        .eventfd(initial, flags & SEMAPHORE != 0, OpenFlags::empty())?;
    call.memory().set_u32(new, event.0.cast_unsigned())
}

pub(crate) fn fd_fdflags_get<S: Syscalls>(call: &mut Call<'_, S>, number: u32, flags: u32) -> Result<()> {
    let cloexec = call.task().get_cloexec(fd(number))?;
    call.memory().set_u16(flags, cloexec.into())
}

pub(crate) fn fd_fdflags_set<S: Syscalls>(call: &mut Call<'_, S>, number: u32, flags: u32) -> Result<()> {
    call.task().set_cloexec(fd(number), flags & CLOEXEC != 0)
}

pub(crate) fn fd_pipe<S: Syscalls>(call: &mut Call<'_, S>, reader: u32, writer: u32) -> Result<()> {
    let mut memory = call.memory();
    // Before the pipe is made: it would be lost.
    memory.set_u32(reader, 0)?;
    memory.set_u32(writer, 0)?;
    let (read, write) = call.task().pipe(OpenFlags::empty())?;
    let mut memory = call.memory();
    memory.set_u32(reader, read.0.cast_unsigned())?;
    memory.set_u32(writer, write.0.cast_unsigned())
}

/// The length is the buffer's and becomes the path's; EOVERFLOW when the buffer is too short.
pub(crate) fn getcwd<S: Syscalls>(call: &mut Call<'_, S>, path: u32, path_len: u32) -> Result<()> {
    let cwd = call.task().getcwd()?;
    let mut memory = call.memory();
    let room = memory.u32(path_len)? as usize;
    memory.set_u32(path_len, u32::try_from(cwd.len()).map_err(|_| Errno::ENAMETOOLONG)?)?;
    if cwd.len() > room {
        return Err(Errno::EOVERFLOW);
    }
    memory.write(path, cwd.as_bytes())?;
    match path.checked_add(cwd.len() as u32) {
        Some(end) if cwd.len() < room => memory.set_u8(end, 0),
        _ => Ok(()),
    }
}

#[expect(clippy::too_many_arguments, reason = "the signature is WASIX's")]
pub(crate) async fn path_open2<S: Syscalls>(
    call: &mut Call<'_, S>,
    dir: u32,
    lookup: u32,
    path: u32,
    path_len: u32,
    oflags: u32,
    rights: u64,
    _inheriting: u64,
    fdflags: u32,
    fdflagsext: u32,
    opened: u32,
) -> Result<()> {
    call.memory().u32(opened)?;
    let request = OpenRequest {
        lookup,
        oflags,
        rights,
        fdflags,
        cloexec: fdflagsext & CLOEXEC != 0,
    };
    let fd = open(call, dir, path, path_len, request).await?;
    call.memory().set_u32(opened, fd.0.cast_unsigned())
}

/// The terminal of the first standard stream that is one.
fn terminal<S: Syscalls>(task: &S) -> Option<Fd> {
    [Fd::STDIN, Fd::STDOUT, Fd::STDERR]
        .into_iter()
        .find(|fd| task.isatty(*fd).unwrap_or(false))
}

/// `tty`: columns, rows, width, height (`u32`), then stdin_tty, stdout_tty, stderr_tty, echo, line_buffered (bytes).
pub(crate) fn tty_get<S: Syscalls>(call: &mut Call<'_, S>, state: u32) -> Result<()> {
    let task = call.task();
    let (size, local) = match terminal(&task) {
        Some(fd) => (task.get_winsize(fd)?, task.tcgetattr(fd)?.lflag),
        None => (Winsize { rows: 25, cols: 80 }, LocalFlags::ECHO | LocalFlags::ICANON),
    };
    let mut memory = call.memory();
    memory.write(state, &[0; 24])?;
    memory.set_u32(state, size.cols.into())?;
    memory.set_u32(state + 4, size.rows.into())?;
    memory.set_u32(state + 8, u32::from(size.cols) * 8)?;
    memory.set_u32(state + 12, u32::from(size.rows) * 16)?;
    for (index, fd) in [Fd::STDIN, Fd::STDOUT, Fd::STDERR].into_iter().enumerate() {
        memory.set_u8(state + 16 + index as u32, task.isatty(fd).unwrap_or(false).into())?;
    }
    memory.set_u8(state + 19, local.contains(LocalFlags::ECHO).into())?;
    memory.set_u8(state + 20, local.contains(LocalFlags::ICANON).into())
}

pub(crate) fn tty_set<S: Syscalls>(call: &mut Call<'_, S>, state: u32) -> Result<()> {
    let task = call.task();
    let memory = call.memory();
    memory.bytes(state, 24)?;
    let size = Winsize {
        cols: u16::try_from(memory.u32(state)?).map_err(|_| Errno::EINVAL)?,
        rows: u16::try_from(memory.u32(state + 4)?).map_err(|_| Errno::EINVAL)?,
    };
    let (echo, lines) = (memory.u8(state + 19)? != 0, memory.u8(state + 20)? != 0);
    let fd = terminal(&task).ok_or(Errno::ENOTTY)?;
    let mut modes = task.tcgetattr(fd)?;
    modes.lflag.set(LocalFlags::ECHO, echo);
    modes.lflag.set(LocalFlags::ICANON, lines);
    task.tcsetattr(fd, TcSet::Now, modes)?;
    if task.get_winsize(fd)? == size {
        Ok(())
    } else {
        task.set_winsize(fd, size)
    }
}

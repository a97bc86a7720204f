//! Open files: [`FileOps`] is what an open object can do, [`FileDescription`] is an open file with its flags and position.

use crate::fs::PathRef;
use parking_lot::Mutex;
use podsim_sys::{DirEntry, Errno, Flock, OpenFlags, PollEvents, Result, Stat, Whence};
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};

/// What an open object can do. Nothing here ever waits: what would have to wait is [`Errno::EAGAIN`], and
/// [`poll`](FileOps::poll) tells (and wakes) when it is worth another try. The waiting itself is written once, in
/// [`FileDescription`] and in the system calls.
pub trait FileOps: Send + Sync + 'static {
    /// Reads at `offset` (ignored by streams).
    fn read_at(&self, _buf: &mut [u8], _offset: u64) -> Result<usize> {
        Err(Errno::EINVAL)
    }
    /// Writes at `offset` (ignored by streams); with `append`, at the end. Returns the bytes written and the position after them.
    fn write_at(&self, _buf: &[u8], _offset: u64, _append: bool) -> Result<(usize, u64)> {
        Err(Errno::EINVAL)
    }
    /// What is the case now. With a waker: it is woken at the next change.
    fn poll(&self, _waker: Option<&Waker>) -> PollEvents {
        PollEvents::IN | PollEvents::OUT
    }
    /// `fstat(2)`.
    fn stat(&self) -> Result<Stat>;
    /// Whether the position is always 0: `lseek(2)` on `/dev/null` and its like does nothing (`null_lseek` of drivers/char/mem.c).
    fn always_at_start(&self) -> bool {
        false
    }
    /// Whether there is a position (regular files, directories, some devices); otherwise ESPIPE.
    fn seekable(&self) -> bool {
        false
    }
    /// `ftruncate(2)`.
    fn truncate(&self, _size: u64) -> Result<()> {
        Err(Errno::EINVAL)
    }
    /// `fallocate(2)`: makes room for a range, and the file at least as long.
    fn allocate(&self, _offset: u64, _length: u64) -> Result<()> {
        Err(Errno::ENODEV)
    }
    /// Directory entries from `start` on, with `.` and `..`.
    fn getdents(&self, _start: u64, _max: usize) -> Result<Vec<DirEntry>> {
        Err(Errno::ENOTDIR)
    }
    /// The terminal behind this file (a pty slave; for the master too), for termios, job control and `isatty`.
    fn tty(&self) -> Option<&Arc<crate::tty::Tty>> {
        None
    }
    /// Whether this is the master side of the pty.
    fn is_pty_master(&self) -> bool {
        false
    }
    /// The socket behind this file.
    fn socket(&self) -> Option<&Arc<dyn crate::net::Socket>> {
        None
    }
    /// The POSIX message queue behind this file.
    fn mqueue(&self) -> Option<&Arc<crate::ipc::mqueue::PosixQueue>> {
        None
    }
    /// The namespace behind this file (an open `/proc/PID/ns/*`), for `setns(2)`.
    fn namespace(&self) -> Option<crate::nsproxy::NsRef> {
        None
    }
    /// What `/proc/PID/fd/N` shows when there is no path, such as `pipe:[123]`.
    fn anonymous_name(&self) -> Option<String> {
        None
    }
}

/// An open file: shared by all descriptors that were duplicated from one `open`.
pub struct FileDescription {
    ops: Arc<dyn FileOps>,
    path: Option<PathRef>,
    state: Mutex<FileState>,
    /// It has, or had, a `flock(2)` lock: given back when it is closed.
    flocked: AtomicBool,
}

struct FileState {
    flags: OpenFlags,
    offset: u64,
}

impl FileDescription {
    /// An open file without a path.
    pub fn new(ops: Arc<dyn FileOps>, flags: OpenFlags) -> Arc<Self> {
        Self::with_path(ops, flags, None)
    }

    /// An open file, and where it was found.
    pub fn with_path(ops: Arc<dyn FileOps>, flags: OpenFlags, path: Option<PathRef>) -> Arc<Self> {
        let kept =
            flags - (OpenFlags::CREAT | OpenFlags::EXCL | OpenFlags::TRUNC | OpenFlags::NOCTTY | OpenFlags::CLOEXEC);
        Arc::new(Self {
            ops,
            path,
            state: Mutex::new(FileState { flags: kept, offset: 0 }),
            flocked: AtomicBool::new(false),
        })
    }

    /// The open object.
    pub fn ops(&self) -> &Arc<dyn FileOps> {
        &self.ops
    }

    /// Where it was opened.
    pub fn path(&self) -> Option<&PathRef> {
        self.path.as_ref()
    }

    /// Access mode and status flags.
    pub fn flags(&self) -> OpenFlags {
        self.state.lock().flags
    }

    /// Changes the status flags (APPEND, NONBLOCK).
    pub fn set_status_flags(&self, flags: OpenFlags) {
        const SETTABLE: OpenFlags = OpenFlags::APPEND.union(OpenFlags::NONBLOCK).union(OpenFlags::DSYNC);
        let mut state = self.state.lock();
        state.flags = (state.flags - SETTABLE) | (flags & SETTABLE);
    }

    /// One try to read, at the position for files that have one.
    pub fn try_read(&self, buf: &mut [u8]) -> Result<usize> {
        let mut state = self.state.lock();
        if !state.flags.readable() {
            return Err(Errno::EBADF);
        }
        if !self.ops.seekable() {
            drop(state);
            return self.ops.read_at(buf, 0);
        }
        let n = self.ops.read_at(buf, state.offset)?;
        state.offset += n as u64;
        Ok(n)
    }

    /// One try to write.
    pub fn try_write(&self, buf: &[u8]) -> Result<usize> {
        self.try_write_below(buf, u64::MAX)
    }

    /// One try to write to a file that must not grow beyond `limit` bytes: what lies beyond is cut off, EFBIG when that is all.
    pub(crate) fn try_write_below(&self, buf: &[u8], limit: u64) -> Result<usize> {
        let mut state = self.state.lock();
        if !state.flags.writable() {
            return Err(Errno::EBADF);
        }
        let append = state.flags.contains(OpenFlags::APPEND);
        if !self.ops.seekable() {
            drop(state);
            return Ok(self.ops.write_at(buf, 0, append)?.0);
        }
        let mut buf = buf;
        if limit != u64::MAX {
            let from = if append { self.ops.stat()?.size } else { state.offset };
            buf = below(buf, from, limit)?;
        }
        let (n, after) = self.ops.write_at(buf, state.offset, append)?;
        state.offset = after;
        Ok(n)
    }

    /// One try at `flock(2)`; EAGAIN when others hold the lock, ENOLCK for files that cannot be locked.
    pub(crate) fn try_flock(&self, op: Flock, waker: Option<&Waker>) -> Result<()> {
        let locks = self
            .path
            .as_ref()
            .and_then(|path| path.inode().locks())
            .ok_or(Errno::ENOLCK)?;
        self.flocked.store(true, Ordering::Relaxed);
        locks.try_lock(self.flock_holder(), op, waker)
    }

    /// The address of the description stands for it as long as it lives.
    fn flock_holder(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }

    /// `lseek(2)`.
    pub fn seek(&self, offset: i64, whence: Whence) -> Result<u64> {
        if !self.ops.seekable() {
            return Err(Errno::ESPIPE);
        }
        if self.ops.always_at_start() {
            return Ok(0);
        }
        let mut state = self.state.lock();
        let base = match whence {
            Whence::Set => 0,
            Whence::Current => state.offset,
            Whence::End => self.ops.stat()?.size,
        };
        state.offset = base
            .checked_add_signed(offset)
            .filter(|o| i64::try_from(*o).is_ok())
            .ok_or(Errno::EINVAL)?;
        Ok(state.offset)
    }

    /// Reads, and waits for something to read: for the host's side of pipes and ptys. A process reads through its [`crate::Task`].
    pub async fn read(&self, buf: &mut [u8]) -> Result<usize> {
        poll_fn(|cx| match self.try_read(buf) {
            Err(Errno::EAGAIN) => {
                self.ops.poll(Some(cx.waker()));
                match self.try_read(buf) {
                    Err(Errno::EAGAIN) => Poll::Pending,
                    result => Poll::Ready(result),
                }
            }
            result => Poll::Ready(result),
        })
        .await
    }

    /// Writes all of it, waiting for room as often as needed.
    pub async fn write_all(&self, mut buf: &[u8]) -> Result<()> {
        poll_fn(|cx| {
            let mut registered = false;
            while !buf.is_empty() {
                match self.try_write(buf) {
                    Ok(n) => buf = &buf[n..],
                    Err(Errno::EAGAIN) if registered => return Poll::Pending,
                    Err(Errno::EAGAIN) => {
                        self.ops.poll(Some(cx.waker()));
                        registered = true;
                    }
                    Err(errno) => return Poll::Ready(Err(errno)),
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }
}

impl Drop for FileDescription {
    fn drop(&mut self) {
        if self.flocked.load(Ordering::Relaxed)
            && let Some(locks) = self.path.as_ref().and_then(|path| path.inode().locks())
        {
            locks.unlock(self.flock_holder());
        }
    }
}

/// The part of a write at a position that stays below a limit; EFBIG when that is nothing.
pub(crate) fn below(buf: &[u8], position: u64, limit: u64) -> Result<&[u8]> {
    let room = limit.saturating_sub(position);
    if room == 0 && !buf.is_empty() {
        return Err(Errno::EFBIG);
    }
    Ok(buf.get(..usize::try_from(room).unwrap_or(usize::MAX)).unwrap_or(buf))
}

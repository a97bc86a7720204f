//! Pipes and FIFOs (`pipe(7)`, `fifo(7)`): a bounded buffer, and a [`FileOps`] for each end.

use crate::fs::FileOps;
use crate::task::Task;
use crate::wait_queue::WaitQueue;
use parking_lot::Mutex;
use podsim_sys::{DeviceNumber, Errno, FileType, Mode, OpenFlags, PollEvents, Result, Stat};
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

/// How much a pipe holds, in bytes.
pub const PIPE_CAPACITY: usize = 65_536;
/// Writes up to this many bytes are not torn apart.
pub const PIPE_BUF: usize = 4096;

/// Tells the attributes of the inode that a FIFO belongs to.
pub type StatFn = Box<dyn Fn() -> Result<Stat> + Send + Sync>;

/// The buffer between the ends.
pub struct Pipe {
    /// Its number: `pipe:[N]`.
    inode: u64,
    created: Duration,
    state: Mutex<State>,
    /// Those who wait for data.
    readable: WaitQueue,
    /// Those who wait for room.
    writable: WaitQueue,
}

#[derive(Default)]
struct State {
    buffer: VecDeque<u8>,
    readers: usize,
    writers: usize,
    /// How often the ends were opened: a FIFO's open waits until the other one has moved, even if that end is closed
    /// again at once (`r_counter` and `w_counter` in `fs/pipe.c`).
    reader_opens: u64,
    writer_opens: u64,
}

impl State {
    fn room(&self) -> usize {
        PIPE_CAPACITY.saturating_sub(self.buffer.len())
    }
}

impl Pipe {
    /// A pipe without ends. `inode` is its number; `created` the time since the epoch.
    #[must_use]
    pub fn new(inode: u64, created: Duration) -> Arc<Self> {
        Arc::new(Self {
            inode,
            created,
            state: Mutex::default(),
            readable: WaitQueue::default(),
            writable: WaitQueue::default(),
        })
    }

    /// An anonymous pipe's reading and writing end.
    #[must_use]
    pub fn ends(self: &Arc<Self>) -> (Arc<dyn FileOps>, Arc<dyn FileOps>) {
        (
            Arc::new(PipeEnd::new(self, true, false, None)),
            Arc::new(PipeEnd::new(self, false, true, None)),
        )
    }

    /// Opens a FIFO as `fifo(7)` says: the reading side waits for a writer and the other way round; with NONBLOCK
    /// reading succeeds at once and writing without a reader is ENXIO. Both at once never waits. EINTR.
    pub async fn open_fifo(self: &Arc<Self>, task: &Task, flags: OpenFlags, stat: StatFn) -> Result<Arc<dyn FileOps>> {
        let (read, write) = (flags.readable(), flags.writable());
        let no_wait = flags.contains(OpenFlags::NONBLOCK);
        let (reader_opens, writer_opens) = {
            let state = self.state.lock();
            if write && !read && no_wait && state.readers == 0 {
                return Err(Errno::ENXIO);
            }
            let none_yet = |count: usize, opens: u64| (count == 0).then_some(opens);
            (
                none_yet(state.readers, state.reader_opens),
                none_yet(state.writers, state.writer_opens),
            )
        };
        // Dropped on EINTR, which closes it again.
        let end = Arc::new(PipeEnd::new(self, read, write, Some(stat)));
        if no_wait || (read && write) {
            return Ok(end);
        }
        task.block_on(|waker| {
            end.register(waker);
            let state = self.state.lock();
            let met = if read {
                writer_opens.is_none_or(|before| state.writer_opens != before)
            } else {
                reader_opens.is_none_or(|before| state.reader_opens != before)
            };
            met.then_some(())
        })
        .await?;
        Ok(end)
    }
}

/// One end of a pipe (both, for a FIFO that was opened for reading and writing).
struct PipeEnd {
    pipe: Arc<Pipe>,
    read: bool,
    write: bool,
    /// A reader that was there before any writer is not told that the writers are gone.
    writer_opens: u64,
    stat: Option<StatFn>,
}

impl PipeEnd {
    fn new(pipe: &Arc<Pipe>, read: bool, write: bool, stat: Option<StatFn>) -> Self {
        let mut state = pipe.state.lock();
        let writer_opens = state.writer_opens;
        state.readers += usize::from(read);
        state.reader_opens += u64::from(read);
        state.writers += usize::from(write);
        state.writer_opens += u64::from(write);
        drop(state);
        if read {
            pipe.writable.wake_all();
        }
        if write {
            pipe.readable.wake_all();
        }
        Self {
            pipe: pipe.clone(),
            read,
            write,
            writer_opens,
            stat,
        }
    }

    fn register(&self, waker: &Waker) {
        if self.read {
            self.pipe.readable.register(waker);
        }
        if self.write {
            self.pipe.writable.register(waker);
        }
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        let mut state = self.pipe.state.lock();
        state.readers -= usize::from(self.read);
        state.writers -= usize::from(self.write);
        let (readers, writers) = (state.readers, state.writers);
        if readers == 0 && writers == 0 {
            // A FIFO's content does not outlive its last end.
            state.buffer = VecDeque::new();
        }
        drop(state);
        if writers == 0 {
            self.pipe.readable.wake_all();
        }
        if readers == 0 {
            self.pipe.writable.wake_all();
        }
    }
}

impl FileOps for PipeEnd {
    fn read_at(&self, buf: &mut [u8], _offset: u64) -> Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let mut state = self.pipe.state.lock();
        if state.buffer.is_empty() {
            return if state.writers == 0 { Ok(0) } else { Err(Errno::EAGAIN) };
        }
        let n = take(&mut state.buffer, buf);
        drop(state);
        self.pipe.writable.wake_all();
        Ok(n)
    }

    fn write_at(&self, buf: &[u8], _offset: u64, _append: bool) -> Result<(usize, u64)> {
        if buf.is_empty() {
            return Ok((0, 0));
        }
        let mut state = self.pipe.state.lock();
        if state.readers == 0 {
            return Err(Errno::EPIPE);
        }
        let room = state.room();
        // pipe(7): up to PIPE_BUF bytes all or nothing, above that as much as there is room for.
        if (buf.len() <= PIPE_BUF && room < buf.len()) || room == 0 {
            return Err(Errno::EAGAIN);
        }
        let n = buf.len().min(room);
        state.buffer.extend(buf.get(..n).unwrap_or_default());
        drop(state);
        self.pipe.readable.wake_all();
        Ok((n, 0))
    }

    fn poll(&self, waker: Option<&Waker>) -> PollEvents {
        if let Some(waker) = waker {
            self.register(waker);
        }
        let state = self.pipe.state.lock();
        let mut events = PollEvents::empty();
        if self.read {
            events.set(PollEvents::IN, !state.buffer.is_empty());
            events.set(
                PollEvents::HUP,
                state.writers == 0 && state.writer_opens != self.writer_opens,
            );
        }
        if self.write {
            events.set(PollEvents::OUT, state.room() >= PIPE_BUF);
            events.set(PollEvents::ERR, state.readers == 0);
        }
        events
    }

    fn stat(&self) -> Result<Stat> {
        match &self.stat {
            Some(stat) => stat(),
            None => Ok(anonymous_stat(FileType::Fifo, self.pipe.inode, self.pipe.created)),
        }
    }

    fn anonymous_name(&self) -> Option<String> {
        self.stat.is_none().then(|| format!("pipe:[{}]", self.pipe.inode))
    }
}

/// `fstat(2)` of a file without a name (`pipefs`, `anon_inodefs`).
pub(crate) fn anonymous_stat(file_type: FileType, inode: u64, created: Duration) -> Stat {
    Stat {
        dev: DeviceNumber { major: 0, minor: 14 },
        ino: inode,
        file_type,
        mode: Mode(0o600),
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: DeviceNumber::default(),
        size: 0,
        blocks: 0,
        atime: created,
        mtime: created,
        ctime: created,
    }
}

/// Moves as many bytes as fit from the front of a queue.
pub(crate) fn take(queue: &mut VecDeque<u8>, buf: &mut [u8]) -> usize {
    let n = queue.len().min(buf.len());
    let (front, back) = queue.as_slices();
    let split = front.len().min(n);
    let (to_front, to_back) = buf.split_at_mut(split);
    for (to, from) in [(to_front, front), (to_back, back)] {
        let len = to.len().min(from.len());
        if let (Some(to), Some(from)) = (to.get_mut(..len), from.get(..len)) {
            to.copy_from_slice(from);
        }
    }
    queue.drain(..n);
    n
}

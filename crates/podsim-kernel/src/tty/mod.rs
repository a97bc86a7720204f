//! Terminals: pty pairs with a line discipline (`pty(7)`, `termios(3)`).
//!
//! * [`Tty`]: one pair: its modes, its two queues, its session and foreground group.
//! * [`pty`]: the master's and the slaves' [`FileOps`](crate::fs::FileOps), which share it.
//! * [`registry`]: [`PtyRegistry`], the pairs of one devpts instance, by index.
//! * [`job_control`]: who may read and write, and the terminal of a session.
//! * `line_discipline`: what becomes of the bytes.

pub mod job_control;
mod line_discipline;
mod pty;
pub mod registry;
#[cfg(test)]
mod tests;

pub use job_control::{TtyAccess, check_background, opened};
pub use registry::{PtyAttributes, PtyPair, PtyRegistry};

use crate::kernel::Kernel;
use crate::process::PidNumbers;
use crate::wait_queue::WaitQueue;
use line_discipline::LineDiscipline;
use parking_lot::Mutex;
use podsim_sys::{DeviceNumber, LocalFlags, Pid, Signal, TcSet, Termios, Winsize, cc};
use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};
use std::time::Duration;

/// How much output waits for the master at most, in bytes. Echo may go a little above it.
const OUTPUT_MAX: usize = 16 << 10;
/// How far echo may go above it; what is more is lost.
const ECHO_EXTRA: usize = 4096;

/// A pty pair.
pub struct Tty {
    kernel: Weak<Kernel>,
    registry: Weak<PtyRegistry>,
    index: u32,
    state: Mutex<TtyState>,
    /// Those at the slave: readers that wait for input, writers that wait for room.
    slave_queue: Arc<WaitQueue>,
    /// Those at the master.
    master_queue: WaitQueue,
    /// Those who watch for [`Tty::idle_in_read`].
    idle_queue: WaitQueue,
}

struct TtyState {
    termios: Termios,
    winsize: Winsize,
    discipline: LineDiscipline,
    /// From the slave to the master.
    output: VecDeque<u8>,
    /// The session whose controlling terminal it is, and that session's foreground group.
    session: Option<Arc<PidNumbers>>,
    foreground: Option<Arc<PidNumbers>>,
    master_open: bool,
    slaves: usize,
    /// The master sees EIO only after a slave has been there.
    had_slave: bool,
    /// When a timed read (VTIME) is over.
    read_deadline: Option<Duration>,
}

/// What the clock wakes for a timed read.
struct ReadTimer(Arc<WaitQueue>);

impl Wake for ReadTimer {
    fn wake(self: Arc<Self>) {
        self.0.wake_all();
    }
}

impl Tty {
    fn new(kernel: Weak<Kernel>, registry: Weak<PtyRegistry>, index: u32) -> Arc<Self> {
        Arc::new(Self {
            kernel,
            registry,
            index,
            state: Mutex::new(TtyState {
                termios: Termios::default(),
                winsize: Winsize::default(),
                discipline: LineDiscipline::new(),
                output: VecDeque::new(),
                session: None,
                foreground: None,
                master_open: true,
                slaves: 0,
                had_slave: false,
                read_deadline: None,
            }),
            slave_queue: Arc::default(),
            master_queue: WaitQueue::default(),
            idle_queue: WaitQueue::default(),
        })
    }

    /// Its device number: 136:index.
    #[must_use]
    pub fn device(&self) -> DeviceNumber {
        DeviceNumber {
            major: 136,
            minor: self.index,
        }
    }

    /// Its index in its devpts.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Its name, as in `ps`: `pts/0`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("pts/{}", self.index)
    }

    /// Its foreground process group.
    #[must_use]
    pub fn foreground(&self) -> Option<Arc<PidNumbers>> {
        self.state.lock().foreground.clone()
    }

    /// The session whose controlling terminal it is.
    #[must_use]
    pub fn session(&self) -> Option<Arc<PidNumbers>> {
        self.state.lock().session.clone()
    }

    /// Its modes.
    #[must_use]
    pub fn termios(&self) -> Termios {
        self.state.lock().termios
    }

    /// Sets its modes.
    pub fn set_termios(&self, when: TcSet, termios: Termios) {
        {
            let mut state = self.state.lock();
            if when == TcSet::Flush {
                state.discipline.flush_input();
            }
            state.termios = termios;
            state.read_deadline = None;
            state.discipline.set_termios(&termios);
        }
        self.wake_both();
    }

    /// The size of its window.
    #[must_use]
    pub fn winsize(&self) -> Winsize {
        self.state.lock().winsize
    }

    /// Sets the size of its window: SIGWINCH to the foreground group when it has changed.
    pub fn set_winsize(&self, size: Winsize) {
        let changed = std::mem::replace(&mut self.state.lock().winsize, size) != size;
        if changed {
            self.signal_foreground(Signal::WINCH);
        }
    }

    /// Whether the foreground group waits to read from the terminal and there is nothing for it to read: for drivers
    /// (such as the runner of executable notes) that want to know when a program has come to its prompt. Read what the
    /// master still holds before believing it.
    #[must_use]
    pub fn idle_in_read(self: &Arc<Self>) -> bool {
        let Some(kernel) = self.kernel.upgrade() else {
            return false;
        };
        let table = kernel.table();
        let group = {
            let state = self.state.lock();
            if state.discipline.has_line() || state.discipline.raw_available() > 0 {
                return false;
            }
            match &state.foreground {
                Some(group) => group.global(),
                None => return false,
            }
        };
        table
            .members(group)
            .into_iter()
            .filter_map(|pid: Pid| table.node(pid))
            .any(|node| {
                let process = &node.process;
                let reading = std::ptr::eq(process.reading_tty.lock().as_ptr(), Arc::as_ptr(self));
                reading && !process.signals.state.lock().must_act()
            })
    }

    /// Ends when [`idle_in_read`](Self::idle_in_read) holds.
    pub async fn wait_idle_in_read(self: &Arc<Self>) {
        std::future::poll_fn(|cx| {
            self.idle_queue.register(cx.waker());
            if self.idle_in_read() {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }

    /// A process begins to wait for input.
    pub(crate) fn reader_waits(&self) {
        self.idle_queue.wake_all();
    }

    fn wake_both(&self) {
        self.slave_queue.wake_all();
        self.master_queue.wake_all();
    }

    fn signal_foreground(&self, signal: Signal) {
        let group = self.foreground();
        if let (Some(group), Some(kernel)) = (group, self.kernel.upgrade()) {
            kernel.table().send_to_group(group.global(), signal);
        }
    }

    /// Bytes that are typed: the master's write. Returns how many were taken.
    fn type_in(&self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        let mut signals = Vec::new();
        {
            let mut state = self.state.lock();
            let state = &mut *state;
            let mut echo = Vec::new();
            for byte in bytes {
                if !state.discipline.has_room() {
                    break;
                }
                signals.extend(state.discipline.receive(*byte, &state.termios, &mut echo));
                taken += 1;
            }
            let room = (OUTPUT_MAX + ECHO_EXTRA).saturating_sub(state.output.len());
            state.output.extend(echo.into_iter().take(room));
            // Each byte that comes in starts the time between bytes anew (termios(3), MIN > 0 and TIME > 0).
            if state.termios.cc.get(cc::VMIN).is_some_and(|min| *min > 0) {
                state.read_deadline = None;
            }
        }
        for signal in signals {
            self.signal_foreground(signal);
        }
        self.wake_both();
        taken
    }

    /// A slave's read: `None` when it has to wait.
    fn read_input(&self, buf: &mut [u8]) -> Option<usize> {
        let mut state = self.state.lock();
        let state = &mut *state;
        if state.termios.lflag.contains(LocalFlags::ICANON) {
            return state.discipline.read_line(buf);
        }
        let control = |index: usize| state.termios.cc.get(index).copied().unwrap_or(0);
        let (min, time) = (usize::from(control(cc::VMIN)), control(cc::VTIME));
        let available = state.discipline.raw_available();
        if available >= min.max(1).min(buf.len()) || (min == 0 && time == 0) {
            state.read_deadline = None;
            return Some(state.discipline.read_raw(buf));
        }
        // The time runs from the beginning of the read, or (MIN > 0) from the last byte that came in.
        if time == 0 || (min > 0 && available == 0) {
            return None;
        }
        let kernel = self.kernel.upgrade()?;
        let clock = kernel.clock();
        let now = clock.monotonic();
        let wanted = now.saturating_add(Duration::from_millis(100) * u32::from(time));
        let deadline = *state.read_deadline.get_or_insert(wanted);
        if now >= deadline {
            state.read_deadline = None;
            return Some(state.discipline.read_raw(buf));
        }
        if deadline == wanted {
            clock.wake_at(deadline, &Waker::from(Arc::new(ReadTimer(self.slave_queue.clone()))));
        }
        None
    }

    /// A new read begins: the time of a timed one too.
    fn begin_read(&self) {
        self.state.lock().read_deadline = None;
    }

    /// A slave's write: how many bytes found room.
    fn write_output(&self, bytes: &[u8]) -> usize {
        let mut written = 0;
        {
            let mut state = self.state.lock();
            let state = &mut *state;
            let mut out = Vec::new();
            for byte in bytes {
                if state.discipline.stopped() || state.output.len() + out.len() >= OUTPUT_MAX {
                    break;
                }
                state.discipline.output(*byte, &state.termios, &mut out);
                written += 1;
            }
            state.output.extend(out);
        }
        if written > 0 {
            self.master_queue.wake_all();
        }
        written
    }
}

//! [`TaskTerminal`]: the streams and the terminal of a process of the virtual node.
//!
//! A native program (`kubectl` in the node shell) has no guest code that signals could interrupt. [`TaskTerminal::signals`]
//! runs beside it instead: it waits in `sigsuspend(2)`, does default actions, and turns the two signals that the verbs care
//! about (SIGWINCH and, where asked for, SIGINT) into notifications.

use super::{Size, Stream, Terminal, too_large};
use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use podsim_kernel::Task;
use podsim_sys::{
    Errno, Fd, InputFlags, LocalFlags, Mode, OpenFlags, OutputFlags, SigAction, SigHandler, SigSet, Signal,
    SignalDelivery, Syscalls, TcSet, Termios, cc,
};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// The terminal of a process of the virtual node.
pub(crate) struct TaskTerminal {
    task: Task,
    cooked: Mutex<Option<Termios>>,
    window_changed: Notify,
    interrupted: Notify,
    killed: AtomicBool,
}

impl TaskTerminal {
    /// For this process.
    pub(crate) fn new(task: Task) -> Self {
        Self {
            task,
            cooked: Mutex::default(),
            window_changed: Notify::new(),
            interrupted: Notify::new(),
            killed: AtomicBool::new(false),
        }
    }

    /// Handles the process's signals until one has killed it.
    pub(crate) async fn signals(&self) {
        while !self.killed.load(Ordering::Acquire) {
            self.deliver().await;
            if self.killed.load(Ordering::Acquire) {
                return;
            }
            self.task.sigsuspend(SigSet::EMPTY).await;
        }
    }

    /// Takes every signal that is due. A stop waits in here.
    async fn deliver(&self) {
        while let Some(delivery) = self.task.take_signal().await {
            match delivery {
                SignalDelivery::Killed => {
                    self.killed.store(true, Ordering::Release);
                    return;
                }
                SignalDelivery::Handler {
                    signal, restore_mask, ..
                } => {
                    self.task.sigreturn(restore_mask);
                    match signal {
                        Signal::WINCH => self.window_changed.notify_waiters(),
                        Signal::INT | Signal::TERM => self.interrupted.notify_waiters(),
                        _ => {}
                    }
                }
            }
        }
    }

    /// After EINTR: handles the signals; an error if one of them was the end.
    async fn after_interrupt(&self) -> io::Result<()> {
        self.deliver().await;
        if self.killed.load(Ordering::Acquire) {
            Err(io::ErrorKind::Interrupted.into())
        } else {
            Ok(())
        }
    }

    fn catch(&self, signal: Signal) {
        let action = SigAction {
            handler: SigHandler::Catch,
            ..SigAction::default()
        };
        // Only KILL and STOP are refused.
        let _ = self.task.sigaction(signal, Some(action));
    }

    async fn read_fd(&self, fd: Fd, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.task.read(fd, buf).await {
                Ok(n) => return Ok(n),
                Err(Errno::EINTR) => self.after_interrupt().await?,
                Err(errno) => return Err(error(errno)),
            }
        }
    }

    async fn write_fd(&self, fd: Fd, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            match self.task.write(fd, data).await {
                Ok(n) => data = data.get(n..).unwrap_or_default(),
                Err(Errno::EINTR) => self.after_interrupt().await?,
                Err(errno) => return Err(error(errno)),
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Terminal for TaskTerminal {
    async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.read_fd(Fd::STDIN, buf).await
    }

    async fn write(&self, to: Stream, data: &[u8]) -> io::Result<()> {
        self.write_fd(number(to), data).await
    }

    fn is_tty(&self, stream: Stream) -> bool {
        self.task.isatty(number(stream)).unwrap_or(false)
    }

    fn set_raw(&self, raw: bool) -> io::Result<()> {
        let mut cooked = self.cooked.lock();
        if raw {
            let termios = self.task.tcgetattr(Fd::STDIN).map_err(error)?;
            self.task
                .tcsetattr(Fd::STDIN, TcSet::Now, make_raw(termios))
                .map_err(error)?;
            cooked.get_or_insert(termios);
        } else if let Some(termios) = cooked.take() {
            self.task.tcsetattr(Fd::STDIN, TcSet::Drain, termios).map_err(error)?;
        }
        Ok(())
    }

    fn size(&self) -> Option<Size> {
        let size = [Fd::STDIN, Fd::STDOUT]
            .into_iter()
            .find_map(|fd| self.task.get_winsize(fd).ok())?;
        (size.cols > 0 && size.rows > 0).then_some(Size {
            width: size.cols,
            height: size.rows,
        })
    }

    async fn resized(&self) -> Size {
        let before = self.size();
        self.catch(Signal::WINCH);
        loop {
            self.window_changed.notified().await;
            if let Some(now) = self.size()
                && Some(now) != before
            {
                return now;
            }
        }
    }

    async fn interrupted(&self) {
        self.catch(Signal::INT);
        self.catch(Signal::TERM);
        self.interrupted.notified().await;
    }

    async fn read_file(&self, path: &str, limit: usize) -> io::Result<Vec<u8>> {
        let fd = match path {
            "-" => Fd::STDIN,
            _ => self
                .task
                .openat(Fd::CWD, path, OpenFlags::empty(), Mode(0))
                .await
                .map_err(error)?,
        };
        let mut data = Vec::new();
        let mut chunk = [0; 4096];
        let result = loop {
            match self.read_fd(fd, &mut chunk).await {
                Ok(0) => break Ok(data),
                Ok(n) => data.extend_from_slice(chunk.get(..n).unwrap_or_default()),
                Err(error) => break Err(error),
            }
            if data.len() > limit {
                break Err(too_large(limit));
            }
        };
        if fd != Fd::STDIN {
            let _ = self.task.close(fd);
        }
        result
    }

    fn now(&self) -> Timestamp {
        let nanos = i128::try_from(self.task.clock_realtime().as_nanos()).unwrap_or(i128::MAX);
        Timestamp::from_nanosecond(nanos).unwrap_or(Timestamp::MAX)
    }

    fn env(&self, name: &str) -> Option<String> {
        self.task.environ().into_iter().find_map(|entry| {
            let (key, value) = entry.split_once('=')?;
            (key == name).then(|| value.to_owned())
        })
    }
}

fn number(stream: Stream) -> Fd {
    match stream {
        Stream::Stdin => Fd::STDIN,
        Stream::Stdout => Fd::STDOUT,
        Stream::Stderr => Fd::STDERR,
    }
}

/// `cfmakeraw(3)`.
fn make_raw(mut termios: Termios) -> Termios {
    termios.iflag.remove(
        InputFlags::IGNBRK
            | InputFlags::BRKINT
            | InputFlags::ISTRIP
            | InputFlags::INLCR
            | InputFlags::IGNCR
            | InputFlags::ICRNL
            | InputFlags::IXON,
    );
    termios.oflag.remove(OutputFlags::OPOST);
    termios
        .lflag
        .remove(LocalFlags::ECHO | LocalFlags::ECHONL | LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::IEXTEN);
    termios.cc[cc::VMIN] = 1;
    termios.cc[cc::VTIME] = 0;
    termios
}

/// An errno as an I/O error with the words of `strerror(3)`.
fn error(errno: Errno) -> io::Error {
    let kind = match errno {
        Errno::ENOENT => io::ErrorKind::NotFound,
        Errno::EPIPE => io::ErrorKind::BrokenPipe,
        Errno::EACCES | Errno::EPERM => io::ErrorKind::PermissionDenied,
        Errno::EISDIR => io::ErrorKind::IsADirectory,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, errno.to_string())
}

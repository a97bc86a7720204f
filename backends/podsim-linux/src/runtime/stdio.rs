//! The host's ends of the streams of a process: pipes, or the master of a terminal.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl, open};
use rustix::io::{Errno, read, write};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::termios::tcsetwinsize;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One end of a pipe or a terminal, read and written without blocking. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Stream(Arc<AsyncFd<OwnedFd>>);

impl Stream {
    /// Takes an end.
    #[expect(unsafe_code, reason = "tokio relies on a descriptor that stays the same")]
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Self> {
        fcntl_setfl(&fd, fcntl_getfl(&fd)? | OFlags::NONBLOCK)?;
        // SAFETY: an `OwnedFd` stays open, and the same, as long as it lives.
        let fd = unsafe { AsyncFd::register(fd) }?;
        Ok(Self(Arc::new(fd)))
    }

    /// Changes the size of a terminal.
    pub(crate) fn set_winsize(&self, size: podsim_sys::Winsize) {
        let size = rustix::termios::Winsize {
            ws_row: size.rows,
            ws_col: size.cols,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        // A pipe has no size, and a terminal that is gone needs none.
        let _ = tcsetwinsize(self.0.as_fd(), size);
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(cx))?;
            let result = guard.try_io(|fd| Ok(read(fd.get_ref(), buf.initialize_unfilled())?));
            match result {
                Ok(Ok(n)) => {
                    buf.advance(n);
                    return Poll::Ready(Ok(()));
                }
                // The master of a terminal whose slave is closed: the end.
                Ok(Err(error)) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => return Poll::Ready(Ok(())),
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(cx))?;
            match guard.try_io(|fd| Ok(write(fd.get_ref(), buf)?)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(result) => return Poll::Ready(result),
                Err(_would_block) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Dropping it is its end.
        Poll::Ready(Ok(()))
    }
}

/// The writing end of a standard input; its shutdown gives it up, so that the reader sees the end of file.
pub(crate) struct Input(pub(crate) Option<Stream>);

impl AsyncWrite for Input {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Some(stream) => Pin::new(stream).poll_write(cx, buf),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0 = None;
        Poll::Ready(Ok(()))
    }
}

/// The streams of a process that is to be started: its own ends, and the host's. With a terminal the child makes both itself.
pub(crate) struct Stdio {
    /// Standard input, output and error as the process sees them.
    pub(crate) child: [OwnedFd; 3],
    pub(crate) stdin: Option<Stream>,
    pub(crate) stdout: Option<Stream>,
    pub(crate) stderr: Option<Stream>,
}

impl Stdio {
    /// Pipes; what is not asked for is `/dev/null`.
    pub(crate) fn pipes(stdin: bool, stdout: bool, stderr: bool) -> io::Result<Self> {
        let null = || open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
        let (stdin_child, stdin) = if stdin {
            let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
            (reader, Some(Stream::new(writer)?))
        } else {
            (null()?, None)
        };
        let output = |wanted: bool| -> io::Result<_> {
            if !wanted {
                return Ok((null()?, None));
            }
            let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
            Ok((writer, Some(Stream::new(reader)?)))
        };
        let (stdout_child, stdout) = output(stdout)?;
        let (stderr_child, stderr) = output(stderr)?;
        Ok(Self {
            child: [stdin_child, stdout_child, stderr_child],
            stdin,
            stdout,
            stderr,
        })
    }

    /// For a process that makes itself a terminal.
    pub(crate) fn none() -> io::Result<Self> {
        Self::pipes(false, false, false)
    }
}

//! The host's ends of pipes, ptys and sockets of the kernel, as streams of the host.

use podsim_kernel::fs::FileDescription;
use podsim_sys::Errno;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// An errno as an `io::Error`, with its message.
pub(crate) fn io_error(errno: Errno) -> io::Error {
    let kind = match errno {
        Errno::EPIPE => io::ErrorKind::BrokenPipe,
        Errno::ECONNREFUSED => io::ErrorKind::ConnectionRefused,
        Errno::ECONNRESET => io::ErrorKind::ConnectionReset,
        Errno::EHOSTUNREACH => io::ErrorKind::HostUnreachable,
        Errno::ENETUNREACH => io::ErrorKind::NetworkUnreachable,
        Errno::ETIMEDOUT => io::ErrorKind::TimedOut,
        Errno::ENOENT => io::ErrorKind::NotFound,
        Errno::EADDRINUSE => io::ErrorKind::AddrInUse,
        Errno::EADDRNOTAVAIL => io::ErrorKind::AddrNotAvailable,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, errno.message())
}

/// An errno as a fault of the runtime.
pub(crate) fn describe(what: &str, errno: Errno) -> podsim_cri::Error {
    podsim_cri::Error::Internal(format!("{what}: {}", errno.message().to_lowercase()))
}

/// The reading side of an open file. EIO is the end: that is how the master of a pty tells that the slave is closed.
pub(crate) struct FileReader(pub(crate) Arc<FileDescription>);

/// The writing side of an open file; its shutdown gives the file up.
pub(crate) struct FileWriter(pub(crate) Option<Arc<FileDescription>>);

/// One try, and a second one after the waker was left: what changed in between is not missed.
fn poll_try<T>(
    file: &FileDescription,
    cx: &mut Context<'_>,
    mut attempt: impl FnMut(&FileDescription) -> Result<T, Errno>,
) -> Poll<Result<T, Errno>> {
    match attempt(file) {
        Err(Errno::EAGAIN) => {
            file.ops().poll(Some(cx.waker()));
            match attempt(file) {
                Err(Errno::EAGAIN) => Poll::Pending,
                result => Poll::Ready(result),
            }
        }
        result => Poll::Ready(result),
    }
}

impl AsyncRead for FileReader {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match std::task::ready!(poll_try(&self.0, cx, |file| file.try_read(buf.initialize_unfilled()))) {
            Ok(n) => {
                buf.advance(n);
                Poll::Ready(Ok(()))
            }
            Err(Errno::EIO) => Poll::Ready(Ok(())),
            Err(errno) => Poll::Ready(Err(io_error(errno))),
        }
    }
}

impl AsyncWrite for FileWriter {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &self.0 {
            Some(file) => poll_try(file, cx, |file| file.try_write(buf)).map_err(io_error),
            None => Poll::Ready(Err(io_error(Errno::EPIPE))),
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

/// A connection from the host into a network namespace.
pub(crate) struct HostConnection(pub(crate) podsim_kernel::net::HostStream);

impl AsyncRead for HostConnection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let n = std::task::ready!(self.0.poll_read(cx, buf.initialize_unfilled())).map_err(io_error)?;
        buf.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for HostConnection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, buf).map_err(io_error)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.shutdown_write().map_err(io_error))
    }
}

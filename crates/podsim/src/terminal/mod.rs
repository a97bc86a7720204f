//! [`Terminal`]: where a command reads and writes.
//!
//! The same verbs run as host commands (`podsim get pods`) and as programs of the virtual node (`kubectl get pods` in the
//! node shell), so nothing in `commands/` touches the host's stdio: it goes through this trait.
//! Two implementations: [`HostTerminal`] and [`TaskTerminal`].

mod host;
mod task;

pub(crate) use host::HostTerminal;
pub(crate) use task::TaskTerminal;

use async_trait::async_trait;
use jiff::Timestamp;
use std::io;
use std::sync::Arc;

/// One of the three standard streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdin,
    Stdout,
    Stderr,
}

/// The size of a terminal window, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Columns.
    pub(crate) width: u16,
    /// Lines.
    pub(crate) height: u16,
}

/// Standard streams, the terminal behind them, files and environment of the process that runs a command.
#[async_trait]
pub(crate) trait Terminal: Send + Sync + 'static {
    /// Reads standard input; 0 is its end.
    async fn read(&self, buf: &mut [u8]) -> io::Result<usize>;
    /// Writes everything to standard output or standard error.
    async fn write(&self, to: Stream, data: &[u8]) -> io::Result<()>;
    /// `isatty(3)`.
    fn is_tty(&self, stream: Stream) -> bool;
    /// Raw mode on, or back to what it was.
    fn set_raw(&self, raw: bool) -> io::Result<()>;
    /// The window's size, if there is a window.
    fn size(&self) -> Option<Size>;
    /// Waits until the window has another size.
    async fn resized(&self) -> Size;
    /// Waits for Ctrl-C (SIGINT) or SIGTERM.
    async fn interrupted(&self);
    /// Reads a whole file, relative to the current directory; `-` is standard input. At most `limit` bytes.
    async fn read_file(&self, path: &str, limit: usize) -> io::Result<Vec<u8>>;
    /// The time.
    fn now(&self) -> Timestamp;
    /// An environment variable.
    fn env(&self, name: &str) -> Option<String>;
}

/// Raw mode for as long as it lives.
pub(crate) struct RawMode(Arc<dyn Terminal>);

impl RawMode {
    /// Switches raw mode on.
    pub(crate) fn enter(terminal: &Arc<dyn Terminal>) -> io::Result<Self> {
        terminal.set_raw(true)?;
        Ok(Self(terminal.clone()))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // Nothing can be done about a failure: the terminal is gone.
        let _ = self.0.set_raw(false);
    }
}

/// The error of a file that is larger than it may be.
fn too_large(limit: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::FileTooLarge,
        format!("the file is larger than {} KiB", limit / 1024),
    )
}

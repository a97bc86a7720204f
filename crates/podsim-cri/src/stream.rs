//! Streaming calls: exec, attach, port-forward.

use crate::{ContainerId, Result};
use futures_util::future::BoxFuture;
use podsim_sys::Winsize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

/// A stream that is read.
pub type BoxRead = Box<dyn AsyncRead + Send + Unpin>;
/// A stream that is written. Dropping it is the end of file for the reader.
pub type BoxWrite = Box<dyn AsyncWrite + Send + Unpin>;

/// A connection: both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}
/// A boxed connection.
pub type BoxDuplex = Box<dyn Duplex>;

/// Runs a command in a running container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecRequest {
    /// Where.
    pub container: ContainerId,
    /// What; searched in the container's PATH.
    pub command: Vec<String>,
    /// On a terminal of its own; stderr is then part of stdout.
    pub tty: bool,
    /// With stdin; else it reads the end of file.
    pub stdin: bool,
    /// With stdout; else it is /dev/null.
    pub stdout: bool,
    /// With stderr; else it is /dev/null.
    pub stderr: bool,
    /// The first size of the terminal.
    pub winsize: Option<Winsize>,
}

/// Attaches to a container's first process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachRequest {
    /// To which.
    pub container: ContainerId,
    /// With stdin (the container must have been made with it).
    pub stdin: bool,
    /// With stdout, from now on.
    pub stdout: bool,
    /// With stderr, from now on; none if the container has a terminal.
    pub stderr: bool,
}

/// A running exec or attach. The streams that were not asked for are `None`.
///
/// Dropping it ends the talk, not the process: stdin reads the end of file (unless the container keeps its stdin open for
/// further attaches), output goes nowhere, a terminal hangs up (SIGHUP) if it was made for the exec.
pub struct ExecSession {
    /// Goes to the process.
    pub stdin: Option<BoxWrite>,
    /// Comes from the process, until all writers are gone.
    pub stdout: Option<BoxRead>,
    /// Comes from the process, until all writers are gone.
    pub stderr: Option<BoxRead>,
    /// Changes the window's size; has no effect without a terminal.
    pub resize: mpsc::Sender<Winsize>,
    /// The exit code, 128 + signal if a signal killed it. For attach: the container's.
    pub exit: BoxFuture<'static, Result<i32>>,
}

/// What `exec_sync` gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecSyncOutput {
    /// At most 16 MiB of it, as CRI has it.
    pub stdout: Vec<u8>,
    /// At most 16 MiB of it.
    pub stderr: Vec<u8>,
    /// 128 + signal if a signal killed it.
    pub exit_code: i32,
}

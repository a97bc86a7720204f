//! Container logs.

use bytes::Bytes;
use futures_util::stream::BoxStream;
use jiff::Timestamp;

/// Where a log entry came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStream {
    /// stdout, and everything of a container with a terminal.
    Stdout,
    /// stderr.
    Stderr,
}

/// A line of a log, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// When the runtime read it.
    pub time: Timestamp,
    /// Where from.
    pub stream: LogStream,
    /// As written, with the line feed if it is the end of a line. An entry never spans lines.
    pub bytes: Bytes,
}

/// Which part of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Wait for more, until the container has ended and everything was given.
    pub follow: bool,
    /// Nothing older.
    pub since: Option<Timestamp>,
    /// Only this many lines from the end of what is there.
    pub tail: Option<usize>,
}

/// The entries of a log, oldest first.
pub type LogEntries = BoxStream<'static, LogEntry>;

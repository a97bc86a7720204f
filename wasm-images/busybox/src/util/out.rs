//! Output: stdout with a buffer, and messages on stderr.

use podsim_sys::{Errno, Fd};
use std::fmt;

/// A buffered writer on a descriptor. What is left is written when it is dropped; a terminal gets every line at once.
pub struct Out {
    fd: Fd,
    buffer: Vec<u8>,
    by_line: bool,
    error: Option<Errno>,
}

const BUFFER: usize = 8192;

impl Out {
    /// On standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self::on(Fd::STDOUT)
    }

    /// On any descriptor, which stays open.
    #[must_use]
    pub fn on(fd: Fd) -> Self {
        let by_line = podsim_guest::isatty(fd).unwrap_or(false);
        Self {
            fd,
            buffer: Vec::new(),
            by_line,
            error: None,
        }
    }

    /// Writes bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER || (self.by_line && bytes.contains(&b'\n')) {
            self.flush();
        }
    }

    /// Writes text.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Writes text and a line feed.
    pub fn line(&mut self, text: &str) {
        self.buffer.extend_from_slice(text.as_bytes());
        self.bytes(b"\n");
    }

    /// For the macro [`out!`](crate::out).
    pub fn format(&mut self, arguments: fmt::Arguments<'_>) {
        // Writing into memory cannot fail.
        let _ = fmt::Write::write_fmt(self, arguments);
    }

    /// Hands everything to the descriptor.
    pub fn flush(&mut self) {
        let mut rest: &[u8] = &self.buffer;
        while !rest.is_empty() && self.error.is_none() {
            match podsim_guest::write(self.fd, rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(Errno::EINTR) => {}
                Err(error) => self.error = Some(error),
            }
        }
        self.buffer.clear();
    }

    /// Whether writing has failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.error.is_some()
    }

    /// Flushes; where writing failed, says so in the applet's name and returns 1, and `code` otherwise.
    #[must_use]
    pub fn finish(mut self, applet: &str, code: i32) -> i32 {
        self.flush();
        match self.error {
            Some(error) => {
                crate::complain!(applet, "write error: {error}");
                1
            }
            None => code,
        }
    }
}

impl fmt::Write for Out {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Writes to standard error, in one piece; nobody can be told if that fails.
pub fn write_error(text: &str) {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        match podsim_guest::write(Fd::STDERR, rest) {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}

/// Formatted output into an [`Out`].
#[macro_export]
macro_rules! out {
    ($out:expr, $($arguments:tt)*) => { $out.format(format_args!($($arguments)*)) };
}

/// `applet: message` on standard error.
#[macro_export]
macro_rules! complain {
    ($applet:expr, $($arguments:tt)*) => {
        $crate::util::out::write_error(&format!("{}: {}\n", $applet, format_args!($($arguments)*)))
    };
}

//! The error log.

use crate::config::Level;
use busybox::util::clock;
use busybox::util::files::write_all;
use podsim_guest as sys;
use podsim_sys::Fd;

/// Where messages go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ErrorLog {
    pub(crate) fd: Fd,
    pub(crate) level: Level,
}

impl ErrorLog {
    /// On standard error, until the configuration has been read.
    pub(crate) fn early() -> Self {
        Self {
            fd: Fd::STDERR,
            level: Level::Notice,
        }
    }

    /// `2026/11/22 03:00:00 [notice] 1#1: message`
    pub(crate) fn write(&self, level: Level, message: &str) {
        if level <= self.level {
            let pid = sys::getpid();
            let line = format!(
                "{} [{}] {pid}#{pid}: {message}\n",
                clock::now().format("%Y/%m/%d %H:%M:%S"),
                level.name()
            );
            // A full or broken log must not stop the server.
            let _ = write_all(self.fd, line.as_bytes());
        }
    }

    pub(crate) fn notice(&self, message: &str) {
        self.write(Level::Notice, message);
    }

    /// About a request or connection.
    pub(crate) fn about(&self, level: Level, connection: u64, message: &str) {
        if level <= self.level {
            self.write(level, &format!("*{connection} {message}"));
        }
    }
}

/// `nginx: [emerg] message`: for the one who called.
pub(crate) fn say(level: Level, message: &str) {
    busybox::util::out::write_error(&format!("nginx: [{}] {message}\n", level.name()));
}

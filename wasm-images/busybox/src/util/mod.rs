//! What several applets need.
//!
//! * [`out`]: buffered output and error messages. * [`opts`]: `getopt(3)`. * [`files`]: reading files and directories.
//! * [`users`]: `/etc/passwd` and `/etc/group`. * [`clock`]: dates. * [`mode`]: permissions as text and back.
//! * [`human`]: sizes for people. * [`procfs`]: the processes of `/proc`. * [`pattern`]: POSIX regular expressions.
//! * [`child`]: running programs. * [`dial`]: names, addresses and connections.
//! * [`http`]: the client's half of HTTP.

pub mod child;
pub mod clock;
pub mod dial;
pub mod digest;
pub mod escape;
pub mod files;
pub mod glob;
pub mod http;
pub mod human;
pub mod mode;
pub mod opts;
pub mod out;
pub mod pattern;
pub mod procfs;
pub mod users;

pub use files::{Input, open_input};
pub use opts::{Opts, parse, show_usage};
pub use out::Out;

/// The last part of a path, as `basename(3)` has it.
#[must_use]
pub fn base_name(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return if path.is_empty() { "" } else { "/" };
    }
    trimmed.rsplit('/').next().unwrap_or(trimmed)
}

/// Joins a directory and a name with one slash.
#[must_use]
pub fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() || dir.ends_with('/') {
        format!("{dir}{name}")
    } else {
        format!("{dir}/{name}")
    }
}

//! What a request to the kernel can answer.

use podsim_sys::Errno;

/// The result of a request.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the kernel did not do what was asked: its error number, and its own words where it has some (extended acknowledgements).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot {action}: {}{}", errno.message(), reason.as_deref().map(|r| format!(" ({r})")).unwrap_or_default())]
pub struct Error {
    /// What was asked for, e.g. `add the interface podsim0`.
    pub action: String,
    /// The kernel's error number.
    pub errno: Errno,
    /// The kernel's explanation.
    pub reason: Option<String>,
}

impl From<Error> for Errno {
    fn from(error: Error) -> Self {
        error.errno
    }
}

/// An error before it is known what for: the socket's side of it.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) errno: Errno,
    pub(super) reason: Option<String>,
}

impl Failure {
    /// The error of a request that was to do this.
    pub(super) fn in_order_to(self, action: impl Into<String>) -> Error {
        Error {
            action: action.into(),
            errno: self.errno,
            reason: self.reason,
        }
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self { errno, reason: None }
    }
}

impl From<rustix::io::Errno> for Failure {
    fn from(errno: rustix::io::Errno) -> Self {
        u16::try_from(errno.raw_os_error()).map_or(Errno::EIO, Errno).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_was_asked_for_and_what_the_kernel_said() {
        let failure = Failure::from(rustix::io::Errno::EXIST).in_order_to("add the interface podsim0");
        assert_eq!(failure.to_string(), "cannot add the interface podsim0: File exists");
        let failure = Failure {
            errno: Errno::EOPNOTSUPP,
            reason: Some("Unknown device type".to_owned()),
        };
        assert_eq!(
            failure.in_order_to("add the interface x").to_string(),
            "cannot add the interface x: Operation not supported (Unknown device type)"
        );
    }
}

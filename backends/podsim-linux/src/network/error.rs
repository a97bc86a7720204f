//! What can go wrong with the Pods' network.

use super::Cidr;
use crate::netlink;

/// The result of a change to the network.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused.
    #[error(transparent)]
    Netlink(#[from] netlink::Error),
    /// The host refused something else.
    #[error("cannot {action}: {error}")]
    Host {
        /// What was to be done.
        action: String,
        /// Why it was not.
        error: std::io::Error,
    },
    /// Another network of the host is where the Pods' is to be.
    #[error("the Pods' range {range} is in use on this node: {interface} has {taken}; choose another podCIDR")]
    RangeTaken {
        /// The Pods' range.
        range: Cidr,
        /// The interface that has the other one.
        interface: String,
        /// The other one.
        taken: Cidr,
    },
    /// An interface that has the bridge's name is none.
    #[error("the interface {0} is there and is not a bridge")]
    NotABridge(String),
    /// All addresses are taken.
    #[error("no free address in {0}")]
    NoAddress(Cidr),
}

impl Error {
    /// An error of the host's while this was to be done.
    pub(super) fn host(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |error| Self::Host { action, error }
    }
}

impl From<Error> for podsim_cri::Error {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::RangeTaken { .. } | Error::NotABridge(_) => Self::FailedPrecondition(text),
            Error::Netlink(_) | Error::Host { .. } | Error::NoAddress(_) => Self::Internal(text),
        }
    }
}

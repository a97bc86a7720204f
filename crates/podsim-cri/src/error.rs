//! What can go wrong in a runtime, by what the caller can do about it (gRPC's status codes, reduced).

/// The result of a CRI call.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a CRI call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no sandbox, container or volume of this id.
    #[error("{0} not found")]
    NotFound(String),
    /// The request itself is wrong; trying again will not help.
    #[error("{0}")]
    InvalidArgument(String),
    /// No such image here, or none that could be pulled.
    #[error("{0}")]
    ImageNotFound(String),
    /// The container's (or the exec's) process could not be started. `container_status` tells the same.
    #[error("{message}")]
    StartFailed {
        /// `StartError` or `ContainerCannotRun`.
        reason: String,
        /// For people, e.g. `exec: "nope": executable file not found in $PATH`.
        message: String,
        /// 128 for a container as containerd has it; 126 or 127 for an exec, as a shell has it.
        exit_code: i32,
    },
    /// The id or the name is taken.
    #[error("{0} already exists")]
    AlreadyExists(String),
    /// The object is not in the state that the call needs (e.g. exec in a container that has exited).
    #[error("{0}")]
    FailedPrecondition(String),
    /// This runtime cannot do this.
    #[error("{0}")]
    Unsupported(String),
    /// It took longer than it was allowed to.
    #[error("{0}")]
    Timeout(String),
    /// A fault of the runtime.
    #[error("{0}")]
    Internal(String),
}

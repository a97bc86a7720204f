//! How a command can end other than with a status.

/// What unwinds the shell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Flow {
    /// `break n`.
    Break(u32),
    /// `continue n`.
    Continue(u32),
    /// `return n`.
    Return(i32),
    /// `exit n`.
    Exit(i32),
    /// An error of the shell itself, already reported: it ends a script, and the command line of an interactive shell.
    Error(i32),
    /// SIGINT in an interactive shell.
    Interrupt,
}

/// An exit status, or what came instead.
pub(crate) type Status = Result<i32, Flow>;

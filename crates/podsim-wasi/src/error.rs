//! Errors: errno ↔ WASI's numbers (in [`podsim_sys::wasi_errno`]) ↔ how a guest ends: traps and the signals that they are.

use podsim_sys::{Errno, Signal};
use wasmtime::Trap;

/// Why a program cannot be run; exec fails with [`LoadError::errno`].
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Not a wasm module, or one that uses what the engine does not have.
    #[error("not a wasm module that podsim can run: {0}")]
    Invalid(String),
    /// A WebAssembly component (WASI 0.2).
    #[error("a WebAssembly component: podsim runs core modules (wasm32-wasip1) so far")]
    Component,
    /// A module without `_start`, such as a reactor or a library.
    #[error("no `_start` function: only command modules are programs")]
    NotACommand,
    /// It imports something that is not a function.
    #[error("it imports `{module}.{name}`, which is not a function: podsim provides functions only")]
    Import {
        /// The import's module.
        module: String,
        /// The import's name.
        name: String,
    },
}

impl LoadError {
    /// What `execve(2)` answers.
    #[must_use]
    pub fn errno(&self) -> Errno {
        Errno::ENOEXEC
    }
}

/// Why a guest is unwound although it has not trapped: travels through the wasm stack as an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum End {
    /// It has exited; the status is set.
    #[error("exited")]
    Exit,
    /// `execve` succeeded: another program takes over.
    #[error("replaced by exec")]
    Exec,
    /// A signal killed it; the status is set.
    #[error("killed")]
    Killed,
}

/// The signal that a trap is: the one that Linux sends for the same fault.
pub(crate) fn trap_signal(trap: Trap) -> Signal {
    match trap {
        Trap::StackOverflow | Trap::MemoryOutOfBounds | Trap::HeapMisaligned => Signal::SEGV,
        Trap::IntegerOverflow | Trap::IntegerDivisionByZero | Trap::BadConversionToInteger => Signal::FPE,
        // `unreachable` (abort(3), a Rust panic with panic=abort), a call through a wrong table entry, and the like.
        _ => Signal::ILL,
    }
}

/// The result of a preview 1 or WASIX function.
pub(crate) fn wasi_result(result: Result<(), Errno>) -> i32 {
    match result {
        Ok(()) => 0,
        Err(errno) => errno.to_wasi().into(),
    }
}

/// The result of a `podsim_v1` function: a length, or an errno as a negative number.
pub(crate) fn linux_result(result: Result<usize, Errno>) -> i32 {
    match result {
        // No buffer of a guest is longer than 4 GiB, and what is moved at once is capped well below 2 GiB.
        Ok(len) => i32::try_from(len).unwrap_or(i32::MAX),
        Err(errno) => -i32::from(errno.0),
    }
}

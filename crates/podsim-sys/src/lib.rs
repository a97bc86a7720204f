//! Linux's words, and the trait that speaks them.
//!
//! Everything above this crate (the virtual kernel, the Linux backend, the WASI front ends) talks in these types, whose
//! numbers are those of Linux on x86-64, so that a value can be printed, compared with a man page, or passed to the real
//! kernel unchanged. No I/O happens here.
//!
//! * [`Errno`], [`Signal`], [`Pid`], [`Fd`]: the small words.
//! * [`file`], [`process`], [`tty`], [`net`], [`ns`], [`poll`], [`ipc`]: what the calls take and return.
//! * [`Clock`]: time as something passed in, with [`ManualClock`] for tests.
//! * [`Syscalls`]: the system calls of one process; `self` is the caller.
//! * [`calls`], [`wire`], [`wasi_errno`]: how wasm guests make them: the `podsim_v1` table, its messages, WASI's error numbers.

pub mod calls;
pub mod clock;
pub mod errno;
pub mod file;
pub mod ipc;
pub mod net;
pub mod ns;
pub mod poll;
pub mod process;
pub mod signal;
pub mod syscalls;
pub mod tty;
pub mod wasi_errno;
pub mod wire;

pub use clock::{Clock, ManualClock, SleepFuture, sleep_until};
pub use errno::{Errno, Result};
pub use file::*;
pub use ipc::*;
pub use net::*;
pub use ns::*;
pub use poll::*;
pub use process::*;
pub use signal::*;
pub use syscalls::Syscalls;
pub use tty::*;

//! The process that becomes a process of a Pod: podsim's own program again, started by [`crate::spawner`] under the argv of what it is to run.
//!
//! * `orders`: what it is told.
//! * `stage`: the first stage joins namespaces and makes the second one in new ones; the second one puts the root together, gives up its
//!   rights, and becomes the program.
//! * `root`: the root filesystem; `users`: a user namespace; `terminal`: a pty of the container's own.

pub(crate) mod orders;
mod root;
mod stage;
mod terminal;
mod users;

use crate::channel::Channel;
use crate::spawner::CHILD_VARIABLE;
use rustix::fd::{FromRawFd, OwnedFd, RawFd};

/// Runs a built-in program of the node (`kubectl`, `docker`, …) with these arguments and this environment, to its end.
pub type NativeProgram = fn(name: &str, argv: Vec<String>, environ: Vec<String>) -> i32;

/// Does what [`crate::spawner`] has started this process for, and does not return; returns at once in any other process.
///
/// To be called first in `main`, while there is one thread.
pub(crate) fn enter(native: NativeProgram) {
    let Some(number) = std::env::var_os(CHILD_VARIABLE) else {
        return;
    };
    let Some(number) = number.to_str().and_then(|text| text.parse::<RawFd>().ok()) else {
        return;
    };
    #[expect(unsafe_code, reason = "a descriptor from a number has no safe wrapper")]
    // SAFETY: the variable is set by the spawner only, for a descriptor that this process has inherited and that nobody else in it knows.
    let channel = unsafe { OwnedFd::from_raw_fd(number) };
    stage::first(Channel::from_fd(channel), native)
}

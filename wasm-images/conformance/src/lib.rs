//! What the conformance programs have in common.
//!
//! Each program in `src/bin` checks one behaviour of Linux through the calls of podsim-guest: it exits with 0 when all is as on
//! Linux, and otherwise says what differed and exits with 1. It assumes nothing about podsim, so that it could run the same
//! on a real kernel: as root, in network, IPC and pid namespaces of its own, with `lo` up and `/tmp` writable.

pub mod files;

use podsim_guest::*;
use std::fmt::Debug;

/// What a check says: nothing, or what differed.
pub type Outcome = std::result::Result<(), String>;

/// Runs the checks of a program and ends it.
pub fn conformance(checks: impl FnOnce() -> Outcome) -> ! {
    init();
    match checks() {
        Ok(()) => exit(0),
        Err(difference) => {
            println!("{difference}");
            exit(1)
        }
    }
}

/// Compares what was got with what Linux gives.
pub fn expect<T: PartialEq + Debug>(what: &str, got: T, linux: T) -> Outcome {
    if got == linux {
        Ok(())
    } else {
        Err(format!("{what}: got {got:?}, Linux gives {linux:?}"))
    }
}

/// The value of a call that must succeed.
pub fn must<T>(what: &str, result: Result<T>) -> std::result::Result<T, String> {
    result.map_err(|errno| format!("{what}: {} ({})", errno.name(), errno.message()))
}

/// Starts this program again with an argument, for behaviours that need a second process.
pub fn spawn_self(argument: &str) -> std::result::Result<Pid, String> {
    let program = args().first().cloned().unwrap_or_default();
    let request = SpawnRequest {
        path: program.clone(),
        argv: vec![program, argument.to_owned()],
        ..SpawnRequest::default()
    };
    must("spawn", spawn(request))
}

/// The argument that [`spawn_self`] gave.
pub fn argument() -> Option<String> {
    args().into_iter().nth(1)
}

/// Waits for a child that must exit with 0.
pub fn join(child: Pid) -> Outcome {
    let ended = must("wait", wait(WaitTarget::Pid(child), WaitOptions::empty()))?;
    expect("the second process", ended, Some((child, WaitStatus::Exited(0))))
}

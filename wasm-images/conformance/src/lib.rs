//! What the conformance programs have in common.
//!
//! Each program in `src/bin` checks one behaviour of Linux through the calls of podsim-guest: it exits with 0 when all is as on
//! Linux, and otherwise says what differed and exits with 1. It assumes nothing about podsim, so that it could run the same
//! on a real kernel: as root, in network, IPC and pid namespaces of its own, with `lo` up and `/tmp` writable.

pub mod files;

use podsim_guest::*;
use std::fmt::Debug;
use std::time::Duration;

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

/// What starts this program again with these arguments, for behaviours that need a second process.
pub fn self_request(arguments: &[&str]) -> SpawnRequest {
    let program = args().first().cloned().unwrap_or_default();
    let mut argv = vec![program.clone()];
    argv.extend(arguments.iter().map(|&argument| argument.to_owned()));
    SpawnRequest {
        path: program,
        argv,
        ..SpawnRequest::default()
    }
}

/// Starts this program again with an argument.
pub fn spawn_self(argument: &str) -> std::result::Result<Pid, String> {
    must("spawn", spawn(self_request(&[argument])))
}

/// Sleeps.
pub fn pause(time: Duration) -> Outcome {
    must("sleep", sleep_until(clock_monotonic() + time))
}

/// What a second process does that only waits for a signal. The end of its time is an error.
pub fn wait_to_be_killed() -> Outcome {
    pause(Duration::from_secs(3600))?;
    Err("no signal came".to_owned())
}

/// How a child ended, or what else `wait` tells of it.
pub fn status_of(child: Pid, options: WaitOptions) -> std::result::Result<Option<WaitStatus>, String> {
    match must("wait", wait(WaitTarget::Pid(child), options))? {
        Some((pid, status)) => expect("the pid that wait tells", pid, child).map(|()| Some(status)),
        None => Ok(None),
    }
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

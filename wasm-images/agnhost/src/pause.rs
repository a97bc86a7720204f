//! `pause`: does nothing until a signal comes.

use crate::command::{Command, Flags, Value, flag};
use podsim_guest as sys;
use podsim_sys::{Fd, SigSet, Signal};
use std::cell::Cell;
use std::time::Duration;

pub(crate) static COMMAND: Command = Command {
    name: "pause",
    about: "Pauses the execution",
    flags: &[flag(
        "delay-shutdown",
        Value::Int(0),
        "Number of seconds to delay shutdown when receiving SIGTERM/SIGINT.",
    )],
    takes_args: false,
    run,
};

thread_local! {
    static CODE: Cell<Option<i32>> = const { Cell::new(None) };
}

fn run(flags: &Flags) -> i32 {
    // Blocked until the wait itself, so that none is missed.
    sys::sigprocmask(Some((podsim_sys::SigMaskHow::SetMask, SigSet::FULL)));
    let caught = sys::on_signal(Signal::INT, Some(|_| CODE.set(Some(1))), false)
        .and_then(|()| sys::on_signal(Signal::TERM, Some(|_| CODE.set(Some(2))), false));
    if let Err(error) = caught {
        return crate::golang::fatal(&format!("sigaction: {error}"));
    }
    say("Paused\n");
    let code = loop {
        if let Some(code) = CODE.get() {
            break code;
        }
        sys::sigsuspend(SigSet::EMPTY);
    };
    let delay = flags.int("delay-shutdown");
    if let Ok(seconds @ 1..) = u64::try_from(delay) {
        say(&format!("Sleeping {delay} seconds before exit ..."));
        // Signals are blocked: nothing interrupts it.
        let _ = sys::sleep_until(sys::clock_monotonic() + Duration::from_secs(seconds));
    }
    say(&format!("exiting {code}\n"));
    code
}

fn say(text: &str) {
    // Nobody may be listening.
    let _ = sys::write_all(Fd::STDOUT, text.as_bytes());
}

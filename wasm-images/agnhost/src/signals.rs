//! Signals, as Go's runtime answers them.

use podsim_sys::{Pid, Signal};
use std::cell::Cell;

thread_local! {
    static TERMINATED: Cell<bool> = const { Cell::new(false) };
}

/// What a Go program does that has no handler: it kills itself with the signal, and where that does nothing, as for process 1
/// of a container, exits with 2 (`runtime.dieFromSignal`).
pub(crate) fn die_as_go_does() {
    if podsim_guest::getpid() == Pid(1) {
        for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
            // Where handlers are not to be had, process 1 just ignores the signal.
            let _ = podsim_guest::on_signal(signal, Some(|_| podsim_guest::exit(2)), false);
        }
    }
}

/// From now on SIGTERM is only remembered.
pub(crate) fn remember_termination() {
    // As above: a signal without a handler has its default action.
    let _ = podsim_guest::on_signal(Signal::TERM, Some(|_| TERMINATED.set(true)), false);
}

/// Whether SIGTERM has come.
pub(crate) fn terminated() -> bool {
    TERMINATED.get()
}

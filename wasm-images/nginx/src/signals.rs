//! Signals: handlers note what was asked, the loops look at it.

use podsim_guest as sys;
use podsim_sys::{Result, SigSet, Signal};
use std::cell::Cell;

/// What a signal asks for, in the order in which it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// TERM, INT: at once.
    Terminate,
    /// QUIT: after the open requests.
    Quit,
    /// CHLD: a child has ended.
    Child,
    /// HUP: with a new configuration.
    Reload,
    /// USR1: log files have been moved.
    Reopen,
}

const ORDER: [(Asked, &[Signal]); 5] = [
    (Asked::Child, &[Signal::CHLD]),
    (Asked::Terminate, &[Signal::TERM, Signal::INT]),
    (Asked::Quit, &[Signal::QUIT]),
    (Asked::Reload, &[Signal::HUP]),
    (Asked::Reopen, &[Signal::USR1]),
];

thread_local! {
    /// Signals that have come and were not looked at yet. (There is one thread.)
    static PENDING: Cell<SigSet> = const { Cell::new(SigSet::EMPTY) };
}

fn note(signal: Signal) {
    PENDING.with(|pending| {
        let mut set = pending.get();
        set.add(signal);
        pending.set(set);
    });
}

/// Has a signal noted instead of acted upon. Calls that wait end with EINTR.
pub(crate) fn catch(signal: Signal) -> Result<()> {
    sys::on_signal(signal, Some(note), false)
}

/// What was asked for, once.
pub(crate) fn take() -> Option<Asked> {
    take_signal().map(|(asked, _)| asked)
}

/// What was asked for, and by which signal.
pub(crate) fn take_signal() -> Option<(Asked, Signal)> {
    PENDING.with(|pending| {
        let mut set = pending.get();
        for (asked, signals) in ORDER {
            if let Some(signal) = signals.iter().find(|signal| set.contains(**signal)) {
                set.remove(*signal);
                pending.set(set);
                return Some((asked, *signal));
            }
        }
        None
    })
}

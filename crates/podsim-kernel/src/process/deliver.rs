//! What becomes of a pending signal (Linux's `get_signal`): dropped, handled by the guest, or its default action.

use super::Process;
use super::signal::SignalState;
use crate::kernel::Kernel;
use crate::task::Task;
use podsim_sys::{DefaultAction, SigHandler, SigSet, Signal, SignalDelivery, WaitStatus};
use std::sync::Arc;
use std::task::Waker;

/// The next step.
enum Step {
    /// Nothing is left to do.
    Nothing,
    /// The guest or the runner has to act.
    Deliver(SignalDelivery),
    /// The process ends.
    Die(Signal),
    /// The process is stopped now.
    Stop,
    /// There is a signal with a handler; it is still pending.
    Found,
}

/// Signals that the program itself caused come before others, SIGKILL before all.
fn next(deliverable: SigSet) -> Option<Signal> {
    const FIRST: [Signal; 7] = [
        Signal::KILL,
        Signal::SEGV,
        Signal::BUS,
        Signal::ILL,
        Signal::TRAP,
        Signal::FPE,
        Signal::SYS,
    ];
    let first = FIRST.into_iter().find(|signal| deliverable.contains(*signal));
    first.or_else(|| deliverable.iter().next())
}

/// Calls the guest's handler: its mask is in force until `sigreturn`.
fn catch(state: &mut SignalState, signal: Signal) -> SignalDelivery {
    let action = state.action(signal);
    let restore_mask = state.suspended_mask.take().unwrap_or(state.mask);
    let mut mask = SigSet(state.mask.0 | action.mask.0);
    mask.add(signal);
    state.set_mask(mask);
    if action.reset {
        state.set_action(signal, Default::default());
    }
    SignalDelivery::Handler {
        signal,
        restore_mask,
        restart: action.restart,
    }
}

/// Whether a step takes the signal that the guest or the runner has to act upon, or only finds it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Take,
    Find,
}

impl Kernel {
    /// Goes through what is pending: drops what has no effect, stops, and ends at the first signal that has to be acted upon.
    fn signal_step(&self, process: &Arc<Process>, mode: Mode) -> Step {
        // The table's lock orders this against those who send: a SIGCONT comes before a stop or after it.
        let mut table = self.table();
        let mut state = process.signals.state.lock();
        loop {
            if state.exiting {
                return Step::Deliver(SignalDelivery::Killed);
            }
            if state.stopped && !state.pending.contains(Signal::KILL) {
                return Step::Stop;
            }
            let Some(signal) = next(state.deliverable()) else {
                if mode == Mode::Take
                    && let Some(mask) = state.suspended_mask.take()
                {
                    // sigsuspend(2) is over. What its old mask lets through is next.
                    state.set_mask(mask);
                    continue;
                }
                return Step::Nothing;
            };
            state.dequeue(signal);
            match (state.action(signal).handler, signal.default_action()) {
                (SigHandler::Catch, _) if mode == Mode::Find => {
                    state.enqueue(signal);
                    return Step::Found;
                }
                (SigHandler::Catch, _) => return Step::Deliver(catch(&mut state, signal)),
                (SigHandler::Ignore, _) | (_, DefaultAction::Ignore | DefaultAction::Cont) => {}
                // pid_namespaces(7): what the init has no handler for does nothing to it, also if it was blocked before.
                _ if process.is_namespace_init() && !signal.is_unblockable() => {}
                (_, DefaultAction::Term | DefaultAction::Core) if mode == Mode::Find => {
                    state.enqueue(signal);
                    return Step::Die(signal);
                }
                (_, DefaultAction::Term | DefaultAction::Core) => return Step::Die(signal),
                (_, DefaultAction::Stop) => {
                    let group = table.node_of(process).map(|node| node.group);
                    // signal(7): SIGTSTP, SIGTTIN and SIGTTOU do nothing to an orphaned group.
                    if signal != Signal::STOP && group.is_none_or(|group| table.is_orphaned(group, None)) {
                        continue;
                    }
                    state.stopped = true;
                    drop(state);
                    table.report(process.global_pid(), WaitStatus::Stopped(signal));
                    return Step::Stop;
                }
            }
        }
    }
}

/// Takes the next signal that has to be acted upon; a stop waits in here.
pub(crate) async fn take_signal(task: &Task) -> Option<SignalDelivery> {
    let process = &task.process;
    loop {
        if !process.signals.must_look() {
            return None;
        }
        match task.kernel.signal_step(process, Mode::Take) {
            Step::Nothing | Step::Found => return None,
            Step::Deliver(delivery) => return Some(delivery),
            Step::Die(signal) => {
                task.kernel.exit(process, WaitStatus::Signaled(signal));
                return Some(SignalDelivery::Killed);
            }
            Step::Stop => process.signals.continued().await,
        }
    }
}

/// What the signals that have come mean for a call that waits.
pub(super) enum Verdict {
    /// It goes on.
    GoOn,
    /// The process is stopped: it neither goes on nor ends.
    Stopped,
    /// It ends with EINTR: a handler has to run.
    Handler,
    /// It ends with EINTR: the process has to end, or has.
    Killed,
}

/// Looks at the signals for a call that waits; the waker is woken when there are new ones. Stopping and continuing happen
/// in here, so that the call does not notice (signal(7): it is restarted when no handler ran).
pub(super) fn check(task: &Task, waker: &Waker) -> Verdict {
    task.process.signals.queue.register(waker);
    look(task)
}

/// [`check`] once, for a call that does not wait.
pub(super) fn look(task: &Task) -> Verdict {
    if !task.process.signals.must_stop() {
        return Verdict::GoOn;
    }
    match task.kernel.signal_step(&task.process, Mode::Find) {
        Step::Nothing => Verdict::GoOn,
        Step::Stop => Verdict::Stopped,
        Step::Found => Verdict::Handler,
        Step::Deliver(_) | Step::Die(_) => Verdict::Killed,
    }
}

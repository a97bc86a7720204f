//! System calls: signal.

use crate::task::Task;
use podsim_sys::*;
use std::time::Duration;

pub(super) fn kill(task: &Task, pid: Pid, signal: Option<Signal>) -> Result<()> {
    todo!()
}

pub(super) fn sigaction(task: &Task, signal: Signal, action: Option<SigAction>) -> Result<SigAction> {
    todo!()
}

pub(super) fn sigprocmask(task: &Task, change: Option<(SigMaskHow, SigSet)>) -> SigSet {
    todo!()
}

pub(super) fn sigpending(task: &Task) -> SigSet {
    todo!()
}

pub(super) async fn sigsuspend(task: &Task, mask: SigSet) -> Errno {
    todo!()
}

pub(super) fn setitimer(task: &Task, value: Duration, interval: Duration) -> Duration {
    todo!()
}

pub(super) fn signal_pending(task: &Task) -> bool {
    todo!()
}

pub(super) async fn take_signal(task: &Task) -> Option<SignalDelivery> {
    todo!()
}

pub(super) fn sigreturn(task: &Task, mask: SigSet) -> () {
    todo!()
}

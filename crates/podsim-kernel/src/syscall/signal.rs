//! System calls on signals: see `process/send.rs` and `process/deliver.rs` for what happens to them.

use crate::process::deliver;
use crate::task::Task;
use podsim_sys::*;
use std::time::Duration;

pub(super) fn kill(task: &Task, pid: Pid, signal: Option<Signal>) -> Result<()> {
    task.kernel.kill(task, pid, signal)
}

pub(super) fn sigaction(task: &Task, signal: Signal, action: Option<SigAction>) -> Result<SigAction> {
    let mut state = task.process.signals.state.lock();
    let old = state.action(signal);
    if let Some(action) = action {
        if signal.is_unblockable() {
            return Err(Errno::EINVAL);
        }
        state.change_action(signal, action);
    }
    Ok(old)
}

pub(super) fn sigprocmask(task: &Task, change: Option<(SigMaskHow, SigSet)>) -> SigSet {
    let mut state = task.process.signals.state.lock();
    let old = state.mask;
    if let Some((how, set)) = change {
        state.set_mask(match how {
            SigMaskHow::Block => SigSet(old.0 | set.0),
            SigMaskHow::Unblock => SigSet(old.0 & !set.0),
            SigMaskHow::SetMask => set,
        });
    }
    old
}

pub(super) fn sigpending(task: &Task) -> SigSet {
    let state = task.process.signals.state.lock();
    SigSet(state.pending.0 & state.mask.0)
}

/// The mask stays until `take_signal` has found the signal that ends the wait.
pub(super) async fn sigsuspend(task: &Task, mask: SigSet) -> Errno {
    {
        let mut state = task.process.signals.state.lock();
        let old = state.mask;
        state.suspended_mask.get_or_insert(old);
        state.set_mask(mask);
    }
    match task
        .interruptible(std::future::pending::<std::convert::Infallible>())
        .await
    {
        Ok(never) => match never {},
        Err(errno) => errno,
    }
}

pub(super) fn setitimer(task: &Task, value: Duration, interval: Duration) -> Duration {
    task.kernel.set_alarm(&task.process, value, interval)
}

pub(super) fn signal_pending(task: &Task) -> bool {
    task.process.signals.must_look()
}

pub(super) async fn take_signal(task: &Task) -> Option<SignalDelivery> {
    deliver::take_signal(task).await
}

pub(super) fn sigreturn(task: &Task, mask: SigSet) {
    task.process.signals.state.lock().set_mask(mask);
}

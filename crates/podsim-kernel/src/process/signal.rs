//! Signals of one process: pending, mask, dispositions (`signal(7)`).

use crate::wait_queue::WaitQueue;
use parking_lot::Mutex;
use podsim_sys::{Errno, SigAction, SigHandler, SigSet, Signal};
use std::task::{Poll, Waker};
use std::time::Duration;

/// The signals of one process.
pub(crate) struct Signals {
    pub(crate) state: Mutex<SignalState>,
    /// Woken when there may be something to deliver, and when a stopped process goes on.
    pub(crate) queue: WaitQueue,
}

#[derive(Clone)]
pub(crate) struct SignalState {
    pub(crate) pending: SigSet,
    pub(crate) mask: SigSet,
    /// The mask to go back to after `sigsuspend(2)`.
    pub(crate) suspended_mask: Option<SigSet>,
    actions: [SigAction; 64],
    /// Stopped by a signal.
    pub(crate) stopped: bool,
    /// The process has begun to end: nothing is delivered any more.
    pub(crate) exiting: bool,
    pub(crate) alarm: Alarm,
}

/// `setitimer(ITIMER_REAL)`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Alarm {
    /// When it is due; `None` is off.
    pub(crate) deadline: Option<Duration>,
    pub(crate) interval: Duration,
    /// Counts settings: an older timer's wake-up means nothing.
    pub(crate) generation: u64,
}

/// The sets of `/proc/PID/status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalSets {
    /// `SigPnd` (and `ShdPnd`).
    pub pending: SigSet,
    /// `SigBlk`.
    pub blocked: SigSet,
    /// `SigIgn`.
    pub ignored: SigSet,
    /// `SigCgt`.
    pub caught: SigSet,
}

impl SignalState {
    pub(crate) fn new() -> Self {
        Self {
            pending: SigSet::EMPTY,
            mask: SigSet::EMPTY,
            suspended_mask: None,
            actions: [SigAction::default(); 64],
            stopped: false,
            exiting: false,
            alarm: Alarm::default(),
        }
    }

    pub(crate) fn action(&self, signal: Signal) -> SigAction {
        self.actions
            .get(usize::from(signal.number()) - 1)
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn set_action(&mut self, signal: Signal, action: SigAction) {
        if let Some(slot) = self.actions.get_mut(usize::from(signal.number()) - 1) {
            *slot = action;
        }
    }

    /// What may be delivered now.
    pub(crate) fn deliverable(&self) -> SigSet {
        SigSet(self.pending.0 & !self.mask.0)
    }

    /// Whether a call must end and `take_signal` be asked.
    pub(crate) fn must_act(&self) -> bool {
        self.exiting || self.deliverable() != SigSet::EMPTY
    }

    fn having(&self, handler: SigHandler) -> SigSet {
        let has = |signal: &Signal| self.action(*signal).handler == handler;
        SigSet::FULL.iter().filter(has).collect()
    }
}

impl Signals {
    pub(crate) fn new(state: SignalState) -> Self {
        Self {
            state: Mutex::new(state),
            queue: WaitQueue::default(),
        }
    }

    pub(crate) fn stopped(&self) -> bool {
        self.state.lock().stopped
    }

    /// EINTR now if something must be acted upon; otherwise the waker is woken when it must.
    pub(crate) fn interrupt(&self, waker: &Waker) -> Poll<Errno> {
        self.queue.register(waker);
        if self.state.lock().must_act() {
            Poll::Ready(Errno::EINTR)
        } else {
            Poll::Pending
        }
    }

    pub(crate) fn sets(&self) -> SignalSets {
        let state = self.state.lock();
        SignalSets {
            pending: state.pending,
            blocked: state.mask,
            ignored: state.having(SigHandler::Ignore),
            caught: state.having(SigHandler::Catch),
        }
    }
}

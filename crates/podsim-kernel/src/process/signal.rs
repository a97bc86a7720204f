//! Signals of one process: pending, mask, dispositions (`signal(7)`).

use crate::wait_queue::WaitQueue;
use parking_lot::Mutex;
use podsim_sys::{DefaultAction, SigAction, SigHandler, SigSet, Signal};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

/// Where the kernel's real-time signals begin (the C library keeps the first two for itself).
const REAL_TIME_MIN: u8 = 32;
/// How many of one signal are kept: the default of RLIMIT_SIGPENDING here.
const REPEATS_MAX: u32 = 96_000;

/// The signals of one process.
pub(crate) struct Signals {
    pub(crate) state: Mutex<SignalState>,
    /// Woken when there may be something to deliver, and when a stopped process goes on.
    pub(crate) queue: WaitQueue,
}

#[derive(Clone)]
pub(crate) struct SignalState {
    pub(crate) pending: SigSet,
    /// How often more a pending real-time signal was sent.
    repeats: BTreeMap<Signal, u32>,
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
            repeats: BTreeMap::new(),
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

    /// Makes a signal pending: a real-time one as often as it comes, another one once.
    pub(crate) fn enqueue(&mut self, signal: Signal) {
        if signal.number() >= REAL_TIME_MIN && self.pending.contains(signal) {
            let more = self.repeats.entry(signal).or_default();
            *more = more.saturating_add(1).min(REPEATS_MAX);
        }
        self.pending.add(signal);
    }

    /// Takes a pending signal, once.
    pub(crate) fn dequeue(&mut self, signal: Signal) {
        match self.repeats.get_mut(&signal) {
            Some(more) if *more > 0 => *more -= 1,
            _ => self.forget(signal),
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

    /// Sets the mask; SIGKILL and SIGSTOP cannot be blocked.
    pub(crate) fn set_mask(&mut self, mut mask: SigSet) {
        mask.remove(Signal::KILL);
        mask.remove(Signal::STOP);
        self.mask = mask;
        // Pending signals that were blocked and are ignored must not interrupt anything.
        let forgotten: SigSet = self
            .deliverable()
            .iter()
            .filter(|signal| self.does_nothing(*signal))
            .collect();
        forgotten.iter().for_each(|signal| self.forget(signal));
    }

    /// Whether the disposition is to ignore the signal, by itself or by default.
    fn does_nothing(&self, signal: Signal) -> bool {
        match self.action(signal).handler {
            SigHandler::Ignore => true,
            SigHandler::Catch => false,
            SigHandler::Default => matches!(signal.default_action(), DefaultAction::Ignore | DefaultAction::Cont),
        }
    }

    /// `sigaction(2)`: a pending signal that is ignored from now on is forgotten, even a blocked one.
    pub(crate) fn change_action(&mut self, signal: Signal, action: SigAction) {
        self.set_action(signal, action);
        if self.does_nothing(signal) {
            self.forget(signal);
        }
    }

    fn forget(&mut self, signal: Signal) {
        self.pending.remove(signal);
        self.repeats.remove(&signal);
    }

    /// `execve(2)`: handlers are gone; what was ignored stays ignored.
    pub(crate) fn reset_handlers(&mut self) {
        for action in &mut self.actions {
            if action.handler == SigHandler::Catch {
                *action = SigAction::default();
            }
        }
    }

    /// What a child begins with: dispositions and mask, but nothing pending and no timer.
    pub(crate) fn for_child(&self) -> Self {
        Self {
            mask: self.suspended_mask.unwrap_or(self.mask),
            actions: self.actions,
            ..Self::new()
        }
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

    /// Whether `take_signal` has something to do.
    pub(crate) fn must_look(&self) -> bool {
        let state = self.state.lock();
        state.must_act() || state.stopped || state.suspended_mask.is_some()
    }

    /// Waits while the process is stopped; SIGKILL ends that too.
    pub(crate) async fn continued(&self) {
        poll_fn(|cx| {
            self.queue.register(cx.waker());
            let state = self.state.lock();
            let goes_on = !state.stopped || state.exiting || state.pending.contains(Signal::KILL);
            if goes_on { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Whether a call that waits has to look at the signals.
    pub(crate) fn must_stop(&self) -> bool {
        let state = self.state.lock();
        state.must_act() || state.stopped
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

//! Time as something that is passed in.
//!
//! Below the command line nothing asks the host what time it is; everything asks a [`Clock`]. The binary gives the host's
//! clock, tests give a [`ManualClock`], and a node under virtual time is the same code with another clock.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A source of time and of timers.
pub trait Clock: Send + Sync + 'static {
    /// Time since the node booted; never goes back.
    fn monotonic(&self) -> Duration;
    /// Time since 1970-01-01 00:00:00 UTC.
    fn realtime(&self) -> Duration;
    /// Wakes `waker` once [`monotonic`](Clock::monotonic) has reached `deadline`. A wake-up may be spurious; each call registers anew.
    fn wake_at(&self, deadline: Duration, waker: &Waker);
    /// A guest has computed for this long. Only a clock that stands still while something runs has to go on by that.
    fn computed(&self, _time: Duration) {}
}

/// A future that ends when the clock reaches a deadline.
pub struct SleepFuture {
    clock: Arc<dyn Clock>,
    deadline: Duration,
    registered: Option<Waker>,
}

/// Sleeps until the monotonic time `deadline`.
pub fn sleep_until(clock: &Arc<dyn Clock>, deadline: Duration) -> SleepFuture {
    SleepFuture {
        clock: clock.clone(),
        deadline,
        registered: None,
    }
}

impl Future for SleepFuture {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.clock.monotonic() >= self.deadline {
            return Poll::Ready(());
        }
        if !self.registered.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            self.clock.wake_at(self.deadline, cx.waker());
            self.registered = Some(cx.waker().clone());
            // The time may have been reached between the look and the registration.
            if self.clock.monotonic() >= self.deadline {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}

/// A clock that stands still until it is told to go on: time for tests and for virtual-time runs.
#[derive(Default)]
pub struct ManualClock {
    state: Mutex<ManualState>,
}

#[derive(Default)]
struct ManualState {
    now: Duration,
    epoch: Duration,
    timers: BTreeMap<Duration, Vec<Waker>>,
}

impl ManualClock {
    /// A clock whose boot was at this real time.
    #[must_use]
    pub fn new(epoch: Duration) -> Self {
        Self {
            state: Mutex::new(ManualState {
                epoch,
                ..Default::default()
            }),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ManualState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves time on and wakes what has come due.
    pub fn advance(&self, by: Duration) {
        let due = {
            let mut state = self.lock();
            state.now += by;
            let after = state.now + Duration::from_nanos(1);
            let later = state.timers.split_off(&after);
            std::mem::replace(&mut state.timers, later)
        };
        due.into_values().flatten().for_each(Waker::wake);
    }

    /// Jumps to the next timer, if there is one, and says how far that was.
    pub fn advance_to_next(&self) -> Option<Duration> {
        let by = {
            let state = self.lock();
            state.timers.keys().next()?.saturating_sub(state.now)
        };
        self.advance(by);
        Some(by)
    }
}

impl Clock for ManualClock {
    fn monotonic(&self) -> Duration {
        self.lock().now
    }

    fn realtime(&self) -> Duration {
        let state = self.lock();
        state.epoch + state.now
    }

    fn wake_at(&self, deadline: Duration, waker: &Waker) {
        let mut state = self.lock();
        if deadline <= state.now {
            drop(state);
            waker.wake_by_ref();
        } else {
            state.timers.entry(deadline).or_default().push(waker.clone());
        }
    }
}

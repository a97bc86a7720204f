//! [`VirtualClock`]: time that stands still while anything runs, and jumps to the next timer when nothing does.

use podsim_sys::{Clock, ManualClock};
use std::sync::{Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

/// When the node boots: 2025-01-01 00:00:00 UTC, in every run.
const BOOT: Duration = Duration::from_secs(1_735_689_600);
/// So much computing since the last jump moves time on by itself: a guest that never sleeps cannot stop it.
const QUANTUM: Duration = Duration::from_millis(100);

/// A clock for a runtime with one thread, whose idleness is the end of all that can happen at one time.
pub(crate) struct VirtualClock {
    clock: ManualClock,
    /// What was computed since time last went on.
    computed: Mutex<Duration>,
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self {
            clock: ManualClock::new(BOOT),
            computed: Mutex::default(),
        }
    }
}

impl VirtualClock {
    /// Everybody waits: time jumps to the next timer.
    pub(crate) fn jump(&self) {
        *self.computed.lock().unwrap_or_else(PoisonError::into_inner) = Duration::ZERO;
        self.clock.advance_to_next();
    }
}

impl Clock for VirtualClock {
    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn realtime(&self) -> Duration {
        self.clock.realtime()
    }

    fn wake_at(&self, deadline: Duration, waker: &Waker) {
        self.clock.wake_at(deadline, waker);
    }

    fn computed(&self, time: Duration) {
        let due = {
            let mut computed = self.computed.lock().unwrap_or_else(PoisonError::into_inner);
            *computed += time;
            if *computed < QUANTUM {
                return;
            }
            std::mem::take(&mut *computed)
        };
        self.clock.advance(due);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use podsim_sys::sleep_until;
    use std::sync::Arc;

    #[test]
    fn it_jumps_to_the_next_timer_and_goes_on_by_much_computing_only() {
        let clock = Arc::new(VirtualClock::default());
        let shared: Arc<dyn Clock> = clock.clone();
        let mut five = sleep_until(&shared, Duration::from_secs(300));
        assert_eq!((&mut five).now_or_never(), None);
        clock.computed(Duration::from_millis(99));
        assert_eq!(clock.monotonic(), Duration::ZERO);
        clock.jump();
        assert_eq!(clock.monotonic(), Duration::from_secs(300));
        assert_eq!(five.now_or_never(), Some(()));
        // The jump has forgotten what was computed before it.
        clock.computed(Duration::from_millis(99));
        assert_eq!(clock.monotonic(), Duration::from_secs(300));
        clock.computed(Duration::from_millis(1));
        assert_eq!(clock.monotonic(), Duration::from_millis(300_100));
        clock.jump();
        assert_eq!(clock.monotonic(), Duration::from_millis(300_100));
    }
}

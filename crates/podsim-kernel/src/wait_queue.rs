//! How a call waits: a list of wakers that is woken when something may have changed.

use parking_lot::Mutex;
use std::task::Waker;

/// The wakers of those who wait for one object. A wake-up only means "look again".
#[derive(Default)]
pub struct WaitQueue {
    wakers: Mutex<Vec<Waker>>,
}

impl WaitQueue {
    /// Adds a waker. Do this *before* the last look at the condition, or a change in between is missed.
    pub fn register(&self, waker: &Waker) {
        let mut wakers = self.wakers.lock();
        if !wakers.iter().any(|w| w.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }

    /// Wakes everybody. Call it without holding the lock of the object.
    pub fn wake_all(&self) {
        self.take().into_iter().for_each(Waker::wake);
    }

    /// Takes the wakers out, to be woken later, when the locks have been given back.
    #[must_use]
    pub(crate) fn take(&self) -> Vec<Waker> {
        std::mem::take(&mut *self.wakers.lock())
    }
}

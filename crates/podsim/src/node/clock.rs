//! The host's time, as the [`Clock`] that everything below is given.

use podsim_sys::Clock;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The host's clocks, and a thread that wakes those whose time has come.
pub(crate) struct HostClock {
    boot: Instant,
    timers: Arc<Timers>,
}

#[derive(Default)]
struct Timers {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    heap: BinaryHeap<Reverse<Timer>>,
    next: u64,
    closed: bool,
}

/// A timer; the number tells those of the same time apart.
struct Timer {
    deadline: Duration,
    number: u64,
    waker: Waker,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        (self.deadline, self.number) == (other.deadline, other.number)
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.deadline, self.number).cmp(&(other.deadline, other.number))
    }
}

impl HostClock {
    /// A clock that begins now.
    pub(crate) fn start() -> std::io::Result<Arc<Self>> {
        let boot = Instant::now();
        let timers = Arc::new(Timers::default());
        let thread = timers.clone();
        std::thread::Builder::new()
            .name("podsim-timers".to_owned())
            .spawn(move || thread.run(boot))?;
        Ok(Arc::new(Self { boot, timers }))
    }
}

impl Timers {
    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, boot: Instant) {
        let mut queue = self.lock();
        while !queue.closed {
            let now = boot.elapsed();
            let mut due = Vec::new();
            while queue.heap.peek().is_some_and(|Reverse(timer)| timer.deadline <= now) {
                due.extend(queue.heap.pop().map(|Reverse(timer)| timer.waker));
            }
            if !due.is_empty() {
                // Never wake under a lock.
                drop(queue);
                due.into_iter().for_each(Waker::wake);
                queue = self.lock();
                continue;
            }
            queue = match queue.heap.peek().map(|Reverse(timer)| timer.deadline - now) {
                Some(wait) => self
                    .changed
                    .wait_timeout(queue, wait)
                    .map_or_else(|e| e.into_inner().0, |(queue, _)| queue),
                None => self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl Clock for HostClock {
    fn monotonic(&self) -> Duration {
        self.boot.elapsed()
    }

    fn realtime(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn wake_at(&self, deadline: Duration, waker: &Waker) {
        let mut queue = self.timers.lock();
        let first = queue.heap.peek().is_none_or(|Reverse(timer)| deadline < timer.deadline);
        let number = queue.next;
        queue.next += 1;
        queue.heap.push(Reverse(Timer {
            deadline,
            number,
            waker: waker.clone(),
        }));
        drop(queue);
        if first {
            self.timers.changed.notify_one();
        }
    }
}

impl Drop for HostClock {
    fn drop(&mut self) {
        self.timers.lock().closed = true;
        self.timers.changed.notify_one();
    }
}

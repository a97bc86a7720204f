//! `setitimer(ITIMER_REAL)`: a timer of the kernel's clock that sends SIGALRM.

use super::Process;
use super::signal::Alarm;
use crate::kernel::Kernel;
use podsim_sys::Signal;
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};
use std::time::Duration;

/// What the clock wakes when the alarm is due.
struct AlarmTimer {
    kernel: Weak<Kernel>,
    process: Weak<Process>,
    generation: u64,
}

impl Wake for AlarmTimer {
    fn wake(self: Arc<Self>) {
        if let (Some(kernel), Some(process)) = (self.kernel.upgrade(), self.process.upgrade()) {
            kernel.alarm_due(&process, self.generation);
        }
    }
}

impl Kernel {
    /// Sets the alarm; returns what was left of the old one, zero if it was off.
    pub(crate) fn set_alarm(&self, process: &Arc<Process>, value: Duration, interval: Duration) -> Duration {
        let now = self.clock().monotonic();
        // A guest cannot keep the host busy with nanosecond timers.
        let interval = if interval.is_zero() {
            interval
        } else {
            interval.max(Duration::from_millis(1))
        };
        let deadline = (!value.is_zero()).then(|| now.saturating_add(value));
        let (old, generation) = {
            let mut state = process.signals.state.lock();
            let generation = state.alarm.generation + 1;
            let new = Alarm {
                deadline,
                interval,
                generation,
            };
            (std::mem::replace(&mut state.alarm, new), generation)
        };
        if let Some(deadline) = deadline {
            self.arm(process, deadline, generation);
        }
        // A timer that is due has not expired yet: never zero.
        let left = |deadline: Duration| deadline.saturating_sub(now).max(Duration::from_micros(1));
        old.deadline.map_or(Duration::ZERO, left)
    }

    fn arm(&self, process: &Arc<Process>, deadline: Duration, generation: u64) {
        let timer = AlarmTimer {
            kernel: process.kernel.clone(),
            process: Arc::downgrade(process),
            generation,
        };
        self.clock().wake_at(deadline, &Waker::from(Arc::new(timer)));
    }

    fn alarm_due(&self, process: &Arc<Process>, generation: u64) {
        let now = self.clock().monotonic();
        let next = {
            let mut state = process.signals.state.lock();
            let alarm = &mut state.alarm;
            let Some(deadline) = alarm.deadline.filter(|_| alarm.generation == generation) else {
                return;
            };
            if deadline > now {
                Some((deadline, false))
            } else {
                alarm.deadline = (!alarm.interval.is_zero()).then(|| now.saturating_add(alarm.interval));
                alarm.deadline.map(|deadline| (deadline, true)).or(Some((now, true)))
            }
        };
        let Some((deadline, due)) = next else { return };
        if due {
            self.send(process, Signal::ALRM);
        }
        if deadline > now {
            self.arm(process, deadline, generation);
        }
    }
}

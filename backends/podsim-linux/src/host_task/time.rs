//! System calls on time and chance.
#![expect(unsafe_code, reason = "sleeping waits")]

use super::abi::timespec;
use super::files::since;
use super::interruptible::interruptible;
use podsim_sys::Result;
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

pub(super) fn clock_monotonic() -> Duration {
    since(clock_gettime(ClockId::Monotonic))
}

pub(super) fn clock_realtime() -> Duration {
    since(clock_gettime(ClockId::Realtime))
}

pub(super) fn clock_process() -> Duration {
    since(clock_gettime(ClockId::ProcessCPUTime))
}

pub(super) fn sleep_until(deadline: Duration) -> Result<()> {
    let until = timespec(deadline);
    let (clock, absolute) = (libc::CLOCK_MONOTONIC as usize, libc::TIMER_ABSTIME as usize);
    let arguments = [clock, absolute, (&raw const until).addr(), 0, 0, 0];
    // SAFETY: the kernel reads the time.
    unsafe { interruptible(libc::SYS_clock_nanosleep, arguments) }.map(drop)
}

pub(super) fn getrandom(buf: &mut [u8]) {
    let mut rest = buf;
    while !rest.is_empty() {
        match rustix::rand::getrandom(&mut *rest, rustix::rand::GetRandomFlags::empty()) {
            Ok(n) => rest = rest.get_mut(n..).unwrap_or_default(),
            // Only before the first entropy at boot, or where a signal came.
            Err(_) => rustix::thread::sched_yield(),
        }
    }
}

pub(super) fn sched_yield() {
    rustix::thread::sched_yield();
}

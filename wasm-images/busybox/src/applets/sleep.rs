//! `sleep` and `usleep`.

use crate::complain;
use crate::util::{human::parse_duration, show_usage};
use podsim_guest as sys;
use podsim_sys::Errno;
use std::time::Duration;

/// `sleep [N]...`: the sum of the times, each with an optional `s`, `m`, `h` or `d`.
pub fn main(args: &[String]) -> i32 {
    let times = args.get(1..).unwrap_or_default();
    if times.is_empty() {
        return show_usage("sleep");
    }
    let mut total = Duration::ZERO;
    for time in times {
        if time == "infinity" || time == "inf" {
            total = Duration::from_secs(u32::MAX.into());
            continue;
        }
        let Some(duration) = parse_duration(time) else {
            complain!("sleep", "invalid number '{time}'");
            return 1;
        };
        total = total.saturating_add(duration);
    }
    sleep(total);
    0
}

/// `usleep N`: microseconds.
pub fn usleep(args: &[String]) -> i32 {
    let Some(text) = args.get(1) else {
        return show_usage("usleep");
    };
    let Ok(micros) = text.parse() else {
        complain!("usleep", "invalid number '{text}'");
        return 1;
    };
    sleep(Duration::from_micros(micros));
    0
}

/// Sleeps the whole time, also when a handled signal interrupts it.
pub fn sleep(time: Duration) {
    let deadline = sys::clock_monotonic().saturating_add(time);
    while sys::sleep_until(deadline) == Err(Errno::EINTR) {}
}

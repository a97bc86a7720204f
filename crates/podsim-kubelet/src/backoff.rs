//! Exponential back-off of restarts and image pulls (`flowcontrol.Backoff` of client-go).
//!
//! The first failure costs nothing; then the wait begins with 10 s and doubles up to 300 s. It is forgotten when twice the
//! longest wait has passed without a failure.

use jiff::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

/// The shortest wait.
pub const INITIAL: Duration = Duration::from_secs(10);
/// The longest wait.
pub const MAXIMUM: Duration = Duration::from_secs(300);

/// Back-offs by key (container names, images).
#[derive(Debug, Default)]
pub struct Backoff {
    entries: HashMap<String, Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    delay: Duration,
    updated: Timestamp,
}

/// How long after `earlier` it is at `later`; zero if it is not after.
fn since(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}

impl Entry {
    fn expired(self, at: Timestamp) -> bool {
        since(self.updated, at) > 2 * MAXIMUM
    }
}

impl Backoff {
    /// The wait that is left at `now` for something that failed at `failed`, and how long it was to begin with.
    #[must_use]
    pub fn remaining(&self, key: &str, failed: Timestamp, now: Timestamp) -> Option<(Duration, Duration)> {
        let entry = self.entries.get(key).filter(|e| !e.expired(failed))?;
        let left = entry.delay.checked_sub(since(failed, now)).filter(|l| !l.is_zero())?;
        Some((left, entry.delay))
    }

    /// As [`remaining`](Self::remaining), counted from the last call of [`next`](Self::next).
    #[must_use]
    pub fn remaining_since_update(&self, key: &str, now: Timestamp) -> Option<(Duration, Duration)> {
        let updated = self.entries.get(key)?.updated;
        self.remaining(key, updated, now)
    }

    /// Notes that it is tried again at `now` after a failure at `failed`: the next failure will wait longer.
    pub fn next(&mut self, key: &str, failed: Timestamp, now: Timestamp) {
        let delay = match self.entries.get(key) {
            Some(entry) if !entry.expired(failed) => (entry.delay * 2).min(MAXIMUM),
            _ => INITIAL,
        };
        self.entries.insert(key.to_owned(), Entry { delay, updated: now });
    }

    /// Forgets a key.
    pub fn reset(&mut self, key: &str) {
        self.entries.remove(key);
    }
}

/// As Go prints a time, to the millisecond: `0s`, `250ms`, `10s`, `1.5s`, `1m20s`, `5m0s`.
#[must_use]
pub fn go_duration(time: Duration) -> String {
    let (seconds, millis) = (time.as_secs(), time.subsec_millis());
    if seconds == 0 && millis > 0 {
        return format!("{millis}ms");
    }
    let fraction = format!(".{millis:03}");
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}{fraction}s"),
        (0, m, s) => format!("{m}m{s}{fraction}s"),
        (h, m, s) => format!("{h}h{m}m{s}{fraction}s"),
    }
}

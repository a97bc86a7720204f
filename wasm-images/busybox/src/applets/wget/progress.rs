//! The progress bar.

use crate::util::out::write_error;
use podsim_guest as sys;
use podsim_sys::Fd;
use std::time::Duration;

/// How far a download is.
pub(super) struct Progress {
    name: String,
    total: Option<u64>,
    done: u64,
    begun: u64,
    started: Duration,
    last: Duration,
    shown: bool,
    width: usize,
    /// On a terminal each line replaces the one before.
    tty: bool,
}

impl Progress {
    pub(super) fn new(name: &str, total: Option<u64>, done: u64, shown: bool) -> Self {
        let now = sys::clock_monotonic();
        let columns = sys::get_winsize(Fd::STDERR).map_or(0, |size| size.cols);
        let width = if columns == 0 { 80 } else { usize::from(columns) };
        Self {
            name: name.to_owned(),
            total,
            done,
            begun: done,
            started: now,
            last: now,
            shown,
            width,
            tty: sys::isatty(Fd::STDERR).unwrap_or(false),
        }
    }

    pub(super) fn more(&mut self, count: usize) {
        self.done += count as u64;
        let now = sys::clock_monotonic();
        if self.tty && now.saturating_sub(self.last) >= Duration::from_secs(1) {
            self.last = now;
            self.show(now);
        }
    }

    /// The last state, and a line feed.
    pub(super) fn done(&mut self) {
        if self.total.is_none() {
            self.total = Some(self.done);
        }
        self.show(sys::clock_monotonic());
        if self.shown {
            write_error("\n");
        }
    }

    fn show(&self, now: Duration) {
        if self.shown {
            let elapsed = now.saturating_sub(self.started).as_secs();
            let line = line(&self.name, self.total, self.done, self.begun, elapsed, self.width);
            write_error(&if self.tty { format!("\r{line}") } else { line });
        }
    }
}

/// `index.html           100% |****************|   612  0:00:00 ETA`
fn line(name: &str, total: Option<u64>, done: u64, begun: u64, elapsed: u64, width: usize) -> String {
    let mut text = format!("{name:<20.20}");
    let fraction = total.map(|total| done.saturating_mul(100).checked_div(total).unwrap_or(100));
    if let Some(percent) = fraction {
        text.push_str(&format!(" {percent:3}% "));
        let bar = width.saturating_sub(48);
        let stars = (bar * usize::try_from(percent.min(100)).unwrap_or(100)) / 100;
        if bar > 1 {
            text.push_str(&format!("|{}{}|", "*".repeat(stars), " ".repeat(bar - stars)));
        }
    }
    let (mut size, mut unit) = (done, ' ');
    for next in ['k', 'M', 'G', 'T'] {
        if size < 100_000 {
            break;
        }
        size /= 1024;
        unit = next;
    }
    text.push_str(&format!("{:>6} ", format!("{size}{unit}").trim_end()));
    let speed = (done - begun).checked_div(elapsed).unwrap_or(0);
    let left = total.unwrap_or(done).saturating_sub(done);
    let seconds = if total.is_none() {
        elapsed
    } else {
        left.checked_div(speed).unwrap_or(0)
    };
    let clock = format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    text.push_str(&format!(" {clock} {}", if total.is_none() { "" } else { "ETA" }));
    text
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_finished_download_has_a_full_bar() {
        let want = format!("index.html           100% |{}|   612  0:00:00 ETA", "*".repeat(32));
        assert_eq!(line("index.html", Some(612), 612, 0, 0, 80), want);
    }
}

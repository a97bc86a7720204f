//! The log of a container: its output line by line with times, in memory, the oldest lines dropped when it grows too long.

use crate::{LogEntry, LogOptions, LogStream};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use jiff::Timestamp;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::watch;

/// Bytes that are kept of a container's log: the kubelet's `containerLogMaxSize`.
const MAX_BYTES: usize = 10 << 20;
/// A longer line is cut into several entries, as the CRI log format does (`P` entries).
const MAX_LINE: usize = 16 << 10;

/// The log of a container.
pub struct Log {
    state: Mutex<State>,
    /// How many entries there ever were; changes when something was added, and when the log has ended.
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    entries: VecDeque<LogEntry>,
    bytes: usize,
    /// Entries that were dropped at the front.
    dropped: u64,
    ended: bool,
    /// What of each stream's last line is there already.
    partial: [Vec<u8>; 2],
}

impl Log {
    /// An empty log.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            changed: watch::Sender::new(0),
        })
    }

    /// Adds output. What does not end with a line feed waits for the rest of its line, up to [`MAX_LINE`].
    pub fn append(&self, stream: LogStream, time: Timestamp, data: &[u8]) {
        let mut state = self.state.lock();
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            let mut rest = piece;
            while !rest.is_empty() {
                let partial = &mut state.partial[stream as usize];
                let room = MAX_LINE - partial.len();
                let (now, later) = rest.split_at(rest.len().min(room));
                partial.extend_from_slice(now);
                rest = later;
                if partial.ends_with(b"\n") || partial.len() >= MAX_LINE {
                    let line = std::mem::take(partial);
                    state.push(stream, time, line.into());
                }
            }
        }
        self.notify(state);
    }

    /// No more will come.
    pub fn end(&self, time: Timestamp) {
        let mut state = self.state.lock();
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            let line = std::mem::take(&mut state.partial[stream as usize]);
            if !line.is_empty() {
                state.push(stream, time, line.into());
            }
        }
        state.ended = true;
        self.notify(state);
    }

    fn notify(&self, state: parking_lot::MutexGuard<'_, State>) {
        let total = state.dropped + state.entries.len() as u64;
        drop(state);
        self.changed.send_modify(|count| *count = total);
    }

    /// Its entries.
    pub fn read(self: &Arc<Self>, options: LogOptions) -> BoxStream<'static, LogEntry> {
        let next = {
            let state = self.state.lock();
            let lines_wanted = options.tail.unwrap_or(usize::MAX);
            let mut lines = 0;
            // The last entry may be the beginning of a line that is not finished: it counts as one.
            let kept = state.entries.iter().rev().enumerate().take_while(|(index, entry)| {
                lines += usize::from(*index == 0 || entry.bytes.ends_with(b"\n"));
                lines <= lines_wanted
            });
            state.dropped + (state.entries.len() - kept.count()) as u64
        };
        let reader = Reader {
            log: self.clone(),
            changed: self.changed.subscribe(),
            next,
            follow: options.follow,
        };
        let since = options.since;
        stream::unfold(reader, |mut reader| async move {
            reader.next().await.map(|entry| (entry, reader))
        })
        .filter(move |entry| std::future::ready(since.is_none_or(|since| entry.time >= since)))
        .boxed()
    }
}

impl State {
    fn push(&mut self, stream: LogStream, time: Timestamp, bytes: Bytes) {
        self.bytes += bytes.len();
        self.entries.push_back(LogEntry { time, stream, bytes });
        while self.bytes > MAX_BYTES {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.bytes.len();
            self.dropped += 1;
        }
    }
}

struct Reader {
    log: Arc<Log>,
    changed: watch::Receiver<u64>,
    next: u64,
    follow: bool,
}

impl Reader {
    async fn next(&mut self) -> Option<LogEntry> {
        loop {
            // Seen before the look, so that what comes after it is not missed.
            self.changed.borrow_and_update();
            {
                let state = self.log.state.lock();
                self.next = self.next.max(state.dropped);
                let index = usize::try_from(self.next - state.dropped).ok()?;
                if let Some(entry) = state.entries.get(index) {
                    self.next += 1;
                    return Some(entry.clone());
                }
                if state.ended || !self.follow {
                    return None;
                }
            }
            self.changed.changed().await.ok()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(log: &Arc<Log>, options: LogOptions) -> Vec<String> {
        let stream = log
            .read(options)
            .map(|entry| String::from_utf8_lossy(&entry.bytes).into_owned());
        futures_util::FutureExt::now_or_never(stream.collect()).expect("a log that has ended")
    }

    #[tokio::test]
    async fn lines_are_put_together_and_the_last_ones_can_be_had() {
        let log = Log::new();
        log.append(LogStream::Stdout, Timestamp::UNIX_EPOCH, b"one\ntw");
        log.append(LogStream::Stderr, Timestamp::UNIX_EPOCH, b"error\n");
        log.append(LogStream::Stdout, Timestamp::UNIX_EPOCH, b"o\nthree");
        let all = LogOptions::default();
        assert_eq!(texts(&log, all), ["one\n", "error\n", "two\n"]);
        log.end(Timestamp::UNIX_EPOCH);
        assert_eq!(
            texts(&log, LogOptions { follow: true, ..all }),
            ["one\n", "error\n", "two\n", "three"]
        );
        assert_eq!(texts(&log, LogOptions { tail: Some(2), ..all }), ["two\n", "three"]);
        assert_eq!(texts(&log, LogOptions { tail: Some(0), ..all }), [""; 0]);
    }

    #[tokio::test]
    async fn a_flood_drops_the_oldest_lines_and_long_lines_are_cut() {
        let log = Log::new();
        let line = vec![b'x'; 3 * MAX_LINE];
        for _ in 0..400 {
            log.append(LogStream::Stdout, Timestamp::UNIX_EPOCH, &line);
        }
        let state = log.state.lock();
        assert!(state.bytes <= MAX_BYTES && state.dropped > 0);
        assert!(state.entries.iter().all(|entry| entry.bytes.len() == MAX_LINE));
    }
}

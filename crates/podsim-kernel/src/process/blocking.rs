//! How a call waits. Every wait of every call goes through here, so that a signal that must be handled (a fatal one
//! too) ends it with EINTR, a stop holds it, and `ps` shows the process as sleeping meanwhile.

use super::Process;
use super::deliver::{self, Verdict};
use crate::fs::FileDescription;
use crate::task::Task;
use crate::tty::{self, TtyAccess};
use podsim_sys::{Errno, OpenFlags, Result, Signal, SignalDelivery};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

/// While it lives, the process is shown as sleeping.
struct Sleeping<'a>(&'a Process);

impl<'a> Sleeping<'a> {
    fn begin(process: &'a Process) -> Self {
        process.blocked.fetch_add(1, Ordering::Relaxed);
        process.cgroup.rested.wake_all();
        Self(process)
    }
}

impl Drop for Sleeping<'_> {
    fn drop(&mut self) {
        self.0.blocked.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Task {
    /// Waits for a future, or for a signal that has to be handled or kills: EINTR. A future that is ready at once is never
    /// interrupted. A stop and its continuation happen meanwhile, without an end of the wait.
    pub async fn interruptible<F: Future>(&self, future: F) -> Result<F::Output> {
        let mut future = pin!(future);
        let mut sleeping = None;
        poll_fn(|cx| {
            let held = self.process.signals.stopped();
            if !held && let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            sleeping.get_or_insert_with(|| Sleeping::begin(&self.process));
            match deliver::check(self, cx.waker()) {
                Verdict::Handler | Verdict::Killed => Poll::Ready(Err(Errno::EINTR)),
                Verdict::Stopped => Poll::Pending,
                // Continued just now: what is waited for has not been looked at.
                Verdict::GoOn if held => future.as_mut().poll(cx).map(Ok),
                Verdict::GoOn => Poll::Pending,
            }
        })
        .await
    }

    /// Runs a program that is a future of the host's: until it ends, or until a signal kills its process. It is dropped
    /// then, wherever it waits, and there is no output. While the process is stopped it is not polled.
    pub async fn run_until_killed<F: Future>(&self, program: F) -> Option<F::Output> {
        let mut program = pin!(program);
        let output = poll_fn(|cx| {
            let held = self.process.signals.stopped();
            if !held && let Poll::Ready(output) = program.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            match deliver::check(self, cx.waker()) {
                Verdict::Killed => Poll::Ready(None),
                Verdict::GoOn | Verdict::Handler if held => program.as_mut().poll(cx).map(Some),
                Verdict::GoOn | Verdict::Handler | Verdict::Stopped => Poll::Pending,
            }
        })
        .await;
        // What the program made of a call that was interrupted by its death does not count.
        if matches!(deliver::look(self), Verdict::Killed) {
            while deliver::take_signal(self)
                .await
                .is_some_and(|delivery| delivery != SignalDelivery::Killed)
            {}
            return None;
        }
        output
    }

    /// Job control before a read or a write: a process that was stopped for it tries again when it is continued.
    async fn wait_for_foreground(&self, file: &FileDescription, access: TtyAccess) -> Result<()> {
        loop {
            match tty::check_background(self, file, access) {
                Err(Errno::EINTR) => {}
                result => return result,
            }
            poll_fn(|cx| match deliver::check(self, cx.waker()) {
                Verdict::Handler | Verdict::Killed => Poll::Ready(Err(Errno::EINTR)),
                Verdict::Stopped => Poll::Pending,
                Verdict::GoOn => Poll::Ready(Ok(())),
            })
            .await?;
        }
    }

    /// Waits until `attempt` answers, or for a signal: EINTR. `attempt` registers the waker with what it waits for
    /// *before* its last look.
    pub async fn block_on<T>(&self, mut attempt: impl FnMut(&Waker) -> Option<T>) -> Result<T> {
        let attempt = |cx: &mut Context<'_>| attempt(cx.waker()).map_or(Poll::Pending, Poll::Ready);
        self.interruptible(poll_fn(attempt)).await
    }

    /// Does `attempt` on a file, and for as long as it fails with EAGAIN waits for a change and tries again: EINTR.
    /// With NONBLOCK the first answer counts.
    pub async fn retry<T>(
        &self,
        file: &FileDescription,
        mut attempt: impl FnMut(&FileDescription) -> Result<T>,
    ) -> Result<T> {
        match attempt(file) {
            Err(Errno::EAGAIN) if !file.flags().contains(OpenFlags::NONBLOCK) => {}
            result => return result,
        }
        self.block_on(|waker| {
            file.ops().poll(Some(waker));
            match attempt(file) {
                Err(Errno::EAGAIN) => None,
                result => Some(result),
            }
        })
        .await?
    }

    /// `read(2)` on an open file: job control first, then the try, then the wait.
    pub async fn read_file(&self, file: &FileDescription, buf: &mut [u8]) -> Result<usize> {
        self.wait_for_foreground(file, TtyAccess::Read).await?;
        match file.try_read(buf) {
            Err(Errno::EAGAIN) if !file.flags().contains(OpenFlags::NONBLOCK) => {}
            result => return result,
        }
        let _reading = self.note_reading(file);
        self.retry(file, |file| file.try_read(buf)).await
    }

    /// `write(2)` on an open file: job control, then all of it for a stream that may wait. What was written before a
    /// signal or an error counts. EPIPE comes with SIGPIPE.
    pub async fn write_file(&self, file: &FileDescription, buf: &[u8]) -> Result<usize> {
        self.wait_for_foreground(file, TtyAccess::Write).await?;
        let whole = !file.ops().seekable() && !file.flags().contains(OpenFlags::NONBLOCK);
        let mut written = 0;
        loop {
            let rest = buf.get(written..).unwrap_or_default();
            match self.retry(file, |file| file.try_write(rest)).await {
                Ok(n) => written += n,
                Err(errno) => {
                    if errno == Errno::EPIPE {
                        self.kernel.send(&self.process, Signal::PIPE);
                    }
                    return if written > 0 { Ok(written) } else { Err(errno) };
                }
            }
            if !whole || written >= buf.len() {
                return Ok(written);
            }
        }
    }

    /// Says to a terminal that this process waits for its input, for as long as the guard lives.
    pub(crate) fn note_reading(&self, file: &FileDescription) -> Option<ReadingTty<'_>> {
        let tty = file.ops().tty().filter(|_| !file.ops().is_pty_master())?;
        *self.process.reading_tty.lock() = Arc::downgrade(tty);
        tty.reader_waits();
        Some(ReadingTty(&self.process))
    }
}

/// While it lives, the process waits for a terminal's input.
pub(crate) struct ReadingTty<'a>(&'a Process);

impl Drop for ReadingTty<'_> {
    fn drop(&mut self) {
        *self.0.reading_tty.lock() = Weak::new();
    }
}

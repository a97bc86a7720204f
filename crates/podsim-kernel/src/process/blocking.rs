//! How a call waits. Every wait of every call goes through here, so that a signal that must be handled (a fatal one
//! too) ends it with EINTR, and `ps` shows the process as sleeping meanwhile.

use crate::fs::FileDescription;
use crate::task::Task;
use podsim_sys::{Errno, OpenFlags, Result};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use super::Process;

/// While it lives, the process is shown as sleeping.
struct Sleeping<'a>(&'a Process);

impl<'a> Sleeping<'a> {
    fn begin(process: &'a Process) -> Self {
        process.blocked.fetch_add(1, Ordering::Relaxed);
        Self(process)
    }
}

impl Drop for Sleeping<'_> {
    fn drop(&mut self) {
        self.0.blocked.fetch_sub(1, Ordering::Relaxed);
        *self.0.reading_tty.lock() = Weak::new();
    }
}

impl Task {
    /// Waits for a future, or for a signal: EINTR. A future that is ready at once is never interrupted.
    pub async fn interruptible<F: Future>(&self, future: F) -> Result<F::Output> {
        let mut future = pin!(future);
        let mut sleeping = None;
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            sleeping.get_or_insert_with(|| Sleeping::begin(&self.process));
            self.process.signals.interrupt(cx.waker()).map(Err)
        })
        .await
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

    /// [`retry`](Self::retry) for a read: what waits for a terminal's input is known to that terminal
    /// ([`crate::tty::Tty::idle_in_read`]).
    pub async fn read_file(&self, file: &FileDescription, buf: &mut [u8]) -> Result<usize> {
        self.retry(file, |file| {
            let result = file.try_read(buf);
            if result == Err(Errno::EAGAIN) {
                self.note_reading(file);
            }
            result
        })
        .await
    }
}

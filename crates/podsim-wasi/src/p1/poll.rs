//! `poll_oneoff`: clocks and descriptors in one wait, on `poll(2)`.

use super::clock;
use crate::call::{Call, fd};
use crate::memory::GuestMemory;
use podsim_sys::{Errno, PollEvents, PollFd, Result, Syscalls};
use std::time::Duration;

const SUBSCRIPTION: u32 = 48;
const EVENT: u32 = 32;
/// More than a process can have open; a bound for what we allocate.
const MAX: u32 = 4096;
/// `subclockflags::subscription_clock_abstime`.
const ABSTIME: u16 = 1;
/// `eventrwflags::fd_readwrite_hangup`.
const HANGUP: u16 = 1;

/// `eventtype`.
const CLOCK: u8 = 0;
const FD_READ: u8 = 1;
const FD_WRITE: u8 = 2;

struct Subscription {
    userdata: u64,
    kind: u8,
    what: What,
}

enum What {
    /// Due after this time from now; or the clock does not exist.
    Clock(Result<Duration>),
    /// The entry with this index.
    Fd(usize),
}

pub(crate) async fn poll_oneoff<S: Syscalls>(
    call: &mut Call<'_, S>,
    subscriptions: u32,
    events: u32,
    count: u32,
    stored: u32,
) -> Result<()> {
    if count == 0 || count > MAX {
        return Err(Errno::EINVAL);
    }
    let (mut memory, state) = call.parts();
    let mut fds = Vec::new();
    let mut wanted = Vec::with_capacity(count as usize);
    for index in 0..count {
        let at = subscriptions.checked_add(index * SUBSCRIPTION).ok_or(Errno::EFAULT)?;
        wanted.push(subscription(&state.task, &memory, at, &mut fds)?);
    }
    memory.bytes(events, count * EVENT)?;
    let timeout = wanted.iter().filter_map(|s| match &s.what {
        // A clock that does not exist is an event at once.
        What::Clock(after) => Some(after.unwrap_or(Duration::ZERO)),
        What::Fd(_) => None,
    });
    let timeout = timeout.min();
    let started = state.task.clock_monotonic();
    match timeout {
        Some(after) if fds.is_empty() => state.task.sleep_until(started + after).await?,
        timeout => {
            state.task.poll(&mut fds, timeout).await?;
        }
    }
    let passed = state.task.clock_monotonic().saturating_sub(started);
    let mut n = 0;
    for subscription in &wanted {
        let event = match &subscription.what {
            What::Clock(Err(errno)) => Some((Err(*errno), 0)),
            What::Clock(Ok(after)) => (*after <= passed).then_some((Ok(0), 0)),
            What::Fd(index) => fds.get(*index).and_then(fd_event),
        };
        if let Some((result, flags)) = event {
            let at = events.checked_add(n * EVENT).ok_or(Errno::EFAULT)?;
            write_event(&mut memory, at, subscription, result, flags)?;
            n += 1;
        }
    }
    memory.set_u32(stored, n)
}

fn subscription<S: Syscalls>(
    task: &S,
    memory: &GuestMemory<'_>,
    at: u32,
    fds: &mut Vec<PollFd>,
) -> Result<Subscription> {
    // The whole record is inside of memory: the offsets below cannot overflow.
    memory.bytes(at, SUBSCRIPTION)?;
    let kind = memory.u8(at + 8)?;
    let what = match kind {
        CLOCK => {
            let id = memory.u32(at + 16)?;
            let timeout = Duration::from_nanos(memory.u64(at + 24)?);
            let absolute = memory.u16(at + 40)? & ABSTIME != 0;
            What::Clock(clock::now(task, id).map(|now| if absolute { timeout.saturating_sub(now) } else { timeout }))
        }
        FD_READ | FD_WRITE => {
            fds.push(PollFd {
                fd: fd(memory.u32(at + 16)?),
                events: if kind == FD_READ {
                    PollEvents::IN | PollEvents::RDHUP
                } else {
                    PollEvents::OUT
                },
                revents: PollEvents::empty(),
            });
            What::Fd(fds.len() - 1)
        }
        _ => return Err(Errno::EINVAL),
    };
    Ok(Subscription {
        userdata: memory.u64(at)?,
        kind,
        what,
    })
}

/// The number of bytes (at least) or the error, and `eventrwflags`; `None` when nothing has happened.
fn fd_event(entry: &PollFd) -> Option<(Result<u64>, u16)> {
    let revents = entry.revents;
    if revents.contains(PollEvents::NVAL) {
        return Some((Err(Errno::EBADF), 0));
    }
    if revents.is_empty() {
        return None;
    }
    let hangup = if revents.intersects(PollEvents::HUP | PollEvents::RDHUP) {
        HANGUP
    } else {
        0
    };
    // How much there is, only a read can tell; wasi-libc asks only whether it is 0.
    let bytes = u64::from(revents.intersects(PollEvents::IN | PollEvents::OUT));
    Some((Ok(bytes), hangup))
}

fn write_event(
    memory: &mut GuestMemory<'_>,
    at: u32,
    subscription: &Subscription,
    result: Result<u64>,
    flags: u16,
) -> Result<()> {
    memory.write(at, &[0; EVENT as usize])?;
    memory.set_u64(at, subscription.userdata)?;
    memory.set_u16(at + 8, result.err().map_or(0, Errno::to_wasi))?;
    memory.set_u8(at + 10, subscription.kind)?;
    memory.set_u64(at + 16, result.unwrap_or(0))?;
    memory.set_u16(at + 24, flags)
}

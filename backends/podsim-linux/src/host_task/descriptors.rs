//! System calls on file descriptors.
#![expect(
    unsafe_code,
    reason = "poll waits, and numbers of descriptors are chosen by the guest"
)]

use super::abi::{check, errno, fd, give, oflags, only_descriptor_flags, open_flags, timespec};
use super::interruptible::interruptible;
use podsim_sys::*;
use rustix::io::FdFlags;
use std::time::Duration;

pub(super) fn dup(number: Fd, min: Fd, cloexec: bool) -> Result<Fd> {
    fd(number)?;
    let how = if cloexec { libc::F_DUPFD_CLOEXEC } else { libc::F_DUPFD };
    // SAFETY: takes numbers only.
    check(unsafe { libc::fcntl(number.0, how, min.0) }).map(Fd)
}

pub(super) fn dup2(from: Fd, to: Fd, cloexec: bool) -> Result<Fd> {
    if from == to {
        get_cloexec(from)?;
        return Ok(to);
    }
    let flags = if cloexec { libc::O_CLOEXEC } else { 0 };
    // SAFETY: takes numbers only; what was open under the new one is the guest's, too.
    check(unsafe { libc::dup3(from.0, to.0, flags) }).map(Fd)
}

pub(super) fn pipe(flags: OpenFlags) -> Result<(Fd, Fd)> {
    only_descriptor_flags(flags)?;
    let mut kinds = rustix::pipe::PipeFlags::empty();
    kinds.set(rustix::pipe::PipeFlags::CLOEXEC, flags.contains(OpenFlags::CLOEXEC));
    kinds.set(rustix::pipe::PipeFlags::NONBLOCK, flags.contains(OpenFlags::NONBLOCK));
    let (read, write) = rustix::pipe::pipe_with(kinds).map_err(errno)?;
    Ok((give(read), give(write)))
}

pub(super) fn get_status_flags(number: Fd) -> Result<OpenFlags> {
    rustix::fs::fcntl_getfl(fd(number)?).map(open_flags).map_err(errno)
}

pub(super) fn set_status_flags(number: Fd, flags: OpenFlags) -> Result<()> {
    let changeable = flags & (OpenFlags::APPEND | OpenFlags::NONBLOCK);
    rustix::fs::fcntl_setfl(fd(number)?, oflags(changeable)).map_err(errno)
}

pub(super) fn get_cloexec(number: Fd) -> Result<bool> {
    let flags = rustix::io::fcntl_getfd(fd(number)?).map_err(errno)?;
    Ok(flags.contains(FdFlags::CLOEXEC))
}

pub(super) fn set_cloexec(number: Fd, cloexec: bool) -> Result<()> {
    let flags = if cloexec { FdFlags::CLOEXEC } else { FdFlags::empty() };
    rustix::io::fcntl_setfd(fd(number)?, flags).map_err(errno)
}

pub(super) fn poll(fds: &mut [PollFd], timeout: Option<Duration>) -> Result<usize> {
    let mut raw: Vec<libc::pollfd> = fds
        .iter()
        .map(|entry| libc::pollfd {
            fd: entry.fd.0,
            events: entry.events.bits().cast_signed(),
            revents: 0,
        })
        .collect();
    let ready = match ppoll(&mut raw, timeout) {
        // A signal came first. What is ready all the same is an answer, as it would have been after the handler.
        Err(Errno::EINTR) => match now(&mut raw) {
            Ok(0) | Err(_) => Err(Errno::EINTR),
            ready => ready,
        },
        ready => ready,
    }?;
    for (entry, raw) in fds.iter_mut().zip(&raw) {
        entry.revents = PollEvents::from_bits_truncate(raw.revents.cast_unsigned());
    }
    Ok(ready)
}

fn ppoll(fds: &mut [libc::pollfd], timeout: Option<Duration>) -> Result<usize> {
    let timeout = timeout.map(timespec);
    let timeout = timeout.as_ref().map_or(0, |time| std::ptr::from_ref(time).addr());
    let arguments = [fds.as_mut_ptr().addr(), fds.len(), timeout, 0, 0, 0];
    // SAFETY: the kernel reads and writes the entries, as many as there are, and reads the time.
    unsafe { interruptible(libc::SYS_ppoll, arguments) }
}

fn now(fds: &mut [libc::pollfd]) -> Result<usize> {
    // SAFETY: as above; it does not wait.
    let ready = check(unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, 0) })?;
    Ok(usize::try_from(ready).unwrap_or(0))
}

pub(super) fn eventfd(initial: u64, semaphore: bool, flags: OpenFlags) -> Result<Fd> {
    use rustix::event::EventfdFlags;
    only_descriptor_flags(flags)?;
    let mut kinds = EventfdFlags::empty();
    kinds.set(EventfdFlags::CLOEXEC, flags.contains(OpenFlags::CLOEXEC));
    kinds.set(EventfdFlags::NONBLOCK, flags.contains(OpenFlags::NONBLOCK));
    kinds.set(EventfdFlags::SEMAPHORE, semaphore);
    // eventfd(2) takes an `unsigned int`.
    let initial = u32::try_from(initial).map_err(|_| Errno::EINVAL)?;
    rustix::event::eventfd(initial, kinds).map(give).map_err(errno)
}

//! `posix_spawn(3)`: fork, and a pipe through which the child says why it could not become the program.
//!
//! Exec closes the pipe, after all that it does: then the parent goes on. (`vfork(2)` would wake it in the middle of exec, when
//! the child still has the descriptors that exec closes, and may still be put into another group.)
#![expect(unsafe_code, reason = "fork")]

use super::abi::{check, errno};
use super::signals::{self, dispositions, kernel};
use super::{Identity, descriptors, exec, files, processes, program, terminals};
use podsim_sys::*;
use rustix::io::Errno as IoErrno;
use std::os::fd::OwnedFd;

pub(super) fn spawn(own: &Identity, request: SpawnRequest) -> Result<Pid> {
    let (report, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(errno)?;
    let mask = request.signal_mask.unwrap_or_else(signals::mask);
    // Until the child has forgotten the parent's handlers, nothing may call them there.
    let before = kernel::set_mask(SigSet::FULL);
    let flags = libc::c_long::from(libc::SIGCHLD);
    // SAFETY: as fork(2); this process has one thread.
    let forked = check(unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, 0_usize, 0_usize, 0_usize) });
    if forked == Ok(0) {
        drop(report);
        become_child(own, request, mask, tell);
    }
    kernel::set_mask(before);
    drop(tell);
    let child = i32::try_from(forked?).map_err(|_| Errno::EAGAIN)?;
    match read_report(&report) {
        None => Ok(Pid(child)),
        Some(errno) => {
            // SAFETY: waits for a child that has ended; its status is of no interest.
            while check(unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) }) == Err(Errno::EINTR) {}
            Err(errno)
        }
    }
}

/// What the child said; nothing when it has a program, or a signal has killed it. Caught signals have to wait.
fn read_report(report: &OwnedFd) -> Option<Errno> {
    let mut number = [0; 2];
    loop {
        match rustix::io::read(report, &mut number) {
            Err(IoErrno::INTR) => {}
            Ok(2) => return Some(Errno(u16::from_ne_bytes(number))),
            _ => return None,
        }
    }
}

/// In the child: does what is asked for and runs the program, or says why not.
fn become_child(own: &Identity, request: SpawnRequest, mask: SigSet, tell: OwnedFd) -> ! {
    let (tell, errno) = match out_of_the_way(tell, &request.fd_actions) {
        (tell, Ok(())) => match prepare(own, &request, mask) {
            Ok(program) => (tell, exec::replace(program, request.envp, mask)),
            Err(errno) => (tell, errno),
        },
        (tell, Err(errno)) => (tell, errno),
    };
    let _ = rustix::io::write(&tell, &errno.0.to_ne_bytes());
    // SAFETY: ends the child, in which nothing is left to be done.
    unsafe { libc::_exit(127) }
}

/// Moves the pipe to a number that the actions do not speak of.
fn out_of_the_way(tell: OwnedFd, actions: &[FdAction]) -> (OwnedFd, Result<()>) {
    let numbers = actions.iter().flat_map(|action| match action {
        FdAction::Dup2 { from, to } => [from.0, to.0],
        FdAction::Close(fd) | FdAction::Open { fd, .. } | FdAction::Fchdir(fd) => [fd.0, -1],
        FdAction::Chdir(_) => [-1, -1],
    });
    // At least 3: what is below is filled for exec where it is closed.
    let above = numbers.max().unwrap_or(-1).saturating_add(1).max(3);
    match rustix::io::fcntl_dupfd_cloexec(&tell, above) {
        Ok(moved) => (moved, Ok(())),
        Err(error) => (tell, Err(errno(error))),
    }
}

fn prepare(own: &Identity, request: &SpawnRequest, mask: SigSet) -> Result<program::Program> {
    signals::forget_deliveries();
    dispositions::reset_in_child(request.signal_default, request.signal_ignore);
    if request.new_session {
        processes::setsid()?;
    }
    if let Some(group) = request.process_group {
        processes::setpgid(Pid(0), group)?;
    }
    if let Some(tty) = request.foreground_tty {
        // From the background; SIGTTOU, like all signals, is still blocked.
        terminals::tcsetpgrp(tty, processes::getpgid(Pid(0))?)?;
    }
    // From here on signals have their effect: opening a FIFO may take long.
    kernel::set_mask(mask);
    for action in &request.fd_actions {
        apply(own, action)?;
    }
    if let Some(tty) = request.controlling_tty {
        terminals::set_controlling_tty(tty)?;
    }
    program::search(&request.path, request.search_path.as_deref(), |path| {
        program::open_as(own, path, request.argv.clone())
    })
}

fn apply(own: &Identity, action: &FdAction) -> Result<()> {
    match action {
        FdAction::Dup2 { from, to } if from == to => descriptors::set_cloexec(*from, false),
        FdAction::Dup2 { from, to } => descriptors::dup2(*from, *to, false).map(drop),
        FdAction::Close(fd) => files::close(*fd),
        FdAction::Open { fd, path, flags, mode } => {
            let opened = files::openat(own, Fd::CWD, path, *flags, *mode)?;
            if opened != *fd {
                descriptors::dup2(opened, *fd, flags.contains(OpenFlags::CLOEXEC))?;
                files::close(opened)?;
            }
            Ok(())
        }
        FdAction::Chdir(path) => files::chdir(path),
        FdAction::Fchdir(fd) => files::fchdir(*fd),
    }
}

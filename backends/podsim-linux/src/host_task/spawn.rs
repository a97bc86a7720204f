//! `posix_spawn(3)`: a child that shares nothing but one page, in which it says why it could not become the program.
//!
//! The parent waits in the kernel until the child has a program or is dead (`vfork(2)`), but the child has a memory of its own:
//! it runs ordinary code of this program, and signals may kill it at any moment.
#![expect(unsafe_code, reason = "clone, and the shared page")]

use super::abi::{check, errno};
use super::signals::{self, dispositions, kernel};
use super::{Identity, descriptors, exec, files, processes, program, terminals};
use podsim_sys::*;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// A number that parent and child see.
struct Report(*mut libc::c_void);

/// The size of the mapping: the kernel makes it a page.
const PAGE: usize = 4096;

impl Report {
    fn new() -> Result<Self> {
        use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, where the kernel likes.
        let page = unsafe { mmap_anonymous(std::ptr::null_mut(), PAGE, protection, MapFlags::SHARED) };
        page.map(Self).map_err(errno)
    }

    /// An errno; 0 is none.
    fn cell(&self) -> &AtomicU32 {
        // SAFETY: the page is there as long as `self`, aligned, and zero at first.
        unsafe { &*self.0.cast() }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`; no reference outlives `self`.
        let _ = unsafe { rustix::mm::munmap(self.0, PAGE) };
    }
}

pub(super) fn spawn(own: &Identity, request: SpawnRequest) -> Result<Pid> {
    let report = Report::new()?;
    let mask = request.signal_mask.unwrap_or_else(signals::mask);
    // Until the child has forgotten the parent's handlers, nothing may call them there.
    let before = kernel::set_mask(SigSet::FULL);
    let flags = libc::c_long::from(libc::CLONE_VFORK | libc::SIGCHLD);
    // SAFETY: as fork(2); this process has one thread.
    let forked = check(unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, 0_usize, 0_usize, 0_usize) });
    if forked == Ok(0) {
        let errno = become_child(own, request, mask);
        report.cell().store(errno.0.into(), SeqCst);
        // SAFETY: ends the child, in which nothing is left to be done.
        unsafe { libc::_exit(127) };
    }
    kernel::set_mask(before);
    let child = i32::try_from(forked?).map_err(|_| Errno::EAGAIN)?;
    match u16::try_from(report.cell().load(SeqCst)) {
        Ok(0) | Err(_) => Ok(Pid(child)),
        Ok(number) => {
            // SAFETY: waits for a child that has ended; its status is of no interest.
            unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
            Err(Errno(number))
        }
    }
}

/// In the child: does what is asked for and runs the program; returns only if that fails.
fn become_child(own: &Identity, request: SpawnRequest, mask: SigSet) -> Errno {
    match prepare(own, &request, mask) {
        Ok(program) => exec::replace(program, request.envp, mask),
        Err(errno) => errno,
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

//! System calls that may wait, and how a caught signal ends them without being lost.
//!
//! A signal that comes between "is there one?" and the call that waits would be noticed only when the wait is over. So
//! there is one place from which all such calls are made, with the question in it, and the signal handler moves a
//! process that it finds between its first and its last instruction to its exit (as musl does for `pthread_cancel(3)`). Once
//! the kernel has answered, the answer counts: a read has taken bytes. And when the kernel itself interrupts the
//! call, because handlers are without SA_RESTART, it answers EINTR by itself.
#![expect(unsafe_code, reason = "system calls from a place that the signal handler knows")]

use podsim_sys::{Errno, Result};
use std::sync::atomic::AtomicU32;

/// How many caught signals wait to be taken, as far as the place below needs to know it: `taken from here` upwards.
#[repr(C)]
pub(super) struct Counts {
    /// How many deliveries there are.
    pub(super) len: AtomicU32,
    /// How many of them are not for the handler that runs now, but for what it has interrupted.
    pub(super) floor: AtomicU32,
}

/// See [`Counts`].
pub(super) static COUNTS: Counts = Counts {
    len: AtomicU32::new(0),
    floor: AtomicU32::new(0),
};

#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".text",
    ".hidden podsim_interruptible_call",
    ".hidden podsim_interruptible_begin",
    ".hidden podsim_interruptible_end",
    ".hidden podsim_interruptible_exit",
    ".global podsim_interruptible_call",
    ".global podsim_interruptible_begin",
    ".global podsim_interruptible_end",
    ".global podsim_interruptible_exit",
    ".type podsim_interruptible_call, @function",
    // (counts: rdi, number: rsi, arguments: rdx)
    "podsim_interruptible_call:",
    "mov rax, rsi",
    "mov rcx, rdx",
    "mov r11, rdi",
    "mov rdi, [rcx]",
    "mov rsi, [rcx + 8]",
    "mov rdx, [rcx + 16]",
    "mov r10, [rcx + 24]",
    "mov r8, [rcx + 32]",
    "mov r9, [rcx + 40]",
    "podsim_interruptible_begin:",
    "mov ecx, [r11]",
    "cmp ecx, [r11 + 4]",
    "ja podsim_interruptible_exit",
    "syscall",
    "podsim_interruptible_end:",
    "ret",
    "podsim_interruptible_exit:",
    "mov rax, -4",
    "ret",
    ".size podsim_interruptible_call, . - podsim_interruptible_call",
);

#[cfg(target_arch = "aarch64")]
std::arch::global_asm!(
    ".text",
    ".hidden podsim_interruptible_call",
    ".hidden podsim_interruptible_begin",
    ".hidden podsim_interruptible_end",
    ".hidden podsim_interruptible_exit",
    ".global podsim_interruptible_call",
    ".global podsim_interruptible_begin",
    ".global podsim_interruptible_end",
    ".global podsim_interruptible_exit",
    ".type podsim_interruptible_call, %function",
    // (counts: x0, number: x1, arguments: x2)
    "podsim_interruptible_call:",
    "mov x8, x1",
    "mov x9, x0",
    "mov x10, x2",
    "ldp x0, x1, [x10]",
    "ldp x2, x3, [x10, 16]",
    "ldp x4, x5, [x10, 32]",
    "podsim_interruptible_begin:",
    "ldp w10, w11, [x9]",
    "cmp w10, w11",
    "b.hi podsim_interruptible_exit",
    "svc 0",
    "podsim_interruptible_end:",
    "ret",
    "podsim_interruptible_exit:",
    "mov x0, -4",
    "ret",
    ".size podsim_interruptible_call, . - podsim_interruptible_call",
);

unsafe extern "C" {
    fn podsim_interruptible_call(counts: *const Counts, number: i64, arguments: *const [usize; 6]) -> isize;
    safe static podsim_interruptible_begin: u8;
    safe static podsim_interruptible_end: u8;
    safe static podsim_interruptible_exit: u8;
}

/// Where a process goes on that a signal has interrupted at `pc`: elsewhere if it was about to wait.
pub(super) fn resume_at(pc: usize) -> usize {
    let address = |place: &'static u8| std::ptr::from_ref(place).addr();
    let waits = address(&podsim_interruptible_begin)..address(&podsim_interruptible_end);
    if waits.contains(&pc) {
        address(&podsim_interruptible_exit)
    } else {
        pc
    }
}

fn result(answer: isize) -> Result<usize> {
    match u16::try_from(answer.unsigned_abs()) {
        Ok(number @ 1..=4095) if answer < 0 => Err(Errno(number)),
        _ => Ok(answer.cast_unsigned()),
    }
}

/// Makes a system call that ends with EINTR as soon as a caught signal has come, also before it.
///
/// # Safety
///
/// As for the system call: pointers among the arguments must be valid for what it does with them.
pub(super) unsafe fn interruptible(number: libc::c_long, arguments: [usize; 6]) -> Result<usize> {
    // SAFETY: the function makes the system call as the kernel's calling convention says and touches nothing else; what the
    // call does to memory, our caller answers for.
    result(unsafe { podsim_interruptible_call(&raw const COUNTS, number, &raw const arguments) })
}

/// As [`interruptible`], for calls that wait only sometimes. Where a signal came first and `would_wait` says no, the call is
/// made all the same: on Linux the handler would have run before it and the call would not have noticed.
///
/// # Safety
///
/// As for [`interruptible`].
pub(super) unsafe fn interruptible_unless_ready(
    number: libc::c_long,
    arguments: [usize; 6],
    would_wait: impl FnOnce() -> bool,
) -> Result<usize> {
    // SAFETY: our caller's promise.
    match unsafe { interruptible(number, arguments) } {
        Err(Errno::EINTR) if !would_wait() => {
            let none = Counts {
                len: AtomicU32::new(0),
                floor: AtomicU32::new(0),
            };
            // SAFETY: as above; with these counts nothing keeps it from making the call.
            result(unsafe { podsim_interruptible_call(&raw const none, number, &raw const arguments) })
        }
        answer => answer,
    }
}

/// Whether a file has nothing for these events, so that reading or writing it would wait.
pub(super) fn not_ready(fd: podsim_sys::Fd, events: rustix::event::PollFlags) -> bool {
    let Ok(fd) = super::abi::fd(fd) else { return false };
    let mut entry = [rustix::event::PollFd::from_borrowed_fd(fd, events)];
    let zero = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(rustix::event::poll(&mut entry, Some(&zero)), Ok(0))
}

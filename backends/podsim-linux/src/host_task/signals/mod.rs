//! Signals (`signal(7)`): the process has the guest's own dispositions and mask, so what the default actions do, the real
//! kernel does. Only a caught signal needs help: its handler is wasm code, which can be entered only between calls.
//!
//! The kernel delivers such a signal to a small C handler ([`on_signal`]) that writes the delivery down and leaves the
//! process with the mask that the guest's handler is to run with: as if that had begun. Deliveries are a stack, as on Linux,
//! where a second signal's frame lies on the first one's. [`take_signal`] takes the topmost one, the runner calls the guest's
//! handler, and [`sigreturn`] ends it. Between delivery and handler the guest still computes, and must not see the handler's
//! mask: the mask that it sees and sets then is the one that the handler will return to ([`set_mask`]).
//!
//! * [`dispositions`]: which signals are caught, and how. [`kernel`]: the bare system calls.
#![expect(unsafe_code, reason = "signal handlers")]

pub(super) mod dispositions;
pub(super) mod kernel;

use super::abi::check;
use super::interruptible::{COUNTS, interruptible, resume_at};
use podsim_sys::*;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

/// A signal that was delivered and whose guest handler has not begun.
struct Delivery {
    signal: AtomicU8,
    restart: AtomicBool,
    /// The mask that the handler returns to.
    restore: AtomicU64,
}

/// More than there can be: each delivery blocks its signal until its handler has begun, and handlers that were
/// interrupted by handlers need stack.
const DEPTH: usize = 1024;

/// The deliveries; how many there are is [`COUNTS`]. Written by the handler, which nothing interrupts, taken by `take_signal`.
static DELIVERIES: [Delivery; DEPTH] = [const {
    Delivery {
        signal: AtomicU8::new(0),
        restart: AtomicBool::new(false),
        restore: AtomicU64::new(0),
    }
}; DEPTH];

/// The floors (see [`COUNTS`]) under the handlers that are running, and how many run.
static FLOORS: [AtomicU32; DEPTH] = [const { AtomicU32::new(0) }; DEPTH];
static RUNNING: AtomicU32 = AtomicU32::new(0);

/// The mask of a `sigsuspend(2)` that waits.
static SUSPENDED: AtomicBool = AtomicBool::new(false);
static SUSPENDED_MASK: AtomicU64 = AtomicU64::new(0);

fn delivery(index: u32) -> Option<&'static Delivery> {
    DELIVERIES.get(usize::try_from(index).ok()?)
}

/// The C handler of all caught signals. It runs with all signals blocked and calls nothing but system calls.
pub(super) unsafe extern "C" fn on_signal(number: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes both to a handler with SA_SIGINFO.
    let (code, context) = unsafe { ((*info).si_code, &mut *context.cast::<libc::ucontext_t>()) };
    let Some(signal) = u8::try_from(number).ok().and_then(Signal::new) else {
        return;
    };
    if code > 0 && dispositions::is_fault(signal) {
        // A fault of this program's own: a trap of the guest, most likely. (si_code(2): above 0 it is the kernel's.)
        // SAFETY: the arguments are the kernel's, the handler is the one that was there before.
        unsafe { dispositions::previous(signal, info, std::ptr::from_mut(context).cast()) };
        return;
    }
    // SAFETY: the kernel's signal set is the first 64 bits of libc's.
    let mask = unsafe { &mut *(&raw mut context.uc_sigmask).cast::<u64>() };
    match dispositions::get(signal).handler {
        SigHandler::Ignore => {}
        // Only a fault's signal comes here by default, when somebody sends it.
        SigHandler::Default => kernel::die_on_return(signal),
        SigHandler::Catch => deliver(signal, mask),
    }
    let pc = program_counter(context);
    *pc = resume_at(*pc as usize) as _;
}

#[cfg(target_arch = "x86_64")]
fn program_counter(context: &mut libc::ucontext_t) -> &mut i64 {
    &mut context.uc_mcontext.gregs[libc::REG_RIP as usize]
}

#[cfg(target_arch = "aarch64")]
fn program_counter(context: &mut libc::ucontext_t) -> &mut u64 {
    &mut context.uc_mcontext.pc
}

/// Writes a delivery down; `mask` is the process's when the C handler returns.
fn deliver(signal: Signal, mask: &mut u64) {
    let action = dispositions::taken(signal);
    let len = COUNTS.len.load(SeqCst);
    let Some(entry) = delivery(len) else { return };
    entry.signal.store(signal.number(), SeqCst);
    entry.restart.store(action.restart, SeqCst);
    entry.restore.store(*mask, SeqCst);
    COUNTS.len.store(len + 1, SeqCst);
    // What a `sigsuspend` lets through, its mask and not the process's usual one is in force while the handler runs.
    let base = if SUSPENDED.swap(false, SeqCst) {
        SUSPENDED_MASK.load(SeqCst)
    } else {
        *mask
    };
    let mut while_handled = SigSet(base | action.mask.0);
    while_handled.add(signal);
    *mask = while_handled.0;
}

/// Whether a guest's handler has to be called.
pub(super) fn signal_pending() -> bool {
    COUNTS.len.load(SeqCst) > COUNTS.floor.load(SeqCst)
}

/// The last delivery that is for what runs now.
pub(super) fn take_signal() -> Option<SignalDelivery> {
    loop {
        let floor = COUNTS.floor.load(SeqCst);
        let len = COUNTS.len.load(SeqCst);
        if len <= floor {
            return None;
        }
        let entry = delivery(len - 1)?;
        let taken = SignalDelivery::Handler {
            signal: Signal::new(entry.signal.load(SeqCst))?,
            restore_mask: SigSet(entry.restore.load(SeqCst)),
            restart: entry.restart.load(SeqCst),
        };
        let running = RUNNING.load(SeqCst);
        let slot = FLOORS.get(usize::try_from(running).ok()?)?;
        // Another one may have come on top meanwhile: that one is first.
        if COUNTS.len.compare_exchange(len, len - 1, SeqCst, SeqCst).is_ok() {
            slot.store(floor, SeqCst);
            RUNNING.store(running + 1, SeqCst);
            COUNTS.floor.store(len - 1, SeqCst);
            return Some(taken);
        }
    }
}

/// A handler has returned.
pub(super) fn sigreturn(mask: SigSet) {
    set_mask(mask);
    let running = RUNNING.load(SeqCst).saturating_sub(1);
    let floor = usize::try_from(running).ok().and_then(|index| FLOORS.get(index));
    RUNNING.store(running, SeqCst);
    COUNTS.floor.store(floor.map_or(0, |floor| floor.load(SeqCst)), SeqCst);
}

/// The mask as the guest knows it: that of the lowest handler that it is about to enter is none of its business.
pub(crate) fn mask() -> SigSet {
    let real = kernel::mask();
    // In this order: what comes in between has the mask of before written down.
    outer_delivery().map_or(real, |entry| SigSet(entry.restore.load(SeqCst)))
}

fn outer_delivery() -> Option<&'static Delivery> {
    signal_pending().then(|| delivery(COUNTS.floor.load(SeqCst))).flatten()
}

/// Sets the mask that the guest knows.
fn set_mask(mask: SigSet) {
    let real = kernel::set_mask(SigSet::FULL);
    match outer_delivery() {
        Some(entry) => {
            entry.restore.store(mask.0, SeqCst);
            kernel::set_mask(real);
        }
        None => {
            kernel::set_mask(mask);
        }
    }
}

pub(super) fn sigprocmask(change: Option<(SigMaskHow, SigSet)>) -> SigSet {
    let old = mask();
    if let Some((how, set)) = change {
        let mut new = match how {
            SigMaskHow::Block => SigSet(old.0 | set.0),
            SigMaskHow::Unblock => SigSet(old.0 & !set.0),
            SigMaskHow::SetMask => set,
        };
        new.remove(Signal::KILL);
        new.remove(Signal::STOP);
        set_mask(new);
    }
    old
}

pub(super) fn sigpending() -> SigSet {
    kernel::pending()
}

pub(super) fn sigsuspend(mask: SigSet) -> Errno {
    SUSPENDED_MASK.store(mask.0, SeqCst);
    SUSPENDED.store(true, SeqCst);
    let set = mask.0;
    let arguments = [(&raw const set).addr(), size_of::<u64>(), 0, 0, 0, 0];
    // SAFETY: the kernel reads the set, which is 64 bits long, before it returns.
    let answer = unsafe { interruptible(libc::SYS_rt_sigsuspend, arguments) };
    SUSPENDED.store(false, SeqCst);
    answer.err().unwrap_or(Errno::EINTR)
}

pub(super) fn sigaction(signal: Signal, action: Option<SigAction>) -> Result<SigAction> {
    let old = dispositions::get(signal);
    if let Some(action) = action {
        if signal.is_unblockable() {
            return Err(Errno::EINVAL);
        }
        dispositions::set(signal, action)?;
    }
    Ok(old)
}

pub(super) fn kill(pid: Pid, signal: Option<Signal>) -> Result<()> {
    let number = signal.map_or(0, Signal::number);
    // SAFETY: takes numbers only.
    check(unsafe { libc::kill(pid.0, number.into()) }).map(drop)
}

pub(super) fn setitimer(value: Duration, interval: Duration) -> Duration {
    let timeval = |time: Duration| libc::timeval {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        // A time that is not zero must not become zero, which would switch the timer off.
        tv_usec: i64::from(time.subsec_micros()).max(i64::from(time.as_secs() == 0 && !time.is_zero())),
    };
    let new = libc::itimerval {
        it_interval: timeval(interval),
        it_value: timeval(value),
    };
    let mut old = libc::itimerval {
        it_interval: timeval(Duration::ZERO),
        it_value: timeval(Duration::ZERO),
    };
    // SAFETY: both point to timer values.
    let set = unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const new, &raw mut old) };
    match check(set) {
        Ok(_) => super::abi::duration(old.it_value.tv_sec, old.it_value.tv_usec * 1000),
        Err(_) => Duration::ZERO,
    }
}

/// Takes over the dispositions that the process was started with. `sigpipe_ignored`: what SIGPIPE was before Rust's runtime
/// ignored it.
pub(crate) fn inherit(sigpipe_ignored: Option<bool>) {
    dispositions::inherit(sigpipe_ignored);
}

/// Lets the engine install its handlers of faults, and puts ours before them. No signal comes in between.
pub(crate) fn with_guarded_faults<T>(install: impl FnOnce() -> T) -> T {
    let mask = kernel::set_mask(SigSet::FULL);
    let installed = install();
    dispositions::guard_faults();
    kernel::set_mask(mask);
    installed
}

/// In a new process: what was delivered to the parent is none of its business.
pub(super) fn forget_deliveries() {
    COUNTS.len.store(0, SeqCst);
    COUNTS.floor.store(0, SeqCst);
    RUNNING.store(0, SeqCst);
    SUSPENDED.store(false, SeqCst);
}

//! The guest's signal dispositions, and the real ones that go with them.
//!
//! Default and ignored are the kernel's own. A caught signal has [`on_signal`](super::on_signal) for a handler, without
//! SA_RESTART: whether a call begins again is decided when the guest's handler has run. Four signals are also faults,
//! by which wasm code traps: for these the handler stays, whatever the guest wants, and passes faults on to the engine's.
#![expect(unsafe_code, reason = "signal handlers")]

use super::kernel::{self, Action};
use podsim_sys::*;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::SeqCst};

/// The signals of faults: all that the engine or Rust's runtime may have handlers for.
pub(crate) const FAULTS: [Signal; 4] = [Signal::SEGV, Signal::ILL, Signal::FPE, Signal::BUS];

/// Whether the signal may be a fault.
pub(crate) fn is_fault(signal: Signal) -> bool {
    FAULTS.contains(&signal)
}

/// What [`super::on_signal`] needs to know: it can take no lock.
#[derive(Debug)]
pub(crate) struct Disposition {
    handler: AtomicU8,
    mask: AtomicU64,
    restart: AtomicBool,
    reset: AtomicBool,
    no_child_wait: AtomicBool,
}

static DISPOSITIONS: [Disposition; 64] = [const { Disposition::new() }; 64];

/// The handlers that were there before ours, by [`FAULTS`]; 0 is none.
static PREVIOUS: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];

impl Disposition {
    const fn new() -> Self {
        Self {
            handler: AtomicU8::new(0),
            mask: AtomicU64::new(0),
            restart: AtomicBool::new(false),
            reset: AtomicBool::new(false),
            no_child_wait: AtomicBool::new(false),
        }
    }

    /// Where a signal's disposition is.
    fn of(signal: Signal) -> &'static Self {
        // A signal's number is 1 to 64.
        &DISPOSITIONS[usize::from(signal.number() - 1) % DISPOSITIONS.len()]
    }

    fn load(&self) -> SigAction {
        SigAction {
            handler: match self.handler.load(SeqCst) {
                0 => SigHandler::Default,
                1 => SigHandler::Ignore,
                _ => SigHandler::Catch,
            },
            mask: SigSet(self.mask.load(SeqCst)),
            restart: self.restart.load(SeqCst),
            reset: self.reset.load(SeqCst),
            no_child_wait: self.no_child_wait.load(SeqCst),
        }
    }

    fn store(&self, action: SigAction) {
        self.mask.store(action.mask.0, SeqCst);
        self.restart.store(action.restart, SeqCst);
        self.reset.store(action.reset, SeqCst);
        self.no_child_wait.store(action.no_child_wait, SeqCst);
        let handler = match action.handler {
            SigHandler::Default => 0,
            SigHandler::Ignore => 1,
            SigHandler::Catch => 2,
        };
        self.handler.store(handler, SeqCst);
    }
}

/// What the guest has set.
pub(crate) fn get(signal: Signal) -> SigAction {
    Disposition::of(signal).load()
}

/// What is to be done about a caught signal that has come; SA_RESETHAND works here.
pub(super) fn taken(signal: Signal) -> SigAction {
    let disposition = Disposition::of(signal);
    let action = disposition.load();
    if action.reset {
        // The kernel has done so too, except for faults.
        disposition.store(SigAction::default());
    }
    action
}

/// Sets a disposition.
pub(crate) fn set(signal: Signal, action: SigAction) -> Result<()> {
    let mut flags = 0;
    if action.no_child_wait {
        flags |= libc::SA_NOCLDWAIT;
    }
    let handler = match action.handler {
        _ if is_fault(signal) => {
            Disposition::of(signal).store(action);
            return Ok(());
        }
        SigHandler::Default => libc::SIG_DFL,
        SigHandler::Ignore => libc::SIG_IGN,
        SigHandler::Catch => {
            flags |= libc::SA_SIGINFO;
            if action.reset {
                flags |= libc::SA_RESETHAND;
            }
            // Ours must be there before the kernel's: the next signal may come at once.
            Disposition::of(signal).store(action);
            our_handler()
        }
    };
    // SAFETY: `on_signal` is a handler with SA_SIGINFO that may run at any moment; it is not interrupted (full mask).
    unsafe { kernel::sigaction(signal, Some(Action::new(handler, flags, SigSet::FULL))) }?;
    Disposition::of(signal).store(action);
    Ok(())
}

fn our_handler() -> usize {
    (super::on_signal as *const ()).addr()
}

/// On the alternate stack: the fault may be that the usual one is at its end.
fn fault_action() -> Action {
    let flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
    Action::new(our_handler(), flags, SigSet::FULL)
}

/// Takes over what the process was started with: a signal is ignored or has its default.
pub(super) fn inherit(sigpipe_ignored: Option<bool>) {
    for signal in SigSet::FULL.iter() {
        // SAFETY: only asks.
        let Ok(real) = (unsafe { kernel::sigaction(signal, None) }) else {
            continue;
        };
        let ignored = match sigpipe_ignored {
            Some(ignored) if signal == Signal::PIPE => {
                if ignored {
                    kernel::set_ignored(signal);
                } else {
                    kernel::set_default(signal);
                }
                ignored
            }
            _ => real.handler == libc::SIG_IGN,
        };
        let handler = if ignored {
            SigHandler::Ignore
        } else {
            SigHandler::Default
        };
        Disposition::of(signal).store(SigAction {
            handler,
            ..SigAction::default()
        });
    }
}

/// Puts our handler before the engine's and the runtime's.
pub(super) fn guard_faults() {
    for (signal, previous) in FAULTS.into_iter().zip(&PREVIOUS) {
        // SAFETY: as in `set`.
        if let Ok(before) = unsafe { kernel::sigaction(signal, Some(fault_action())) } {
            previous.store(before.handler, SeqCst);
        }
    }
}

/// Passes a fault on to the handler that was there before ours. Where there was none, the fault kills: it comes again when
/// the handler returns.
///
/// # Safety
///
/// For a signal handler, with its own arguments.
pub(super) unsafe fn previous(signal: Signal, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let place = FAULTS.iter().position(|fault| *fault == signal);
    let handler = place
        .and_then(|index| PREVIOUS.get(index))
        .map_or(0, |slot| slot.load(SeqCst));
    if handler == libc::SIG_DFL || handler == libc::SIG_IGN {
        kernel::set_default(signal);
        return;
    }
    type Handler = unsafe extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);
    // SAFETY: both the engine's and the runtime's handlers are of this kind (SA_SIGINFO), and still there.
    let handler = unsafe { std::mem::transmute::<usize, Handler>(handler) };
    // SAFETY: the arguments are the kernel's.
    unsafe { handler(signal.number().into(), info, context) };
}

/// Makes the real dispositions those that the next program is to start with: exec keeps what is ignored, and faults have a
/// handler although the guest ignores them.
pub(crate) fn before_exec() {
    for signal in FAULTS
        .into_iter()
        .filter(|signal| get(*signal).handler == SigHandler::Ignore)
    {
        kernel::set_ignored(signal);
    }
}

/// Exec has failed: our handler is needed again.
pub(crate) fn after_failed_exec() {
    for signal in FAULTS
        .into_iter()
        .filter(|signal| get(*signal).handler == SigHandler::Ignore)
    {
        // SAFETY: as in `set`.
        let _ = unsafe { kernel::sigaction(signal, Some(fault_action())) };
    }
}

/// In a new process, which has only begun: what was caught has its default.
pub(crate) fn reset_in_child(default: SigSet, ignore: SigSet) {
    for signal in SigSet::FULL.iter().filter(|signal| !signal.is_unblockable()) {
        let catches = get(signal).handler == SigHandler::Catch;
        if ignore.contains(signal) {
            kernel::set_ignored(signal);
            Disposition::of(signal).store(SigAction {
                handler: SigHandler::Ignore,
                ..SigAction::default()
            });
        } else if catches || default.contains(signal) {
            if !is_fault(signal) {
                kernel::set_default(signal);
            }
            Disposition::of(signal).store(SigAction::default());
        }
    }
}

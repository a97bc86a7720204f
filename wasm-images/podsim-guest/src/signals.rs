//! Signal handlers. The host calls the export `__wasm_signal` (WASIX's convention) when a system call returns.

use crate::{Result, SigAction, SigHandler, Signal, sigaction};
use std::cell::Cell;

/// A function that is called with the signal.
pub type Handler = fn(Signal);

thread_local! {
    /// The handlers by signal number. (There is one thread; `thread_local` is how safe code says so.)
    static HANDLERS: [Cell<Option<Handler>>; 65] = const { [const { Cell::new(None) }; 65] };
}

/// Installs a handler, or with `None` the default action. `restart`: an interrupted call begins again (SA_RESTART) instead
/// of failing with EINTR. The handler runs when a system call returns; it may itself make calls, and is not interrupted by
/// its own signal.
pub fn on_signal(signal: Signal, handler: Option<Handler>, restart: bool) -> Result<()> {
    let Some(function) = handler else {
        return default_signal(signal);
    };
    set_handler(signal, Some(function));
    let action = SigAction {
        handler: SigHandler::Catch,
        restart,
        ..SigAction::default()
    };
    sigaction(signal, Some(action)).map(drop)
}

/// Ignores a signal (SIG_IGN).
pub fn ignore_signal(signal: Signal) -> Result<()> {
    let action = SigAction {
        handler: SigHandler::Ignore,
        ..SigAction::default()
    };
    sigaction(signal, Some(action)).map(drop)
}

/// Gives a signal its default action (SIG_DFL).
pub fn default_signal(signal: Signal) -> Result<()> {
    sigaction(signal, Some(SigAction::default())).map(drop)
}

/// Sets only the function that [`sigaction`] with [`SigHandler::Catch`] lets run, for those who need a mask or SA_RESETHAND.
pub fn set_handler(signal: Signal, handler: Option<Handler>) {
    HANDLERS.with(|handlers| {
        if let Some(cell) = handlers.get(usize::from(signal.number())) {
            cell.set(handler);
        }
    });
}

/// What the host calls.
// SAFETY: no other symbol of that name can exist in a guest; the host and WASIX's convention give it its meaning.
#[unsafe(no_mangle)]
pub extern "C" fn __wasm_signal(number: i32) {
    let signal = u8::try_from(number).ok().and_then(Signal::new);
    let handler = signal.and_then(|s| HANDLERS.with(|h| h.get(usize::from(s.number())).and_then(Cell::get)));
    if let (Some(signal), Some(handler)) = (signal, handler) {
        handler(signal);
    }
}

/// Makes sure that the linker keeps this object, and the export with it.
pub(crate) fn keep_export() {
    std::hint::black_box(__wasm_signal as *const ());
}

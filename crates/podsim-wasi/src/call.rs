//! What every host function does around its own work: time, signals, restarting; and the macro that makes the tables.

use crate::error::End;
use crate::memory::GuestMemory;
use crate::state::State;
use podsim_sys::{Errno, Fd, OpenFlags, SignalDelivery, Syscalls};
use wasmtime::{AsContextMut as _, Caller, Extern, FuncType, ValType};

/// A call of a guest, while it lasts.
pub(crate) struct Call<'a, S: Syscalls> {
    caller: Caller<'a, State<S>>,
}

/// How a call goes on when a handler ran while it waited (`signal(7)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupted {
    /// Begins again if all handlers have SA_RESTART.
    Restart,
    /// Ends with EINTR.
    Fail,
}

impl<'a, S: Syscalls> Call<'a, S> {
    /// The guest has called.
    pub(crate) fn enter(mut caller: Caller<'a, State<S>>) -> Self {
        caller.data_mut().pause();
        Self::peek(caller)
    }

    /// The guest has called something that is too short to be measured and that no signal interrupts.
    pub(crate) fn peek(mut caller: Caller<'a, State<S>>) -> Self {
        if caller.data().memory.is_none()
            && let Some(Extern::Memory(memory)) = caller.get_export("memory")
        {
            caller.data_mut().memory = Some(memory);
        }
        Self { caller }
    }

    /// The process.
    pub(crate) fn task(&self) -> S {
        self.caller.data().task.clone()
    }

    /// The guest's memory and its state.
    pub(crate) fn parts(&mut self) -> (GuestMemory<'_>, &mut State<S>) {
        match self.caller.data().memory {
            Some(memory) => {
                let (bytes, state) = memory.data_and_store_mut(self.caller.as_context_mut());
                (GuestMemory(bytes), state)
            }
            None => (GuestMemory(&mut []), self.caller.data_mut()),
        }
    }

    /// The guest's memory.
    pub(crate) fn memory(&mut self) -> GuestMemory<'_> {
        self.parts().0
    }

    /// After this call the guest does not run on.
    pub(crate) fn end(&mut self, end: End) {
        self.caller.data_mut().end = Some(end);
    }

    /// Before the guest runs on: its end, if it has come; then signals. `true`: the call is to be made again.
    pub(crate) async fn leave(&mut self, interrupted: bool, kind: Interrupted) -> wasmtime::Result<bool> {
        let state = self.caller.data();
        if let Some(end) = state.end {
            return Err(end.into());
        }
        let mut handled = false;
        let mut restart = true;
        while let Some((signal, mask, this_restarts)) = self.next_signal().await? {
            handled = true;
            restart &= this_restarts;
            self.run_handler(signal).await?;
            self.caller.data().task.sigreturn(mask);
        }
        // Without a handler (stopped and continued, for example) Linux restarts every call (ERESTARTNOHAND).
        let again = interrupted && (!handled || (restart && kind == Interrupted::Restart));
        if !again {
            self.caller.data_mut().resume();
        }
        Ok(again)
    }

    /// The next signal that has a handler; an error when the process is dead.
    async fn next_signal(&mut self) -> wasmtime::Result<Option<(u8, podsim_sys::SigSet, bool)>> {
        let state = self.caller.data();
        let taken = {
            let mut taken = state.taken.lock();
            if taken.killed {
                return Err(End::Killed.into());
            }
            taken.handlers.pop_front()
        };
        let delivery = match taken {
            Some(delivery) => Some(delivery),
            None if state.task.signal_pending() => state.task.take_signal().await,
            None => None,
        };
        match delivery {
            None => Ok(None),
            Some(SignalDelivery::Killed) => Err(End::Killed.into()),
            Some(SignalDelivery::Handler {
                signal,
                restore_mask,
                restart,
            }) => Ok(Some((signal.number(), restore_mask, restart))),
        }
    }

    /// Calls the guest's handler; a guest without one loses the signal, as it asked for it without being able to take it.
    async fn run_handler(&mut self, signal: u8) -> wasmtime::Result<()> {
        let name = self.caller.data().signal_export.clone();
        let Some(Extern::Func(handler)) = self.caller.get_export(&name) else {
            return Ok(());
        };
        let Ok(handler) = handler.typed::<i32, ()>(&self.caller) else {
            return Ok(());
        };
        self.caller.data_mut().resume();
        handler.call_async(&mut self.caller, signal.into()).await?;
        self.caller.data_mut().pause();
        Ok(())
    }
}

/// One row of the system-call table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemCall {
    /// The import module.
    pub module: &'static str,
    /// The import's name.
    pub name: &'static str,
    /// How well it is supported.
    pub support: Support,
    /// What is different, or why it is missing; may be empty.
    pub note: &'static str,
    /// Its wasm type; `None` for what is missing, which is linked with any type.
    pub(crate) signature: Option<Signature>,
}

/// The wasm type of a host function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    /// For each parameter, whether it is an i64 (else an i32).
    pub(crate) wide: &'static [bool],
    /// Whether there is a result, an i32.
    pub(crate) result: bool,
}

impl Signature {
    /// Whether a module's import has this type.
    pub(crate) fn is(self, import: &FuncType) -> bool {
        let kind = |wide: bool| if wide { ValType::I64 } else { ValType::I32 };
        let params = self.wide.iter().map(|wide| kind(*wide));
        let same = |a: ValType, b: ValType| ValType::eq(&a, &b);
        import.params().len() == params.len()
            && import.params().zip(params).all(|(a, b)| same(a, b))
            && import.results().len() == usize::from(self.result)
            && import.results().all(|kind| same(kind, ValType::I32))
    }
}

/// How well a call is supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// As documented.
    Full,
    /// With the limits that the note tells.
    Partial,
    /// It answers ENOSYS.
    Missing,
}

/// Reads a descriptor that the guest gave.
pub(crate) fn fd(number: u32) -> Fd {
    // Numbers above i32::MAX become negative and so EBADF; AT_FDCWD must not be made this way.
    Fd(i32::try_from(number).unwrap_or(-1))
}

/// WASI's `fdflags` as flags of `open(2)`.
pub(crate) fn fdflags_to_linux(fdflags: u32) -> OpenFlags {
    let mut flags = OpenFlags::empty();
    flags.set(OpenFlags::APPEND, fdflags & 1 != 0);
    // rsync and sync have no flag of their own below; all data is "on disk" at once.
    flags.set(OpenFlags::DSYNC, fdflags & (2 | 8 | 16) != 0);
    flags.set(OpenFlags::NONBLOCK, fdflags & 4 != 0);
    flags
}

/// Whether a result means that a signal interrupted the call.
pub(crate) fn interrupted<T>(result: &Result<T, Errno>) -> bool {
    matches!(result, Err(Errno::EINTR))
}

/// Makes the table of an import module, and `add_to_linker` for it.
///
/// A row: how it waits (`quick`: too short to be measured, no signals; `now`: does not wait; `wait`, `restart`: see
/// [`Interrupted`]; `void`: has no result), the function with the types of its parameters, support, note. Behind them `!`: what is missing, and why.
macro_rules! host_functions {
    (
        module $module:literal, result $finish:path;
        $($kind:ident $family:ident::$name:ident($($arg:ident: $type:ty),*), $support:ident, $note:literal;)*
        $(! $missing:literal, $why:literal;)*
    ) => {
        /// The calls of this module.
        pub(crate) const TABLE: &[$crate::call::SystemCall] = &[
            $($crate::call::SystemCall {
                module: $module,
                name: stringify!($name),
                support: $crate::call::Support::$support,
                note: $note,
                signature: Some($crate::call::Signature {
                    wide: &[$(size_of::<$type>() == 8),*],
                    result: $crate::call::host_functions!(@result $kind),
                }),
            },)*
            $($crate::call::SystemCall {
                module: $module,
                name: $missing,
                support: $crate::call::Support::Missing,
                note: $why,
                signature: None,
            },)*
        ];

        /// Gives the calls to a linker.
        pub(crate) fn add_to_linker<S: podsim_sys::Syscalls>(
            linker: &mut wasmtime::Linker<$crate::state::State<S>>,
        ) -> wasmtime::Result<()> {
            $($crate::call::host_functions!(@link $kind linker, $module, $finish, $family::$name($($arg: $type),*));)*
            Ok(())
        }
    };
    (@result void) => { false };
    (@result $other:ident) => { true };
    (@link quick $linker:ident, $module:literal, $finish:path, $family:ident::$name:ident($($arg:ident: $type:ty),*)) => {
        $linker.func_wrap(
            $module,
            stringify!($name),
            |caller: wasmtime::Caller<'_, $crate::state::State<S>>, $($arg: $type),*| {
                let mut call = $crate::call::Call::peek(caller);
                $finish($family::$name(&mut call, $($arg),*))
            },
        )?;
    };
    (@link void $linker:ident, $module:literal, $finish:path, $family:ident::$name:ident($($arg:ident: $type:ty),*)) => {
        $linker.func_wrap_async(
            $module,
            stringify!($name),
            |caller: wasmtime::Caller<'_, $crate::state::State<S>>, ($($arg,)*): ($($type,)*)| {
                Box::new(async move {
                    let mut call = $crate::call::Call::enter(caller);
                    $family::$name(&mut call, $($arg),*).await;
                    call.leave(false, $crate::call::Interrupted::Fail).await.map(drop)
                })
            },
        )?;
    };
    (@link $kind:ident $linker:ident, $module:literal, $finish:path, $family:ident::$name:ident($($arg:ident: $type:ty),*)) => {
        $linker.func_wrap_async(
            $module,
            stringify!($name),
            |caller: wasmtime::Caller<'_, $crate::state::State<S>>, ($($arg,)*): ($($type,)*)| {
                Box::new(async move {
                    let mut call = $crate::call::Call::enter(caller);
                    loop {
                        let result = $crate::call::host_functions!(@call $kind $family::$name(&mut call, $($arg),*));
                        let kind = $crate::call::host_functions!(@kind $kind);
                        if !call.leave($crate::call::interrupted(&result), kind).await? {
                            return Ok::<i32, wasmtime::Error>($finish(result));
                        }
                    }
                })
            },
        )?;
    };
    (@call now $($call:tt)*) => { $($call)* };
    (@call wait $($call:tt)*) => { $($call)*.await };
    (@call restart $($call:tt)*) => { $($call)*.await };
    (@kind restart) => { $crate::call::Interrupted::Restart };
    (@kind $other:ident) => { $crate::call::Interrupted::Fail };
}
pub(crate) use host_functions;

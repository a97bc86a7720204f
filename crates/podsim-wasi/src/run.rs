//! [`run`]: one program, from its first instruction to its end.

use crate::error::{End, trap_signal};
use crate::runtime::Runtime;
use crate::state::State;
use bytes::Bytes;
use futures_util::FutureExt as _;
use podsim_sys::{Fd, Signal, Syscalls, WaitStatus};
use wasmtime::{Store, StoreContextMut, Trap, UpdateDeadline};

/// How [`run`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The process is over; [`Syscalls::exit`] has been called (or a signal has killed it).
    Ended,
    /// The process has another program now (`execve`): load that and run it.
    Exec,
}

/// Runs a program as the process `task` until it ends or replaces itself.
///
/// A fault ends the process with the signal that Linux would send, and one line about it goes to the process's standard
/// error. Dropping the future kills the process: nobody else would end it.
pub async fn run<S: Syscalls>(runtime: &Runtime<S>, task: S, program: Bytes) -> Outcome {
    let mut unfinished = Unfinished(Some(task.clone()));
    let outcome = run_to_end(runtime, task, program).await;
    unfinished.0 = None;
    outcome
}

/// Ends the process if [`run`] does not get that far: it was dropped, or there is a bug in podsim and it panicked.
struct Unfinished<S: Syscalls>(Option<S>);

impl<S: Syscalls> Drop for Unfinished<S> {
    fn drop(&mut self) {
        let Some(task) = self.0.take() else { return };
        if std::thread::panicking() {
            complain(&task, "internal error of podsim (SIGKILL)");
        }
        task.exit(WaitStatus::Signaled(Signal::KILL));
    }
}

async fn run_to_end<S: Syscalls>(runtime: &Runtime<S>, task: S, program: Bytes) -> Outcome {
    let program = match runtime.load(program).await {
        Ok(program) => program,
        Err(error) => {
            complain(&task, &error.to_string());
            // As a shell says "found, but cannot be executed".
            task.exit(WaitStatus::Exited(126));
            return Outcome::Ended;
        }
    };
    let mut store = Store::new(
        runtime.engine(),
        State::new(task.clone(), program.knows_cwd, runtime.pace()),
    );
    store.limiter(|state| state);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(end_of_slice);
    let result = async {
        let instance = program.pre.instantiate_async(&mut store).await?;
        let memory = instance.get_memory(&mut store, "memory");
        store.data_mut().memory = memory;
        runtime.instantiated();
        let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
        store.data_mut().resume();
        start.call_async(&mut store, ()).await
    }
    .await;
    store.data_mut().settle();
    finish(&task, result)
}

/// Turns the way in which the guest came back into the end of the process.
fn finish<S: Syscalls>(task: &S, result: wasmtime::Result<()>) -> Outcome {
    let Err(error) = result else {
        task.exit(WaitStatus::Exited(0));
        return Outcome::Ended;
    };
    match error.downcast_ref::<End>() {
        Some(End::Exec) => return Outcome::Exec,
        Some(End::Exit | End::Killed) => return Outcome::Ended,
        None => {}
    }
    match error.downcast_ref::<Trap>() {
        Some(trap) => {
            let signal = trap_signal(*trap);
            complain(task, &format!("{trap} ({signal})"));
            task.exit(WaitStatus::Signaled(signal));
        }
        // Not the program's doing: its first memory was refused, or the engine is out of address space.
        None => {
            complain(task, &format!("cannot start: {error:#}"));
            task.exit(WaitStatus::Signaled(Signal::KILL));
        }
    }
    Outcome::Ended
}

/// One line to the process's standard error: `podsim: sh[7]: wasm trap: …`. It never waits; what does not fit is lost.
pub(crate) fn complain<S: Syscalls>(task: &S, what: &str) {
    let argv = task.argv();
    let name = argv.first().map_or("?", String::as_str);
    let name = name.rsplit('/').next().unwrap_or(name);
    let line = format!("podsim: {name}[{}]: {what}\n", task.getpid());
    tracing::debug!("{}", line.trim_end());
    let _ = task.write(Fd::STDERR, line.as_bytes()).now_or_never();
}

/// The epoch callback: the guest has computed for a tick. A dead process stops here, a stopped one waits here, and so does one whose control
/// group has used up its CPU time; any other lets the others run. Handlers wait for the next call: only there the guest is in a state in which it can be entered.
fn end_of_slice<S: Syscalls>(mut store: StoreContextMut<'_, State<S>>) -> wasmtime::Result<UpdateDeadline> {
    let state = store.data_mut();
    if !state.slice_ends() {
        return Ok(UpdateDeadline::Continue(1));
    }
    let looked = {
        let mut taken = state.taken.lock();
        if taken.killed {
            return Err(End::Killed.into());
        }
        std::mem::take(&mut taken.looked)
    };
    if looked || !state.task.signal_pending() {
        let Some(until) = state.task.throttled_until() else {
            return Ok(UpdateDeadline::Yield(1));
        };
        let task = state.task.clone();
        state.waits = true;
        let wait = async move {
            // A signal ends it, too: the callback, which is called again at once, sees to that.
            let _ = task.sleep_until(until).await;
        };
        return Ok(UpdateDeadline::YieldCustom(0, Box::pin(wait)));
    }
    let (task, taken) = (state.task.clone(), state.taken.clone());
    state.waits = true;
    let look = async move {
        while let Some(delivery) = task.take_signal().await {
            let mut taken = taken.lock();
            match delivery {
                podsim_sys::SignalDelivery::Killed => {
                    taken.killed = true;
                    break;
                }
                handler => taken.handlers.push_back(handler),
            }
        }
        taken.lock().looked = true;
    };
    // No tick: the callback is called again at once and finds what the future has found.
    Ok(UpdateDeadline::YieldCustom(0, Box::pin(look)))
}

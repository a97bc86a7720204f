//! [`Pace`]: how computing takes time on a node whose clock stands still while something runs.
//!
//! The host's time must not be seen in what guests do: so each system call is taken to cost [`CALL`], and after [`SLICE`] of
//! that the guest yields, at the same place in every run. A guest that computes without a single call is left alone for
//! [`PATIENCE`] ticks of the host; from then on it is charged a tick of CPU for each tick of the host, so that it cannot stop
//! time for ever. Only such a guest is not the same in every run.

use crate::runtime::TICK;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use wasmtime::EngineWeak;

/// What a system call costs, with the computing before it.
const CALL: Duration = Duration::from_micros(20);
/// What it costs to start a program.
const START: Duration = Duration::from_millis(1);
/// How long a guest goes on before others have their turn.
const SLICE: Duration = Duration::from_millis(10);
/// How many ticks of the host a guest may compute without a call before that is charged.
const PATIENCE: u64 = 100;

/// The node's part of it.
pub(crate) struct Pace {
    engine: EngineWeak,
    ticks: AtomicU64,
}

/// A guest's part of it.
#[derive(Default)]
pub(crate) struct Slice {
    spent: Duration,
    /// Set at the end of the slice, for the epoch callback.
    over: bool,
    /// The host's ticks at the last call.
    last_call: u64,
}

impl Pace {
    pub(crate) fn new(engine: EngineWeak) -> Self {
        Self {
            engine,
            ticks: AtomicU64::new(0),
        }
    }

    /// The host's tick.
    pub(crate) fn tick(&self) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
    }

    /// A program's start: what it costs.
    pub(crate) fn start(&self, slice: &mut Slice) -> Duration {
        slice.last_call = self.ticks.load(Ordering::Relaxed);
        START
    }

    /// A call: what it costs.
    pub(crate) fn call(&self, slice: &mut Slice) -> Duration {
        slice.last_call = self.ticks.load(Ordering::Relaxed);
        slice.spent += CALL;
        if slice.spent >= SLICE {
            slice.spent = Duration::ZERO;
            slice.over = true;
            if let Some(engine) = self.engine.upgrade() {
                // The guest comes to its epoch callback at its next loop or function.
                engine.increment_epoch();
            }
        }
        CALL
    }

    /// In the epoch callback: whether the guest has to yield, and the CPU time that is to be charged for it.
    pub(crate) fn yields(&self, slice: &mut Slice) -> Option<Duration> {
        if std::mem::take(&mut slice.over) {
            return Some(Duration::ZERO);
        }
        let silent = self.ticks.load(Ordering::Relaxed).saturating_sub(slice.last_call);
        (silent >= PATIENCE).then_some(TICK)
    }
}

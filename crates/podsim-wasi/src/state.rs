//! What belongs to one running guest: the data of its wasmtime store.

use crate::error::End;
use crate::pace::{Pace, Slice};
use crate::run::complain;
use parking_lot::Mutex;
use podsim_sys::{SignalDelivery, Syscalls};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::{Memory, ResourceLimiter};

/// CPU time is handed to the kernel in pieces of at least this: a short call need not take the kernel's locks twice.
const CPU_GRAIN: Duration = Duration::from_millis(1);
/// The most elements a table may have: 8 MiB of host memory.
const TABLE_MAX: usize = 1 << 20;

/// The state of a guest, beside its wasm instance.
pub(crate) struct State<S> {
    /// The process: through it everything happens.
    pub(crate) task: S,
    /// Whether the guest's libc knows the current directory, see [`crate::p1::knows_cwd`].
    pub(crate) knows_cwd: bool,
    /// The export `memory`, once the instance exists.
    pub(crate) memory: Option<Memory>,
    /// Set by a call after which the guest must not run on.
    pub(crate) end: Option<End>,
    /// The last answer of a `podsim_v1` call that did not fit its buffer.
    pub(crate) answer: Vec<u8>,
    /// The export that is called with a signal's number (WASIX `callback_signal`).
    pub(crate) signal_export: String,
    /// Signals that were taken while the guest was computing; their handlers run when the next call returns.
    pub(crate) taken: Arc<Mutex<Taken>>,
    /// When the guest last began to run.
    resumed: Duration,
    /// The guest waits in the epoch callback, which is called again when that is over.
    pub(crate) waits: bool,
    /// CPU time that the kernel has not heard of yet.
    uncharged: Duration,
    /// Under virtual time: what computing costs.
    pace: Option<Arc<Pace>>,
    slice: Slice,
    /// Bytes of linear memory.
    memory_total: u64,
}

/// Signals taken by the epoch callback.
#[derive(Default)]
pub(crate) struct Taken {
    /// Handlers to run.
    pub(crate) handlers: VecDeque<SignalDelivery>,
    /// The process is dead.
    pub(crate) killed: bool,
    /// The future has run since the callback looked.
    pub(crate) looked: bool,
}

impl<S: Syscalls> State<S> {
    pub(crate) fn new(task: S, knows_cwd: bool, pace: Option<Arc<Pace>>) -> Self {
        let resumed = task.clock_monotonic();
        let mut slice = Slice::default();
        let uncharged = pace.as_ref().map_or(Duration::ZERO, |pace| pace.start(&mut slice));
        Self {
            task,
            knows_cwd,
            memory: None,
            end: None,
            answer: Vec::new(),
            signal_export: "__wasm_signal".to_owned(),
            taken: Arc::default(),
            resumed,
            waits: false,
            uncharged,
            pace,
            slice,
            memory_total: 0,
        }
    }

    /// The guest stops running: a call, or its end.
    pub(crate) fn pause(&mut self) {
        if let Some(pace) = &self.pace {
            self.uncharged += pace.call(&mut self.slice);
        } else {
            let now = self.task.clock_monotonic();
            self.uncharged += now.saturating_sub(self.resumed);
            self.resumed = now;
        }
        self.charge();
    }

    fn charge(&mut self) {
        if self.uncharged >= CPU_GRAIN {
            self.task.charge_cpu(std::mem::take(&mut self.uncharged));
        }
    }

    /// A tick has come: whether the guest's time slice is over and it has to yield.
    pub(crate) fn slice_ends(&mut self) -> bool {
        if std::mem::take(&mut self.waits) {
            // That was no computing.
            self.resume();
            return true;
        }
        let Some(pace) = &self.pace else {
            self.pause();
            return true;
        };
        let Some(cpu) = pace.yields(&mut self.slice) else {
            return false;
        };
        self.uncharged += cpu;
        self.charge();
        true
    }

    /// The guest runs again.
    pub(crate) fn resume(&mut self) {
        self.resumed = self.task.clock_monotonic();
    }

    /// Hands over the rest.
    pub(crate) fn settle(&mut self) {
        self.pause();
        self.task.charge_cpu(std::mem::take(&mut self.uncharged));
    }

    /// Takes signals as far as that needs no waiting; says whether the process is dead.
    fn killed_now(&self) -> bool {
        use futures_util::FutureExt as _;
        if !self.task.signal_pending() {
            return false;
        }
        let mut taken = self.taken.lock();
        while let Some(Some(delivery)) = self.task.take_signal().now_or_never() {
            match delivery {
                SignalDelivery::Killed => taken.killed = true,
                handler @ SignalDelivery::Handler { .. } => {
                    taken.handlers.push_back(handler);
                    continue;
                }
            }
            break;
        }
        taken.killed
    }
}

impl<S: Syscalls> ResourceLimiter for State<S> {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|max| desired > max) {
            return Ok(false);
        }
        let total = self.memory_total + (desired - current.min(desired)) as u64;
        if self.task.charge_memory(total) {
            self.memory_total = total;
            return Ok(true);
        }
        // The limit said no: `memory.grow` fails, unless the out-of-memory killer has struck. The line comes first: a dead
        // process has no standard error.
        if self.task.signal_pending() {
            complain(&self.task, &format!("out of memory: {} KiB refused", total >> 10));
        }
        if self.killed_now() {
            Err(End::Killed.into())
        } else {
            Ok(false)
        }
    }

    fn table_growing(&mut self, _current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_MAX && maximum.is_none_or(|max| desired <= max))
    }
}

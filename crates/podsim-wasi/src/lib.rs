//! Runs a wasm program on any `S: Syscalls`.
//!
//! * [`Runtime`]: the engine and the compiled programs, one for all processes of a node; [`run`] runs one program.
//! * `p1`, `wasix`, `podsim_v1`: the system-call ABIs, one folder each, every call a short function over
//!   [`podsim_sys::Syscalls`]; [`system_calls`] is their table as data.
//! * [`OneProcess`]: a runtime for a process of the host that runs one guest.
//! * `call`: what every call does around its own work (CPU time, signals, restarting).
//! * `state`, `memory`: what belongs to one guest; `cache`: programs; `error`: how a guest ends.

mod cache;
mod call;
mod engine_config;
mod error;
mod memory;
mod one_process;
mod p1;
mod pace;
mod podsim_v1;
mod run;
mod runtime;
mod state;
mod wasix;

pub use call::{Support, SystemCall};
pub use engine_config::engine_config;
pub use error::LoadError;
pub use one_process::{OneProcess, Precompiled};
pub use run::{Outcome, run};
pub use runtime::{Runtime, TICK};

/// The calls of all import modules.
pub fn system_calls() -> impl Iterator<Item = SystemCall> {
    p1::TABLE.iter().chain(wasix::TABLE).copied().chain(podsim_v1::table())
}

#[cfg(test)]
mod tests;

//! Tests against the fake runtime, under a clock that the tests move.

mod actions;
mod claims;
mod configs;
mod evicting;
mod harness;
mod hosts;
mod killing;
mod lives;
mod nodes;
mod placing;
mod probes;
mod repetition;
mod resizing;
mod scheduling;
mod sidecars;
mod statics;
mod status;
mod volumes;

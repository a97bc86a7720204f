//! Runs a wasm program on any `S: Syscalls`.

mod engine_config;

pub use engine_config::engine_config;

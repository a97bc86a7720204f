//! Runs a wasm program in this process.

//! The settings of the wasm engine, shared with the build script of podsim-image, which precompiles the built-in programs:
//! code runs only under the settings that it was compiled with. So this file needs nothing but wasmtime.

/// The engine's configuration; the build script adds the target.
#[must_use]
pub fn engine_config() -> wasmtime::Config {
    let mut config = wasmtime::Config::new();
    // A guest that only computes must yield to the others, and die when it is killed.
    config.epoch_interruption(true);
    // The guest's machine stack. (Its data stack is in its linear memory: 1 MiB in Rust and C programs.) The rest of the fiber
    // is for the kernel's code, which runs on it and is frugal in release builds only. Pages count when they are touched.
    config.max_wasm_stack(512 << 10);
    config.async_stack_size(1 << 20);
    // One mapping less an instance: `vm.max_map_count` is the wall that many instances hit first.
    config.guard_before_linear_memory(false);
    // proc_exit and exec unwind like a trap: collecting a backtrace would be most of their cost.
    config.wasm_backtrace_max_frames(None);
    config
}

//! The node: clock, process table, initial namespaces, launcher.

use crate::task::Task;
use bytes::Bytes;
use podsim_sys::{Clock, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What exec found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A WebAssembly module or component: its bytes. For a file of a built-in image they are the embedded bytes themselves (same address each time), so a loader can cache by address.
    Wasm(Bytes),
    /// A program built into the node, by its name (`kubectl`).
    Native(String),
}

/// Starts programs. The kernel says what is to run; how is not its business.
pub trait Launcher: Send + Sync + 'static {
    /// Whether the program can be run at all; the errno of exec otherwise (usually ENOEXEC).
    fn check(&self, program: &Program) -> Result<()>;
    /// Begins to run the task's program ([`Task::program`]) and returns at once. When the program has ended, [`podsim_sys::Syscalls::exit`] must have been called.
    fn launch(&self, task: Task);
}

/// What a node is made from.
pub struct KernelConfig {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Seed of the random number generator (`getrandom`, MAC addresses, ids).
    pub seed: u64,
    /// The node's host name.
    pub hostname: String,
    /// Starts programs.
    pub launcher: Arc<dyn Launcher>,
    /// Bytes of memory that `/proc/meminfo` shows and that guests can use together.
    pub memory: u64,
    /// CPUs that `/proc/cpuinfo` and `/proc/stat` show.
    pub cpus: u32,
}

/// One node's kernel.
pub struct Kernel {
    config: KernelConfig,
    next_ns_inode: AtomicU64,
}

impl Kernel {
    /// The number of a new namespace: Linux hands them out upwards from the initial ones.
    pub fn allocate_ns_inode(&self) -> u64 {
        self.next_ns_inode.fetch_add(1, Ordering::Relaxed)
    }

    /// Time.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.config.clock
    }
}

//! The virtual kernel: Linux's processes, namespaces, files, terminals and sockets as plain Rust data.
//!
//! One [`Kernel`] is one node; nothing is static, so a test can hold ten. No wasm, no async runtime, no host I/O: programs are
//! started through the [`Launcher`] that is passed in, time comes from a [`podsim_sys::Clock`].
//!
//! * [`kernel`]: the node: clock, process table, initial namespaces, the launcher.
//! * [`task`]: [`Task`], a handle on a process; it implements [`podsim_sys::Syscalls`] (see `syscall/`).
//! * [`process`]: processes, pid namespaces, process groups and sessions, signals, wait, exec, limits, cgroups.
//! * [`nsproxy`]: the set of namespaces of a process; [`users`]: user namespaces.
//! * [`fs`]: inodes, mounts, path lookup, open files, and the filesystems.
//! * [`tty`]: ptys and their line discipline.
//! * [`net`]: network namespaces, interfaces, routes, TCP, UDP and Unix sockets.
//! * [`ipc`]: System V objects and message queues.
//! * [`wait_queue`]: how a call waits.
//!
//! # Lock order
//!
//! process table (`ProcessTable`, one a kernel) → a process's fields → mount propagation → mount table → inode (parent before child) → pipe, pty,
//! socket and IPC objects → wait queues. No lock is held while a waker is woken: queues take their wakers out first.

mod eventfd;
pub mod fs;
pub mod ipc;
pub mod kernel;
pub mod net;
pub mod nsproxy;
pub mod process;
mod syscall;
pub mod sysctl;
pub mod task;
#[cfg(test)]
pub(crate) mod testing;
pub mod tty;
pub mod users;
pub mod wait_queue;

pub use kernel::{Kernel, KernelConfig, Launcher, Program};
pub use nsproxy::NsProxy;
pub use process::{Process, spawn::ProcessSpec};
pub use task::Task;

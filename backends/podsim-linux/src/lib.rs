//! The Linux backend: CRI over real namespaces, made with clone3 and setns, and wasm programs on the real kernel.
//!
//! * [`LinuxRuntime`]: the node; implements [`podsim_cri::RuntimeService`] and [`podsim_cri::ImageService`].
//! * [`enter`], [`prepare`]: what `main` calls first: this process may be one of a Pod; or it is going to be a node.
//! * `channel`, `spawner`, `child`: how a process of a Pod comes to be.
//! * [`host_task`], [`guest`]: wasm programs: [`podsim_sys::Syscalls`] over the system calls of the process that it is in.
//! * [`network`] over [`netlink`]; [`cgroup`], [`credentials`], [`seccomp`], [`userns`]: limits and restrictions.
//! * [`prune`]: what nodes that were killed have left behind.
//!
//! Of all crates this is the one that needs `unsafe`: system calls that no safe wrapper has, each explained where it is.

#![cfg(target_os = "linux")]

pub mod cgroup;
mod channel;
mod child;
pub mod credentials;
pub mod guest;
mod host;
pub mod host_task;
mod inside;
mod mount;
pub mod netlink;
pub mod network;
mod orphans;
pub mod prune;
mod runtime;
pub mod seccomp;
mod spawner;
#[cfg(test)]
mod testing;
pub mod userns;

pub use child::NativeProgram;
pub use host::{Places, kernel_version, preflight, prepare};
pub use runtime::{LinuxConfig, LinuxRuntime, NetworkConfig};

/// Does what this process was started for if that is to be a process of a Pod, and does not return; returns at once in any other process.
///
/// To be called first in `main`, while there is one thread.
pub fn enter(native: NativeProgram) {
    guest::enter_if_guest();
    if let Some((name, argv, environ)) = guest::node_program() {
        std::process::exit(native(&name, argv, environ));
    }
    child::enter(native);
}

//! The Linux backend: CRI over real namespaces, made with clone3 and setns, and wasm programs on the real kernel.
//!
//! * [`host_task`]: [`podsim_sys::Syscalls`] over the system calls of the process that it is in.
//! * [`guest`]: runs a wasm program in this process, which has been re-executed for it under the guest's argv.
//! * [`netlink`], [`network`]: interfaces, addresses and routes; the Pods' bridge.
//! * [`cgroup`], [`credentials`], [`seccomp`]: limits, rights and restrictions.
//! * [`userns`]: podsim without root; user namespaces of Pods; what the machine must have.
//!
//! Of all crates this is the one that needs `unsafe`: system calls that no safe wrapper has, each explained where it is.

#![cfg(target_os = "linux")]

pub mod cgroup;
pub mod credentials;
pub mod guest;
pub mod host_task;
pub mod netlink;
pub mod network;
pub mod seccomp;
#[cfg(test)]
mod testing;
pub mod userns;

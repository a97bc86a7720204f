//! [`LinuxRuntime`]: CRI over real namespaces.
//!
//! * `service`: who knows whom; `sandbox`, `container`, `volume`, `users`: what there is.
//! * `node`: what all of them share: images, network, cgroups, and the node's own shell.
//! * `process`: a process from its orders to its end; `stdio`: its streams.

mod config;
mod container;
mod node;
mod process;
mod sandbox;
mod service;
mod stdio;
mod users;
mod volume;

pub use config::{LinuxConfig, NetworkConfig};
pub use service::LinuxRuntime;

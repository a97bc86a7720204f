//! The virtual backend: CRI over the virtual kernel and wasm, in this process and without rights.
//!
//! * [`VirtualRuntime`]: the node; implements [`podsim_cri::RuntimeService`] and [`podsim_cri::ImageService`].
//! * `node`: kernel, images, the node's own filesystem, interfaces and shell.
//! * `sandbox`, `container`, `volume`: what the runtime has; `rootfs`, `process`: what containers are made of.
//! * `launcher`: runs the kernel's programs: wasm on [`podsim_wasi`], native ones by name.
//! * `hostfs`: folders of this machine that were lent to the node.
//! * `stdio`: streams; `dial`: the node's view of the Pods' network.

mod config;
mod container;
mod dial;
mod hostfs;
mod lan;
mod launcher;
mod node;
mod process;
mod rootfs;
mod sandbox;
mod service;
mod stdio;
#[cfg(test)]
mod tests;
mod volume;

pub use config::{NativeProgram, ProcessEvent, ProcessObserver, VirtualConfig};
pub use lan::{Lan, Neighbours};
pub use node::node_hosts;
pub use service::VirtualRuntime;

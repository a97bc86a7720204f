//! The virtual backend: CRI over the virtual kernel and wasm, in this process.

mod config;
mod ipam;
mod log;
mod stdio;
mod user;

pub use config::{InterfaceConfig, NativeProgram, VirtualConfig};
pub use ipam::{Cidr, Ipam};

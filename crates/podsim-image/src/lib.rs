//! Images: Docker's way of naming them, OCI's way of describing them, and those that are built into podsim.
//!
//! * [`Reference`]: `busybox` → `docker.io/library/busybox:latest`.
//! * [`Image`]: an OCI image in memory: configuration and layers.
//! * [`layer`]: reading a layer's tar without copying file contents.
//! * `LayerStore` (Linux): layers as directories, for overlayfs.
//! * [`ImageStore`]: the images of a node, found by reference, id or digest.
//! * [`builtin`]: the images that the build script made from `wasm-images/`, with their precompiled code.

pub mod builtin;
mod cri;
pub mod image;
pub mod layer;
#[cfg(target_os = "linux")]
pub mod layer_store;
pub mod reference;
pub mod store;

pub use image::{Image, ImageConfig};
#[cfg(target_os = "linux")]
pub use layer_store::LayerStore;
pub use reference::Reference;
pub use store::ImageStore;

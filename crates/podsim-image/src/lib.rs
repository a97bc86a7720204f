//! Images: Docker's way of naming them, OCI's way of describing them, and those that are built into podsim.
//!
//! * [`Reference`]: `busybox` → `docker.io/library/busybox:latest`.
//! * [`Image`]: an OCI image in memory: configuration and layers.
//! * [`layer`]: reading a layer's tar without copying file contents.
//! * [`ImageStore`]: the images of a node, found by reference, id or digest.
//! * [`builtin`]: the images that the build script made from `wasm-images/`, with their precompiled code.

pub mod builtin;
mod cri;
pub mod image;
pub mod layer;
pub mod reference;
pub mod store;

pub use image::{Image, ImageConfig};
pub use reference::Reference;
pub use store::ImageStore;

//! Images: Docker's way of naming them, OCI's way of describing them, those that are built into podsim, and those that the user adds.
//!
//! * [`Reference`]: `busybox` → `docker.io/library/busybox:latest`.
//! * [`Image`]: an OCI image in memory: configuration and layers.
//! * [`layer`]: reading a layer's tar without copying file contents.
//! * [`ImageStore`]: the images of a node, found by reference, id or digest; loads, imports, names and removes them.
//! * `layout`, `blobs`, `oci`: how they lie on disk: an OCI image layout. `load`, `import`, `registry`: how they come there.
//! * `LayerStore` (Linux): layers as directories, for overlayfs.
//! * [`builtin`]: the images that the build script made from `wasm-images/`, with their precompiled code.

mod blobs;
pub mod builtin;
mod compression;
mod cri;
mod error;
pub mod image;
mod import;
pub mod layer;
#[cfg(target_os = "linux")]
pub mod layer_store;
mod layout;
mod load;
mod oci;
pub mod reference;
mod registry;
mod service;
pub mod store;

pub use error::StoreError;
pub use image::{Image, ImageConfig};
pub use import::{ImportOptions, Imported};
#[cfg(target_os = "linux")]
pub use layer_store::LayerStore;
pub use load::Loaded;
pub use oci::Platform;
pub use reference::Reference;
pub use registry::{Pulled, Registries};
pub use service::NodeImages;
pub use store::{ImageStore, Removed};

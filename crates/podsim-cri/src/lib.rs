//! The Container Runtime Interface in Rust: CRI's own words as two object-safe traits, and a fake of each beside them.
//!
//! * [`RuntimeService`] has the pod sandboxes and containers, exec, attach, port-forward, logs, events and volumes.
//! * [`ImageService`] has the images.
//! * [`sandbox`], [`container`], [`namespace`], [`security`], [`volume`], [`image`], [`log`], [`event`] and [`stream`] are
//!   what they take and give.
//! * [`fake`] is a runtime that runs nothing, for tests of what stands above; [`backend`] is what those share that run something.
//!
//! The shape follows `k8s.io/cri-api` (`runtime/v1/api.proto`), so that a CRI gRPC server can be put on these traits and a
//! CRI client under them. Three things are added, because the kubelet of podsim need share neither a filesystem nor a network with its
//! runtime: volumes (in CRI the kubelet writes into the node's `/var/lib/kubelet`), log reading (in CRI, files) and `dial` (in CRI, the
//! kubelet's own connections).

pub mod backend;
pub mod container;
pub mod error;
pub mod event;
pub mod fake;
pub mod image;
pub mod log;
pub mod namespace;
pub mod sandbox;
pub mod security;
pub mod service;
pub mod stream;
pub mod volume;

pub use container::*;
pub use error::{Error, Result};
pub use event::*;
pub use image::*;
pub use log::*;
pub use namespace::*;
pub use sandbox::*;
pub use security::*;
pub use service::{ImageService, RuntimeService};
pub use stream::*;
pub use volume::*;

//! The object store of podsim: what etcd and the registry of a Kubernetes API server are to a cluster, in memory.
//!
//! * [`Store`]: create, get, list, update, delete and watch JSON objects, with optimistic concurrency.
//! * [`Database`]: the objects on disk too, for a store that outlives its process.
//! * [`Api`]: the same for one `k8s_openapi` type.
//! * [`Kind`] and [`kinds::ALL`]: which kinds there are.
//! * [`schema`]: the shape of each kind, as OpenAPI tells it.
//! * [`Selectors`]: label and field selectors.
//! * [`StoreError`]: what goes wrong, with Kubernetes' reasons, codes and words.
//! * [`pod`]: defaults and validation of Pods.
//! * [`token`]: tokens of ServiceAccounts.
//! * [`manifest`]: YAML and JSON files into objects, strictly, with line and column of every complaint.

mod api;
mod certificate;
mod custom;
mod database;
mod defaults;
pub mod error;
pub mod kinds;
pub mod manifest;
mod namespace;
pub mod pod;
mod rules;
pub mod schema;
pub mod selector;
mod service;
mod state;
mod store;
mod strategy;
#[cfg(test)]
mod tests;
pub mod time;
pub mod token;
mod volume;
mod watch;

pub use api::{Api, Stored};
pub use database::{Database, DatabaseError};
pub use error::{FieldError, FieldErrorKind, StoreError};
pub use kinds::Kind;
pub use selector::Selectors;
pub use store::{DeleteOptions, Deleted, List, Object, Propagation, Store};
pub use volume::{protection, sources};
pub use watch::{Observer, Since, Watch, WatchEvent, WatchEventType};

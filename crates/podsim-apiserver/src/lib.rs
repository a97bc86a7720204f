//! The API server: Kubernetes' HTTP API over the store and the runtime of one node.
//!
//! * [`ApiServer`]: made from a [`Config`], serves a listener.
//! * [`server`]: connections, authentication, the way of a request to its handler.
//! * `user`, `authorize`: who makes a request, and whether the roles allow it.
//! * `target`, `query`, `negotiate`, `body`: what a request says.
//! * `objects`, `watch`, `patch`, [`table`](mod@duration): reading and writing objects.
//! * `apply`, `managed`, `fields`: server-side apply and who manages which field.
//! * `pods`, `log`, `stream`: the subresources of Pods that talk to the runtime.
//! * `discovery`, `openapi`: what the server can do, told to clients.
//! * `review`, `metrics`: questions that no stored object answers, and requests for tokens.
//! * `proxy`: HTTP to Pods, Services and nodes. `events`: the group `events.k8s.io`.
//! * `subresource`, `eviction`: scale, eviction and others that are neither object nor status.
//! * [`controllers`]: what kube-controller-manager does, as far as podsim does it.
//! * [`node_view`]: podsim's own endpoints, the view from the node: sandboxes, containers, images, partition, exec.
//! * [`status`]: errors as Kubernetes words them.
//! * [`duration`]: how kubectl and docker write durations.

mod apply;
mod authorize;
mod autoscaling;
mod body;
pub mod controllers;
mod discovery;
pub mod duration;
mod events;
mod eviction;
mod fields;
mod gzip;
mod label_selector;
mod log;
mod managed;
mod metrics;
mod negotiate;
pub mod node_view;
mod objects;
mod openapi;
mod patch;
mod pods;
mod protobuf;
mod proxy;
mod query;
mod review;
mod second_view;
pub mod server;
pub mod status;
mod stream;
mod subresource;
mod table;
mod target;
mod user;
mod watch;

pub use discovery::KUBERNETES_VERSION;
pub use node_view::{NodeAccess, NodeExec};
pub use server::{ApiServer, Config};

#[cfg(test)]
mod tests;

//! The API server: Kubernetes' HTTP API over the store and the runtime of one node.
//!
//! * [`ApiServer`]: made from a [`Config`], serves a listener.
//! * [`server`]: connections, authentication, the way of a request to its handler.
//! * `target`, `query`, `negotiate`, `body`: what a request says.
//! * `objects`, `watch`, `patch`, [`table`](mod@duration): reading and writing objects.
//! * `pods`, `log`, `stream`: the subresources of Pods that talk to the runtime.
//! * [`node_view`]: podsim's own endpoints, the view from the node: sandboxes, containers, images, partition, exec.
//! * [`status`]: errors as Kubernetes words them.
//! * [`duration`]: how kubectl and docker write durations.

mod body;
mod discovery;
pub mod duration;
mod log;
mod negotiate;
pub mod node_view;
mod objects;
mod patch;
mod pods;
mod query;
pub mod server;
pub mod status;
mod stream;
mod table;
mod target;
mod watch;

pub use discovery::KUBERNETES_VERSION;
pub use node_view::{NodeAccess, NodeExec};
pub use server::{ApiServer, Config};

#[cfg(test)]
mod tests;

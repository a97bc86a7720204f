//! The kubelet of podsim, with the two controllers that a Pod needs to come to it and to be noticed when it is gone.
//!
//! The way of a Pod: [`scheduler`] gives it to the node (or it is there from the beginning: `static_pods`) → [`kubelet`] starts a `pod_worker` for it → the worker looks at
//! what runs ([`runtime_status`]), decides ([`actions`], pure), acts (`executor`) and reports ([`status`], pure).
//!
//! * Where a Pod may run: [`fit`], which the scheduler and the kubelet's `admission` share.
//! * What goes into the runtime: `sandbox_config`, `container_config`, `env`, [`hosts`], `dns`, `sysctls`, `volumes`.
//! * What takes time: `lifecycle` (hooks, graceful killing), [`prober`] (probes), `images` (pulls), [`backoff`].
//! * [`containers`] says what kinds of containers there are, and when one runs again.
//! * What is told: [`events`], `node` (the Node object and its heartbeat), [`node_controller`] (who misses it), `taint_eviction`.
//! * For people: [`fields`] and [`mod@explain`] (what podsim does with each field of a Pod), [`namespaces`] (who shares which).
//!
//! Nothing polls (but for changes of a folder with static Pods): workers wake for changes in the store, for events of the runtime, and for the end of a back-off. All time
//! comes from `podsim_sys::Clock`.

pub mod actions;
mod admission;
pub mod backoff;
pub mod config;
mod container_config;
pub mod containers;
mod dns;
mod env;
pub mod events;
mod executor;
pub mod explain;
pub mod fields;
pub mod fit;
pub mod hosts;
mod images;
pub mod kubelet;
mod lifecycle;
pub mod namespaces;
mod node;
pub mod node_controller;
mod past;
mod pod_worker;
pub mod prober;
mod resize;
pub mod runtime_status;
mod sandbox_config;
pub mod scheduler;
mod service_env;
mod static_pods;
pub mod status;
mod sysctls;
mod taint_eviction;
pub mod tls;
mod volumes;

#[cfg(test)]
mod tests;

pub use config::KubeletConfig;
pub use explain::{Warning, explain, unsupported_fields};
pub use kubelet::Kubelet;
pub use node_controller::NodeController;
pub use scheduler::Scheduler;

//! The commands: one file each, an `Args` struct whose doc comment is the help, and one function.
//!
//! None of them knows whether it runs as `podsim get`, or as `kubectl get` in the node: that is [`crate::context::Context`]'s business.

pub(crate) mod apply;
pub(crate) mod attach;
pub(crate) mod completion;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod exec;
pub(crate) mod explain;
mod explain_fields;
pub(crate) mod get;
pub(crate) mod image;
pub(crate) mod inspect;
pub(crate) mod logs;
pub(crate) mod namespaces;
pub(crate) mod node;
pub(crate) mod ps;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod version;
pub(crate) mod wait;

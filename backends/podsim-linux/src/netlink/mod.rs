//! Requests to the kernel about interfaces, addresses and routes (`rtnetlink(7)`).
//!
//! [`Netlink`] is a connection, synchronous and small: one request, its answer. It works in a thread of the node as in the single
//! thread of a guest's process. [`interfaces`], [`routes`] and [`net_config`] are the system calls of those names of
//! [`podsim_sys::Syscalls`]; the runtime ([`crate::network`]) uses the rest: [`LinkSettings`], [`Address`], [`RouteEntry`].

mod address;
mod config;
mod error;
mod link;
mod route;
mod socket;
#[cfg(test)]
mod tests;

pub use address::Address;
pub use config::{interfaces, net_config, routes};
pub use error::{Error, Result};
pub use link::{Link, LinkId, LinkSettings, OperState};
pub use route::RouteEntry;
pub use socket::Netlink;

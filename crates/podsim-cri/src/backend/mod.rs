//! What every backend needs, whatever its containers are made of. The traits do not need it.
//!
//! * [`ContainerRecord`]: what is known of a container, from its making to its end; [`Life`], [`Exit`].
//! * [`Log`]: its output line by line; [`BroadcastReader`]: its output for those who attach.
//! * [`user`]: who its processes run as; [`command_line`], [`environment`]: what they are started with.
//! * [`Ipam`]: addresses for Pods.

mod broadcast;
mod container;
mod ipam;
mod log;
mod process;
pub mod user;

pub use broadcast::BroadcastReader;
pub use container::{ContainerRecord, Exit, Life, RunningProcess, now};
pub use ipam::{Cidr, Ipam};
pub use log::Log;
pub use process::{command_line, environment, start_failed};

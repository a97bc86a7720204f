//! What every backend needs, whatever its containers are made of. The traits do not need it.
//!
//! * [`ContainerRecord`]: what is known of a container, from its making to its end; [`Life`], [`Exit`].
//! * [`Log`]: its output line by line; [`BroadcastReader`]: its output for those who attach.
//! * [`user`]: who its processes run as; [`command_line`], [`environment`]: what they are started with.
//! * [`Cidr`], [`Ipam`]: addresses for Pods; [`InterfaceConfig`]: an interface of the node.
//! * [`LentFolder`]: what of this machine the node sees.
//! * [`Dial`]: the way from the node to its Pods; [`HostPorts`]: ports of the machine that lead to a Pod.

mod broadcast;
mod cidr;
mod container;
mod dial;
mod host_port;
mod interface;
mod ipam;
mod lent;
mod log;
mod process;
pub mod user;

pub use broadcast::BroadcastReader;
pub use cidr::Cidr;
pub use container::{ContainerRecord, Exit, Life, RunningProcess, now};
pub use dial::{Datagrams, Dial, dial};
pub use host_port::{HostPorts, Listen, NodeNetwork, Receive};
pub use interface::InterfaceConfig;
pub use ipam::Ipam;
pub use lent::LentFolder;
pub use log::Log;
pub use process::{command_line, environment, start_failed};

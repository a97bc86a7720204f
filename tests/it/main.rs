//! The tests of podsim as a whole: one program, a module a topic.

mod cli;
mod clients;
mod conformance;
#[cfg(target_os = "linux")]
mod differences;
mod host_path;
#[cfg(target_os = "linux")]
mod host_task;
mod image;
mod kubectl;
mod layers;
#[cfg(target_os = "linux")]
mod linux_backend;
#[cfg(target_os = "linux")]
mod linux_killed;
#[cfg(target_os = "linux")]
mod linux_native;
mod network_edges;
mod nodes;
mod notes;
mod podsim;
mod tidy;
mod user_namespaces;
mod virtual_time;
mod volumes;

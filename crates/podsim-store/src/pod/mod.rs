//! Pods: defaults, validation, and what may change.

pub(crate) mod admission;
mod defaults;
mod ephemeral;
mod limit_range;
pub mod names;
mod pod_resources;
mod qos;
pub mod quantity;
mod resize;
mod service_account;
mod update;
mod validate;
mod validate_container;
mod validate_handler;
mod validate_resources;
mod validate_scheduling;
mod validate_volume;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_validate;

pub use defaults::set_defaults;
pub use ephemeral::validate_ephemeral_update;
pub use qos::qos_class;
pub use resize::{only_resize, validate_resize};
pub(crate) use service_account::VOLUME_PREFIX as TOKEN_VOLUME_PREFIX;
pub use update::validate_update;
pub(crate) use validate::validate_metadata;
pub use validate::{validate, validate_create};

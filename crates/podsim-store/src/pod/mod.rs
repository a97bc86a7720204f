//! Pods: defaults, validation, and what may change.

mod defaults;
pub mod names;
mod qos;
pub mod quantity;
mod update;
mod validate;
mod validate_container;

#[cfg(test)]
mod tests;

pub use defaults::set_defaults;
pub use qos::qos_class;
pub use update::validate_update;
pub use validate::validate;
pub(crate) use validate::validate_metadata;

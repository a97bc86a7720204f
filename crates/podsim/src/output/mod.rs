//! How things look: tables, YAML, JSON, descriptions.

pub(crate) mod describe;
pub(crate) mod docker;
pub(crate) mod json;
pub(crate) mod jsonpath;
pub(crate) mod tabwriter;
pub(crate) mod yaml;

//! podsim-wasi

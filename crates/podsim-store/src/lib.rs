//! podsim-store

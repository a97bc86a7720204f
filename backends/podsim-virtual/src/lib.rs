//! podsim-virtual

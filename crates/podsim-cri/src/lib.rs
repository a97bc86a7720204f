//! podsim-cri

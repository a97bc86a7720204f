//! podsim-image

//! podsim-tests

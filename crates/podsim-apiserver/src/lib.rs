//! podsim-apiserver

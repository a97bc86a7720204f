//! Tests of the filesystem core.

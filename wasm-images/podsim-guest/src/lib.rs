//! The system calls of podsim for guests written in Rust.

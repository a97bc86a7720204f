//! Tests of processes, on a [`TestNode`](crate::testing::TestNode).

mod exec;
mod life;
mod namespaces;
mod pipes;
mod resources;
mod signals;

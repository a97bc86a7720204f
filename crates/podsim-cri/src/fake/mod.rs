//! A runtime and an image service that run nothing: they keep the books, follow a script, and record every call.

mod image;
mod runtime;

pub use image::{FakeImageService, PullOutcome};
pub use runtime::{ExecScript, FakeRuntimeService, PortScript, Script, StartOutcome, TermOutcome};

//! The server over the fake runtime.

//! Tables over the pure parts of the shell.

mod arith;
mod expand;
mod parser;

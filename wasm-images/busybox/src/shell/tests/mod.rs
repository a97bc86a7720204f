//! Tables over the pure parts of the shell.

mod parser;

//! The `podsim` program, built where the tests can find it.

use std::process::ExitCode;

fn main() -> ExitCode {
    podsim::main()
}

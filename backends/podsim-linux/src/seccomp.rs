//! The system calls that containers may make.

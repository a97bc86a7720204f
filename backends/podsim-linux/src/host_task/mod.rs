//! [`podsim_sys::Syscalls`] over the system calls of this process.

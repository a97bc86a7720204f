//! The system calls of podsim for guests written in Rust (target `wasm32-wasip1`).
//!
//! One free function for each method of [`podsim_sys::Syscalls`], with its name, arguments and result, without `self` and
//! synchronous: a call that waits suspends the guest. They are imports of the module `podsim_v1`; see [`podsim_sys::calls`].
//! `std::fs`, `std::env`, `std::time` and `println!` go through WASI preview 1 and work as usual, on the same kernel.
//!
//! * [`init`] comes first in `main`.
//! * [`calls`]: the calls; [`signals`]: handlers; [`io`]: `std::io` over descriptors, and the two kinds of error numbers;
//!   [`dns`] and [`resolve`]: names of hosts; [`system`]: the imports themselves.
//!
//! ```no_run
//! use podsim_guest::*;
//!
//! fn main() -> Result<()> {
//!     init();
//!     let (read, write) = pipe(OpenFlags::CLOEXEC)?;
//!     let child = spawn(SpawnRequest {
//!         path: "/bin/echo".into(),
//!         argv: vec!["echo".into(), "hello".into()],
//!         fd_actions: vec![FdAction::Dup2 { from: write, to: Fd::STDOUT }],
//!         ..SpawnRequest::default()
//!     })?;
//!     close(write)?;
//!     assert_eq!(read_to_end(read)?, b"hello\n");
//!     assert_eq!(wait(WaitTarget::Pid(child), WaitOptions::empty())?, Some((child, WaitStatus::Exited(0))));
//!     Ok(())
//! }
//! ```

pub mod calls;
pub mod dns;
pub mod io;
pub mod signals;
pub mod system;

pub use calls::*;
// Named, because podsim-sys has a future of this name.
pub use calls::sleep_until;
pub use dns::resolve;
pub use io::{FdFile, errno_of, io_error, read_to_end, write_all};
pub use podsim_sys::*;
pub use signals::{default_signal, ignore_signal, on_signal};

/// Prepares the process; to be called first in `main`.
///
/// It brings wasi-libc's own notion of the current directory (a string that begins as `/` in each program) in step with the
/// kernel's, so that relative paths in `std::fs` and `std::env::current_dir` mean what they should.
pub fn init() {
    signals::keep_export();
    if let Ok(cwd) = getcwd() {
        system::libc_chdir(&cwd);
    }
}

/// The arguments, from the program's name on; what is not UTF-8 is replaced.
pub fn args() -> Vec<String> {
    std::env::args_os()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect()
}

/// Ends the process with an exit code; only its low eight bits count, as everywhere in Unix.
pub fn exit(code: i32) -> ! {
    std::process::exit(code & 0xff)
}

//! Runs a wasm program in this process.
//!
//! * [`enter_if_guest`]: at the very beginning of podsim, which may have been executed to run a guest's program.
//! * [`start`]: for a process that is set up already: runs a program in it, or has the kernel do so.
#![expect(unsafe_code, reason = "a descriptor that was handed over")]

use crate::host_task::exec::{self, Handover};
use crate::host_task::program::Program;
use crate::host_task::{HostTask, Identity, signals, title};
use bytes::Bytes;
use podsim_image::builtin;
use podsim_sys::Errno;
use podsim_wasi::{OneProcess, Outcome, Precompiled, Runtime};
use std::future::Future;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Returns at once when podsim was started by a user; runs the guest's program, and does not return, when it was executed for
/// that. To be called first of all, while the process has one thread.
///
/// With glibc it has then been called already, even before Rust's runtime (see `BEFORE_MAIN`).
pub fn enter_if_guest() {
    enter(true);
}

/// A guest is entered before Rust's runtime begins, where the C library passes the arguments to what runs then: the runtime
/// ignores SIGPIPE, opens standard streams that are closed, and takes over the signals of faults. What is sent to a process
/// that has just been spawned would meet that instead of the guest's dispositions.
#[cfg(target_env = "gnu")]
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = {
    extern "C" fn before_main() {
        enter(false);
    }
    before_main
};

fn enter(runtime_has_begun: bool) {
    // Most starts are a user's: no more than a look.
    if std::env::var_os(exec::VARIABLE).is_none() {
        return;
    }
    let value = title::take_variable(exec::VARIABLE).unwrap_or_default();
    let Some(handover) = Handover::parse(&value) else {
        return;
    };
    // SAFETY: opened for us by the process that was here before, and known to nobody else.
    let file = unsafe { OwnedFd::from_raw_fd(handover.program) };
    if let Some(number) = handover.executable {
        // SAFETY: as above.
        exec::hold(unsafe { OwnedFd::from_raw_fd(number) });
    }
    for (number, closed) in (0..).zip(handover.closed) {
        if closed {
            // SAFETY: a copy of `file`, put there only so that it is not closed.
            drop(unsafe { OwnedFd::from_raw_fd(number) });
        }
    }
    title::set_comm(&handover.comm);
    let guest = Guest {
        file,
        path: handover.path,
        argv: arguments(),
        environ: environment(),
        sigpipe_ignored: runtime_has_begun.then_some(handover.sigpipe_ignored),
    };
    guest.run()
}

/// Runs a program in this process, which has one thread and is otherwise as the program is to find it. Returns only if the kernel
/// does not run it. SIGPIPE gets its default: Rust's runtime has ignored it. A program of the node's shell is the caller's to run.
pub(crate) fn start(program: Program, environ: Vec<String>) -> Errno {
    match program {
        Program::Wasm { file, argv, comm, path } => {
            title::set_comm(&comm);
            if !std::env::args_os().eq(argv.iter().map(std::ffi::OsString::from)) {
                // An interpreter's arguments are not those that the process was made with.
                title::set_arguments(&argv);
            }
            title::set_environment(&environ);
            let guest = Guest {
                file,
                path,
                argv,
                environ,
                sigpipe_ignored: Some(false),
            };
            guest.run()
        }
        native => {
            signals::inherit(Some(false));
            exec::replace(native, environ, signals::mask())
        }
    }
}

/// The program of the node's shell that this process was executed for, if it was, with its arguments and environment.
pub(crate) fn node_program() -> Option<(String, Vec<String>, Vec<String>)> {
    std::env::var_os(exec::NODE_PROGRAM_VARIABLE)?;
    let name = title::take_variable(exec::NODE_PROGRAM_VARIABLE)?;
    title::set_comm(&name);
    Some((name, arguments(), environment()))
}

fn text(text: std::ffi::OsString) -> String {
    text.to_string_lossy().into_owned()
}

fn arguments() -> Vec<String> {
    std::env::args_os().map(text).collect()
}

fn environment() -> Vec<String> {
    let variable = |(name, value)| format!("{}={}", text(name), text(value));
    std::env::vars_os().map(variable).collect()
}

/// A wasm program and what it is started with.
struct Guest {
    file: OwnedFd,
    /// Where it was found.
    path: String,
    argv: Vec<String>,
    environ: Vec<String>,
    /// What the guest is to find, where Rust's runtime has changed it.
    sigpipe_ignored: Option<bool>,
}

impl Guest {
    fn run(self) -> ! {
        signals::inherit(self.sigpipe_ignored);
        let task = HostTask::new(Identity {
            argv: self.argv,
            environ: self.environ,
            exe: path_of(self.file.as_fd()).unwrap_or(self.path),
        });
        let image = lowest_free(&self.file);
        let (program, code) = load(self.file);
        let settings = OneProcess {
            precompiled: code.map(|code| Precompiled {
                wasm: program.clone(),
                code,
            }),
            instantiated: Box::new(move || close_image(image)),
        };
        let runtime = signals::with_guarded_faults(|| Runtime::<HostTask>::for_one_process(settings));
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => fail(&format!("cannot run wasm here: {error:#}")),
        };
        match block_on(podsim_wasi::run(&runtime, task, program)) {
            // The kernel has put an end to the process, or another program into it: nobody comes here.
            Outcome::Ended | Outcome::Exec => fail("the guest has ended and its process has not"),
        }
    }
}

/// Closes the descriptor by which the engine has mapped the program's data (a memfd): a guest's descriptors are its own.
///
/// The engine would need it for another instance, and would close it when it drops the module. Neither happens: this process makes
/// one instance, and ends without dropping anything.
fn close_image(number: RawFd) {
    // SAFETY: the lowest number that was free before the engine began; if it is open now, the engine has it. It is looked at first.
    let image = unsafe { BorrowedFd::borrow_raw(number) };
    if rustix::fs::fcntl_get_seals(image).is_ok_and(|seals| seals.contains(rustix::fs::SealFlags::WRITE)) {
        // SAFETY: see above.
        drop(unsafe { OwnedFd::from_raw_fd(number) });
    }
}

/// The lowest number that is free when `file` is closed.
fn lowest_free(file: &OwnedFd) -> RawFd {
    let number = file.as_raw_fd();
    rustix::io::fcntl_dupfd_cloexec(file, 0).map_or(number, |copy| copy.as_raw_fd().min(number))
}

fn fail(why: &str) -> ! {
    eprintln!("podsim: {why}");
    // As a shell says "found, but cannot be executed".
    std::process::exit(126)
}

/// The path of an open file, as `/proc/self/exe` would show it; `None` where there is no `/proc`.
fn path_of(file: BorrowedFd<'_>) -> Option<String> {
    let link = rustix::fs::readlink(format!("/proc/self/fd/{}", file.as_raw_fd()), Vec::new());
    Some(link.ok()?.to_string_lossy().into_owned())
}

/// The program's bytes; for a built-in one podsim's own, with its precompiled code.
fn load(file: OwnedFd) -> (Bytes, Option<&'static [u8]>) {
    let file = std::fs::File::from(file);
    let len = file.metadata().map_or(0, |metadata| metadata.len());
    let same_length = |program: &builtin::Precompiled| program.wasm.len() as u64 == len;
    for program in builtin::precompiled().filter(same_length) {
        if is_content(&file, &program.wasm) {
            return (program.wasm, Some(program.artifact));
        }
    }
    use std::os::unix::fs::FileExt as _;
    let mut content = vec![0; usize::try_from(len).unwrap_or(0)];
    match file.read_exact_at(&mut content, 0) {
        Ok(()) => (content.into(), None),
        Err(error) => fail(&format!("cannot read the program: {error}")),
    }
}

/// Whether the file holds these bytes. It is read and not mapped: somebody may change it meanwhile.
fn is_content(file: &std::fs::File, bytes: &[u8]) -> bool {
    use std::os::unix::fs::FileExt as _;
    let mut buffer = [0; 64 << 10];
    let mut offset = 0;
    for piece in bytes.chunks(buffer.len()) {
        let Some(room) = buffer.get_mut(..piece.len()) else {
            return false;
        };
        if file.read_exact_at(room, offset).is_err() || room != piece {
            return false;
        }
        offset += piece.len() as u64;
    }
    true
}

/// Runs a future that does not pend: each of its system calls waits in the kernel.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(done) => return done,
            Poll::Pending => std::thread::yield_now(),
        }
    }
}

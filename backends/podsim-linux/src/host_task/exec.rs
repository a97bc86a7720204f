//! `execve(2)`. A wasm program is run by podsim itself, executed anew with the guest's arguments and environment: so `ps`
//! shows the guest's program, and what exec does to descriptors, signals and ids, the kernel does.
//!
//! What podsim must know beyond that, it is told by a variable, [`Handover`]; see `guest` for its other end.
#![expect(unsafe_code, reason = "execve takes C arrays")]

use super::Identity;
use super::abi::{c_string, last_error};
use super::program::{self, Program};
use super::signals::{dispositions, kernel};
use podsim_sys::{Errno, Result, SigHandler, SigSet, Signal};
use rustix::fs::OFlags;
use rustix::io::FdFlags;
use std::ffi::{CString, c_char};
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, IntoRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::Relaxed};

/// The variable that makes podsim a guest.
pub(crate) const VARIABLE: &str = "_PODSIM_GUEST";
/// The variable that makes podsim a program of the node's shell, and says which.
pub(crate) const NODE_PROGRAM_VARIABLE: &str = "_PODSIM_PROGRAM";
/// podsim, as long as it can be found.
const EXECUTABLE: &str = "/proc/self/exe";
/// Where a descriptor of podsim's own is put: above those that guests use.
const OWN_DESCRIPTORS: u64 = 1000;

/// What the next podsim is told: `program,flags,executable,comm/path`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Handover {
    /// The descriptor of the program's file.
    pub(crate) program: RawFd,
    /// SIGPIPE is ignored. (Rust's runtime ignores it before anybody could look.)
    pub(crate) sigpipe_ignored: bool,
    /// Of the descriptors 0 to 2, those that are closed. (Rust's runtime would open them.)
    pub(crate) closed: [bool; 3],
    /// The descriptor of podsim's own file, where it cannot be found any more.
    pub(crate) executable: Option<RawFd>,
    /// The name of the process; without a slash.
    pub(crate) comm: String,
    /// The program's path, from the root.
    pub(crate) path: String,
}

impl Handover {
    fn to_variable(&self) -> String {
        let flags = self
            .closed
            .iter()
            .enumerate()
            .fold(u8::from(self.sigpipe_ignored), |all, (index, closed)| {
                all | (u8::from(*closed) << (index + 1))
            });
        let executable = self.executable.unwrap_or(-1);
        format!(
            "{VARIABLE}={},{flags},{executable},{}{}",
            self.program, self.comm, self.path
        )
    }

    /// Reads the variable's value.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let mut parts = value.splitn(4, ',');
        let program = parts.next()?.parse().ok().filter(|fd| *fd >= 0)?;
        let flags: u8 = parts.next()?.parse().ok()?;
        let executable: RawFd = parts.next()?.parse().ok()?;
        let names = parts.next()?;
        let (comm, path) = names.split_at(names.find('/').unwrap_or(names.len()));
        Some(Self {
            program,
            sigpipe_ignored: flags & 1 != 0,
            closed: [flags & 2 != 0, flags & 4 != 0, flags & 8 != 0],
            executable: (executable >= 0).then_some(executable),
            comm: comm.to_owned(),
            path: path.to_owned(),
        })
    }
}

/// The descriptor of podsim's file, and what file that is: the guest may have closed it.
static HELD: AtomicI32 = AtomicI32::new(-1);
static HELD_INODE: AtomicU64 = AtomicU64::new(0);

/// Before something that may hide `/proc/self/exe`: opens it, to be able to run another guest later.
pub(super) fn hold_executable() {
    if held_executable().is_some() {
        return;
    }
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let Ok(file) = rustix::fs::open(EXECUTABLE, flags, rustix::fs::Mode::empty()) else {
        return;
    };
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let number = limit.map_or(OWN_DESCRIPTORS, |limit| limit.saturating_sub(1).min(OWN_DESCRIPTORS));
    let number = i32::try_from(number).unwrap_or(0);
    if let Ok(high) = rustix::io::fcntl_dupfd_cloexec(&file, number) {
        hold(high);
    }
}

/// Keeps a descriptor of podsim's file.
pub(crate) fn hold(file: OwnedFd) {
    if let Ok(stat) = rustix::fs::fstat(&file) {
        let _ = rustix::io::fcntl_setfd(&file, FdFlags::CLOEXEC);
        HELD_INODE.store(stat.st_ino, Relaxed);
        HELD.store(file.into_raw_fd(), Relaxed);
    }
}

fn held_executable() -> Option<BorrowedFd<'static>> {
    let number = HELD.load(Relaxed);
    if number < 0 {
        return None;
    }
    // SAFETY: not -1; if it is another file now, it is only looked at.
    let file = unsafe { BorrowedFd::borrow_raw(number) };
    let same = rustix::fs::fstat(file).is_ok_and(|stat| stat.st_ino == HELD_INODE.load(Relaxed));
    same.then_some(file)
}

/// `execve(2)` by the guest: returns only if it fails.
pub(super) fn execve(own: &Identity, path: &str, argv: Vec<String>, envp: Vec<String>) -> Result<()> {
    let program = program::open_as(own, path, argv)?;
    // A handler that has not begun yet belongs to the program that is over.
    Err(replace(program, envp, super::signals::mask()))
}

/// Replaces the program of this process; returns only if that fails.
pub(crate) fn replace(program: Program, envp: Vec<String>, mask: SigSet) -> Errno {
    match program {
        Program::Native { path, argv } => match c_string(&path) {
            Ok(path) => call(Target::Path(&path), argv, envp, mask),
            Err(errno) => errno,
        },
        Program::Wasm { file, argv, comm, path } => replace_by_wasm(file, (comm, path), argv, envp, mask),
        Program::Node { name, argv } => {
            let mut envp = envp;
            envp.push(format!("{NODE_PROGRAM_VARIABLE}={name}"));
            call(podsim(held_executable()), argv, envp, mask)
        }
    }
}

fn replace_by_wasm(
    file: OwnedFd,
    (comm, path): (String, String),
    argv: Vec<String>,
    mut envp: Vec<String>,
    mask: SigSet,
) -> Errno {
    // Not in the place of a closed standard stream. The kernel would not have needed a descriptor: no room is no error.
    let file = match rustix::io::fcntl_dupfd_cloexec(&file, 3) {
        Ok(high) => high,
        Err(error) => return super::abi::errno(error),
    };
    let plugs = Plugs::new(&file);
    let held = held_executable();
    let handover = Handover {
        program: file.as_raw_fd(),
        sigpipe_ignored: dispositions::get(Signal::PIPE).handler == SigHandler::Ignore,
        closed: plugs.0,
        executable: held.map(|fd| fd.as_raw_fd()),
        comm,
        path,
    };
    envp.push(handover.to_variable());
    let keep = |fd: BorrowedFd<'_>, flags| {
        let _ = rustix::io::fcntl_setfd(fd, flags);
    };
    keep(std::os::fd::AsFd::as_fd(&file), FdFlags::empty());
    if let Some(fd) = held {
        keep(fd, FdFlags::empty());
    }
    let errno = call(podsim(held), argv, envp, mask);
    if let Some(fd) = held {
        keep(fd, FdFlags::CLOEXEC);
    }
    errno
}

/// Something in the place of closed standard streams: where Rust's runtime finds one closed, it opens `/dev/null` or
/// gives up. Closed again when exec fails.
struct Plugs([bool; 3]);

impl Plugs {
    fn new(file: &OwnedFd) -> Self {
        Self([0, 1, 2].map(|number| {
            // SAFETY: takes numbers only; the number is free.
            unsafe { libc::fcntl(number, libc::F_GETFD) == -1 && libc::dup2(file.as_raw_fd(), number) == number }
        }))
    }
}

impl Drop for Plugs {
    fn drop(&mut self) {
        for (number, plugged) in (0..).zip(self.0) {
            if plugged {
                // SAFETY: `new` opened it.
                drop(unsafe { OwnedFd::from_raw_fd(number) });
            }
        }
    }
}

/// podsim's own program.
fn podsim(held: Option<BorrowedFd<'_>>) -> Target<'_> {
    held.map_or(Target::Path(c"/proc/self/exe"), Target::Fd)
}

enum Target<'t> {
    Path(&'t std::ffi::CStr),
    Fd(BorrowedFd<'t>),
}

/// The system call, with the mask and the dispositions that the next program is to have.
fn call(target: Target<'_>, argv: Vec<String>, envp: Vec<String>, mask: SigSet) -> Errno {
    let strings = |list: Vec<String>| list.iter().map(|text| c_string(text)).collect::<Result<Vec<CString>>>();
    let (argv, envp) = match (strings(argv), strings(envp)) {
        (Ok(argv), Ok(envp)) => (argv, envp),
        (Err(errno), _) | (_, Err(errno)) => return errno,
    };
    let array = |list: &[CString]| -> Vec<*const c_char> {
        list.iter()
            .map(|text| text.as_ptr())
            .chain([std::ptr::null()])
            .collect()
    };
    let (argv_array, envp_array) = (array(&argv), array(&envp));
    let real = kernel::set_mask(mask);
    dispositions::before_exec();
    // SAFETY: both arrays are of C strings that live until the call is over, and end with a null pointer.
    unsafe {
        match target {
            Target::Path(path) => {
                libc::execve(path.as_ptr(), argv_array.as_ptr(), envp_array.as_ptr());
            }
            Target::Fd(fd) => {
                let (argv, envp, flags) = (argv_array.as_ptr(), envp_array.as_ptr(), libc::AT_EMPTY_PATH);
                libc::syscall(libc::SYS_execveat, fd.as_raw_fd(), c"".as_ptr(), argv, envp, flags);
            }
        }
    }
    let errno = last_error();
    dispositions::after_failed_exec();
    kernel::set_mask(real);
    errno
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handover_is_read_as_it_was_written() {
        let handovers = [
            Handover {
                program: 3,
                sigpipe_ignored: true,
                closed: [false, true, false],
                executable: None,
                comm: "a,b=c".to_owned(),
                path: "/bin/a,b=c".to_owned(),
            },
            Handover {
                program: 4,
                sigpipe_ignored: false,
                closed: [true, false, true],
                executable: Some(1000),
                comm: String::new(),
                path: String::new(),
            },
        ];
        for handover in handovers {
            let variable = handover.to_variable();
            let value = variable.strip_prefix("_PODSIM_GUEST=").unwrap();
            assert_eq!(Handover::parse(value), Some(handover));
        }
        for bad in ["", "x", "-1,0,-1,sh", "3", "3,0", "3,999,-1,sh", "3,0,-1"] {
            assert_eq!(Handover::parse(bad), None, "{bad}");
        }
    }
}

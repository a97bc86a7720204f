//! What is to be run: a wasm module, which podsim runs, or anything else, which the kernel runs.

use super::Identity;
use super::abi::{c_string, errno};
use podsim_sys::{Errno, FileType, Result};
use rustix::fs::{Mode, OFlags};
use std::borrow::Cow;
use std::os::fd::{AsFd, OwnedFd};

/// How many interpreters of interpreters there may be (execve(2): ELOOP).
const MAX_INTERPRETERS: usize = 4;
/// How much of a file tells what it is (`BINPRM_BUF_SIZE`).
const HEAD: usize = 256;
/// How the file of a program of the node begins, before its name: as the virtual kernel's loader knows it.
const NODE_PROGRAM: &[u8] = b"\x7fPODSIM ";

/// A program that may be run, and its arguments.
#[derive(Debug)]
pub enum Program {
    /// A wasm module: podsim runs it.
    Wasm {
        /// The open file.
        file: OwnedFd,
        /// The arguments; of a script's interpreter, if it was a script.
        argv: Vec<String>,
        /// The name that the process gets (`/proc/PID/comm`).
        comm: String,
        /// The module's path, from the root.
        path: String,
    },
    /// A program of the node's own shell, `kubectl` for example: it is in podsim.
    Node {
        /// Its name.
        name: String,
        /// The arguments.
        argv: Vec<String>,
    },
    /// What the kernel knows how to run, or will refuse.
    Native {
        /// The path.
        path: String,
        /// The arguments.
        argv: Vec<String>,
    },
}

impl Identity {
    /// Whether the path is that by which the guest finds its own program.
    pub(super) fn is_own_exe(path: &str) -> bool {
        matches!(path, "/proc/self/exe" | "/proc/thread-self/exe")
            || path
                .strip_prefix("/proc/")
                .and_then(|rest| rest.strip_suffix("/exe"))
                .and_then(|pid| pid.parse().ok())
                .is_some_and(|pid: i32| pid == super::processes::getpid().0)
    }

    /// The path to open: to the kernel `/proc/self/exe` is podsim.
    pub(super) fn resolve<'p>(&'p self, path: &'p str) -> Result<Cow<'p, str>> {
        if !Self::is_own_exe(path) {
            Ok(path.into())
        } else if self.exe.is_empty() {
            Err(Errno::ENOENT)
        } else {
            Ok(self.exe.as_str().into())
        }
    }
}

/// Finds out what is at a path, and whether the process may run it. ENOENT, ENOTDIR, EACCES, ELOOP, ENOEXEC, … as from
/// `execve(2)`.
pub fn open(path: &str, argv: Vec<String>) -> Result<Program> {
    open_as(&Identity::default(), path, argv)
}

/// Looks a name without a slash up in a search path as `execvp(3)` does; [`open`]s what it finds.
pub fn open_in(name: &str, search_path: Option<&str>, argv: Vec<String>) -> Result<Program> {
    search(name, search_path, |path| open(path, argv.clone()))
}

/// [`open`] for a process that has a program already.
pub(super) fn open_as(own: &Identity, path: &str, argv: Vec<String>) -> Result<Program> {
    let comm = path.rsplit('/').next().unwrap_or(path).to_owned();
    let mut place = own.resolve(path)?.into_owned();
    let mut interpreted = argv.clone();
    for _ in 0..=MAX_INTERPRETERS {
        let Some((file, head)) = open_readable(&place)? else {
            break;
        };
        if let Some(line) = head.strip_prefix(b"#!") {
            let (interpreter, argument) = parse_shebang(line)?;
            // The script's path as it was given: what the interpreter opens.
            interpreted = script_argv(&interpreter, argument, &place, interpreted);
            place = interpreter;
            continue;
        }
        if let Some(name) = head.strip_prefix(NODE_PROGRAM) {
            let name = name.split(|byte| *byte == b'\n').next().unwrap_or_default();
            return Ok(Program::Node {
                name: String::from_utf8_lossy(name).into_owned(),
                argv: interpreted,
            });
        }
        if head.starts_with(b"\0asm") {
            // A component has another number here.
            if head.get(4..8) != Some(&[1, 0, 0, 0]) {
                return Err(Errno::ENOEXEC);
            }
            return Ok(Program::Wasm {
                file,
                argv: interpreted,
                comm,
                path: absolute(place),
            });
        }
        break;
    }
    // The kernel knows better what it can run, through which interpreters, and what error it is if it cannot.
    Ok(Program::Native {
        path: own.resolve(path)?.into_owned(),
        argv,
    })
}

/// The path from the root. It may hold links: the kernel knows better where a file is, but only `/proc` tells.
fn absolute(path: String) -> String {
    match super::files::getcwd() {
        Ok(directory) if !path.starts_with('/') => format!("{}/{path}", directory.trim_end_matches('/')),
        _ => path,
    }
}

/// Opens a program and reads how it begins; `None` where the file may be run but not read.
fn open_readable(path: &str) -> Result<Option<(OwnedFd, Vec<u8>)>> {
    // ENOENT and the like come first; then, as execve(2) says, EACCES for what is not a file.
    let stat = super::files::stat_at(podsim_sys::Fd::CWD, path, true)?;
    if stat.file_type != FileType::Regular {
        return Err(Errno::EACCES);
    }
    may_execute(path)?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => file,
        Err(rustix::io::Errno::ACCESS) => return Ok(None),
        Err(error) => return Err(errno(error)),
    };
    let mut head = vec![0; HEAD];
    let len = rustix::io::pread(file.as_fd(), &mut head[..], 0).map_err(errno)?;
    head.truncate(len);
    Ok(Some((file, head)))
}

/// Whether the effective ids may execute it; mounts with `noexec` count.
#[expect(
    unsafe_code,
    reason = "libc's faccessat works AT_EACCESS out by itself, without capabilities"
)]
fn may_execute(path: &str) -> Result<()> {
    let path = c_string(path)?;
    let (at, mode, flags) = (
        libc::c_long::from(libc::AT_FDCWD),
        libc::c_long::from(libc::X_OK),
        libc::c_long::from(libc::AT_EACCESS),
    );
    // SAFETY: the path is a C string.
    let answer = unsafe { libc::syscall(libc::SYS_faccessat2, at, path.as_ptr(), mode, flags) };
    match super::abi::check(answer) {
        // Before Linux 5.8: the real ids have to do; exec itself asks again for native programs.
        Err(Errno::ENOSYS) => {
            let access = rustix::fs::Access::EXEC_OK;
            rustix::fs::accessat(rustix::fs::CWD, &*path, access, rustix::fs::AtFlags::empty()).map_err(errno)
        }
        answer => answer.map(drop),
    }
}

/// The interpreter of a `#!` line, and what follows it: one argument, blanks and all (execve(2)).
fn parse_shebang(after: &[u8]) -> Result<(String, Option<String>)> {
    let line = after.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| Errno::ENOEXEC)?;
    let blank = [' ', '\t'];
    let line = line.trim_matches(blank);
    let (interpreter, argument) = line.split_once(blank).unwrap_or((line, ""));
    if interpreter.is_empty() {
        return Err(Errno::ENOEXEC);
    }
    let argument = argument.trim_matches(blank);
    let argument = (!argument.is_empty()).then(|| argument.to_owned());
    Ok((interpreter.to_owned(), argument))
}

/// The arguments of the interpreter: its own, then the script's path in place of the script's name.
fn script_argv(interpreter: &str, argument: Option<String>, script: &str, argv: Vec<String>) -> Vec<String> {
    let own = [interpreter.to_owned()].into_iter().chain(argument);
    own.chain([script.to_owned()]).chain(argv.into_iter().skip(1)).collect()
}

/// EACCES counts only if nothing better is found.
pub(super) fn search<T>(
    name: &str,
    search_path: Option<&str>,
    mut attempt: impl FnMut(&str) -> Result<T>,
) -> Result<T> {
    let Some(search_path) = search_path.filter(|_| !name.contains('/')) else {
        return attempt(name);
    };
    if name.is_empty() {
        return Err(Errno::ENOENT);
    }
    let mut last = Errno::ENOENT;
    for directory in search_path.split(':') {
        let directory = if directory.is_empty() { "." } else { directory };
        match attempt(&format!("{}/{name}", directory.trim_end_matches('/'))) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            Err(Errno::EACCES) => last = Errno::EACCES,
            result => return result,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn executable(dir: &std::path::Path, name: &str, content: &[u8]) -> String {
        let path = dir.join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_file_is_what_it_begins_with() {
        let dir = tempfile::tempdir().unwrap();
        let wasm = executable(dir.path(), "prog", b"\0asm\x01\0\0\0");
        let script = executable(dir.path(), "script", format!("#! {wasm}  -x  y \nrest").as_bytes());
        let component = executable(dir.path(), "component", b"\0asm\x0d\0\x01\0");
        let empty = executable(dir.path(), "empty", b"");
        let args = || vec!["name".to_owned(), "a".to_owned()];
        match open(&wasm, args()) {
            Ok(Program::Wasm { argv, comm, .. }) => assert_eq!((argv, comm.as_str()), (args(), "prog")),
            other => panic!("{other:?}"),
        }
        match open(&script, args()) {
            Ok(Program::Wasm { argv, comm, .. }) => {
                assert_eq!(argv, [wasm.as_str(), "-x  y", script.as_str(), "a"]);
                assert_eq!(comm, "script");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(open(&component, args()).unwrap_err(), Errno::ENOEXEC);
        assert!(matches!(open(&empty, args()), Ok(Program::Native { .. })));
        assert_eq!(open(dir.path().to_str().unwrap(), args()).unwrap_err(), Errno::EACCES);
        assert_eq!(open(&format!("{wasm}/x"), args()).unwrap_err(), Errno::ENOTDIR);
        std::fs::set_permissions(&wasm, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(open(&wasm, args()).unwrap_err(), Errno::EACCES);
    }

    #[test]
    fn a_search_goes_on_after_what_may_not_be_run() {
        let mut tried = Vec::new();
        let mut attempt = |path: &str| {
            tried.push(path.to_owned());
            match path {
                "/b/sh" => Err(Errno::EACCES),
                "./sh" => Ok(()),
                _ => Err(Errno::ENOENT),
            }
        };
        assert_eq!(search("sh", Some("/a:/b/::/c"), &mut attempt), Ok(()));
        assert_eq!(search("sh", Some("/a:/b"), &mut attempt), Err(Errno::EACCES));
        assert_eq!(search("", Some("/a"), &mut attempt), Err(Errno::ENOENT));
        assert_eq!(tried, ["/a/sh", "/b/sh", "./sh", "/a/sh", "/b/sh"]);
    }
}

//! `execve(2)`: from a path to a [`Program`].

use super::Process;
use super::credentials::{FileIds, after_exec};
use super::identity::{base_name, comm_of};
use crate::fs::namei::lookup;
use crate::fs::{Caller, FsContext, PathRef};
use crate::kernel::{Kernel, Program};
use crate::task::Task;
use bytes::Bytes;
use podsim_sys::{Access, Credentials, Errno, FileType, Mode, MountFlags, Result, SigSet};
use std::sync::Arc;

/// How many interpreters of interpreters there may be (`bprm->interp_count`; execve(2): ELOOP).
const MAX_INTERPRETERS: usize = 4;
/// The longest `#!` line (`BINPRM_BUF_SIZE`).
const SHEBANG_MAX: usize = 255;
/// Bytes of arguments and environment together (a quarter of the usual stack limit; execve(2): E2BIG).
const ARG_MAX: usize = 2 << 20;
/// The bytes of one argument (`MAX_ARG_STRLEN`).
const ARG_STRLEN_MAX: usize = 128 << 10;
/// What a file begins with that stands for a program built into the node; its name and a line feed follow.
const NATIVE_MAGIC: &[u8] = b"\x7fPODSIM ";

/// An exec that can no longer fail.
pub(crate) struct Image {
    program: Program,
    argv: Vec<String>,
    exe: PathRef,
    exe_path: String,
    comm: String,
    ids: FileIds,
}

/// On whose behalf, and with what, a program is looked for.
pub(crate) struct ExecContext<'a> {
    pub(crate) process: Option<&'a Arc<Process>>,
    pub(crate) fs: &'a FsContext,
    pub(crate) credentials: &'a Arc<Credentials>,
}

impl ExecContext<'_> {
    fn caller(&self) -> Caller {
        Caller {
            process: self.process.cloned(),
            credentials: self.credentials.clone(),
            fs: self.fs.clone(),
        }
    }
}

impl Kernel {
    /// Finds out what would be run, and whether it can be.
    pub(crate) fn prepare_exec(
        &self,
        context: &ExecContext<'_>,
        path: &str,
        argv: Vec<String>,
        envp: &[String],
    ) -> Result<Image> {
        check_size(&argv, envp)?;
        let caller = context.caller();
        let comm = comm_of(base_name(path));
        let mut argv = argv;
        let mut path = path.to_owned();
        for _ in 0..=MAX_INTERPRETERS {
            // Set-id bits of scripts count for nothing (execve(2)); those of an interpreter do, as for any program.
            let (exe, ids, content) = open_program(&caller, &path)?;
            if let Some(line) = content.strip_prefix(b"#!") {
                let (interpreter, argument) = parse_shebang(line)?;
                argv = script_argv(&interpreter, argument, &path, argv);
                path = interpreter;
                continue;
            }
            let program = classify(content)?;
            self.config().launcher.check(&program)?;
            return Ok(Image {
                program,
                argv,
                exe_path: exe.display(&caller.fs.root),
                exe,
                comm,
                ids,
            });
        }
        Err(Errno::ELOOP)
    }

    /// Makes a process the one that runs the program: what `execve(2)` changes, it changes here.
    pub(crate) fn commit_exec(&self, process: &Process, image: Image, environ: Vec<String>) {
        process.files.close_on_exec();
        process.signals.state.lock().reset_handlers();
        {
            let mut credentials = process.credentials.write();
            *credentials = Arc::new(after_exec(&credentials, image.ids));
        }
        {
            let mut identity = process.identity.lock();
            identity.argv = image.argv;
            identity.environ = environ;
            identity.title = None;
            identity.comm = image.comm;
            identity.exe = Some(image.exe);
            identity.exe_path = image.exe_path;
        }
        *process.program.lock() = image.program;
        if let Some(node) = self.table().node_mut(process.global_pid()) {
            node.has_execed = true;
        }
    }
}

/// Looks a program up and reads it: EACCES when it is not a file that the caller may execute.
fn open_program(caller: &Caller, path: &str) -> Result<(PathRef, FileIds, Bytes)> {
    let found = lookup(caller, &caller.fs.cwd, path, true)?;
    let flags = found.mount.flags();
    if found.inode().file_type() != FileType::Regular || flags.contains(MountFlags::NOEXEC) {
        return Err(Errno::EACCES);
    }
    found.inode().permission(caller, Access::EXEC)?;
    let stat = found.stat()?;
    let mut ids = FileIds::default();
    if !flags.contains(MountFlags::NOSUID) {
        let has = |bit: u16| stat.mode.0 & bit != 0;
        ids.setuid = has(Mode::SETUID).then_some(stat.uid);
        // Without the group's x bit, set-group-id means something else (mandatory locking).
        ids.setgid = (has(Mode::SETGID) && has(0o010)).then_some(stat.gid);
    }
    let content = found.inode().content()?;
    Ok((found, ids, content))
}

fn check_size(argv: &[String], envp: &[String]) -> Result<()> {
    let all = || argv.iter().chain(envp).map(String::len);
    let total: usize = all().map(|len| len + 1 + size_of::<u64>()).sum();
    if total > ARG_MAX || all().any(|len| len >= ARG_STRLEN_MAX) {
        return Err(Errno::E2BIG);
    }
    Ok(())
}

/// What a file is, by how it begins. An ELF program is for real machines: ENOEXEC here.
fn classify(content: Bytes) -> Result<Program> {
    if content.starts_with(b"\0asm") {
        return Ok(Program::Wasm(content));
    }
    let name = content.strip_prefix(NATIVE_MAGIC).ok_or(Errno::ENOEXEC)?;
    let name = name.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let name = std::str::from_utf8(name).map_err(|_| Errno::ENOEXEC)?;
    Ok(Program::Native(name.to_owned()))
}

/// The interpreter of a `#!` line, and what follows it: one argument, blanks and all (execve(2)).
fn parse_shebang(after: &[u8]) -> Result<(String, Option<String>)> {
    let line = after.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.get(..line.len().min(SHEBANG_MAX)).unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| Errno::ENOEXEC)?;
    let blank = [' ', '\t'];
    let line = line.trim_matches(blank);
    let (interpreter, argument) = line.split_once(blank).unwrap_or((line, ""));
    if interpreter.is_empty() {
        return Err(Errno::ENOEXEC);
    }
    let argument = argument.trim_matches(blank);
    Ok((
        interpreter.to_owned(),
        (!argument.is_empty()).then(|| argument.to_owned()),
    ))
}

/// The arguments of the interpreter: its own, then the script's path in place of the script's name.
fn script_argv(interpreter: &str, argument: Option<String>, script: &str, argv: Vec<String>) -> Vec<String> {
    let own = [interpreter.to_owned()].into_iter().chain(argument);
    own.chain([script.to_owned()]).chain(argv.into_iter().skip(1)).collect()
}

/// Looks a name without a slash up in a search path, as `execvp(3)` does: EACCES counts only if nothing better is found.
pub(crate) fn search<T>(
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

/// `execve(2)` by a process.
pub(crate) fn execve(task: &Task, path: &str, argv: Vec<String>, envp: Vec<String>) -> Result<()> {
    let process = &task.process;
    let fs = process.fs.lock().clone();
    let credentials = process.credentials();
    let context = ExecContext {
        process: Some(process),
        fs: &fs,
        credentials: &credentials,
    };
    let image = task.kernel.prepare_exec(&context, path, argv, &envp)?;
    task.kernel.commit_exec(process, image, envp);
    Ok(())
}

/// Sets what `posix_spawn(3)` asks for: signals to their default, or ignored.
pub(crate) fn apply_dispositions(process: &Process, default: SigSet, ignore: SigSet, mask: Option<SigSet>) {
    use podsim_sys::{SigAction, SigHandler};
    let mut state = process.signals.state.lock();
    for signal in default.iter().filter(|signal| !signal.is_unblockable()) {
        state.change_action(signal, SigAction::default());
    }
    let ignored = SigAction {
        handler: SigHandler::Ignore,
        ..SigAction::default()
    };
    for signal in ignore.iter().filter(|signal| !signal.is_unblockable()) {
        state.change_action(signal, ignored);
    }
    if let Some(mask) = mask {
        state.set_mask(mask);
    }
}

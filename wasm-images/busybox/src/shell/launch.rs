//! Programs: finding them and starting them.

use super::flow::{Flow, Status};
use super::options::Opt;
use super::redirect::Plan;
use super::shell::Shell;
use super::sys::{self, Access, Errno, Fd, FdAction, FileType, Pid, SigSet, Signal, SpawnRequest};

/// Where a new process belongs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Placement {
    /// Its process group: 0 is one of its own, `None` this shell's.
    pub(crate) group: Option<Pid>,
    /// Its group gets the terminal.
    pub(crate) foreground: bool,
    /// Started with `&` without job control: SIGINT and SIGQUIT do not reach it.
    pub(crate) detached: bool,
}

/// A program that could not be started.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Failure {
    /// It is not there: 127.
    NotFound,
    /// It cannot be run: 126.
    CannotRun(Errno),
}

impl Failure {
    pub(crate) fn status(self) -> i32 {
        match self {
            Failure::NotFound => 127,
            Failure::CannotRun(_) => 126,
        }
    }
}

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Shell {
    /// The path of a program, from `PATH` unless it has a slash.
    pub(crate) fn find_program(&mut self, name: &str) -> Option<String> {
        if name.contains('/') {
            return Some(name.to_owned());
        }
        if let Some((path, uses)) = self.hashed.get_mut(name) {
            *uses += 1;
            return Some(path.clone());
        }
        let path = self.search(name, self.vars.get("PATH").unwrap_or(""))?;
        if path.starts_with('/') {
            self.hashed.insert(name.to_owned(), (path.clone(), 1));
        }
        Some(path)
    }

    /// Searches a `PATH` for something that can be run. What is there but cannot be is found only if nothing better is.
    pub(crate) fn search(&self, name: &str, path: &str) -> Option<String> {
        let mut second_best = None;
        if name.is_empty() {
            return None;
        }
        for directory in path.split(':') {
            let candidate = match directory {
                "" => name.to_owned(),
                _ => format!("{directory}/{name}"),
            };
            let Ok(stat) = sys::fstatat(Fd::CWD, &candidate, true) else {
                continue;
            };
            if stat.file_type != FileType::Regular {
                continue;
            }
            if stat.mode.0 & 0o111 != 0 && sys::faccessat(Fd::CWD, &candidate, Access::EXEC).is_ok() {
                return Some(candidate);
            }
            second_best.get_or_insert(candidate);
        }
        second_best
    }

    /// The `PATH` that `command -p` uses.
    pub(crate) fn default_path() -> &'static str {
        DEFAULT_PATH
    }

    /// Starts a program.
    pub(crate) fn start(
        &mut self,
        path: &str,
        argv: Vec<String>,
        environment: Vec<String>,
        actions: Vec<FdAction>,
        placement: Placement,
    ) -> Result<Pid, Failure> {
        match self.spawn(path, argv.clone(), environment.clone(), actions.clone(), placement) {
            Err(Errno::ENOEXEC) => {
                // A text without `#!` is a script of this shell.
                if is_binary(path) {
                    return Err(Failure::CannotRun(Errno::ENOEXEC));
                }
                let argv = script_argv(path, &argv);
                self.spawn("/proc/self/exe", argv, environment, actions, placement)
                    .map_err(Failure::CannotRun)
            }
            Err(errno) => Err(failure(errno)),
            Ok(pid) => Ok(pid),
        }
    }

    /// `posix_spawn` with the signals and the group that a child of a shell has.
    pub(crate) fn spawn(
        &mut self,
        path: &str,
        argv: Vec<String>,
        envp: Vec<String>,
        fd_actions: Vec<FdAction>,
        placement: Placement,
    ) -> Result<Pid, Errno> {
        let mut ignore = SigSet::EMPTY;
        if placement.detached {
            ignore.add(Signal::INT);
            ignore.add(Signal::QUIT);
        }
        let mut default = self.child_defaults();
        ignore.iter().for_each(|signal| default.remove(signal));
        let request = SpawnRequest {
            path: path.to_owned(),
            argv,
            envp,
            fd_actions,
            process_group: placement.group,
            foreground_tty: self.tty.filter(|_| placement.foreground),
            signal_default: default,
            signal_ignore: ignore,
            ..SpawnRequest::default()
        };
        loop {
            match sys::spawn(request.clone()) {
                Err(Errno::EINTR) => {}
                result => return result,
            }
        }
    }

    /// Reports why a program did not start; gives the status.
    pub(crate) fn report(&mut self, name: &str, failure: Failure) -> i32 {
        let message = match failure {
            Failure::NotFound if self.bash && name.contains('/') => "No such file or directory".to_owned(),
            Failure::NotFound if self.bash => "command not found".to_owned(),
            Failure::NotFound => "not found".to_owned(),
            Failure::CannotRun(_) if self.bash && is_directory(name) => "Is a directory".to_owned(),
            Failure::CannotRun(errno) => errno.to_string(),
        };
        self.complain(&format!("{name}: {message}"));
        failure.status()
    }

    /// Puts a program in this process' place; comes back only with a failure.
    pub(crate) fn exec(&mut self, path: &str, argv: Vec<String>, environment: Vec<String>) -> Failure {
        // Ignored signals stay ignored over exec: give back those that only this shell ignores.
        for signal in self.child_defaults().iter() {
            let _ = sys::default_signal(signal);
        }
        let errno = match sys::execve(path, argv.clone(), environment.clone()) {
            Err(Errno::ENOEXEC) if !is_binary(path) => {
                sys::execve("/proc/self/exe", script_argv(path, &argv), environment)
                    .err()
                    .unwrap_or(Errno::ENOEXEC)
            }
            Err(errno) => errno,
            Ok(()) => Errno::ENOEXEC,
        };
        if self.interactive() {
            self.shield();
            self.shield_job_control();
        }
        failure(errno)
    }

    /// Runs a program and waits for it.
    pub(crate) fn run_program(
        &mut self,
        argv: Vec<String>,
        path: Option<String>,
        environment: Vec<String>,
        plan: Plan,
        text: impl FnOnce() -> String,
    ) -> Status {
        let name = argv.first().cloned().unwrap_or_default();
        let placement = self.foreground_placement();
        let started = match path {
            Some(path) => self.start(&path, argv, environment, plan.actions(), placement),
            None => Err(Failure::NotFound),
        };
        let pid = match started {
            Ok(pid) => pid,
            Err(failure) => {
                if failure == Failure::NotFound {
                    self.hashed.remove(&name);
                }
                // The child may have had it already.
                self.reclaim_terminal();
                // The message goes where the command's would have gone.
                return match plan.apply(true) {
                    Ok(saved) => {
                        let status = self.report(&name, failure);
                        saved.restore();
                        Ok(status)
                    }
                    Err(_) => Ok(self.report(&name, failure)),
                };
            }
        };
        plan.close();
        let text = if self.job_control() { text() } else { String::new() };
        let job = Self::job_of(pid, text, placement);
        self.wait_foreground(job)
    }

    /// Whether jobs get process groups of their own.
    pub(crate) fn job_control(&self) -> bool {
        self.has(Opt::Monitor) && !self.subshell && self.capture.is_none()
    }

    /// Where a foreground command belongs.
    pub(crate) fn foreground_placement(&self) -> Placement {
        match self.job_control() {
            true => Placement {
                group: Some(Pid(0)),
                foreground: self.tty.is_some(),
                detached: false,
            },
            false => Placement::default(),
        }
    }

    /// `exec command`: an error unless it worked.
    pub(crate) fn exec_builtin(&mut self, argv: Vec<String>) -> Flow {
        let name = argv.first().cloned().unwrap_or_default();
        let environment = self.vars.environment();
        let failure = match self.find_program(&name) {
            Some(path) => self.exec(&path, argv, environment),
            None => Failure::NotFound,
        };
        Flow::Error(self.report(&name, failure))
    }
}

fn failure(errno: Errno) -> Failure {
    match errno {
        Errno::ENOENT | Errno::ENOTDIR => Failure::NotFound,
        // A directory says EACCES, as in Linux.
        other => Failure::CannotRun(other),
    }
}

fn script_argv(path: &str, argv: &[String]) -> Vec<String> {
    let mut new = vec!["sh".to_owned(), path.to_owned()];
    new.extend(argv.iter().skip(1).cloned());
    new
}

fn is_directory(path: &str) -> bool {
    sys::fstatat(Fd::CWD, path, true).is_ok_and(|stat| stat.file_type == FileType::Directory)
}

/// Whether a file is not a text that a shell could read.
fn is_binary(path: &str) -> bool {
    let Ok(fd) = sys::open(path, sys::OpenFlags::empty()) else {
        return true;
    };
    let mut head = [0; 128];
    let len = sys::read(fd, &mut head).unwrap_or(0);
    let _ = sys::close(fd);
    let head = head.get(..len).unwrap_or_default();
    let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
    line.contains(&0)
}

//! Running other programs.

use podsim_guest as sys;
use podsim_sys::{Errno, Pid, Result, SpawnRequest, WaitOptions, WaitStatus, WaitTarget};
use std::ffi::OsString;

/// The environment, `NAME=value`; what is not UTF-8 is replaced.
#[must_use]
pub fn environ() -> Vec<String> {
    let pair = |(name, value): (OsString, OsString)| format!("{}={}", name.to_string_lossy(), value.to_string_lossy());
    std::env::vars_os().map(pair).collect()
}

/// A variable of the environment that the program was started with.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    let found = environ()
        .into_iter()
        .find(|pair| pair.split_once('=').is_some_and(|(key, _)| key == name));
    found.and_then(|pair| pair.split_once('=').map(|(_, value)| value.to_owned()))
}

/// `PATH`, or where BusyBox looks without it.
#[must_use]
pub fn search_path(environ: &[String]) -> String {
    let path = environ.iter().find_map(|pair| pair.strip_prefix("PATH="));
    path.unwrap_or("/sbin:/usr/sbin:/bin:/usr/bin").to_owned()
}

/// The request to run `argv`, looked up in the `PATH` of `environ`.
#[must_use]
pub fn request(argv: &[String], environ: Vec<String>) -> SpawnRequest {
    SpawnRequest {
        path: argv.first().cloned().unwrap_or_default(),
        search_path: Some(search_path(&environ)),
        argv: argv.to_vec(),
        envp: environ,
        ..SpawnRequest::default()
    }
}

/// Replaces this program by `argv`; returns the exit code when that fails, after saying why in the applet's name.
#[must_use]
pub fn exec(applet: &str, argv: &[String], environ: Vec<String>) -> i32 {
    let Some(program) = argv.first() else { return 127 };
    let error = exec_error(program, argv, environ);
    crate::complain!(applet, "can't execute '{program}': {error}");
    if error == Errno::ENOENT { 127 } else { 126 }
}

fn exec_error(program: &str, argv: &[String], environ: Vec<String>) -> Errno {
    let attempt = |path: &str| {
        sys::execve(path, argv.to_vec(), environ.clone())
            .err()
            .unwrap_or(Errno::ENOEXEC)
    };
    if program.contains('/') {
        return attempt(program);
    }
    let mut worst = Errno::ENOENT;
    for dir in search_path(&environ).split(':') {
        let path = if dir.is_empty() {
            program.to_owned()
        } else {
            super::join(dir, program)
        };
        match attempt(&path) {
            Errno::ENOENT | Errno::ENOTDIR => {}
            Errno::EACCES => worst = Errno::EACCES,
            other => return other,
        }
    }
    worst
}

/// Waits for a child, through signals.
pub fn wait_for(pid: Pid) -> Result<WaitStatus> {
    loop {
        match sys::wait(WaitTarget::Pid(pid), WaitOptions::empty()) {
            Ok(Some((_, status))) => return Ok(status),
            Ok(None) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Runs a program with the caller's descriptors and waits for it. As with [`exec`], a failure is told in the applet's name.
#[must_use]
pub fn run(applet: &str, argv: &[String]) -> i32 {
    match sys::spawn(request(argv, environ())).and_then(wait_for) {
        Ok(status) => status.exit_code(),
        Err(error) => {
            let program = argv.first().map_or("", String::as_str);
            crate::complain!(applet, "can't execute '{program}': {error}");
            if error == Errno::ENOENT { 127 } else { 126 }
        }
    }
}

//! A child process that works for one client, and whose output and end make the answer.

use super::Answer;
use busybox::util::child;
use busybox::util::files::Input;
use podsim_guest as sys;
use podsim_sys::{Errno, Fd, FdAction, Mode, OpenFlags, Pid, Result, WaitOptions, WaitStatus, WaitTarget};
use std::time::Duration;

/// Makes the answer from all the output and the end, or from the reason why there is none.
pub(crate) type Finish = Box<dyn FnOnce(Vec<u8>, Result<WaitStatus>) -> Answer>;

/// What is to be run.
pub(crate) struct Job {
    pub(crate) path: String,
    pub(crate) argv: Vec<String>,
    pub(crate) finish: Finish,
}

/// How often a child is looked for that has closed its output but goes on.
pub(crate) const PATIENCE: Duration = Duration::from_millis(10);

/// A child.
pub(crate) struct Running {
    pid: Pid,
    /// Its standard output and error; closed when both have ended.
    output: Option<Input>,
    collected: Vec<u8>,
    finish: Finish,
}

impl Job {
    /// Starts it; where that fails, the answer is there at once.
    pub(crate) fn start(self) -> std::result::Result<Running, Answer> {
        match spawn(&self.path, self.argv) {
            Ok((pid, output)) => Ok(Running {
                pid,
                output: Some(Input::from_fd(output)),
                collected: Vec::new(),
                finish: self.finish,
            }),
            Err(error) => Err((self.finish)(Vec::new(), Err(error))),
        }
    }
}

fn spawn(path: &str, argv: Vec<String>) -> Result<(Pid, Fd)> {
    let (output, writing) = sys::pipe(OpenFlags::CLOEXEC)?;
    let mut request = child::request(&argv, child::environ());
    request.path = path.to_owned();
    request.search_path = None;
    let to = |to| FdAction::Dup2 { from: writing, to };
    request.fd_actions = vec![
        FdAction::Open {
            fd: Fd::STDIN,
            path: "/dev/null".to_owned(),
            flags: OpenFlags::empty(),
            mode: Mode(0),
        },
        to(Fd::STDOUT),
        to(Fd::STDERR),
    ];
    let spawned = sys::spawn(request);
    // Both are ours: closing cannot fail.
    let _ = sys::close(writing);
    if spawned.is_err() {
        let _ = sys::close(output);
    }
    spawned.map(|pid| (pid, output))
}

impl Running {
    /// What there is to be read from, until its end.
    pub(crate) fn output(&self) -> Option<Fd> {
        self.output.as_ref().map(Input::fd)
    }

    /// Takes what has been written; at the end of the output it is closed.
    pub(crate) fn read(&mut self) {
        let Some(output) = &mut self.output else { return };
        let mut buffer = [0; 8192];
        match output.read(&mut buffer) {
            Ok(count @ 1..) => self
                .collected
                .extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Ok(0) | Err(_) => self.output = None,
        }
    }

    /// The answer, if the child has ended; the child otherwise.
    pub(crate) fn end(self) -> std::result::Result<Answer, Self> {
        if self.output.is_some() {
            return Err(self);
        }
        match sys::wait(WaitTarget::Pid(self.pid), WaitOptions::NOHANG) {
            Ok(None) | Err(Errno::EINTR) => Err(self),
            Ok(Some((_, status))) => Ok((self.finish)(self.collected, Ok(status))),
            Err(error) => Ok((self.finish)(self.collected, Err(error))),
        }
    }
}

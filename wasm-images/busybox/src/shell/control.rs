//! Waiting for jobs, and telling the user about them.

use super::flow::Status;
use super::jobs::{Job, State, status_text};
use super::options::Opt;
use super::shell::Shell;
use super::sys::{self, Errno, Pid, Signal, WaitOptions, WaitStatus, WaitTarget};

impl Shell {
    /// Waits for a foreground job; one that is stopped goes into the table.
    pub(crate) fn wait_foreground(&mut self, mut job: Job) -> Status {
        self.wait_for(&mut job);
        self.reclaim_terminal();
        let pipefail = self.has(Opt::Pipefail);
        if let State::Stopped(signal) = job.state() {
            job.changed = false;
            let number = self.jobs.add(job);
            self.show_job(number);
            return Ok(128 + i32::from(signal.number()));
        }
        let status = job.exit_code(pipefail);
        self.tell_signal(&job);
        if job.group.is_some()
            && self.interactive()
            && job.processes.last().and_then(|p| p.status) == Some(WaitStatus::Signaled(Signal::INT))
        {
            // The user's ^C was for the whole command line, a loop around it too.
            self.status = status;
            return Err(super::flow::Flow::Interrupt);
        }
        Ok(status)
    }

    /// Waits for a substitution's job.
    pub(crate) fn wait_quietly(&mut self, mut job: Job) -> i32 {
        self.wait_for(&mut job);
        job.exit_code(self.has(Opt::Pipefail))
    }

    fn wait_for(&mut self, job: &mut Job) {
        let stoppable = job.group.is_some();
        let options = if stoppable {
            WaitOptions::UNTRACED
        } else {
            WaitOptions::empty()
        };
        while job.state() == State::Running {
            let Some(next) = job.processes.iter().find(|p| p.status.is_none()).map(|p| p.pid) else {
                return;
            };
            self.pass_on_interrupt(job);
            let target = match job.group {
                Some(group) => WaitTarget::Group(group),
                None => WaitTarget::Pid(next),
            };
            match sys::wait(target, options) {
                Ok(Some((pid, status))) => {
                    if !job.note(pid, status) {
                        self.jobs.note(pid, status);
                    }
                }
                Ok(None) | Err(Errno::EINTR) => {}
                Err(_) => {
                    // Not our child any more (SIGCHLD ignored): its status is lost.
                    job.note(next, WaitStatus::Exited(127));
                }
            }
        }
    }

    /// The user's ^C may come while a job is only being started, and reach this shell instead: it is meant for the job.
    fn pass_on_interrupt(&mut self, job: &mut Job) {
        if !self.interactive() || !sys::arrived().contains(Signal::INT) || job.interrupted {
            return;
        }
        job.interrupted = true;
        match job.group {
            Some(group) => {
                sys::forget(Signal::INT);
                let _ = sys::kill(Pid(-group.0), Some(Signal::INT));
            }
            // Of a substitution; the shell stops, too, when it is over.
            None => job.processes.iter().filter(|p| p.status.is_none()).for_each(|process| {
                let _ = sys::kill(process.pid, Some(Signal::INT));
            }),
        }
    }

    /// Takes the terminal back from a job.
    pub(crate) fn reclaim_terminal(&mut self) {
        if let (Some(tty), Some(group)) = (self.tty, self.group)
            && self.job_control()
        {
            let _ = sys::tcsetpgrp(tty, group);
        }
    }

    /// Says by which signal a foreground job was killed; SIGINT and SIGPIPE are nothing to talk about.
    fn tell_signal(&mut self, job: &Job) {
        let Some(status @ WaitStatus::Signaled(signal)) = job.processes.last().and_then(|p| p.status) else {
            return;
        };
        if signal == Signal::INT || signal == Signal::PIPE || job.inline_status.is_some() {
            return;
        }
        self.warn(&format!("{}\n", status_text(status)));
    }

    pub(crate) fn show_job(&mut self, number: usize) {
        let mark = self.jobs.mark(number);
        if let Some(line) = self.jobs.get(number).map(|job| job.show(mark, false)) {
            self.warn(&line);
        }
    }

    /// Notes, without waiting, what has happened to background processes.
    pub(crate) fn reap(&mut self) {
        if self.jobs.list.is_empty() {
            return;
        }
        let options = WaitOptions::NOHANG | WaitOptions::UNTRACED | WaitOptions::CONTINUED;
        while let Ok(Some((pid, status))) = sys::wait(WaitTarget::Any, options) {
            self.jobs.note(pid, status);
        }
    }

    /// Before a prompt: tells of jobs that have ended or stopped, and forgets those that are done.
    pub(crate) fn notify(&mut self) {
        self.reap();
        let changed: Vec<usize> = self.jobs.list.iter().filter(|j| j.changed).map(|j| j.number).collect();
        for number in changed {
            self.show_job(number);
            if let Some(job) = self.jobs.get(number) {
                job.changed = false;
                if job.state() == State::Done {
                    self.jobs.remove(number);
                }
            }
        }
    }

    /// Waits until a background job has ended or stopped; the status, or 128 + n when a trapped signal n came first.
    pub(crate) fn wait_job(&mut self, number: usize) -> i32 {
        loop {
            match self.jobs.get(number).map(|job| job.state()) {
                None => return 127,
                Some(State::Done) => {
                    let Some(job) = self.jobs.remove(number) else {
                        return 127;
                    };
                    self.tell_signal(&job);
                    return job.exit_code(self.has(Opt::Pipefail));
                }
                Some(State::Stopped(signal)) => return 128 + i32::from(signal.number()),
                Some(State::Running) => {}
            }
            if let Some(status) = self.wait_once() {
                return status;
            }
        }
    }

    /// Waits for something to happen to any child; `Some` when a signal for this shell came first or there is no child.
    pub(crate) fn wait_once(&mut self) -> Option<i32> {
        if let Some(signal) = self.trap_pending() {
            return Some(128 + i32::from(signal.number()));
        }
        let options = if self.job_control() {
            WaitOptions::UNTRACED
        } else {
            WaitOptions::empty()
        };
        match sys::wait(WaitTarget::Any, options) {
            Ok(Some((pid, status))) => self.jobs.note(pid, status),
            Ok(None) | Err(Errno::EINTR) => {}
            Err(_) => {
                // No children: whatever the table believes to run is gone.
                let gone: Vec<Pid> = self
                    .jobs
                    .list
                    .iter()
                    .flat_map(|job| job.processes.iter().filter(|p| p.status.is_none()).map(|p| p.pid))
                    .collect();
                if gone.is_empty() {
                    return Some(127);
                }
                gone.into_iter()
                    .for_each(|pid| self.jobs.note(pid, WaitStatus::Exited(127)));
            }
        }
        None
    }
}

//! `trap`: what is done about signals.

use super::flow::{Flow, Status};
use super::options::Opt;
use super::shell::Shell;
use super::sys::{self, SigHandler, SigSet, Signal};
use std::collections::BTreeMap;

/// The number under which `trap … EXIT` is kept.
pub(crate) const EXIT: u8 = 0;

/// The traps of a shell.
#[derive(Debug, Default)]
pub(crate) struct Traps {
    /// Actions by signal number; an empty one means that the signal is ignored.
    pub(crate) actions: BTreeMap<u8, String>,
    /// Traps of the parent that a subshell only shows.
    pub(crate) inherited: BTreeMap<u8, String>,
    /// Signals whose disposition the shell has set for itself.
    own: SigSet,
}

/// Signals that an interactive shell does not let kill or stop itself.
const SHIELDED: [Signal; 2] = [Signal::QUIT, Signal::TERM];
const JOB_CONTROL: [Signal; 3] = [Signal::TSTP, Signal::TTIN, Signal::TTOU];

impl Shell {
    /// The dispositions of an interactive shell.
    pub(crate) fn shield(&mut self) {
        for signal in [Signal::INT].into_iter().chain(SHIELDED) {
            if !self.traps.actions.contains_key(&signal.number()) {
                self.default_disposition(signal);
            }
        }
    }

    /// Lets a shell with job control survive what the terminal does to background processes.
    pub(crate) fn shield_job_control(&mut self) {
        for signal in JOB_CONTROL {
            if !self.traps.actions.contains_key(&signal.number()) {
                self.default_disposition(signal);
            }
        }
    }

    /// What happens to a signal without a trap.
    fn default_disposition(&mut self, signal: Signal) {
        let interactive = self.interactive();
        let job_control = self.has(Opt::Monitor) && !self.subshell;
        let ignore = (interactive && SHIELDED.contains(&signal)) || (job_control && JOB_CONTROL.contains(&signal));
        // The calls fail only for signals that cannot be changed.
        let _ = if interactive && signal == Signal::INT {
            self.traps.own.add(signal);
            sys::catch(signal);
            Ok(())
        } else if ignore {
            self.traps.own.add(signal);
            sys::ignore_signal(signal)
        } else {
            self.traps.own.remove(signal);
            sys::default_signal(signal)
        };
    }

    /// Sets or (with `None`) removes a trap.
    pub(crate) fn set_trap(&mut self, number: u8, action: Option<String>) {
        self.traps.inherited.clear();
        let Some(signal) = Signal::new(number) else {
            match action {
                Some(action) => self.traps.actions.insert(EXIT, action),
                None => self.traps.actions.remove(&EXIT),
            };
            return;
        };
        let known = self.traps.own.contains(signal) || self.traps.actions.contains_key(&number);
        if !known && !self.interactive() {
            // What was ignored when a script began stays so (POSIX).
            let ignored = sys::sigaction(signal, None).is_ok_and(|old| old.handler == SigHandler::Ignore);
            if ignored {
                return;
            }
        }
        match action {
            Some(action) => {
                if action.is_empty() {
                    let _ = sys::ignore_signal(signal);
                } else {
                    sys::catch(signal);
                }
                self.traps.actions.insert(number, action);
            }
            None => {
                if self.traps.actions.remove(&number).is_some() || known {
                    self.default_disposition(signal);
                }
            }
        }
    }

    /// Signals that a child must have at their default though this shell does not.
    pub(crate) fn child_defaults(&self) -> SigSet {
        // Caught signals fall back by themselves; ignored ones stay ignored unless they are only this shell's shield.
        self.traps.own.iter().filter(|s| !self.is_ignored_by_trap(*s)).collect()
    }

    fn is_ignored_by_trap(&self, signal: Signal) -> bool {
        self.traps.actions.get(&signal.number()).is_some_and(String::is_empty)
    }

    /// Handles the signals that have arrived: runs traps, breaks off at SIGINT.
    pub(crate) fn poll_signals(&mut self) -> Result<(), Flow> {
        // Handlers run when a call returns, and a loop of builtins may make none.
        podsim_guest::getpid();
        while let Some(signal) = sys::first_arrived() {
            sys::forget(signal);
            match self.traps.actions.get(&signal.number()).cloned() {
                Some(action) if !action.is_empty() => self.run_trap(&action)?,
                None if signal == Signal::INT && self.interactive() => {
                    self.status = 130;
                    return Err(Flow::Interrupt);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A signal with a trap has arrived: `wait` and `read` end.
    pub(crate) fn trap_pending(&self) -> Option<Signal> {
        sys::arrived()
            .iter()
            .find(|s| self.traps.actions.contains_key(&s.number()) || *s == Signal::INT)
    }

    fn run_trap(&mut self, action: &str) -> Result<(), Flow> {
        let status = self.status;
        let result = self.evaluate(action, false);
        self.status = status;
        result.map(drop)
    }

    /// Runs the EXIT trap; gives the status to exit with.
    pub(crate) fn run_exit_trap(&mut self, status: i32) -> i32 {
        let Some(action) = self.traps.actions.remove(&EXIT).filter(|a| !a.is_empty()) else {
            return status;
        };
        self.status = status;
        let result: Status = self.evaluate(&action, false);
        match result {
            Err(Flow::Exit(status) | Flow::Error(status)) => status,
            _ => status,
        }
    }
}

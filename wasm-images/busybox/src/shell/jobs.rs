//! The table of jobs, and how `jobs` shows them.

use super::sys::{Pid, Signal, WaitStatus};

/// A process of a job.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    /// `None` while it runs.
    pub(crate) status: Option<WaitStatus>,
    /// Its command.
    pub(crate) text: String,
}

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Running,
    Stopped(Signal),
    Done,
}

/// Processes started together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Job {
    /// 1 for the first.
    pub(crate) number: usize,
    pub(crate) processes: Vec<Process>,
    /// Its process group, under job control.
    pub(crate) group: Option<Pid>,
    /// The user has not yet been told of its state.
    pub(crate) changed: bool,
    /// A SIGINT has been passed on to it.
    pub(crate) interrupted: bool,
    /// The statuses of stages that needed no process, by stage.
    pub(crate) inline_status: Option<i32>,
    /// Statuses of all stages but the last, for `pipefail`.
    pub(crate) inline_failures: i32,
}

impl Job {
    pub(crate) fn state(&self) -> State {
        let mut state = State::Done;
        for process in &self.processes {
            match process.status {
                None | Some(WaitStatus::Continued) => return State::Running,
                Some(WaitStatus::Stopped(signal)) => state = State::Stopped(signal),
                Some(_) => {}
            }
        }
        state
    }

    /// The last process' exit code.
    pub(crate) fn exit_code(&self, pipefail: bool) -> i32 {
        let code = |p: &Process| p.status.map_or(0, WaitStatus::exit_code);
        let last = self
            .inline_status
            .unwrap_or_else(|| self.processes.last().map_or(0, code));
        if !pipefail || last != 0 {
            return last;
        }
        let failed = self.processes.iter().rev().map(code).find(|c| *c != 0);
        failed.unwrap_or(self.inline_failures)
    }

    /// Notes what happened to one of its processes; `false` if it is not one of them.
    pub(crate) fn note(&mut self, pid: Pid, status: WaitStatus) -> bool {
        let Some(process) = self.processes.iter_mut().find(|p| p.pid == pid) else {
            return false;
        };
        process.status = if status == WaitStatus::Continued {
            None
        } else {
            Some(status)
        };
        // That it goes on is what the user asked for.
        self.changed |= status != WaitStatus::Continued;
        true
    }

    /// The command line.
    pub(crate) fn text(&self) -> String {
        self.processes
            .iter()
            .map(|p| p.text.as_str())
            .collect::<Vec<_>>()
            .join(" | ")
    }

    fn state_text(&self) -> String {
        match (self.state(), self.processes.last().and_then(|p| p.status)) {
            (State::Running, _) => "Running".to_owned(),
            (State::Stopped(signal), _) => signal.description(),
            (State::Done, Some(status)) => status_text(status),
            (State::Done, None) => "Done".to_owned(),
        }
    }

    /// As `jobs` shows it; `mark` is `+`, `-` or a blank.
    pub(crate) fn show(&self, mark: char, with_pids: bool) -> String {
        let mut line = format!("[{}]{mark}  ", self.number);
        let indent = line.len();
        if with_pids && let Some(first) = self.processes.first() {
            line.push_str(&format!("{} ", first.pid));
        }
        line.push_str(&self.state_text());
        let mut out = String::new();
        for (i, process) in self.processes.iter().enumerate() {
            if i > 0 && with_pids {
                out.push('\n');
                line = format!("{:indent$}{} ", "", process.pid);
            }
            if i == 0 || with_pids {
                out.push_str(&line);
                let pad = 33_usize.saturating_sub(line.len()).max(1);
                out.push_str(&" ".repeat(pad));
            }
            if i > 0 {
                out.push_str(if with_pids { "| " } else { " | " });
            }
            out.push_str(&process.text);
        }
        out.push('\n');
        out
    }
}

/// How a process ended, in words.
pub(crate) fn status_text(status: WaitStatus) -> String {
    match status {
        WaitStatus::Exited(0) => "Done".to_owned(),
        WaitStatus::Exited(code) => format!("Done({code})"),
        WaitStatus::Signaled(signal) | WaitStatus::Stopped(signal) => signal.description(),
        WaitStatus::Continued => "Running".to_owned(),
    }
}

/// The jobs of a shell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jobs {
    pub(crate) list: Vec<Job>,
    /// Numbers by how recently they were the current job; the last is the current one.
    recent: Vec<usize>,
    /// Statuses of jobs that are gone, for `wait pid`.
    finished: Vec<(Pid, i32)>,
}

/// How many statuses of finished background jobs are remembered.
const REMEMBERED: usize = 256;

impl Jobs {
    /// Adds a job and makes it the current one; gives its number. One that was taken out keeps the number that it had.
    pub(crate) fn add(&mut self, mut job: Job) -> usize {
        if job.number == 0 {
            job.number = self.list.iter().map(|j| j.number).max().unwrap_or(0) + 1;
        }
        let number = job.number;
        let at = self.list.partition_point(|other| other.number < number);
        self.make_current(number);
        self.list.insert(at, job);
        number
    }

    pub(crate) fn get(&mut self, number: usize) -> Option<&mut Job> {
        self.list.iter_mut().find(|job| job.number == number)
    }

    /// Takes a job out of the table; its status stays known.
    pub(crate) fn remove(&mut self, number: usize) -> Option<Job> {
        let at = self.list.iter().position(|job| job.number == number)?;
        self.recent.retain(|n| *n != number);
        let job = self.list.remove(at);
        if let Some(last) = job.processes.last() {
            if self.finished.len() >= REMEMBERED {
                self.finished.remove(0);
            }
            self.finished.push((last.pid, job.exit_code(false)));
        }
        Some(job)
    }

    /// The status of a job that is gone; it is told once.
    pub(crate) fn take_finished(&mut self, pid: Pid) -> Option<i32> {
        let at = self.finished.iter().rposition(|(p, _)| *p == pid)?;
        Some(self.finished.remove(at).1)
    }

    pub(crate) fn make_current(&mut self, number: usize) {
        self.recent.retain(|n| *n != number);
        self.recent.push(number);
    }

    /// The current job, `%+`: the last one stopped or started.
    pub(crate) fn current(&self) -> Option<usize> {
        self.recent.last().copied()
    }

    /// The one before it, `%-`.
    pub(crate) fn previous(&self) -> Option<usize> {
        self.recent.iter().rev().nth(1).copied()
    }

    pub(crate) fn mark(&self, number: usize) -> char {
        if self.current() == Some(number) {
            '+'
        } else if self.previous() == Some(number) {
            '-'
        } else {
            ' '
        }
    }

    /// Notes what happened to a process.
    pub(crate) fn note(&mut self, pid: Pid, status: WaitStatus) {
        let stopped = matches!(status, WaitStatus::Stopped(_));
        let number = self
            .list
            .iter_mut()
            .find_map(|job| job.note(pid, status).then_some(job.number));
        if let Some(number) = number.filter(|_| stopped) {
            self.make_current(number);
        }
    }

    /// The job that a word such as `%1`, `%+`, `%sleep`, `%?eep` or a process id names.
    pub(crate) fn find(&self, word: &str) -> Option<usize> {
        let Some(spec) = word.strip_prefix('%') else {
            let pid = Pid(word.parse().ok()?);
            return self
                .list
                .iter()
                .find(|j| j.processes.iter().any(|p| p.pid == pid))
                .map(|j| j.number);
        };
        match spec {
            "" | "%" | "+" => self.current(),
            "-" => self.previous(),
            _ => {
                if let Ok(number) = spec.parse() {
                    return self.list.iter().find(|j| j.number == number).map(|j| j.number);
                }
                let fits = |job: &&Job| match spec.strip_prefix('?') {
                    Some(part) => job.text().contains(part),
                    None => job.text().starts_with(spec),
                };
                let mut found = self.list.iter().filter(fits);
                match (found.next(), found.next()) {
                    (Some(job), None) => Some(job.number),
                    _ => None,
                }
            }
        }
    }
}

impl Jobs {
    /// Takes a job out of the table to wait for it in the foreground.
    pub(crate) fn take(&mut self, number: usize) -> Option<Job> {
        let at = self.list.iter().position(|job| job.number == number)?;
        self.recent.retain(|n| *n != number);
        Some(self.list.remove(at))
    }

    /// Forgets the jobs that have ended.
    pub(crate) fn forget_done(&mut self) {
        let done: Vec<usize> = self
            .list
            .iter()
            .filter(|j| j.state() == State::Done)
            .map(|j| j.number)
            .collect();
        for number in done {
            self.remove(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(commands: &[&str]) -> Job {
        let process = |(i, text): (usize, &&str)| Process {
            pid: Pid(100 + i as i32),
            status: None,
            text: (*text).to_owned(),
        };
        Job {
            processes: commands.iter().enumerate().map(process).collect(),
            ..Job::default()
        }
    }

    #[test]
    fn jobs_are_shown_as_ash_shows_them() {
        let mut jobs = Jobs::default();
        let number = jobs.add(job(&["sleep 9", "cat"]));
        let job = jobs.get(number).expect("a job");
        assert_eq!(job.show('+', false), "[1]+  Running                    sleep 9 | cat\n");
        job.note(Pid(100), WaitStatus::Stopped(Signal::TSTP));
        job.note(Pid(101), WaitStatus::Stopped(Signal::TSTP));
        assert_eq!(job.show('+', false), "[1]+  Stopped                    sleep 9 | cat\n");
        job.note(Pid(100), WaitStatus::Signaled(Signal::TERM));
        job.note(Pid(101), WaitStatus::Exited(3));
        assert_eq!(job.show('-', false), "[1]-  Done(3)                    sleep 9 | cat\n");
        assert_eq!((job.exit_code(false), job.exit_code(true)), (3, 3));
        job.note(Pid(101), WaitStatus::Exited(0));
        assert_eq!((job.exit_code(false), job.exit_code(true)), (0, 143));
    }

    #[test]
    fn jobs_are_found_by_what_names_them() {
        let mut jobs = Jobs::default();
        for command in ["sleep 1", "cat x", "sleep 2"] {
            jobs.add(job(&[command]));
        }
        for (word, want) in [
            ("%1", Some(1)),
            ("%+", Some(3)),
            ("%%", Some(3)),
            ("%-", Some(2)),
            ("%cat", Some(2)),
            ("%?at", Some(2)),
            ("%sleep", None),
            ("%9", None),
            ("x", None),
        ] {
            assert_eq!(jobs.find(word), want, "{word}");
        }
        let taken = jobs.take(1).expect("the first");
        assert_eq!(jobs.add(taken), 1);
        assert_eq!(jobs.current(), Some(1));
    }
}

//! Pipelines, background commands and command substitutions: everything that runs beside the shell.

use super::ast::{Node, RedirectKind};
use super::display;
use super::expand;
use super::flow::{Flow, Status};
use super::jobs::{Job, Process};
use super::launch::{Failure, Placement};
use super::redirect::Failed;
use super::shell::Shell;
use super::simple::Direct;
use super::sys::{self, Errno, Fd, FdAction, OpenFlags, Pid};
use super::text;

/// What a pipe is sure to take at once without a reader.
const PIPE_BUF: usize = 4096;

/// How a stage was started.
enum Stage {
    Process(Pid),
    /// It was done here, with this status.
    Done(i32),
}

impl Shell {
    /// `a | b`, and waits for it.
    pub(crate) fn foreground_pipeline(&mut self, stages: &[Node]) -> Status {
        let placement = self.foreground_placement();
        let job = self.start_pipeline(stages, placement, None)?;
        self.wait_foreground(job)
    }

    /// Starts the stages of a pipeline. `output`: where the last one writes.
    fn start_pipeline(&mut self, stages: &[Node], placement: Placement, output: Option<Fd>) -> Result<Job, Flow> {
        let mut job = Job::default();
        let mut placement = placement;
        let mut input = None;
        for (i, stage) in stages.iter().enumerate() {
            let last = i + 1 == stages.len();
            let pipe = if last { None } else { Some(self.high_pipe()?) };
            let out = pipe.map(|(_, write)| write).or(output);
            let started = self.start_stage(stage, input, out, last, i == 0, placement);
            input.take().map(sys::close);
            if let Some((read, write)) = pipe {
                let _ = sys::close(write);
                input = Some(read);
            }
            match started {
                Ok(Stage::Process(pid)) => {
                    if placement.group == Some(Pid(0)) {
                        placement.group = Some(pid);
                        placement.foreground = false;
                        job.group = Some(pid);
                    }
                    let text = if self.job_control() {
                        display::command(stage)
                    } else {
                        String::new()
                    };
                    job.processes.push(Process {
                        pid,
                        status: None,
                        text,
                    });
                }
                Ok(Stage::Done(status)) if last => job.inline_status = Some(status),
                Ok(Stage::Done(0)) => {}
                Ok(Stage::Done(status)) => job.inline_failures = status,
                Err(flow) => {
                    input.map(sys::close);
                    return Err(flow);
                }
            }
        }
        Ok(job)
    }

    /// A pipe whose ends are out of the way of scripts.
    fn high_pipe(&mut self) -> Result<(Fd, Fd), Flow> {
        let made = sys::pipe(OpenFlags::CLOEXEC).and_then(|(r, w)| Ok((sys::move_high(r)?, sys::move_high(w)?)));
        made.map_err(|errno| self.fatal(&format!("can't create pipe: {errno}")))
    }

    fn start_stage(
        &mut self,
        stage: &Node,
        input: Option<Fd>,
        output: Option<Fd>,
        last: bool,
        first: bool,
        placement: Placement,
    ) -> Result<Stage, Flow> {
        let mut actions = Vec::new();
        actions.extend(input.map(|from| FdAction::Dup2 { from, to: Fd::STDIN }));
        actions.extend(output.map(|from| FdAction::Dup2 { from, to: Fd::STDOUT }));
        if let Node::Simple { command } = stage {
            match self.direct_program(command, first)? {
                Some(Direct::Builtin(builtin, words)) => {
                    let (status, out) = self.captured(builtin, &words);
                    let to = output.unwrap_or(Fd::STDOUT);
                    if out.len() <= PIPE_BUF || (last && output.is_none()) {
                        // The reading end is still open here: this cannot be EPIPE.
                        let _ = sys::write_all(to, &out);
                    } else if let Err(errno) = self.spawn_writer(&text::from_bytes(&out), to) {
                        return Err(self.cannot_spawn(errno));
                    }
                    return Ok(Stage::Done(status));
                }
                Some(Direct::Program {
                    path,
                    words,
                    environment,
                }) => {
                    let plan = match self.plan_redirects(&command.redirects) {
                        Ok(plan) => plan,
                        Err(Failed::Reported | Failed::Message(_)) => return Ok(Stage::Done(1)),
                        Err(Failed::Flow(flow)) => return Err(flow),
                    };
                    actions.extend(plan.actions());
                    let name = words.first().cloned().unwrap_or_default();
                    let started = match path {
                        Some(path) => self.start(&path, words, environment, actions, placement),
                        None => Err(Failure::NotFound),
                    };
                    plan.close();
                    return Ok(match started {
                        Ok(pid) => Stage::Process(pid),
                        Err(failure) => Stage::Done(self.report(&name, failure)),
                    });
                }
                None => {}
            }
        }
        self.start_subshell(stage, actions, placement).map(Stage::Process)
    }

    fn start_subshell(&mut self, node: &Node, actions: Vec<FdAction>, placement: Placement) -> Result<Pid, Flow> {
        self.spawn_subshell(node, actions, placement)
            .map_err(|errno| self.cannot_spawn(errno))
    }

    fn cannot_spawn(&mut self, errno: Errno) -> Flow {
        self.fatal(&format!("can't fork: {errno}"))
    }

    /// Runs a builtin that only prints, and gives what it printed.
    fn captured(&mut self, builtin: &'static super::builtins::Builtin, words: &[String]) -> (i32, Vec<u8>) {
        let outer = self.capture.replace(Vec::new());
        let status = match self.call_builtin(builtin, words) {
            Ok(status) | Err(Flow::Error(status) | Flow::Exit(status)) => status,
            Err(_) => 1,
        };
        let out = std::mem::replace(&mut self.capture, outer).unwrap_or_default();
        (status, out)
    }

    /// `( … )`, with redirections or without, and waits for it.
    pub(crate) fn foreground_subshell(&mut self, node: &Node) -> Status {
        let placement = self.foreground_placement();
        let pid = self.start_subshell(node, Vec::new(), placement)?;
        let text = if self.job_control() {
            display::command(node)
        } else {
            String::new()
        };
        let job = Self::job_of(pid, text, placement);
        self.wait_foreground(job)
    }

    /// `… &`.
    pub(crate) fn background(&mut self, body: &Node) -> Status {
        let control = self.job_control();
        let placement = Placement {
            group: control.then_some(Pid(0)),
            foreground: false,
            detached: !control,
        };
        // Without job control a background command must not read the shell's input.
        let null = if control {
            None
        } else {
            sys::open("/dev/null", OpenFlags::empty()).and_then(sys::move_high).ok()
        };
        let job = match body {
            Node::Pipeline { stages } if null.is_none() => self.start_pipeline(stages, placement, None)?,
            Node::Simple { command } => {
                let direct = self.direct_program(command, false)?;
                self.background_simple(body, direct, null, placement)?
            }
            _ => {
                let actions = null
                    .map(|from| FdAction::Dup2 { from, to: Fd::STDIN })
                    .into_iter()
                    .collect();
                let pid = self.start_subshell(body, actions, placement)?;
                self.background_job(pid, body, placement)
            }
        };
        null.map(sys::close);
        let Some(last) = job.processes.last() else {
            return Ok(job.inline_status.unwrap_or(0));
        };
        let pid = last.pid;
        self.last_background = Some(pid);
        let number = self.jobs.add(job);
        if self.bash && self.interactive() {
            self.warn(&format!("[{number}] {pid}\n"));
        }
        Ok(0)
    }

    fn background_simple(
        &mut self,
        body: &Node,
        direct: Option<Direct>,
        null: Option<Fd>,
        placement: Placement,
    ) -> Result<Job, Flow> {
        let mut actions: Vec<FdAction> = null
            .map(|from| FdAction::Dup2 { from, to: Fd::STDIN })
            .into_iter()
            .collect();
        if let (
            Some(Direct::Program {
                path: Some(path),
                words,
                environment,
            }),
            Node::Simple { command },
        ) = (direct, body)
        {
            let plan = match self.plan_redirects(&command.redirects) {
                Ok(plan) => plan,
                Err(Failed::Reported | Failed::Message(_)) => {
                    return Ok(Job {
                        inline_status: Some(0),
                        ..Job::default()
                    });
                }
                Err(Failed::Flow(flow)) => return Err(flow),
            };
            actions.extend(plan.actions());
            let started = self.start(&path, words, environment, actions, placement);
            plan.close();
            match started {
                Ok(pid) => return Ok(self.background_job(pid, body, placement)),
                Err(failure) => {
                    self.report(&path, failure);
                    return Ok(Job {
                        inline_status: Some(0),
                        ..Job::default()
                    });
                }
            }
        }
        let pid = self.start_subshell(body, actions, placement)?;
        Ok(self.background_job(pid, body, placement))
    }

    fn background_job(&self, pid: Pid, body: &Node, placement: Placement) -> Job {
        let text = if self.job_control() {
            display::command(body)
        } else {
            String::new()
        };
        Self::job_of(pid, text, placement)
    }

    /// `$(…)`: the output without its last newlines.
    pub(crate) fn command_substitution(&mut self, body: &Node) -> Result<String, Flow> {
        let line = self.line;
        let (status, mut out) = self.substitution_output(body)?;
        self.line = line;
        self.substitution_status = Some(status);
        if self.interactive() {
            // After ^C nothing more of the command is to happen.
            self.poll_signals()?;
        }
        while out.last() == Some(&b'\n') {
            out.pop();
        }
        // No value can hold a NUL.
        out.retain(|b| *b != 0);
        Ok(text::from_bytes(&out))
    }

    fn substitution_output(&mut self, body: &Node) -> Result<(i32, Vec<u8>), Flow> {
        if let Node::Simple { command } = body {
            if let ([], [], [redirect]) = (
                command.words.as_slice(),
                command.assignments.as_slice(),
                command.redirects.as_slice(),
            ) && let (0, RedirectKind::Read { target }) = (redirect.fd, &redirect.kind)
            {
                // `$(<file)`.
                let path = expand::string(self, target)?;
                return match sys::read_file(&path) {
                    Ok(bytes) => Ok((0, bytes)),
                    Err(_) => {
                        self.complain(&format!("can't open {path}: no such file"));
                        Ok((1, Vec::new()))
                    }
                };
            }
            match self.direct_program(command, true)? {
                Some(Direct::Builtin(builtin, words)) => return Ok(self.captured(builtin, &words)),
                Some(Direct::Program {
                    path,
                    words,
                    environment,
                }) => {
                    let plan = match self.plan_redirects(&command.redirects) {
                        Ok(plan) => plan,
                        Err(Failed::Reported | Failed::Message(_)) => return Ok((1, Vec::new())),
                        Err(Failed::Flow(flow)) => return Err(flow),
                    };
                    let (read, write) = self.high_pipe()?;
                    let mut actions = vec![FdAction::Dup2 {
                        from: write,
                        to: Fd::STDOUT,
                    }];
                    actions.extend(plan.actions());
                    let name = words.first().cloned().unwrap_or_default();
                    let started = match path {
                        Some(path) => self.start(&path, words, environment, actions, Placement::default()),
                        None => Err(Failure::NotFound),
                    };
                    plan.close();
                    let _ = sys::close(write);
                    return match started {
                        Ok(pid) => {
                            let job = Self::job_of(pid, String::new(), Placement::default());
                            self.collect(read, job)
                        }
                        Err(failure) => {
                            let _ = sys::close(read);
                            Ok((self.report(&name, failure), Vec::new()))
                        }
                    };
                }
                None => {}
            }
        }
        let (read, write) = self.high_pipe()?;
        let started = match body {
            // Every stage is a process of its own anyway.
            Node::Pipeline { stages } => self.start_pipeline(stages, Placement::default(), Some(write)),
            _ => {
                let actions = vec![FdAction::Dup2 {
                    from: write,
                    to: Fd::STDOUT,
                }];
                self.start_subshell(body, actions, Placement::default())
                    .map(|pid| Self::job_of(pid, String::new(), Placement::default()))
            }
        };
        let _ = sys::close(write);
        match started {
            Ok(job) => self.collect(read, job),
            Err(flow) => {
                let _ = sys::close(read);
                Err(flow)
            }
        }
    }

    /// Reads all that a job writes, then waits for it.
    fn collect(&mut self, read: Fd, job: Job) -> Result<(i32, Vec<u8>), Flow> {
        let out = sys::read_to_end(read).unwrap_or_default();
        let _ = sys::close(read);
        let status = self.wait_quietly(job);
        Ok((status, out))
    }

    /// A job of one process that has just been started.
    pub(crate) fn job_of(pid: Pid, text: String, placement: Placement) -> Job {
        let group = placement.group.map(|group| if group == Pid(0) { pid } else { group });
        let process = Process {
            pid,
            status: None,
            text,
        };
        Job {
            processes: vec![process],
            group,
            ..Job::default()
        }
    }
}

//! Redirections: first all files are opened, then either this process' descriptors change for a while, or a child's.

use super::ast::{Redirect, RedirectKind};
use super::expand;
use super::flow::Flow;
use super::options::Opt;
use super::shell::Shell;
use super::sys::{self, Errno, Fd, FdAction, OpenFlags};
use super::text;

/// How much a pipe takes without a reader: a here-document up to this needs no process that writes it.
const PIPE_CAPACITY: usize = 65_536;

/// One change of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    /// A file opened for this: it moves to its number.
    Opened { from: Fd, to: Fd },
    /// A copy of another descriptor.
    Copy { from: Fd, to: Fd },
    /// Closed.
    Close(Fd),
}

impl Change {
    fn target(self) -> Fd {
        match self {
            Change::Opened { to, .. } | Change::Copy { to, .. } | Change::Close(to) => to,
        }
    }
}

/// Redirections whose files are open.
#[derive(Debug, Default)]
pub(crate) struct Plan(Vec<Change>);

/// What has to be undone: descriptors and their saved copies (`None`: it was closed).
#[derive(Debug, Default)]
pub(crate) struct Saved(Vec<(Fd, Option<Fd>)>);

impl Plan {
    /// For a child.
    pub(crate) fn actions(&self) -> Vec<FdAction> {
        self.0
            .iter()
            .map(|change| match *change {
                Change::Opened { from, to } | Change::Copy { from, to } => FdAction::Dup2 { from, to },
                Change::Close(fd) => FdAction::Close(fd),
            })
            .collect()
    }

    /// Closes this process' copies of the files, after a child has them.
    pub(crate) fn close(self) {
        for change in self.0 {
            if let Change::Opened { from, .. } = change {
                let _ = sys::close(from);
            }
        }
    }

    /// Changes this process' descriptors.
    pub(crate) fn apply(self, save: bool) -> Result<Saved, Errno> {
        let mut saved = Saved::default();
        let mut result = Ok(());
        for change in self.0 {
            let target = change.target();
            if save && !saved.0.iter().any(|(fd, _)| *fd == target) {
                saved.0.push((target, sys::dup(target, Fd(10), true).ok()));
            }
            if result.is_err() {
                continue;
            }
            match change {
                Change::Opened { from, to } => {
                    result = sys::dup2(from, to, false).map(drop);
                    if from != to {
                        let _ = sys::close(from);
                    } else {
                        result = sys::set_cloexec(to, false);
                    }
                }
                Change::Copy { from, to } => result = sys::dup2(from, to, false).map(drop),
                Change::Close(fd) => {
                    let _ = sys::close(fd);
                }
            }
        }
        match result {
            Ok(()) => Ok(saved),
            Err(errno) => {
                saved.restore();
                Err(errno)
            }
        }
    }
}

impl Saved {
    /// Puts everything back.
    pub(crate) fn restore(self) {
        for (fd, copy) in self.0.into_iter().rev() {
            match copy {
                Some(copy) => {
                    let _ = sys::dup2(copy, fd, false);
                    let _ = sys::close(copy);
                }
                None => {
                    let _ = sys::close(fd);
                }
            }
        }
    }
}

/// Why a redirection was not made.
pub(crate) enum Failed {
    /// This is to be reported; only within this file.
    Message(String),
    /// It was reported; the command fails with status 1.
    Reported,
    /// The expansion of its word did not end well.
    Flow(Flow),
}

impl From<Flow> for Failed {
    fn from(flow: Flow) -> Self {
        Failed::Flow(flow)
    }
}

impl Shell {
    /// Expands the words and opens the files.
    pub(crate) fn plan_redirects(&mut self, redirects: &[Redirect]) -> Result<Plan, Failed> {
        let mut plan = Plan::default();
        for redirect in redirects {
            match self.plan_redirect(redirect, redirects.len() > 1, &mut plan) {
                Ok(()) => {}
                Err(Failed::Message(message)) => {
                    // An earlier `2>file` of the same command holds for the message, too.
                    if let Ok(saved) = plan.apply(true) {
                        self.complain(&message);
                        saved.restore();
                    }
                    return Err(Failed::Reported);
                }
                Err(failed) => {
                    plan.close();
                    return Err(failed);
                }
            }
        }
        Ok(plan)
    }

    fn plan_redirect(&mut self, redirect: &Redirect, several: bool, plan: &mut Plan) -> Result<(), Failed> {
        let to = Fd(redirect.fd);
        let write = OpenFlags::WRONLY | OpenFlags::CREAT;
        let (target, flags) = match &redirect.kind {
            RedirectKind::Duplicate { target } => {
                let text = expand::string(self, target)?;
                return self.plan_copy(&text, to, plan);
            }
            RedirectKind::HereDoc { body } => {
                let text = match body.get() {
                    Some(word) => expand::string(self, word)?,
                    None => String::new(),
                };
                let from = self.here_document(&text)?;
                plan.0.push(Change::Opened { from, to });
                return Ok(());
            }
            RedirectKind::Read { target } => (target, OpenFlags::empty()),
            RedirectKind::ReadWrite { target } => (target, OpenFlags::RDWR | OpenFlags::CREAT),
            RedirectKind::Append { target } => (target, write | OpenFlags::APPEND),
            RedirectKind::Write { target, clobber } if !clobber && self.has(Opt::Noclobber) => {
                (target, write | OpenFlags::EXCL)
            }
            RedirectKind::Write { target, .. } | RedirectKind::WriteBoth { target } => {
                (target, write | OpenFlags::TRUNC)
            }
        };
        let path = expand::string(self, target)?;
        let mut opened = sys::open(&path, flags);
        if opened == Err(Errno::EEXIST) && self.not_regular(&path) {
            // `set -C` protects files, not devices.
            opened = sys::open(&path, OpenFlags::WRONLY);
        }
        // A script's `3>a 4>b` must not find the file for 3 in 4's way.
        let opened = if several {
            opened.and_then(sys::move_high)
        } else {
            opened
        };
        match opened {
            Ok(from) => {
                plan.0.push(Change::Opened { from, to });
                if matches!(redirect.kind, RedirectKind::WriteBoth { .. }) {
                    plan.0.push(Change::Copy {
                        from: to,
                        to: Fd::STDERR,
                    });
                }
                Ok(())
            }
            Err(errno) => Err(Failed::Message(self.open_message(
                &path,
                errno,
                flags.contains(OpenFlags::CREAT),
            ))),
        }
    }

    fn not_regular(&self, path: &str) -> bool {
        sys::fstatat(Fd::CWD, path, true).is_ok_and(|stat| stat.file_type != sys::FileType::Regular)
    }

    fn open_message(&self, path: &str, errno: Errno, create: bool) -> String {
        match errno {
            Errno::EEXIST if self.bash => format!("{path}: cannot overwrite existing file"),
            _ if self.bash => format!("{path}: {errno}"),
            Errno::ENOENT | Errno::ENOTDIR if create => format!("can't create {path}: nonexistent directory"),
            _ if create => format!("can't create {path}: {errno}"),
            Errno::ENOENT | Errno::ENOTDIR => format!("can't open {path}: no such file"),
            _ => format!("can't open {path}: {errno}"),
        }
    }

    fn plan_copy(&mut self, text: &str, to: Fd, plan: &mut Plan) -> Result<(), Failed> {
        if text == "-" {
            plan.0.push(Change::Close(to));
            return Ok(());
        }
        let Some(from) = text.parse().ok().filter(|n| *n >= 0).map(Fd) else {
            return Err(Failed::Flow(self.fatal("syntax error: bad fd number")));
        };
        let made_here = plan.0.iter().rev().find(|change| change.target() == from);
        let open = match made_here {
            Some(Change::Close(_)) => false,
            Some(_) => true,
            None => sys::get_cloexec(from).is_ok(),
        };
        if !open {
            return Err(Failed::Message(format!("{}: {}", from.0, Errno::EBADF)));
        }
        plan.0.push(Change::Copy { from, to });
        Ok(())
    }

    /// A descriptor from which the text can be read.
    fn here_document(&mut self, body: &str) -> Result<Fd, Failed> {
        let bytes = text::to_bytes(body);
        let made =
            sys::pipe(OpenFlags::CLOEXEC).and_then(|(read, write)| Ok((sys::move_high(read)?, sys::move_high(write)?)));
        let (read, write) = match made {
            Ok(pipe) => pipe,
            Err(errno) => {
                return Err(Failed::Message(format!("can't create pipe: {errno}")));
            }
        };
        let written = if bytes.len() <= PIPE_CAPACITY {
            sys::write_all(write, &bytes)
        } else {
            // More than the pipe holds: a process of its own writes it.
            self.spawn_writer(body, write)
        };
        let _ = sys::close(write);
        if let Err(errno) = written {
            let _ = sys::close(read);
            return Err(Failed::Message(format!("here-document: {errno}")));
        }
        Ok(read)
    }

    /// Makes the redirections in this process and runs something; the status is 1 where they fail.
    pub(crate) fn with_redirects(
        &mut self,
        redirects: &[Redirect],
        run: impl FnOnce(&mut Self) -> super::flow::Status,
    ) -> super::flow::Status {
        if redirects.is_empty() {
            return run(self);
        }
        let plan = match self.plan_redirects(redirects) {
            Ok(plan) => plan,
            Err(Failed::Reported | Failed::Message(_)) => return Ok(1),
            Err(Failed::Flow(flow)) => return Err(flow),
        };
        let saved = match plan.apply(true) {
            Ok(saved) => saved,
            Err(errno) => {
                self.complain(&errno.to_string());
                return Ok(1);
            }
        };
        let result = run(self);
        self.flush();
        saved.restore();
        result
    }
}

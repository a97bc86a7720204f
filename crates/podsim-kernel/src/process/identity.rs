//! What a process is known by in `/proc`: arguments, environment, title, `comm`, `exe`.

use crate::fs::PathRef;

/// The longest `comm`, in bytes (`TASK_COMM_LEN` without its NUL).
const COMM_MAX: usize = 15;

/// What a process is known by.
#[derive(Clone, Default)]
pub struct Identity {
    /// The arguments that the program was started with.
    pub argv: Vec<String>,
    /// The environment that the program was started with.
    pub environ: Vec<String>,
    /// What `setproctitle(3)` set in place of the arguments.
    pub title: Option<String>,
    /// `/proc/PID/comm`.
    pub comm: String,
    /// The path of the program file.
    pub exe_path: String,
    /// The program file.
    pub exe: Option<PathRef>,
}

impl Identity {
    /// `/proc/PID/cmdline`: each argument with its NUL, or the title.
    #[must_use]
    pub fn cmdline(&self) -> Vec<u8> {
        match &self.title {
            Some(title) => [title.as_bytes(), b"\0"].concat(),
            None => self.argv.iter().flat_map(|arg| arg.bytes().chain([0])).collect(),
        }
    }
}

/// At most 15 bytes of a name, cut between characters.
#[must_use]
pub(crate) fn comm_of(name: &str) -> String {
    let fits = |end: &usize| name.is_char_boundary(*end);
    let end = (0..=name.len().min(COMM_MAX)).rev().find(fits).unwrap_or(0);
    name.get(..end).unwrap_or_default().to_owned()
}

/// The last part of a path.
#[must_use]
pub(crate) fn base_name(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

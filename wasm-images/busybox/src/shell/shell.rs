//! The shell's state, and its way of talking.

use super::ast::Node;
use super::flow::Flow;
use super::jobs::Jobs;
use super::lexer::Aliases;
use super::options::{Opt, Options};
use super::sys::{self, Fd, Pid};
use super::text;
use super::traps::Traps;
use super::vars::Variables;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A running shell.
pub(crate) struct Shell {
    pub(crate) vars: Variables,
    pub(crate) functions: BTreeMap<String, Rc<Node>>,
    pub(crate) aliases: Aliases,
    pub(crate) options: Options,
    /// `$0`, and the name in messages.
    pub(crate) arg0: String,
    /// `$1` and so on.
    pub(crate) positional: Vec<String>,
    /// `$?`.
    pub(crate) status: i32,
    /// `$!`.
    pub(crate) last_background: Option<Pid>,
    /// The logical working directory, once it is known.
    pub(crate) directory: Option<String>,
    /// `$$`: the process id of the shell that the user started, asked for when it is first needed.
    pub(crate) shell_pid: Option<Pid>,
    pub(crate) jobs: Jobs,
    pub(crate) traps: Traps,
    /// The arguments that this process was started with: a subshell shows the same ones in `ps`.
    pub(crate) argv: Vec<String>,
    /// Bash's prompt, messages and additions.
    pub(crate) bash: bool,
    /// The line of the command that is being executed.
    pub(crate) line: u32,
    /// The script, sourced file or builtin that messages name after `$0` (ash's `commandname`).
    pub(crate) command_name: Option<String>,
    /// Above 0: a failing command does not end the shell under `set -e`.
    pub(crate) conditions: u32,
    pub(crate) loop_depth: u32,
    pub(crate) function_depth: u32,
    /// Sourced files that are being read (`return` ends them).
    pub(crate) source_depth: u32,
    /// How deep commands are nested in each other at run time.
    pub(crate) depth: u32,
    /// The status of the last command substitution of the command that is being expanded.
    pub(crate) substitution_status: Option<i32>,
    /// Where builtins' output goes instead of descriptor 1: a substitution that runs in this process.
    pub(crate) capture: Option<Vec<u8>>,
    /// Output of the builtin that is running.
    pub(crate) out: Vec<u8>,
    /// Where commands were found, with how often (`hash`).
    pub(crate) hashed: BTreeMap<String, (String, u32)>,
    /// Where `getopts` is: the index of the next word, and the byte within the group of letters before it (0: none).
    pub(crate) getopts: (usize, usize),
    /// A copy of the process that only runs a part of a script.
    pub(crate) subshell: bool,
    /// The terminal of an interactive shell with job control.
    pub(crate) tty: Option<Fd>,
    /// This process' group.
    pub(crate) group: Option<Pid>,
    /// The group it had before.
    pub(crate) initial_group: Option<Pid>,
    pub(crate) random: Option<u32>,
    /// Commands typed so far.
    pub(crate) history: Vec<String>,
    /// The user was told about stopped jobs when leaving.
    pub(crate) warned_of_jobs: bool,
}

/// How deep functions, sourced files and compound commands may call each other: what the guest's stack can hold.
pub(crate) const MAX_CALL_DEPTH: u32 = 200;

impl Shell {
    pub(crate) fn new(argv: Vec<String>, bash: bool) -> Self {
        Self {
            vars: Variables::default(),
            functions: BTreeMap::new(),
            aliases: Aliases::new(),
            options: Options::default(),
            arg0: argv.first().cloned().unwrap_or_else(|| "sh".to_owned()),
            positional: Vec::new(),
            status: 0,
            last_background: None,
            directory: None,
            shell_pid: None,
            jobs: Jobs::default(),
            traps: Traps::default(),
            argv,
            bash,
            line: 0,
            command_name: None,
            conditions: 0,
            loop_depth: 0,
            function_depth: 0,
            source_depth: 0,
            depth: 0,
            substitution_status: None,
            capture: None,
            out: Vec::new(),
            hashed: BTreeMap::new(),
            getopts: (1, 0),
            subshell: false,
            tty: None,
            group: None,
            initial_group: None,
            random: None,
            history: Vec::new(),
            warned_of_jobs: false,
        }
    }

    pub(crate) fn has(&self, option: Opt) -> bool {
        self.options.has(option)
    }

    pub(crate) fn interactive(&self) -> bool {
        self.has(Opt::Interactive) && !self.subshell
    }

    /// `$$`.
    pub(crate) fn pid(&mut self) -> Pid {
        *self.shell_pid.get_or_insert_with(sys::getpid)
    }

    /// Writes to standard error as it is.
    pub(crate) fn warn(&mut self, text: &str) {
        // There is nowhere to tell of a failure.
        let _ = sys::write_all(Fd::STDERR, &text::to_bytes(text));
    }

    /// Reports something: `sh: message`, `sh: cd: line 3: message`, `script.sh: line 3: message`.
    pub(crate) fn complain(&mut self, message: &str) {
        self.complain_at(self.line, message);
    }

    pub(crate) fn complain_at(&mut self, line: u32, message: &str) {
        let mut text = format!("{}: ", self.arg0);
        let in_command_line = self.interactive() && self.source_depth == 0;
        if let Some(name) = &self.command_name {
            if self.bash && !in_command_line {
                text.push_str(&format!("line {line}: "));
            }
            if *name != self.arg0 {
                text.push_str(&format!("{name}: "));
            }
            if !self.bash && !in_command_line {
                text.push_str(&format!("line {line}: "));
            }
        } else if self.bash && !in_command_line {
            text.push_str(&format!("line {line}: "));
        }
        text.push_str(message);
        text.push('\n');
        self.warn(&text);
    }

    /// Reports something as an applet does that is built into the shell: `sh: message`, also in a script.
    pub(crate) fn complain_as_applet(&mut self, message: &str) {
        if self.bash {
            return self.complain(message);
        }
        let name = self
            .argv
            .first()
            .map_or("sh", |name| name.rsplit('/').next().unwrap_or(name))
            .to_owned();
        self.warn(&format!("{}: {message}\n", name.trim_start_matches('-')));
    }

    /// Reports an error that ends the script or the command line.
    pub(crate) fn fatal(&mut self, message: &str) -> Flow {
        self.complain(message);
        Flow::Error(2)
    }

    /// Adds to the output of the running builtin.
    pub(crate) fn print(&mut self, text: &str) {
        self.out.extend_from_slice(&text::to_bytes(text));
    }

    /// Writes out what the builtin has printed; `false` if that failed (reported here).
    pub(crate) fn flush(&mut self) -> bool {
        if self.out.is_empty() {
            return true;
        }
        let out = std::mem::take(&mut self.out);
        if let Some(capture) = &mut self.capture {
            capture.extend_from_slice(&out);
            return true;
        }
        match sys::write_all(Fd::STDOUT, &out) {
            Ok(()) => true,
            Err(errno) => {
                self.complain(&format!("write error: {errno}"));
                false
            }
        }
    }

    pub(crate) fn fail_readonly(&mut self, name: &str) -> Flow {
        let message = if self.bash { "readonly variable" } else { "is read only" };
        self.fatal(&format!("{name}: {message}"))
    }

    /// Assigns a variable, with all that hangs on special ones.
    pub(crate) fn set_var(&mut self, name: &str, value: String) -> Result<(), Flow> {
        match name {
            "PATH" => self.hashed.clear(),
            "OPTIND" => self.getopts = (value.parse().ok().filter(|i| *i > 0).unwrap_or(1), 0),
            "RANDOM" => self.random = value.parse().ok(),
            _ => {}
        }
        if self.vars.set(name, value).is_err() {
            return Err(self.fail_readonly(name));
        }
        if self.has(Opt::Allexport) {
            self.vars.export(name, true);
        }
        Ok(())
    }
}

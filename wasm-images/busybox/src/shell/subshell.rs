//! Subshells: this program again, with the shell's state handed over through a pipe.
//!
//! There is no `fork`. The child is `/proc/self/exe` with the same arguments (so that `ps` shows what it would show after
//! a fork) and one more variable in its environment that names the descriptor to read the state from.

use super::ast::{Assignment, Node, Part, SimpleCommand, Word};
use super::codec::{Codec, Input, codec_struct};
use super::flow::{Flow, Status};
use super::launch::Placement;
use super::options::{Opt, Options};
use super::shell::Shell;
use super::sys::{self, Errno, Fd, FdAction, OpenFlags, Pid, Signal};
use super::text;
use super::vars::{Variable, Variables};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The variable of the environment that makes a shell a subshell.
pub(crate) const STATE_VARIABLE: &str = "PODSIM_SH_STATE";
/// What the state begins with.
const MAGIC: u32 = 0x7073_6831;
/// What a pipe holds: up to this the state is written before the child exists.
const PIPE_CAPACITY: usize = 65_536;

codec_struct! {
    /// What a subshell needs to know.
    struct Handover {
        magic: u32,
        node: Node,
        variables: BTreeMap<String, Variable>,
        functions: BTreeMap<String, Rc<Node>>,
        aliases: BTreeMap<String, String>,
        options: u32,
        bash: bool,
        arg0: String,
        positional: Vec<String>,
        status: i32,
        shell_pid: i32,
        last_background: Option<i32>,
        line: u32,
        command_name: Option<String>,
        conditions: u32,
        function_depth: u32,
        loop_depth: u32,
        depth: u32,
        getopts: (u32, u32),
        directory: Option<String>,
        random: Option<u32>,
        traps: BTreeMap<u8, String>,
    }
}

impl Shell {
    /// Starts a subshell that runs the command.
    pub(crate) fn spawn_subshell(
        &mut self,
        node: &Node,
        actions: Vec<FdAction>,
        placement: Placement,
    ) -> Result<Pid, Errno> {
        let mut bytes = Vec::with_capacity(4096);
        Handover {
            magic: MAGIC,
            // The tree is read by the encoder only; cloning it is the price of one declaration for both directions.
            node: node.clone(),
            variables: self.vars.map().clone(),
            functions: self.functions.clone(),
            aliases: self.aliases.clone(),
            options: self.options.0,
            bash: self.bash,
            arg0: self.arg0.clone(),
            positional: self.positional.clone(),
            status: self.status,
            shell_pid: self.pid().0,
            last_background: self.last_background.map(|pid| pid.0),
            line: self.line,
            command_name: self.command_name.clone(),
            conditions: self.conditions,
            function_depth: self.function_depth + self.source_depth,
            loop_depth: self.loop_depth,
            depth: self.depth,
            getopts: (self.getopts.0 as u32, self.getopts.1 as u32),
            directory: self.directory.clone(),
            random: self.random,
            traps: self.traps.actions.clone(),
        }
        .put(&mut bytes);
        let (read, write) = sys::pipe(OpenFlags::CLOEXEC)?;
        let read = sys::move_high(read)?;
        let early = bytes.len() <= PIPE_CAPACITY;
        if early {
            sys::write_all(write, &bytes)?;
        }
        let mut environment = self.vars.environment();
        environment.push(format!("{STATE_VARIABLE}={}", read.0));
        let mut all = actions;
        all.push(FdAction::Dup2 { from: read, to: read });
        let spawned = self.spawn("/proc/self/exe", self.argv.clone(), environment, all, placement);
        let _ = sys::close(read);
        if !early && spawned.is_ok() {
            // A child that was killed meanwhile must not take this shell with it.
            let old = sys::sigaction(Signal::PIPE, None)?;
            let _ = sys::ignore_signal(Signal::PIPE);
            let _ = sys::write_all(write, &bytes);
            let _ = sys::sigaction(Signal::PIPE, Some(old));
        }
        let _ = sys::close(write);
        spawned
    }

    /// Starts a process that writes a text to a descriptor: more than a pipe holds.
    pub(crate) fn spawn_writer(&mut self, text: &str, to: Fd) -> Result<(), Errno> {
        let quoted = |text: &str| Word {
            parts: vec![Part::Quoted { text: text.to_owned() }],
        };
        let command = SimpleCommand {
            line: self.line,
            // The text goes by a variable: an empty assignment list keeps the builtin on its short way.
            assignments: Vec::<Assignment>::new(),
            words: vec![quoted("printf"), quoted("%s"), quoted(text)],
            redirects: Vec::new(),
        };
        let actions = vec![FdAction::Dup2 {
            from: to,
            to: Fd::STDOUT,
        }];
        self.spawn_subshell(&Node::Simple { command }, actions, Placement::default())
            .map(drop)
    }
}

/// The state that this process was started with, if it is a subshell: the shell, and what it is to run.
pub(crate) fn take_over(argv: &[String]) -> Option<(Shell, Node)> {
    let fd: i32 = std::env::var(STATE_VARIABLE).ok()?.parse().ok()?;
    let fd = Fd(fd);
    // Someone may have set the variable by hand: then this is no pipe of ours.
    let bytes = sys::read_to_end(fd).ok()?;
    let _ = sys::close(fd);
    let state = Handover::get(&mut Input(&bytes)).filter(|s| s.magic == MAGIC)?;
    let mut shell = Shell::new(argv.to_vec(), state.bash);
    shell.vars = Variables::from_map(state.variables);
    for (name, value) in std::env::vars_os() {
        if let Some(name) = name.to_str().filter(|name| !text::is_name(name)) {
            shell.vars.add_foreign(name, &value.to_string_lossy());
        }
    }
    shell.functions = state.functions;
    shell.aliases = state.aliases;
    shell.options = Options(state.options);
    shell.options.set(Opt::Monitor, false);
    shell.arg0 = state.arg0;
    shell.positional = state.positional;
    shell.status = state.status;
    shell.shell_pid = Some(Pid(state.shell_pid));
    shell.last_background = state.last_background.map(Pid);
    shell.line = state.line;
    shell.command_name = state.command_name;
    shell.conditions = state.conditions;
    shell.function_depth = state.function_depth;
    shell.loop_depth = state.loop_depth;
    shell.depth = state.depth;
    shell.getopts = (state.getopts.0 as usize, state.getopts.1 as usize);
    shell.directory = state.directory;
    shell.random = state.random;
    shell.subshell = true;
    if state.function_depth > 0 {
        // `local` in a subshell of a function.
        shell.vars.push_scope();
    }
    // Ignored signals stay so (exec keeps them); traps with an action are only shown by `trap`.
    for (number, action) in state.traps {
        if action.is_empty() {
            shell.traps.actions.insert(number, action);
        } else {
            shell.traps.inherited.insert(number, action);
        }
    }
    Some((shell, state.node))
}

/// Runs what a subshell is for; gives its exit status.
pub(crate) fn run(shell: &mut Shell, node: &Node) -> i32 {
    let name = shell.argv.first().map_or("sh", |a| a.rsplit('/').next().unwrap_or(a));
    sys::set_comm(name);
    let result: Status = match node {
        Node::Subshell { body } => shell.run(body, true),
        Node::Redirected { body, redirects, .. } => match &**body {
            Node::Subshell { body } => shell.with_redirects(redirects, |s| s.run(body, true)),
            _ => shell.run(node, true),
        },
        _ => shell.run(node, true),
    };
    let status = match result {
        Ok(status) | Err(Flow::Return(status) | Flow::Exit(status) | Flow::Error(status)) => status,
        Err(Flow::Break(_) | Flow::Continue(_)) => 0,
        Err(Flow::Interrupt) => 130,
    };
    shell.run_exit_trap(status)
}

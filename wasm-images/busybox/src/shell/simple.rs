//! Simple commands: assignments, then a function, a builtin or a program.

use super::ast::{Node, SimpleCommand};
use super::builtins::{self, Builtin};
use super::display;
use super::expand;
use super::flow::{Flow, Status};
use super::redirect::Failed;
use super::shell::Shell;
use super::traps::EXIT;
use std::rc::Rc;

/// What a command's name stands for.
pub(crate) enum Found {
    Builtin(&'static Builtin),
    Function(Rc<Node>),
    /// Something to look for in the filesystem.
    Program,
}

impl Shell {
    /// What a name stands for, in the order of POSIX XCU 2.9.1.
    pub(crate) fn lookup(&self, name: &str) -> Found {
        let builtin = builtins::find(name);
        if let Some(builtin) = builtin.filter(|b| b.special) {
            return Found::Builtin(builtin);
        }
        if let Some(body) = self.functions.get(name) {
            return Found::Function(body.clone());
        }
        builtin.map_or(Found::Program, Found::Builtin)
    }

    /// Runs a simple command.
    pub(crate) fn simple(&mut self, command: &SimpleCommand, tail: bool) -> Status {
        self.line = command.line;
        self.substitution_status = None;
        let words = if builtins::is_double_bracket(command) {
            builtins::expand_double_bracket(self, &command.words)?
        } else {
            expand::arguments(self, &command.words)?
        };
        let Some(name) = words.first() else {
            return self.assignments_only(command);
        };
        match self.lookup(name) {
            Found::Builtin(builtin) => self.run_builtin(builtin, command, words),
            Found::Function(body) => self.run_function(&body, command, words),
            Found::Program => self.external(command, words, tail),
        }
    }

    /// Expands the values of the assignments, left to right.
    fn assigned(&mut self, command: &SimpleCommand) -> Result<Vec<(String, String)>, Flow> {
        let mut out: Vec<(String, String)> = Vec::with_capacity(command.assignments.len());
        for assignment in &command.assignments {
            let mut value = expand::assignment(self, &assignment.value)?;
            if assignment.append {
                let earlier = out
                    .iter()
                    .rev()
                    .find(|(name, _)| *name == assignment.name)
                    .map(|(_, v)| v.as_str());
                let old = earlier.or_else(|| self.vars.get(&assignment.name)).unwrap_or("");
                value.insert_str(0, old);
            }
            if self.vars.is_readonly(&assignment.name) {
                return Err(self.fail_readonly(&assignment.name));
            }
            out.push((assignment.name.clone(), value));
        }
        Ok(out)
    }

    fn assignments_only(&mut self, command: &SimpleCommand) -> Status {
        let mut traced = Vec::new();
        // One after the other: `a=1 b=$a`.
        for assignment in &command.assignments {
            let mut value = expand::assignment(self, &assignment.value)?;
            if assignment.append {
                value.insert_str(0, self.vars.get(&assignment.name).unwrap_or(""));
            }
            traced.push((assignment.name.clone(), value.clone()));
            self.set_var(&assignment.name, value)?;
        }
        if !traced.is_empty() {
            self.trace(&traced, &[]);
        }
        let status = self.with_redirects(&command.redirects, |_| Ok(0))?;
        Ok(if status == 0 {
            self.substitution_status.unwrap_or(0)
        } else {
            status
        })
    }

    /// Makes assignments that last as long as the command.
    fn assign_in_scope(&mut self, assigned: Vec<(String, String)>) -> Result<(), Flow> {
        for (name, value) in assigned {
            self.vars.make_local(&name);
            self.set_var(&name, value)?;
            self.vars.export(&name, true);
        }
        Ok(())
    }

    fn run_function(&mut self, body: &Rc<Node>, command: &SimpleCommand, mut words: Vec<String>) -> Status {
        let assigned = self.assigned(command)?;
        self.trace(&assigned, &words);
        words.remove(0);
        self.with_redirects(&command.redirects, |shell| {
            if assigned.is_empty() {
                return shell.call_function(body, words);
            }
            shell.vars.push_scope();
            let result = shell
                .assign_in_scope(assigned)
                .and_then(|()| shell.call_function(body, words));
            shell.vars.pop_scope();
            result
        })
    }

    fn run_builtin(&mut self, builtin: &'static Builtin, command: &SimpleCommand, words: Vec<String>) -> Status {
        let assigned = self.assigned(command)?;
        self.trace(&assigned, &words);
        if builtin.name == "exec" {
            return self.exec_command(command, assigned, words);
        }
        if builtin.special {
            for (name, value) in assigned {
                self.set_var(&name, value)?;
            }
            let plan = match self.plan_redirects(&command.redirects) {
                Ok(plan) => plan,
                // A special builtin's failed redirection ends a script.
                Err(Failed::Reported | Failed::Message(_)) => return Err(Flow::Error(1)),
                Err(Failed::Flow(flow)) => return Err(flow),
            };
            let saved = match plan.apply(true) {
                Ok(saved) => saved,
                Err(errno) => {
                    self.complain(&errno.to_string());
                    return Err(Flow::Error(1));
                }
            };
            let result = self.call_builtin(builtin, &words);
            saved.restore();
            return result;
        }
        self.with_redirects(&command.redirects, |shell| {
            if assigned.is_empty() {
                return shell.call_builtin(builtin, &words);
            }
            shell.vars.push_scope();
            let result = shell
                .assign_in_scope(assigned)
                .and_then(|()| shell.call_builtin(builtin, &words));
            shell.vars.pop_scope();
            result
        })
    }

    /// Calls a builtin and writes out what it has printed.
    pub(crate) fn call_builtin(&mut self, builtin: &'static Builtin, words: &[String]) -> Status {
        let runs_commands = matches!(builtin.name, "." | "source" | "eval" | "command");
        let name = match runs_commands && builtin.name != "eval" {
            // What these run speaks for itself.
            true => self.command_name.clone(),
            false => self.command_name.replace(builtin.name.to_owned()),
        };
        let result = (builtin.run)(self, words);
        let written = self.flush();
        let result = match result {
            Err(Flow::Error(status)) if !builtin.special && !runs_commands => Ok(status),
            Ok(0) if !written => Ok(1),
            other => other,
        };
        self.command_name = name;
        result
    }

    fn exec_command(
        &mut self,
        command: &SimpleCommand,
        assigned: Vec<(String, String)>,
        mut words: Vec<String>,
    ) -> Status {
        for (name, value) in assigned {
            self.set_var(&name, value)?;
            if words.len() > 1 {
                self.vars.export(&name, true);
            }
        }
        let plan = match self.plan_redirects(&command.redirects) {
            Ok(plan) => plan,
            Err(Failed::Reported | Failed::Message(_)) => return Err(Flow::Error(1)),
            Err(Failed::Flow(flow)) => return Err(flow),
        };
        if let Err(errno) = plan.apply(false) {
            self.complain(&errno.to_string());
            return Err(Flow::Error(1));
        }
        words.remove(0);
        if words.first().is_some_and(|w| w == "--") {
            words.remove(0);
        }
        if words.is_empty() {
            return Ok(0);
        }
        let name = self.command_name.replace("exec".to_owned());
        let flow = self.exec_builtin(words);
        self.command_name = name;
        match flow {
            Flow::Error(status) if !self.interactive() => Err(Flow::Exit(status)),
            flow => Err(flow),
        }
    }

    fn external(&mut self, command: &SimpleCommand, words: Vec<String>, tail: bool) -> Status {
        let assigned = self.assigned(command)?;
        self.trace(&assigned, &words);
        let path = match assigned.iter().rev().find(|(name, _)| name == "PATH") {
            Some((_, path)) if words.first().is_some_and(|w| !w.contains('/')) => {
                self.search(words.first().map_or("", String::as_str), path)
            }
            _ => self.find_program(words.first().map_or("", String::as_str)),
        };
        let environment = self.environment_with(assigned);
        let plan = match self.plan_redirects(&command.redirects) {
            Ok(plan) => plan,
            Err(Failed::Reported | Failed::Message(_)) => return Ok(1),
            Err(Failed::Flow(flow)) => return Err(flow),
        };
        if tail
            && self.may_exec()
            && let Some(path) = path
        {
            if let Err(errno) = plan.apply(false) {
                self.complain(&errno.to_string());
                return Ok(1);
            }
            let name = words.first().cloned().unwrap_or_default();
            let failure = self.exec(&path, words, environment);
            return Ok(self.report(&name, failure));
        }
        self.run_program(words, path, environment, plan, || {
            display::command(&Node::Simple {
                command: command.clone(),
            })
        })
    }

    /// The environment with assignments before the command.
    pub(crate) fn environment_with(&self, assigned: Vec<(String, String)>) -> Vec<String> {
        let mut environment = self.vars.environment();
        for (name, value) in assigned {
            let prefix = format!("{name}=");
            environment.retain(|entry| !entry.starts_with(&prefix));
            environment.push(prefix + &value);
        }
        environment
    }

    /// Whether nothing is left to do here after a last command.
    fn may_exec(&self) -> bool {
        !self.interactive()
            && self
                .traps
                .actions
                .iter()
                .all(|(number, action)| *number != EXIT && action.is_empty())
            && self.jobs.list.is_empty()
    }

    /// For a stage, a background command or a substitution: a program that can be started directly, with what it needs.
    pub(crate) fn direct_program(
        &mut self,
        command: &SimpleCommand,
        commands_too: bool,
    ) -> Result<Option<Direct>, Flow> {
        let effects = super::effects::of_command(command, self.nounset_on());
        if effects.changes || (effects.commands && !commands_too) || builtins::is_double_bracket(command) {
            return Ok(None);
        }
        // The name decides; if it is to be expanded first, that is for the subshell to do.
        let Some(name) = command.words.first().and_then(|w| w.as_literal()) else {
            return Ok(None);
        };
        let builtin = match self.lookup(name) {
            Found::Function(_) => return Ok(None),
            Found::Builtin(builtin) if !builtin.inline => return Ok(None),
            Found::Builtin(builtin) if command.redirects.is_empty() && command.assignments.is_empty() => Some(builtin),
            Found::Builtin(_) => return Ok(None),
            Found::Program => None,
        };
        self.line = command.line;
        let words = expand::arguments(self, &command.words)?;
        let assigned = self.assigned(command)?;
        self.trace(&assigned, &words);
        if let Some(builtin) = builtin {
            return Ok(Some(Direct::Builtin(builtin, words)));
        }
        let path = self.find_program(words.first().map_or("", String::as_str));
        let environment = self.environment_with(assigned);
        Ok(Some(Direct::Program {
            path,
            words,
            environment,
        }))
    }

    fn nounset_on(&self) -> bool {
        self.has(super::options::Opt::Nounset)
    }
}

/// A command that needs no subshell.
pub(crate) enum Direct {
    /// A builtin that only prints.
    Builtin(&'static Builtin, Vec<String>),
    /// A program.
    Program {
        path: Option<String>,
        words: Vec<String>,
        environment: Vec<String>,
    },
}

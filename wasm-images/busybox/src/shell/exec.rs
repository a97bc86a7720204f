//! Execution of commands.

use super::ast::{CaseArm, Node, Word};
use super::expand;
use super::flow::{Flow, Status};
use super::lexer::{ParseError, Text};
use super::options::Opt;
use super::pattern;
use super::shell::{MAX_CALL_DEPTH, Shell};

impl Shell {
    /// Runs a command. `tail`: the shell ends with it, so that a program may take this process' place.
    pub(crate) fn run(&mut self, node: &Node, tail: bool) -> Status {
        self.depth += 1;
        let result = if self.depth > MAX_CALL_DEPTH {
            Err(self.fatal("maximum nesting level exceeded"))
        } else {
            self.dispatch(node, tail)
        };
        self.depth -= 1;
        let status = result?;
        self.status = status;
        self.poll_signals()?;
        Ok(self.status)
    }

    fn dispatch(&mut self, node: &Node, tail: bool) -> Status {
        if self.has(Opt::Noexec) && !self.interactive() {
            return Ok(0);
        }
        match node {
            Node::Simple { command } => {
                let status = self.simple(command, tail)?;
                self.check_errexit(status)
            }
            Node::Pipeline { stages } => {
                let status = self.foreground_pipeline(stages)?;
                self.check_errexit(status)
            }
            Node::Subshell { .. } => {
                let status = self.foreground_subshell(node)?;
                self.check_errexit(status)
            }
            Node::Background { body } => self.background(body),
            Node::Not { body } => {
                let status = self.condition(body)?;
                Ok(i32::from(status == 0))
            }
            Node::And { left, right } => match self.condition(left)? {
                0 => self.run(right, tail),
                status => Ok(status),
            },
            Node::Or { left, right } => match self.condition(left)? {
                0 => Ok(0),
                _ => self.run(right, tail),
            },
            Node::Sequence { items } => {
                let mut status = if items.is_empty() { self.status } else { 0 };
                for (i, item) in items.iter().enumerate() {
                    status = self.run(item, tail && i + 1 == items.len())?;
                }
                Ok(status)
            }
            Node::Group { body } => self.run(body, tail),
            Node::If {
                condition,
                then,
                otherwise,
            } => {
                if self.condition(condition)? == 0 {
                    self.run(then, tail)
                } else if let Some(otherwise) = otherwise {
                    self.run(otherwise, tail)
                } else {
                    Ok(0)
                }
            }
            Node::While { until, condition, body } => self.while_loop(*until, condition, body),
            Node::For {
                name,
                words,
                body,
                line,
            } => self.for_loop(name, words.as_deref(), body, *line),
            Node::Case { word, arms, line } => self.case(word, arms, *line, tail),
            Node::Function { name, body } => {
                self.functions.insert(name.clone(), body.clone());
                Ok(0)
            }
            Node::Redirected { body, redirects, line } => {
                self.line = *line;
                if let Node::Subshell { .. } = &**body {
                    let status = self.foreground_subshell(node)?;
                    return self.check_errexit(status);
                }
                let status = self.with_redirects(redirects, |shell| shell.run(body, false))?;
                self.check_errexit(status)
            }
        }
    }

    /// A command whose failure is an answer and not an error.
    fn condition(&mut self, node: &Node) -> Status {
        self.conditions += 1;
        let result = self.run(node, false);
        self.conditions -= 1;
        result
    }

    /// `set -e`.
    fn check_errexit(&mut self, status: i32) -> Status {
        if status != 0 && self.has(Opt::Errexit) && self.conditions == 0 {
            self.status = status;
            return Err(Flow::Exit(status));
        }
        Ok(status)
    }

    fn while_loop(&mut self, until: bool, condition: &Node, body: &Node) -> Status {
        self.in_loop(|shell| {
            let mut status = 0;
            loop {
                match shell.condition(condition) {
                    Ok(result) if (result == 0) == until => return Ok(status),
                    Ok(_) => {}
                    Err(flow) => match loop_flow(flow)? {
                        true => continue,
                        false => return Ok(status),
                    },
                }
                match shell.run(body, false) {
                    Ok(result) => status = result,
                    Err(flow) => {
                        status = 0;
                        if !loop_flow(flow)? {
                            return Ok(status);
                        }
                    }
                }
            }
        })
    }

    fn for_loop(&mut self, name: &str, words: Option<&[Word]>, body: &Node, line: u32) -> Status {
        self.line = line;
        let values = match words {
            Some(words) => expand::arguments(self, words)?,
            None => self.positional.clone(),
        };
        self.in_loop(|shell| {
            let mut status = 0;
            for value in values {
                shell.set_var(name, value)?;
                match shell.run(body, false) {
                    Ok(result) => status = result,
                    Err(flow) => {
                        status = 0;
                        if !loop_flow(flow)? {
                            break;
                        }
                    }
                }
            }
            Ok(status)
        })
    }

    fn in_loop(&mut self, run: impl FnOnce(&mut Self) -> Status) -> Status {
        self.loop_depth += 1;
        let result = run(self);
        self.loop_depth -= 1;
        result
    }

    fn case(&mut self, word: &Word, arms: &[CaseArm], line: u32, tail: bool) -> Status {
        self.line = line;
        let text = expand::string(self, word)?;
        let mut arms = arms.iter();
        for arm in arms.by_ref() {
            for candidate in &arm.patterns {
                let candidate = expand::as_pattern(self, candidate)?.pattern;
                if !pattern::matches(&candidate, &text) {
                    continue;
                }
                let mut current = arm;
                loop {
                    let status = match &current.body {
                        Some(body) => self.run(body, tail && !current.fall_through)?,
                        None => 0,
                    };
                    match arms.next().filter(|_| current.fall_through) {
                        Some(next) => current = next,
                        None => return Ok(status),
                    }
                }
            }
        }
        Ok(0)
    }

    /// Runs a function's body with arguments of its own.
    pub(crate) fn call_function(&mut self, body: &Node, arguments: Vec<String>) -> Status {
        let positional = std::mem::replace(&mut self.positional, arguments);
        let loops = std::mem::take(&mut self.loop_depth);
        let getopts = std::mem::replace(&mut self.getopts, (1, 0));
        self.vars.push_scope();
        self.function_depth += 1;
        let result = self.run(body, false);
        self.function_depth -= 1;
        self.vars.pop_scope();
        self.getopts = getopts;
        self.loop_depth = loops;
        self.positional = positional;
        match result {
            Err(Flow::Return(status)) => Ok(status),
            other => other,
        }
    }

    /// `eval`, traps, `-c`: runs the commands of a text.
    pub(crate) fn evaluate(&mut self, script: &str, tail: bool) -> Status {
        let mut text = Text::whole(script.to_owned(), self.line);
        self.run_text(&mut text, tail)
    }

    /// Runs the commands of a whole text; 0 if there are none.
    pub(crate) fn run_text(&mut self, text: &mut Text, tail: bool) -> Status {
        let mut status = 0;
        loop {
            let start = text.pos;
            let parsed = text.next_command(&self.aliases, self.bash);
            if self.has(Opt::Verbose) && !self.has(Opt::Command) {
                let lines = text.text.get(start..text.pos).unwrap_or("").to_owned();
                self.warn(&lines);
            }
            match parsed {
                Ok(None) => return Ok(status),
                Ok(Some(node)) => {
                    // Blank lines are no commands.
                    if node == (Node::Sequence { items: Vec::new() }) {
                        continue;
                    }
                    let last = tail && text.text.get(text.pos..).is_none_or(|rest| rest.trim().is_empty());
                    status = self.run(&node, last)?;
                }
                Err(error) => return Err(self.syntax_error(&error)),
            }
        }
    }

    /// Reports a syntax error.
    pub(crate) fn syntax_error(&mut self, error: &ParseError) -> Flow {
        let (line, message) = match error {
            ParseError::Syntax { line, message } => (*line, message.as_str()),
            ParseError::Incomplete => (self.line, "unexpected end of file"),
        };
        self.status = 2;
        if self.bash
            && let Some(token) = message.strip_prefix("unexpected \"").and_then(|m| m.split('"').next())
        {
            self.complain_at(line, &format!("syntax error near unexpected token `{token}'"));
        } else {
            self.complain_at(line, &format!("syntax error: {message}"));
        }
        Flow::Error(2)
    }

    /// `set -x`.
    pub(crate) fn trace(&mut self, assigned: &[(String, String)], words: &[String]) {
        if !self.has(Opt::Xtrace) {
            return;
        }
        let ps4 = self.vars.get("PS4").unwrap_or("+ ").to_owned();
        // `PS4='${LINENO}: '` is expanded, but not traced.
        self.options.set(Opt::Xtrace, false);
        let mut line = self.expand_prompt_text(&ps4);
        self.options.set(Opt::Xtrace, true);
        let assigned = assigned
            .iter()
            .map(|(name, value)| format!("{name}={}", trace_quoted(value)));
        let all: Vec<String> = assigned.chain(words.iter().map(|word| trace_quoted(word))).collect();
        line.push_str(&all.join(" "));
        line.push('\n');
        self.warn(&line);
    }
}

/// In a loop: whether it goes on; flows that are not for this loop go further out.
fn loop_flow(flow: Flow) -> Result<bool, Flow> {
    match flow {
        Flow::Break(1) => Ok(false),
        Flow::Continue(1) => Ok(true),
        Flow::Break(n) => Err(Flow::Break(n - 1)),
        Flow::Continue(n) => Err(Flow::Continue(n - 1)),
        other => Err(other),
    }
}

/// A word as `set -x` shows it: quoted where it would not read back as one word.
fn trace_quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,+%@^]".contains(c) || !c.is_ascii();
    if text.chars().all(plain) && !super::parser::KEYWORDS.contains(&text) && text != "in" {
        return text.to_owned();
    }
    super::text::single_quoted(text)
}

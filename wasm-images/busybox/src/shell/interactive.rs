//! The loop of an interactive shell.

use super::flow::{Flow, Status};
use super::jobs::State;
use super::lexer::{ParseError, Text};
use super::lineedit::{self, Line};
use super::options::Opt;
use super::shell::Shell;
use super::sys::{self, Signal};
use super::text;

/// How many lines of history are kept.
const MAX_HISTORY: usize = 1000;

/// Reads commands and runs them until `exit` or the end of the input.
pub(crate) fn run(shell: &mut Shell) -> Status {
    load_history(shell);
    let result = command_loop(shell);
    save_history(shell);
    result
}

fn command_loop(shell: &mut Shell) -> Status {
    let mut text = Text {
        line: 1,
        more: true,
        ..Text::default()
    };
    let mut ends = 0;
    loop {
        shell.notify();
        let prompt = shell.prompt("PS1");
        match lineedit::read_line(shell, &prompt) {
            Line::Text(line) => {
                ends = 0;
                remember(shell, &line);
                text.discard();
                text.push(&line);
                text.push("\n");
                // A warning about jobs holds for the next command only.
                let warned = shell.warned_of_jobs;
                run_line(shell, &mut text)?;
                if warned {
                    shell.warned_of_jobs = false;
                }
            }
            Line::Interrupted => {
                shell.status = 130;
                // ^C was a key here; a trap for SIGINT is to run all the same.
                if shell
                    .traps
                    .actions
                    .get(&Signal::INT.number())
                    .is_some_and(|action| !action.is_empty())
                {
                    let _ = sys::kill(sys::getpid(), Some(Signal::INT));
                    if let Err(flow @ Flow::Exit(_)) = shell.poll_signals() {
                        return Err(flow);
                    }
                }
            }
            Line::Eof => {
                ends += 1;
                if shell.has(Opt::Ignoreeof) && ends < 50 {
                    shell.warn("\nUse \"exit\" to leave shell.\n");
                    continue;
                }
                let stopped = shell
                    .jobs
                    .list
                    .iter()
                    .any(|job| matches!(job.state(), State::Stopped(_)));
                if stopped && !shell.warned_of_jobs {
                    shell.warned_of_jobs = true;
                    shell.warn("\nYou have stopped jobs.\n");
                    continue;
                }
                shell.warn(if shell.bash { "exit\n" } else { "\n" });
                return Ok(shell.status);
            }
        }
    }
}

/// Runs the commands of a line, asking for more where it does not end.
fn run_line(shell: &mut Shell, text: &mut Text) -> Result<(), Flow> {
    loop {
        match text.next_command(&shell.aliases, shell.bash) {
            Ok(None) => return Ok(()),
            Ok(Some(node)) => match shell.run(&node, false) {
                Ok(_) => {}
                Err(Flow::Exit(status)) => return Err(Flow::Exit(status)),
                Err(Flow::Return(status) | Flow::Error(status)) => {
                    shell.status = status;
                    return Ok(());
                }
                Err(Flow::Interrupt) => {
                    shell.status = 130;
                    shell.warn("\n");
                    return Ok(());
                }
                Err(Flow::Break(_) | Flow::Continue(_)) => {}
            },
            Err(ParseError::Incomplete) => {
                let unread = text.text.get(text.pos..).unwrap_or("");
                if unread.trim().is_empty() {
                    return Ok(());
                }
                let prompt = shell.prompt("PS2");
                match lineedit::read_line(shell, &prompt) {
                    Line::Text(line) => {
                        remember(shell, &line);
                        text.push(&line);
                        text.push("\n");
                    }
                    Line::Interrupted => {
                        shell.status = 130;
                        return Ok(());
                    }
                    Line::Eof => text.more = false,
                }
            }
            Err(error) => {
                shell.syntax_error(&error);
                text.more = true;
                return Ok(());
            }
        }
        if !text.more && text.pos >= text.text.len() {
            text.more = true;
            return Ok(());
        }
    }
}

fn remember(shell: &mut Shell, line: &str) {
    if line.trim().is_empty() || shell.history.last().is_some_and(|last| last == line) {
        return;
    }
    if shell.history.len() >= MAX_HISTORY {
        shell.history.remove(0);
    }
    shell.history.push(line.to_owned());
}

fn load_history(shell: &mut Shell) {
    let Some(bytes) = shell.vars.get("HISTFILE").and_then(|file| sys::read_file(file).ok()) else {
        return;
    };
    let text = text::from_bytes(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.len().saturating_sub(MAX_HISTORY);
    shell.history = lines.iter().skip(start).map(|line| (*line).to_owned()).collect();
}

fn save_history(shell: &mut Shell) {
    let Some(file) = shell.vars.get("HISTFILE").filter(|f| !f.is_empty()) else {
        return;
    };
    let flags = sys::OpenFlags::WRONLY | sys::OpenFlags::CREAT | sys::OpenFlags::TRUNC;
    // A history that cannot be written is no reason to fail.
    if let Ok(fd) = sys::open(file, flags) {
        let all: String = shell.history.iter().map(|line| format!("{line}\n")).collect();
        let _ = sys::write_all(fd, &text::to_bytes(&all));
        let _ = sys::close(fd);
    }
}

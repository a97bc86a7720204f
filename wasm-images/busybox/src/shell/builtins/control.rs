//! `:`, `true`, `false`, `break`, `continue`, `return`, `exit`, `eval`, `.`.

use crate::shell::flow::{Flow, Status};
use crate::shell::lexer::Text;
use crate::shell::shell::Shell;
use crate::shell::sys;
use crate::shell::text;

pub(super) fn success(_: &mut Shell, _: &[String]) -> Status {
    Ok(0)
}

pub(super) fn failure(_: &mut Shell, _: &[String]) -> Status {
    Ok(1)
}

/// A number that must not be negative.
fn count(shell: &mut Shell, words: &[String], least: u32) -> Result<Option<u32>, Flow> {
    let Some(word) = words.get(1) else { return Ok(None) };
    match word.parse() {
        Ok(n) if n >= least => Ok(Some(n)),
        _ => Err(shell.illegal_number(word)),
    }
}

pub(super) fn break_loop(shell: &mut Shell, words: &[String]) -> Status {
    let n = count(shell, words, 1)?.unwrap_or(1).min(shell.loop_depth);
    if n == 0 { Ok(0) } else { Err(Flow::Break(n)) }
}

pub(super) fn continue_loop(shell: &mut Shell, words: &[String]) -> Status {
    let n = count(shell, words, 1)?.unwrap_or(1).min(shell.loop_depth);
    if n == 0 { Ok(0) } else { Err(Flow::Continue(n)) }
}

pub(super) fn return_from(shell: &mut Shell, words: &[String]) -> Status {
    let status = count(shell, words, 0)?.map_or(shell.status, |n| (n & 0xff) as i32);
    if shell.function_depth + shell.source_depth > 0 {
        return Err(Flow::Return(status));
    }
    // Outside it ends the script, as in ash.
    Err(Flow::Exit(status))
}

pub(super) fn exit(shell: &mut Shell, words: &[String]) -> Status {
    if shell.interactive() && !shell.warned_of_jobs && shell.has_stopped_jobs() {
        shell.warned_of_jobs = true;
        shell.warn("You have stopped jobs.\n");
        return Ok(0);
    }
    let status = count(shell, words, 0)?.map_or(shell.status, |n| (n & 0xff) as i32);
    if shell.bash && shell.interactive() {
        shell.warn("exit\n");
    }
    Err(Flow::Exit(status))
}

pub(super) fn eval(shell: &mut Shell, words: &[String]) -> Status {
    let script = words.get(1..).unwrap_or_default().join(" ");
    let status = shell.status;
    let result = shell.evaluate(&script, false);
    match result {
        // No command at all: the status stays what a substitution in the arguments left.
        Ok(0) if script.trim().is_empty() => Ok(if shell.substitution_status.is_some() { status } else { 0 }),
        other => other,
    }
}

pub(super) fn source(shell: &mut Shell, words: &[String]) -> Status {
    let Some(file) = words.get(1) else { return Ok(2) };
    let path = if file.contains('/') {
        Some(file.clone())
    } else {
        shell.find_source(file)
    };
    let name = words.first().cloned().unwrap_or_default();
    let Some(path) = path else {
        let outer = shell.command_name.replace(name);
        let flow = shell.fatal(&format!("{file}: not found"));
        shell.command_name = outer;
        return Err(flow);
    };
    let script = match sys::read_file(&path) {
        Ok(bytes) => text::from_bytes(&bytes),
        Err(errno) => {
            let outer = shell.command_name.replace(name);
            let message = if shell.bash {
                format!("{path}: {errno}")
            } else {
                format!("can't open '{path}': {errno}")
            };
            let flow = shell.fatal(&message);
            shell.command_name = outer;
            return Err(flow);
        }
    };
    let arguments = words.get(2..).unwrap_or_default().to_vec();
    let positional = (!arguments.is_empty()).then(|| std::mem::replace(&mut shell.positional, arguments));
    let outer = shell.command_name.replace(file.clone());
    let line = shell.line;
    shell.source_depth += 1;
    let result = shell.run_text(&mut Text::whole(script, 1), false);
    shell.source_depth -= 1;
    shell.line = line;
    shell.command_name = outer;
    if let Some(positional) = positional {
        shell.positional = positional;
    }
    match result {
        Err(Flow::Return(status)) => Ok(status),
        other => other,
    }
}

impl Shell {
    fn has_stopped_jobs(&self) -> bool {
        use crate::shell::jobs::State;
        self.jobs
            .list
            .iter()
            .any(|job| matches!(job.state(), State::Stopped(_)))
    }

    /// A file to source: anywhere in `PATH`, executable or not.
    fn find_source(&self, name: &str) -> Option<String> {
        let path = self.vars.get("PATH").unwrap_or("");
        path.split(':')
            .map(|directory| {
                if directory.is_empty() {
                    name.to_owned()
                } else {
                    format!("{directory}/{name}")
                }
            })
            .find(|path| sys::fstatat(sys::Fd::CWD, path, true).is_ok_and(|s| s.file_type == sys::FileType::Regular))
    }
}

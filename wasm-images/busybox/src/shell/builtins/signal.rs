//! `kill` and `trap`.

use crate::shell::flow::Status;
use crate::shell::shell::Shell;
use crate::shell::sys::{self, Errno, Pid, Signal};
use crate::shell::text::single_quoted;
use crate::shell::traps::EXIT;

pub(super) fn kill(shell: &mut Shell, words: &[String]) -> Status {
    let mut operands = words.get(1..).unwrap_or_default();
    let mut signal = Some(Signal::TERM);
    let first = operands.first().map_or("", String::as_str);
    if first == "-l" || first == "-L" {
        return list(shell, operands.get(1..).unwrap_or_default());
    }
    if let Some(name) = first.strip_prefix('-').filter(|n| !n.is_empty() && *n != "-") {
        let name = match name {
            "s" | "n" => {
                operands = operands.get(1..).unwrap_or_default();
                operands.first().map_or("", String::as_str)
            }
            name => name,
        };
        signal = match name {
            "0" => None,
            _ => match Signal::parse(name) {
                Some(signal) => Some(signal),
                None => {
                    let message = match shell.bash {
                        true => format!("kill: {name}: invalid signal specification"),
                        false => format!("bad signal name '{name}'"),
                    };
                    say(shell, &message);
                    return Ok(1);
                }
            },
        };
        operands = operands.get(1..).unwrap_or_default();
    }
    if operands.first().is_some_and(|w| w == "--") {
        operands = operands.get(1..).unwrap_or_default();
    }
    if operands.is_empty() {
        say(shell, "you need to specify whom to kill");
        return Ok(1);
    }
    let mut status = 0;
    for word in operands {
        let pids = if word.starts_with('%') {
            match shell.jobs.find(word) {
                Some(number) => shell.job_targets(number),
                None => return Err(shell.fatal(&format!("{word}: no such job"))),
            }
        } else {
            match word.parse() {
                Ok(pid) => vec![Pid(pid)],
                Err(_) => {
                    say(shell, &format!("invalid number '{word}'"));
                    status = 1;
                    continue;
                }
            }
        };
        for pid in pids {
            if let Err(errno) = sys::kill(pid, signal) {
                let message = match shell.bash {
                    true => format!("kill: ({pid}) - {errno}"),
                    false => format!("can't kill pid {pid}: {errno}"),
                };
                say(shell, &message);
                status = 1;
            }
        }
    }
    Ok(status)
}

fn say(shell: &mut Shell, message: &str) {
    shell.complain_as_applet(message);
}

fn list(shell: &mut Shell, operands: &[String]) -> Status {
    if operands.is_empty() {
        let lines: Vec<String> = (1..32)
            .filter_map(Signal::new)
            .map(|signal| format!("{:2}) {}\n", signal.number(), signal.name()))
            .collect();
        shell.print(&lines.concat());
        return Ok(0);
    }
    for word in operands {
        let line = match word.parse::<u32>() {
            // An exit status of a process that a signal killed is fine too.
            Ok(number) => match u8::try_from(number & 0x7f)
                .ok()
                .and_then(Signal::new)
                .filter(|s| s.number() < 32)
            {
                Some(signal) => signal.name(),
                None => number.to_string(),
            },
            Err(_) => match Signal::parse(word) {
                Some(signal) => signal.number().to_string(),
                None => {
                    say(shell, &format!("unknown signal '{word}'"));
                    return Ok(1);
                }
            },
        };
        shell.print(&format!("{line}\n"));
    }
    Ok(0)
}

impl Shell {
    /// What to send a job's signal to: its group, or its processes.
    pub(super) fn job_targets(&mut self, number: usize) -> Vec<Pid> {
        let Some(job) = self.jobs.get(number) else {
            return Vec::new();
        };
        match job.group {
            Some(group) => vec![Pid(-group.0)],
            None => job.processes.iter().map(|p| p.pid).collect(),
        }
    }

    /// Lets a stopped job go on.
    pub(super) fn continue_job(&mut self, number: usize) -> Result<(), Errno> {
        for pid in self.job_targets(number) {
            sys::kill(pid, Some(Signal::CONT))?;
        }
        if let Some(job) = self.jobs.get(number) {
            for process in &mut job.processes {
                if matches!(process.status, Some(sys::WaitStatus::Stopped(_))) {
                    process.status = None;
                }
            }
            job.changed = false;
        }
        Ok(())
    }
}

pub(super) fn trap(shell: &mut Shell, words: &[String]) -> Status {
    let (letters, operands) = shell.options(words, "p")?;
    let _ = letters;
    let Some((first, signals)) = operands.split_first() else {
        let traps = if shell.traps.actions.is_empty() {
            &shell.traps.inherited
        } else {
            &shell.traps.actions
        };
        let lines: Vec<String> = traps
            .iter()
            .map(|(number, action)| {
                let name = Signal::new(*number).map_or_else(|| "EXIT".to_owned(), Signal::name);
                let name = if shell.bash && *number != EXIT {
                    format!("SIG{name}")
                } else {
                    name
                };
                format!("trap -- {} {name}\n", single_quoted(action))
            })
            .collect();
        shell.print(&lines.concat());
        return Ok(0);
    };
    // `trap 2` and `trap - INT`: back to the default.
    let (action, signals) = match first.as_str() {
        "-" => (None, signals),
        number if signals.is_empty() || number.parse::<u8>().is_ok() => (None, operands),
        action => (Some(action.to_owned()), signals),
    };
    let mut status = 0;
    for word in signals {
        let number = match word.as_str() {
            "0" | "EXIT" | "exit" => Some(EXIT),
            _ => Signal::parse(word).map(Signal::number),
        };
        match number {
            Some(number) => shell.set_trap(number, action.clone()),
            None => {
                shell.complain(&format!("{word}: invalid signal specification"));
                status = 1;
            }
        }
    }
    Ok(status)
}

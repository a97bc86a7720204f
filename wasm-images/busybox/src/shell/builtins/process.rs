//! `jobs`, `fg`, `bg`, `wait`, `times`.

use crate::shell::flow::{Flow, Status};
use crate::shell::jobs::State;
use crate::shell::shell::Shell;
use crate::shell::sys::{self, Pid};
use std::time::Duration;

/// The job that a word names; the current one without a word.
fn find(shell: &mut Shell, word: Option<&String>) -> Result<usize, Flow> {
    match word {
        None => match shell.jobs.current() {
            Some(number) => Ok(number),
            None => Err(shell.fatal(if shell.bash {
                "current: no such job"
            } else {
                "No current job"
            })),
        },
        Some(word) => match shell.jobs.find(word) {
            Some(number) => Ok(number),
            None => Err(shell.fatal(&format!("{word}: no such job"))),
        },
    }
}

pub(super) fn jobs(shell: &mut Shell, words: &[String]) -> Status {
    let (letters, operands) = shell.options(words, "lp")?;
    shell.reap();
    let mut numbers: Vec<usize> = shell.jobs.list.iter().map(|j| j.number).collect();
    if !operands.is_empty() {
        numbers.clear();
        for word in operands {
            numbers.push(find(shell, Some(word))?);
        }
    }
    for number in numbers {
        let mark = shell.jobs.mark(number);
        let Some(job) = shell.jobs.get(number) else { continue };
        let line = match letters.contains(&'p') {
            true => job
                .processes
                .first()
                .map(|p| format!("{}\n", p.pid))
                .unwrap_or_default(),
            false => job.show(mark, letters.contains(&'l')),
        };
        job.changed = false;
        let done = job.state() == State::Done;
        shell.print(&line);
        if done {
            shell.jobs.remove(number);
        }
    }
    Ok(0)
}

pub(super) fn fg(shell: &mut Shell, words: &[String]) -> Status {
    let number = find(shell, words.get(1))?;
    let Some(text) = shell
        .jobs
        .get(number)
        .filter(|job| job.group.is_some())
        .map(|job| job.text())
    else {
        return Err(shell.fatal(&format!("job {number} not created under job control")));
    };
    shell.print(&format!("{text}\n"));
    shell.flush();
    let group = shell.jobs.get(number).and_then(|job| job.group);
    if let (Some(tty), Some(group)) = (shell.tty, group) {
        let _ = sys::tcsetpgrp(tty, group);
    }
    let continued = shell.continue_job(number);
    if let Err(errno) = continued {
        shell.reclaim_terminal();
        return Err(shell.fatal(&errno.to_string()));
    }
    match shell.jobs.take(number) {
        Some(job) => shell.wait_foreground(job),
        None => Ok(127),
    }
}

pub(super) fn bg(shell: &mut Shell, words: &[String]) -> Status {
    let operands = words.get(1..).unwrap_or_default();
    let numbers = match operands {
        [] => vec![find(shell, None)?],
        _ => operands
            .iter()
            .map(|w| find(shell, Some(w)))
            .collect::<Result<_, _>>()?,
    };
    for number in numbers {
        if let Err(errno) = shell.continue_job(number) {
            return Err(shell.fatal(&errno.to_string()));
        }
        let mark = if shell.bash {
            format!("{}", shell.jobs.mark(number))
        } else {
            String::new()
        };
        let text = shell.jobs.get(number).map(|job| job.text()).unwrap_or_default();
        let end = if shell.bash { " &" } else { "" };
        shell.print(&format!("[{number}]{mark} {text}{end}\n"));
    }
    Ok(0)
}

pub(super) fn wait(shell: &mut Shell, words: &[String]) -> Status {
    let operands = words.get(1..).unwrap_or_default();
    if operands.is_empty() {
        shell.reap();
        while let Some(number) = shell
            .jobs
            .list
            .iter()
            .find(|job| job.state() == State::Running)
            .map(|job| job.number)
        {
            let status = shell.wait_job(number);
            if shell.trap_pending().is_some() {
                return Ok(status);
            }
        }
        if !shell.interactive() {
            shell.jobs.forget_done();
        }
        return Ok(0);
    }
    let mut status = 0;
    for word in operands {
        status = if let Some(number) = shell.jobs.find(word) {
            shell.wait_job(number)
        } else if word.starts_with('%') {
            return Err(shell.fatal(&format!("{word}: no such job")));
        } else {
            match word.parse() {
                Ok(pid) => shell.jobs.take_finished(Pid(pid)).unwrap_or(127),
                Err(_) => return Err(shell.illegal_number(word)),
            }
        };
        if shell.trap_pending().is_some() {
            return Ok(status);
        }
    }
    Ok(status)
}

pub(super) fn times(shell: &mut Shell, _: &[String]) -> Status {
    let show = |time: Duration| {
        let seconds = time.as_secs();
        format!("{}m{}.{:03}s", seconds / 60, seconds % 60, time.subsec_millis())
    };
    let times = sys::times();
    shell.print(&format!("{} {}\n", show(times.user), show(times.system)));
    shell.print(&format!(
        "{} {}\n",
        show(times.children_user),
        show(times.children_system)
    ));
    Ok(0)
}

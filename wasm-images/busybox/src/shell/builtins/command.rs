//! `command`, `type`, `hash`.

use crate::shell::flow::{Flow, Status};
use crate::shell::launch::Failure;
use crate::shell::parser::KEYWORDS;
use crate::shell::shell::Shell;
use crate::shell::sys;
use crate::shell::text::single_quoted;

pub(super) fn command(shell: &mut Shell, words: &[String]) -> Status {
    // What it runs speaks for itself, so the name is set only here.
    let outer = shell.command_name.replace("command".to_owned());
    let options = shell.options(words, "pvV");
    shell.command_name = outer;
    let (letters, operands) = options?;
    if letters.iter().any(|l| matches!(l, 'v' | 'V')) {
        let Some(name) = operands.first() else { return Ok(0) };
        return Ok(describe(shell, name, letters.contains(&'V')));
    }
    let Some(name) = operands.first() else { return Ok(0) };
    if let Some(builtin) = super::find(name) {
        // Errors of special builtins do not end the script here.
        return match shell.call_builtin(builtin, operands) {
            Err(Flow::Error(status)) => Ok(status),
            other => other,
        };
    }
    let path = if letters.contains(&'p') && !name.contains('/') {
        shell.search(name, Shell::default_path())
    } else {
        shell.find_program(name)
    };
    let environment = shell.vars.environment();
    shell.run_program(operands.to_vec(), path, environment, Default::default(), || {
        operands.join(" ")
    })
}

pub(super) fn type_builtin(shell: &mut Shell, words: &[String]) -> Status {
    let mut status = 0;
    for name in words.iter().skip(1).filter(|w| !w.starts_with('-')) {
        status = describe(shell, name, true).max(status);
    }
    Ok(status)
}

/// What a name stands for, in words or (`command -v`) as it would be called.
fn describe(shell: &mut Shell, name: &str, long: bool) -> i32 {
    let text = if KEYWORDS.contains(&name) {
        if long {
            format!("{name} is a shell keyword")
        } else {
            name.to_owned()
        }
    } else if let Some(value) = shell.aliases.get(name) {
        match long {
            true if shell.bash => format!("{name} is aliased to `{value}'"),
            true => format!("{name} is an alias for {value}"),
            false => format!("alias {name}={}", single_quoted(value)),
        }
    } else if shell.functions.contains_key(name) {
        if long {
            format!("{name} is a function")
        } else {
            name.to_owned()
        }
    } else if let Some(builtin) = super::find(name) {
        let kind = if builtin.special && !shell.bash { "special " } else { "" };
        if long {
            format!("{name} is a {kind}shell builtin")
        } else {
            name.to_owned()
        }
    } else {
        let path = match name.contains('/') {
            true => sys::faccessat(sys::Fd::CWD, name, sys::Access::EXEC)
                .is_ok()
                .then(|| name.to_owned()),
            false => shell.search(name, shell.vars.get("PATH").unwrap_or("")),
        };
        match path {
            Some(path) if long => format!("{name} is {path}"),
            Some(path) => path,
            None => {
                if long && shell.bash {
                    shell.complain(&format!("{name}: not found"));
                } else if long {
                    shell.print(&format!("{name}: not found\n"));
                }
                return if shell.bash { 1 } else { Failure::NotFound.status() };
            }
        }
    };
    shell.print(&format!("{text}\n"));
    0
}

pub(super) fn hash(shell: &mut Shell, words: &[String]) -> Status {
    let (letters, operands) = shell.options(words, "rv")?;
    if letters.contains(&'r') {
        shell.hashed.clear();
        return Ok(0);
    }
    if operands.is_empty() {
        let list: Vec<String> = shell.hashed.values().map(|(path, _)| format!("{path}\n")).collect();
        shell.print(&list.concat());
        return Ok(0);
    }
    let mut status = 0;
    for name in operands {
        shell.hashed.remove(name);
        if super::find(name).is_none() && !shell.functions.contains_key(name) && shell.find_program(name).is_none() {
            shell.complain(&format!("{name}: not found"));
            status = 1;
        }
    }
    Ok(status)
}

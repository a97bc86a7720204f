//! `export`, `readonly`, `unset`, `local`, `shift`, `getopts`, `let`.

use crate::shell::arith;
use crate::shell::flow::{Flow, Status};
use crate::shell::shell::Shell;
use crate::shell::text::{is_name, single_quoted};

/// `name` or `name=value`, where the name must be one.
fn split_assignment<'w>(shell: &mut Shell, word: &'w str) -> Result<(&'w str, Option<&'w str>), Flow> {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    if !is_name(name) {
        let message = match shell.bash {
            true => format!("`{word}': not a valid identifier"),
            false => format!("{name}: bad variable name"),
        };
        return Err(shell.fatal(&message));
    }
    Ok((name, value))
}

pub(super) fn export(shell: &mut Shell, words: &[String]) -> Status {
    let (letters, operands) = shell.options(words, "pn")?;
    if operands.is_empty() || letters.contains(&'p') {
        return list(shell, "export", |variable| variable.exported);
    }
    for word in operands {
        let (name, value) = split_assignment(shell, word)?;
        if let Some(value) = value {
            shell.set_var(name, value.to_owned())?;
        }
        shell.vars.export(name, !letters.contains(&'n'));
    }
    Ok(0)
}

pub(super) fn readonly(shell: &mut Shell, words: &[String]) -> Status {
    let (letters, operands) = shell.options(words, "p")?;
    if operands.is_empty() || letters.contains(&'p') {
        return list(shell, "readonly", |variable| variable.readonly);
    }
    for word in operands {
        let (name, value) = split_assignment(shell, word)?;
        if let Some(value) = value {
            shell.set_var(name, value.to_owned())?;
        }
        shell.vars.set_readonly(name);
    }
    Ok(0)
}

fn list(shell: &mut Shell, word: &str, shown: impl Fn(&crate::shell::vars::Variable) -> bool) -> Status {
    let word = match (shell.bash, word) {
        (true, "export") => "declare -x",
        (true, _) => "declare -r",
        (false, word) => word,
    };
    let mut out = String::new();
    for (name, variable) in shell.vars.map().iter().filter(|(_, v)| shown(v)) {
        match &variable.value {
            Some(value) if shell.bash => out.push_str(&format!("{word} {name}=\"{}\"\n", value.replace('"', "\\\""))),
            Some(value) => out.push_str(&format!("{word} {name}={}\n", single_quoted(value))),
            None => out.push_str(&format!("{word} {name}\n")),
        }
    }
    shell.print(&out);
    Ok(0)
}

pub(super) fn unset(shell: &mut Shell, words: &[String]) -> Status {
    let (letters, operands) = shell.options(words, "fv")?;
    for name in operands {
        if letters.last() == Some(&'f') {
            shell.functions.remove(name);
            continue;
        }
        if !is_name(name) && !shell.bash {
            return Err(shell.fatal(&format!("{name}: bad variable name")));
        }
        if shell.vars.unset(name).is_err() {
            return Err(shell.fatal(&format!("{name}: is read only")));
        }
        if letters.is_empty() && shell.bash && !is_name(name) {
            shell.functions.remove(name);
        }
        if name == "PATH" {
            shell.hashed.clear();
        }
    }
    Ok(0)
}

pub(super) fn local(shell: &mut Shell, words: &[String]) -> Status {
    if !shell.vars.in_scope() || shell.function_depth == 0 {
        let message = if shell.bash {
            "can only be used in a function"
        } else {
            "not in a function"
        };
        return Err(shell.fatal(message));
    }
    for word in words.iter().skip(1) {
        let (name, value) = split_assignment(shell, word)?;
        let new = shell.vars.make_local(name);
        match value {
            Some(value) => shell.set_var(name, value.to_owned())?,
            // A new one is unset, as in ash; a second declaration changes nothing.
            None if new => {
                let exported = shell.vars.map().get(name).is_some_and(|v| v.exported);
                if shell.vars.unset(name).is_ok() && exported {
                    shell.vars.export(name, true);
                }
            }
            None => {}
        }
    }
    Ok(0)
}

pub(super) fn shift(shell: &mut Shell, words: &[String]) -> Status {
    let n = match words.get(1) {
        None => 1,
        Some(word) => match word.parse::<usize>() {
            Ok(n) => n,
            Err(_) => return Err(shell.illegal_number(word)),
        },
    };
    if n > shell.positional.len() {
        return Ok(1);
    }
    shell.positional.drain(..n);
    shell.getopts.1 = 0;
    Ok(0)
}

pub(super) fn getopts(shell: &mut Shell, words: &[String]) -> Status {
    let (Some(spec), Some(variable)) = (words.get(1), words.get(2)) else {
        return Err(shell.fatal("usage: getopts optstring var [arg]"));
    };
    if !is_name(variable) {
        return Err(shell.fatal(&format!("{variable}: bad variable name")));
    }
    let arguments = match words.get(3..) {
        Some(given) if !given.is_empty() => given.to_vec(),
        _ => shell.positional.clone(),
    };
    let silent = spec.starts_with(':');
    let (mut index, mut at) = shell.getopts;
    if at == 0 || word_before(&arguments, index).get(at..).is_none_or(str::is_empty) {
        let word = arguments.get(index - 1).map_or("", String::as_str);
        if word.len() < 2 || !word.starts_with('-') || word == "--" {
            let index = index + usize::from(word == "--");
            finish(shell, index, 0)?;
            shell.set_var(variable, "?".to_owned())?;
            shell.vars.unset("OPTARG").ok();
            return Ok(1);
        }
        at = 1;
        // OPTIND is the next word's index from here on, as in ash.
        index += 1;
    }
    let word = word_before(&arguments, index).to_owned();
    let Some(letter) = word.get(at..).and_then(|rest| rest.chars().next()) else {
        return Ok(1);
    };
    at += letter.len_utf8();
    let rest = word.get(at..).unwrap_or("").to_owned();
    let known = (letter != ':').then(|| spec.find(letter)).flatten();
    let takes_argument = known.is_some_and(|i| {
        spec.get(i + letter.len_utf8()..)
            .is_some_and(|after| after.starts_with(':'))
    });
    let mut result = letter.to_string();
    let mut argument = None;
    if known.is_none() {
        result = "?".to_owned();
        if silent {
            argument = Some(letter.to_string());
        } else {
            shell.warn(&format!("Illegal option -{letter}\n"));
        }
    } else if takes_argument {
        at = 0;
        if !rest.is_empty() {
            argument = Some(rest);
        } else if let Some(next) = arguments.get(index - 1) {
            argument = Some(next.clone());
            index += 1;
        } else if silent {
            result = ":".to_owned();
            argument = Some(letter.to_string());
        } else {
            shell.warn(&format!("No arg for -{letter} option\n"));
            result = "?".to_owned();
        }
    }
    if word.get(at..).is_none_or(str::is_empty) {
        at = 0;
    }
    finish(shell, index, at)?;
    match argument {
        Some(argument) => shell.set_var("OPTARG", argument)?,
        None => {
            shell.vars.unset("OPTARG").ok();
        }
    }
    shell.set_var(variable, result)?;
    Ok(0)
}

/// The word before the one that OPTIND tells.
fn word_before(arguments: &[String], index: usize) -> &str {
    index
        .checked_sub(2)
        .and_then(|i| arguments.get(i))
        .map_or("", String::as_str)
}

fn finish(shell: &mut Shell, index: usize, at: usize) -> Result<(), Flow> {
    shell.set_var("OPTIND", index.to_string())?;
    shell.getopts.1 = at;
    Ok(())
}

pub(super) fn let_builtin(shell: &mut Shell, words: &[String]) -> Status {
    if words.len() < 2 {
        return Err(shell.fatal("expression expected"));
    }
    let mut value = 0;
    for word in words.iter().skip(1) {
        value = match arith::evaluate(word, shell) {
            Ok(value) => value,
            Err(message) => return Err(shell.fatal(&message)),
        };
    }
    Ok(i32::from(value == 0))
}

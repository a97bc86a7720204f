//! `set`, `alias`, `unalias`, `umask`, `ulimit`, `help`, `history`.

use crate::shell::flow::Status;
use crate::shell::options::{OPTIONS, Opt, Options};
use crate::shell::shell::Shell;
use crate::shell::sys::{self, Mode, Resource, Rlimit};
use crate::shell::text::single_quoted;

pub(super) fn set(shell: &mut Shell, words: &[String]) -> Status {
    if words.len() == 1 {
        let lines: Vec<String> = shell
            .vars
            .map()
            .iter()
            .filter_map(|(name, variable)| {
                let value = variable.value.as_ref()?;
                Some(format!("{name}={}\n", single_quoted(value)))
            })
            .collect();
        shell.print(&lines.concat());
        return Ok(0);
    }
    let mut rest = words.get(1..).unwrap_or_default();
    let mut replace = false;
    while let Some((word, tail)) = rest.split_first() {
        if word == "--" {
            rest = tail;
            replace = true;
            break;
        }
        if word == "-" {
            rest = tail;
            shell.options.set(Opt::Xtrace, false);
            shell.options.set(Opt::Verbose, false);
            break;
        }
        let (on, letters) = match (word.strip_prefix('-'), word.strip_prefix('+')) {
            (Some(letters), _) => (true, letters),
            (_, Some(letters)) if !letters.is_empty() => (false, letters),
            _ => break,
        };
        rest = tail;
        for letter in letters.chars() {
            if letter == 'o' {
                match rest.split_first() {
                    Some((name, tail)) => {
                        rest = tail;
                        if !shell.set_option(name, on) {
                            shell.complain(&format!("illegal option {}o {name}", if on { '-' } else { '+' }));
                            return Ok(1);
                        }
                    }
                    None => show_options(shell, on),
                }
                continue;
            }
            match Options::by_letter(letter) {
                Some(option) if !matches!(option, Opt::Interactive | Opt::Stdin | Opt::Command) => {
                    shell.change_option(option, on);
                }
                _ => return Err(shell.illegal_option(letter)),
            }
        }
    }
    if replace || !rest.is_empty() {
        shell.positional = rest.to_vec();
        shell.getopts = (1, 0);
    }
    Ok(0)
}

fn show_options(shell: &mut Shell, table: bool) {
    let lines: Vec<String> = OPTIONS
        .iter()
        .filter(|(_, _, name)| !name.is_empty())
        .map(|(option, _, name)| {
            let on = shell.has(*option);
            match table {
                true => format!("{name:<16}{}\n", if on { "on" } else { "off" }),
                false => format!("set {}o {name}\n", if on { '-' } else { '+' }),
            }
        })
        .collect();
    shell.print(&lines.concat());
}

impl Shell {
    /// `set -o name`; `false` if there is no such option.
    pub(crate) fn set_option(&mut self, name: &str, on: bool) -> bool {
        // Bash's editing modes are this shell's only one.
        if matches!(name, "emacs" | "posix") && self.bash {
            return true;
        }
        let option = Options::by_name(name);
        if let Some(option) = option {
            self.change_option(option, on);
        }
        option.is_some()
    }

    fn change_option(&mut self, option: Opt, on: bool) {
        self.options.set(option, on);
        if option == Opt::Monitor {
            self.set_job_control(on);
        }
    }
}

pub(super) fn alias(shell: &mut Shell, words: &[String]) -> Status {
    if words.len() == 1 {
        let lines: Vec<String> = shell
            .aliases
            .iter()
            .map(|(name, value)| format!("{}\n", definition(shell.bash, name, value)))
            .collect();
        shell.print(&lines.concat());
        return Ok(0);
    }
    let mut status = 0;
    for word in words.iter().skip(1) {
        match word.split_once('=').filter(|(name, _)| !name.is_empty()) {
            Some((name, value)) => {
                shell.aliases.insert(name.to_owned(), value.to_owned());
            }
            None => match shell.aliases.get(word) {
                Some(value) => {
                    let line = format!("{}\n", definition(shell.bash, word, value));
                    shell.print(&line);
                }
                None => {
                    missing_alias(shell, "alias", word);
                    status = 1;
                }
            },
        }
    }
    Ok(status)
}

fn definition(bash: bool, name: &str, value: &str) -> String {
    let word = if bash { "alias " } else { "" };
    format!("{word}{name}={}", single_quoted(value))
}

fn missing_alias(shell: &mut Shell, builtin: &str, name: &str) {
    if shell.bash {
        shell.complain(&format!("{name}: not found"));
    } else {
        shell.warn(&format!("{builtin}: {name} not found\n"));
    }
}

pub(super) fn unalias(shell: &mut Shell, words: &[String]) -> Status {
    let (letters, operands) = shell.options(words, "a")?;
    if letters.contains(&'a') {
        shell.aliases.clear();
        return Ok(0);
    }
    let mut status = 0;
    for name in operands {
        if shell.aliases.remove(name).is_none() {
            missing_alias(shell, "unalias", name);
            status = 1;
        }
    }
    Ok(status)
}

pub(super) fn umask(shell: &mut Shell, words: &[String]) -> Status {
    let (letters, operands) = shell.options(words, "S")?;
    let Some(text) = operands.first() else {
        // The only way to ask is to set.
        let mask = sys::umask(Mode(0));
        sys::umask(mask);
        let line = if letters.contains(&'S') {
            symbolic(mask.0)
        } else {
            format!("{:04o}", mask.0)
        };
        shell.print(&format!("{line}\n"));
        return Ok(0);
    };
    let octal = text.starts_with(|c: char| c.is_ascii_digit());
    let new = if octal {
        u16::from_str_radix(text, 8).ok().filter(|m| *m <= 0o777)
    } else {
        let old = sys::umask(Mode(0));
        sys::umask(old);
        apply_symbolic(!old.0 & 0o777, text).map(|allowed| !allowed & 0o777)
    };
    match new {
        Some(mask) => {
            sys::umask(Mode(mask));
            Ok(0)
        }
        None => Err(shell.fatal(&format!("illegal mode: {text}"))),
    }
}

fn symbolic(mask: u16) -> String {
    let part = |who: char, shift: u16| {
        let allowed = !(mask >> shift) & 7;
        let letters: String = [('r', 4), ('w', 2), ('x', 1)]
            .iter()
            .filter(|(_, bit)| allowed & bit != 0)
            .map(|(l, _)| *l)
            .collect();
        format!("{who}={letters}")
    };
    [part('u', 6), part('g', 3), part('o', 0)].join(",")
}

/// `u=rwx,g-w` on what is allowed.
fn apply_symbolic(mut allowed: u16, text: &str) -> Option<u16> {
    for clause in text.split(',') {
        let at = clause.find(['+', '-', '='])?;
        let (who, rest) = clause.split_at(at);
        let shifts: Vec<u16> = match who {
            "" => vec![6, 3, 0],
            _ => who
                .chars()
                .map(|c| match c {
                    'u' => Some(vec![6]),
                    'g' => Some(vec![3]),
                    'o' => Some(vec![0]),
                    'a' => Some(vec![6, 3, 0]),
                    _ => None,
                })
                .collect::<Option<Vec<_>>>()?
                .concat(),
        };
        let mut chars = rest.chars();
        let operator = chars.next()?;
        let mut bits = 0;
        for c in chars {
            bits |= match c {
                'r' => 4,
                'w' => 2,
                'x' => 1,
                _ => return None,
            };
        }
        for shift in shifts {
            match operator {
                '+' => allowed |= bits << shift,
                '-' => allowed &= !(bits << shift),
                _ => allowed = allowed & !(7 << shift) | (bits << shift),
            }
        }
    }
    Some(allowed)
}

/// Limits in ash's order: letter, resource, unit in bytes, text.
const LIMITS: [(char, Resource, u64, &str); 15] = [
    ('c', Resource::Core, 512, "core file size (blocks)"),
    ('d', Resource::Data, 1024, "data seg size (kb)"),
    ('e', Resource::Nice, 1, "scheduling priority"),
    ('f', Resource::Fsize, 512, "file size (blocks)"),
    ('i', Resource::Sigpending, 1, "pending signals"),
    ('l', Resource::Memlock, 1024, "max locked memory (kb)"),
    ('m', Resource::Rss, 1024, "max memory size (kb)"),
    ('n', Resource::Nofile, 1, "open files"),
    ('q', Resource::Msgqueue, 1, "POSIX message queues (bytes)"),
    ('r', Resource::Rtprio, 1, "real-time priority"),
    ('s', Resource::Stack, 1024, "stack size (kb)"),
    ('t', Resource::Cpu, 1, "cpu time (seconds)"),
    ('u', Resource::Nproc, 1, "max user processes"),
    ('v', Resource::As, 1024, "virtual memory (kb)"),
    ('x', Resource::Locks, 1, "file locks"),
];

pub(super) fn ulimit(shell: &mut Shell, words: &[String]) -> Status {
    let (letters, operands) = shell.options(words, "HSacdefilmnqrstuvx")?;
    let (hard, soft) = (letters.contains(&'H'), letters.contains(&'S'));
    if letters.contains(&'a') {
        for (letter, resource, unit, text) in LIMITS {
            let value = show_limit(sys::getrlimit(resource), hard && !soft, unit);
            shell.print(&format!("{text:<32}(-{letter}) {value}\n"));
        }
        return Ok(0);
    }
    let letter = letters
        .iter()
        .rev()
        .find(|l| !matches!(l, 'H' | 'S'))
        .copied()
        .unwrap_or('f');
    let Some((_, resource, unit, _)) = LIMITS.iter().find(|limit| limit.0 == letter).copied() else {
        return Err(shell.illegal_option(letter));
    };
    let limit = sys::getrlimit(resource);
    let Some(text) = operands.first() else {
        shell.print(&format!("{}\n", show_limit(limit, hard && !soft, unit)));
        return Ok(0);
    };
    let value = match text.as_str() {
        "unlimited" => None,
        _ => match text.parse::<u64>() {
            Ok(n) => Some(n.saturating_mul(unit)),
            Err(_) => {
                shell.complain_as_applet(&format!("invalid number '{text}'"));
                return Ok(1);
            }
        },
    };
    let both = hard == soft;
    let new = Rlimit {
        soft: if soft || both { value } else { limit.soft },
        hard: if hard || both { value } else { limit.hard },
    };
    match sys::setrlimit(resource, new) {
        Ok(()) => Ok(0),
        Err(errno) => {
            shell.complain_as_applet(&format!("error setting limit: {errno}"));
            Ok(1)
        }
    }
}

fn show_limit(limit: Rlimit, hard: bool, unit: u64) -> String {
    match if hard { limit.hard } else { limit.soft } {
        None => "unlimited".to_owned(),
        Some(value) => (value / unit).to_string(),
    }
}

pub(super) fn help(shell: &mut Shell, _: &[String]) -> Status {
    shell.print("Built-in commands:\n------------------\n");
    let mut line = String::new();
    for name in super::names() {
        if line.len() + name.len() > 64 {
            shell.print(&format!("\t{}\n", line.trim_end()));
            line.clear();
        }
        line.push_str(name);
        line.push(' ');
    }
    shell.print(&format!("\t{}\n", line.trim_end()));
    Ok(0)
}

pub(super) fn history(shell: &mut Shell, _: &[String]) -> Status {
    let lines: Vec<String> = shell
        .history
        .iter()
        .enumerate()
        .map(|(i, line)| format!("{i:4} {line}\n"))
        .collect();
    shell.print(&lines.concat());
    Ok(0)
}

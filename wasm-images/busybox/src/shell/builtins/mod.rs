//! The commands that are part of the shell.

mod command;
mod control;
mod directory;
mod number;
mod output;
mod process;
mod read;
mod settings;
mod signal;
mod test;
mod variable;

use super::ast::{SimpleCommand, Word};
use super::expand;
use super::flow::{Flow, Status};
use super::shell::Shell;

/// A builtin.
pub(crate) struct Builtin {
    pub(crate) name: &'static str,
    /// Found before functions; its errors end a script (POSIX XCU 2.14).
    pub(crate) special: bool,
    /// Only prints, and changes nothing: may run in this process where a subshell is asked for.
    pub(crate) inline: bool,
    pub(crate) run: fn(&mut Shell, &[String]) -> Status,
}

macro_rules! builtins {
    ($($name:literal $kind:ident $run:path;)*) => {
        /// All builtins, sorted.
        static BUILTINS: &[Builtin] = &[$(
            Builtin {
                name: $name,
                special: matches!(stringify!($kind).as_bytes(), b"special"),
                inline: matches!(stringify!($kind).as_bytes(), b"inline"),
                run: $run,
            },
        )*];
    };
}

builtins! {
    "." special control::source;
    ":" special control::success;
    "[" inline test::bracket;
    "[[" plain test::double_bracket;
    "alias" plain settings::alias;
    "bg" plain process::bg;
    "break" special control::break_loop;
    "cd" plain directory::cd;
    "chdir" plain directory::cd;
    "command" plain command::command;
    "continue" special control::continue_loop;
    "echo" inline output::echo;
    "eval" special control::eval;
    "exec" special control::success;
    "exit" special control::exit;
    "export" special variable::export;
    "false" inline control::failure;
    "fg" plain process::fg;
    "getopts" plain variable::getopts;
    "hash" plain command::hash;
    "help" plain settings::help;
    "history" plain settings::history;
    "jobs" plain process::jobs;
    "kill" plain signal::kill;
    "let" plain variable::let_builtin;
    "local" special variable::local;
    "printf" inline output::printf;
    "pwd" inline directory::pwd;
    "read" plain read::read;
    "readonly" special variable::readonly;
    "return" special control::return_from;
    "set" special settings::set;
    "shift" special variable::shift;
    "source" special control::source;
    "test" inline test::test;
    "times" special process::times;
    "trap" special signal::trap;
    "true" inline control::success;
    "type" plain command::type_builtin;
    "ulimit" plain settings::ulimit;
    "umask" plain settings::umask;
    "unalias" plain settings::unalias;
    "unset" special variable::unset;
    "wait" plain process::wait;
}

/// The builtin of this name.
pub(crate) fn find(name: &str) -> Option<&'static Builtin> {
    let at = BUILTINS.binary_search_by(|b| b.name.cmp(name)).ok()?;
    BUILTINS.get(at)
}

/// The names, sorted.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    BUILTINS.iter().map(|b| b.name)
}

/// Whether it is `[[ … ]]`, whose words are not split.
pub(crate) fn is_double_bracket(command: &SimpleCommand) -> bool {
    command.words.first().and_then(Word::as_literal) == Some("[[")
}

/// Expands the words of `[[ … ]]`: neither split nor matched against files; what is compared with stays a pattern.
pub(crate) fn expand_double_bracket(shell: &mut Shell, words: &[Word]) -> Result<Vec<String>, Flow> {
    let mut out: Vec<String> = Vec::with_capacity(words.len());
    for word in words {
        let pattern = matches!(out.last().map(String::as_str), Some("=" | "==" | "!="));
        let field = expand::as_pattern(shell, word)?;
        out.push(if pattern { field.pattern } else { field.text });
    }
    Ok(out)
}

impl Shell {
    /// `cd: illegal option -x`.
    fn illegal_option(&mut self, option: char) -> Flow {
        let message = if self.bash {
            format!("-{option}: invalid option")
        } else {
            format!("illegal option -{option}")
        };
        self.fatal(&message)
    }

    /// `exit: Illegal number: x`.
    fn illegal_number(&mut self, text: &str) -> Flow {
        let message = if self.bash {
            format!("{text}: numeric argument required")
        } else {
            format!("Illegal number: {text}")
        };
        self.fatal(&message)
    }

    /// The letters of leading options and the operands; letters must be in `known`.
    fn options<'w>(&mut self, words: &'w [String], known: &str) -> Result<(Vec<char>, &'w [String]), Flow> {
        let mut letters = Vec::new();
        let mut rest = words.get(1..).unwrap_or_default();
        while let Some((word, tail)) = rest.split_first() {
            if word == "--" {
                rest = tail;
                break;
            }
            let Some(group) = word.strip_prefix('-').filter(|g| !g.is_empty()) else {
                break;
            };
            for letter in group.chars() {
                if !known.contains(letter) {
                    return Err(self.illegal_option(letter));
                }
                letters.push(letter);
            }
            rest = tail;
        }
        Ok((letters, rest))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_table_is_sorted_as_the_search_needs_it() {
        let names: Vec<_> = super::names().collect();
        assert!(names.is_sorted());
        for name in names {
            assert!(super::find(name).is_some_and(|b| b.name == name));
        }
        assert!(super::find("nonono").is_none());
    }
}

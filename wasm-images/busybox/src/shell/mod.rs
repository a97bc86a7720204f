//! The POSIX shell: `sh`, `ash` and, with bash's prompt and messages, `bash`.
//!
//! It speaks ash's language and words its messages as BusyBox does. There is no `fork` underneath: programs are spawned,
//! and a subshell is this program once more, with the shell's state handed over through a pipe (`subshell.rs`).
//!
//! * Text to tree, pure: `lexer`, `word`, `parser` with `compound` and `braces`, `ast`.
//! * Words to arguments, pure over a trait: `expand`, `fields`, `glob`, `pattern`, `arith`.
//! * Running: `exec` (compound commands), `simple`, `pipeline`, `subshell`, `launch` (programs), `redirect`, `builtins`.
//! * State: `shell`, `vars`, `options`, `traps`, `jobs` with `control` (waiting).
//! * At a terminal: `interactive`, `lineedit` with `screen` and `complete`, `prompt`.

mod arith;
mod ast;
mod braces;
mod builtins;
mod codec;
mod complete;
mod compound;
mod control;
mod display;
mod effects;
mod exec;
mod expand;
mod fields;
mod flow;
mod glob;
mod host;
mod interactive;
mod jobs;
mod launch;
mod lexer;
mod lineedit;
mod options;
mod parser;
mod pattern;
mod pipeline;
mod prompt;
mod redirect;
mod screen;
#[expect(clippy::module_inception, reason = "the state of the shell is called what it is")]
mod shell;
mod simple;
mod startup;
mod subshell;
mod sys;
#[cfg(test)]
mod tests;
mod text;
mod traps;
mod vars;
mod word;

/// Runs the shell with these arguments (the first is its name); gives the exit status.
pub fn main(args: &[String]) -> i32 {
    startup::main(args)
}

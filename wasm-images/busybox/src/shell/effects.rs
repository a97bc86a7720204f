//! Whether words can be expanded in this process though they belong to a subshell.
//!
//! A stage of a pipeline or a background command expands its words in a process of its own. Where that can make no
//! difference to this shell, they are expanded here, and the process is spared.

use super::ast::{ParamOp, Part, SimpleCommand, Word};

/// What expanding does besides giving text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Effects {
    /// Assigns variables, or may fail and end the shell.
    pub(crate) changes: bool,
    /// Runs commands.
    pub(crate) commands: bool,
}

/// The effects of a command's words, assignments and redirections.
pub(crate) fn of_command(command: &SimpleCommand, nounset: bool) -> Effects {
    let mut effects = Effects::default();
    command.words.iter().for_each(|w| word(w, nounset, &mut effects));
    command
        .assignments
        .iter()
        .for_each(|a| word(&a.value, nounset, &mut effects));
    for redirect in &command.redirects {
        use super::ast::RedirectKind as R;
        match &redirect.kind {
            R::Read { target }
            | R::Write { target, .. }
            | R::Append { target }
            | R::ReadWrite { target }
            | R::Duplicate { target }
            | R::WriteBoth { target } => word(target, nounset, &mut effects),
            R::HereDoc { body } => {
                if let Some(body) = body.get() {
                    word(body, nounset, &mut effects);
                }
            }
        }
    }
    effects
}

fn word(word: &Word, nounset: bool, effects: &mut Effects) {
    parts(&word.parts, nounset, effects);
}

fn parts(all: &[Part], nounset: bool, effects: &mut Effects) {
    for part in all {
        match part {
            Part::Literal { .. } | Part::Quoted { .. } => {}
            Part::Double { parts: inner } => parts(inner, nounset, effects),
            Part::Command { .. } => effects.commands = true,
            // `i++`, `x=1`, a division by zero.
            Part::Arith { .. } => effects.changes = true,
            Part::Param { op, .. } => match op {
                ParamOp::Assign { .. } | ParamOp::Error { .. } | ParamOp::Slice { .. } => effects.changes = true,
                ParamOp::Default { word: w, .. } | ParamOp::Alternative { word: w, .. } => word(w, nounset, effects),
                ParamOp::TrimPrefix { pattern, .. } | ParamOp::TrimSuffix { pattern, .. } => {
                    effects.changes |= nounset;
                    word(pattern, nounset, effects);
                }
                ParamOp::Replace { pattern, with, .. } => {
                    effects.changes |= nounset;
                    word(pattern, nounset, effects);
                    word(with, nounset, effects);
                }
                ParamOp::Plain {} | ParamOp::Length {} | ParamOp::Indirect {} => effects.changes |= nounset,
            },
        }
    }
}

//! Commands as text: what `jobs` shows.

use super::ast::{Node, ParamOp, Part, Redirect, RedirectKind, SimpleCommand, Word};

/// How much text is kept of one command.
const MAX: usize = 200;

/// A command on one line, shortened where it is long.
pub(crate) fn command(node: &Node) -> String {
    let mut out = String::new();
    put(node, &mut out);
    if out.len() > MAX {
        let end = (0..=MAX).rev().find(|i| out.is_char_boundary(*i)).unwrap_or(0);
        out.truncate(end);
        out.push_str("...");
    }
    out
}

fn put(node: &Node, out: &mut String) {
    if out.len() > MAX {
        return;
    }
    match node {
        Node::Simple { command } => simple(command, out),
        Node::Pipeline { stages } => separated(stages.iter(), " | ", out),
        Node::Not { body } => around("! ", body, "", out),
        Node::And { left, right } => separated([&**left, right], " && ", out),
        Node::Or { left, right } => separated([&**left, right], " || ", out),
        Node::Sequence { items } => separated(items.iter(), "; ", out),
        Node::Background { body } => around("", body, " &", out),
        Node::Subshell { body } => around("(", body, ")", out),
        Node::Group { body } => around("{ ", body, "; }", out),
        Node::If {
            condition,
            then,
            otherwise,
        } => {
            around("if ", condition, "; then ", out);
            put(then, out);
            if let Some(otherwise) = otherwise {
                around("; else ", otherwise, "", out);
            }
            out.push_str("; fi");
        }
        Node::While { until, condition, body } => {
            around(if *until { "until " } else { "while " }, condition, "; do ", out);
            around("", body, "; done", out);
        }
        Node::For { name, words, body, .. } => {
            out.push_str(&format!("for {name}"));
            if let Some(words) = words {
                out.push_str(" in");
                words.iter().for_each(|word| spaced_word(word, out));
            }
            around("; do ", body, "; done", out);
        }
        Node::Case { word, .. } => {
            out.push_str("case");
            spaced_word(word, out);
            out.push_str(" in ...; esac");
        }
        Node::Function { name, .. } => out.push_str(&format!("{name}() {{ ... }}")),
        Node::Redirected { body, redirects, .. } => {
            put(body, out);
            redirects.iter().for_each(|r| redirect(r, out));
        }
    }
}

fn around(before: &str, node: &Node, after: &str, out: &mut String) {
    out.push_str(before);
    put(node, out);
    out.push_str(after);
}

fn separated<'a>(nodes: impl IntoIterator<Item = &'a Node>, separator: &str, out: &mut String) {
    for (i, node) in nodes.into_iter().enumerate() {
        if i > 0 {
            out.push_str(separator);
        }
        put(node, out);
    }
}

fn simple(command: &SimpleCommand, out: &mut String) {
    let start = out.len();
    for assignment in &command.assignments {
        if out.len() > start {
            out.push(' ');
        }
        out.push_str(&format!(
            "{}{}=",
            assignment.name,
            if assignment.append { "+" } else { "" }
        ));
        parts(&assignment.value.parts, out);
    }
    for word in &command.words {
        if out.len() > start {
            out.push(' ');
        }
        parts(&word.parts, out);
    }
    command.redirects.iter().for_each(|r| redirect(r, out));
}

fn spaced_word(word: &Word, out: &mut String) {
    out.push(' ');
    parts(&word.parts, out);
}

fn parts(all: &[Part], out: &mut String) {
    for part in all {
        match part {
            Part::Literal { text } => out.push_str(text),
            Part::Quoted { text } => out.push_str(&format!("'{text}'")),
            Part::Double { parts: inner } => {
                out.push('"');
                parts(inner, out);
                out.push('"');
            }
            Part::Param {
                name,
                op: ParamOp::Plain {},
            } => out.push_str(&format!("${name}")),
            Part::Param { name, .. } => out.push_str(&format!("${{{name}...}}")),
            Part::Command { .. } => out.push_str("$(...)"),
            Part::Arith { .. } => out.push_str("$((...))"),
        }
    }
}

fn redirect(redirect: &Redirect, out: &mut String) {
    let (operator, default, target) = match &redirect.kind {
        RedirectKind::Read { target } => ("<", 0, Some(target)),
        RedirectKind::Write { target, clobber } => (if *clobber { ">|" } else { ">" }, 1, Some(target)),
        RedirectKind::Append { target } => (">>", 1, Some(target)),
        RedirectKind::ReadWrite { target } => ("<>", 0, Some(target)),
        RedirectKind::Duplicate { target } => (
            if redirect.fd == 0 { "<&" } else { ">&" },
            redirect.fd.min(1),
            Some(target),
        ),
        RedirectKind::WriteBoth { target } => ("&>", 1, Some(target)),
        RedirectKind::HereDoc { .. } => ("<<...", 0, None),
    };
    out.push(' ');
    if redirect.fd != default {
        out.push_str(&redirect.fd.to_string());
    }
    out.push_str(operator);
    if let Some(target) = target {
        parts(&target.parts, out);
    }
}

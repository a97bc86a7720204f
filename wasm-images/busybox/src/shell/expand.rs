//! Word expansion (POSIX XCU 2.6): tilde, parameters, commands, arithmetic, then splitting and pathnames.

use super::arith;
use super::ast::{Node, ParamOp, Part, Word};
use super::fields::{Field, Fields};
use super::flow::Flow;
use super::glob::{self, Directory};
use super::pattern;

/// What expansion asks of the shell around it.
pub(crate) trait Host: Directory + arith::Variables {
    /// A parameter other than `@` and `*`.
    fn parameter(&mut self, name: &str) -> Option<String>;
    /// `$1` and so on.
    fn positional(&self) -> Vec<String>;
    /// `${name=value}`.
    fn set_parameter(&mut self, name: &str, value: &str) -> Result<(), Flow>;
    /// The output of a command, without its last newlines.
    fn substitute(&mut self, body: &Node) -> Result<String, Flow>;
    /// A user's home directory; the own one for `""`.
    fn home(&mut self, user: &str) -> Option<String>;
    /// Reports an error of an expansion.
    fn fail(&mut self, message: &str) -> Flow;
    /// `set -u`.
    fn nounset(&self) -> bool;
    /// `set -f`.
    fn noglob(&self) -> bool;
}

/// How a word's text is treated where it stands.
#[derive(Clone, Copy)]
struct Context {
    /// Within double quotes.
    quoted: bool,
    /// Unquoted text counts as the result of an expansion: in `${x:-text}`.
    splits: bool,
}

const PLAIN: Context = Context {
    quoted: false,
    splits: false,
};

/// Where a tilde may stand.
#[derive(Clone, Copy, PartialEq)]
enum Tilde {
    /// At the beginning.
    First,
    /// And after each colon.
    Assignment,
}

/// A parameter's value.
enum Value {
    Unset,
    One(String),
    /// `$@`, `$*`.
    All(Vec<String>),
}

/// The arguments that words become.
pub(crate) fn arguments<H: Host>(host: &mut H, words: &[Word]) -> Result<Vec<String>, Flow> {
    let mut out = Vec::with_capacity(words.len());
    for word in words {
        if let [Part::Literal { text }] = word.parts.as_slice()
            && !text.contains(['~', '*', '?', '[', '\\'])
        {
            out.push(text.clone());
            continue;
        }
        let noglob = host.noglob();
        for field in expand(host, word, true, Tilde::First)?.finish() {
            if noglob || !pattern::is_special(&field.pattern) {
                out.push(field.text);
                continue;
            }
            let found = glob::glob(&field.pattern, host);
            if found.is_empty() {
                out.push(field.text);
            } else {
                out.extend(found);
            }
        }
    }
    Ok(out)
}

/// A word as one string: redirections, `case`, here-documents.
pub(crate) fn string<H: Host>(host: &mut H, word: &Word) -> Result<String, Flow> {
    Ok(expand(host, word, false, Tilde::First)?.single().text)
}

/// The value of an assignment.
pub(crate) fn assignment<H: Host>(host: &mut H, word: &Word) -> Result<String, Flow> {
    Ok(expand(host, word, false, Tilde::Assignment)?.single().text)
}

/// A word as a pattern; what was quoted is escaped.
pub(crate) fn as_pattern<H: Host>(host: &mut H, word: &Word) -> Result<Field, Flow> {
    Ok(expand(host, word, false, Tilde::First)?.single())
}

fn expand<H: Host>(host: &mut H, word: &Word, split: bool, tilde: Tilde) -> Result<Fields, Flow> {
    let ifs = host.parameter("IFS").unwrap_or_else(|| " \t\n".to_owned());
    let mut out = Fields::new(ifs, split);
    parts(host, &word.parts, PLAIN, Some(tilde), &mut out)?;
    Ok(out)
}

fn parts<H: Host>(
    host: &mut H,
    all: &[Part],
    context: Context,
    tilde: Option<Tilde>,
    out: &mut Fields,
) -> Result<(), Flow> {
    for (i, part) in all.iter().enumerate() {
        match part {
            Part::Literal { text } if context.quoted => out.quoted(text),
            Part::Literal { text } => {
                let last = i + 1 == all.len();
                let rest = match tilde {
                    Some(tilde) => tildes(host, text, tilde, i == 0, last, out),
                    None => text,
                };
                if context.splits {
                    out.expanded(rest);
                } else if !rest.is_empty() {
                    out.literal(rest);
                }
            }
            Part::Quoted { text } => out.quoted(text),
            Part::Double { parts: inner } => {
                if inner.is_empty() {
                    out.quoted("");
                }
                parts(
                    host,
                    inner,
                    Context {
                        quoted: true,
                        splits: false,
                    },
                    None,
                    out,
                )?;
            }
            Part::Param { name, op } => parameter(host, name, op, context, out)?,
            Part::Command { body } => {
                let text = match body {
                    Some(body) => host.substitute(body)?,
                    None => String::new(),
                };
                emit(&text, context, out);
            }
            Part::Arith { expr } => {
                let value = arithmetic(host, expr)?;
                emit(&value.to_string(), context, out);
            }
        }
    }
    Ok(())
}

/// Expands the tilde-prefixes of a literal into `out`; gives what is left of it.
fn tildes<'t, H: Host>(
    host: &mut H,
    text: &'t str,
    tilde: Tilde,
    first: bool,
    last: bool,
    out: &mut Fields,
) -> &'t str {
    let mut rest = text;
    let mut may_begin = first;
    loop {
        if may_begin && let Some(after) = rest.strip_prefix('~') {
            let end = after
                .find(|c| c == '/' || (c == ':' && tilde == Tilde::Assignment))
                .unwrap_or(after.len());
            let (user, tail) = after.split_at(end);
            // `~$x` and `~"x"` are no prefixes: what follows must be known here.
            if (!tail.is_empty() || last)
                && let Some(home) = host.home(user)
            {
                out.quoted(&home);
                rest = tail;
            }
        }
        if tilde != Tilde::Assignment {
            return rest;
        }
        match rest.find(":~") {
            Some(at) => {
                let (before, after) = rest.split_at(at + 1);
                out.literal(before);
                rest = after;
                may_begin = true;
            }
            None => return rest,
        }
    }
}

fn emit(text: &str, context: Context, out: &mut Fields) {
    if context.quoted {
        out.quoted(text);
    } else {
        out.expanded(text);
    }
}

fn emit_all(values: &[String], star: bool, context: Context, out: &mut Fields) {
    if star && context.quoted {
        out.quoted(&values.join(&out.joiner()));
        return;
    }
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            out.next_element();
        }
        emit(value, context, out);
    }
}

fn value_of<H: Host>(host: &mut H, name: &str) -> Value {
    match name {
        "@" | "*" => Value::All(host.positional()),
        _ => host.parameter(name).map_or(Value::Unset, Value::One),
    }
}

fn parameter<H: Host>(host: &mut H, name: &str, op: &ParamOp, context: Context, out: &mut Fields) -> Result<(), Flow> {
    let value = value_of(host, name);
    let empty = |colon: bool| match &value {
        Value::Unset => true,
        Value::One(text) => colon && text.is_empty(),
        Value::All(all) => all.is_empty() || (colon && all.iter().all(String::is_empty)),
    };
    let inner = Context {
        splits: true,
        ..context
    };
    match op {
        ParamOp::Default { colon, word } if empty(*colon) => {
            return parts(host, &word.parts, inner, Some(Tilde::First), out);
        }
        ParamOp::Default { .. } => {}
        ParamOp::Alternative { colon, word } => {
            if !empty(*colon) {
                return parts(host, &word.parts, inner, Some(Tilde::First), out);
            }
            // Quoted it is a field all the same.
            if context.quoted && !matches!(value, Value::All(_)) {
                out.quoted("");
            }
            return Ok(());
        }
        ParamOp::Assign { colon, word } if empty(*colon) => {
            let text = quoted_word(host, word, context)?;
            host.set_parameter(name, &text)?;
            emit(&text, context, out);
            return Ok(());
        }
        ParamOp::Assign { .. } => {}
        ParamOp::Error { colon, word } if empty(*colon) => {
            let message = match quoted_word(host, word, context)? {
                text if !text.is_empty() => text,
                _ if *colon => "parameter not set or null".to_owned(),
                _ => "parameter not set".to_owned(),
            };
            return Err(host.fail(&format!("{name}: {message}")));
        }
        ParamOp::Error { .. } => {}
        _ if matches!(value, Value::Unset) && host.nounset() => {
            return Err(host.fail(&format!("{name}: parameter not set")));
        }
        ParamOp::Plain {} => {}
        ParamOp::Length {} => {
            let length = match &value {
                Value::Unset => 0,
                Value::One(text) => text.chars().count(),
                Value::All(all) => all.len(),
            };
            emit(&length.to_string(), context, out);
            return Ok(());
        }
        ParamOp::Indirect {} => {
            let Value::One(target) = value else { return Ok(()) };
            return parameter(host, &target, &ParamOp::Plain {}, context, out);
        }
        ParamOp::Slice { offset, length } => return slice(host, name, value, offset, length.as_ref(), context, out),
        ParamOp::TrimPrefix { longest, pattern } => {
            let pattern = as_pattern(host, pattern)?.pattern;
            return change(value, name, context, out, |text| {
                pattern::trim_prefix(text, &pattern, *longest).to_owned()
            });
        }
        ParamOp::TrimSuffix { longest, pattern } => {
            let pattern = as_pattern(host, pattern)?.pattern;
            return change(value, name, context, out, |text| {
                pattern::trim_suffix(text, &pattern, *longest).to_owned()
            });
        }
        ParamOp::Replace { all, pattern, with } => {
            let pattern = as_pattern(host, pattern)?.pattern;
            let with = quoted_word(host, with, context)?;
            return change(value, name, context, out, |text| {
                pattern::replace(text, &pattern, &with, *all)
            });
        }
    }
    match value {
        Value::One(text) => emit(&text, context, out),
        Value::All(all) => emit_all(&all, name == "*", context, out),
        Value::Unset if context.quoted => out.quoted(""),
        Value::Unset => {}
    }
    Ok(())
}

/// Applies an operator to a value, or to each of several.
fn change(
    value: Value,
    name: &str,
    context: Context,
    out: &mut Fields,
    with: impl Fn(&str) -> String,
) -> Result<(), Flow> {
    match value {
        Value::One(text) => emit(&with(&text), context, out),
        Value::All(all) => {
            let all: Vec<String> = all.iter().map(|text| with(text)).collect();
            emit_all(&all, name == "*", context, out);
        }
        Value::Unset => emit("", context, out),
    }
    Ok(())
}

/// The word of an operator as one string.
fn quoted_word<H: Host>(host: &mut H, word: &Word, context: Context) -> Result<String, Flow> {
    let ifs = host.parameter("IFS").unwrap_or_else(|| " \t\n".to_owned());
    let mut out = Fields::new(ifs, false);
    parts(
        host,
        &word.parts,
        Context {
            splits: false,
            ..context
        },
        Some(Tilde::First),
        &mut out,
    )?;
    Ok(out.single().text)
}

fn slice<H: Host>(
    host: &mut H,
    name: &str,
    value: Value,
    offset: &Word,
    length: Option<&Word>,
    context: Context,
    out: &mut Fields,
) -> Result<(), Flow> {
    let offset = arithmetic(host, offset)?;
    let length = match length {
        Some(length) => Some(arithmetic(host, length)?),
        None => None,
    };
    match value {
        Value::One(text) => {
            let chars: Vec<char> = text.chars().collect();
            let (start, end) = range(chars.len(), offset, length);
            let text: String = chars.get(start..end).unwrap_or_default().iter().collect();
            emit(&text, context, out);
        }
        Value::All(mut all) => {
            all.insert(0, host.parameter("0").unwrap_or_default());
            let (start, end) = range(all.len(), offset, length);
            emit_all(all.get(start..end).unwrap_or_default(), name == "*", context, out);
        }
        Value::Unset => emit("", context, out),
    }
    Ok(())
}

/// The range of `${x:offset:length}`; negative numbers count from the end.
fn range(len: usize, offset: i64, length: Option<i64>) -> (usize, usize) {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let start = if offset < 0 { offset.saturating_add(len) } else { offset };
    if start < 0 || start > len {
        return (0, 0);
    }
    let end = match length {
        None => len,
        Some(n) if n < 0 => len.saturating_add(n).max(start),
        Some(n) => start.saturating_add(n).min(len),
    };
    (usize::try_from(start).unwrap_or(0), usize::try_from(end).unwrap_or(0))
}

/// The value of an arithmetic expression whose text is expanded first.
pub(crate) fn arithmetic<H: Host>(host: &mut H, expr: &Word) -> Result<i64, Flow> {
    let text = match expr.parts.as_slice() {
        [Part::Literal { text }] => text.clone(),
        all => {
            let mut out = Fields::new(" ".to_owned(), false);
            parts(
                host,
                all,
                Context {
                    quoted: true,
                    splits: false,
                },
                None,
                &mut out,
            )?;
            out.single().text
        }
    };
    arith::evaluate(&text, host).map_err(|message| host.fail(&message))
}

//! POSIX regular expressions on top of the crate `regex`: basic (BRE) and extended (ERE) syntax with GNU's additions.
//!
//! Matching is in linear time. Two things differ from POSIX: of several alternatives the first that matches wins, not the
//! longest; and there are no back references, which are refused.

use regex::bytes::{Regex, RegexBuilder};

/// How a pattern is written and matched.
#[derive(Clone, Copy, Debug, Default)]
pub struct Syntax {
    /// ERE instead of BRE.
    pub extended: bool,
    /// Letters match in both cases.
    pub ignore_case: bool,
    /// `^` and `$` match at each line.
    pub multi_line: bool,
}

/// Compiles a pattern; the error is a message such as `Unmatched [`.
pub fn compile(pattern: &str, syntax: Syntax) -> Result<Regex, String> {
    build(&translate(pattern, syntax.extended)?, syntax)
}

/// Compiles what is in the crate's own syntax already.
pub fn build(translated: &str, syntax: Syntax) -> Result<Regex, String> {
    RegexBuilder::new(translated)
        .unicode(false)
        .dot_matches_new_line(true)
        .case_insensitive(syntax.ignore_case)
        .multi_line(syntax.multi_line)
        .size_limit(1 << 22)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "Regular expression too big".to_owned(),
            _ => "Invalid regular expression".to_owned(),
        })
}

/// A string as a pattern that matches just it.
#[must_use]
pub fn escape(text: &str) -> String {
    regex::escape(text)
}

/// From POSIX syntax to that of the crate.
pub fn translate(pattern: &str, extended: bool) -> Result<String, String> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut at = 0;
    let mut depth = 0usize;
    // Whether nothing stands before this place that a `*` could repeat.
    let mut fresh = true;
    while let Some(&c) = chars.get(at) {
        at += 1;
        let next = chars.get(at).copied();
        let starts = std::mem::replace(&mut fresh, false);
        match c {
            '\\' => {
                at += 1;
                let Some(escaped) = next else {
                    return Err("Trailing backslash".to_owned());
                };
                match escaped {
                    '(' if !extended => {
                        depth += 1;
                        fresh = true;
                        out.push('(');
                    }
                    ')' if !extended => {
                        depth = depth.checked_sub(1).ok_or("Unmatched ) or \\)")?;
                        out.push(')');
                    }
                    '{' if !extended => at = interval(&chars, at, "\\}", &mut out)?,
                    '|' if !extended => {
                        fresh = true;
                        out.push('|');
                    }
                    '+' | '?' if !extended && !starts => out.push(escaped),
                    '<' => out.push_str("\\b{start}"),
                    '>' => out.push_str("\\b{end}"),
                    '`' => out.push_str("\\A"),
                    '\'' => out.push_str("\\z"),
                    'w' | 'W' | 's' | 'S' | 'b' | 'B' | 'n' | 't' | 'r' | 'f' | 'v' => {
                        out.push('\\');
                        out.push(escaped);
                    }
                    '1'..='9' => return Err("Invalid back reference".to_owned()),
                    literal => push_literal(&mut out, literal),
                }
            }
            '[' => at = bracket(&chars, at, &mut out)?,
            '^' if extended || starts => {
                fresh = true;
                out.push('^');
            }
            '$' if extended || ends_here(&chars, at) => out.push('$'),
            '*' if starts && !extended => push_literal(&mut out, '*'),
            '*' | '+' | '?' if extended && starts => {
                if c != '*' {
                    return Err("Invalid preceding regular expression".to_owned());
                }
                push_literal(&mut out, '*');
            }
            '*' => push_repeat(&mut out, '*'),
            '+' | '?' if extended => push_repeat(&mut out, c),
            '(' if extended => {
                depth += 1;
                fresh = true;
                out.push('(');
            }
            // An unmatched parenthesis is an ordinary character in glibc's and musl's ERE.
            ')' if extended && depth > 0 => {
                depth -= 1;
                out.push(')');
            }
            '|' if extended => {
                fresh = true;
                out.push('|');
            }
            '{' if extended && !starts && next.is_some_and(|n| n.is_ascii_digit() || n == ',') => {
                at = interval(&chars, at, "}", &mut out)?;
            }
            '.' => out.push('.'),
            literal => push_literal(&mut out, literal),
        }
    }
    if depth > 0 {
        Err("Unmatched ( or \\(".to_owned())
    } else {
        Ok(out)
    }
}

fn push_literal(out: &mut String, c: char) {
    if c.is_ascii_punctuation() {
        out.push('\\');
        out.push(c);
    } else {
        // A character of several bytes is one thing to repeat.
        if c.is_ascii() {
            out.push(c);
        } else {
            out.push_str("(?:");
            out.push(c);
            out.push(')');
        }
    }
}

/// `a**` is `a*`; in the crate's syntax a `?` behind a repetition would make it lazy.
fn push_repeat(out: &mut String, c: char) {
    if out.ends_with(['*', '+', '?']) && !out.ends_with("\\*") && !out.ends_with("\\+") && !out.ends_with("\\?") {
        out.pop();
        out.push('*');
    } else {
        out.push(c);
    }
}

/// In a BRE, `$` is an anchor at the end and before `\)` and `\|`.
fn ends_here(chars: &[char], at: usize) -> bool {
    match chars.get(at..) {
        None | Some([]) => true,
        Some(['\\', ')' | '|', ..]) => true,
        Some(_) => false,
    }
}

/// `{n,m}`, from behind the brace.
fn interval(chars: &[char], start: usize, end: &str, out: &mut String) -> Result<usize, String> {
    let rest: String = chars.get(start..).unwrap_or_default().iter().take(16).collect();
    let Some(stop) = rest.find(end) else {
        return Err("Unmatched { or \\{".to_owned());
    };
    let content = rest.get(..stop).unwrap_or("");
    let (low, high) = content.split_once(',').unwrap_or((content, content));
    let number = |text: &str, empty: u32| {
        if text.is_empty() {
            Ok(empty)
        } else {
            text.parse::<u32>()
        }
    };
    let (Ok(least), Ok(most)) = (number(low, 0), number(high, u32::MAX)) else {
        return Err("Invalid content of \\{\\}".to_owned());
    };
    if content.is_empty() || least > 32767 || (most > 32767 && most != u32::MAX) || least > most {
        return Err("Invalid content of \\{\\}".to_owned());
    }
    match (content.contains(','), most) {
        (false, _) => out.push_str(&format!("{{{least}}}")),
        (true, u32::MAX) => out.push_str(&format!("{{{least},}}")),
        (true, _) => out.push_str(&format!("{{{least},{most}}}")),
    }
    Ok(start + content.chars().count() + end.len())
}

/// `[...]`, from behind the bracket.
fn bracket(chars: &[char], start: usize, out: &mut String) -> Result<usize, String> {
    let unmatched = || "Unmatched [, [^, [:, [., or [=".to_owned();
    let mut at = start;
    let mut class = String::from("[");
    let mut wide = false;
    if chars.get(at) == Some(&'^') {
        class.push('^');
        at += 1;
    }
    let first = at;
    loop {
        let &c = chars.get(at).ok_or_else(unmatched)?;
        at += 1;
        match (c, chars.get(at)) {
            (']', _) if at - 1 > first => break,
            ('[', Some(kind @ (':' | '.' | '='))) => {
                let tail = chars.get(at + 1..).unwrap_or_default();
                let length = tail.windows(2).position(|w| w == [*kind, ']']).ok_or_else(unmatched)?;
                let name: String = tail.get(..length).unwrap_or_default().iter().collect();
                at += length + 3;
                if *kind == ':' {
                    if ![
                        "alpha", "digit", "alnum", "upper", "lower", "space", "blank", "punct", "print", "graph",
                        "cntrl", "xdigit",
                    ]
                    .contains(&name.as_str())
                    {
                        return Err("Invalid character class name".to_owned());
                    }
                    class.push_str(&format!("[:{name}:]"));
                } else {
                    name.chars().for_each(|c| push_in_class(&mut class, c));
                }
            }
            ('-', Some(after)) if at - 1 > first && *after != ']' => class.push('-'),
            (c, _) => {
                wide |= !c.is_ascii();
                push_in_class(&mut class, c);
            }
        }
    }
    class.push(']');
    if wide {
        out.push_str(&format!("(?u:{class})"));
    } else {
        out.push_str(&class);
    }
    Ok(at)
}

fn push_in_class(class: &mut String, c: char) {
    if c.is_ascii_punctuation() {
        class.push('\\');
    }
    class.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, extended: bool, text: &str, want: Option<&str>) {
        let regex = compile(
            pattern,
            Syntax {
                extended,
                ..Syntax::default()
            },
        )
        .expect(pattern);
        let found = regex
            .find(text.as_bytes())
            .map(|m| String::from_utf8_lossy(m.as_bytes()).into_owned());
        assert_eq!(found.as_deref(), want, "{pattern} on {text}");
    }

    #[test]
    fn basic_expressions_mean_what_posix_says() {
        for (pattern, text, want) in [
            ("a+b", "a+b aab", Some("a+b")),
            ("a\\+b", "a+b aab", Some("aab")),
            ("*a", "b*a", Some("*a")),
            ("\\(*a\\)", "x*a", Some("*a")),
            ("a\\{2,3\\}", "aaaa", Some("aaa")),
            ("a{2}", "a{2}", Some("a{2}")),
            ("^a^b$", "a^b", Some("a^b")),
            ("a$b", "a$b", Some("a$b")),
            ("[]x]*", "]x]y", Some("]x]")),
            ("[^]]", "]a", Some("a")),
            ("[a\\]", "\\", Some("\\")),
            ("[[:digit:]-]*", "1-2x", Some("1-2")),
            ("[a-c]*", "abcd", Some("abc")),
            ("\\<b\\w*", "ab bc", Some("bc")),
            ("\"Pid\"", "  \"Pid\": 1,", Some("\"Pid\"")),
            ("a\\|b", "xb", Some("b")),
            ("é*", "éé", Some("éé")),
            ("", "x", Some("")),
        ] {
            check(pattern, false, text, want);
        }
    }

    #[test]
    fn extended_expressions_mean_what_posix_says() {
        for (pattern, text, want) in [
            ("a+b", "a+b aab", Some("aab")),
            ("(ab)+", "xababy", Some("abab")),
            ("a|b", "b", Some("b")),
            ("a{2}", "caab", Some("aa")),
            ("a{x", "a{x", Some("a{x")),
            ("\\.", "a.b", Some(".")),
            ("a**", "aa", Some("aa")),
            ("a+?", "aab", Some("aa")),
            ("x)", "x)", Some("x)")),
            ("^$", "", Some("")),
        ] {
            check(pattern, true, text, want);
        }
    }

    #[test]
    fn wrong_expressions_are_refused_with_a_reason() {
        for (pattern, extended, want) in [
            ("[a", false, "Unmatched [, [^, [:, [., or [="),
            ("\\(a", false, "Unmatched ( or \\("),
            ("a\\)", false, "Unmatched ) or \\)"),
            ("(a", true, "Unmatched ( or \\("),
            ("a\\", false, "Trailing backslash"),
            ("\\(a\\)\\1", false, "Invalid back reference"),
            ("a\\{1", false, "Unmatched { or \\{"),
            ("[[:foo:]]", false, "Invalid character class name"),
            ("((((a{1000}){1000}){1000}){1000})", true, "Regular expression too big"),
        ] {
            let error = compile(
                pattern,
                Syntax {
                    extended,
                    ..Syntax::default()
                },
            )
            .err();
            assert_eq!(error.as_deref(), Some(want), "{pattern}");
        }
    }
}

//! `fnmatch(3)`: `*`, `?`, `[...]` and `\`.

/// Whether the whole text matches the pattern. With `path`, wildcards do not match a slash.
#[must_use]
pub fn matches(pattern: &str, text: &str, path: bool) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    // The usual two-pointer search: on a mismatch the last star takes one character more, so the work is bounded.
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(&c) = text.get(t) {
        match step(&pattern, p, c, path) {
            Step::Star => {
                star = Some((p + 1, t));
                p += 1;
            }
            Step::Takes(next) => {
                p = next;
                t += 1;
            }
            Step::No => match star {
                Some((after, from)) if !(path && text.get(from) == Some(&'/')) => {
                    star = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                _ => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == '*')
}

enum Step {
    Star,
    Takes(usize),
    No,
}

fn step(pattern: &[char], p: usize, c: char, path: bool) -> Step {
    match pattern.get(p) {
        None => Step::No,
        Some('*') => Step::Star,
        Some('?') if path && c == '/' => Step::No,
        Some('?') => Step::Takes(p + 1),
        Some('[') => match bracket(pattern, p + 1, c) {
            Some((true, next)) if !(path && c == '/') => Step::Takes(next),
            Some(_) => Step::No,
            None if c == '[' => Step::Takes(p + 1),
            None => Step::No,
        },
        Some('\\') => match pattern.get(p + 1) {
            Some(literal) if *literal == c => Step::Takes(p + 2),
            None if c == '\\' => Step::Takes(p + 1),
            _ => Step::No,
        },
        Some(literal) if *literal == c => Step::Takes(p + 1),
        Some(_) => Step::No,
    }
}

/// Reads a bracket expression from behind its `[`: whether it has `c`, and where it ends; `None` if it never does.
fn bracket(pattern: &[char], start: usize, c: char) -> Option<(bool, usize)> {
    let mut at = start;
    let negated = matches!(pattern.get(at), Some('!' | '^'));
    if negated {
        at += 1;
    }
    let first = at;
    let mut found = false;
    loop {
        let low = *pattern.get(at)?;
        if low == ']' && at > first {
            return Some((found != negated, at + 1));
        }
        if low == '[' && pattern.get(at + 1) == Some(&':') {
            let name: String = pattern.get(at + 2..)?.iter().take_while(|c| **c != ':').collect();
            if pattern.get(at + 3 + name.len()) == Some(&']') {
                found |= in_class(&name, c);
                at += name.len() + 4;
                continue;
            }
        }
        let low = if low == '\\' && pattern.get(at + 1).is_some() {
            at += 1;
            *pattern.get(at)?
        } else {
            low
        };
        match (pattern.get(at + 1), pattern.get(at + 2)) {
            (Some('-'), Some(high)) if *high != ']' => {
                found |= (low..=*high).contains(&c);
                at += 3;
            }
            _ => {
                found |= low == c;
                at += 1;
            }
        }
    }
}

/// Whether a character is in a POSIX class.
#[must_use]
pub fn in_class(name: &str, c: char) -> bool {
    match name {
        "alpha" => c.is_ascii_alphabetic(),
        "digit" => c.is_ascii_digit(),
        "alnum" => c.is_ascii_alphanumeric(),
        "upper" => c.is_ascii_uppercase(),
        "lower" => c.is_ascii_lowercase(),
        "space" => c.is_ascii_whitespace() || c == '\x0b',
        "blank" => c == ' ' || c == '\t',
        "punct" => c.is_ascii_punctuation(),
        "print" => c.is_ascii_graphic() || c == ' ',
        "graph" => c.is_ascii_graphic(),
        "cntrl" => c.is_ascii_control(),
        "xdigit" => c.is_ascii_hexdigit(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn globs_match_as_fnmatch_does() {
        for (pattern, text, want) in [
            ("*.txt", "a.txt", true),
            ("*.txt", "a.txt.gz", false),
            ("a*b*c", "aXbYbZc", true),
            ("?", "", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]", "]", true),
            ("[[:digit:]]*", "7up", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("[", "[", true),
            ("", "", true),
            ("**", "", true),
        ] {
            assert_eq!(matches(pattern, text, false), want, "{pattern} {text}");
        }
        assert!(!matches("*", "a/b", true));
        assert!(matches("*/b", "a/b", true));
    }

    #[test]
    fn many_stars_do_not_take_for_ever() {
        assert!(!matches(&"*a".repeat(200), &"a".repeat(199), false));
    }
}

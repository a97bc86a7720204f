//! Shell patterns (`glob(7)`): `*`, `?`, `[…]` with classes, `\x`.

/// Whether the pattern matches the whole text.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    matches_chars(&pattern, &text)
}

/// As [`matches`], on characters. Only the last star is ever reconsidered, so the time is at most length times length.
fn matches_chars(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            None => (t == text.len()).then_some(0),
            Some(_) => match text.get(t) {
                Some(c) => match_one(pattern, p, *c),
                // Text is at its end: no later start of a star can help.
                None => return false,
            },
        };
        match (step, star) {
            (Some(0), _) => return true,
            (Some(len), _) => {
                p += len;
                t += 1;
            }
            (None, Some((after, from))) if from < text.len() => {
                star = Some((after, from + 1));
                (p, t) = (after, from + 1);
            }
            (None, _) => return false,
        }
    }
}

/// Matches one character against the pattern's item at `p`: the item's length, or `None`.
fn match_one(pattern: &[char], p: usize, c: char) -> Option<usize> {
    match pattern.get(p)? {
        '?' => Some(1),
        '[' => match bracket(pattern, p + 1, c) {
            Some((hit, end)) => hit.then_some(end - p),
            None => (c == '[').then_some(1),
        },
        '\\' => match pattern.get(p + 1) {
            Some(escaped) => (*escaped == c).then_some(2),
            None => (c == '\\').then_some(1),
        },
        other => (*other == c).then_some(1),
    }
}

/// A bracket expression that begins after its `[`: whether `c` is in it, and the position after `]`; `None` if it has no end.
fn bracket(pattern: &[char], start: usize, c: char) -> Option<(bool, usize)> {
    let mut i = start;
    let negated = matches!(pattern.get(i), Some('!' | '^'));
    i += usize::from(negated);
    let first = i;
    let mut hit = false;
    loop {
        let mut low = *pattern.get(i)?;
        if low == ']' && i > first {
            return Some((hit != negated, i + 1));
        }
        if low == '['
            && pattern.get(i + 1) == Some(&':')
            && let Some(len) = pattern.get(i + 2..)?.windows(2).position(|w| w == [':', ']'])
        {
            let name: String = pattern.get(i + 2..i + 2 + len)?.iter().collect();
            hit |= in_class(&name, c);
            i += len + 4;
            continue;
        }
        if low == '\\' {
            i += 1;
            low = *pattern.get(i)?;
        }
        i += 1;
        let mut high = low;
        if pattern.get(i) == Some(&'-') && !matches!(pattern.get(i + 1), None | Some(']')) {
            i += 1;
            high = *pattern.get(i)?;
            if high == '\\' {
                i += 1;
                high = *pattern.get(i)?;
            }
            i += 1;
        }
        hit |= (low..=high).contains(&c);
    }
}

fn in_class(name: &str, c: char) -> bool {
    match name {
        "alnum" => c.is_alphanumeric(),
        "alpha" => c.is_alphabetic(),
        "blank" => c == ' ' || c == '\t',
        "cntrl" => c.is_control(),
        "digit" => c.is_ascii_digit(),
        "graph" => !c.is_whitespace() && !c.is_control(),
        "lower" => c.is_lowercase(),
        "print" => !c.is_control(),
        "punct" => c.is_ascii_punctuation(),
        "space" => c.is_whitespace(),
        "upper" => c.is_uppercase(),
        "xdigit" => c.is_ascii_hexdigit(),
        _ => false,
    }
}

/// Whether the pattern has an active special character at all; a `[` is none without its `]`.
pub(crate) fn is_special(pattern: &str) -> bool {
    let (mut escaped, mut open) = (false, false);
    for c in pattern.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '*' | '?' => return true,
            '[' => open = true,
            ']' if open => return true,
            _ => {}
        }
    }
    false
}

/// The pattern without its backslashes: the text that it stands for if it has no special characters.
pub(crate) fn unescape(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    out
}

/// Appends text so that the pattern matches it literally.
pub(crate) fn push_escaped(pattern: &mut String, text: &str) {
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\' | '-' | '!' | '^') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
}

/// `${x#pattern}`, `${x##pattern}`.
pub(crate) fn trim_prefix<'a>(text: &'a str, pattern: &str, longest: bool) -> &'a str {
    let mut ends: Vec<usize> = text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
    if longest {
        ends.reverse();
    }
    match ends
        .into_iter()
        .find(|end| matches(pattern, text.get(..*end).unwrap_or("")))
    {
        Some(end) => text.get(end..).unwrap_or(""),
        None => text,
    }
}

/// `${x%pattern}`, `${x%%pattern}`.
pub(crate) fn trim_suffix<'a>(text: &'a str, pattern: &str, longest: bool) -> &'a str {
    let mut starts: Vec<usize> = text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
    if !longest {
        starts.reverse();
    }
    match starts
        .into_iter()
        .find(|start| matches(pattern, text.get(*start..).unwrap_or("")))
    {
        Some(start) => text.get(..start).unwrap_or(""),
        None => text,
    }
}

/// `${x/pattern/with}`, `${x//pattern/with}`: the leftmost longest match.
pub(crate) fn replace(text: &str, pattern: &str, with: &str, all: bool) -> String {
    if pattern.is_empty() {
        return text.to_owned();
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while let Some(rest) = chars.get(i..) {
        let longest = (0..=rest.len())
            .rev()
            .find(|len| matches_chars(&pattern, rest.get(..*len).unwrap_or(&[])));
        if let Some(len) = longest.filter(|len| *len > 0 || rest.is_empty()) {
            if len == 0 {
                break;
            }
            out.push_str(with);
            i += len;
            if !all {
                out.extend(chars.get(i..).unwrap_or(&[]));
                return out;
            }
            continue;
        }
        match rest.first() {
            Some(c) => out.push(*c),
            None => break,
        }
        i += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_glob_7_says() {
        for (pattern, text, want) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("?", "é", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]", "b", false),
            ("[^a]", "b", true),
            ("[]x]", "]", true),
            ("[[:digit:][:upper:]]*", "7", true),
            ("[[:alpha:]]", "1", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("[a", "[a", true),
            ("*a*b*c*d", "xaxbxcxd", true),
            ("a[\\]]b", "a]b", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), want, "{pattern} against {text}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_is_quick() {
        assert!(!matches("*a*a*a*a*a*a*a*a*b", &"a".repeat(2000)));
    }

    #[test]
    fn trimming_and_replacing() {
        assert_eq!(trim_prefix("abcabc", "*b", false), "cabc");
        assert_eq!(trim_prefix("abcabc", "*b", true), "c");
        assert_eq!(trim_suffix("abcabc", "b*", false), "abca");
        assert_eq!(trim_suffix("abcabc", "b*", true), "a");
        assert_eq!(replace("abcabc", "b", "X", false), "aXcabc");
        assert_eq!(replace("abcabc", "[ab]", "_", true), "__c__c");
        assert_eq!(replace("aaa", "a*", "x", true), "x");
        assert_eq!(replace("abc", "", "x", true), "abc");
    }
}

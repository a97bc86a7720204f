//! Names in the style `shell-escape`: as a shell would take them back, with quotes only where they are needed.

/// The name in quotes, as messages have it.
pub(crate) fn always(name: &str) -> String {
    let (quoted, has_quotes) = where_needed(name);
    if has_quotes { quoted } else { format!("'{quoted}'") }
}

/// The name, and whether it got quotes.
pub(crate) fn where_needed(name: &str) -> (String, bool) {
    let special = |(index, c): (usize, char)| match c {
        '#' | '~' => index == 0,
        '{' | '}' => name.len() == 1,
        c => " !\"$&'()*;<=>?[\\^`|".contains(c) || c.is_control(),
    };
    if !name.is_empty() && !name.char_indices().any(special) {
        return (name.to_owned(), false);
    }
    let control = name.chars().any(char::is_control);
    if name.contains('\'') && !control && !name.contains(['"', '$', '`', '\\', '!']) {
        return (format!("\"{name}\""), true);
    }
    let mut text = String::from("'");
    let mut escaping = false;
    for c in name.chars() {
        if c.is_control() != escaping {
            text.push_str(if escaping { "''" } else { "'$'" });
            escaping = !escaping;
        }
        match c {
            '\'' => text.push_str("'\\''"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            c if c.is_control() => c.to_string().bytes().for_each(|b| text.push_str(&format!("\\{b:03o}"))),
            c => text.push(c),
        }
    }
    text.push('\'');
    (text, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_quotes_where_a_shell_needs_them() {
        for (name, want) in [
            ("cgroup:[4026531835]", "'cgroup:[4026531835]'"),
            ("plain-name_1.txt", "plain-name_1.txt"),
            ("with space", "'with space'"),
            ("it's", "\"it's\""),
            ("it's $5", "'it'\\''s $5'"),
            ("a\nb", "'a'$'\\n''b'"),
            ("~x", "'~x'"),
            ("x~", "x~"),
            ("", "''"),
        ] {
            assert_eq!(where_needed(name).0, want);
        }
        assert_eq!(always("x"), "'x'");
    }
}

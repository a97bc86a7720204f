//! The words of `nginx.conf`.

/// A token, and the line it begins on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Word(String),
    /// `;`
    End,
    /// `{`
    Open,
    /// `}`
    Close,
}

/// Splits a file into tokens with their line numbers; an error is a message and a line.
pub(crate) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, (String, usize)> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    let mut line = 1;
    while let Some(c) = chars.next() {
        match c {
            '\n' => line += 1,
            c if c.is_whitespace() => {}
            ';' => tokens.push((Token::End, line)),
            '{' => tokens.push((Token::Open, line)),
            '}' => tokens.push((Token::Close, line)),
            '#' => {
                while chars.peek().is_some_and(|c| *c != '\n') {
                    chars.next();
                }
            }
            quote @ ('"' | '\'') => {
                let begun = line;
                let mut word = String::new();
                loop {
                    match chars.next() {
                        None => return Err(("unexpected end of file, expecting \";\" or \"}\"".to_owned(), begun)),
                        Some('\\') => match chars.next() {
                            Some(c) => push_escaped(&mut word, c),
                            None => word.push('\\'),
                        },
                        Some(c) if c == quote => break,
                        Some(c) => {
                            line += usize::from(c == '\n');
                            word.push(c);
                        }
                    }
                }
                if chars
                    .peek()
                    .is_some_and(|c| !c.is_whitespace() && !matches!(c, ';' | '{' | ')'))
                {
                    return Err((format!("unexpected \"{}\"", chars.peek().unwrap_or(&' ')), line));
                }
                tokens.push((Token::Word(word), begun));
            }
            first => {
                let mut word = String::new();
                let mut variable = false;
                let mut current = Some(first);
                while let Some(c) = current {
                    if c == '\\' {
                        chars.next().into_iter().for_each(|c| push_escaped(&mut word, c));
                    } else {
                        word.push(c);
                    }
                    // The brace of `${name}` does not open a block.
                    variable = c == '$' || (variable && c != '}' && word.ends_with(c) && word.contains("${"));
                    current = match chars.peek() {
                        Some('{') if variable && c == '$' => chars.next(),
                        Some('}') if variable => chars.next(),
                        Some(c) if c.is_whitespace() || matches!(c, ';' | '{' | '}') => None,
                        Some(_) => chars.next(),
                        None => None,
                    };
                }
                tokens.push((Token::Word(word), line));
            }
        }
    }
    tokens.push((Token::Word(String::new()), line));
    Ok(tokens)
}

/// Known escapes become what they mean; of others the backslash stays, for regular expressions.
fn push_escaped(word: &mut String, c: char) {
    match c {
        '"' | '\'' | '\\' => word.push(c),
        't' => word.push('\t'),
        'r' => word.push('\r'),
        'n' => word.push('\n'),
        other => {
            word.push('\\');
            word.push(other);
        }
    }
}

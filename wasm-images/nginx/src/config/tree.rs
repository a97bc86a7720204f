//! The directives of `nginx.conf` as a tree, with `include` done.

use super::lexer::{Token, tokens};
use busybox::util::files::{read_dir, read_text};
use busybox::util::glob;
use std::rc::Rc;

/// A directive: its words, and its block if it has one.
#[derive(Clone, Debug)]
pub(crate) struct Directive {
    pub(crate) name: String,
    pub(crate) args: Vec<String>,
    pub(crate) block: Option<Vec<Directive>>,
    pub(crate) file: Rc<str>,
    pub(crate) line: usize,
}

impl Directive {
    /// A message with the place of this directive behind it, as nginx writes it.
    pub(crate) fn error(&self, message: impl AsRef<str>) -> String {
        format!("{} in {}:{}", message.as_ref(), self.file, self.line)
    }
}

const MOST_INCLUDES: u32 = 16;

/// Reads a file.
pub(crate) fn read(path: &str, prefix: &str) -> Result<Vec<Directive>, String> {
    read_nested(path, prefix, 0, None)
}

/// Reads directives from the command line (`-g`).
pub(crate) fn read_command_line(text: &str, prefix: &str) -> Result<Vec<Directive>, String> {
    parse_text(text, "command line".into(), prefix, 0)
}

fn read_nested(path: &str, prefix: &str, depth: u32, from: Option<&Directive>) -> Result<Vec<Directive>, String> {
    let text = read_text(path).map_err(|error| {
        let message = format!("open() \"{path}\" failed ({}: {error})", error.0);
        from.map_or(message.clone(), |directive| directive.error(message))
    })?;
    parse_text(&text, path.into(), prefix, depth)
}

fn parse_text(text: &str, file: Rc<str>, prefix: &str, depth: u32) -> Result<Vec<Directive>, String> {
    let tokens = tokens(text).map_err(|(message, line)| format!("{message} in {file}:{line}"))?;
    let mut parser = Parser {
        tokens: tokens.into_iter().peekable(),
        file,
        prefix,
        depth,
    };
    parser.block(false, 0)
}

struct Parser<'a> {
    tokens: std::iter::Peekable<std::vec::IntoIter<(Token, usize)>>,
    file: Rc<str>,
    prefix: &'a str,
    depth: u32,
}

impl Parser<'_> {
    fn block(&mut self, nested: bool, levels: u32) -> Result<Vec<Directive>, String> {
        let mut directives = Vec::new();
        let mut words: Vec<String> = Vec::new();
        let mut begun = 0;
        let at = |file: &str, message: &str, line: usize| Err(format!("{message} in {file}:{line}"));
        while let Some((token, line)) = self.tokens.next() {
            // The lexer ends a file with an empty word: its line is where the end is.
            let ended = self.tokens.peek().is_none();
            match token {
                Token::Word(_) if ended => {
                    if nested || !words.is_empty() {
                        let expected = if words.is_empty() { "\"}\"" } else { "\";\" or \"}\"" };
                        let message = format!("unexpected end of file, expecting {expected}");
                        return at(&self.file, &message, line);
                    }
                    return Ok(directives);
                }
                Token::Word(word) => {
                    if words.is_empty() {
                        begun = line;
                    }
                    words.push(word);
                }
                Token::Close if !words.is_empty() || !nested => return at(&self.file, "unexpected \"}\"", line),
                Token::Close => return Ok(directives),
                Token::End | Token::Open if words.is_empty() => {
                    let sign = if token == Token::End { ";" } else { "{" };
                    return at(&self.file, &format!("unexpected \"{sign}\""), line);
                }
                Token::End | Token::Open => {
                    let args = words.split_off(1);
                    let name = words.pop().unwrap_or_default();
                    let mut directive = Directive {
                        name,
                        args,
                        block: None,
                        file: self.file.clone(),
                        line: begun,
                    };
                    if token == Token::Open {
                        if levels > 8 {
                            return Err(directive.error("blocks are nested too deep"));
                        }
                        directive.block = Some(self.block(true, levels + 1)?);
                    } else if directive.name == "include" {
                        directives.extend(self.include(&directive)?);
                        continue;
                    }
                    directives.push(directive);
                }
            }
        }
        Ok(directives)
    }

    fn include(&self, directive: &Directive) -> Result<Vec<Directive>, String> {
        let [pattern] = directive.args.as_slice() else {
            return Err(directive.error("invalid number of arguments in \"include\" directive"));
        };
        if self.depth >= MOST_INCLUDES {
            return Err(directive.error("too many levels of \"include\""));
        }
        let path = super::absolute(pattern, self.prefix);
        let mut all = Vec::new();
        if !path.contains(['*', '?', '[']) {
            return read_nested(&path, self.prefix, self.depth + 1, Some(directive));
        }
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let mut names: Vec<String> = read_dir(folder)
            .unwrap_or_default()
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        names.retain(|found| !found.starts_with('.') && glob::matches(name, found, true));
        names.sort();
        for found in names {
            all.extend(read_nested(
                &format!("{folder}/{found}"),
                self.prefix,
                self.depth + 1,
                Some(directive),
            )?);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: &str) {
        fn show(directives: &[Directive]) -> String {
            let one = |d: &Directive| {
                let words: Vec<&str> = std::iter::once(&d.name).chain(&d.args).map(String::as_str).collect();
                let block = d
                    .block
                    .as_ref()
                    .map_or(String::new(), |block| format!(" {{{}}}", show(block)));
                format!("{}{block}", words.join("|"))
            };
            directives.iter().map(one).collect::<Vec<_>>().join(" ")
        }
        let got = match parse_text(text, "f".into(), "/", 0) {
            Ok(directives) => show(&directives),
            Err(message) => message,
        };
        assert_eq!(got, want);
    }

    #[test]
    fn directives_are_read_with_quotes_comments_and_blocks() {
        check("daemon off;", "daemon|off");
        check(
            "a 'b c' \"d\\\"e\"; # x\nhttp { b; c { d 1; } }",
            "a|b c|d\"e http {b c {d|1}}",
        );
        check("return 200 ${uri}x;", "return|200|${uri}x");
        check("location ~ \\.php$ { }", "location|~|\\.php$ {}");
        check("root /a;root /b;", "root|/a root|/b");
    }

    #[test]
    fn broken_files_are_refused_with_their_line() {
        check("a\n", "unexpected end of file, expecting \";\" or \"}\" in f:2");
        check("http {\n a;\n", "unexpected end of file, expecting \"}\" in f:3");
        check("}\n", "unexpected \"}\" in f:1");
        check("a;\n;", "unexpected \";\" in f:2");
        check("a {\n b }", "unexpected \"}\" in f:2");
        check("a 'b", "unexpected end of file, expecting \";\" or \"}\" in f:1");
        check(&"a {".repeat(5000), "blocks are nested too deep in f:1");
    }
}

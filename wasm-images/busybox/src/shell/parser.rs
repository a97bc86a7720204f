//! The grammar: tokens to commands (POSIX XCU 2.10, with what ash adds: `function`, `[[`, `&>`).

use super::ast::{Assignment, Node, Part, Redirect, RedirectKind, SimpleCommand, Word};
use super::braces;
use super::lexer::{Aliases, PResult, ParseError, Parser, PendingHereDoc, Text, Token};
use super::text::is_name;
use std::rc::Rc;

/// Words with a meaning of their own where a command may begin.
pub(crate) const KEYWORDS: [&str; 16] = [
    "!", "case", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "then", "until", "while", "{",
    "}",
];

impl Text {
    /// Parses the next line of commands (with all that belongs to them); `None` at the end of the text.
    pub(crate) fn next_command(&mut self, aliases: &Aliases, bash: bool) -> PResult<Option<Node>> {
        let start = (self.pos, self.line);
        // Aliases are expanded in the text: a second attempt must begin with the first one's.
        let original = (self.more && !aliases.is_empty()).then(|| self.text.clone());
        let result = Parser::new(self, aliases, bash).line();
        if result == Err(ParseError::Incomplete) {
            (self.pos, self.line) = start;
            if let Some(text) = original {
                self.text = text;
            }
        }
        result
    }
}

impl Parser<'_> {
    /// A line of commands, or `None` at the end.
    fn line(&mut self) -> PResult<Option<Node>> {
        match self.look()? {
            Token::Eof => return Ok(None),
            Token::Newline => {
                self.take()?;
                // Nothing to do, but the caller may want to show a prompt.
                return Ok(Some(Node::Sequence { items: Vec::new() }));
            }
            _ => {}
        }
        let mut items = Vec::new();
        loop {
            items.push(self.and_or_with_separator()?);
            let separated = self.separated;
            match self.look()? {
                Token::Newline => {
                    self.take()?;
                    break;
                }
                Token::Eof => break,
                _ if separated => {}
                _ => return self.unexpected(None),
            }
        }
        Ok(Some(sequence(items)))
    }

    /// A whole script (in backquotes); `None` if there is no command in it.
    pub(crate) fn script(&mut self) -> PResult<Option<Node>> {
        let items = self.list()?;
        match self.look()? {
            Token::Eof => Ok(items),
            _ => self.unexpected(None),
        }
    }

    /// After `$(`: commands and the `)`.
    pub(crate) fn substitution(&mut self) -> PResult<Option<Node>> {
        let items = self.list()?;
        self.expect_op(")")?;
        Ok(items)
    }

    /// Commands up to something that is none; newlines are separators.
    pub(super) fn list(&mut self) -> PResult<Option<Node>> {
        let mut items = Vec::new();
        loop {
            self.skip_newlines()?;
            if !self.at_command()? {
                break;
            }
            items.push(self.and_or_with_separator()?);
            if !self.separated && !matches!(self.look()?, Token::Newline) {
                break;
            }
        }
        Ok((!items.is_empty()).then(|| sequence(items)))
    }

    /// A list that must not be empty.
    pub(super) fn body(&mut self, expecting: &'static str) -> PResult<Box<Node>> {
        match self.list()? {
            Some(node) => Ok(Box::new(node)),
            None => match self.look()? {
                Token::Eof => self.unexpected(Some(expecting)),
                _ => self.unexpected(None),
            },
        }
    }

    fn and_or_with_separator(&mut self) -> PResult<Node> {
        let node = self.and_or()?;
        self.separated = true;
        match self.look()? {
            Token::Op("&") => {
                self.take()?;
                Ok(Node::Background { body: Box::new(node) })
            }
            Token::Op(";") => {
                self.take()?;
                Ok(node)
            }
            _ => {
                self.separated = false;
                Ok(node)
            }
        }
    }

    fn and_or(&mut self) -> PResult<Node> {
        let mut left = self.pipeline()?;
        loop {
            let and = match self.look()? {
                Token::Op("&&") => true,
                Token::Op("||") => false,
                _ => return Ok(left),
            };
            self.take()?;
            self.skip_newlines()?;
            let right = Box::new(self.pipeline()?);
            let boxed = Box::new(left);
            left = if and {
                Node::And { left: boxed, right }
            } else {
                Node::Or { left: boxed, right }
            };
        }
    }

    fn pipeline(&mut self) -> PResult<Node> {
        let mut negated = false;
        while self.keyword("!")? {
            negated = !negated;
        }
        let mut stages = vec![self.command()?];
        while *self.look()? == Token::Op("|") {
            self.take()?;
            // `|&` is bash's; `&` is then unexpected in ash too.
            self.skip_newlines()?;
            stages.push(self.command()?);
        }
        let node = match stages.len() {
            1 => stages.pop().unwrap_or(Node::Sequence { items: Vec::new() }),
            _ => Node::Pipeline { stages },
        };
        Ok(if negated {
            Node::Not { body: Box::new(node) }
        } else {
            node
        })
    }

    pub(super) fn command(&mut self) -> PResult<Node> {
        self.expand_command_alias()?;
        let line = self.token_line;
        let node = match self.look()? {
            Token::Op("(") => {
                self.take()?;
                self.nested(|p| {
                    let body = p.body(")")?;
                    p.expect_op(")")?;
                    Ok(Node::Subshell { body })
                })?
            }
            Token::Word(word) => match word.as_literal() {
                Some("{" | "if" | "while" | "until" | "for" | "case" | "function") => self.nested(Self::compound)?,
                Some(word) if KEYWORDS.contains(&word) => return self.unexpected(None),
                _ => return self.simple(),
            },
            Token::Op("<" | ">" | "<<" | "<<-" | "<&" | ">&" | ">>" | "<>" | ">|" | "&>") | Token::IoNumber(_) => {
                return self.simple();
            }
            _ => return self.unexpected(None),
        };
        let redirects = self.redirects()?;
        if redirects.is_empty() {
            return Ok(node);
        }
        Ok(Node::Redirected {
            body: Box::new(node),
            redirects,
            line,
        })
    }

    fn simple(&mut self) -> PResult<Node> {
        let mut command = SimpleCommand {
            line: self.token_line,
            ..Default::default()
        };
        loop {
            match self.look()? {
                Token::Word(_) => {
                    let Token::Word(word) = self.take()? else { break };
                    if command.words.is_empty()
                        && let Some(assignment) = assignment(&word, self.bash)
                    {
                        command.assignments.push(assignment);
                        if command.redirects.is_empty() {
                            self.expand_command_alias()?;
                        }
                        continue;
                    }
                    let brackets = word.as_literal() == Some("[[") && command.words.is_empty();
                    self.push_word(word, &mut command.words);
                    if brackets {
                        self.bracket_words(&mut command)?;
                    } else if !self.aliases.is_empty() && self.after_blank_alias()? {
                        self.expand_command_alias()?;
                    }
                }
                Token::Op("(") if command.words.len() == 1 => {
                    let name = command.words.first().and_then(Word::as_literal).map(str::to_owned);
                    self.take()?;
                    self.expect_op(")")?;
                    if !command.assignments.is_empty() || !command.redirects.is_empty() {
                        return self.error("bad function name");
                    }
                    let Some(name) = name else {
                        return self.error("bad function name");
                    };
                    return self.function_body(name);
                }
                _ => match self.redirect()? {
                    Some(redirects) => command.redirects.extend(redirects),
                    None => break,
                },
            }
        }
        if command.words.is_empty() && command.assignments.is_empty() && command.redirects.is_empty() {
            return self.unexpected(None);
        }
        Ok(Node::Simple { command })
    }

    /// Adds a word, in bash the words that its braces make of it.
    pub(super) fn push_word(&self, word: Word, words: &mut Vec<Word>) {
        if self.bash {
            words.extend(braces::expand(word));
        } else {
            words.push(word);
        }
    }

    /// The words of `[[ … ]]`, where operators are words of the expression.
    fn bracket_words(&mut self, command: &mut SimpleCommand) -> PResult<()> {
        loop {
            let word = match self.take()? {
                Token::Word(word) => word,
                Token::Op(op @ ("&&" | "||" | "<" | ">" | "(" | ")")) => Word {
                    parts: vec![Part::Literal { text: op.to_owned() }],
                },
                Token::Newline => continue,
                token => {
                    self.put_back(token);
                    return self.unexpected(Some("]]"));
                }
            };
            let end = word.as_literal() == Some("]]");
            command.words.push(word);
            if end {
                return Ok(());
            }
        }
    }

    fn redirects(&mut self) -> PResult<Vec<Redirect>> {
        let mut all = Vec::new();
        while let Some(more) = self.redirect()? {
            all.extend(more);
        }
        Ok(all)
    }

    fn redirect(&mut self) -> PResult<Option<Vec<Redirect>>> {
        let number = match self.look()? {
            Token::IoNumber(n) => {
                let n = *n;
                self.take()?;
                Some(n)
            }
            _ => None,
        };
        let Token::Op(op @ ("<" | ">" | "<<" | "<<-" | "<&" | ">&" | ">>" | "<>" | ">|" | "&>")) = *self.look()? else {
            return Ok(None);
        };
        self.take()?;
        if op.starts_with("<<") {
            return self.here_document(number.unwrap_or(0), op == "<<-").map(Some);
        }
        let Token::Word(target) = self.take_or_unexpected(None, |t| matches!(t, Token::Word(_)))? else {
            return Ok(None);
        };
        let default = i32::from(!op.starts_with('<'));
        let kind = match op {
            "<" => RedirectKind::Read { target },
            ">" => RedirectKind::Write { target, clobber: false },
            ">|" => RedirectKind::Write { target, clobber: true },
            ">>" => RedirectKind::Append { target },
            "<>" => RedirectKind::ReadWrite { target },
            "&>" => RedirectKind::WriteBoth { target },
            // `>&file` is `&>file`; `>&$x` is decided when it is known.
            ">&" if number.is_none() && target.as_literal().is_some_and(|t| !is_descriptor(t)) => {
                RedirectKind::WriteBoth { target }
            }
            _ => RedirectKind::Duplicate { target },
        };
        Ok(Some(vec![Redirect {
            fd: number.unwrap_or(default),
            kind,
        }]))
    }

    fn here_document(&mut self, fd: i32, strip_tabs: bool) -> PResult<Vec<Redirect>> {
        let Token::Word(word) = self.take_or_unexpected(None, |t| matches!(t, Token::Word(_)))? else {
            return Ok(Vec::new());
        };
        let mut quoted = false;
        let mut delimiter = String::new();
        plain_text(&word.parts, &mut delimiter, &mut quoted);
        let body = Rc::default();
        self.heredocs.push(PendingHereDoc {
            body: Rc::clone(&body),
            delimiter,
            strip_tabs,
            quoted,
        });
        Ok(vec![Redirect {
            fd,
            kind: RedirectKind::HereDoc { body },
        }])
    }

    // ---- helpers ---------------------------------------------------------------------------------------------------

    /// Replaces the next word by its alias, as often as there is one.
    fn expand_command_alias(&mut self) -> PResult<()> {
        while !self.aliases.is_empty() {
            let Token::Word(word) = self.look()? else { return Ok(()) };
            let Some(name) = word.as_literal().map(str::to_owned) else {
                return Ok(());
            };
            if !self.expand_alias(&name) {
                return Ok(());
            }
            self.take()?;
        }
        Ok(())
    }

    pub(super) fn skip_newlines(&mut self) -> PResult<()> {
        while *self.look()? == Token::Newline {
            self.take()?;
        }
        Ok(())
    }

    /// Whether a command begins here (a keyword that ends something does not begin one).
    fn at_command(&mut self) -> PResult<bool> {
        self.expand_command_alias()?;
        Ok(match self.look()? {
            Token::Eof | Token::Newline | Token::Op(")" | ";;" | ";&") => false,
            Token::Word(word) => !matches!(
                word.as_literal(),
                Some("do" | "done" | "elif" | "else" | "esac" | "fi" | "then" | "}")
            ),
            _ => true,
        })
    }

    /// Takes the keyword if it is next.
    pub(super) fn keyword(&mut self, keyword: &str) -> PResult<bool> {
        self.expand_command_alias()?;
        let hit = matches!(self.look()?, Token::Word(word) if word.as_literal() == Some(keyword));
        if hit {
            self.take()?;
        }
        Ok(hit)
    }

    pub(super) fn expect_keyword(&mut self, keyword: &'static str) -> PResult<()> {
        if self.keyword(keyword)? {
            Ok(())
        } else {
            self.unexpected(Some(keyword))
        }
    }

    pub(super) fn expect_op(&mut self, op: &'static str) -> PResult<()> {
        if *self.look()? == Token::Op(op) {
            self.take()?;
            return Ok(());
        }
        self.unexpected(Some(op))
    }

    pub(super) fn take_or_unexpected(
        &mut self,
        expecting: Option<&str>,
        wanted: impl Fn(&Token) -> bool,
    ) -> PResult<Token> {
        if wanted(self.look()?) {
            self.take()
        } else {
            self.unexpected(expecting)
        }
    }

    /// `unexpected "done" (expecting "fi")`.
    pub(crate) fn unexpected<T>(&mut self, expecting: Option<&str>) -> PResult<T> {
        let found = match self.look()? {
            Token::Eof => "end of file".to_owned(),
            Token::Newline => "newline".to_owned(),
            Token::IoNumber(_) | Token::Op("<" | ">" | "<<" | "<<-" | "<&" | ">&" | ">>" | "<>" | ">|" | "&>") => {
                "redirection".to_owned()
            }
            Token::Op(op) => format!("\"{op}\""),
            Token::Word(word) => match word.as_literal() {
                Some(text) if KEYWORDS.contains(&text) => format!("\"{text}\""),
                _ => "word".to_owned(),
            },
        };
        match expecting {
            Some(expecting) => self.error(format!("unexpected {found} (expecting \"{expecting}\")")),
            None => self.error(format!("unexpected {found}")),
        }
    }
}

fn sequence(mut items: Vec<Node>) -> Node {
    match items.len() {
        1 => items.pop().unwrap_or(Node::Sequence { items: Vec::new() }),
        _ => Node::Sequence { items },
    }
}

/// A number or `-`.
pub(crate) fn is_descriptor(text: &str) -> bool {
    text == "-" || (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
}

/// `name=…`, and in bash `name+=…`.
fn assignment(word: &Word, bash: bool) -> Option<Assignment> {
    let (Part::Literal { text }, rest) = word.parts.split_first()? else {
        return None;
    };
    let (name, value) = text.split_once('=')?;
    let (name, append) = match name.strip_suffix('+') {
        Some(name) if bash => (name, true),
        _ => (name, false),
    };
    if !is_name(name) {
        return None;
    }
    let mut parts = Vec::with_capacity(word.parts.len());
    if !value.is_empty() {
        parts.push(Part::Literal { text: value.to_owned() });
    }
    parts.extend_from_slice(rest);
    Some(Assignment {
        name: name.to_owned(),
        append,
        value: Word { parts },
    })
}

/// The text of a word whose expansions are not made: the delimiter of a here-document.
fn plain_text(parts: &[Part], text: &mut String, quoted: &mut bool) {
    for part in parts {
        match part {
            Part::Literal { text: t } => text.push_str(t),
            Part::Quoted { text: t } => {
                *quoted = true;
                text.push_str(t);
            }
            Part::Double { parts } => {
                *quoted = true;
                plain_text(parts, text, quoted);
            }
            Part::Param { name, .. } => {
                text.push('$');
                text.push_str(name);
            }
            Part::Command { .. } | Part::Arith { .. } => text.push('$'),
        }
    }
}

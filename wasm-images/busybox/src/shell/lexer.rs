//! Characters to tokens. Words are parsed to their parts here, here-documents are read at the end of their line.
//!
//! The text comes in pieces (a terminal gives lines): where more may come, running out of it is
//! [`ParseError::Incomplete`], and the caller parses again from the beginning of the command with more text.

use super::ast::{Part, Word};
use super::text;
use super::word::Stop;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Aliases by name.
pub(crate) type Aliases = BTreeMap<String, String>;

/// Why there is no command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ParseError {
    /// The text ends within the command.
    Incomplete,
    /// It is wrong.
    Syntax {
        /// On this line.
        line: u32,
        /// As ash says it, without `syntax error: `.
        message: String,
    },
}

pub(crate) type PResult<T> = Result<T, ParseError>;

/// How deep commands, substitutions and quotes may be nested: what fits on the stack of a guest with room to spare.
const MAX_DEPTH: u32 = 80;
/// How often `$((` may turn out to be a subshell in a command substitution within one command (each costs a second look).
const MAX_SECOND_LOOKS: u32 = 64;

/// The text of a script, and how far it has been parsed.
#[derive(Debug, Default)]
pub(crate) struct Text {
    /// What there is of it.
    pub(crate) text: String,
    /// The first byte not yet parsed.
    pub(crate) pos: usize,
    /// The line that it is on.
    pub(crate) line: u32,
    /// Whether more may come.
    pub(crate) more: bool,
}

impl Text {
    /// A whole text.
    pub(crate) fn whole(text: String, line: u32) -> Self {
        Self {
            text,
            pos: 0,
            line,
            more: false,
        }
    }

    /// Forgets what has been parsed and adds more.
    pub(crate) fn push(&mut self, more: &str) {
        self.text.drain(..self.pos);
        self.pos = 0;
        self.text.push_str(more);
    }

    /// Drops what is left: after a syntax error at a terminal.
    pub(crate) fn discard(&mut self) {
        self.text.clear();
        self.pos = 0;
    }
}

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// A word.
    Word(Word),
    /// Digits directly before `<` or `>`.
    IoNumber(i32),
    /// An operator.
    Op(&'static str),
    /// End of line.
    Newline,
    /// End of text.
    Eof,
}

/// A here-document whose body comes after this line.
#[derive(Debug)]
pub(crate) struct PendingHereDoc {
    pub(crate) body: Rc<OnceCell<Word>>,
    pub(crate) delimiter: String,
    pub(crate) strip_tabs: bool,
    pub(crate) quoted: bool,
}

/// An alias that was expanded.
struct Expanded {
    name: String,
    /// Where its text ends.
    end: usize,
    /// It ends in a blank.
    blank: bool,
}

/// The longest first, so that the first that fits is the one.
const OPERATORS: [&str; 20] = [
    "<<-", "&&", "||", ";;", ";&", "<<", "<&", ">&", ">>", "<>", ">|", "&>", "&", "|", ";", "<", ">", "(", ")", "\n",
];

/// Parses one text; see `parser.rs` for the grammar, `word.rs` for the insides of words.
pub(crate) struct Parser<'a> {
    pub(crate) source: &'a mut Text,
    pub(crate) aliases: &'a Aliases,
    /// Bash's additions are on.
    pub(crate) bash: bool,
    /// A token that has been looked at.
    token: Option<Token>,
    /// The line that the last token begins on.
    pub(crate) token_line: u32,
    pub(crate) heredocs: Vec<PendingHereDoc>,
    /// The aliases that were expanded in this command.
    expanded: Vec<Expanded>,
    /// Where the last two tokens began and ended.
    last_token: (usize, usize),
    previous_end: usize,
    /// The last command was ended by `;` or `&`.
    pub(crate) separated: bool,
    depth: u32,
    pub(crate) second_looks: u32,
}

impl<'a> Parser<'a> {
    /// A parser that goes on where the text has been parsed to.
    pub(crate) fn new(source: &'a mut Text, aliases: &'a Aliases, bash: bool) -> Self {
        Self {
            source,
            aliases,
            bash,
            token: None,
            token_line: 0,
            heredocs: Vec::new(),
            expanded: Vec::new(),
            last_token: (0, 0),
            previous_end: 0,
            separated: false,
            depth: 0,
            second_looks: MAX_SECOND_LOOKS,
        }
    }

    pub(crate) fn error<T>(&self, message: impl Into<String>) -> PResult<T> {
        Err(ParseError::Syntax {
            line: self.source.line,
            message: message.into(),
        })
    }

    /// Runs something one level deeper.
    pub(crate) fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> PResult<T>) -> PResult<T> {
        if self.depth >= MAX_DEPTH {
            return self.error("nesting too deep");
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    /// A parser for a text within this one (backquotes, bodies of here-documents), one level deeper.
    pub(crate) fn inner<T>(&mut self, text: String, parse: impl FnOnce(&mut Parser<'_>) -> PResult<T>) -> PResult<T> {
        let (line, depth) = (self.source.line, self.depth);
        let mut source = Text::whole(text, line);
        let mut inner = Parser::new(&mut source, self.aliases, self.bash);
        inner.depth = depth;
        inner.nested(parse)
    }

    /// The next byte as it stands.
    pub(crate) fn peek_raw(&self) -> PResult<Option<u8>> {
        match self.source.text.as_bytes().get(self.source.pos) {
            None if self.source.more => Err(ParseError::Incomplete),
            byte => Ok(byte.copied()),
        }
    }

    /// The byte after the next one.
    pub(crate) fn peek_second(&self) -> Option<u8> {
        self.source.text.as_bytes().get(self.source.pos + 1).copied()
    }

    /// The next byte, beyond any line continuation.
    pub(crate) fn peek(&mut self) -> PResult<Option<u8>> {
        while self
            .source
            .text
            .get(self.source.pos..)
            .is_some_and(|rest| rest.starts_with("\\\n"))
        {
            self.source.pos += 2;
            self.source.line += 1;
        }
        self.peek_raw()
    }

    /// Takes the next character.
    pub(crate) fn bump(&mut self) -> Option<char> {
        let c = self.source.text.get(self.source.pos..)?.chars().next()?;
        self.source.pos += c.len_utf8();
        if c == '\n' {
            self.source.line += 1;
        }
        Some(c)
    }

    /// Takes the next byte if it is this one (an ASCII character).
    pub(crate) fn eat(&mut self, byte: u8) -> PResult<bool> {
        let hit = self.peek()? == Some(byte);
        if hit {
            self.bump();
        }
        Ok(hit)
    }

    /// Puts an alias' text where its name was. `false` if it is not an alias or is being expanded already.
    pub(crate) fn expand_alias(&mut self, name: &str) -> bool {
        let pos = self.source.pos;
        let Some(value) = self.aliases.get(name) else {
            return false;
        };
        // The name has just been read: it came from an alias if it lies before that one's end.
        if self.expanded.iter().any(|alias| alias.name == name && alias.end >= pos) {
            return false;
        }
        self.source.text.insert_str(pos, value);
        for alias in &mut self.expanded {
            if alias.end >= pos {
                alias.end += value.len();
            }
        }
        self.expanded.push(Expanded {
            name: name.to_owned(),
            end: pos + value.len(),
            blank: value.ends_with([' ', '\t']),
        });
        true
    }

    /// Whether an alias that ends in a blank ended before the token that is looked at: then it may be an alias too.
    pub(crate) fn after_blank_alias(&mut self) -> PResult<bool> {
        self.look()?;
        let between = self.previous_end..=self.last_token.0;
        Ok(self
            .expanded
            .iter()
            .any(|alias| alias.blank && between.contains(&alias.end)))
    }

    /// The next token, without taking it.
    pub(crate) fn look(&mut self) -> PResult<&Token> {
        if self.token.is_none() {
            self.token = Some(self.scan()?);
        }
        Ok(self.token.as_ref().unwrap_or(&Token::Eof))
    }

    /// Takes the next token.
    pub(crate) fn take(&mut self) -> PResult<Token> {
        match self.token.take() {
            Some(token) => Ok(token),
            None => self.scan(),
        }
    }

    /// Gives a token back that was taken.
    pub(crate) fn put_back(&mut self, token: Token) {
        self.token = Some(token);
    }

    fn scan(&mut self) -> PResult<Token> {
        self.previous_end = self.last_token.1;
        self.skip_blanks()?;
        let start = self.source.pos;
        let token = self.scan_token()?;
        self.last_token = (start, self.source.pos);
        Ok(token)
    }

    fn skip_blanks(&mut self) -> PResult<()> {
        loop {
            match self.peek()? {
                Some(b' ' | b'\t') => {
                    self.bump();
                }
                Some(b'#') => {
                    while !matches!(self.peek_raw()?, None | Some(b'\n')) {
                        self.bump();
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    fn scan_token(&mut self) -> PResult<Token> {
        self.token_line = self.source.line;
        let Some(first) = self.peek()? else {
            self.read_heredocs()?;
            return Ok(Token::Eof);
        };
        if let Some(op) = self.operator(first)? {
            if op != "\n" {
                return Ok(Token::Op(op));
            }
            self.read_heredocs()?;
            return Ok(Token::Newline);
        }
        if first.is_ascii_digit()
            && let Some(number) = self.io_number()?
        {
            return Ok(Token::IoNumber(number));
        }
        Ok(Token::Word(Word {
            parts: self.parts(Stop::Token)?,
        }))
    }

    fn operator(&mut self, first: u8) -> PResult<Option<&'static str>> {
        if !b"&|;<>()\n".contains(&first) {
            return Ok(None);
        }
        let mut found = None;
        // Grow byte by byte, so that a line continuation between two characters is skipped.
        let mut so_far = String::new();
        loop {
            let at = (self.source.pos, self.source.line);
            let Some(byte) = self.peek_operator_byte(found == Some("\n"))? else {
                break;
            };
            so_far.push(char::from(byte));
            let Some(op) = OPERATORS.iter().copied().find(|op| *op == so_far) else {
                (self.source.pos, self.source.line) = at;
                break;
            };
            self.bump();
            found = Some(op);
        }
        Ok(found)
    }

    /// The next byte of an operator. At a line's end there is no next one: do not ask a terminal for more.
    fn peek_operator_byte(&mut self, complete: bool) -> PResult<Option<u8>> {
        if complete { Ok(None) } else { self.peek() }
    }

    fn io_number(&mut self) -> PResult<Option<i32>> {
        let rest = self.source.text.get(self.source.pos..).unwrap_or("");
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if !matches!(rest.as_bytes().get(digits), Some(b'<' | b'>')) {
            return Ok(None);
        }
        let Some(number) = rest.get(..digits).and_then(|d| d.parse().ok()) else {
            return Ok(None);
        };
        self.source.pos += digits;
        Ok(Some(number))
    }

    /// Reads the bodies of the here-documents of the line that has just ended.
    fn read_heredocs(&mut self) -> PResult<()> {
        for pending in std::mem::take(&mut self.heredocs) {
            let body = self.heredoc_text(&pending)?;
            let part = if pending.quoted {
                Part::Quoted { text: body }
            } else {
                Part::Double {
                    parts: self.inner(body, |p| p.parts(Stop::Body))?,
                }
            };
            // Filled once: it was pending.
            let _ = pending.body.set(Word { parts: vec![part] });
        }
        Ok(())
    }

    fn heredoc_text(&mut self, pending: &PendingHereDoc) -> PResult<String> {
        let mut body = String::new();
        // With a backslash at its end, a line goes on: the next one is not looked at for the delimiter.
        let mut joined = false;
        loop {
            let rest = self.source.text.get(self.source.pos..).unwrap_or("");
            let (mut line, len) = match rest.split_once('\n') {
                Some((line, _)) => (line, line.len() + 1),
                None if self.source.more => return Err(ParseError::Incomplete),
                None if rest.is_empty() => return Ok(body),
                None => (rest, rest.len()),
            };
            let ended = len > line.len();
            if pending.strip_tabs {
                line = line.trim_start_matches('\t');
            }
            if !joined && line == pending.delimiter {
                self.source.pos += len;
                self.source.line += u32::from(ended);
                return Ok(body);
            }
            joined = !pending.quoted && line.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1;
            body.push_str(line);
            if ended {
                body.push('\n');
            }
            self.source.pos += len;
            self.source.line += u32::from(ended);
        }
    }
}

/// Text of a `$'…'` string, from after its opening quote; `None` if it has no end. Gives the length that it took.
pub(crate) fn ansi_c_string(rest: &str) -> Option<(String, usize)> {
    let mut out = Vec::new();
    let mut chars = rest.char_indices().peekable();
    let mut utf8 = [0; 4];
    while let Some((at, c)) = chars.next() {
        let c = match c {
            '\'' => return Some((text::from_bytes(&out), at + 1)),
            '\\' => chars.next()?.1,
            _ => {
                out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
                continue;
            }
        };
        let mut digits = |max: usize, radix: u32, first: u32| {
            let mut value = first;
            for _ in 0..max {
                let Some(digit) = chars.peek().and_then(|(_, c)| c.to_digit(radix)) else {
                    break;
                };
                value = value * radix + digit;
                chars.next();
            }
            value
        };
        match c {
            'x' => out.push(digits(2, 16, 0) as u8),
            'u' | 'U' => {
                let value = digits(if c == 'u' { 4 } else { 8 }, 16, 0);
                let c = char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
            }
            '0'..='7' => out.push(digits(2, 8, c.to_digit(8).unwrap_or(0)) as u8),
            _ => match escape_char(c) {
                Some(byte) => out.push(byte),
                None => {
                    if !matches!(c, '\'' | '"' | '?') {
                        out.push(b'\\');
                    }
                    out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
                }
            },
        }
    }
    None
}

/// The byte of a one-letter escape of C, with `\e`.
pub(crate) fn escape_char(c: char) -> Option<u8> {
    Some(match c {
        'a' => 7,
        'b' => 8,
        'e' | 'E' => 27,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' => b'\\',
        _ => return None,
    })
}

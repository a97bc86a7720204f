//! The script of `sed`.

use super::one_matches;
use crate::util::pattern::{self, Syntax};
use regex::bytes::Regex;

/// What a command is for.
#[derive(Clone, Debug)]
pub(super) enum Address {
    Line(u64),
    /// `FIRST~STEP`
    Step(u64, u64),
    Last,
    /// `None`: the last one that was used.
    Regex(Option<Regex>),
    /// `+N`, as the end of a range.
    Plus(u64),
}

/// None, one or two addresses, and whether a range is open.
#[derive(Clone, Debug, Default)]
pub(super) struct Addresses {
    first: Option<Address>,
    second: Option<Address>,
    open: bool,
    /// Where an open range ends, if that is a line number.
    until: Option<u64>,
}

impl Addresses {
    pub(super) fn in_range(&self) -> bool {
        self.open
    }

    pub(super) fn matches(&mut self, line: u64, last: bool, pattern: &[u8], regex: &mut Option<Regex>) -> bool {
        let Some(first) = &self.first else { return true };
        let Some(second) = &self.second else {
            return one_matches(first, line, last, pattern, regex);
        };
        if !self.open {
            if !one_matches(first, line, last, pattern, regex) {
                return false;
            }
            self.until = match second {
                Address::Line(number) => Some(*number),
                Address::Plus(count) => Some(line + count),
                _ => None,
            };
            // A range whose end is not later is one line.
            self.open = self.until.is_none_or(|end| end > line) && !(matches!(second, Address::Last) && last);
            return true;
        }
        let ends = match self.until {
            Some(end) => line >= end,
            None => one_matches(second, line, last, pattern, regex),
        };
        if ends {
            self.open = false;
        }
        true
    }
}

/// `s`
#[derive(Clone, Debug)]
pub(super) struct Substitute {
    pub(super) regex: Option<Regex>,
    pub(super) replacement: Vec<Replacement>,
    pub(super) global: bool,
    pub(super) occurrence: usize,
    pub(super) print: bool,
    pub(super) write: Option<String>,
}

/// A part of a replacement.
#[derive(Clone, Debug)]
pub(super) enum Replacement {
    Text(String),
    Group(usize),
    Case(char),
}

/// A command by what it does.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// `{`, with the index of its `}`.
    Block(usize),
    EndBlock,
    Label(String),
    Equals,
    Append(String),
    Insert(String),
    Change(String),
    Delete,
    DeleteFirst,
    Print,
    PrintFirst,
    List,
    Next,
    NextAppend,
    Hold,
    HoldAppend,
    Get,
    GetAppend,
    Exchange,
    Branch(String),
    /// `t` (`true`) and `T`.
    BranchIf(String, bool),
    Quit(i32),
    QuitSilent(i32),
    Read(String),
    Write(String),
    Transliterate(Vec<char>, Vec<char>),
    Substitute(Box<Substitute>),
}

/// A command with its addresses.
#[derive(Clone, Debug)]
pub(super) struct Command {
    pub(super) addresses: Addresses,
    pub(super) negated: bool,
    pub(super) kind: Kind,
}

struct Parser<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    extended: bool,
}

/// Reads a script, whose every line ends in a line feed.
pub(super) fn parse(script: &str, extended: bool) -> Result<Vec<Command>, String> {
    let mut parser = Parser {
        rest: script.chars().peekable(),
        extended,
    };
    let mut commands: Vec<Command> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    loop {
        parser.skip(|c| c.is_whitespace() || c == ';');
        let Some(c) = parser.rest.peek().copied() else { break };
        if c == '#' {
            parser.skip(|c| c != '\n');
            continue;
        }
        let addresses = parser.addresses()?;
        parser.skip(|c| c == ' ' || c == '\t');
        let mut negated = false;
        while parser.rest.next_if_eq(&'!').is_some() {
            negated = true;
            parser.skip(|c| c == ' ' || c == '\t');
        }
        let Some(letter) = parser.rest.next() else {
            return Err("missing command".to_owned());
        };
        if letter == '\n' {
            return Err("missing command".to_owned());
        }
        let kind = match letter {
            '{' => {
                open.push(commands.len());
                Kind::Block(0)
            }
            '}' => {
                let start = open.pop().ok_or("unexpected '}'")?;
                let end = commands.len();
                if let Some(command) = commands.get_mut(start) {
                    command.kind = Kind::Block(end);
                }
                Kind::EndBlock
            }
            letter => parser.command(letter)?,
        };
        commands.push(Command {
            addresses,
            negated,
            kind,
        });
    }
    if !open.is_empty() {
        return Err("unmatched '{'".to_owned());
    }
    for command in &commands {
        if let Kind::Branch(label) | Kind::BranchIf(label, _) = &command.kind {
            let known = commands
                .iter()
                .any(|c| matches!(&c.kind, Kind::Label(name) if name == label));
            if !label.is_empty() && !known {
                return Err(format!("can't find label for jump to '{label}'"));
            }
        }
    }
    Ok(commands)
}

impl Parser<'_> {
    fn skip(&mut self, what: impl Fn(char) -> bool) {
        while self.rest.next_if(|c| what(*c)).is_some() {}
    }

    fn number(&mut self) -> Option<u64> {
        let mut digits = String::new();
        while let Some(digit) = self.rest.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        digits.parse().ok()
    }

    fn addresses(&mut self) -> Result<Addresses, String> {
        let mut addresses = Addresses {
            first: self.address()?,
            ..Addresses::default()
        };
        self.skip(|c| c == ' ');
        if addresses.first.is_some() && self.rest.next_if_eq(&',').is_some() {
            self.skip(|c| c == ' ');
            addresses.second = if self.rest.next_if_eq(&'+').is_some() {
                self.number().map(Address::Plus)
            } else {
                self.address()?
            };
            if addresses.second.is_none() {
                return Err("no address after comma".to_owned());
            }
        }
        Ok(addresses)
    }

    fn address(&mut self) -> Result<Option<Address>, String> {
        match self.rest.peek().copied() {
            Some('0'..='9') => {
                let first = self.number().ok_or("invalid line number")?;
                if self.rest.next_if_eq(&'~').is_some() {
                    return Ok(Some(Address::Step(first, self.number().unwrap_or(0))));
                }
                Ok(Some(Address::Line(first)))
            }
            Some('$') => {
                self.rest.next();
                Ok(Some(Address::Last))
            }
            Some('/' | '\\') => {
                let mut delimiter = self.rest.next().unwrap_or('/');
                if delimiter == '\\' {
                    delimiter = self.rest.next().ok_or("no delimiter")?;
                }
                let text = self.delimited(delimiter, true)?;
                let ignore_case = self.rest.next_if(|c| *c == 'I' || *c == 'i').is_some();
                Ok(Some(Address::Regex(self.regex(&text, ignore_case, false)?)))
            }
            _ => Ok(None),
        }
    }

    /// Up to the delimiter. An escaped delimiter is the delimiter; `\n` in a regular expression stays for its own parser.
    fn delimited(&mut self, delimiter: char, regex: bool) -> Result<String, String> {
        let mut text = String::new();
        let mut in_class = false;
        while let Some(c) = self.rest.next() {
            match c {
                '\\' => match self.rest.next() {
                    Some(escaped) if escaped == delimiter => {
                        // In a regular expression it may be special only with its backslash.
                        if regex && "|(){}+?.*[]^$".contains(delimiter) && delimiter != '|' {
                            text.push('\\');
                        }
                        text.push(escaped);
                    }
                    Some(escaped) => {
                        text.push('\\');
                        text.push(escaped);
                    }
                    None => break,
                },
                '\n' if regex => break,
                '[' if regex && !in_class => {
                    in_class = true;
                    text.push(c);
                    for wanted in ['^', ']'] {
                        text.extend(self.rest.next_if_eq(&wanted));
                    }
                }
                ']' if in_class => {
                    in_class = false;
                    text.push(c);
                }
                c if c == delimiter && !in_class => return Ok(text),
                c => text.push(c),
            }
        }
        Err(format!("unmatched '{delimiter}'"))
    }

    fn regex(&self, text: &str, ignore_case: bool, multi_line: bool) -> Result<Option<Regex>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        let syntax = Syntax {
            extended: self.extended,
            ignore_case,
            multi_line,
        };
        pattern::compile(text, syntax)
            .map(Some)
            .map_err(|error| format!("bad regex '{text}': {error}"))
    }

    /// The rest of the line, or up to a semicolon.
    fn word(&mut self, to_semicolon: bool) -> String {
        self.skip(|c| c == ' ' || c == '\t');
        let mut word = String::new();
        while let Some(c) = self
            .rest
            .next_if(|c| *c != '\n' && !(to_semicolon && matches!(c, ';' | '}')))
        {
            word.push(c);
        }
        word.trim_end().to_owned()
    }

    /// The text of `a`, `i` and `c`: behind a backslash and a line feed, or on the same line; a backslash at the end of a line
    /// goes on with the next.
    fn text(&mut self) -> String {
        self.skip(|c| c == ' ' || c == '\t');
        if self.rest.next_if_eq(&'\\').is_some() {
            self.skip(|c| c == ' ' || c == '\t');
            self.rest.next_if_eq(&'\n');
        }
        let mut text = String::new();
        while let Some(c) = self.rest.next() {
            match c {
                '\\' => text.extend(self.rest.next()),
                '\n' => break,
                c => text.push(c),
            }
        }
        text
    }

    fn command(&mut self, letter: char) -> Result<Kind, String> {
        let kind = match letter {
            ':' => return Ok(Kind::Label(self.word(true))),
            '=' => Kind::Equals,
            'a' => return Ok(Kind::Append(self.text())),
            'i' => return Ok(Kind::Insert(self.text())),
            'c' => return Ok(Kind::Change(self.text())),
            'd' => Kind::Delete,
            'D' => Kind::DeleteFirst,
            'p' => Kind::Print,
            'P' => Kind::PrintFirst,
            'l' => Kind::List,
            'n' => Kind::Next,
            'N' => Kind::NextAppend,
            'h' => Kind::Hold,
            'H' => Kind::HoldAppend,
            'g' => Kind::Get,
            'G' => Kind::GetAppend,
            'x' => Kind::Exchange,
            'b' => return Ok(Kind::Branch(self.word(true))),
            't' => return Ok(Kind::BranchIf(self.word(true), true)),
            'T' => return Ok(Kind::BranchIf(self.word(true), false)),
            'q' | 'Q' => {
                self.skip(|c| c == ' ');
                let code = self.number().and_then(|code| i32::try_from(code).ok()).unwrap_or(0);
                if letter == 'q' {
                    Kind::Quit(code)
                } else {
                    Kind::QuitSilent(code)
                }
            }
            'r' => return Ok(Kind::Read(self.word(false))),
            'w' => return Ok(Kind::Write(self.word(false))),
            'y' => self.transliterate()?,
            's' => self.substitute()?,
            other => return Err(format!("unsupported command {other}")),
        };
        self.skip(|c| c == ' ' || c == '\t' || c == '\r');
        match self.rest.peek() {
            None | Some('\n' | ';' | '}' | '#') => Ok(kind),
            Some(extra) => Err(format!("extra characters after command: {extra}")),
        }
    }

    fn transliterate(&mut self) -> Result<Kind, String> {
        let delimiter = self.rest.next().ok_or("bad y command")?;
        let mut set = || -> Result<Vec<char>, String> {
            let text = self.delimited(delimiter, false)?;
            Ok(text
                .replace("\\n", "\n")
                .replace("\\t", "\t")
                .replace("\\\\", "\\")
                .chars()
                .collect())
        };
        let (from, to) = (set()?, set()?);
        if from.len() == to.len() {
            Ok(Kind::Transliterate(from, to))
        } else {
            Err("y strings have different lengths".to_owned())
        }
    }

    fn substitute(&mut self) -> Result<Kind, String> {
        let delimiter = self.rest.next().ok_or("bad s command")?;
        let regex = self.delimited(delimiter, true)?;
        let replacement = self.delimited(delimiter, false)?;
        let mut result = Substitute {
            regex: None,
            replacement: parts(&replacement),
            global: false,
            occurrence: 1,
            print: false,
            write: None,
        };
        let (mut ignore_case, mut multi_line) = (false, false);
        while let Some(flag) = self
            .rest
            .next_if(|c| !matches!(c, '\n' | ';' | '}' | '#' | ' ' | '\t' | '\r'))
        {
            match flag {
                'g' => result.global = true,
                'p' => result.print = true,
                'i' | 'I' => ignore_case = true,
                'm' | 'M' => multi_line = true,
                'w' => {
                    result.write = Some(self.word(false));
                    break;
                }
                '1'..='9' => {
                    let more = self.number();
                    let text = more.map_or(flag.to_string(), |more| format!("{flag}{more}"));
                    result.occurrence = text.parse().map_err(|_| "bad option in substitution expression")?;
                }
                _ => return Err("bad option in substitution expression".to_owned()),
            }
        }
        result.regex = self.regex(&regex, ignore_case, multi_line)?;
        let groups = result.regex.as_ref().map_or(10, Regex::captures_len);
        if result
            .replacement
            .iter()
            .any(|part| matches!(part, Replacement::Group(number) if *number >= groups))
        {
            return Err("invalid reference in replacement".to_owned());
        }
        Ok(Kind::Substitute(Box::new(result)))
    }
}

fn parts(text: &str) -> Vec<Replacement> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut chars = text.chars();
    let special = |literal: &mut String, part: Replacement, parts: &mut Vec<Replacement>| {
        if !literal.is_empty() {
            parts.push(Replacement::Text(std::mem::take(literal)));
        }
        parts.push(part);
    };
    while let Some(c) = chars.next() {
        match c {
            '&' => special(&mut literal, Replacement::Group(0), &mut parts),
            '\\' => match chars.next() {
                Some(digit @ '0'..='9') => {
                    let number = digit.to_digit(10).unwrap_or(0) as usize;
                    special(&mut literal, Replacement::Group(number), &mut parts);
                }
                Some(case @ ('U' | 'L' | 'u' | 'l' | 'E')) => {
                    special(&mut literal, Replacement::Case(case), &mut parts)
                }
                Some('n') => literal.push('\n'),
                Some('t') => literal.push('\t'),
                Some('r') => literal.push('\r'),
                Some(other) => literal.push(other),
                None => {}
            },
            c => literal.push(c),
        }
    }
    if !literal.is_empty() {
        parts.push(Replacement::Text(literal));
    }
    parts
}

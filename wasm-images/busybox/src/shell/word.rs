//! The insides of words: quotes, `$…`, backquotes.

use super::ast::{Node, ParamOp, Part, Word};
use super::lexer::{PResult, Parser, ansi_c_string};
use std::rc::Rc;

/// Where a run of parts ends, which also says how quotes are read in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stop {
    /// An unquoted blank or operator: an ordinary word.
    Token,
    /// The closing `"`.
    DoubleQuote,
    /// The end of the text: a here-document.
    Body,
    /// The closing `}` of `${`; `quoted` within double quotes.
    Brace { quoted: bool },
    /// `/` or `}`.
    Slash { quoted: bool },
    /// `:` or `}`, arithmetic.
    Colon,
    /// The closing `))`.
    Arith,
}

impl Stop {
    /// Whether blanks, single quotes and most backslashes are ordinary characters.
    fn quoted(self) -> bool {
        match self {
            Stop::DoubleQuote | Stop::Body | Stop::Arith | Stop::Colon => true,
            Stop::Brace { quoted } | Stop::Slash { quoted } => quoted,
            Stop::Token => false,
        }
    }

    fn in_braces(self) -> bool {
        matches!(self, Stop::Brace { .. } | Stop::Slash { .. } | Stop::Colon)
    }
}

/// Collects parts; neighbouring literals become one.
#[derive(Default)]
struct Parts {
    done: Vec<Part>,
    literal: String,
}

impl Parts {
    fn push(&mut self, part: Part) {
        if !self.literal.is_empty() {
            self.done.push(Part::Literal {
                text: std::mem::take(&mut self.literal),
            });
        }
        self.done.push(part);
    }

    fn finish(mut self) -> Vec<Part> {
        if !self.literal.is_empty() {
            self.done.push(Part::Literal { text: self.literal });
        }
        self.done
    }
}

impl Parser<'_> {
    /// Parts up to the stop. An opening quote or brace has been taken; the closing one is taken here, except for
    /// [`Stop::Token`], [`Stop::Slash`] and [`Stop::Colon`], where the caller has to see what it was.
    pub(crate) fn parts(&mut self, stop: Stop) -> PResult<Vec<Part>> {
        match self.parts_or_unbalanced(stop)? {
            Some(parts) => Ok(parts),
            None => self.error("missing '))'"),
        }
    }

    /// `None` only for [`Stop::Arith`]: a `)` that closes nothing, so that it was no arithmetic.
    fn parts_or_unbalanced(&mut self, stop: Stop) -> PResult<Option<Vec<Part>>> {
        let mut out = Parts::default();
        let mut parens = 0_u32;
        loop {
            let Some(byte) = self.peek()? else {
                match stop {
                    Stop::Token | Stop::Body => break,
                    Stop::DoubleQuote => return self.error("unterminated quoted string"),
                    Stop::Arith => return self.error("missing '))'"),
                    _ => return self.error("missing '}'"),
                }
            };
            match byte {
                b'\\' => self.backslash(stop, &mut out),
                b'$' => self.dollar(stop.quoted(), &mut out)?,
                b'`' => self.backquotes(stop, &mut out)?,
                b'"' if stop == Stop::DoubleQuote => {
                    self.bump();
                    break;
                }
                // In arithmetic quotes mean nothing, in a here-document they are text.
                b'"' if stop == Stop::Arith => {
                    self.bump();
                }
                b'"' if stop != Stop::Body => {
                    self.bump();
                    let parts = self.nested(|p| p.parts(Stop::DoubleQuote))?;
                    out.push(Part::Double { parts });
                }
                b'\'' if !stop.quoted() => {
                    self.bump();
                    out.push(Part::Quoted {
                        text: self.single_quoted()?,
                    });
                }
                b'}' if stop.in_braces() => {
                    if matches!(stop, Stop::Brace { .. }) {
                        self.bump();
                    }
                    break;
                }
                b'/' if matches!(stop, Stop::Slash { .. }) => break,
                b':' if stop == Stop::Colon => break,
                b'(' if stop == Stop::Arith => {
                    parens += 1;
                    out.literal.extend(self.bump());
                }
                b')' if stop == Stop::Arith && parens > 0 => {
                    parens -= 1;
                    out.literal.extend(self.bump());
                }
                b')' if stop == Stop::Arith => {
                    self.bump();
                    if !self.eat(b')')? {
                        return Ok(None);
                    }
                    break;
                }
                b' ' | b'\t' | b'\n' | b'&' | b'|' | b';' | b'<' | b'>' | b'(' | b')' if stop == Stop::Token => break,
                _ => out.literal.extend(self.bump()),
            }
        }
        Ok(Some(out.finish()))
    }

    fn backslash(&mut self, stop: Stop, out: &mut Parts) {
        self.bump();
        let next = self
            .source
            .text
            .get(self.source.pos..)
            .and_then(|rest| rest.chars().next());
        let special = match next {
            None => false,
            Some(_) if !stop.quoted() => true,
            Some('$' | '`' | '\\') => true,
            Some('"') => stop != Stop::Body,
            Some('}') => stop.in_braces(),
            Some(_) => false,
        };
        match next {
            Some(c) if special => {
                self.bump();
                out.push(Part::Quoted { text: c.to_string() });
            }
            _ => out.literal.push('\\'),
        }
    }

    /// After `'`: up to the next one.
    fn single_quoted(&mut self) -> PResult<String> {
        let mut text = String::new();
        loop {
            if self.peek_raw()?.is_none() {
                return self.error("unterminated quoted string");
            }
            match self.bump() {
                Some('\'') | None => return Ok(text),
                Some(c) => text.push(c),
            }
        }
    }

    fn dollar(&mut self, quoted: bool, out: &mut Parts) -> PResult<()> {
        self.bump();
        let Some(byte) = self.peek()? else {
            out.literal.push('$');
            return Ok(());
        };
        match byte {
            b'(' => {
                self.bump();
                let part = self.nested(Self::parenthesis)?;
                out.push(part);
            }
            b'{' => {
                self.bump();
                let part = self.nested(|p| p.braces(quoted))?;
                out.push(part);
            }
            b'\'' if !quoted => {
                self.bump();
                let rest = self.source.text.get(self.source.pos..).unwrap_or("");
                let Some((text, len)) = ansi_c_string(rest) else {
                    if self.source.more {
                        return Err(super::lexer::ParseError::Incomplete);
                    }
                    return self.error("unterminated quoted string");
                };
                for _ in 0..rest.get(..len).unwrap_or("").chars().count() {
                    self.bump();
                }
                out.push(Part::Quoted { text });
            }
            _ => match self.parameter_name(false)? {
                Some(name) => out.push(Part::Param {
                    name,
                    op: ParamOp::Plain {},
                }),
                None => out.literal.push('$'),
            },
        }
        Ok(())
    }

    /// After `$(`: arithmetic or commands.
    fn parenthesis(&mut self) -> PResult<Part> {
        if self.peek()? == Some(b'(') {
            let (pos, line) = (self.source.pos, self.source.line);
            self.bump();
            if let Some(parts) = self.parts_or_unbalanced(Stop::Arith)? {
                return Ok(Part::Arith { expr: Word { parts } });
            }
            // `$((a) | b)`: a subshell within a command substitution.
            let Some(left) = self.second_looks.checked_sub(1) else {
                return self.error("nesting too deep");
            };
            self.second_looks = left;
            (self.source.pos, self.source.line) = (pos, line);
        }
        let body = self.substitution()?;
        Ok(Part::Command {
            body: body.map(Rc::new),
        })
    }

    /// A parameter's name: letters, or one of the special characters; in braces also several digits.
    fn parameter_name(&mut self, braces: bool) -> PResult<Option<String>> {
        let mut name = String::new();
        match self.peek()? {
            Some(b'_' | b'a'..=b'z' | b'A'..=b'Z') => {
                while let Some(b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9') = self.peek()? {
                    name.extend(self.bump());
                }
            }
            Some(b'0'..=b'9') => {
                name.extend(self.bump());
                while braces && matches!(self.peek()?, Some(b'0'..=b'9')) {
                    name.extend(self.bump());
                }
            }
            Some(b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!') => name.extend(self.bump()),
            _ => return Ok(None),
        }
        Ok(Some(name))
    }

    /// After `${`.
    fn braces(&mut self, quoted: bool) -> PResult<Part> {
        let bad = "bad substitution";
        if self.peek()? == Some(b'#') {
            let (pos, line) = (self.source.pos, self.source.line);
            self.bump();
            if let Some(name) = self.parameter_name(true)?
                && self.eat(b'}')?
            {
                return Ok(Part::Param {
                    name,
                    op: ParamOp::Length {},
                });
            }
            (self.source.pos, self.source.line) = (pos, line);
        } else if self.bash && self.peek()? == Some(b'!') && self.peek_second() != Some(b'}') {
            self.bump();
            let name = self.parameter_name(true)?;
            return match name {
                Some(name) if self.eat(b'}')? => Ok(Part::Param {
                    name,
                    op: ParamOp::Indirect {},
                }),
                _ => self.error(bad),
            };
        }
        let Some(name) = self.parameter_name(true)? else {
            return self.bad_substitution(quoted);
        };
        let op = self.param_op(quoted)?;
        Ok(Part::Param { name, op })
    }

    fn param_op(&mut self, quoted: bool) -> PResult<ParamOp> {
        let colon = self.eat(b':')?;
        let Some(byte) = self.peek()? else {
            return self.error("missing '}'");
        };
        if colon && !b"-=?+".contains(&byte) {
            let offset = self.word_to(Stop::Colon)?;
            let length = if self.eat(b':')? {
                Some(self.word_to(Stop::Colon)?)
            } else {
                None
            };
            self.eat(b'}')?;
            return Ok(ParamOp::Slice { offset, length });
        }
        if b"}-=?+#%/".contains(&byte) {
            self.bump();
        }
        Ok(match byte {
            b'}' => ParamOp::Plain {},
            b'-' => ParamOp::Default {
                colon,
                word: self.word_to(Stop::Brace { quoted })?,
            },
            b'=' => ParamOp::Assign {
                colon,
                word: self.word_to(Stop::Brace { quoted })?,
            },
            b'?' => ParamOp::Error {
                colon,
                word: self.word_to(Stop::Brace { quoted })?,
            },
            b'+' => ParamOp::Alternative {
                colon,
                word: self.word_to(Stop::Brace { quoted })?,
            },
            // In a pattern quotes keep their meaning, also within double quotes.
            b'#' => {
                let longest = self.eat(b'#')?;
                ParamOp::TrimPrefix {
                    longest,
                    pattern: self.word_to(Stop::Brace { quoted: false })?,
                }
            }
            b'%' => {
                let longest = self.eat(b'%')?;
                ParamOp::TrimSuffix {
                    longest,
                    pattern: self.word_to(Stop::Brace { quoted: false })?,
                }
            }
            b'/' => {
                let all = self.eat(b'/')?;
                let pattern = self.word_to(Stop::Slash { quoted: false })?;
                let with = if self.eat(b'/')? {
                    self.word_to(Stop::Brace { quoted })?
                } else {
                    self.closing_brace()?
                };
                ParamOp::Replace { all, pattern, with }
            }
            _ => return self.bad_substitution(quoted),
        })
    }

    /// What cannot be in braces is read to their end all the same: a missing quote or brace is the better complaint.
    fn bad_substitution<T>(&mut self, quoted: bool) -> PResult<T> {
        self.parts(Stop::Brace { quoted })?;
        self.error("bad substitution")
    }

    fn closing_brace(&mut self) -> PResult<Word> {
        self.eat(b'}')?;
        Ok(Word::default())
    }

    fn word_to(&mut self, stop: Stop) -> PResult<Word> {
        Ok(Word {
            parts: self.parts(stop)?,
        })
    }

    /// `` `…` ``: the text without its escapes is a script of its own.
    fn backquotes(&mut self, stop: Stop, out: &mut Parts) -> PResult<()> {
        self.bump();
        let mut script = String::new();
        loop {
            if self.peek_raw()?.is_none() {
                return self.error("EOF in backquote substitution");
            }
            match self.bump() {
                None | Some('`') => break,
                Some('\\') => match self.peek_raw()? {
                    Some(b'\\' | b'`' | b'$') => script.extend(self.bump()),
                    Some(b'"') if stop.quoted() && stop != Stop::Body => script.extend(self.bump()),
                    _ => script.push('\\'),
                },
                Some(c) => script.push(c),
            }
        }
        let body: Option<Node> = self.inner(script, |p| p.script())?;
        out.push(Part::Command {
            body: body.map(Rc::new),
        });
        Ok(())
    }
}

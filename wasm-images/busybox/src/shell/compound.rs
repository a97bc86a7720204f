//! The grammar of compound commands: `{ }`, `if`, `while`, `for`, `case`, functions.

use super::ast::{CaseArm, Node};
use super::lexer::{PResult, Parser, Token};
use super::text::is_name;
use std::rc::Rc;

impl Parser<'_> {
    pub(super) fn compound(&mut self) -> PResult<Node> {
        let Token::Word(word) = self.take()? else {
            return self.unexpected(None);
        };
        match word.as_literal() {
            Some("{") => {
                let body = self.body("}")?;
                self.expect_keyword("}")?;
                Ok(Node::Group { body })
            }
            Some("if") => self.if_clause(),
            Some("while") => self.while_clause(false),
            Some("until") => self.while_clause(true),
            Some("for") => self.for_clause(),
            Some("case") => self.case_clause(),
            _ => self.function_keyword(),
        }
    }

    fn if_clause(&mut self) -> PResult<Node> {
        let condition = self.body("then")?;
        self.expect_keyword("then")?;
        let then = self.body("fi")?;
        let otherwise = if self.keyword("elif")? {
            return Ok(Node::If {
                condition,
                then,
                otherwise: Some(Box::new(self.nested(Self::if_clause)?)),
            });
        } else if self.keyword("else")? {
            Some(self.body("fi")?)
        } else {
            None
        };
        self.expect_keyword("fi")?;
        Ok(Node::If {
            condition,
            then,
            otherwise,
        })
    }

    fn while_clause(&mut self, until: bool) -> PResult<Node> {
        let condition = self.body("do")?;
        let body = self.do_group()?;
        Ok(Node::While { until, condition, body })
    }

    fn do_group(&mut self) -> PResult<Box<Node>> {
        self.expect_keyword("do")?;
        let body = self.body("done")?;
        self.expect_keyword("done")?;
        Ok(body)
    }

    fn for_clause(&mut self) -> PResult<Node> {
        let line = self.token_line;
        let name = match self.look()? {
            Token::Word(word) => word.as_literal().filter(|name| is_name(name)).map(str::to_owned),
            _ => None,
        };
        let Some(name) = name else {
            return self.error("bad for loop variable");
        };
        self.take()?;
        self.skip_newlines()?;
        let words = if self.keyword("in")? {
            let mut words = Vec::new();
            while matches!(self.look()?, Token::Word(_)) {
                if let Token::Word(word) = self.take()? {
                    self.push_word(word, &mut words);
                }
            }
            match self.look()? {
                Token::Op(";") | Token::Newline => self.take()?,
                _ => return self.unexpected(None),
            };
            Some(words)
        } else {
            if *self.look()? == Token::Op(";") {
                self.take()?;
            }
            None
        };
        self.skip_newlines()?;
        let body = self.do_group()?;
        Ok(Node::For {
            name,
            words,
            body,
            line,
        })
    }

    fn case_clause(&mut self) -> PResult<Node> {
        let line = self.token_line;
        let Token::Word(word) = self.take_or_unexpected(None, |t| matches!(t, Token::Word(_)))? else {
            return self.unexpected(None);
        };
        self.skip_newlines()?;
        self.expect_keyword("in")?;
        let mut arms = Vec::new();
        loop {
            self.skip_newlines()?;
            if self.keyword("esac")? {
                break;
            }
            if *self.look()? == Token::Op("(") {
                self.take()?;
            }
            let mut patterns = Vec::new();
            loop {
                let is_word = |t: &Token| matches!(t, Token::Word(_));
                if let Token::Word(pattern) = self.take_or_unexpected(Some(")"), is_word)? {
                    patterns.push(pattern);
                }
                if *self.look()? != Token::Op("|") {
                    break;
                }
                self.take()?;
            }
            self.expect_op(")")?;
            let body = self.list()?;
            let fall_through = *self.look()? == Token::Op(";&");
            arms.push(CaseArm {
                patterns,
                body,
                fall_through,
            });
            match self.look()? {
                Token::Op(";;" | ";&") => {
                    self.take()?;
                }
                _ => {
                    if !self.keyword("esac")? {
                        return self.unexpected(Some(";;"));
                    }
                    break;
                }
            }
        }
        Ok(Node::Case { word, arms, line })
    }

    /// After `function`: `name body`, `name() body`.
    fn function_keyword(&mut self) -> PResult<Node> {
        let name = match self.look()? {
            Token::Word(word) => word.as_literal().map(str::to_owned),
            _ => None,
        };
        let Some(name) = name else {
            return self.error("bad function name");
        };
        self.take()?;
        if *self.look()? == Token::Op("(") {
            self.take()?;
            self.expect_op(")")?;
        }
        self.function_body(name)
    }

    pub(super) fn function_body(&mut self, name: String) -> PResult<Node> {
        if !is_name(&name) && !self.bash {
            return self.error("bad function name");
        }
        self.skip_newlines()?;
        let body = Rc::new(self.nested(Self::command)?);
        Ok(Node::Function { name, body })
    }
}

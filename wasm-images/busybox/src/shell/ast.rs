//! The syntax tree of the shell's language: commands ([`Node`]), words ([`Word`]), redirections ([`Redirect`]).

use super::codec::{codec_enum, codec_struct};
use std::cell::OnceCell;
use std::rc::Rc;

codec_enum! {
    /// A command.
    #[derive(Clone, Debug, PartialEq)]
    pub(crate) enum Node {
        /// Words, with assignments before them and redirections.
        Simple = 0 { command: SimpleCommand },
        /// `a | b`, two stages or more.
        Pipeline = 1 { stages: Vec<Node> },
        /// `! command`.
        Not = 2 { body: Box<Node> },
        /// `a && b`.
        And = 3 { left: Box<Node>, right: Box<Node> },
        /// `a || b`.
        Or = 4 { left: Box<Node>, right: Box<Node> },
        /// `a; b`.
        Sequence = 5 { items: Vec<Node> },
        /// `a &`.
        Background = 6 { body: Box<Node> },
        /// `( a )`.
        Subshell = 7 { body: Box<Node> },
        /// `{ a; }`.
        Group = 8 { body: Box<Node> },
        /// `if a; then b; else c; fi`; an `elif` is an If in the else.
        If = 9 { condition: Box<Node>, then: Box<Node>, otherwise: Option<Box<Node>> },
        /// `while a; do b; done`, or `until`.
        While = 10 { until: bool, condition: Box<Node>, body: Box<Node> },
        /// `for name in words; do b; done`; no `in`: the positional parameters.
        For = 11 { name: String, words: Option<Vec<Word>>, body: Box<Node>, line: u32 },
        /// `case word in …`.
        Case = 12 { word: Word, arms: Vec<CaseArm>, line: u32 },
        /// `name() body`.
        Function = 13 { name: String, body: Rc<Node> },
        /// A compound command with redirections.
        Redirected = 14 { body: Box<Node>, redirects: Vec<Redirect>, line: u32 },
    }
}

codec_struct! {
    /// `A=1 cmd word >file`.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub(crate) struct SimpleCommand {
        /// The line that it begins on.
        pub(crate) line: u32,
        /// Assignments before the command's name.
        pub(crate) assignments: Vec<Assignment>,
        /// The command and its arguments.
        pub(crate) words: Vec<Word>,
        /// Redirections, in order.
        pub(crate) redirects: Vec<Redirect>,
    }
}

codec_struct! {
    /// `name=value`.
    #[derive(Clone, Debug, PartialEq)]
    pub(crate) struct Assignment {
        /// The variable.
        pub(crate) name: String,
        /// `+=`.
        pub(crate) append: bool,
        /// The value.
        pub(crate) value: Word,
    }
}

codec_struct! {
    /// `pattern | pattern) body ;;`.
    #[derive(Clone, Debug, PartialEq)]
    pub(crate) struct CaseArm {
        /// Any of these.
        pub(crate) patterns: Vec<Word>,
        /// What to do then.
        pub(crate) body: Option<Node>,
        /// `;&`: go on with the next arm's body.
        pub(crate) fall_through: bool,
    }
}

codec_struct! {
    /// A word: its parts in order.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub(crate) struct Word {
        /// The parts.
        pub(crate) parts: Vec<Part>,
    }
}

impl Word {
    /// The text, if the word is one unquoted literal: only such a word can be a keyword, an alias or a name.
    pub(crate) fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Literal { text }] => Some(text),
            _ => None,
        }
    }
}

codec_enum! {
    /// A part of a word.
    #[derive(Clone, Debug, PartialEq)]
    pub(crate) enum Part {
        /// Unquoted text.
        Literal = 0 { text: String },
        /// Text that was quoted by `'…'`, `\x` or `$'…'`.
        Quoted = 1 { text: String },
        /// `"…"`.
        Double = 2 { parts: Vec<Part> },
        /// `$name`, `${name…}`.
        Param = 3 { name: String, op: ParamOp },
        /// `$(…)` or backquotes.
        Command = 4 { body: Option<Rc<Node>> },
        /// `$((…))`.
        Arith = 5 { expr: Word },
    }
}

codec_enum! {
    /// What `${name…}` does with the value.
    #[derive(Clone, Debug, PartialEq)]
    pub(crate) enum ParamOp {
        /// Nothing.
        Plain = 0 {},
        /// `${#name}`.
        Length = 1 {},
        /// `${name-word}`; with `colon`, an empty value counts as none.
        Default = 2 { colon: bool, word: Word },
        /// `${name=word}`.
        Assign = 3 { colon: bool, word: Word },
        /// `${name?word}`.
        Error = 4 { colon: bool, word: Word },
        /// `${name+word}`.
        Alternative = 5 { colon: bool, word: Word },
        /// `${name#pattern}`, `##` is `longest`.
        TrimPrefix = 6 { longest: bool, pattern: Word },
        /// `${name%pattern}`.
        TrimSuffix = 7 { longest: bool, pattern: Word },
        /// `${name/pattern/with}`, `//` is `all`.
        Replace = 8 { all: bool, pattern: Word, with: Word },
        /// `${name:offset:length}`.
        Slice = 9 { offset: Word, length: Option<Word> },
        /// `${!name}` (bash).
        Indirect = 10 {},
    }
}

codec_struct! {
    /// A redirection.
    #[derive(Clone, Debug, PartialEq)]
    pub(crate) struct Redirect {
        /// The descriptor that it is about.
        pub(crate) fd: i32,
        /// What it becomes.
        pub(crate) kind: RedirectKind,
    }
}

codec_enum! {
    /// What a redirection does.
    #[derive(Clone, Debug, PartialEq)]
    pub(crate) enum RedirectKind {
        /// `<file`.
        Read = 0 { target: Word },
        /// `>file`; `>|` is `clobber`.
        Write = 1 { target: Word, clobber: bool },
        /// `>>file`.
        Append = 2 { target: Word },
        /// `<>file`.
        ReadWrite = 3 { target: Word },
        /// `<&n`, `>&n`, `>&-`.
        Duplicate = 4 { target: Word },
        /// `&>file`, and `>&file`: output and errors.
        WriteBoth = 5 { target: Word },
        /// `<<end`: the body comes with the next line.
        HereDoc = 6 { body: Rc<OnceCell<Word>> },
    }
}

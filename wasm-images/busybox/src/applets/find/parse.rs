//! The expression of `find`.

use crate::util::files::stat;
use crate::util::pattern::{self, Syntax};
use crate::util::{mode, users::Users};
use podsim_sys::{Access, FileType, Mode};
use std::time::Duration;

/// `N`, `+N` (more), `-N` (less).
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Is(i64),
    More(i64),
    Less(i64),
}

impl Number {
    pub(super) fn holds(self, value: i64) -> bool {
        match self {
            Number::Is(n) => value == n,
            Number::More(n) => value > n,
            Number::Less(n) => value < n,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Some(match text.split_at_checked(1)? {
            ("+", rest) => Number::More(rest.parse().ok()?),
            ("-", rest) => Number::Less(rest.parse().ok()?),
            _ => Number::Is(text.parse().ok()?),
        })
    }
}

/// A test or an action.
pub(super) enum Test {
    Name(String, bool),
    Path(String, bool),
    Regex(regex::bytes::Regex),
    Type(Vec<FileType>),
    Perm(char, u16),
    Access(Access),
    /// The age, in units of so many seconds.
    Mtime(Number, i64),
    Atime(Number, i64),
    Ctime(Number, i64),
    Newer(Duration),
    Inum(Number),
    SameFile(u64, u64),
    User(u32),
    Group(u32),
    Size(Number, u64),
    Links(Number),
    Empty,
    Prune,
    Print,
    Print0,
    Quit,
    Delete,
    Exec(Vec<String>),
    /// `-exec … +`: the index of its batch.
    ExecMany(usize),
    True,
    False,
}

/// Tests in their combination.
pub(super) enum Expression {
    Always,
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Not(Box<Expression>),
    Test(Test),
}

/// Files that wait for their common program.
pub(super) struct Batch {
    pub(super) argv: Vec<String>,
    pub(super) files: Vec<String>,
}

/// The whole command line.
pub(super) struct Plan {
    pub(super) paths: Vec<String>,
    pub(super) expression: Expression,
    pub(super) batches: Vec<Batch>,
    pub(super) max_depth: u32,
    pub(super) min_depth: u32,
    pub(super) depth_first: bool,
    pub(super) one_device: bool,
    pub(super) follow: bool,
    pub(super) follow_arguments: bool,
}

struct Parser<'a> {
    words: &'a [String],
    plan: Plan,
    acts: bool,
    levels: u32,
}

pub(super) fn parse(args: &[String]) -> Result<Plan, String> {
    let mut plan = Plan {
        paths: Vec::new(),
        expression: Expression::Always,
        batches: Vec::new(),
        max_depth: u32::MAX,
        min_depth: 0,
        depth_first: false,
        one_device: false,
        follow: false,
        follow_arguments: false,
    };
    let mut words = args;
    while let [first, rest @ ..] = words {
        match first.as_str() {
            "-L" => plan.follow = true,
            "-H" => plan.follow_arguments = true,
            "-P" => plan.follow = false,
            word if word.starts_with('-') || matches!(word, "(" | "!") => break,
            path => plan.paths.push(path.to_owned()),
        }
        words = rest;
    }
    if plan.paths.is_empty() {
        plan.paths.push(".".to_owned());
    }
    let mut parser = Parser {
        words,
        plan,
        acts: false,
        levels: 0,
    };
    let expression = if words.is_empty() {
        Expression::Always
    } else {
        parser.or()?
    };
    if let Some(word) = parser.words.first() {
        return Err(format!("unrecognized: {word}"));
    }
    let Parser { mut plan, acts, .. } = parser;
    plan.expression = if acts {
        expression
    } else {
        Expression::And(vec![expression, Expression::Test(Test::Print)])
    };
    Ok(plan)
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.words.first().map(String::as_str)
    }

    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn or(&mut self) -> Result<Expression, String> {
        let mut any = vec![self.and()?];
        while matches!(self.peek(), Some("-o" | "-or")) {
            self.next();
            any.push(self.and()?);
        }
        Ok(if any.len() == 1 {
            any.pop().unwrap_or(Expression::Always)
        } else {
            Expression::Or(any)
        })
    }

    fn and(&mut self) -> Result<Expression, String> {
        let mut all = vec![self.not()?];
        loop {
            match self.peek() {
                Some("-a" | "-and") => {
                    self.next();
                }
                None | Some("-o" | "-or" | ")") => return Ok(Expression::And(all)),
                Some(_) => {}
            }
            all.push(self.not()?);
        }
    }

    fn not(&mut self) -> Result<Expression, String> {
        match self.peek() {
            Some("!" | "-not") => {
                self.next();
                Ok(Expression::Not(Box::new(self.not()?)))
            }
            Some("(") => {
                self.next();
                self.levels += 1;
                if self.levels > 50 {
                    return Err("too many parentheses".to_owned());
                }
                let inner = self.or()?;
                self.levels -= 1;
                if self.next() != Some(")") {
                    return Err("unpaired '('".to_owned());
                }
                Ok(inner)
            }
            Some(_) => self.primary(),
            None => Err("unexpected end of expression".to_owned()),
        }
    }

    fn primary(&mut self) -> Result<Expression, String> {
        let Some(option) = self.next() else {
            return Ok(Expression::Always);
        };
        if let Some(access) = super::access(option) {
            return Ok(Expression::Test(Test::Access(access)));
        }
        let test = match option {
            "-print" => self.act(Test::Print),
            "-print0" => self.act(Test::Print0),
            "-quit" => Test::Quit,
            "-delete" => {
                self.plan.depth_first = true;
                self.act(Test::Delete)
            }
            "-prune" => Test::Prune,
            "-empty" => Test::Empty,
            "-true" => Test::True,
            "-false" => Test::False,
            "-exec" | "-ok" => return self.exec(),
            "-depth" | "-d" => {
                self.plan.depth_first = true;
                Test::True
            }
            "-xdev" | "-mount" => {
                self.plan.one_device = true;
                Test::True
            }
            "-follow" => {
                self.plan.follow = true;
                Test::True
            }
            _ => return self.with_value(option).map(Expression::Test),
        };
        Ok(Expression::Test(test))
    }

    fn act(&mut self, test: Test) -> Test {
        self.acts = true;
        test
    }

    fn exec(&mut self) -> Result<Expression, String> {
        self.acts = true;
        let mut argv = Vec::new();
        loop {
            match self.next() {
                None => return Err("-exec: no terminating ; or +".to_owned()),
                Some(";") => break,
                Some("+") if argv.last().is_some_and(|word| word == "{}") => {
                    self.plan.batches.push(Batch {
                        argv,
                        files: Vec::new(),
                    });
                    return Ok(Expression::Test(Test::ExecMany(self.plan.batches.len() - 1)));
                }
                Some(word) => argv.push(word.to_owned()),
            }
        }
        if argv.is_empty() {
            return Err("-exec: no command".to_owned());
        }
        Ok(Expression::Test(Test::Exec(argv)))
    }

    fn with_value(&mut self, option: &str) -> Result<Test, String> {
        let known = [
            "-name",
            "-iname",
            "-path",
            "-ipath",
            "-wholename",
            "-regex",
            "-type",
            "-perm",
            "-mtime",
            "-atime",
            "-ctime",
            "-mmin",
            "-amin",
            "-cmin",
            "-newer",
            "-inum",
            "-samefile",
            "-user",
            "-group",
            "-size",
            "-links",
            "-maxdepth",
            "-mindepth",
        ];
        if !known.contains(&option) {
            return Err(format!("unrecognized: {option}"));
        }
        let Some(value) = self.next() else {
            return Err(format!("option '{option}' requires an argument"));
        };
        let invalid = || format!("invalid number '{value}'");
        let number = || Number::parse(value).ok_or_else(invalid);
        let of_file = || stat(value).map_err(|error| format!("{value}: {error}"));
        Ok(match option {
            "-name" => Test::Name(value.to_owned(), false),
            "-iname" => Test::Name(value.to_owned(), true),
            "-path" | "-wholename" => Test::Path(value.to_owned(), false),
            "-ipath" => Test::Path(value.to_owned(), true),
            "-regex" => {
                let translated = pattern::translate(value, false).map_err(|e| format!("bad regex '{value}': {e}"))?;
                let regex = pattern::build(&format!("^(?:{translated})$"), Syntax::default());
                Test::Regex(regex.map_err(|e| format!("bad regex '{value}': {e}"))?)
            }
            "-type" => Test::Type(file_types(value)?),
            "-perm" => {
                let (how, text) = match value.chars().next() {
                    Some(how @ ('-' | '+' | '/')) => (if how == '/' { '+' } else { how }, value.get(1..).unwrap_or("")),
                    _ => ('=', value),
                };
                let bits =
                    mode::parse(text, Mode(0), false, Mode(0)).ok_or_else(|| format!("invalid mode '{text}'"))?;
                Test::Perm(how, bits.0)
            }
            "-mtime" => Test::Mtime(number()?, 86400),
            "-atime" => Test::Atime(number()?, 86400),
            "-ctime" => Test::Ctime(number()?, 86400),
            "-mmin" => Test::Mtime(number()?, 60),
            "-amin" => Test::Atime(number()?, 60),
            "-cmin" => Test::Ctime(number()?, 60),
            "-newer" => Test::Newer(of_file()?.mtime),
            "-inum" => Test::Inum(number()?),
            "-samefile" => {
                let found = of_file()?;
                Test::SameFile(found.dev.to_u64(), found.ino)
            }
            "-user" => Test::User(
                Users::load()
                    .parse_user(value)
                    .ok_or_else(|| format!("unknown user {value}"))?,
            ),
            "-group" => Test::Group(
                Users::load()
                    .parse_group(value)
                    .ok_or_else(|| format!("unknown group {value}"))?,
            ),
            "-size" => {
                let (digits, unit) = match value.chars().last() {
                    Some('c') => (value.trim_end_matches('c'), 1),
                    Some('w') => (value.trim_end_matches('w'), 2),
                    Some('k') => (value.trim_end_matches('k'), 1024),
                    Some('M') => (value.trim_end_matches('M'), 1 << 20),
                    Some('G') => (value.trim_end_matches('G'), 1 << 30),
                    Some('b') => (value.trim_end_matches('b'), 512),
                    _ => (value, 512),
                };
                Test::Size(Number::parse(digits).ok_or_else(invalid)?, unit)
            }
            "-links" => Test::Links(number()?),
            _ => {
                let depth = value.parse().map_err(|_| invalid())?;
                if option == "-maxdepth" {
                    self.plan.max_depth = depth;
                } else {
                    self.plan.min_depth = depth;
                }
                Test::True
            }
        })
    }
}

fn file_types(value: &str) -> Result<Vec<FileType>, String> {
    value
        .split(',')
        .map(|letter| {
            Ok(match letter {
                "f" => FileType::Regular,
                "d" => FileType::Directory,
                "l" => FileType::Symlink,
                "b" => FileType::BlockDevice,
                "c" => FileType::CharDevice,
                "s" => FileType::Socket,
                "p" => FileType::Fifo,
                _ => return Err(format!("invalid argument '{value}' to '-type'")),
            })
        })
        .collect()
}

//! `test`, `[` and `[[`.

use crate::shell::flow::Status;
use crate::shell::pattern;
use crate::shell::shell::Shell;
use crate::shell::sys::{self, Access, Fd, FileType, Stat};

type Answer = Result<bool, String>;

pub(super) fn test(shell: &mut Shell, words: &[String]) -> Status {
    run(shell, words.get(1..).unwrap_or_default(), false)
}

pub(super) fn bracket(shell: &mut Shell, words: &[String]) -> Status {
    match words.split_last() {
        Some((last, rest)) if last == "]" => run(shell, rest.get(1..).unwrap_or_default(), false),
        _ => {
            shell.complain_as_applet("missing ]");
            Ok(2)
        }
    }
}

pub(super) fn double_bracket(shell: &mut Shell, words: &[String]) -> Status {
    match words.split_last() {
        Some((last, rest)) if last == "]]" => run(shell, rest.get(1..).unwrap_or_default(), true),
        _ => {
            shell.complain_as_applet("missing ]]");
            Ok(2)
        }
    }
}

fn run(shell: &mut Shell, words: &[String], patterns: bool) -> Status {
    match evaluate(words, patterns) {
        Ok(answer) => Ok(i32::from(!answer)),
        Err(message) => {
            shell.complain_as_applet(&message);
            Ok(2)
        }
    }
}

/// Evaluates an expression: by the number of words (POSIX XCU `test`), longer ones by the grammar.
fn evaluate(words: &[String], patterns: bool) -> Answer {
    let texts: Vec<&str> = words.iter().map(String::as_str).collect();
    match texts.as_slice() {
        [] => Ok(false),
        [word] => Ok(!word.is_empty()),
        ["!", word] => Ok(word.is_empty()),
        [a, op, b] if is_binary(op, patterns) => binary(a, op, b, patterns),
        ["!", rest @ ..]
            if rest.len() == 2 || (rest.len() == 3 && rest.get(1).is_some_and(|op| is_binary(op, patterns))) =>
        {
            let rest: Vec<String> = rest.iter().map(|w| (*w).to_owned()).collect();
            evaluate(&rest, patterns).map(|answer| !answer)
        }
        _ => {
            let mut parser = Parser {
                words: &texts,
                pos: 0,
                patterns,
                depth: 0,
            };
            let answer = parser.or()?;
            match parser.words.get(parser.pos) {
                None => Ok(answer),
                Some(word) => Err(format!("{word}: unknown operand")),
            }
        }
    }
}

struct Parser<'a> {
    words: &'a [&'a str],
    pos: usize,
    patterns: bool,
    depth: u32,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.pos).copied()
    }

    fn eat(&mut self, one: &str, other: &str) -> bool {
        let hit = self.peek().is_some_and(|w| w == one || (self.patterns && w == other));
        self.pos += usize::from(hit);
        hit
    }

    fn or(&mut self) -> Answer {
        let mut answer = self.and()?;
        while self.eat("-o", "||") {
            answer |= self.and()?;
        }
        Ok(answer)
    }

    fn and(&mut self) -> Answer {
        let mut answer = self.not()?;
        while self.eat("-a", "&&") {
            answer &= self.not()?;
        }
        Ok(answer)
    }

    fn not(&mut self) -> Answer {
        self.depth += 1;
        if self.depth > 100 {
            return Err("too many nested expressions".to_owned());
        }
        let answer = if self.peek() == Some("!") && self.pos + 1 < self.words.len() {
            self.pos += 1;
            self.not().map(|answer| !answer)
        } else {
            self.primary()
        };
        self.depth -= 1;
        answer
    }

    fn primary(&mut self) -> Answer {
        let Some(word) = self.peek() else {
            return Err("argument expected".to_owned());
        };
        self.pos += 1;
        let rest = self.words.get(self.pos..).unwrap_or_default();
        if let [op, b, ..] = rest
            && is_binary(op, self.patterns)
        {
            self.pos += 2;
            return binary(word, op, b, self.patterns);
        }
        if word == "(" {
            let answer = self.or()?;
            if self.peek() != Some(")") {
                return Err("closing paren expected".to_owned());
            }
            self.pos += 1;
            return Ok(answer);
        }
        if is_unary(word) {
            if let Some(operand) = self.peek() {
                self.pos += 1;
                return unary(word, operand);
            }
            return Ok(true);
        }
        match rest {
            [op] if is_binary(op, self.patterns) => Err(format!("{op}: argument expected")),
            _ => Ok(!word.is_empty()),
        }
    }
}

fn is_unary(op: &str) -> bool {
    matches!(op.as_bytes(), [b'-', letter] if b"bcdefghknoprstuwxzGLNOS".contains(letter))
}

fn is_binary(op: &str, patterns: bool) -> bool {
    matches!(
        op,
        "=" | "==" | "!=" | "<" | ">" | "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" | "-nt" | "-ot" | "-ef"
    ) || (patterns && op == "=~")
}

fn unary(op: &str, operand: &str) -> Answer {
    let stat = |follow: bool| sys::fstatat(Fd::CWD, operand, follow).ok();
    let is = |kind: FileType| stat(true).is_some_and(|s| s.file_type == kind);
    let has_bit = |bit: u16| stat(true).is_some_and(|s| s.mode.0 & bit != 0);
    let may = |access: Access| sys::faccessat(Fd::CWD, operand, access).is_ok();
    Ok(match op {
        "-n" => !operand.is_empty(),
        "-z" => operand.is_empty(),
        "-b" => is(FileType::BlockDevice),
        "-c" => is(FileType::CharDevice),
        "-d" => is(FileType::Directory),
        "-e" => stat(true).is_some(),
        "-f" => is(FileType::Regular),
        "-g" => has_bit(sys::Mode::SETGID),
        "-h" | "-L" => stat(false).is_some_and(|s| s.file_type == FileType::Symlink),
        "-k" => has_bit(sys::Mode::STICKY),
        "-p" => is(FileType::Fifo),
        "-r" => may(Access::READ),
        "-s" => stat(true).is_some_and(|s| s.size > 0),
        "-S" => is(FileType::Socket),
        "-t" => integer(operand).is_ok_and(|n| i32::try_from(n).is_ok_and(|n| sys::is_terminal(Fd(n)))),
        "-u" => has_bit(sys::Mode::SETUID),
        "-w" => may(Access::WRITE),
        "-x" => may(Access::EXEC),
        "-O" => stat(true).is_some_and(|s| s.uid == sys::credentials().euid),
        "-G" => stat(true).is_some_and(|s| s.gid == sys::credentials().egid),
        "-N" => stat(true).is_some_and(|s| s.mtime > s.atime),
        // `-o option`: no option of that name.
        _ => false,
    })
}

fn binary(a: &str, op: &str, b: &str, patterns: bool) -> Answer {
    let stats = || (sys::fstatat(Fd::CWD, a, true).ok(), sys::fstatat(Fd::CWD, b, true).ok());
    Ok(match op {
        "=" | "==" if patterns => pattern::matches(b, a),
        "!=" if patterns => !pattern::matches(b, a),
        "=~" => regex::Regex::new(b)
            .map_err(|_| format!("bad regex '{b}'"))?
            .is_match(a),
        "=" | "==" => a == b,
        "!=" => a != b,
        "<" => a < b,
        ">" => a > b,
        "-eq" => integer(a)? == integer(b)?,
        "-ne" => integer(a)? != integer(b)?,
        "-lt" => integer(a)? < integer(b)?,
        "-le" => integer(a)? <= integer(b)?,
        "-gt" => integer(a)? > integer(b)?,
        "-ge" => integer(a)? >= integer(b)?,
        "-nt" => newer(stats()),
        "-ot" => {
            let (a, b) = stats();
            newer((b, a))
        }
        _ => match stats() {
            (Some(a), Some(b)) => a.dev == b.dev && a.ino == b.ino,
            _ => false,
        },
    })
}

fn newer(stats: (Option<Stat>, Option<Stat>)) -> bool {
    matches!(stats, (Some(a), Some(b)) if a.mtime > b.mtime)
}

fn integer(text: &str) -> Result<i64, String> {
    text.trim()
        .trim_start_matches('+')
        .parse()
        .map_err(|_| format!("{text}: bad number"))
}

#[cfg(test)]
mod tests {
    use super::evaluate;

    #[test]
    fn expressions_of_strings_and_numbers() {
        for (expression, want) in [
            ("", "false"),
            ("a", "true"),
            ("! a", "false"),
            ("-n a", "true"),
            ("-z a", "false"),
            ("-z", "true"),
            ("a = a", "true"),
            ("a != a", "false"),
            ("1 -lt 2", "true"),
            ("08 -eq 8", "true"),
            ("! 1 -eq 1", "false"),
            ("( a = b )", "false"),
            ("a = a -a b = c", "false"),
            ("a = a -o b = c", "true"),
            ("! ( a = b )", "true"),
            ("-n = -n", "true"),
            ("! = !", "true"),
            ("( = (", "true"),
            ("a b", "b: unknown operand"),
            ("a b c", "b: unknown operand"),
            ("a = b c", "c: unknown operand"),
            ("1 -eq", "-eq: argument expected"),
            ("a -eq 1", "a: bad number"),
            ("( a", "closing paren expected"),
        ] {
            let words: Vec<String> = expression.split_whitespace().map(str::to_owned).collect();
            let got = evaluate(&words, false).map_or_else(|e| e, |answer| answer.to_string());
            assert_eq!(got, want, "{expression}");
        }
    }

    #[test]
    fn double_brackets_compare_with_patterns() {
        for (expression, want) in [("abc = a*", true), ("abc != a*", false), ("a < b && c = c || x", true)] {
            let words: Vec<String> = expression.split_whitespace().map(str::to_owned).collect();
            assert_eq!(evaluate(&words, true), Ok(want), "{expression}");
        }
    }
}

//! `sed`.

mod parse;

use crate::complain;
use crate::util::files::{Input, create, read_text, stat, write_all, write_file};
use crate::util::{Out, open_input, parse as parse_options, show_usage};
use parse::{Address, Command, Kind, Replacement, Substitute};
use podsim_guest as sys;
use podsim_sys::{Errno, Fd, Mode};
use regex::bytes::Regex;
use std::collections::{HashMap, VecDeque};

struct Sed {
    script: Vec<Command>,
    labels: HashMap<String, usize>,
    quiet: bool,
    pattern: Vec<u8>,
    hold: Vec<u8>,
    line: u64,
    /// Text that goes out at the end of the cycle.
    after: Vec<Append>,
    input: Lines,
    out: Sink,
    /// Files that `w` writes to.
    files: HashMap<String, Fd>,
    /// The regular expression that was used last: what an empty one means.
    last_regex: Option<Regex>,
    substituted: bool,
    /// The last line of the input had no line feed: then the output gets none either.
    unfinished: bool,
}

enum Append {
    Text(String),
    File(String),
}

/// Where the result goes: the output, or the file that is edited in place.
enum Sink {
    Output(Out),
    Buffer(Vec<u8>),
}

impl Sink {
    fn bytes(&mut self, bytes: &[u8]) {
        match self {
            Sink::Output(out) => out.bytes(bytes),
            Sink::Buffer(buffer) => buffer.extend_from_slice(bytes),
        }
    }
}

/// The lines of all files, one ahead, to know which is the last.
struct Lines {
    files: VecDeque<String>,
    current: Option<Input>,
    next: Option<Vec<u8>>,
    failed: bool,
}

impl Lines {
    fn new(files: VecDeque<String>) -> Self {
        let mut this = Self {
            files,
            current: None,
            next: None,
            failed: false,
        };
        this.next = this.read();
        this
    }

    fn read(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(input) = &mut self.current {
                match input.read_line() {
                    Ok(Some(line)) => return Some(line),
                    Ok(None) => {}
                    Err(error) => {
                        complain!("sed", "read error: {error}");
                        self.failed = true;
                    }
                }
            }
            let name = self.files.pop_front()?;
            match open_input(&name) {
                Ok(input) => self.current = Some(input),
                Err(error) => {
                    complain!("sed", "{name}: {error}");
                    self.failed = true;
                    self.current = None;
                }
            }
        }
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        let next = self.next.take()?;
        self.next = self.read();
        Some(next)
    }
}

/// `sed [-i[SFX]] [-nrE] [-f FILE]... [-e CMD]... [FILE]...`
pub fn main(args: &[String]) -> i32 {
    let longs = [
        ("quiet", 'n'),
        ("silent", 'n'),
        ("expression", 'e'),
        ("file", 'f'),
        ("in-place", 'i'),
        ("regexp-extended", 'E'),
    ];
    let mut opts = match parse_options(args, "i::nrEse:f:z", &longs) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let mut script = String::new();
    for (option, value) in opts.iter() {
        match (option, value) {
            ('e', Some(text)) => script.push_str(&format!("{text}\n")),
            ('f', Some(file)) => match read_text(file) {
                Ok(text) => script.push_str(&format!("{text}\n")),
                Err(error) => {
                    complain!("sed", "{file}: {error}");
                    return 1;
                }
            },
            _ => {}
        }
    }
    if !opts.has('e') && !opts.has('f') {
        if opts.args.is_empty() {
            return show_usage("sed");
        }
        script = format!("{}\n", opts.args.remove(0));
    }
    let quiet = opts.has('n') || script.starts_with("#n\n");
    let commands = match parse::parse(&script, opts.has('r') || opts.has('E')) {
        Ok(commands) => commands,
        Err(message) => {
            complain!("sed", "{message}");
            return 1;
        }
    };
    let files: VecDeque<String> = if opts.args.is_empty() {
        ["-".to_owned()].into()
    } else {
        opts.args.iter().cloned().collect()
    };
    if opts.has('i') {
        let mut code = 0;
        for file in files {
            // Each file has its own lines and its own last line.
            let parsed = parse::parse(&script, opts.has('r') || opts.has('E')).unwrap_or_default();
            if let Err(error) = in_place(&file, parsed, quiet, opts.value('i').unwrap_or("")) {
                complain!("sed", "{file}: {error}");
                code = 1;
            }
        }
        return code;
    }
    let mut sed = Sed::new(commands, quiet, Lines::new(files), Sink::Output(Out::stdout()));
    let code = sed.run();
    let code = if sed.input.failed { code.max(1) } else { code };
    match sed.out {
        Sink::Output(out) => out.finish("sed", code),
        Sink::Buffer(_) => code,
    }
}

fn in_place(file: &str, script: Vec<Command>, quiet: bool, suffix: &str) -> Result<(), Errno> {
    let mode = stat(file)?.mode;
    let mut sed = Sed::new(
        script,
        quiet,
        Lines::new([file.to_owned()].into()),
        Sink::Buffer(Vec::new()),
    );
    sed.run();
    let Sink::Buffer(content) = sed.out else { return Ok(()) };
    if !suffix.is_empty() {
        sys::renameat(Fd::CWD, file, Fd::CWD, &format!("{file}{suffix}"))?;
    }
    // A new file takes the place of the old one, so that readers see one or the other.
    let new = format!("{file}.sed-new");
    write_file(&new, &content, mode)?;
    sys::fchmodat(Fd::CWD, &new, mode)?;
    sys::renameat(Fd::CWD, &new, Fd::CWD, file)
}

enum Flow {
    /// The cycle ends; `true`: the pattern space is printed as usual.
    End(bool),
    /// `D`: the script again, without a new line.
    Restart,
    /// An exit code.
    Quit(i32, bool),
}

impl Sed {
    fn new(script: Vec<Command>, quiet: bool, input: Lines, out: Sink) -> Self {
        let label = |(at, command): (usize, &Command)| match &command.kind {
            Kind::Label(name) => Some((name.clone(), at)),
            _ => None,
        };
        let labels = script.iter().enumerate().filter_map(label).collect();
        Self {
            script,
            labels,
            quiet,
            pattern: Vec::new(),
            hold: Vec::new(),
            line: 0,
            after: Vec::new(),
            input,
            out,
            files: HashMap::new(),
            last_regex: None,
            substituted: false,
            unfinished: false,
        }
    }

    fn run(&mut self) -> i32 {
        let mut fresh = true;
        loop {
            if fresh && !self.next_line() {
                return 0;
            }
            fresh = true;
            let (print, quit) = match self.cycle() {
                Flow::End(print) => (print, None),
                Flow::Restart => {
                    fresh = false;
                    (false, None)
                }
                Flow::Quit(code, print) => (print, Some(code)),
            };
            if print && !self.quiet {
                if self.unfinished && self.input.next.is_none() && self.after.is_empty() {
                    self.out.bytes(&self.pattern);
                } else {
                    self.print_pattern();
                }
            }
            self.flush_after();
            if let Some(code) = quit {
                return code;
            }
            if matches!(&self.out, Sink::Output(out) if out.failed()) {
                return 1;
            }
        }
    }

    fn next_line(&mut self) -> bool {
        let Some(mut line) = self.input.take() else {
            return false;
        };
        if line.last() == Some(&b'\n') {
            line.pop();
        } else {
            self.unfinished = true;
        }
        self.pattern = line;
        self.line += 1;
        self.substituted = false;
        true
    }

    fn print(&mut self, bytes: &[u8]) {
        self.out.bytes(bytes);
        self.out.bytes(b"\n");
    }

    fn print_pattern(&mut self) {
        let pattern = std::mem::take(&mut self.pattern);
        self.print(&pattern);
        self.pattern = pattern;
    }

    fn flush_after(&mut self) {
        for append in std::mem::take(&mut self.after) {
            match append {
                Append::Text(text) => self.print(text.as_bytes()),
                // A file that cannot be read is nothing.
                Append::File(path) => {
                    let content = crate::util::files::read_file(&path).unwrap_or_default();
                    self.out.bytes(&content);
                }
            }
        }
    }

    fn cycle(&mut self) -> Flow {
        let mut at = 0;
        // A script that jumps in a circle does so for ever, as in every sed.
        loop {
            let Some(command) = self.script.get_mut(at) else {
                return Flow::End(true);
            };
            let last = self.input.next.is_none();
            let chosen = command
                .addresses
                .matches(self.line, last, &self.pattern, &mut self.last_regex)
                != command.negated;
            if !chosen {
                // A block that is not entered is jumped over.
                at = if let Kind::Block(end) = command.kind { end } else { at } + 1;
                continue;
            }
            let in_range = command.addresses.in_range();
            let kind = command.kind.clone();
            at += 1;
            match kind {
                Kind::Block(_) | Kind::EndBlock | Kind::Label(_) => {}
                Kind::Equals => {
                    let line = self.line.to_string();
                    self.print(line.as_bytes());
                }
                Kind::Append(text) => self.after.push(Append::Text(text)),
                Kind::Insert(text) => self.print(text.as_bytes()),
                Kind::Change(text) => {
                    // A range is changed as a whole, at its end.
                    if !in_range || last {
                        self.print(text.as_bytes());
                    }
                    return Flow::End(false);
                }
                Kind::Delete => return Flow::End(false),
                Kind::DeleteFirst => match self.pattern.iter().position(|b| *b == b'\n') {
                    Some(end) => {
                        self.pattern.drain(..=end);
                        return Flow::Restart;
                    }
                    None => return Flow::End(false),
                },
                Kind::Print => self.print_pattern(),
                Kind::PrintFirst => {
                    let first = self.pattern.split(|b| *b == b'\n').next().unwrap_or_default().to_vec();
                    self.print(&first);
                }
                Kind::List => {
                    let text = visible(&self.pattern);
                    self.print(text.as_bytes());
                }
                Kind::Next => {
                    if last {
                        return Flow::Quit(0, true);
                    }
                    if !self.quiet {
                        self.print_pattern();
                    }
                    self.flush_after();
                    self.next_line();
                }
                Kind::NextAppend => {
                    if last {
                        return Flow::Quit(0, true);
                    }
                    let mut before = std::mem::take(&mut self.pattern);
                    self.flush_after();
                    self.next_line();
                    before.push(b'\n');
                    before.append(&mut self.pattern);
                    self.pattern = before;
                }
                Kind::Hold => self.hold.clone_from(&self.pattern),
                Kind::HoldAppend => {
                    self.hold.push(b'\n');
                    self.hold.extend_from_slice(&self.pattern);
                }
                Kind::Get => self.pattern.clone_from(&self.hold),
                Kind::GetAppend => {
                    self.pattern.push(b'\n');
                    self.pattern.extend_from_slice(&self.hold);
                }
                Kind::Exchange => std::mem::swap(&mut self.pattern, &mut self.hold),
                Kind::Branch(label) => match self.target(&label) {
                    Some(to) => at = to,
                    None => return Flow::End(true),
                },
                Kind::BranchIf(label, wanted) => {
                    if std::mem::take(&mut self.substituted) == wanted {
                        match self.target(&label) {
                            Some(to) => at = to,
                            None => return Flow::End(true),
                        }
                    }
                }
                Kind::Quit(code) => return Flow::Quit(code, true),
                Kind::QuitSilent(code) => return Flow::Quit(code, false),
                Kind::Read(path) => self.after.push(Append::File(path)),
                Kind::Write(path) => self.write(&path),
                Kind::Transliterate(from, to) => {
                    let text = String::from_utf8_lossy(&self.pattern).into_owned();
                    let map = |c: char| {
                        from.iter()
                            .position(|f| *f == c)
                            .and_then(|at| to.get(at))
                            .copied()
                            .unwrap_or(c)
                    };
                    self.pattern = text.chars().map(map).collect::<String>().into_bytes();
                }
                Kind::Substitute(substitute) => self.substitute(&substitute),
            }
        }
    }

    fn target(&self, label: &str) -> Option<usize> {
        self.labels.get(label).copied()
    }

    fn write(&mut self, path: &str) {
        let mut line = self.pattern.clone();
        line.push(b'\n');
        if path == "/dev/stdout" {
            return self.out.bytes(&line);
        }
        let fd = match self.files.get(path) {
            Some(fd) => *fd,
            None => match create(path, Mode(0o666)) {
                Ok(fd) => {
                    self.files.insert(path.to_owned(), fd);
                    fd
                }
                Err(error) => return complain!("sed", "{path}: {error}"),
            },
        };
        if let Err(error) = write_all(fd, &line) {
            complain!("sed", "{path}: {error}");
        }
    }

    fn substitute(&mut self, substitute: &Substitute) {
        let Some(regex) = substitute.regex.clone().or_else(|| self.last_regex.clone()) else {
            return complain!("sed", "no previous regexp");
        };
        self.last_regex = Some(regex.clone());
        let mut result = Vec::with_capacity(self.pattern.len());
        let (mut copied, mut count) = (0, 0);
        for found in regex.captures_iter(&self.pattern) {
            let Some(whole) = found.get(0) else { continue };
            count += 1;
            if count < substitute.occurrence {
                continue;
            }
            result.extend_from_slice(self.pattern.get(copied..whole.start()).unwrap_or_default());
            replace(&substitute.replacement, &found, &mut result);
            copied = whole.end();
            if !substitute.global {
                break;
            }
        }
        if count < substitute.occurrence || count == 0 {
            return;
        }
        result.extend_from_slice(self.pattern.get(copied..).unwrap_or_default());
        self.pattern = result;
        self.substituted = true;
        if substitute.print {
            self.print_pattern();
        }
        if let Some(path) = &substitute.write {
            self.write(path);
        }
    }
}

/// Puts a replacement together, with `\U`, `\L`, `\u`, `\l` and `\E` as GNU has them.
fn replace(parts: &[Replacement], found: &regex::bytes::Captures<'_>, out: &mut Vec<u8>) {
    let (mut whole, mut one) = (None, None);
    for part in parts {
        let text = match part {
            Replacement::Text(text) => text.as_bytes(),
            Replacement::Group(number) => found.get(*number).map_or(&b""[..], |m| m.as_bytes()),
            Replacement::Case('E') => {
                (whole, one) = (None, None);
                continue;
            }
            Replacement::Case(case @ ('U' | 'L')) => {
                whole = Some(*case);
                continue;
            }
            Replacement::Case(case) => {
                one = Some(*case);
                continue;
            }
        };
        for byte in text {
            out.push(match (one.take(), whole) {
                (Some('u'), _) | (None, Some('U')) => byte.to_ascii_uppercase(),
                (Some(_), _) | (None, Some(_)) => byte.to_ascii_lowercase(),
                (None, None) => *byte,
            });
        }
    }
}

/// The command `l`.
fn visible(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            7 => text.push_str("\\a"),
            8 => text.push_str("\\b"),
            12 => text.push_str("\\f"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            11 => text.push_str("\\v"),
            b if b.is_ascii_graphic() || *b == b' ' => text.push(char::from(*b)),
            b => text.push_str(&format!("\\{b:03o}")),
        }
    }
    text.push('$');
    text
}

/// Whether a command is for the line at hand.
fn one_matches(address: &Address, line: u64, last: bool, pattern: &[u8], last_regex: &mut Option<Regex>) -> bool {
    match address {
        Address::Line(number) => line == *number,
        Address::Step(first, step) => {
            if *step == 0 {
                line == *first
            } else {
                line >= *first && (line - first).is_multiple_of(*step)
            }
        }
        Address::Last => last,
        Address::Regex(regex) => {
            let regex = match regex {
                Some(regex) => {
                    *last_regex = Some(regex.clone());
                    Some(regex)
                }
                None => last_regex.as_ref(),
            };
            regex.is_some_and(|regex| regex.is_match(pattern))
        }
        Address::Plus(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(script: &str, text: &str, want: &str) {
        check_with(script, false, false, text, want);
    }

    fn check_with(script: &str, quiet: bool, extended: bool, text: &str, want: &str) {
        let commands = parse::parse(&format!("{script}\n"), extended).unwrap_or_else(|e| panic!("{script}: {e}"));
        let mut lines = Lines::new(VecDeque::new());
        let mut input: VecDeque<Vec<u8>> = text.lines().map(|l| format!("{l}\n").into_bytes()).collect();
        lines.next = input.pop_front();
        // The lines come from memory: each is handed over when the one before is taken.
        let mut sed = Sed::new(commands, quiet, lines, Sink::Buffer(Vec::new()));
        let mut all = input;
        sed.input.files = VecDeque::new();
        while sed.next_line() {
            sed.input.next = all.pop_front();
            let flow = sed.cycle();
            if let Flow::End(true) | Flow::Quit(_, true) = flow
                && !sed.quiet
            {
                sed.print_pattern();
            }
            sed.flush_after();
            if let Flow::Quit(..) = flow {
                break;
            }
        }
        let Sink::Buffer(got) = sed.out else { panic!("a buffer") };
        assert_eq!(String::from_utf8_lossy(&got), want, "{script}");
    }

    #[test]
    fn commands_do_what_posix_says() {
        check("s/a/b/", "aa\n", "ba\n");
        check("s/a/b/g", "aa\n", "bb\n");
        check("s/a/b/2", "aaa\n", "aba\n");
        check("s/\\(x\\)\\(y\\)/\\2\\1&/", "xy\n", "yxxy\n");
        check("s|/|-|g", "a/b/c\n", "a-b-c\n");
        check("2d", "1\n2\n3\n", "1\n3\n");
        check("2,3d", "1\n2\n3\n4\n", "1\n4\n");
        check("/b/,/d/s/^/>/", "a\nb\nc\nd\ne\n", "a\n>b\n>c\n>d\ne\n");
        check("$!d", "1\n2\n", "2\n");
        check("1i\\\nx", "a\n", "x\na\n");
        check("1a y", "a\nb\n", "a\ny\nb\n");
        check("2c\\z", "a\nb\n", "a\nz\n");
        check("y/abc/xyz/", "aabbcc\n", "xxyyzz\n");
        check("/a/{s/a/b/;s/$/!/}", "a\nc\n", "b!\nc\n");
        check("2q", "1\n2\n3\n", "1\n2\n");
        check("1~2d", "1\n2\n3\n4\n", "2\n4\n");
        check("2,+1d", "1\n2\n3\n4\n", "1\n4\n");
        check(":a;s/x/y/;ta", "xxx\n", "yyy\n");
        check("s/x*/-/g", "abc\n", "-a-b-c-\n");
        check("s/.*/\\U&/", "abc\n", "ABC\n");
        check("=", "a\n", "1\na\n");
        check_with("2p", true, false, "1\n2\n", "2\n");
        check_with("s/(a+)b?/[\\1]/", false, true, "aab\n", "[aa]\n");
        check_with("/x/Ip", true, false, "X\ny\n", "X\n");
    }

    #[test]
    fn wrong_scripts_are_refused() {
        for (script, want) in [
            ("s/a", "unmatched '/'"),
            ("k", "unsupported command k"),
            ("{p", "unmatched '{'"),
            ("p}", "unexpected '}'"),
            ("s/\\(/x/", "bad regex '\\(': Unmatched ( or \\("),
            ("y/a/bc/", "y strings have different lengths"),
            ("b nowhere", "can't find label for jump to 'nowhere'"),
        ] {
            assert_eq!(
                parse::parse(&format!("{script}\n"), false).err().as_deref(),
                Some(want),
                "{script}"
            );
        }
    }
}

//! `grep`, `egrep` and `fgrep`.

use crate::util::files::{Input, is_dir, read_dir, read_text};
use crate::util::pattern::{self, Syntax};
use crate::util::{Opts, Out, base_name, join, open_input, parse, show_usage};
use crate::{complain, out};
use podsim_sys::Errno;
use regex::bytes::Regex;
use std::collections::VecDeque;

struct Grep {
    opts: Opts,
    regexes: Vec<Regex>,
    with_name: bool,
    before: usize,
    after: usize,
    most: u64,
    out: Out,
    /// Whether something was printed before: groups of context lines are parted by `--`.
    printed: bool,
    matched: bool,
    failed: bool,
}

/// `grep [-HhnlLoqvsrRiwFEz] [-m N] [-A|B|C N] { PATTERN | -e PATTERN... | -f FILE... } [FILE]...`
pub fn main(args: &[String]) -> i32 {
    let longs = [
        ("ignore-case", 'i'),
        ("invert-match", 'v'),
        ("count", 'c'),
        ("quiet", 'q'),
        ("recursive", 'r'),
        ("color", '^'),
        ("extended-regexp", 'E'),
        ("fixed-strings", 'F'),
        ("only-matching", 'o'),
        ("files-with-matches", 'l'),
        ("line-number", 'n'),
        ("word-regexp", 'w'),
        ("line-regexp", 'x'),
        ("max-count", 'm'),
    ];
    let mut opts = match parse(args, "HhnlLoqvsrRiwxFEzcm:A:B:C:e:f:^::y", &longs) {
        Ok(opts) => opts,
        // Here 1 would mean "nothing found".
        Err(code) => return if code == 0 { 0 } else { 2 },
    };
    let mut patterns: Vec<String> = opts.values('e').flat_map(str::lines).map(str::to_owned).collect();
    if opts.values('e').any(str::is_empty) {
        patterns.push(String::new());
    }
    for file in opts.values('f') {
        match read_text(file) {
            Ok(text) => patterns.extend(text.lines().map(str::to_owned)),
            Err(error) => {
                complain!("grep", "{file}: {error}");
                return 2;
            }
        }
    }
    if !opts.has('e') && !opts.has('f') {
        if opts.args.is_empty() {
            show_usage("grep");
            return 2;
        }
        patterns.extend(opts.args.remove(0).split('\n').map(str::to_owned));
    }
    let called = base_name(args.first().map_or("grep", String::as_str));
    let regexes = match compile(&patterns, &opts, called) {
        Ok(regexes) => regexes,
        Err(message) => {
            complain!("grep", "{message}");
            return 2;
        }
    };
    let mut numbers = [0, 0, 0, u64::MAX];
    for (option, value) in opts.iter() {
        let Some(text) = value.filter(|_| "ABCm".contains(option)) else {
            continue;
        };
        let Ok(number) = text.parse::<u64>() else {
            complain!("grep", "invalid number '{text}'");
            return 2;
        };
        match option {
            'A' => numbers[0] = number,
            'B' => numbers[1] = number,
            'C' => (numbers[0], numbers[1]) = (number, number),
            _ => numbers[2] = number,
        }
    }
    if opts.has('m') {
        numbers[3] = numbers[2];
    }
    let recursive = opts.has('r') || opts.has('R');
    let names = match (opts.args.is_empty(), recursive) {
        (true, true) => vec![".".to_owned()],
        (true, false) => vec!["-".to_owned()],
        _ => opts.args.clone(),
    };
    let with_name = match opts.last_of("Hh") {
        Some('H') => true,
        Some(_) => false,
        None => names.len() > 1 || recursive,
    };
    let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let mut grep = Grep {
        regexes,
        with_name,
        after: size(numbers[0]),
        before: size(numbers[1]),
        most: numbers[3],
        out: Out::stdout(),
        printed: false,
        matched: false,
        failed: false,
        opts,
    };
    for name in names {
        grep.path(&name, recursive, 0);
        if grep.opts.has('q') && grep.matched {
            return 0;
        }
    }
    let (matched, failed) = (grep.matched, grep.failed);
    grep.out.finish("grep", if failed { 2 } else { i32::from(!matched) })
}

fn compile(patterns: &[String], opts: &Opts, called: &str) -> Result<Vec<Regex>, String> {
    let extended = opts.has('E') || called == "egrep";
    let fixed = opts.has('F') || called == "fgrep";
    let syntax = Syntax {
        extended,
        ignore_case: opts.has('i') || opts.has('y'),
        multi_line: false,
    };
    let one = |text: &String| {
        let translated = if fixed {
            Ok(pattern::escape(text))
        } else {
            pattern::translate(text, extended)
        };
        let translated = translated.map_err(|error| format!("bad regex '{text}': {error}"))?;
        let whole = match (opts.has('x'), opts.has('w')) {
            (true, _) => format!("^(?:{translated})$"),
            (_, true) => format!("\\b{{start-half}}(?:{translated})\\b{{end-half}}"),
            _ => translated,
        };
        pattern::build(&whole, syntax).map_err(|error| format!("bad regex '{text}': {error}"))
    };
    patterns.iter().map(one).collect()
}

impl Grep {
    fn path(&mut self, name: &str, recursive: bool, depth: u32) {
        if recursive && name != "-" && is_dir(name) {
            let mut entries = read_dir(name).unwrap_or_default();
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            for entry in entries {
                let path = if name == "." && self.opts.args.is_empty() {
                    entry.name.clone()
                } else {
                    join(name, &entry.name)
                };
                let link = entry.file_type == podsim_sys::FileType::Symlink;
                if depth < 100 && (!link || self.opts.has('R')) {
                    self.path(&path, true, depth + 1);
                }
            }
            return;
        }
        match open_input(name).and_then(|mut input| self.file(&mut input, name)) {
            Ok(()) => {}
            Err(Errno::EISDIR) if recursive => {}
            Err(error) => {
                if !self.opts.has('s') {
                    self.out.flush();
                    complain!("grep", "{name}: {error}");
                }
                self.failed = true;
            }
        }
    }

    fn file(&mut self, input: &mut Input, name: &str) -> Result<(), Errno> {
        let end = if self.opts.has('z') { 0 } else { b'\n' };
        let quiet = self.opts.has('q') || self.opts.has('c') || self.opts.has('l') || self.opts.has('L');
        let shown = if name == "-" { "(standard input)" } else { name };
        let (mut number, mut count) = (0u64, 0u64);
        let mut earlier: VecDeque<(u64, Vec<u8>)> = VecDeque::new();
        let mut trailing = 0;
        let mut last_printed = 0u64;
        while count < self.most || trailing > 0 {
            let Some(mut line) = input.read_until(end)? else { break };
            if line.last() == Some(&end) {
                line.pop();
            }
            number += 1;
            let hit = count < self.most && self.regexes.iter().any(|regex| regex.is_match(&line)) != self.opts.has('v');
            if hit {
                count += 1;
                self.matched = true;
                if self.opts.has('q') || self.opts.has('l') || self.opts.has('L') {
                    break;
                }
            }
            if quiet {
                continue;
            }
            if hit {
                let context = self.before > 0 || self.after > 0;
                let from = earlier.front().map_or(number, |(n, _)| *n);
                if context && self.printed && from != last_printed + 1 {
                    self.out.text("--\n");
                }
                for (n, text) in std::mem::take(&mut earlier) {
                    self.line(shown, n, &text, '-', end);
                }
                self.hit(shown, number, &line, end);
                (last_printed, trailing, self.printed) = (number, self.after, true);
            } else if trailing > 0 {
                trailing -= 1;
                self.line(shown, number, &line, '-', end);
                last_printed = number;
            } else if self.before > 0 {
                if earlier.len() == self.before {
                    earlier.pop_front();
                }
                earlier.push_back((number, line));
            }
            if self.out.failed() {
                break;
            }
        }
        if self.opts.has('l') && count > 0 && !self.opts.has('q') || self.opts.has('L') && count == 0 {
            self.out.line(shown);
        } else if self.opts.has('c') && !self.opts.has('q') && !self.opts.has('L') && !self.opts.has('l') {
            if self.with_name {
                out!(self.out, "{shown}:");
            }
            out!(self.out, "{count}\n");
        }
        Ok(())
    }

    fn hit(&mut self, name: &str, number: u64, line: &[u8], end: u8) {
        if !self.opts.has('o') {
            return self.line(name, number, line, ':', end);
        }
        if self.opts.has('v') {
            return;
        }
        let mut at = 0;
        while at <= line.len() {
            let found = self
                .regexes
                .iter()
                .filter_map(|regex| regex.find_at(line, at))
                .min_by_key(|m| (m.start(), usize::MAX - m.end()));
            let Some((start, stop)) = found.map(|m| (m.start(), m.end())) else {
                return;
            };
            if stop > start {
                self.line(name, number, line.get(start..stop).unwrap_or_default(), ':', end);
            }
            at = if stop > start { stop } else { stop + 1 };
        }
    }

    fn line(&mut self, name: &str, number: u64, line: &[u8], mark: char, end: u8) {
        if self.with_name {
            out!(self.out, "{name}{mark}");
        }
        if self.opts.has('n') {
            out!(self.out, "{number}{mark}");
        }
        self.out.bytes(line);
        self.out.bytes(&[end]);
    }
}

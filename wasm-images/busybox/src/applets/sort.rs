//! `sort`.

use crate::complain;
use crate::util::files::{Input, write_file};
use crate::util::{Opts, Out, open_input, parse};
use podsim_sys::{Errno, Mode};
use std::cmp::Ordering;

/// `-k START[.OFS][OPTS][,END[.OFS][OPTS]]`
struct Key {
    start: (usize, usize),
    end: Option<(usize, usize)>,
    flags: String,
}

struct Sorter {
    keys: Vec<Key>,
    separator: Option<u8>,
    flags: String,
    stable: bool,
}

/// `sort [-nrugMcszbdfiokt] [-o FILE] [-k KEY] [-t CHAR] [FILE]...`
pub fn main(args: &[String]) -> i32 {
    let longs = [
        ("reverse", 'r'),
        ("unique", 'u'),
        ("numeric-sort", 'n'),
        ("key", 'k'),
        ("field-separator", 't'),
        ("version-sort", 'V'),
        ("stable", 's'),
    ];
    let opts = match parse(args, "nrugMcszbdfiVho:k:t:T:S:", &longs) {
        Ok(opts) => opts,
        Err(code) => return if code == 0 { 0 } else { 2 },
    };
    match run(&opts) {
        Ok(code) => code,
        Err(message) => {
            complain!("sort", "{message}");
            2
        }
    }
}

fn run(opts: &Opts) -> Result<i32, String> {
    let flags: String = "nrgMbdfiVh".chars().filter(|flag| opts.has(*flag)).collect();
    let keys = opts.values('k').map(parse_key).collect::<Result<Vec<_>, _>>()?;
    let separator = match opts.value('t').map(str::as_bytes) {
        None => None,
        Some([one]) => Some(*one),
        Some(b"\\t") => Some(b'\t'),
        Some(_) => return Err("bad -t parameter".to_owned()),
    };
    let sorter = Sorter {
        keys,
        separator,
        flags,
        stable: opts.has('s') || opts.has('u'),
    };
    let end = if opts.has('z') { 0 } else { b'\n' };
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let names = if opts.args.is_empty() {
        vec!["-".to_owned()]
    } else {
        opts.args.clone()
    };
    for name in &names {
        open_input(name)
            .and_then(|mut input| read_lines(&mut input, end, &mut lines))
            .map_err(|e| format!("{name}: {e}"))?;
    }
    if opts.has('c') {
        let wrong = lines.windows(2).position(|pair| match pair {
            [a, b] => match sorter.compare(a, b) {
                Ordering::Greater => true,
                Ordering::Equal => opts.has('u'),
                Ordering::Less => false,
            },
            _ => false,
        });
        return match wrong {
            Some(at) => {
                complain!("sort", "Check line {}", at + 2);
                Ok(1)
            }
            None => Ok(0),
        };
    }
    lines.sort_by(|a, b| sorter.compare(a, b));
    if opts.has('u') {
        lines.dedup_by(|a, b| sorter.compare(a, b) == Ordering::Equal);
    }
    if let Some(file) = opts.value('o') {
        let all: Vec<u8> = lines
            .into_iter()
            .flat_map(|line| line.into_iter().chain([end]))
            .collect();
        write_file(file, &all, Mode(0o666)).map_err(|error| format!("can't open '{file}': {error}"))?;
        return Ok(0);
    }
    let mut out = Out::stdout();
    for line in lines {
        out.bytes(&line);
        out.bytes(&[end]);
    }
    Ok(out.finish("sort", 0))
}

fn read_lines(input: &mut Input, end: u8, lines: &mut Vec<Vec<u8>>) -> Result<(), Errno> {
    while let Some(mut line) = input.read_until(end)? {
        if line.last() == Some(&end) {
            line.pop();
        }
        lines.push(line);
    }
    Ok(())
}

fn parse_key(text: &str) -> Result<Key, String> {
    let bad = || format!("bad field specification '{text}'");
    let (start, end) = text
        .split_once(',')
        .map_or((text, None), |(start, end)| (start, Some(end)));
    let mut flags = String::new();
    let mut position = |part: &str| -> Option<(usize, usize)> {
        let numbers = part.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        flags.push_str(part.get(numbers.len()..)?);
        let (field, offset) = numbers.split_once('.').unwrap_or((numbers, "0"));
        Some((field.parse().ok()?, offset.parse().ok()?))
    };
    let start = position(start).filter(|(field, _)| *field > 0).ok_or_else(bad)?;
    let end = end.map(|end| position(end).ok_or_else(bad)).transpose()?;
    Ok(Key { start, end, flags })
}

impl Sorter {
    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        let mut order = Ordering::Equal;
        if self.keys.is_empty() {
            order = compare_by(&self.flags, a, b);
            if self.flags.contains('r') {
                order = order.reverse();
            }
        }
        for key in &self.keys {
            // A key's own options take the place of the global ones.
            let flags = if key.flags.is_empty() { &self.flags } else { &key.flags };
            let one = compare_by(flags, self.extract(key, a), self.extract(key, b));
            order = if flags.contains('r') { one.reverse() } else { one };
            if order != Ordering::Equal {
                break;
            }
        }
        if order == Ordering::Equal && !self.stable {
            order = a.cmp(b);
            if self.flags.contains('r') {
                order = order.reverse();
            }
        }
        order
    }

    fn extract<'a>(&self, key: &Key, line: &'a [u8]) -> &'a [u8] {
        let start = (self.field_start(line, key.start.0) + key.start.1.saturating_sub(1)).min(line.len());
        let end = match key.end {
            None => line.len(),
            Some((field, 0)) => self.field_end(line, field),
            Some((field, offset)) => (self.field_start(line, field) + offset).min(line.len()),
        };
        line.get(start..end.max(start)).unwrap_or_default()
    }

    fn field_start(&self, line: &[u8], field: usize) -> usize {
        let mut at = 0;
        for _ in 1..field {
            at = self.skip_field(line, at);
            if self.separator.is_some() && at < line.len() {
                at += 1;
            }
        }
        at
    }

    fn field_end(&self, line: &[u8], field: usize) -> usize {
        self.skip_field(line, self.field_start(line, field))
    }

    /// Without a separator, a field begins with the blanks before it.
    fn skip_field(&self, line: &[u8], start: usize) -> usize {
        let rest = line.get(start..).unwrap_or_default();
        let length = match self.separator {
            Some(separator) => rest.iter().position(|b| *b == separator).unwrap_or(rest.len()),
            None => {
                let blanks = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
                blanks
                    + rest
                        .iter()
                        .skip(blanks)
                        .take_while(|b| !b.is_ascii_whitespace())
                        .count()
            }
        };
        start + length
    }
}

fn compare_by(flags: &str, a: &[u8], b: &[u8]) -> Ordering {
    let trim = |s: &'_ [u8]| {
        s.iter()
            .copied()
            .skip_while(u8::is_ascii_whitespace)
            .collect::<Vec<u8>>()
    };
    let number = |s: &[u8]| -> f64 {
        let text: String = trim(s).into_iter().map(char::from).collect();
        let length = text
            .char_indices()
            .take_while(|(at, c)| c.is_ascii_digit() || *c == '.' || (*c == '-' && *at == 0))
            .count();
        text.get(..length).and_then(|number| number.parse().ok()).unwrap_or(0.0)
    };
    if flags.contains('n') {
        return number(a).total_cmp(&number(b));
    }
    if flags.contains('g') {
        let general = |s: &[u8]| {
            String::from_utf8_lossy(&trim(s))
                .trim()
                .parse()
                .unwrap_or_else(|_| number(s))
        };
        return general(a).total_cmp(&general(b));
    }
    if flags.contains('h') {
        let human = |s: &[u8]| {
            let unit = trim(s)
                .into_iter()
                .find(u8::is_ascii_alphabetic)
                .unwrap_or(b' ')
                .to_ascii_uppercase();
            let power = b" KMGTPE".iter().position(|u| *u == unit).unwrap_or(0);
            number(s) * 1024f64.powi(i32::try_from(power).unwrap_or(0))
        };
        return human(a).total_cmp(&human(b));
    }
    if flags.contains('M') {
        let month = |s: &[u8]| {
            let name: String = trim(s)
                .into_iter()
                .take(3)
                .map(|b| char::from(b.to_ascii_lowercase()))
                .collect();
            crate::util::clock::MONTHS
                .iter()
                .position(|m| m.eq_ignore_ascii_case(&name))
                .map_or(0, |at| at + 1)
        };
        return month(a).cmp(&month(b));
    }
    if flags.contains('V') {
        return super::ls::version_order(&String::from_utf8_lossy(a), &String::from_utf8_lossy(b));
    }
    let prepare = |s: &[u8]| -> Vec<u8> {
        let s = if flags.contains('b') { trim(s) } else { s.to_vec() };
        s.into_iter()
            .filter(|b| !flags.contains('d') || b.is_ascii_alphanumeric() || b.is_ascii_whitespace())
            .filter(|b| !flags.contains('i') || b.is_ascii_graphic() || *b == b' ')
            .map(|b| if flags.contains('f') { b.to_ascii_uppercase() } else { b })
            .collect()
    };
    prepare(a).cmp(&prepare(b))
}

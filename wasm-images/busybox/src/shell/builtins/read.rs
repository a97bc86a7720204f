//! `read`.

use crate::shell::flow::{Flow, Status};
use crate::shell::shell::Shell;
use crate::shell::sys::{self, Errno, Fd, LocalFlags, PollEvents, PollFd, TcSet, Termios, Whence, cc};
use crate::shell::text::{self, is_name};
use std::time::Duration;

#[derive(Default)]
struct Options {
    raw: bool,
    silent: bool,
    prompt: Option<String>,
    timeout: Option<Duration>,
    count: Option<usize>,
    delimiter: Option<u8>,
    fd: i32,
}

/// How the input ended.
#[derive(PartialEq)]
enum End {
    Line,
    Eof,
    Timeout,
    Signal(i32),
}

pub(super) fn read(shell: &mut Shell, words: &[String]) -> Status {
    let (options, names) = parse(shell, words)?;
    for name in names {
        if !is_name(name) {
            shell.complain_as_applet(&format!("read: '{name}': bad variable name"));
            return Ok(1);
        }
    }
    let fd = Fd(options.fd);
    let terminal = sys::is_terminal(fd);
    if let Some(prompt) = options.prompt.as_ref().filter(|_| terminal) {
        let prompt = prompt.clone();
        shell.warn(&prompt);
    }
    let saved = if terminal { terminal_modes(fd, &options) } else { None };
    let (line, end) = read_line(shell, fd, &options, terminal);
    if let Some(saved) = saved {
        let _ = sys::tcsetattr(fd, TcSet::Drain, saved);
        if options.silent {
            shell.warn("\n");
        }
    }
    if let End::Signal(status) = end {
        return Ok(status);
    }
    let ifs = shell.vars.get("IFS").unwrap_or(" \t\n").to_owned();
    let values = match names {
        [] => vec![("REPLY".to_owned(), line.iter().map(|(c, _)| *c).collect())],
        _ => names.iter().cloned().zip(split(&line, &ifs, names.len())).collect(),
    };
    for (name, value) in values {
        shell.set_var(&name, value)?;
    }
    Ok(i32::from(end != End::Line))
}

fn parse<'w>(shell: &mut Shell, words: &'w [String]) -> Result<(Options, &'w [String]), Flow> {
    let mut options = Options::default();
    let mut rest = words.get(1..).unwrap_or_default();
    while let Some((word, tail)) = rest.split_first() {
        if word == "--" {
            rest = tail;
            break;
        }
        let Some(group) = word.strip_prefix('-').filter(|g| !g.is_empty()) else {
            break;
        };
        rest = tail;
        for (at, letter) in group.char_indices() {
            match letter {
                'r' => options.raw = true,
                's' => options.silent = true,
                'p' | 't' | 'n' | 'N' | 'd' | 'u' => {
                    let mut value = group.get(at + 1..).unwrap_or("").to_owned();
                    if value.is_empty()
                        && let Some((next, tail)) = rest.split_first()
                    {
                        value.clone_from(next);
                        rest = tail;
                    }
                    set_option(shell, &mut options, letter, value)?;
                    break;
                }
                other => return Err(shell.illegal_option(other)),
            }
        }
    }
    Ok((options, rest))
}

fn set_option(shell: &mut Shell, options: &mut Options, letter: char, value: String) -> Result<(), Flow> {
    let number = value.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
    match (letter, number) {
        ('p', _) => options.prompt = Some(value),
        ('d', _) => options.delimiter = Some(value.bytes().next().unwrap_or(0)),
        ('t', Some(seconds)) => options.timeout = Some(Duration::from_secs_f64(seconds.min(1e9))),
        ('u', Some(fd)) => options.fd = fd as i32,
        (_, Some(count)) if letter != 't' => options.count = Some(count as usize).filter(|n| *n > 0),
        _ => {
            let flow = shell.fatal(&format!("invalid count '{value}'"));
            return Err(flow);
        }
    }
    Ok(())
}

/// Switches echo (`-s`) and lines (`-n`) off; gives the old modes if it did.
fn terminal_modes(fd: Fd, options: &Options) -> Option<Termios> {
    if !options.silent && options.count.is_none() {
        return None;
    }
    let old = sys::tcgetattr(fd).ok()?;
    let mut new = old;
    if options.silent {
        new.lflag
            .remove(LocalFlags::ECHO | LocalFlags::ECHOK | LocalFlags::ECHONL);
    }
    if options.count.is_some() {
        new.lflag.remove(LocalFlags::ICANON);
        new.cc[cc::VMIN] = 1;
        new.cc[cc::VTIME] = 0;
    }
    sys::tcsetattr(fd, TcSet::Drain, new).ok()?;
    Some(old)
}

/// Reads to the delimiter. Characters come with whether a backslash protects them.
fn read_line(shell: &Shell, fd: Fd, options: &Options, terminal: bool) -> (Vec<(char, bool)>, End) {
    let deadline = options.timeout.map(|t| sys::clock_monotonic() + t);
    let delimiter = options.delimiter.unwrap_or(b'\n');
    // Where one can seek back, reading in blocks saves calls; elsewhere what follows belongs to somebody else.
    let seekable = !terminal && sys::lseek(fd, 0, Whence::Current).is_ok();
    let mut block = vec![0; if seekable { 512 } else { 1 }];
    let (mut bytes, mut protected): (Vec<u8>, Vec<bool>) = Default::default();
    let mut escaped = false;
    let end = 'reading: loop {
        if let Some(deadline) = deadline {
            let left = deadline.saturating_sub(sys::clock_monotonic());
            let mut wait = [PollFd {
                fd,
                events: PollEvents::IN,
                revents: PollEvents::empty(),
            }];
            match sys::poll(&mut wait, Some(left)) {
                Ok(0) => break End::Timeout,
                Err(Errno::EINTR) if shell.trap_pending().is_none() => continue,
                _ => {}
            }
        }
        let len = match sys::read(fd, &mut block) {
            Ok(0) => break End::Eof,
            Ok(len) => len,
            Err(Errno::EINTR) => match shell.trap_pending() {
                Some(signal) => break End::Signal(128 + i32::from(signal.number())),
                None => continue,
            },
            Err(_) => break End::Eof,
        };
        for (i, byte) in block.iter().take(len).copied().enumerate() {
            let give_back = || {
                let extra = i64::try_from(len - i - 1).unwrap_or(0);
                if extra > 0 {
                    let _ = sys::lseek(fd, -extra, Whence::Current);
                }
            };
            if escaped {
                escaped = false;
                // A protected newline is a line continuation.
                if byte != b'\n' {
                    bytes.push(byte);
                    protected.push(true);
                }
            } else if byte == delimiter {
                give_back();
                break 'reading End::Line;
            } else if byte == b'\\' && !options.raw {
                escaped = true;
                continue;
            } else if byte != 0 {
                bytes.push(byte);
                protected.push(false);
            }
            if options.count.is_some_and(|count| bytes.len() >= count) {
                give_back();
                break 'reading End::Line;
            }
        }
    };
    let text = text::from_bytes(&bytes);
    let mut at = 0;
    let line = text.chars().map(|c| {
        let flag = protected.get(at).copied().unwrap_or(false);
        at += text::to_bytes(c.encode_utf8(&mut [0; 4])).len();
        (c, flag)
    });
    (line.collect(), end)
}

/// Splits a line for `count` variables: the last one takes the rest.
fn split(line: &[(char, bool)], ifs: &str, count: usize) -> Vec<String> {
    let blank = |(c, protected): &(char, bool)| !protected && ifs.contains(*c) && matches!(c, ' ' | '\t' | '\n');
    let delimiter = |(c, protected): &(char, bool)| !protected && ifs.contains(*c);
    let mut rest = line;
    let skip_blanks = |rest: &mut &[(char, bool)]| {
        let blanks = rest.iter().take_while(|c| blank(c)).count();
        *rest = rest.get(blanks..).unwrap_or_default();
    };
    skip_blanks(&mut rest);
    let mut out = Vec::with_capacity(count);
    for i in 0..count {
        let end = rest.iter().position(delimiter).unwrap_or(rest.len());
        let mut after = rest.get(end..).unwrap_or_default();
        skip_blanks(&mut after);
        if after.first().is_some_and(delimiter) {
            after = after.get(1..).unwrap_or_default();
            skip_blanks(&mut after);
        }
        if i + 1 < count || after.is_empty() {
            out.push(rest.get(..end).unwrap_or_default().iter().map(|(c, _)| *c).collect());
            rest = after;
            continue;
        }
        // The last one: all that is left, without blanks at its end.
        let trailing = rest.iter().rev().take_while(|c| blank(c)).count();
        out.push(rest.iter().take(rest.len() - trailing).map(|(c, _)| *c).collect());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_line_is_split_among_the_variables() {
        let check = |line: &str, ifs: &str, count, want: &[&str]| {
            let line: Vec<(char, bool)> = line.chars().map(|c| (c, false)).collect();
            assert_eq!(split(&line, ifs, count), want);
        };
        check(" x  y z ", " \t\n", 2, &["x", "y z"]);
        check("a", " ", 2, &["a", ""]);
        check("a:b:c", ":", 2, &["a", "b:c"]);
        check("a:b:", ":", 2, &["a", "b"]);
        check("a::b", ":", 3, &["a", "", "b"]);
        check("a : b", ": ", 2, &["a", "b"]);
        check(" a ", "", 1, &[" a "]);
        check("", " ", 1, &[""]);
    }
}

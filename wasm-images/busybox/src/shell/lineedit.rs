//! The line editor of interactive shells: emacs keys, history, completion.
//!
//! The terminal is in raw mode only while a line is edited, and before the prompt is written, so that nothing typed after
//! the prompt is echoed twice. What is typed at a line's end is echoed as it is. The terminal is never asked anything.

use super::complete;
use super::screen::Screen;
use super::shell::Shell;
use super::sys::{self, Errno, Fd, LocalFlags, PollEvents, PollFd, Signal, TcSet, Termios, cc};
use super::text;
use std::time::Duration;

/// What was typed.
#[derive(Debug, PartialEq)]
pub(crate) enum Line {
    /// A line, without its newline.
    Text(String),
    /// `^D` on an empty line, or the end of the input.
    Eof,
    /// `^C`.
    Interrupted,
}

/// A key.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Key {
    Char(char),
    /// A control character by its letter.
    Control(u8),
    Enter,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    WordLeft,
    WordRight,
    KillWord,
    KillWordBack,
    Tab,
    Unknown,
    Eof,
}

/// How long a lone ESC is waited on to be more.
const ESCAPE_TIME: Duration = Duration::from_millis(50);

/// Shows the prompt and reads a line.
pub(crate) fn read_line(shell: &mut Shell, prompt: &str) -> Line {
    let dumb = shell.vars.get("TERM") == Some("dumb");
    let modes = if dumb { None } else { raw_mode() };
    let Some(saved) = modes else { return plain_line(prompt) };
    let columns = sys::get_winsize(Fd::STDOUT).map_or(0, |size| size.cols.into());
    let mut editor = Editor {
        screen: Screen::new(prompt, columns),
        line: Vec::new(),
        cursor: 0,
        killed: Vec::new(),
        at: shell.history.len(),
        draft: Vec::new(),
        tabs: 0,
    };
    editor.flush();
    let line = editor.run(shell);
    // Before the line's end is shown: whoever sees it may type to the command already.
    let _ = sys::tcsetattr(Fd::STDIN, TcSet::Now, saved);
    editor.flush();
    line
}

/// Switches the terminal to single keys without echo; gives its old modes, or `None` if it is none.
fn raw_mode() -> Option<Termios> {
    let saved = sys::tcgetattr(Fd::STDIN).ok()?;
    let mut raw = saved;
    raw.lflag
        .remove(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ECHONL | LocalFlags::IEXTEN);
    raw.cc[cc::VMIN] = 1;
    raw.cc[cc::VTIME] = 0;
    // ^C is a key here.
    raw.cc[cc::VINTR] = 0;
    sys::tcsetattr(Fd::STDIN, TcSet::Now, raw).ok()?;
    Some(saved)
}

/// A line as the terminal (or a pipe) gives it.
fn plain_line(prompt: &str) -> Line {
    let _ = sys::write_all(Fd::STDOUT, &text::to_bytes(prompt));
    let mut bytes = Vec::new();
    loop {
        let mut byte = [0];
        match sys::read(Fd::STDIN, &mut byte) {
            Err(Errno::EINTR) if sys::arrived().contains(Signal::INT) => {
                sys::forget(Signal::INT);
                let _ = sys::write_all(Fd::STDOUT, b"\n");
                return Line::Interrupted;
            }
            Err(Errno::EINTR) => {}
            Ok(0) | Err(_) if bytes.is_empty() => return Line::Eof,
            Ok(0) | Err(_) => break,
            Ok(_) if byte == [b'\n'] => break,
            Ok(_) => bytes.extend_from_slice(&byte),
        }
    }
    Line::Text(text::from_bytes(&bytes))
}

struct Editor {
    screen: Screen,
    line: Vec<char>,
    cursor: usize,
    /// What was killed last, for `^Y`.
    killed: Vec<char>,
    /// The line of the history that is shown; its length for the new line.
    at: usize,
    /// The new line, while an old one is shown.
    draft: Vec<char>,
    /// Tabs in a row.
    tabs: u32,
}

impl Editor {
    fn flush(&mut self) {
        if !self.screen.out.is_empty() {
            let out = std::mem::take(&mut self.screen.out);
            // A terminal that is gone shows at the next read.
            let _ = sys::write_all(Fd::STDOUT, &text::to_bytes(&out));
        }
    }

    fn run(&mut self, shell: &mut Shell) -> Line {
        loop {
            let key = read_key();
            let done = self.key(key, shell);
            if done.is_none() {
                self.screen.show(&self.line, self.cursor);
            }
            if let Some(line) = done {
                return line;
            }
            self.flush();
        }
    }

    fn key(&mut self, key: Key, shell: &mut Shell) -> Option<Line> {
        self.tabs = if key == Key::Tab { self.tabs + 1 } else { 0 };
        match key {
            Key::Enter => {
                self.screen.finish();
                return Some(Line::Text(self.line.iter().collect()));
            }
            Key::Eof => return Some(Line::Eof),
            Key::Control(b'D') if self.line.is_empty() => return Some(Line::Eof),
            Key::Control(b'C') => {
                self.screen.move_to(self.line.len());
                self.screen.out.push_str("^C\n");
                return Some(Line::Interrupted);
            }
            Key::Char(c) => {
                self.line.insert(self.cursor, c);
                self.cursor += 1;
            }
            Key::Backspace => {
                if self.cursor > 0 {
                    self.cursor -= 1;
                    self.line.remove(self.cursor);
                }
            }
            Key::Delete | Key::Control(b'D') => {
                if self.cursor < self.line.len() {
                    self.line.remove(self.cursor);
                }
            }
            Key::Left | Key::Control(b'B') => self.cursor = self.cursor.saturating_sub(1),
            Key::Right | Key::Control(b'F') => self.cursor = (self.cursor + 1).min(self.line.len()),
            Key::Home | Key::Control(b'A') => self.cursor = 0,
            Key::End | Key::Control(b'E') => self.cursor = self.line.len(),
            Key::WordLeft => self.cursor = self.word_left(false),
            Key::WordRight => self.cursor = self.word_right(),
            Key::Up | Key::Control(b'P') => self.history(shell, self.at.checked_sub(1)),
            Key::Down | Key::Control(b'N') => self.history(shell, Some(self.at + 1)),
            Key::Control(b'K') => self.kill(self.cursor, self.line.len()),
            Key::Control(b'U') => self.kill(0, self.cursor),
            Key::Control(b'W') => {
                let start = self.word_left(true);
                self.kill(start, self.cursor);
            }
            Key::KillWordBack => {
                let start = self.word_left(false);
                self.kill(start, self.cursor);
            }
            Key::KillWord => {
                let end = self.word_right();
                self.kill(self.cursor, end);
            }
            Key::Control(b'Y') => {
                let at = self.cursor;
                self.line.splice(at..at, self.killed.iter().copied());
                self.cursor += self.killed.len();
            }
            Key::Control(b'T') if self.cursor > 0 && self.line.len() > 1 => {
                let at = self.cursor.min(self.line.len() - 1);
                self.line.swap(at - 1, at);
                self.cursor = at + 1;
            }
            Key::Control(b'L') => self.screen.clear(),
            Key::Control(b'R') => return self.search(shell),
            Key::Tab => self.complete(shell),
            Key::Control(_) | Key::Unknown => {}
        }
        None
    }

    /// Where the word before the cursor begins; `blanks`: only blanks end a word.
    fn word_left(&self, blanks: bool) -> usize {
        let separates = |c: &char| {
            if blanks {
                c.is_whitespace()
            } else {
                !c.is_alphanumeric()
            }
        };
        let before = self.line.get(..self.cursor).unwrap_or_default();
        let skipped = before.iter().rev().take_while(|c| separates(c)).count();
        let word = before.iter().rev().skip(skipped).take_while(|c| !separates(c)).count();
        self.cursor - skipped - word
    }

    fn word_right(&self) -> usize {
        let after = self.line.get(self.cursor..).unwrap_or_default();
        let skipped = after.iter().take_while(|c| !c.is_alphanumeric()).count();
        let word = after.iter().skip(skipped).take_while(|c| c.is_alphanumeric()).count();
        self.cursor + skipped + word
    }

    fn kill(&mut self, start: usize, end: usize) {
        if start < end {
            self.killed = self.line.drain(start..end).collect();
            self.cursor = start;
        }
    }

    fn history(&mut self, shell: &Shell, to: Option<usize>) {
        let Some(to) = to.filter(|to| *to <= shell.history.len()) else {
            return;
        };
        if self.at == shell.history.len() {
            self.draft = std::mem::take(&mut self.line);
        }
        self.at = to;
        self.line = match shell.history.get(to) {
            Some(line) => line.chars().collect(),
            None => std::mem::take(&mut self.draft),
        };
        self.cursor = self.line.len();
    }

    fn complete(&mut self, shell: &mut Shell) {
        let found = complete::complete(shell, &self.line, self.cursor);
        let typed = self.cursor - found.start;
        let mut prefix = complete::common_prefix(&found.candidates);
        if found.candidates.len() == 1 && !prefix.ends_with('/') {
            prefix.push(' ');
        }
        let prefix: Vec<char> = prefix.chars().collect();
        if prefix.len() > typed {
            let length = prefix.len();
            self.line.splice(found.start..self.cursor, prefix);
            self.cursor = found.start + length;
            // The next tab shows what there is.
            self.tabs = 1;
            if found.candidates.len() > 1 {
                self.screen.out.push('\x07');
            }
        } else if found.candidates.len() > 1 && self.tabs > 1 {
            let list = complete::columns(&found.candidates, self.screen.columns);
            self.screen.below(&list);
        } else if found.candidates.len() != 1 {
            self.screen.out.push('\x07');
        }
    }

    /// `^R`: looks for earlier lines while typing.
    fn search(&mut self, shell: &mut Shell) -> Option<Line> {
        let prompt = self.screen.prompt();
        let original = (self.line.clone(), self.cursor);
        let mut wanted = String::new();
        let mut at = shell.history.len();
        loop {
            let shown = format!("(reverse-i-search)`{wanted}': ");
            self.screen.change_prompt(&shown, &self.line, self.cursor);
            self.flush();
            let key = read_key();
            match key {
                Key::Char(c) => {
                    wanted.push(c);
                    at = (at + 1).min(shell.history.len());
                }
                Key::Backspace => {
                    wanted.pop();
                    at = shell.history.len();
                }
                Key::Control(b'R') => {}
                Key::Control(b'C' | b'G') => {
                    (self.line, self.cursor) = original;
                    self.screen.change_prompt(&prompt, &self.line, self.cursor);
                    return None;
                }
                key => {
                    self.screen.change_prompt(&prompt, &self.line, self.cursor);
                    return self.key(key, shell);
                }
            }
            let earlier = shell.history.get(..at).unwrap_or_default();
            match earlier
                .iter()
                .rposition(|line| !wanted.is_empty() && line.contains(&wanted))
            {
                Some(found) => {
                    at = found;
                    self.at = found;
                    let line = shell.history.get(found).map_or("", String::as_str);
                    let offset = line
                        .find(&wanted)
                        .and_then(|i| line.get(..i))
                        .map_or(0, |b| b.chars().count());
                    self.line = line.chars().collect();
                    self.cursor = offset;
                }
                None => self.screen.out.push('\x07'),
            }
        }
    }
}

/// One byte; `None` at the end of the input.
fn read_byte() -> Option<u8> {
    let mut byte = [0];
    loop {
        match sys::read(Fd::STDIN, &mut byte) {
            Ok(1) => return Some(byte[0]),
            Err(Errno::EINTR) => {}
            _ => return None,
        }
    }
}

/// Whether another byte comes at once.
fn more_comes() -> bool {
    let mut wait = [PollFd {
        fd: Fd::STDIN,
        events: PollEvents::IN,
        revents: PollEvents::empty(),
    }];
    matches!(sys::poll(&mut wait, Some(ESCAPE_TIME)), Ok(n) if n > 0)
}

fn read_key() -> Key {
    let Some(byte) = read_byte() else { return Key::Eof };
    match byte {
        b'\r' | b'\n' => Key::Enter,
        b'\t' => Key::Tab,
        8 | 127 => Key::Backspace,
        27 if more_comes() => escape_sequence(),
        27 => Key::Unknown,
        0..=31 => Key::Control(byte + 64),
        32..=126 => Key::Char(char::from(byte)),
        _ => utf8_key(byte),
    }
}

fn utf8_key(first: u8) -> Key {
    let len = match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => return Key::Unknown,
    };
    let mut bytes = vec![first];
    for _ in 1..len {
        match read_byte() {
            Some(byte) => bytes.push(byte),
            None => return Key::Eof,
        }
    }
    match std::str::from_utf8(&bytes).ok().and_then(|s| s.chars().next()) {
        Some(c) => Key::Char(c),
        None => Key::Unknown,
    }
}

/// After ESC.
fn escape_sequence() -> Key {
    match read_byte() {
        Some(b'[' | b'O') => {}
        Some(b'b' | b'B') => return Key::WordLeft,
        Some(b'f' | b'F') => return Key::WordRight,
        Some(b'd' | b'D') => return Key::KillWord,
        Some(8 | 127) => return Key::KillWordBack,
        Some(_) => return Key::Unknown,
        None => return Key::Eof,
    }
    let mut parameters = String::new();
    loop {
        match read_byte() {
            Some(byte @ (b'0'..=b'9' | b';')) if parameters.len() < 16 => parameters.push(char::from(byte)),
            Some(last) => return final_byte(last, &parameters),
            None => return Key::Eof,
        }
    }
}

fn final_byte(last: u8, parameters: &str) -> Key {
    let modified = parameters.contains(';');
    match last {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' if modified => Key::WordRight,
        b'D' if modified => Key::WordLeft,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        b'~' => match parameters.split(';').next() {
            Some("1" | "7") => Key::Home,
            Some("4" | "8") => Key::End,
            Some("3") => Key::Delete,
            _ => Key::Unknown,
        },
        _ => Key::Unknown,
    }
}

//! The line discipline (Linux's `n_tty.c`, `termios(3)`): what becomes of typed bytes, of written bytes, and what a read
//! gets. Pure data: who waits and who gets signals is [`super::Tty`]'s business.

use crate::fs::pipe::take;
use podsim_sys::{InputFlags, LocalFlags, OutputFlags, Signal, Termios, cc};
use std::collections::VecDeque;

/// How many bytes of input are kept (`N_TTY_BUF_SIZE`), the line that is being typed included.
const INPUT_MAX: usize = 4096;

/// The state of one terminal's line discipline.
pub(super) struct LineDiscipline {
    canonical: bool,
    /// Complete lines. One that ends without a line feed was ended by EOF; an empty one is EOF itself.
    lines: VecDeque<VecDeque<u8>>,
    /// The line that is being typed.
    line: Vec<u8>,
    /// Input in non-canonical mode.
    raw: VecDeque<u8>,
    /// The next byte has no special meaning (LNEXT).
    literal: bool,
    /// Output is held (`^S`).
    stopped: bool,
    /// The cursor's column, and where the line that is being typed began.
    column: usize,
    line_column: usize,
}

impl LineDiscipline {
    pub(super) fn new() -> Self {
        Self {
            canonical: true,
            lines: VecDeque::new(),
            line: Vec::new(),
            raw: VecDeque::new(),
            literal: false,
            stopped: false,
            column: 0,
            line_column: 0,
        }
    }

    /// Whether output is held.
    pub(super) fn stopped(&self) -> bool {
        self.stopped
    }

    /// Bytes that can be read in non-canonical mode.
    pub(super) fn raw_available(&self) -> usize {
        self.raw.len()
    }

    /// Whether a whole line (or EOF) can be read in canonical mode.
    pub(super) fn has_line(&self) -> bool {
        !self.lines.is_empty()
    }

    fn buffered(&self) -> usize {
        self.lines.iter().map(VecDeque::len).sum::<usize>() + self.line.len() + self.raw.len()
    }

    /// Whether another byte of input may be taken. In canonical mode an overlong line is cut instead, or its end could
    /// never be typed.
    pub(super) fn has_room(&self) -> bool {
        self.buffered() < INPUT_MAX - 1 || (self.canonical && self.lines.is_empty())
    }

    /// Follows a change between canonical and non-canonical mode (`n_tty_set_termios`): what is there becomes one piece
    /// that can be read.
    pub(super) fn set_termios(&mut self, termios: &Termios) {
        let canonical = termios.lflag.contains(LocalFlags::ICANON);
        if self.canonical != canonical {
            self.canonical = canonical;
            if canonical {
                let raw = std::mem::take(&mut self.raw);
                if !raw.is_empty() {
                    self.lines.push_back(raw);
                }
            } else {
                self.raw.extend(self.lines.drain(..).flatten());
                self.raw.extend(self.line.drain(..));
            }
        }
        if !termios.iflag.contains(InputFlags::IXON) {
            self.stopped = false;
        }
    }

    /// Throws the input away (`tcflush(3)`, and signals from the keyboard).
    pub(super) fn flush_input(&mut self) {
        self.lines.clear();
        self.line.clear();
        self.raw.clear();
    }

    /// A read in canonical mode: at most one line. `None`: there is none yet.
    pub(super) fn read_line(&mut self, buf: &mut [u8]) -> Option<usize> {
        let line = self.lines.front_mut()?;
        let n = take(line, buf);
        if line.is_empty() {
            self.lines.pop_front();
        }
        Some(n)
    }

    /// A read in non-canonical mode of what is there.
    pub(super) fn read_raw(&mut self, buf: &mut [u8]) -> usize {
        take(&mut self.raw, buf)
    }

    /// A byte from the keyboard. Its echo is put into `echo`; returned is the signal for the foreground group.
    pub(super) fn receive(&mut self, byte: u8, termios: &Termios, echo: &mut Vec<u8>) -> Option<Signal> {
        let iflag = termios.iflag;
        let mut byte = if iflag.contains(InputFlags::ISTRIP) {
            byte & 0x7f
        } else {
            byte
        };
        if std::mem::take(&mut self.literal) {
            self.put(byte, termios, echo);
            return None;
        }
        match byte {
            b'\r' if iflag.contains(InputFlags::IGNCR) => return None,
            b'\r' if iflag.contains(InputFlags::ICRNL) => byte = b'\n',
            b'\n' if iflag.contains(InputFlags::INLCR) => byte = b'\r',
            _ => {}
        }
        let is = |index: usize| special(termios, index) == Some(byte);
        if iflag.contains(InputFlags::IXON) {
            if is(cc::VSTART) {
                self.stopped = false;
                return None;
            }
            if is(cc::VSTOP) {
                self.stopped = true;
                return None;
            }
            if iflag.contains(InputFlags::IXANY) {
                self.stopped = false;
            }
        }
        if termios.lflag.contains(LocalFlags::ISIG) {
            let keys = [
                (cc::VINTR, Signal::INT),
                (cc::VQUIT, Signal::QUIT),
                (cc::VSUSP, Signal::TSTP),
            ];
            if let Some((_, signal)) = keys.into_iter().find(|(index, _)| is(*index)) {
                // Linux also throws output away that nobody has read yet; here it stays, so that what a program wrote
                // before the key does not depend on how fast the other side reads.
                if !termios.lflag.contains(LocalFlags::NOFLSH) {
                    self.flush_input();
                }
                self.stopped = false;
                self.echo(byte, termios, echo);
                return Some(signal);
            }
        }
        if self.canonical {
            self.edit(byte, termios, echo);
        } else {
            self.put(byte, termios, echo);
        }
        None
    }

    /// Canonical mode: the keys that edit the line or end it.
    fn edit(&mut self, byte: u8, termios: &Termios, echo: &mut Vec<u8>) {
        let lflag = termios.lflag;
        let is = |index: usize| special(termios, index) == Some(byte);
        let extended = lflag.contains(LocalFlags::IEXTEN);
        if is(cc::VERASE) {
            self.erase_character(termios, echo);
        } else if extended && is(cc::VWERASE) {
            self.erase_word(termios, echo);
        } else if is(cc::VKILL) {
            self.kill(byte, termios, echo);
        } else if extended && is(cc::VLNEXT) {
            self.literal = true;
            if lflag.contains(LocalFlags::ECHO | LocalFlags::ECHOCTL) {
                // Shown until the next key, which overwrites it.
                echo.extend(b"^\x08");
            }
        } else if extended && is(cc::VREPRINT) && lflag.contains(LocalFlags::ECHO) {
            self.echo(byte, termios, echo);
            self.output(b'\n', termios, echo);
            self.line_column = self.column;
            for typed in self.line.clone() {
                self.echo(typed, termios, echo);
            }
        } else if byte == b'\n' {
            if lflag.intersects(LocalFlags::ECHO | LocalFlags::ECHONL) {
                self.output(b'\n', termios, echo);
            }
            self.end_line(Some(b'\n'));
        } else if is(cc::VEOF) {
            self.end_line(None);
        } else if is(cc::VEOL) {
            self.echo(byte, termios, echo);
            self.end_line(Some(byte));
        } else {
            self.put(byte, termios, echo);
        }
    }

    /// An ordinary byte.
    fn put(&mut self, byte: u8, termios: &Termios, echo: &mut Vec<u8>) {
        if self.buffered() >= INPUT_MAX - 1 {
            if termios.iflag.contains(InputFlags::IMAXBEL) {
                echo.push(7);
            }
            return;
        }
        if self.canonical {
            if self.line.is_empty() {
                self.line_column = self.column;
            }
            self.line.push(byte);
        } else {
            self.raw.push_back(byte);
        }
        self.echo(byte, termios, echo);
    }

    fn end_line(&mut self, end: Option<u8>) {
        let mut line: VecDeque<u8> = std::mem::take(&mut self.line).into();
        line.extend(end);
        self.lines.push_back(line);
    }

    /// Takes the last character, of one byte or (IUTF8) more, out of the line.
    fn pop_character(&mut self, termios: &Termios) -> bool {
        let utf8 = termios.iflag.contains(InputFlags::IUTF8);
        loop {
            match self.line.pop() {
                None => return false,
                Some(byte) if utf8 && is_continuation(byte) && !self.line.is_empty() => {}
                Some(_) => return true,
            }
        }
    }

    fn erase_character(&mut self, termios: &Termios, echo: &mut Vec<u8>) {
        if self.pop_character(termios) {
            self.wipe(termios, echo);
        }
    }

    /// WERASE: blanks, then the word before them.
    fn erase_word(&mut self, termios: &Termios, echo: &mut Vec<u8>) {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
        let mut in_word = false;
        while let Some(last) = self.line.last() {
            match (is_word(last), in_word) {
                (true, _) => in_word = true,
                (false, true) => break,
                (false, false) => {}
            }
            self.erase_character(termios, echo);
        }
    }

    fn kill(&mut self, byte: u8, termios: &Termios, echo: &mut Vec<u8>) {
        let wipes = LocalFlags::ECHO | LocalFlags::ECHOE | LocalFlags::ECHOK | LocalFlags::ECHOKE;
        if termios.lflag.contains(wipes) {
            while !self.line.is_empty() {
                self.erase_character(termios, echo);
            }
            return;
        }
        self.line.clear();
        self.echo(byte, termios, echo);
        if termios.lflag.contains(LocalFlags::ECHO | LocalFlags::ECHOK) {
            self.output(b'\n', termios, echo);
        }
    }

    /// Wipes from the screen what is no longer in the line: back to the column where the line now ends.
    fn wipe(&mut self, termios: &Termios, echo: &mut Vec<u8>) {
        if !termios.lflag.contains(LocalFlags::ECHO) {
            return;
        }
        if !termios.lflag.contains(LocalFlags::ECHOE) {
            if let Some(erase) = special(termios, cc::VERASE) {
                self.echo(erase, termios, echo);
            }
            return;
        }
        let control = termios.lflag.contains(LocalFlags::ECHOCTL);
        let utf8 = termios.iflag.contains(InputFlags::IUTF8);
        let end = self.line.iter().fold(self.line_column, |column, byte| match byte {
            b'\t' => next_tab(column),
            byte if byte.is_ascii_control() => column + if control { 2 } else { 0 },
            byte if utf8 && is_continuation(*byte) => column,
            _ => column + 1,
        });
        while self.column > end {
            echo.extend(b"\x08 \x08");
            self.column -= 1;
        }
    }

    /// Echoes a typed byte, control characters as `^X`.
    fn echo(&mut self, byte: u8, termios: &Termios, echo: &mut Vec<u8>) {
        if !termios.lflag.contains(LocalFlags::ECHO) {
            return;
        }
        let shown = byte.is_ascii_control() && byte != b'\t' && byte != b'\n';
        if shown && termios.lflag.contains(LocalFlags::ECHOCTL) {
            echo.extend([b'^', byte ^ 0x40]);
            self.column += 2;
        } else {
            self.output(byte, termios, echo);
        }
    }

    /// A byte on its way to the screen (OPOST).
    pub(super) fn output(&mut self, byte: u8, termios: &Termios, out: &mut Vec<u8>) {
        let post = termios.oflag.contains(OutputFlags::OPOST);
        match byte {
            b'\n' if post && termios.oflag.contains(OutputFlags::ONLCR) => {
                self.column = 0;
                out.extend(b"\r\n");
                return;
            }
            b'\r' if post && termios.oflag.contains(OutputFlags::OCRNL) => {
                out.push(b'\n');
                return;
            }
            b'\r' => self.column = 0,
            0x08 => self.column = self.column.saturating_sub(1),
            b'\t' => self.column = next_tab(self.column),
            byte if byte.is_ascii_control() => {}
            byte if termios.iflag.contains(InputFlags::IUTF8) && is_continuation(byte) => {}
            _ => self.column += 1,
        }
        out.push(byte);
    }
}

/// A special character; `None` when it is switched off.
fn special(termios: &Termios, index: usize) -> Option<u8> {
    termios.cc.get(index).copied().filter(|byte| *byte != 0)
}

fn next_tab(column: usize) -> usize {
    (column | 7) + 1
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

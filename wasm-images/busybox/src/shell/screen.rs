//! What the line editor shows: where the cursor is on a window of some width, and the shortest way to change it.

use super::prompt::{NON_PRINTING_BEGIN, NON_PRINTING_END};

/// The edited line on the screen. Output collects in `out`.
pub(crate) struct Screen {
    /// Columns of the window; 0 if unknown, then nothing wraps.
    pub(crate) columns: usize,
    /// The last line of the prompt, as it is printed.
    prompt: String,
    /// Columns that it takes.
    prompt_width: usize,
    /// The characters shown after it.
    shown: Vec<char>,
    /// The cursor: before this character.
    cursor: usize,
    /// What is to be written.
    pub(crate) out: String,
}

impl Screen {
    /// A screen with a fresh prompt.
    pub(crate) fn new(prompt: &str, columns: usize) -> Self {
        let mut printed = String::new();
        let mut hidden = false;
        for c in prompt.chars() {
            match c {
                NON_PRINTING_BEGIN => hidden = true,
                NON_PRINTING_END => hidden = false,
                c => printed.push(c),
            }
        }
        let _ = hidden;
        let last_line = |text: &str| text.rsplit('\n').next().unwrap_or("").to_owned();
        Self {
            columns,
            prompt: last_line(&printed),
            prompt_width: visible_width(&last_line(prompt)),
            shown: Vec::new(),
            cursor: 0,
            out: printed,
        }
    }

    /// Row and column (from the prompt's row) of the character at an index.
    fn position(&self, index: usize) -> (usize, usize) {
        let width = self.prompt_width + self.shown.iter().take(index).map(|c| char_width(*c)).sum::<usize>();
        match self.columns {
            0 => (0, width),
            columns => (width / columns, width % columns),
        }
    }

    /// Moves the cursor to a character.
    pub(crate) fn move_to(&mut self, index: usize) {
        let index = index.min(self.shown.len());
        if index == self.cursor {
            return;
        }
        self.settle();
        let (row, column) = self.position(self.cursor);
        let (new_row, new_column) = self.position(index);
        if row == new_row && new_column < column && column - new_column <= 8 {
            self.out.push_str(&"\x08".repeat(column - new_column));
        } else if row == new_row && index > self.cursor && self.shown.iter().all(|c| char_width(*c) == 1) {
            // Forwards, the characters themselves are the plainest way.
            let passed: String = self.shown.iter().skip(self.cursor).take(index - self.cursor).collect();
            self.out.push_str(&passed);
        } else {
            self.rows(row, new_row);
            self.out.push('\r');
            if new_column > 0 {
                self.out.push_str(&format!("\x1b[{new_column}C"));
            }
        }
        self.cursor = index;
    }

    fn rows(&mut self, from: usize, to: usize) {
        if to < from {
            self.out.push_str(&format!("\x1b[{}A", from - to));
        } else if to > from {
            self.out.push_str(&format!("\x1b[{}B", to - from));
        }
    }

    /// After a character in the last column a terminal has not moved to the next row yet. Nothing is done about that
    /// while typing goes on (the echo stays plain); before any other movement the cursor is made to be where we count it.
    fn settle(&mut self) {
        let (row, column) = self.position(self.cursor);
        if self.columns > 0 && self.cursor == self.shown.len() && column == 0 && row > 0 && self.cursor > 0 {
            self.out.push_str(" \r");
        }
    }

    /// Shows another line with the cursor at an index; only what differs is written.
    pub(crate) fn show(&mut self, line: &[char], cursor: usize) {
        let same = self.shown.iter().zip(line).take_while(|(a, b)| a == b).count();
        if same == self.shown.len() && same == line.len() {
            self.move_to(cursor);
            return;
        }
        if self.cursor == self.shown.len() && same == self.shown.len() && cursor == line.len() {
            // Typed at the end: its plain echo.
            self.out.extend(line.iter().skip(same));
            self.shown = line.to_vec();
            self.cursor = cursor;
            return;
        }
        let old_width: usize = self.shown.iter().skip(same).map(|c| char_width(*c)).sum();
        let new_width: usize = line.iter().skip(same).map(|c| char_width(*c)).sum();
        let old_end = self.position(self.shown.len()).0;
        self.move_to(same);
        self.settle();
        let start_row = self.position(same).0;
        self.shown.truncate(same);
        self.out.extend(line.iter().skip(same));
        self.shown = line.to_vec();
        self.cursor = self.shown.len();
        if old_width > new_width {
            if old_end == start_row && old_width - new_width <= 8 {
                // On one row a few blanks wipe the rest out.
                let extra = old_width - new_width;
                self.out.push_str(&" ".repeat(extra));
                self.out.push_str(&"\x08".repeat(extra));
            } else {
                self.settle();
                self.out.push_str("\x1b[J");
            }
        }
        self.move_to(cursor);
    }

    /// Puts the cursor below the line.
    pub(crate) fn finish(&mut self) {
        self.move_to(self.shown.len());
        self.out.push('\n');
    }

    /// Writes something of one's own below, then the prompt and the line again.
    pub(crate) fn below(&mut self, text: &str) {
        let cursor = self.cursor;
        self.finish();
        self.out.push_str(text);
        self.reprint(cursor);
    }

    /// Clears the window.
    pub(crate) fn clear(&mut self) {
        let cursor = self.cursor;
        self.out.push_str("\x1b[H\x1b[J");
        self.reprint(cursor);
    }

    fn reprint(&mut self, cursor: usize) {
        self.out.push_str(&self.prompt);
        self.out.extend(self.shown.iter());
        self.cursor = self.shown.len();
        self.move_to(cursor);
    }

    /// Replaces the prompt (for a search).
    pub(crate) fn change_prompt(&mut self, prompt: &str, line: &[char], cursor: usize) {
        self.move_to(0);
        let row = self.position(0).0;
        self.rows(row, 0);
        self.out.push('\r');
        self.prompt = prompt.to_owned();
        self.prompt_width = visible_width(prompt);
        self.out.push_str(prompt);
        self.out.extend(line.iter());
        self.shown = line.to_vec();
        self.cursor = line.len();
        self.out.push_str("\x1b[J");
        self.move_to(cursor);
    }

    /// The prompt's last line.
    pub(crate) fn prompt(&self) -> String {
        self.prompt.clone()
    }
}

/// The columns that a prompt takes: without what is between the marks, and without escape sequences.
fn visible_width(prompt: &str) -> usize {
    let mut width = 0;
    let mut hidden = false;
    let mut chars = prompt.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            NON_PRINTING_BEGIN => hidden = true,
            NON_PRINTING_END => hidden = false,
            '\x1b' if chars.peek() == Some(&'[') => {
                chars.next();
                for c in chars.by_ref() {
                    if ('@'..='~').contains(&c) {
                        break;
                    }
                }
            }
            c if !hidden => width += char_width(c),
            _ => {}
        }
    }
    width
}

/// Columns of a character: 0 for combining marks, 2 for East Asian wide ones and emoji.
pub(crate) fn char_width(c: char) -> usize {
    match u32::from(c) {
        0..=0x1f | 0x7f..=0x9f => 0,
        0x300..=0x36f | 0x200b..=0x200f | 0x20d0..=0x20ff | 0xfe00..=0xfe0f | 0xfe20..=0xfe2f => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::Screen;

    fn chars(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    fn after(screen: &mut Screen) -> String {
        std::mem::take(&mut screen.out)
    }

    #[test]
    fn typing_at_the_end_is_echoed_plainly_also_over_the_edge() {
        let mut screen = Screen::new("/ # ", 10);
        assert_eq!(after(&mut screen), "/ # ");
        for end in 1..=20 {
            let line = chars(&"abcdefghijklmnopqrst"[..end]);
            screen.show(&line, end);
        }
        assert_eq!(after(&mut screen), "abcdefghijklmnopqrst");
    }

    #[test]
    fn edits_write_only_what_changes() {
        let mut screen = Screen::new("$ ", 80);
        screen.show(&chars("abcdef"), 6);
        after(&mut screen);
        screen.move_to(4);
        assert_eq!(after(&mut screen), "\x08\x08");
        screen.show(&chars("abcdXef"), 5);
        assert_eq!(after(&mut screen), "Xef\x08\x08");
        screen.show(&chars("abcdef"), 4);
        assert_eq!(after(&mut screen), "\x08ef \x08\x08\x08");
        screen.move_to(6);
        assert_eq!(after(&mut screen), "ef");
        screen.show(&chars("abcde"), 5);
        assert_eq!(after(&mut screen), "\x08 \x08");
        screen.show(&[], 0);
        assert_eq!(after(&mut screen), "\x08\x08\x08\x08\x08     \x08\x08\x08\x08\x08");
    }

    #[test]
    fn the_cursor_goes_up_a_wrapped_line() {
        let mut screen = Screen::new("$ ", 10);
        screen.show(&chars("0123456789abcdefghij"), 20);
        after(&mut screen);
        screen.move_to(0);
        assert_eq!(after(&mut screen), "\x1b[2A\r\x1b[2C");
        screen.finish();
        assert_eq!(after(&mut screen), "\x1b[2B\r\x1b[2C\n");
    }

    #[test]
    fn marks_and_escape_sequences_take_no_room() {
        let mut screen = Screen::new("\u{1}\x1b[1m\u{2}$ ", 80);
        assert_eq!(after(&mut screen), "\x1b[1m$ ");
        assert_eq!(screen.position(0), (0, 2));
        assert_eq!(super::visible_width("\x1b[31m日本\x1b[0m "), 5);
    }
}

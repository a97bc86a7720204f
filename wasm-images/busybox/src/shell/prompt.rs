//! Prompts: backslash escapes, then parameters and commands.

use super::expand;
use super::lexer::{Aliases, Parser, Text};
use super::shell::Shell;
use super::sys;
use super::text;
use super::word::Stop;

impl Shell {
    /// Expands parameters, commands and arithmetic in a text, as in a here-document; the text itself where that fails.
    pub(crate) fn expand_prompt_text(&mut self, text: &str) -> String {
        if !text.contains(['$', '`', '\\']) {
            return text.to_owned();
        }
        let mut source = Text::whole(text.to_owned(), self.line);
        let aliases = Aliases::new();
        let Ok(parts) = Parser::new(&mut source, &aliases, self.bash).parts(Stop::Body) else {
            return text.to_owned();
        };
        let word = super::ast::Word {
            parts: vec![super::ast::Part::Double { parts }],
        };
        let status = self.status;
        let expanded = expand::string(self, &word).unwrap_or_else(|_| text.to_owned());
        self.status = status;
        expanded
    }

    /// The prompt that `PS1` or `PS2` asks for.
    pub(crate) fn prompt(&mut self, variable: &str) -> String {
        let template = self.vars.get(variable).unwrap_or("").to_owned();
        let mut out = String::new();
        let mut chars = template.chars().peekable();
        while let Some(c) = chars.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            let Some(letter) = chars.next() else {
                out.push('\\');
                break;
            };
            let mut octal = letter.to_digit(8);
            if let Some(value) = &mut octal {
                for _ in 0..2 {
                    if let Some(digit) = chars.peek().and_then(|c| c.to_digit(8)) {
                        *value = *value * 8 + digit;
                        chars.next();
                    }
                }
            }
            let value = match octal {
                Some(value) => text::raw_byte(value as u8).to_string(),
                None => self.prompt_escape(letter),
            };
            // What came from an escape is not expanded again.
            for c in value.chars() {
                if matches!(c, '$' | '`' | '\\') {
                    out.push('\\');
                }
                out.push(c);
            }
        }
        self.expand_prompt_text(&out)
    }

    fn prompt_escape(&mut self, letter: char) -> String {
        match letter {
            'u' => user_name(sys::credentials().euid, self.bash),
            'h' => sys::uname().nodename.split('.').next().unwrap_or("").to_owned(),
            'H' => sys::uname().nodename,
            'w' => self.short_directory(),
            'W' => {
                let short = self.short_directory();
                match short.rsplit('/').next() {
                    Some(last) if !last.is_empty() => last.to_owned(),
                    _ => short,
                }
            }
            '$' => if sys::credentials().euid == 0 { "#" } else { "$" }.to_owned(),
            'n' => "\n".to_owned(),
            'r' => "\r".to_owned(),
            'a' => "\x07".to_owned(),
            'e' | 'E' => "\x1b".to_owned(),
            't' => clock("%H:%M:%S"),
            'A' => clock("%H:%M"),
            's' => self.arg0.rsplit('/').next().unwrap_or("").to_owned(),
            'v' => if self.bash { "5.2" } else { "1.36" }.to_owned(),
            'V' => if self.bash { "5.2.15" } else { "1.36.1" }.to_owned(),
            'j' => self.jobs.list.len().to_string(),
            '!' | '#' => (self.history.len() + 1).to_string(),
            '[' => NON_PRINTING_BEGIN.to_string(),
            ']' => NON_PRINTING_END.to_string(),
            '\\' => "\\".to_owned(),
            other => format!("\\{other}"),
        }
    }

    /// The working directory with `~` for the home directory.
    fn short_directory(&mut self) -> String {
        let Ok(cwd) = self.working_directory() else {
            return "?".to_owned();
        };
        let home = self.vars.get("HOME").unwrap_or("").trim_end_matches('/');
        match cwd.strip_prefix(home) {
            Some(rest) if home.len() > 1 && (rest.is_empty() || rest.starts_with('/')) => format!("~{rest}"),
            _ => cwd,
        }
    }
}

/// Marks for `\[` and `\]`: what is between them takes no room. The editor takes the marks out (bash uses these too).
pub(crate) const NON_PRINTING_BEGIN: char = '\u{1}';
pub(crate) const NON_PRINTING_END: char = '\u{2}';

fn user_name(uid: u32, bash: bool) -> String {
    let passwd = sys::read_file("/etc/passwd").unwrap_or_default();
    let passwd = text::from_bytes(&passwd);
    let uid = uid.to_string();
    let line = passwd.lines().find(|line| line.split(':').nth(2) == Some(&uid));
    let missing = if bash { "I have no name!" } else { "?" };
    line.and_then(|line| line.split(':').next())
        .unwrap_or(missing)
        .to_owned()
}

/// The time of day, UTC: there is no time zone data in an image.
fn clock(format: &str) -> String {
    let seconds = sys::clock_realtime().as_secs() % 86_400;
    format
        .replace("%H", &format!("{:02}", seconds / 3600))
        .replace("%M", &format!("{:02}", seconds / 60 % 60))
        .replace("%S", &format!("{:02}", seconds % 60))
}

//! `echo` and `printf`.

use super::number;
use crate::shell::flow::Status;
use crate::shell::lexer::escape_char;
use crate::shell::shell::Shell;
use crate::shell::text;

pub(super) fn echo(shell: &mut Shell, words: &[String]) -> Status {
    let (mut newline, mut escapes) = (true, false);
    let mut rest = words.get(1..).unwrap_or_default();
    while let Some((word, tail)) = rest.split_first() {
        let Some(letters) = word
            .strip_prefix('-')
            .filter(|l| !l.is_empty() && l.chars().all(|c| "neE".contains(c)))
        else {
            break;
        };
        for letter in letters.chars() {
            match letter {
                'n' => newline = false,
                'e' => escapes = true,
                _ => {}
            }
        }
        rest = tail;
    }
    for (i, word) in rest.iter().enumerate() {
        if i > 0 {
            shell.out.push(b' ');
        }
        if !escapes {
            shell.print(word);
        } else if !unescape(word, true, &mut shell.out) {
            return Ok(0);
        }
    }
    if newline {
        shell.out.push(b'\n');
    }
    Ok(0)
}

/// Appends text with its backslash escapes replaced; `false` at `\c`. In arguments (`echo -e`, `%b`) octal numbers may
/// have a leading zero more.
fn unescape(text: &str, argument: bool, out: &mut Vec<u8>) -> bool {
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once('\\') {
        out.extend_from_slice(&text::to_bytes(plain));
        match escape(after, argument, out) {
            Some(tail) => rest = tail,
            None => return false,
        }
    }
    out.extend_from_slice(&text::to_bytes(rest));
    true
}

/// Appends one escape, from after its backslash; what follows it, or `None` at `\c`.
fn escape<'t>(after: &'t str, argument: bool, out: &mut Vec<u8>) -> Option<&'t str> {
    let mut chars = after.chars();
    let digits = |text: &str, max: usize, radix: u32| {
        let len = text.chars().take(max).take_while(|c| c.is_digit(radix)).count();
        let value = text.get(..len).and_then(|d| u32::from_str_radix(d, radix).ok());
        (value.unwrap_or(0), len)
    };
    match chars.next() {
        None => {
            out.push(b'\\');
            Some("")
        }
        Some('c') if argument => None,
        Some('0'..='7') => {
            let (zero, max) = if argument && after.starts_with('0') {
                (1, 3)
            } else {
                (0, 3)
            };
            let (value, len) = digits(after.get(zero..).unwrap_or(""), max, 8);
            out.push(value as u8);
            after.get(zero + len..)
        }
        Some('x') => {
            let (value, len) = digits(chars.as_str(), 2, 16);
            if len == 0 {
                out.extend_from_slice(b"\\x");
            } else {
                out.push(value as u8);
            }
            chars.as_str().get(len..)
        }
        Some(c) => {
            match escape_char(c) {
                Some(byte) => out.push(byte),
                None => {
                    out.push(b'\\');
                    out.extend_from_slice(&text::to_bytes(c.encode_utf8(&mut [0; 4])));
                }
            }
            Some(chars.as_str())
        }
    }
}

/// One conversion of a format.
#[derive(Default)]
struct Conversion {
    minus: bool,
    plus: bool,
    space: bool,
    zero: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

/// A field wider than this is a mistake, not a layout.
const MAX_WIDTH: usize = 1 << 20;

pub(super) fn printf(shell: &mut Shell, words: &[String]) -> Status {
    let words = if words.get(1).is_some_and(|w| w == "--") {
        words.get(1..).unwrap_or_default()
    } else {
        words
    };
    let Some(format) = words.get(1) else {
        shell.complain_as_applet("usage: printf FORMAT [ARGUMENT...]");
        return Ok(2);
    };
    let arguments = words.get(2..).unwrap_or_default();
    let mut printf = Printf {
        shell,
        arguments,
        next: 0,
        status: 0,
    };
    loop {
        let before = printf.next;
        if !printf.once(format) || printf.next >= arguments.len() || printf.next == before {
            return Ok(printf.status);
        }
    }
}

struct Printf<'a> {
    shell: &'a mut Shell,
    arguments: &'a [String],
    next: usize,
    status: i32,
}

impl Printf<'_> {
    fn complain(&mut self, message: &str) {
        self.status = 1;
        // What was printed before comes first, as the user sees it.
        self.shell.flush();
        self.shell.complain_as_applet(message);
    }

    fn argument(&mut self) -> Option<String> {
        let argument = self.arguments.get(self.next).cloned();
        self.next += usize::from(argument.is_some());
        argument
    }

    fn integer(&mut self) -> i128 {
        let text = self.argument().unwrap_or_default();
        number::parse_integer(&text).unwrap_or_else(|| {
            self.complain(&format!("invalid number '{text}'"));
            0
        })
    }

    fn float(&mut self) -> f64 {
        let Some(text) = self.argument() else { return 0.0 };
        match text.trim().parse() {
            Ok(value) => value,
            Err(_) => match number::parse_integer(&text) {
                Some(value) => value as f64,
                None => {
                    self.complain(&format!("invalid number '{text}'"));
                    0.0
                }
            },
        }
    }

    /// Prints the format once; `false` if it ends the output.
    fn once(&mut self, format: &str) -> bool {
        let mut rest = format;
        while let Some(at) = rest.find(['\\', '%']) {
            let (plain, special) = rest.split_at(at);
            self.shell.print(plain);
            let after = special.get(1..).unwrap_or("");
            if special.starts_with('\\') {
                match escape(after, false, &mut self.shell.out) {
                    Some(tail) => rest = tail,
                    None => return false,
                }
            } else if let Some(tail) = after.strip_prefix('%') {
                self.shell.out.push(b'%');
                rest = tail;
            } else {
                match self.conversion(after) {
                    Some(tail) => rest = tail,
                    None => return false,
                }
            }
        }
        self.shell.print(rest);
        true
    }

    /// A conversion from after its `%`; what follows it, or `None` to stop.
    fn conversion<'f>(&mut self, format: &'f str) -> Option<&'f str> {
        let mut c = Conversion::default();
        let flags = format.chars().take_while(|f| "-+ 0#".contains(*f)).count();
        let (flag_text, mut rest) = format.split_at(flags);
        for flag in flag_text.chars() {
            match flag {
                '-' => c.minus = true,
                '+' => c.plus = true,
                ' ' => c.space = true,
                '0' => c.zero = true,
                _ => c.alternate = true,
            }
        }
        let (width, tail) = self.size(rest);
        rest = tail;
        if let Some(width) = width {
            c.minus |= width < 0;
            c.width = usize::try_from(width.unsigned_abs()).unwrap_or(0).min(MAX_WIDTH);
        }
        if let Some(tail) = rest.strip_prefix('.') {
            let (precision, tail) = self.size(tail);
            rest = tail;
            c.precision = usize::try_from(precision.unwrap_or(0)).ok().map(|p| p.min(MAX_WIDTH));
        }
        rest = rest.trim_start_matches(['l', 'h', 'L', 'q', 'j', 'z', 't']);
        let Some(kind) = rest.chars().next().filter(|k| "sbcdiuoxXeEfFgG".contains(*k)) else {
            let kind: String = rest.chars().take(1).collect();
            self.complain(&format!("%{kind}: invalid format"));
            return None;
        };
        let go_on = self.convert(&c, kind);
        rest.get(1..).filter(|_| go_on)
    }

    /// A width or a precision: digits, or `*` for an argument.
    fn size<'f>(&mut self, text: &'f str) -> (Option<i64>, &'f str) {
        if let Some(tail) = text.strip_prefix('*') {
            return (Some(i64::try_from(self.integer()).unwrap_or(0)), tail);
        }
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = text.split_at(digits);
        (number.parse().ok(), tail)
    }

    fn convert(&mut self, c: &Conversion, kind: char) -> bool {
        match kind {
            's' => {
                let text = self.argument().unwrap_or_default();
                self.pad(c, &cut(&text, c.precision), 0, false);
            }
            'b' => {
                let text = self.argument().unwrap_or_default();
                let mut bytes = Vec::new();
                let go_on = unescape(&text, true, &mut bytes);
                self.pad(c, &cut(&text::from_bytes(&bytes), c.precision), 0, false);
                return go_on;
            }
            'c' => {
                let first: String = self.argument().unwrap_or_default().chars().take(1).collect();
                // C prints the terminating NUL of an empty argument.
                let first = if first.is_empty() { "\0".to_owned() } else { first };
                self.pad(c, &first, 0, false);
            }
            'd' | 'i' => {
                let value = self.integer();
                let value = i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX });
                let sign = sign(c, value < 0);
                let digits = precise(value.unsigned_abs().to_string(), c.precision);
                self.pad(c, &format!("{sign}{digits}"), sign.len(), c.precision.is_none());
            }
            'u' | 'o' | 'x' | 'X' => {
                let value = self.integer() as u64;
                let (prefix, digits) = match kind {
                    'u' => ("", value.to_string()),
                    'o' => (if c.alternate { "0" } else { "" }, format!("{value:o}")),
                    'x' => (if c.alternate && value != 0 { "0x" } else { "" }, format!("{value:x}")),
                    _ => (if c.alternate && value != 0 { "0X" } else { "" }, format!("{value:X}")),
                };
                let digits = precise(digits, c.precision);
                self.pad(c, &format!("{prefix}{digits}"), prefix.len(), c.precision.is_none());
            }
            _ => {
                let value = self.float();
                let sign = sign(c, value.is_sign_negative());
                let size = value.abs();
                let precision = c.precision.unwrap_or(6).min(100);
                let digits = match kind {
                    _ if !size.is_finite() => if size.is_nan() { "nan" } else { "inf" }.to_owned(),
                    'e' | 'E' => number::exponent(size, precision, kind == 'E'),
                    'g' | 'G' => number::general(size, precision, kind == 'G'),
                    _ => format!("{size:.precision$}"),
                };
                self.pad(c, &format!("{sign}{digits}"), sign.len(), true);
            }
        }
        true
    }

    /// Prints a text padded to its width; zeros go after the first `prefix` bytes.
    fn pad(&mut self, c: &Conversion, text: &str, prefix: usize, zeros: bool) {
        let fill = c.width.saturating_sub(text.chars().count());
        if c.minus {
            self.shell.print(text);
            self.shell.out.extend(std::iter::repeat_n(b' ', fill));
        } else if c.zero && zeros {
            let (head, tail) = text.split_at(prefix);
            self.shell.print(head);
            self.shell.out.extend(std::iter::repeat_n(b'0', fill));
            self.shell.print(tail);
        } else {
            self.shell.out.extend(std::iter::repeat_n(b' ', fill));
            self.shell.print(text);
        }
    }
}

fn sign(c: &Conversion, negative: bool) -> &'static str {
    match (negative, c.plus, c.space) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    }
}

/// At least that many digits.
fn precise(digits: String, precision: Option<usize>) -> String {
    let missing = precision.unwrap_or(1).saturating_sub(digits.len());
    "0".repeat(missing) + &digits
}

/// A text's precision is how much of it is printed.
fn cut(text: &str, precision: Option<usize>) -> String {
    text.chars().take(precision.unwrap_or(usize::MAX)).collect()
}

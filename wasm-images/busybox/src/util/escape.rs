//! Backslash escapes, as echo, printf, tr and xargs know them.

/// How octal numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Octal {
    /// `\0nnn` (echo, `%b`).
    WithZero,
    /// `\nnn` (printf's format, tr).
    Plain,
}

/// Expands the escapes of a text; `true` where `\c` says that output ends here.
#[must_use]
pub fn expand(text: &str, octal: Octal) -> (Vec<u8>, bool) {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&b) = bytes.get(at) {
        if b != b'\\' {
            out.push(b);
            at += 1;
            continue;
        }
        match one(bytes.get(at + 1..).unwrap_or_default(), octal) {
            Escape::Byte(byte, used) => {
                out.push(byte);
                at += 1 + used;
            }
            Escape::Stop => return (out, true),
            Escape::None => {
                out.push(b'\\');
                at += 1;
            }
        }
    }
    (out, false)
}

/// What an escape means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// This byte, after so many bytes behind the backslash.
    Byte(u8, usize),
    /// No more output.
    Stop,
    /// Not an escape: the backslash stands for itself.
    None,
}

/// Reads one escape from behind its backslash.
#[must_use]
pub fn one(rest: &[u8], octal: Octal) -> Escape {
    let digits = |from: usize, most: usize, radix: u32| {
        let digits = rest.get(from..).unwrap_or_default().iter().take(most);
        let values = digits.map_while(|b| char::from(*b).to_digit(radix));
        values.fold((0u32, 0usize), |(value, count), digit| {
            (value * radix + digit, count + 1)
        })
    };
    let simple = |byte| Escape::Byte(byte, 1);
    match rest.first() {
        Some(b'a') => simple(7),
        Some(b'b') => simple(8),
        Some(b'e') => simple(27),
        Some(b'f') => simple(12),
        Some(b'n') => simple(10),
        Some(b'r') => simple(13),
        Some(b't') => simple(9),
        Some(b'v') => simple(11),
        Some(b'\\') => simple(b'\\'),
        Some(b'c') => Escape::Stop,
        Some(b'x') => match digits(1, 2, 16) {
            (_, 0) => Escape::None,
            (value, count) => Escape::Byte(u8::try_from(value).unwrap_or(0), 1 + count),
        },
        Some(b'0') if octal == Octal::WithZero => {
            let (value, count) = digits(1, 3, 8);
            Escape::Byte(u8::try_from(value & 0xff).unwrap_or(0), 1 + count)
        }
        Some(b'0'..=b'7') => {
            let (value, count) = digits(0, 3, 8);
            Escape::Byte(u8::try_from(value & 0xff).unwrap_or(0), count)
        }
        _ => Escape::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_bytes() {
        for (text, octal, want, stops) in [
            ("a\\tb\\n", Octal::WithZero, "a\tb\n", false),
            ("\\x41\\0102\\q\\", Octal::WithZero, "AB\\q\\", false),
            ("\\101x", Octal::Plain, "Ax", false),
            ("x\\cy", Octal::Plain, "x", true),
            ("\\xg", Octal::Plain, "\\xg", false),
        ] {
            assert_eq!(expand(text, octal), (want.as_bytes().to_vec(), stops), "{text}");
        }
    }
}

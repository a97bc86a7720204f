//! Bytes as text: what a shell must carry through without loss.
//!
//! Shell values are byte strings, our system calls take UTF-8. A byte that is not part of valid UTF-8 is kept as one
//! character of the last private-use block (U+10FF80 to U+10FFFF) and becomes that byte again on output.

use std::borrow::Cow;

const ESCAPE: u32 = 0x10_ff00;

/// Bytes from outside as text.
pub(crate) fn from_bytes(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|b| raw_byte(*b)));
    }
    out
}

/// Text as the bytes it stands for.
pub(crate) fn to_bytes(text: &str) -> Cow<'_, [u8]> {
    // Every escape begins with these two bytes; almost no other text has them.
    if !text.as_bytes().windows(2).any(|w| w == [0xf4, 0x8f]) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut buf = [0; 4];
    for c in text.chars() {
        match u8::try_from(u32::from(c).wrapping_sub(ESCAPE)) {
            Ok(byte) if byte >= 0x80 => out.push(byte),
            _ => out.extend_from_slice(c.encode_utf8(&mut buf).as_bytes()),
        }
    }
    Cow::Owned(out)
}

/// The character that stands for a byte on its own.
pub(crate) fn raw_byte(byte: u8) -> char {
    if byte < 0x80 {
        return char::from(byte);
    }
    char::from_u32(ESCAPE + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Whether it can be the name of a variable.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Quoted so that the shell reads it back (`set`, `trap`, `export -p`): always in single quotes, as ash does it.
pub(crate) fn single_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    let mut rest = text;
    loop {
        let plain = rest.find('\'').unwrap_or(rest.len());
        let (head, tail) = rest.split_at(plain);
        out.push_str(&format!("'{head}'"));
        let quotes = tail.len() - tail.trim_start_matches('\'').len();
        if quotes > 0 {
            out.push_str(&format!("\"{}\"", "'".repeat(quotes)));
        }
        rest = tail.get(quotes..).unwrap_or("");
        if rest.is_empty() {
            return out;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_utf8_survive_the_round_trip() {
        for bytes in [&b"plain"[..], b"\xff\xfe", b"a\xc3\xa9b\x80", b""] {
            assert_eq!(&*to_bytes(&from_bytes(bytes)), bytes);
        }
        assert_eq!(from_bytes("é".as_bytes()), "é");
    }

    #[test]
    fn quoting_is_ashs() {
        for (text, want) in [
            ("a b", "'a b'"),
            ("", "''"),
            ("it's", "'it'\"'\"'s'"),
            ("''q'", "''\"''\"'q'\"'\""),
        ] {
            assert_eq!(single_quoted(text), want);
        }
    }

    #[test]
    fn names_are_letters_digits_and_underscores() {
        for (text, want) in [("a", true), ("_1", true), ("1a", false), ("", false), ("a-b", false)] {
            assert_eq!(is_name(text), want, "{text}");
        }
    }
}

//! `tr`.

use crate::complain;
use crate::util::escape::{self, Escape, Octal};
use crate::util::files::Input;
use crate::util::glob::in_class;
use crate::util::{Out, parse, show_usage};

/// `tr [-cds] STRING1 [STRING2]`: bytes, as in BusyBox.
pub fn main(args: &[String]) -> i32 {
    let opts = match parse(args, "+cCdst", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let (Some(first), second) = (opts.args.first(), opts.args.get(1)) else {
        return show_usage("tr");
    };
    let mut from = expand(first);
    if opts.has('c') || opts.has('C') {
        from = (0..=255).filter(|byte| !from.contains(byte)).collect();
    }
    let to = second.map(|text| expand(text)).unwrap_or_default();
    if to.is_empty() && second.is_some() && !opts.has('d') {
        complain!("tr", "STRING2 cannot be empty");
        return 1;
    }
    let mut map: Vec<u8> = (0..=255).collect();
    let (mut deleted, mut squeezed) = ([false; 256], [false; 256]);
    if opts.has('d') {
        from.iter().for_each(|byte| deleted[usize::from(*byte)] = true);
    } else if let Some(last) = to.last() {
        for (index, byte) in from.iter().enumerate() {
            // A short second string is filled up with its last character.
            if let Some(slot) = map.get_mut(usize::from(*byte)) {
                *slot = *to.get(index).unwrap_or(last);
            }
        }
    }
    if opts.has('s') {
        let set = if to.is_empty() { &from } else { &to };
        set.iter().for_each(|byte| squeezed[usize::from(*byte)] = true);
    }
    let mut input = Input::stdin();
    let mut out = Out::stdout();
    let mut buffer = [0; 8192];
    let mut last: Option<u8> = None;
    loop {
        let count = match input.read(&mut buffer) {
            Ok(0) => return out.finish("tr", 0),
            Ok(count) => count,
            Err(error) => {
                complain!("tr", "read error: {error}");
                return 1;
            }
        };
        let mut result = Vec::with_capacity(count);
        for byte in buffer.get(..count).unwrap_or_default() {
            if deleted[usize::from(*byte)] {
                continue;
            }
            let mapped = map.get(usize::from(*byte)).copied().unwrap_or(*byte);
            if !(squeezed[usize::from(mapped)] && last == Some(mapped)) {
                result.push(mapped);
            }
            last = Some(mapped);
        }
        out.bytes(&result);
        out.flush();
        if out.failed() {
            return out.finish("tr", 1);
        }
    }
}

/// Ranges, classes, `[x*]` apart, and escapes.
fn expand(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut set = Vec::new();
    let mut at = 0;
    let one = |at: usize| -> Option<(u8, usize)> {
        match bytes.get(at)? {
            b'\\' => match escape::one(bytes.get(at + 1..).unwrap_or_default(), Octal::Plain) {
                Escape::Byte(byte, used) => Some((byte, at + 1 + used)),
                _ => Some((*bytes.get(at + 1).unwrap_or(&b'\\'), (at + 2).min(bytes.len()))),
            },
            byte => Some((*byte, at + 1)),
        }
    };
    while let Some((low, next)) = one(at) {
        if low == b'[' && bytes.get(at) == Some(&b'[') {
            let rest = text.get(at..).unwrap_or("");
            if let Some(class) = rest.strip_prefix("[:").and_then(|inner| inner.split_once(":]")) {
                set.extend((0..=127u8).filter(|byte| in_class(class.0, char::from(*byte))));
                at += class.0.len() + 4;
                continue;
            }
            if let Some(single) = rest.strip_prefix("[=").and_then(|inner| inner.split_once("=]")) {
                set.extend(single.0.bytes().take(1));
                at += single.0.len() + 4;
                continue;
            }
        }
        match (bytes.get(next), one(next + 1)) {
            (Some(b'-'), Some((high, after))) if high >= low => {
                set.extend(low..=high);
                at = after;
            }
            _ => {
                set.push(low);
                at = next;
            }
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn sets_are_expanded() {
        for (text, want) in [
            ("a-e", "abcde"),
            ("[:digit:]x", "0123456789x"),
            ("\\n-", "\n-"),
            ("a\\101", "aA"),
            ("[a]", "[a]"),
        ] {
            assert_eq!(expand(text), want.as_bytes(), "{text}");
        }
    }
}

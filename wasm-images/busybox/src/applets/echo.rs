//! `echo`.

use crate::util::Out;
use crate::util::escape;

/// `echo [-neE] [ARG]...`: options are only what consists of these letters and nothing else.
pub fn main(args: &[String]) -> i32 {
    let (mut newline, mut escapes) = (true, false);
    let mut rest = args.get(1..).unwrap_or_default();
    while let [first, tail @ ..] = rest {
        match first.strip_prefix('-') {
            Some(letters) if !letters.is_empty() && letters.bytes().all(|b| b"neE".contains(&b)) => {
                for letter in letters.bytes() {
                    match letter {
                        b'n' => newline = false,
                        b'e' => escapes = true,
                        // `-E` is the default, and does not take an `-e` back.
                        _ => {}
                    }
                }
                rest = tail;
            }
            _ => break,
        }
    }
    let mut out = Out::stdout();
    for (index, arg) in rest.iter().enumerate() {
        if index > 0 {
            out.bytes(b" ");
        }
        if escapes {
            let (bytes, stop) = escape::expand(arg, escape::Octal::WithZero);
            out.bytes(&bytes);
            if stop {
                return out.finish("echo", 0);
            }
        } else {
            out.text(arg);
        }
    }
    if newline {
        out.bytes(b"\n");
    }
    out.finish("echo", 0)
}

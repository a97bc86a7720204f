//! `wc`.

use crate::util::{Out, open_input, parse};
use crate::{complain, out};

#[derive(Clone, Copy, Default)]
struct Counts {
    lines: u64,
    words: u64,
    bytes: u64,
    chars: u64,
    longest: u64,
}

/// `wc [-clwmL] [FILE]...`
pub fn main(args: &[String]) -> i32 {
    let opts = match parse(
        args,
        "clwmL",
        &[("lines", 'l'), ("words", 'w'), ("bytes", 'c'), ("chars", 'm')],
    ) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let plain = opts.iter().next().is_none();
    let wanted: Vec<char> = "lwcmL"
        .chars()
        .filter(|option| {
            if plain {
                "lwc".contains(*option)
            } else {
                opts.has(*option)
            }
        })
        .collect();
    let names = if opts.args.is_empty() {
        vec!["-".to_owned()]
    } else {
        opts.args.clone()
    };
    let mut out = Out::stdout();
    let (mut total, mut code) = (Counts::default(), 0);
    let width = if wanted.len() == 1 && names.len() == 1 { 0 } else { 9 };
    let mut show = |counts: &Counts, name: &str| {
        for (index, option) in wanted.iter().enumerate() {
            let number = match option {
                'l' => counts.lines,
                'w' => counts.words,
                'c' => counts.bytes,
                'm' => counts.chars,
                _ => counts.longest,
            };
            out!(out, "{}{number:width$}", if index > 0 { " " } else { "" });
        }
        out!(out, "{}{name}\n", if name.is_empty() { "" } else { " " });
    };
    for name in &names {
        match open_input(name).and_then(|mut input| count(&mut input)) {
            Ok(counts) => {
                total.lines += counts.lines;
                total.words += counts.words;
                total.bytes += counts.bytes;
                total.chars += counts.chars;
                total.longest = total.longest.max(counts.longest);
                show(&counts, if opts.args.is_empty() { "" } else { name });
            }
            Err(error) => {
                complain!("wc", "{name}: {error}");
                code = 1;
            }
        }
    }
    if names.len() > 1 {
        show(&total, "total");
    }
    out.finish("wc", code)
}

fn count(input: &mut crate::util::Input) -> Result<Counts, podsim_sys::Errno> {
    let mut counts = Counts::default();
    let mut buffer = [0; 16384];
    let (mut in_word, mut column) = (false, 0);
    loop {
        let got = input.read(&mut buffer)?;
        if got == 0 {
            counts.longest = counts.longest.max(column);
            return Ok(counts);
        }
        for byte in buffer.get(..got).unwrap_or_default() {
            counts.bytes += 1;
            // The bytes that continue a character of UTF-8 are not counted.
            counts.chars += u64::from(byte & 0xc0 != 0x80);
            match byte {
                b'\n' => {
                    counts.lines += 1;
                    counts.longest = counts.longest.max(column);
                    column = 0;
                }
                b'\t' => column = (column / 8 + 1) * 8,
                b if b.is_ascii_graphic() || *b == b' ' => column += 1,
                b => column += u64::from(*b >= 0x80 && b & 0xc0 != 0x80),
            }
            let space = byte.is_ascii_whitespace() || *byte == 0x0b;
            if !space && !in_word && (byte.is_ascii_graphic() || *byte >= 0x80) {
                in_word = true;
                counts.words += 1;
            } else if space {
                in_word = false;
            }
        }
    }
}

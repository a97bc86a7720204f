//! `cat`.

use crate::complain;
use crate::util::files::Input;
use crate::util::{Out, open_input, parse};
use podsim_sys::Errno;

struct Show {
    number: bool,
    number_nonempty: bool,
    nonprinting: bool,
    tabs: bool,
    ends: bool,
}

/// `cat [-nbvteA] [FILE]...`
pub fn main(args: &[String]) -> i32 {
    let opts = match parse(args, "nbvteAu", &[("number", 'n'), ("show-all", 'A')]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let show = Show {
        number: opts.has('n'),
        number_nonempty: opts.has('b'),
        nonprinting: opts.last_of("vteA").is_some(),
        tabs: opts.has('t') || opts.has('A'),
        ends: opts.has('e') || opts.has('A'),
    };
    let plain = !(show.number || show.number_nonempty || show.nonprinting);
    let stdin = ["-".to_owned()];
    let names = if opts.args.is_empty() {
        &stdin[..]
    } else {
        &opts.args[..]
    };
    let mut out = Out::stdout();
    let mut code = 0;
    let mut line_number = 0;
    for name in names {
        let mut input = match open_input(name) {
            Ok(input) => input,
            Err(error) => {
                out.flush();
                complain!("cat", "can't open '{name}': {error}");
                code = 1;
                continue;
            }
        };
        let result = if plain {
            copy(&mut input, &mut out)
        } else {
            decorate(&mut input, &mut out, &show, &mut line_number)
        };
        if let Err(error) = result {
            out.flush();
            complain!("cat", "read error: {error}");
            code = 1;
        }
        if out.failed() {
            break;
        }
    }
    out.finish("cat", code)
}

fn copy(input: &mut Input, out: &mut Out) -> Result<(), Errno> {
    let mut buffer = [0; 16384];
    loop {
        let count = input.read(&mut buffer)?;
        if count == 0 || out.failed() {
            return Ok(());
        }
        out.bytes(buffer.get(..count).unwrap_or_default());
        // What has been read is seen at once, also through a pipe.
        out.flush();
    }
}

fn decorate(input: &mut Input, out: &mut Out, show: &Show, number: &mut u64) -> Result<(), Errno> {
    while let Some(line) = input.read_line()? {
        let (content, end) = match line.strip_suffix(b"\n") {
            Some(content) => (content, true),
            None => (&line[..], false),
        };
        if (show.number && !show.number_nonempty) || (show.number_nonempty && !content.is_empty()) {
            *number += 1;
            crate::out!(out, "{number:6}\t");
        }
        if show.nonprinting {
            content.iter().for_each(|b| visible(*b, show.tabs, out));
        } else {
            out.bytes(content);
        }
        // A number makes a line of what has no line feed.
        if end || show.number || show.number_nonempty {
            out.text(if show.ends { "$\n" } else { "\n" });
        }
    }
    Ok(())
}

fn visible(byte: u8, tabs: bool, out: &mut Out) {
    let low = byte & 0x7f;
    if byte >= 0x80 {
        out.text("M-");
    }
    match low {
        b'\t' if byte == b'\t' && !tabs => out.bytes(b"\t"),
        0..=31 => out.bytes(&[b'^', low + 64]),
        127 => out.text("^?"),
        printable => out.bytes(&[printable]),
    }
}

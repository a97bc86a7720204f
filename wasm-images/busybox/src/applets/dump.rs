//! `od`, `hexdump`, `xxd` and `base64`: bytes as text.

use crate::util::{Opts, Out, open_input, parse};
use crate::{complain, out};

fn read_inputs(applet: &str, opts: &Opts) -> Result<Vec<u8>, i32> {
    let names = if opts.args.is_empty() {
        vec!["-".to_owned()]
    } else {
        opts.args.clone()
    };
    let mut all = Vec::new();
    for name in &names {
        match open_input(name).and_then(|mut input| input.read_to_end()) {
            Ok(bytes) => all.extend(bytes),
            Err(error) => {
                complain!(applet, "{name}: {error}");
                return Err(1);
            }
        }
    }
    let number = |option| {
        opts.value(option)
            .and_then(crate::util::human::parse_size)
            .and_then(|n| usize::try_from(n).ok())
    };
    if let Some(skip) = number(if applet == "od" { 'j' } else { 's' }) {
        all.drain(..skip.min(all.len()));
    }
    if let Some(most) = number(match applet {
        "od" => 'N',
        "xxd" => 'l',
        _ => 'n',
    }) {
        all.truncate(most);
    }
    Ok(all)
}

/// Little-endian words of a line; the last is filled up with zeros.
fn words(line: &[u8], width: usize) -> impl Iterator<Item = u64> {
    line.chunks(width)
        .map(|chunk| chunk.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// `od [-abcdeFfhiloxsv] [-t TYPE] [-A RADIX] [-j SKIP] [-N COUNT] [FILE]...`
pub fn od(args: &[String]) -> i32 {
    let opts = match parse(args, "bcdxohsvt:A:j:N:w:", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let kind = match opts.value('t').or(match opts.last_of("bcdxohs") {
        Some('b') => Some("o1"),
        Some('c') => Some("c"),
        Some('d') => Some("u2"),
        Some('x' | 'h') => Some("x2"),
        Some('s') => Some("d2"),
        _ => Some("o2"),
    }) {
        Some(kind) => kind.trim_end_matches('z').to_owned(),
        None => "o2".to_owned(),
    };
    let radix = opts.value('A').unwrap_or("o").to_owned();
    let (letter, width) = kind.split_at(1.min(kind.len()));
    let width: usize = match (letter, width.parse()) {
        ("c" | "a", _) => 1,
        (_, Ok(width @ (1 | 2 | 4 | 8))) => width,
        (_, Err(_)) if width.is_empty() => 4,
        _ => {
            complain!("od", "invalid type string '{kind}'");
            return 1;
        }
    };
    let all = match read_inputs("od", &opts) {
        Ok(all) => all,
        Err(code) => return code,
    };
    let mut out = Out::stdout();
    let offset = |at: usize| match radix.as_str() {
        "n" => String::new(),
        "d" => format!("{at:07}"),
        "x" => format!("{at:06x}"),
        _ => format!("{at:07o}"),
    };
    for (index, line) in all.chunks(16).enumerate() {
        out.text(&offset(index * 16));
        for value in words(line, width) {
            let signed = |bits: usize| (value << (64 - bits)) as i64 >> (64 - bits);
            out.text(&match letter {
                "c" | "a" => format!(" {:>3}", character(value)),
                "x" => format!(" {value:0w$x}", w = width * 2),
                "u" => format!(" {value:w$}", w = [3, 5, 10, 20][width.ilog2() as usize]),
                "d" => format!(" {:w$}", signed(width * 8), w = [4, 6, 11, 20][width.ilog2() as usize]),
                _ => format!(" {value:0w$o}", w = [3, 6, 11, 22][width.ilog2() as usize]),
            });
        }
        out.text("\n");
    }
    if radix != "n" {
        out.line(&offset(all.len()));
    }
    out.finish("od", 0)
}

fn character(value: u64) -> String {
    match u8::try_from(value).unwrap_or(0) {
        0 => "\\0".to_owned(),
        7 => "\\a".to_owned(),
        8 => "\\b".to_owned(),
        9 => "\\t".to_owned(),
        10 => "\\n".to_owned(),
        11 => "\\v".to_owned(),
        12 => "\\f".to_owned(),
        13 => "\\r".to_owned(),
        byte if byte.is_ascii_graphic() || byte == b' ' => char::from(byte).to_string(),
        byte => format!("{byte:03o}"),
    }
}

fn printable(line: &[u8]) -> String {
    line.iter()
        .map(|byte| {
            if byte.is_ascii_graphic() || *byte == b' ' {
                char::from(*byte)
            } else {
                '.'
            }
        })
        .collect()
}

/// `hexdump [-bcdoxCv] [-n LEN] [-s OFS] [FILE]...`
pub fn hexdump(args: &[String]) -> i32 {
    let opts = match parse(args, "bcdoxCvn:s:", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let all = match read_inputs("hexdump", &opts) {
        Ok(all) => all,
        Err(code) => return code,
    };
    let canonical = opts.has('C') || crate::util::base_name(args.first().map_or("", String::as_str)) == "hd";
    let mut out = Out::stdout();
    let mut before: Option<&[u8]> = None;
    let mut starred = false;
    for (index, line) in all.chunks(16).enumerate() {
        // Repeated lines are one star.
        if before == Some(line) && line.len() == 16 && !opts.has('v') {
            if !std::mem::replace(&mut starred, true) {
                out.text("*\n");
            }
            continue;
        }
        (before, starred) = (Some(line), false);
        let at = index * 16;
        if canonical {
            let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x} ")).collect();
            let (left, right) = hex.split_at(8.min(hex.len()));
            out!(
                out,
                "{at:08x}  {:<24} {:<25}|{}|\n",
                left.concat(),
                right.concat(),
                printable(line)
            );
            continue;
        }
        out!(out, "{at:07x}");
        match opts.last_of("bcdox") {
            Some('b') => line.iter().for_each(|byte| out!(out, " {byte:03o}")),
            Some('c') => line
                .iter()
                .for_each(|byte| out!(out, " {:>3}", character(u64::from(*byte)))),
            Some('d') => words(line, 2).for_each(|word| out!(out, "   {word:05}")),
            Some('o') => words(line, 2).for_each(|word| out!(out, "  {word:06o}")),
            Some(_) => words(line, 2).for_each(|word| out!(out, "    {word:04x}")),
            None => words(line, 2).for_each(|word| out!(out, " {word:04x}")),
        }
        out.text("\n");
    }
    if canonical {
        out!(out, "{:08x}\n", all.len());
    } else {
        out!(out, "{:07x}\n", all.len());
    }
    out.finish("hexdump", 0)
}

/// `xxd [-p] [-l LEN] [-s OFS] [FILE]`
pub fn xxd(args: &[String]) -> i32 {
    let opts = match parse(args, "pl:s:c:g:", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let all = match read_inputs("xxd", &opts) {
        Ok(all) => all,
        Err(code) => return code,
    };
    let mut out = Out::stdout();
    let width = if opts.has('p') { 30 } else { 16 };
    for (index, line) in all.chunks(width).enumerate() {
        if opts.has('p') {
            line.iter().for_each(|byte| out!(out, "{byte:02x}"));
        } else {
            let pairs: Vec<String> = line
                .chunks(2)
                .map(|pair| pair.iter().map(|byte| format!("{byte:02x}")).collect())
                .collect();
            out!(out, "{:08x}: {:<40} {}", index * 16, pairs.join(" "), printable(line));
        }
        out.text("\n");
    }
    out.finish("xxd", 0)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `base64 [-d] [-w COL] [FILE]`
pub fn base64(args: &[String]) -> i32 {
    let opts = match parse(args, "dw:", &[("decode", 'd'), ("wrap", 'w')]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let Ok(width) = opts.value('w').unwrap_or("76").parse::<usize>() else {
        complain!("base64", "invalid number '{}'", opts.value('w').unwrap_or(""));
        return 1;
    };
    let name = opts.args.first().map_or("-", String::as_str);
    let all = match open_input(name).and_then(|mut input| input.read_to_end()) {
        Ok(all) => all,
        Err(error) => {
            complain!("base64", "{name}: {error}");
            return 1;
        }
    };
    let mut out = Out::stdout();
    if opts.has('d') {
        return match decode(&all) {
            Some(bytes) => {
                out.bytes(&bytes);
                out.finish("base64", 0)
            }
            None => {
                complain!("base64", "truncated input");
                1
            }
        };
    }
    let text = encode(&all);
    if width == 0 {
        out.text(&text);
    } else {
        for line in text.as_bytes().chunks(width) {
            out.bytes(line);
            out.text("\n");
        }
    }
    out.finish("base64", 0)
}

fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let value = chunk.iter().fold(0u32, |value, byte| value << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let index = value >> (18 - 6 * place) & 63;
            let letter = ALPHABET.get(index as usize).copied().unwrap_or(b'A');
            text.push(if place > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut value, mut bits) = (0u32, 0);
    for letter in text.iter().filter(|b| !b.is_ascii_whitespace()) {
        if *letter == b'=' {
            break;
        }
        let index = ALPHABET.iter().position(|a| a == letter)?;
        value = value << 6 | u32::try_from(index).unwrap_or(0);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((value >> bits & 0xff) as u8);
        }
    }
    (bits < 6).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_goes_both_ways() {
        for (plain, coded) in [
            ("", ""),
            ("a", "YQ=="),
            ("ab", "YWI="),
            ("abc", "YWJj"),
            ("abcd", "YWJjZA=="),
        ] {
            assert_eq!(encode(plain.as_bytes()), coded);
            assert_eq!(decode(coded.as_bytes()).as_deref(), Some(plain.as_bytes()));
        }
        assert_eq!(decode(b"Y"), None);
        assert_eq!(decode(b"Y*"), None);
    }
}

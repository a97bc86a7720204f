//! `cut`.

use crate::complain;
use crate::util::{Out, open_input, parse, show_usage};

/// `cut [-b LIST | -c LIST | -f LIST] [-d SEP] [-O SEP] [-s] [FILE]...`
pub fn main(args: &[String]) -> i32 {
    let opts = match parse(args, "b:c:f:d:O:snD", &[("output-delimiter", 'O'), ("complement", '!')]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let Some(kind) = opts.last_of("bcf") else {
        complain!("cut", "expected a list of bytes, characters, or fields");
        return show_usage("cut");
    };
    let list = opts.value(kind).unwrap_or("");
    let ranges = match parse_list(list) {
        Ok(ranges) => ranges,
        Err(message) => {
            complain!("cut", "{message}");
            return 1;
        }
    };
    let separator = opts.value('d').unwrap_or("\t");
    let mut letters = separator.chars();
    let (Some(delimiter), None) = (letters.next(), letters.next()) else {
        complain!("cut", "bad delimiter");
        return 1;
    };
    let join = opts.value('O').unwrap_or(separator).as_bytes().to_vec();
    let wanted = |number: usize| ranges.iter().any(|(low, high)| (*low..=*high).contains(&number));
    let names = if opts.args.is_empty() {
        vec!["-".to_owned()]
    } else {
        opts.args.clone()
    };
    let mut out = Out::stdout();
    let mut code = 0;
    let mut delimiter_bytes = [0; 4];
    let delimiter_bytes = delimiter.encode_utf8(&mut delimiter_bytes).as_bytes();
    for name in &names {
        let mut input = match open_input(name) {
            Ok(input) => input,
            Err(error) => {
                complain!("cut", "{name}: {error}");
                code = 1;
                continue;
            }
        };
        while let Ok(Some(mut line)) = input.read_line() {
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            match kind {
                'f' => {
                    let fields = split(&line, delimiter_bytes);
                    if fields.len() == 1 {
                        if !opts.has('s') {
                            out.bytes(&line);
                            out.bytes(b"\n");
                        }
                        continue;
                    }
                    let chosen: Vec<&[u8]> = fields
                        .iter()
                        .enumerate()
                        .filter(|(at, _)| wanted(at + 1))
                        .map(|(_, field)| *field)
                        .collect();
                    out.bytes(&chosen.join(&join[..]));
                }
                'b' => {
                    let chosen: Vec<u8> = line
                        .iter()
                        .enumerate()
                        .filter(|(at, _)| wanted(at + 1))
                        .map(|(_, b)| *b)
                        .collect();
                    out.bytes(&chosen);
                }
                _ => {
                    let text = String::from_utf8_lossy(&line);
                    let chosen: String = text
                        .chars()
                        .enumerate()
                        .filter(|(at, _)| wanted(at + 1))
                        .map(|(_, c)| c)
                        .collect();
                    out.text(&chosen);
                }
            }
            out.bytes(b"\n");
        }
    }
    out.finish("cut", code)
}

fn split<'a>(line: &'a [u8], delimiter: &[u8]) -> Vec<&'a [u8]> {
    let mut fields = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at + delimiter.len() <= line.len() {
        if line.get(at..at + delimiter.len()) == Some(delimiter) {
            fields.push(line.get(start..at).unwrap_or_default());
            at += delimiter.len();
            start = at;
        } else {
            at += 1;
        }
    }
    fields.push(line.get(start..).unwrap_or_default());
    fields
}

/// `1,3-5,7-`
fn parse_list(list: &str) -> Result<Vec<(usize, usize)>, String> {
    list.split(',')
        .map(|part| {
            let bad = || format!("invalid range {part}");
            let number = |text: &str, empty: usize| {
                if text.is_empty() {
                    Ok(empty)
                } else {
                    text.parse().map_err(|_| bad())
                }
            };
            let (low, high) = match part.split_once('-') {
                Some(("", "")) => return Err(bad()),
                Some((low, high)) => (number(low, 1)?, number(high, usize::MAX)?),
                None => (number(part, 0)?, number(part, 0)?),
            };
            if low == 0 || high < low {
                Err(bad())
            } else {
                Ok((low, high))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::parse_list;

    #[test]
    fn lists_of_ranges_are_read() {
        assert_eq!(parse_list("1,3-5,7-"), Ok(vec![(1, 1), (3, 5), (7, usize::MAX)]));
        assert_eq!(parse_list("-2"), Ok(vec![(1, 2)]));
        for bad in ["", "0", "3-1", "-", "a", "1,,2"] {
            assert!(parse_list(bad).is_err(), "{bad}");
        }
    }
}

//! `uniq`.

use crate::complain;
use crate::util::files::{create, write_all};
use crate::util::{Out, open_input, parse, show_usage};
use podsim_guest as sys;
use podsim_sys::Mode;

/// `uniq [-cduiz] [-f,s,w N] [FILE [OUTFILE]]`
pub fn main(args: &[String]) -> i32 {
    let longs = [("count", 'c'), ("repeated", 'd'), ("unique", 'u'), ("ignore-case", 'i')];
    let opts = match parse(args, "cduizf:s:w:", &longs) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    if opts.args.len() > 2 {
        return show_usage("uniq");
    }
    let number = |option| {
        opts.value(option)
            .map_or(Some(None), |v| v.parse::<usize>().ok().map(Some))
    };
    let (Some(fields), Some(chars), Some(width)) = (number('f'), number('s'), number('w')) else {
        complain!("uniq", "invalid number");
        return 1;
    };
    let end = if opts.has('z') { 0 } else { b'\n' };
    let key = |line: &[u8]| -> Vec<u8> {
        let mut rest = line;
        for _ in 0..fields.unwrap_or(0) {
            let blanks = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
            let word = rest
                .iter()
                .skip(blanks)
                .take_while(|b| !b.is_ascii_whitespace())
                .count();
            rest = rest.get(blanks + word..).unwrap_or_default();
        }
        let rest = rest.get(chars.unwrap_or(0)..).unwrap_or_default();
        let rest = rest
            .get(..width.unwrap_or(usize::MAX).min(rest.len()))
            .unwrap_or_default();
        if opts.has('i') {
            rest.to_ascii_lowercase()
        } else {
            rest.to_vec()
        }
    };
    let name = opts.args.first().map_or("-", String::as_str);
    let mut input = match open_input(name) {
        Ok(input) => input,
        Err(error) => {
            complain!("uniq", "can't open '{name}': {error}");
            return 1;
        }
    };
    let mut result: Vec<u8> = Vec::new();
    let mut out = Out::stdout();
    let to_file = opts.args.get(1).filter(|name| *name != "-");
    let mut emit = |line: &[u8], count: u64| {
        if (opts.has('d') && count < 2) || (opts.has('u') && count > 1) {
            return;
        }
        let mut text = if opts.has('c') {
            format!("{count:7} ").into_bytes()
        } else {
            Vec::new()
        };
        text.extend_from_slice(line);
        text.push(end);
        if to_file.is_some() {
            result.extend(text)
        } else {
            out.bytes(&text)
        }
    };
    let mut current: Option<(Vec<u8>, Vec<u8>, u64)> = None;
    while let Ok(Some(mut line)) = input.read_until(end) {
        if line.last() == Some(&end) {
            line.pop();
        }
        let this = key(&line);
        match &mut current {
            Some((_, of, count)) if *of == this => *count += 1,
            _ => {
                if let Some((line, _, count)) = current.take() {
                    emit(&line, count);
                }
                current = Some((line, this, 1));
            }
        }
    }
    if let Some((line, _, count)) = current {
        emit(&line, count);
    }
    if let Some(file) = to_file {
        let written = create(file, Mode(0o666)).and_then(|fd| {
            let written = write_all(fd, &result);
            sys::close(fd)?;
            written
        });
        if let Err(error) = written {
            complain!("uniq", "can't open '{file}': {error}");
            return 1;
        }
    }
    out.finish("uniq", 0)
}

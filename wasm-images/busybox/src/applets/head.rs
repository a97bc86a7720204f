//! `head`.

use crate::complain;
use crate::util::{Out, human, open_input, parse};
use podsim_sys::Errno;

/// `head [-n N | -c N] [-qv] [FILE]...`; `-N` is short for `-n N`, and a negative number leaves the last ones out.
pub fn main(args: &[String]) -> i32 {
    let args = dashed_number(args);
    let opts = match parse(
        &args,
        "n:c:qv",
        &[("lines", 'n'), ("bytes", 'c'), ("quiet", 'q'), ("verbose", 'v')],
    ) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let by_bytes = opts.last_of("nc") == Some('c');
    let text = opts.value(if by_bytes { 'c' } else { 'n' }).unwrap_or("10");
    let (all_but, number) = match text.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, text),
    };
    let Some(count) = human::parse_size(number).and_then(|count| usize::try_from(count).ok()) else {
        complain!("head", "invalid number '{text}'");
        return 1;
    };
    let names = if opts.args.is_empty() {
        vec!["-".to_owned()]
    } else {
        opts.args.clone()
    };
    let headers = opts.has('v') || (names.len() > 1 && !opts.has('q'));
    let mut out = Out::stdout();
    let (mut code, mut first) = (0, true);
    for name in &names {
        let result = open_input(name).and_then(|mut input| {
            if headers {
                let shown = if name == "-" { "standard input" } else { name };
                crate::out!(out, "{}==> {shown} <==\n", if first { "" } else { "\n" });
            }
            first = false;
            one(&mut input, &mut out, by_bytes, all_but, count)
        });
        if let Err(error) = result {
            out.flush();
            complain!("head", "{name}: {error}");
            code = 1;
        }
    }
    out.finish("head", code)
}

fn one(
    input: &mut crate::util::Input,
    out: &mut Out,
    by_bytes: bool,
    all_but: bool,
    count: usize,
) -> Result<(), Errno> {
    if all_but {
        let all = input.read_to_end()?;
        let end = if by_bytes {
            all.len().saturating_sub(count)
        } else {
            // The start of the line that is the first of those left out.
            let mut starts = vec![0];
            starts.extend(
                all.iter()
                    .enumerate()
                    .filter(|(_, b)| **b == b'\n')
                    .map(|(at, _)| at + 1)
                    .filter(|at| *at < all.len()),
            );
            starts
                .len()
                .checked_sub(count)
                .and_then(|keep| starts.get(keep))
                .copied()
                .unwrap_or(if count == 0 { all.len() } else { 0 })
        };
        out.bytes(all.get(..end).unwrap_or_default());
        return Ok(());
    }
    if by_bytes {
        let mut left = count;
        let mut buffer = [0; 8192];
        while left > 0 {
            let most = left.min(buffer.len());
            let got = input.read(buffer.get_mut(..most).unwrap_or_default())?;
            if got == 0 {
                break;
            }
            out.bytes(buffer.get(..got).unwrap_or_default());
            left -= got;
        }
        return Ok(());
    }
    for _ in 0..count {
        let Some(line) = input.read_line()? else { break };
        out.bytes(&line);
    }
    Ok(())
}

/// Makes `-n5` of `-5`.
#[must_use]
pub fn dashed_number(args: &[String]) -> Vec<String> {
    let mut args = args.to_vec();
    if let Some(first) = args.get_mut(1)
        && let Some(number) = first.strip_prefix('-')
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
    {
        *first = format!("-n{number}");
    }
    args
}

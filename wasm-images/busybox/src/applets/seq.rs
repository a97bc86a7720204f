//! `seq` and `yes`.

use crate::complain;
use crate::util::{Out, parse, show_usage};

/// `seq [-w] [-s SEP] [FIRST [INC]] LAST`
pub fn main(args: &[String]) -> i32 {
    // A negative number is not an option.
    let negative = |arg: &String| {
        arg.strip_prefix('-')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'))
    };
    let split = args.iter().skip(1).position(negative).map_or(args.len(), |at| at + 1);
    let (options, rest) = args.split_at(split);
    let mut opts = match parse(options, "+ws:", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    opts.args.extend_from_slice(rest);
    let numbers: Result<Vec<f64>, &String> = opts
        .args
        .iter()
        .map(|text| text.parse::<f64>().map_err(|_| text))
        .collect();
    let numbers = match numbers {
        Ok(numbers) => numbers,
        Err(text) => {
            complain!("seq", "invalid number '{text}'");
            return 1;
        }
    };
    let (first, step, last) = match numbers.as_slice() {
        [last] => (1.0, 1.0, *last),
        [first, last] => (*first, 1.0, *last),
        [first, step, last] => (*first, *step, *last),
        _ => return show_usage("seq"),
    };
    let decimals = opts
        .args
        .iter()
        .map(|text| text.split_once('.').map_or(0, |(_, fraction)| fraction.len()))
        .max()
        .unwrap_or(0);
    let decimals = decimals.min(17);
    let width = if opts.has('w') {
        [first, last]
            .iter()
            .map(|n| format!("{n:.decimals$}").len())
            .max()
            .unwrap_or(0)
    } else {
        0
    };
    let separator = opts.value('s').unwrap_or("\n");
    let mut out = Out::stdout();
    let mut index = 0u64;
    loop {
        // Multiplied, not added up: no error grows.
        let value = step.mul_add(index as f64, first);
        let over = if step >= 0.0 {
            value > last + 1e-9
        } else {
            value < last - 1e-9
        };
        if over || out.failed() || step == 0.0 && index > 0 && first > last {
            break;
        }
        if index > 0 {
            out.text(separator);
        }
        crate::out!(out, "{value:0width$.decimals$}");
        index += 1;
    }
    if index > 0 {
        out.text("\n");
    }
    out.finish("seq", 0)
}

/// `yes [STRING]...`
pub fn yes(args: &[String]) -> i32 {
    let words = args.get(1..).unwrap_or_default();
    let line = if words.is_empty() {
        "y\n".to_owned()
    } else {
        format!("{}\n", words.join(" "))
    };
    let block = line.repeat(4096 / line.len() + 1);
    let mut out = Out::stdout();
    while !out.failed() {
        out.text(&block);
    }
    out.finish("yes", 1)
}

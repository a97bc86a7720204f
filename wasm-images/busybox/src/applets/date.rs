//! `date`.

use crate::complain;
use crate::util::clock::{Date, now, parse_date};
use crate::util::files::stat;
use crate::util::{Out, parse, show_usage};

/// `date [-uR] [-I[SPEC]] [-d TIME] [-r FILE] [+FMT]`. The time zone is UTC; the clock cannot be set.
pub fn main(args: &[String]) -> i32 {
    let longs = [
        ("date", 'd'),
        ("utc", 'u'),
        ("rfc-2822", 'R'),
        ("reference", 'r'),
        ("set", 's'),
    ];
    let opts = match parse(args, "uRI::d:r:s:D:", &longs) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let mut format = None;
    let mut set = opts.has('s');
    for arg in &opts.args {
        match arg.strip_prefix('+') {
            Some(text) if format.is_none() => format = Some(text.to_owned()),
            Some(_) => return show_usage("date"),
            None => set = true,
        }
    }
    if set {
        // Only the node has a clock, and it is its machine's.
        complain!("date", "can't set date: {}", podsim_sys::Errno::EPERM);
        return 1;
    }
    let current = now();
    let date = if let Some(text) = opts.value('d') {
        match parse_date(text, &current) {
            Some(seconds) => Date::from_seconds(seconds),
            None => {
                complain!("date", "invalid date '{text}'");
                return 1;
            }
        }
    } else if let Some(file) = opts.value('r') {
        match stat(file) {
            Ok(stat) => Date::from_epoch(stat.mtime),
            Err(error) => {
                complain!("date", "{file}: {error}");
                return 1;
            }
        }
    } else {
        current
    };
    let format = format.unwrap_or_else(|| {
        match (opts.has('R'), opts.has('I'), opts.value('I').unwrap_or("date")) {
            (true, ..) => "%a, %d %b %Y %H:%M:%S %z",
            (_, true, "hours") => "%Y-%m-%dT%H+00:00",
            (_, true, "minutes") => "%Y-%m-%dT%H:%M+00:00",
            (_, true, "seconds") => "%Y-%m-%dT%H:%M:%S+00:00",
            (_, true, "ns") => "%Y-%m-%dT%H:%M:%S,%N+00:00",
            (_, true, _) => "%Y-%m-%d",
            _ => "%a %b %e %H:%M:%S %Z %Y",
        }
        .to_owned()
    });
    let mut out = Out::stdout();
    out.line(&date.format(&format));
    out.finish("date", 0)
}

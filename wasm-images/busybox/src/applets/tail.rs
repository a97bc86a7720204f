//! `tail`.

use super::head::dashed_number;
use crate::complain;
use crate::util::files::{Input, stat};
use crate::util::{Out, human, open_input, parse};
use podsim_guest as sys;
use podsim_sys::{Errno, FileType, Whence};
use std::time::Duration;

struct Open {
    name: String,
    input: Input,
    /// Device and inode, to see when another file has taken the name.
    identity: Option<(u64, u64)>,
}

#[derive(Clone, Copy)]
struct Wanted {
    count: u64,
    bytes: bool,
    /// Counted from the beginning (`+N`).
    from_start: bool,
}

/// `tail [-n N | -c N] [-qv] [-f | -F] [-s SECONDS] [FILE]...`
pub fn main(args: &[String]) -> i32 {
    let args = dashed_number(args);
    let longs = [
        ("lines", 'n'),
        ("bytes", 'c'),
        ("follow", 'f'),
        ("quiet", 'q'),
        ("verbose", 'v'),
        ("retry", 'F'),
    ];
    let opts = match parse(&args, "n:c:qvfFs:", &longs) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let bytes = opts.last_of("nc") == Some('c');
    let text = opts.value(if bytes { 'c' } else { 'n' }).unwrap_or("10");
    let number = text.trim_start_matches(['+', '-']);
    let (Some(count), Some(pause)) = (
        human::parse_size(number),
        human::parse_duration(opts.value('s').unwrap_or("1")),
    ) else {
        complain!("tail", "invalid number '{text}'");
        return 1;
    };
    let wanted = Wanted {
        count,
        bytes,
        from_start: text.starts_with('+'),
    };
    let names = if opts.args.is_empty() {
        vec!["-".to_owned()]
    } else {
        opts.args.clone()
    };
    let headers = opts.has('v') || (names.len() > 1 && !opts.has('q'));
    let follow = opts.has('f') || opts.has('F');
    let mut out = Out::stdout();
    let mut code = 0;
    let mut opened: Vec<Open> = Vec::new();
    for name in &names {
        match open_input(name) {
            Ok(input) => opened.push(Open {
                name: name.clone(),
                identity: identity(&input),
                input,
            }),
            Err(error) => {
                complain!("tail", "can't open '{name}': {error}");
                code = 1;
            }
        }
    }
    if opened.is_empty() && !opts.has('F') {
        complain!("tail", "no files");
        return 1;
    }
    for (index, file) in opened.iter_mut().enumerate() {
        if headers {
            header(&mut out, &file.name, index == 0);
        }
        if let Err(error) = last(&mut file.input, wanted, &mut out) {
            out.flush();
            complain!("tail", "{}: {error}", file.name);
            code = 1;
        }
    }
    out.flush();
    if follow {
        follow_files(&mut opened, &names, opts.has('F'), headers, pause, &mut out);
    }
    out.finish("tail", code)
}

fn header(out: &mut Out, name: &str, first: bool) {
    let shown = if name == "-" { "standard input" } else { name };
    crate::out!(out, "{}==> {shown} <==\n", if first { "" } else { "\n" });
}

fn identity(input: &Input) -> Option<(u64, u64)> {
    sys::fstat(input.fd()).ok().map(|stat| (stat.dev.to_u64(), stat.ino))
}

fn last(input: &mut Input, wanted: Wanted, out: &mut Out) -> Result<(), Errno> {
    let count = usize::try_from(wanted.count).unwrap_or(usize::MAX);
    if wanted.from_start {
        let all = input.read_to_end()?;
        let skip = if wanted.bytes {
            count.saturating_sub(1)
        } else {
            let ends = all
                .iter()
                .enumerate()
                .filter(|(_, b)| **b == b'\n')
                .map(|(at, _)| at + 1);
            match count.saturating_sub(2) {
                _ if count <= 1 => 0,
                nth => ends.clone().nth(nth).unwrap_or(all.len()),
            }
        };
        out.bytes(all.get(skip..).unwrap_or_default());
        return Ok(());
    }
    let all = input.read_to_end()?;
    let start = if wanted.bytes {
        all.len().saturating_sub(count)
    } else if count == 0 {
        all.len()
    } else {
        // A line feed at the very end closes the last line and begins none.
        let body = all.strip_suffix(b"\n").unwrap_or(&all);
        let breaks = body.iter().enumerate().rev().filter(|(_, b)| **b == b'\n');
        breaks.map(|(at, _)| at + 1).nth(count - 1).unwrap_or(0)
    };
    out.bytes(all.get(start..).unwrap_or_default());
    Ok(())
}

/// Looks for more from time to time, for ever.
fn follow_files(opened: &mut Vec<Open>, names: &[String], retry: bool, headers: bool, pause: Duration, out: &mut Out) {
    let mut shown = opened.last().map(|file| file.name.clone());
    while !(out.failed() || (opened.is_empty() && !retry)) {
        super::sleep::sleep(pause);
        if retry {
            reopen(opened, names);
        }
        for file in opened.iter_mut() {
            // A file that became shorter is read from its beginning again.
            if let (Ok(stat), Ok(at)) = (
                sys::fstat(file.input.fd()),
                sys::lseek(file.input.fd(), 0, Whence::Current),
            ) && stat.file_type == FileType::Regular
                && stat.size < at
            {
                let _ = sys::lseek(file.input.fd(), 0, Whence::Set);
            }
            match file.input.read_to_end() {
                Ok(more) if !more.is_empty() => {
                    if headers && shown.as_deref() != Some(&file.name) {
                        header(out, &file.name, false);
                        shown = Some(file.name.clone());
                    }
                    out.bytes(&more);
                    out.flush();
                }
                _ => {}
            }
        }
    }
}

fn reopen(opened: &mut Vec<Open>, names: &[String]) {
    for name in names.iter().filter(|name| *name != "-") {
        let now = stat(name).ok().map(|stat| (stat.dev.to_u64(), stat.ino));
        let at = opened.iter().position(|file| file.name == *name);
        let same = at
            .and_then(|at| opened.get(at))
            .is_some_and(|file| file.identity == now);
        if now.is_none() || same {
            continue;
        }
        if let Ok(input) = Input::open(name) {
            let new = Open {
                name: name.clone(),
                identity: identity(&input),
                input,
            };
            match at.and_then(|at| opened.get_mut(at)) {
                Some(old) => *old = new,
                None => opened.push(new),
            }
        }
    }
}

//! `tac`, `rev`, `nl`, `fold`, `paste`, `truncate`, `more` and `less`.

use crate::util::files::Input;
use crate::util::{Opts, Out, human, open_input, out::write_error, parse, show_usage};
use crate::{complain, out};
use podsim_guest as sys;
use podsim_sys::{Fd, LocalFlags, Mode, OpenFlags, TcSet};

/// Calls for each input; 1 if one could not be read.
fn each(applet: &str, opts: &Opts, out: &mut Out, mut action: impl FnMut(&mut Input, &mut Out)) -> i32 {
    let names = if opts.args.is_empty() {
        vec!["-".to_owned()]
    } else {
        opts.args.clone()
    };
    let mut code = 0;
    for name in &names {
        match open_input(name) {
            Ok(mut input) => action(&mut input, out),
            Err(error) => {
                out.flush();
                complain!(applet, "{name}: {error}");
                code = 1;
            }
        }
    }
    code
}

/// `tac [FILE]...`
pub fn tac(args: &[String]) -> i32 {
    let opts = match parse(args, "", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let mut out = Out::stdout();
    let code = each("tac", &opts, &mut out, |input, out| {
        let all = input.read_to_end().unwrap_or_default();
        all.split_inclusive(|byte| *byte == b'\n')
            .rev()
            .for_each(|line| out.bytes(line));
    });
    out.finish("tac", code)
}

/// `rev [FILE]...`
pub fn rev(args: &[String]) -> i32 {
    let opts = match parse(args, "", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let mut out = Out::stdout();
    let code = each("rev", &opts, &mut out, |input, out| {
        while let Ok(Some(line)) = input.read_line() {
            let text = String::from_utf8_lossy(&line).into_owned();
            let (body, end) = text.strip_suffix('\n').map_or((text.as_str(), ""), |body| (body, "\n"));
            out!(out, "{}{end}", body.chars().rev().collect::<String>());
        }
    });
    out.finish("rev", code)
}

/// `nl [-b TYPE] [-w WIDTH] [-s SEP] [-v FIRST] [FILE]...`
pub fn nl(args: &[String]) -> i32 {
    let opts = match parse(args, "b:w:s:v:i:p", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let width: usize = opts.value('w').and_then(|w| w.parse().ok()).unwrap_or(6).min(1000);
    let mut number: i64 = opts.value('v').and_then(|v| v.parse().ok()).unwrap_or(1);
    let step: i64 = opts.value('i').and_then(|i| i.parse().ok()).unwrap_or(1);
    let separator = opts.value('s').unwrap_or("\t").to_owned();
    let (all, none) = (opts.value('b') == Some("a"), opts.value('b') == Some("n"));
    let mut out = Out::stdout();
    let code = each("nl", &opts, &mut out, |input, out| {
        while let Ok(Some(mut line)) = input.read_line() {
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            if !none && (all || !line.is_empty()) {
                out!(out, "{number:width$}{separator}");
                number += step;
            } else {
                out!(out, "{:width$} ", "");
            }
            out.bytes(&line);
            out.text("\n");
        }
    });
    out.finish("nl", code)
}

/// `fold [-bs] [-w WIDTH] [FILE]...`
pub fn fold(args: &[String]) -> i32 {
    let opts = match parse(args, "bsw:", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let Some(width) = opts
        .value('w')
        .unwrap_or("80")
        .parse::<usize>()
        .ok()
        .filter(|width| *width > 0)
    else {
        complain!("fold", "invalid number '{}'", opts.value('w').unwrap_or(""));
        return 1;
    };
    let mut out = Out::stdout();
    let at_spaces = opts.has('s');
    let code = each("fold", &opts, &mut out, |input, out| {
        while let Ok(Some(line)) = input.read_line() {
            let text = String::from_utf8_lossy(&line).into_owned();
            let (body, end) = text.strip_suffix('\n').map_or((text.as_str(), ""), |body| (body, "\n"));
            let mut rest: Vec<char> = body.chars().collect();
            while rest.len() > width {
                let space = rest.iter().take(width).rposition(|c| *c == ' ').filter(|_| at_spaces);
                let cut = space.map_or(width, |at| at + 1);
                out!(out, "{}\n", rest.drain(..cut).collect::<String>());
            }
            out!(out, "{}{end}", rest.into_iter().collect::<String>());
        }
    });
    out.finish("fold", code)
}

/// `paste [-s] [-d LIST] [FILE]...`
pub fn paste(args: &[String]) -> i32 {
    let opts = match parse(args, "sd:", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let delimiters: Vec<char> = opts
        .value('d')
        .unwrap_or("\t")
        .replace("\\t", "\t")
        .replace("\\n", "\n")
        .chars()
        .collect();
    let names = if opts.args.is_empty() {
        vec!["-".to_owned()]
    } else {
        opts.args.clone()
    };
    let mut inputs = Vec::new();
    for name in &names {
        match open_input(name) {
            Ok(input) => inputs.push(Some(input)),
            Err(error) => {
                complain!("paste", "{name}: {error}");
                return 1;
            }
        }
    }
    let mut next = |input: &mut Option<Input>| -> Option<String> {
        let line = input.as_mut()?.read_line().ok().flatten();
        if line.is_none() {
            *input = None;
        }
        line.map(|line| String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned())
    };
    let mut out = Out::stdout();
    let mark = |index: usize| delimiters.get(index % delimiters.len().max(1)).copied();
    let put = |out: &mut Out, cells: Vec<String>| {
        for (index, cell) in cells.iter().enumerate() {
            if index > 0 {
                mark(index - 1).into_iter().for_each(|c| out!(out, "{c}"));
            }
            out.text(cell);
        }
        out.text("\n");
    };
    if opts.has('s') {
        for input in &mut inputs {
            let mut cells = Vec::new();
            while let Some(line) = next(input) {
                cells.push(line);
            }
            put(&mut out, cells);
        }
        return out.finish("paste", 0);
    }
    loop {
        let cells: Vec<Option<String>> = inputs.iter_mut().map(&mut next).collect();
        if cells.iter().all(Option::is_none) {
            return out.finish("paste", 0);
        }
        put(&mut out, cells.into_iter().map(Option::unwrap_or_default).collect());
    }
}

/// `truncate [-c] -s SIZE FILE...`
pub fn truncate(args: &[String]) -> i32 {
    let opts = match parse(args, "cs:", &[("size", 's'), ("no-create", 'c')]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let (Some(text), false) = (opts.value('s'), opts.args.is_empty()) else {
        return show_usage("truncate");
    };
    let (sign, digits) = match text.split_at_checked(1) {
        Some((sign @ ("+" | "-"), digits)) => (sign, digits),
        _ => ("", text),
    };
    let Some(size) = human::parse_size(digits) else {
        complain!("truncate", "invalid number '{text}'");
        return 1;
    };
    let mut code = 0;
    for path in &opts.args {
        let flags = if opts.has('c') {
            OpenFlags::WRONLY
        } else {
            OpenFlags::WRONLY | OpenFlags::CREAT
        };
        let result = sys::openat(Fd::CWD, path, flags | OpenFlags::CLOEXEC, Mode(0o666)).and_then(|fd| {
            let old = sys::fstat(fd)?.size;
            let new = match sign {
                "+" => old.saturating_add(size),
                "-" => old.saturating_sub(size),
                _ => size,
            };
            let done = sys::ftruncate(fd, new);
            sys::close(fd)?;
            done
        });
        match result {
            Err(podsim_sys::Errno::ENOENT) if opts.has('c') => {}
            Err(error) => {
                complain!("truncate", "{path}: {error}");
                code = 1;
            }
            Ok(()) => {}
        }
    }
    code
}

/// `more [FILE]...` and `less`: a page at a time on a terminal (space: page, return: line, q: end), else like cat.
pub fn pager(args: &[String]) -> i32 {
    let opts = match parse(args, "EFIMmNSRh~", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let applet = crate::util::base_name(args.first().map_or("more", String::as_str)).to_owned();
    let mut out = Out::stdout();
    let keys = if sys::isatty(Fd::STDOUT).unwrap_or(false) {
        sys::openat(Fd::CWD, "/dev/tty", OpenFlags::RDWR | OpenFlags::CLOEXEC, Mode(0)).ok()
    } else {
        None
    };
    let Some(keys) = keys else {
        let code = each(&applet, &opts, &mut out, |input, out| {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = input.read(&mut buffer) {
                out.bytes(buffer.get(..count).unwrap_or_default());
            }
        });
        return out.finish(&applet, code);
    };
    let saved = sys::tcgetattr(keys).ok();
    if let Some(mut raw) = saved {
        raw.lflag.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        let _ = sys::tcsetattr(keys, TcSet::Now, raw);
    }
    let size = sys::get_winsize(Fd::STDOUT).unwrap_or_default();
    let rows = usize::from(if size.rows > 1 { size.rows } else { 24 }) - 1;
    let columns = usize::from(if size.cols > 0 { size.cols } else { 80 });
    let (mut left, mut ended) = (rows, false);
    let code = each(&applet, &opts, &mut out, |input, out| {
        while !ended {
            let Ok(Some(line)) = input.read_line() else { break };
            let height = line.len().saturating_sub(1).div_ceil(columns).max(1);
            if left < height {
                out.flush();
                write_error("--More-- ");
                let mut key = [0];
                let read = sys::read(keys, &mut key).unwrap_or(0);
                write_error("\r\x1b[K");
                match (read, key[0]) {
                    (0, _) | (_, b'q' | b'Q' | 3) => {
                        ended = true;
                        break;
                    }
                    (_, b'\n' | b'\r') => left = height,
                    _ => left = rows,
                }
            }
            left = left.saturating_sub(height);
            out.bytes(&line);
        }
    });
    if let Some(termios) = saved {
        let _ = sys::tcsetattr(keys, TcSet::Now, termios);
    }
    out.finish(&applet, code)
}

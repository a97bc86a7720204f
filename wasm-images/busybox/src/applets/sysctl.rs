//! `sysctl`: settings of the kernel, which are files below `/proc/sys`.

use crate::util::files::{read_dir, read_text, stat, write_all};
use crate::util::{Out, parse};
use crate::{complain, out};
use podsim_guest as sys;
use podsim_sys::{Errno, Fd, FileType, Mode, OpenFlags};

const ROOT: &str = "/proc/sys";

/// What of the names and values is shown.
struct Show {
    names: bool,
    values: bool,
    quiet: bool,
    /// `-e`: names that are not there are no mistake.
    ignore: bool,
}

/// `sysctl [-enq] { -a | -p [FILE]... | [-w] KEY[=VALUE]... }`
pub fn main(args: &[String]) -> i32 {
    let opts = match parse(args, "neAapwqNd", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let show = Show {
        names: !opts.has('n'),
        values: !opts.has('N'),
        quiet: opts.has('q'),
        ignore: opts.has('e'),
    };
    let mut out = Out::stdout();
    let mut failed = false;
    if opts.has('a') || opts.has('A') {
        let quiet = Show { ignore: true, ..show };
        failed |= one(&mut out, "", &quiet).is_err();
    } else if opts.has('p') {
        let default = [String::from("/etc/sysctl.conf")];
        let files = if opts.args.is_empty() { &default[..] } else { &opts.args };
        for file in files {
            failed |= preload(&mut out, file, &show).is_err();
        }
    } else {
        for word in &opts.args {
            failed |= word_of(&mut out, word, opts.has('w'), &show).is_err();
        }
    }
    out.finish("sysctl", i32::from(failed))
}

/// The lines of a file: `KEY = VALUE`, with comments.
fn preload(out: &mut Out, file: &str, show: &Show) -> Result<(), ()> {
    let text = read_text(file).map_err(|error| complain!("sysctl", "can't open '{file}': {error}"))?;
    let mut result = Ok(());
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let set = match line.split_once('=') {
            Some((key, value)) => set(out, key.trim(), value.trim(), show),
            None => {
                complain!("sysctl", "error: '{line}' must be of the form name=value");
                Err(())
            }
        };
        result = result.and(set);
    }
    result
}

fn word_of(out: &mut Out, word: &str, write: bool, show: &Show) -> Result<(), ()> {
    match word.split_once('=') {
        Some((key, value)) => set(out, key, value, show),
        None if write => {
            complain!("sysctl", "error: '{word}' must be of the form name=value");
            Err(())
        }
        None => one(out, word, show),
    }
}

/// The path of a name. Whichever of `.` and `/` comes first separates the parts; the other is part of a name (of an interface).
fn path(key: &str) -> String {
    let key = key.trim_end_matches('/');
    if key.is_empty() {
        return ROOT.to_owned();
    }
    let dots_separate = key
        .find(['.', '/'])
        .is_none_or(|at| key.as_bytes().get(at) == Some(&b'.'));
    let part = |c: char| match c {
        '.' if dots_separate => '/',
        '/' if dots_separate => '.',
        c => c,
    };
    format!("{ROOT}/{}", key.chars().map(part).collect::<String>())
}

/// The name of a path, with dots between the parts.
fn name(path: &str) -> String {
    let swap = |c: char| match c {
        '/' => '.',
        '.' => '/',
        c => c,
    };
    path.get(ROOT.len() + 1..)
        .unwrap_or_default()
        .chars()
        .map(swap)
        .collect()
}

fn unknown(key: &str, error: Errno, show: &Show) -> Result<(), ()> {
    if error == Errno::ENOENT && show.ignore {
        return Ok(());
    }
    if error == Errno::ENOENT {
        complain!("sysctl", "error: '{key}' is an unknown key");
    } else {
        complain!("sysctl", "error reading key '{key}': {error}");
    }
    Err(())
}

fn set(out: &mut Out, key: &str, value: &str, show: &Show) -> Result<(), ()> {
    let path = path(key);
    let write = || {
        let fd = sys::openat(Fd::CWD, &path, OpenFlags::WRONLY, Mode(0))?;
        let written = write_all(fd, format!("{value}\n").as_bytes());
        written.and(sys::close(fd))
    };
    match write() {
        Ok(()) => {
            if !show.quiet {
                line(out, &name(&path), value, show);
            }
            Ok(())
        }
        Err(Errno::ENOENT) => unknown(&name(&path), Errno::ENOENT, show),
        Err(error) => {
            complain!("sysctl", "error setting key '{}': {error}", name(&path));
            Err(())
        }
    }
}

/// A setting, or all below a directory.
fn one(out: &mut Out, key: &str, show: &Show) -> Result<(), ()> {
    tree(out, &path(key), show)
}

fn tree(out: &mut Out, path: &str, show: &Show) -> Result<(), ()> {
    let shown = || name(path);
    let is_directory = match stat(path) {
        Ok(stat) => stat.file_type == FileType::Directory,
        Err(error) => return unknown(&shown(), error, show),
    };
    if !is_directory {
        return match read_text(path) {
            Ok(text) => {
                text.lines().for_each(|value| line(out, &shown(), value, show));
                Ok(())
            }
            Err(error) => unknown(&shown(), error, show),
        };
    }
    let entries = read_dir(path).map_err(|error| complain!("sysctl", "can't open '{path}': {error}"))?;
    let mut result = Ok(());
    for entry in entries {
        result = result.and(tree(out, &format!("{path}/{}", entry.name), show));
    }
    result
}

fn line(out: &mut Out, name: &str, value: &str, show: &Show) {
    match (show.names, show.values) {
        (true, true) => out!(out, "{name} = {value}\n"),
        (false, _) => out!(out, "{value}\n"),
        (true, false) => out!(out, "{name}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_separator_separates() {
        for (key, want, shown) in [
            ("kernel.hostname", "/proc/sys/kernel/hostname", "kernel.hostname"),
            ("kernel/hostname", "/proc/sys/kernel/hostname", "kernel.hostname"),
            (
                "net.ipv4.conf.eth0/1.x",
                "/proc/sys/net/ipv4/conf/eth0.1/x",
                "net.ipv4.conf.eth0/1.x",
            ),
            (
                "net/ipv4/conf/eth0.1/x",
                "/proc/sys/net/ipv4/conf/eth0.1/x",
                "net.ipv4.conf.eth0/1.x",
            ),
        ] {
            let found = path(key);
            assert_eq!((found.as_str(), name(&found).as_str()), (want, shown), "{key}");
        }
    }
}

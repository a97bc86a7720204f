//! `mkdir`, `mknod`, `mkfifo`, `mktemp` and `touch`: making files.

use crate::complain;
use crate::util::clock::{now, parse_date};
use crate::util::files::{is_dir, stat};
use crate::util::{Opts, Out, child, join, mode, parse, show_usage};
use podsim_guest as sys;
use podsim_sys::{DeviceNumber, Errno, Fd, FileType, Mode, OpenFlags, SetTime};
use std::time::Duration;

fn umask() -> Mode {
    let mask = sys::umask(Mode(0));
    sys::umask(mask);
    mask
}

/// The mode of `-m`, or the default; `None` is an invalid one, which has been told.
fn mode_option(opts: &Opts, applet: &str, default: u16) -> Option<Mode> {
    match opts.value('m') {
        None => Some(Mode(default)),
        Some(text) => {
            let parsed = mode::parse(text, Mode(default), true, umask());
            if parsed.is_none() {
                complain!(applet, "invalid mode '{text}'");
            }
            parsed
        }
    }
}

/// `mkdir [-m MODE] [-p] DIRECTORY...`
pub fn mkdir(args: &[String]) -> i32 {
    let opts = match parse(args, "m:pv", &[("mode", 'm'), ("parents", 'p'), ("verbose", 'v')]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    if opts.args.is_empty() {
        return show_usage("mkdir");
    }
    let Some(wanted) = mode_option(&opts, "mkdir", 0o777) else {
        return 1;
    };
    let mut code = 0;
    for path in &opts.args {
        if let Err(error) = make(path, opts.has('p')) {
            complain!("mkdir", "can't create directory '{path}': {error}");
            code = 1;
        } else if opts.has('m') {
            // The umask does not count for a mode that was asked for.
            if let Err(error) = sys::fchmodat(Fd::CWD, path, wanted) {
                complain!("mkdir", "can't set permissions of directory '{path}': {error}");
                code = 1;
            }
        }
    }
    code
}

fn make(path: &str, parents: bool) -> Result<(), Errno> {
    if !parents {
        return sys::mkdirat(Fd::CWD, path, Mode(0o777));
    }
    let ends = path
        .char_indices()
        .filter(|(at, c)| *c == '/' && *at > 0)
        .map(|(at, _)| at)
        .chain([path.len()]);
    for end in ends {
        let part = path.get(..end).unwrap_or(path);
        match sys::mkdirat(Fd::CWD, part, Mode(0o777)) {
            Ok(()) => {}
            Err(_) if is_dir(part) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// `mkfifo [-m MODE] NAME`
pub fn mkfifo(args: &[String]) -> i32 {
    let opts = match parse(args, "m:", &[("mode", 'm')]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    if opts.args.is_empty() {
        return show_usage("mkfifo");
    }
    let Some(wanted) = mode_option(&opts, "mkfifo", 0o666) else {
        return 1;
    };
    let mut code = 0;
    for path in &opts.args {
        if let Err(error) = sys::mknodat(Fd::CWD, path, FileType::Fifo, wanted, DeviceNumber::default()) {
            complain!("mkfifo", "{path}: {error}");
            code = 1;
        }
    }
    code
}

/// `mknod [-m MODE] NAME TYPE [MAJOR MINOR]`
pub fn mknod(args: &[String]) -> i32 {
    let opts = match parse(args, "m:", &[("mode", 'm')]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let Some(wanted) = mode_option(&opts, "mknod", 0o666) else {
        return 1;
    };
    let (path, kind, device) = match opts.args.as_slice() {
        [path, kind] if kind == "p" => (path, FileType::Fifo, DeviceNumber::default()),
        [path, kind, major, minor] if ["b", "c", "u"].contains(&kind.as_str()) => {
            let (Ok(major), Ok(minor)) = (major.parse(), minor.parse()) else {
                complain!("mknod", "invalid number '{major}' or '{minor}'");
                return 1;
            };
            let kind = if kind == "b" {
                FileType::BlockDevice
            } else {
                FileType::CharDevice
            };
            (path, kind, DeviceNumber { major, minor })
        }
        _ => return show_usage("mknod"),
    };
    match sys::mknodat(Fd::CWD, path, kind, wanted, device) {
        Ok(()) => 0,
        Err(error) => {
            complain!("mknod", "{path}: {error}");
            1
        }
    }
}

/// `mktemp [-dtqu] [-p DIR] [TEMPLATE]`
pub fn mktemp(args: &[String]) -> i32 {
    let opts = match parse(args, "dtqup:", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let template = opts.args.first().map_or("tmp.XXXXXX", String::as_str);
    let in_tmp = opts.has('t') || opts.has('p') || opts.args.is_empty();
    let dir = opts
        .value('p')
        .map(str::to_owned)
        .or_else(|| child::variable("TMPDIR"))
        .unwrap_or_else(|| "/tmp".to_owned());
    let template = if in_tmp {
        join(&dir, template)
    } else {
        template.to_owned()
    };
    let stem = template.trim_end_matches('X');
    let missing = template.len() - stem.len();
    let fail = |error: Errno| {
        if !opts.has('q') {
            complain!("mktemp", "{template}: {error}");
        }
        1
    };
    if missing < 6 {
        return fail(Errno::EINVAL);
    }
    const LETTERS: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    for _ in 0..100 {
        let mut random = vec![0; missing];
        sys::getrandom(&mut random);
        let letters = random
            .iter()
            .map(|byte| char::from(*LETTERS.get(usize::from(*byte) % 62).unwrap_or(&b'x')));
        let path: String = stem.chars().chain(letters).collect();
        let made = if opts.has('u') {
            Ok(())
        } else if opts.has('d') {
            sys::mkdirat(Fd::CWD, &path, Mode(0o700))
        } else {
            let flags = OpenFlags::RDWR | OpenFlags::CREAT | OpenFlags::EXCL | OpenFlags::CLOEXEC;
            sys::openat(Fd::CWD, &path, flags, Mode(0o600)).and_then(sys::close)
        };
        match made {
            Ok(()) => {
                let mut out = Out::stdout();
                out.line(&path);
                return out.finish("mktemp", 0);
            }
            Err(Errno::EEXIST) => {}
            Err(error) => return fail(error),
        }
    }
    fail(Errno::EEXIST)
}

/// `touch [-cham] [-d DATE] [-t DATE] [-r FILE] FILE...`
pub fn touch(args: &[String]) -> i32 {
    let opts = match parse(
        args,
        "chamd:t:r:f",
        &[("no-create", 'c'), ("date", 'd'), ("reference", 'r')],
    ) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    if opts.args.is_empty() {
        return show_usage("touch");
    }
    let (mut atime, mut mtime) = (SetTime::Now, SetTime::Now);
    if let Some(text) = opts.value('d').or_else(|| opts.value('t')) {
        let Some(seconds) = parse_date(text, &now()).and_then(|seconds| u64::try_from(seconds).ok()) else {
            complain!("touch", "invalid date '{text}'");
            return 1;
        };
        (atime, mtime) = (
            SetTime::To(Duration::from_secs(seconds)),
            SetTime::To(Duration::from_secs(seconds)),
        );
    } else if let Some(reference) = opts.value('r') {
        match stat(reference) {
            Ok(stat) => (atime, mtime) = (SetTime::To(stat.atime), SetTime::To(stat.mtime)),
            Err(error) => {
                complain!("touch", "{reference}: {error}");
                return 1;
            }
        }
    }
    match (opts.has('a'), opts.has('m')) {
        (true, false) => mtime = SetTime::Omit,
        (false, true) => atime = SetTime::Omit,
        _ => {}
    }
    let mut code = 0;
    for path in &opts.args {
        let follow = !opts.has('h');
        let result = match sys::utimensat(Fd::CWD, path, atime, mtime, follow) {
            Err(Errno::ENOENT) if opts.has('c') || opts.has('h') => Ok(()),
            Err(Errno::ENOENT) => {
                let flags = OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::CLOEXEC;
                sys::openat(Fd::CWD, path, flags, Mode(0o666)).and_then(|fd| {
                    let set = sys::futimens(fd, atime, mtime);
                    sys::close(fd)?;
                    set
                })
            }
            other => other,
        };
        if let Err(error) = result {
            complain!("touch", "{path}: {error}");
            code = 1;
        }
    }
    code
}

//! `cp`, `mv` and the copying that both need.

use crate::complain;
use crate::util::files::{Input, create, is_dir, lstat, read_dir, read_link, stat, write_all};
use crate::util::{Opts, base_name, join, out::write_error, parse, show_usage};
use podsim_guest as sys;
use podsim_sys::{Errno, Fd, FileType, Mode, SetTime, Stat};

struct Copy<'a> {
    applet: &'a str,
    recursive: bool,
    /// Links are copied as links.
    keep_links: bool,
    /// Links on the command line are followed all the same (`-H`).
    follow_arguments: bool,
    preserve: bool,
    force: bool,
    ask: bool,
    keep_existing: bool,
    newer_only: bool,
    hard: bool,
    symbolic: bool,
    verbose: bool,
}

/// `cp [-arPLHpfinlsTuv] SOURCE... DEST`
pub fn cp(args: &[String]) -> i32 {
    let longs = [
        ("archive", 'a'),
        ("recursive", 'r'),
        ("force", 'f'),
        ("preserve", 'p'),
        ("interactive", 'i'),
        ("no-clobber", 'n'),
        ("no-target-directory", 'T'),
        ("target-directory", 't'),
        ("verbose", 'v'),
    ];
    let opts = match parse(args, "arRdPLHpfinlsTt:uv", &longs) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let recursive = opts.last_of("arR").is_some();
    let copy = Copy {
        applet: "cp",
        recursive,
        keep_links: match opts.last_of("dPLHa") {
            Some('L' | 'H') => false,
            Some(_) => true,
            None => recursive,
        },
        follow_arguments: opts.has('H'),
        preserve: opts.last_of("pa").is_some(),
        force: opts.has('f'),
        ask: opts.last_of("in") == Some('i'),
        keep_existing: opts.last_of("in") == Some('n'),
        newer_only: opts.has('u'),
        hard: opts.has('l'),
        symbolic: opts.has('s'),
        verbose: opts.has('v'),
    };
    each_source(&opts, "cp", |source, target| copy.one(source, target, true, 0))
}

/// `mv [-finTv] SOURCE... DEST`
pub fn mv(args: &[String]) -> i32 {
    let longs = [
        ("force", 'f'),
        ("interactive", 'i'),
        ("no-clobber", 'n'),
        ("target-directory", 't'),
        ("verbose", 'v'),
    ];
    let opts = match parse(args, "finTt:uv", &longs) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    each_source(&opts, "mv", |source, target| move_one(&opts, source, target))
}

/// Calls for each source with its target: the destination, or a name in it if it is a directory.
fn each_source(opts: &Opts, applet: &str, mut action: impl FnMut(&str, &str) -> bool) -> i32 {
    let (sources, dest) = match (opts.value('t'), opts.args.split_last()) {
        (Some(dir), Some(_)) => (&opts.args[..], dir),
        (None, Some((dest, sources))) if !sources.is_empty() => (sources, dest.as_str()),
        _ => return show_usage(applet),
    };
    let into = opts.has('t') || (is_dir(dest) && !opts.has('T'));
    if opts.has('T') && is_dir(dest) {
        complain!(applet, "'{dest}' is a directory");
        return 1;
    }
    if sources.len() > 1 && !into {
        complain!(applet, "target '{dest}' is not a directory");
        return 1;
    }
    let mut code = 0;
    for source in sources {
        let target = if into {
            join(dest, base_name(source))
        } else {
            dest.to_owned()
        };
        if !action(source, &target) {
            code = 1;
        }
    }
    code
}

fn confirm(applet: &str, target: &str) -> bool {
    write_error(&format!("{applet}: overwrite '{target}'? "));
    let mut first = [0];
    let answer = sys::read(Fd::STDIN, &mut first).is_ok_and(|n| n > 0) && matches!(first[0], b'y' | b'Y');
    // The rest of the line belongs to the answer.
    while first[0] != b'\n' && sys::read(Fd::STDIN, &mut first).is_ok_and(|n| n > 0) {}
    answer
}

fn move_one(opts: &Opts, source: &str, target: &str) -> bool {
    let there = lstat(target).ok();
    if let Some(old) = &there {
        if opts.last_of("fin") == Some('n') {
            return true;
        }
        if opts.last_of("fin") == Some('i') && !confirm("mv", target) {
            return true;
        }
        if lstat(source).is_ok_and(|new| new.ino == old.ino && new.dev == old.dev) && old.nlink == 1 {
            complain!("mv", "'{source}' and '{target}' are the same file");
            return false;
        }
    }
    match sys::renameat(Fd::CWD, source, Fd::CWD, target) {
        Ok(()) => {}
        Err(Errno::EXDEV) => {
            // To another filesystem: a copy, and the old one goes.
            if there.is_some() && !remove_target(target) {
                return false;
            }
            let copy = Copy {
                applet: "mv",
                recursive: true,
                keep_links: true,
                follow_arguments: false,
                preserve: true,
                force: true,
                ask: false,
                keep_existing: false,
                newer_only: false,
                hard: false,
                symbolic: false,
                verbose: false,
            };
            if !copy.one(source, target, true, 0) || !super::rm::remove_tree("mv", source) {
                return false;
            }
        }
        Err(error) => {
            complain!("mv", "can't rename '{source}': {error}");
            return false;
        }
    }
    if opts.has('v') {
        write_error(&format!("'{source}' -> '{target}'\n"));
    }
    true
}

fn remove_target(target: &str) -> bool {
    let directory = lstat(target).is_ok_and(|stat| stat.file_type == FileType::Directory);
    match sys::unlinkat(Fd::CWD, target, directory) {
        Ok(()) => true,
        Err(error) => {
            complain!("mv", "can't remove '{target}': {error}");
            false
        }
    }
}

impl Copy<'_> {
    fn fail(&self, what: &str, path: &str, error: Errno) -> bool {
        complain!(self.applet, "{what} '{path}': {error}");
        false
    }

    fn one(&self, source: &str, target: &str, argument: bool, depth: u32) -> bool {
        let follow = !self.keep_links || (argument && self.follow_arguments);
        let from = match if follow { stat(source) } else { lstat(source) } {
            Ok(stat) => stat,
            Err(error) => return self.fail("can't stat", source, error),
        };
        let old = lstat(target).ok();
        let through = stat(target).ok();
        if through.is_some_and(|old| old.ino == from.ino && old.dev == from.dev) && from.file_type != FileType::Symlink
        {
            complain!(self.applet, "'{source}' and '{target}' are the same file");
            return false;
        }
        if from.file_type == FileType::Directory {
            return self.directory(source, target, &from, through.as_ref(), depth);
        }
        if let Some(old) = &old {
            if self.keep_existing || (self.newer_only && old.mtime >= from.mtime) {
                return true;
            }
            if self.ask && !confirm(self.applet, target) {
                return true;
            }
        }
        if self.verbose {
            write_error(&format!("'{source}' -> '{target}'\n"));
        }
        let replace = old.is_some() && (self.hard || self.symbolic || from.file_type != FileType::Regular);
        if replace && let Err(error) = sys::unlinkat(Fd::CWD, target, false) {
            return self.fail("can't remove", target, error);
        }
        let made = match from.file_type {
            _ if self.hard => sys::linkat(Fd::CWD, source, Fd::CWD, target, false),
            _ if self.symbolic => sys::symlinkat(source, Fd::CWD, target),
            FileType::Symlink => read_link(source).and_then(|link| sys::symlinkat(&link, Fd::CWD, target)),
            // Without -r, what is not a plain file is read like one.
            FileType::Regular => return self.content(source, target, &from),
            _ if !self.recursive => return self.content(source, target, &from),
            kind => sys::mknodat(Fd::CWD, target, kind, from.mode, from.rdev),
        };
        if let Err(error) = made {
            return self.fail("can't create", target, error);
        }
        if !self.hard && !self.symbolic {
            self.attributes(target, &from);
        }
        true
    }

    fn directory(&self, source: &str, target: &str, from: &Stat, there: Option<&Stat>, depth: u32) -> bool {
        if !self.recursive {
            complain!(self.applet, "omitting directory '{source}'");
            return false;
        }
        if depth > 100 {
            return self.fail("can't open", source, Errno::ENAMETOOLONG);
        }
        let entries = match read_dir(source) {
            Ok(entries) => entries,
            Err(error) => return self.fail("can't open", source, error),
        };
        match there {
            Some(old) if old.file_type != FileType::Directory => {
                complain!(self.applet, "target '{target}' is not a directory");
                return false;
            }
            Some(_) => {}
            None => {
                // Writable for us while it is filled.
                if let Err(error) = sys::mkdirat(Fd::CWD, target, Mode(from.mode.0 | 0o700)) {
                    return self.fail("can't create directory", target, error);
                }
            }
        }
        let made = stat(target).ok();
        let mut well = true;
        for entry in entries {
            let inner = join(source, &entry.name);
            // A directory that is copied into itself would never end.
            if lstat(&inner).is_ok_and(|stat| made.is_some_and(|made| made.ino == stat.ino && made.dev == stat.dev)) {
                complain!(self.applet, "recursion detected, omitting directory '{inner}'");
                well = false;
                continue;
            }
            well &= self.one(&inner, &join(target, &entry.name), false, depth + 1);
        }
        if there.is_none() {
            let mask = sys::umask(Mode(0));
            sys::umask(mask);
            let _ = sys::fchmodat(Fd::CWD, target, Mode(from.mode.0 & !mask.0));
        }
        self.attributes(target, from);
        well
    }

    fn content(&self, source: &str, target: &str, from: &Stat) -> bool {
        let mut input = match Input::open(source) {
            Ok(input) => input,
            Err(error) => return self.fail("can't open", source, error),
        };
        let mode = Mode(from.mode.0 & 0o777);
        let opened = create(target, mode).or_else(|error| {
            if !self.force {
                return Err(error);
            }
            sys::unlinkat(Fd::CWD, target, false)?;
            create(target, mode)
        });
        let output = match opened {
            Ok(fd) => fd,
            Err(error) => return self.fail("can't create", target, error),
        };
        let mut buffer = vec![0; 65536];
        let result = loop {
            match input.read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(count) => {
                    if let Err(error) = write_all(output, buffer.get(..count).unwrap_or_default()) {
                        break Err(("write error", error));
                    }
                }
                Err(error) => break Err(("error reading from", error)),
            }
        };
        let _ = sys::close(output);
        match result {
            Ok(()) => {
                self.attributes(target, from);
                true
            }
            Err(("write error", error)) => {
                complain!(self.applet, "write error: {error}");
                false
            }
            Err((what, error)) => self.fail(what, source, error),
        }
    }

    /// Owner, mode and times, as far as we may.
    fn attributes(&self, target: &str, from: &Stat) {
        if !self.preserve {
            return;
        }
        let _ = sys::utimensat(Fd::CWD, target, SetTime::To(from.atime), SetTime::To(from.mtime), false);
        let _ = sys::fchownat(Fd::CWD, target, Some(from.uid), Some(from.gid), false);
        if from.file_type != FileType::Symlink {
            let _ = sys::fchmodat(Fd::CWD, target, from.mode);
        }
    }
}

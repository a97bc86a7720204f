//! `tar`: what `kubectl cp` needs, and more. No compression.

mod archive;

use crate::complain;
use crate::util::clock::Date;
use crate::util::files::{Input, create, lstat, read_dir, read_link, stat, write_all};
use crate::util::{Opts, Out, join, mode, out::write_error, parse, show_usage, users::Users};
use archive::{Header, Kind};
use podsim_guest as sys;
use podsim_sys::{Errno, Fd, FileType, Mode, OpenFlags, SetTime};
use std::collections::HashMap;
use std::time::Duration;

/// `tar c|x|t [-hvmokO] [-f TARFILE] [-C DIR] [--exclude PATTERN] [--strip-components N] [FILE]...`
pub fn main(args: &[String]) -> i32 {
    // The first word may be options without a dash: `tar xf FILE`. Their values follow in their order.
    let args = undashed(args);
    let longs = [
        ("create", 'c'),
        ("extract", 'x'),
        ("list", 't'),
        ("file", 'f'),
        ("directory", 'C'),
        ("verbose", 'v'),
        ("to-stdout", 'O'),
        ("strip-components", '1'),
        ("exclude", 'X'),
        ("no-same-permissions", '2'),
        ("no-same-owner", 'o'),
        ("numeric-owner", '3'),
        ("touch", 'm'),
        ("keep-old-files", 'k'),
        ("dereference", 'h'),
        ("no-recursion", '4'),
        ("overwrite", '5'),
    ];
    let opts = match parse(&args, "cxtf:C:vhmokOpzjJZa1:X:2345", &longs) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let Some(action) = opts.last_of("cxt") else {
        return show_usage("tar");
    };
    if opts.last_of("zjJZ").is_some() {
        complain!("tar", "compressed archives are not supported here");
        return 1;
    }
    let file = opts.value('f').unwrap_or("-").to_owned();
    // An archive is named from where we stand, not from where we go.
    let archive = if action == 'c' {
        if file == "-" {
            Ok(Fd::STDOUT)
        } else {
            create(&file, Mode(0o666))
        }
    } else if file == "-" {
        Ok(Fd::STDIN)
    } else {
        sys::openat(Fd::CWD, &file, OpenFlags::CLOEXEC, Mode(0))
    };
    let archive = match archive {
        Ok(fd) => fd,
        Err(error) => {
            complain!("tar", "can't open '{file}': {error}");
            return 1;
        }
    };
    if let Some(dir) = opts.value('C')
        && let Err(error) = sys::chdir(dir)
    {
        complain!("tar", "can't change directory to '{dir}': {error}");
        return 1;
    }
    let result = match action {
        'c' => Writer {
            opts: &opts,
            users: Users::load(),
            fd: archive,
            seen: HashMap::new(),
            code: 0,
            warned: false,
        }
        .run(),
        _ => read(&opts, Input::from_fd(archive), action == 'x'),
    };
    match result {
        Ok(code) => code,
        Err(message) => {
            complain!("tar", "{message}");
            1
        }
    }
}

fn undashed(args: &[String]) -> Vec<String> {
    let mut args = args.to_vec();
    let Some(first) = args.get(1).filter(|first| !first.starts_with('-')).cloned() else {
        return args;
    };
    let values: Vec<char> = first.chars().filter(|c| matches!(c, 'f' | 'C' | 'X')).collect();
    let plain: String = first.chars().filter(|c| !values.contains(c)).collect();
    let mut new = vec![args.remove(0)];
    args.remove(0);
    if !plain.is_empty() {
        new.push(format!("-{plain}"));
    }
    for option in values {
        new.push(format!("-{option}"));
        if !args.is_empty() {
            new.push(args.remove(0));
        }
    }
    new.extend(args);
    new
}

struct Writer<'a> {
    opts: &'a Opts,
    users: Users,
    fd: Fd,
    /// Names under which files with several links are in the archive already.
    seen: HashMap<(u64, u64), String>,
    code: i32,
    warned: bool,
}

impl Writer<'_> {
    fn run(mut self) -> Result<i32, String> {
        if self.opts.args.is_empty() {
            return Err("empty archive".to_owned());
        }
        for path in self.opts.args.clone() {
            self.add(&path, 0)?;
        }
        self.write(&[0; 1024])?;
        Ok(self.code)
    }

    fn write(&self, bytes: &[u8]) -> Result<(), String> {
        write_all(self.fd, bytes).map_err(|error| format!("write error: {error}"))
    }

    fn add(&mut self, path: &str, depth: u32) -> Result<(), String> {
        if excluded(self.opts, path) {
            return Ok(());
        }
        let found = match if self.opts.has('h') { stat(path) } else { lstat(path) } {
            Ok(stat) => stat,
            Err(error) => {
                complain!("tar", "{path}: {error}");
                self.code = 1;
                return Ok(());
            }
        };
        let mut name = path.trim_start_matches('/').to_owned();
        if name.len() != path.len() && !std::mem::replace(&mut self.warned, true) {
            write_error("tar: removing leading '/' from member names\n");
        }
        if name.is_empty() {
            "./".clone_into(&mut name);
        }
        let directory = found.file_type == FileType::Directory;
        if directory && !name.ends_with('/') {
            name.push('/');
        }
        if self.opts.has('v') {
            write_error(&format!("{name}\n"));
        }
        let mut header = Header {
            name: name.clone(),
            mode: found.mode.0,
            uid: found.uid,
            gid: found.gid,
            user: self
                .users
                .by_uid(found.uid)
                .map_or(String::new(), |user| user.name.clone()),
            group: self.users.group_by_gid(found.gid).unwrap_or("").to_owned(),
            mtime: found.mtime.as_secs(),
            ..Header::default()
        };
        let key = (found.dev.to_u64(), found.ino);
        header.kind = match found.file_type {
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Symlink(read_link(path).unwrap_or_default()),
            FileType::Fifo => Kind::Fifo,
            FileType::CharDevice => Kind::Char(found.rdev.major, found.rdev.minor),
            FileType::BlockDevice => Kind::Block(found.rdev.major, found.rdev.minor),
            FileType::Socket => {
                complain!("tar", "{path}: socket ignored");
                return Ok(());
            }
            FileType::Regular => match self.seen.get(&key) {
                Some(first) if found.nlink > 1 => Kind::Link(first.clone()),
                _ => Kind::Regular,
            },
        };
        if header.kind == Kind::Regular {
            self.seen.insert(key, name);
            let mut input = match Input::open(path) {
                Ok(input) => input,
                Err(error) => {
                    complain!("tar", "can't open '{path}': {error}");
                    self.code = 1;
                    return Ok(());
                }
            };
            header.size = found.size;
            self.write(&header.to_bytes())?;
            return self.content(&mut input, found.size, path);
        }
        self.write(&header.to_bytes())?;
        if directory && !self.opts.has('4') && depth < 200 {
            let mut entries = read_dir(path).map_err(|error| format!("can't open '{path}': {error}"))?;
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            for entry in entries {
                self.add(&join(path, &entry.name), depth + 1)?;
            }
        }
        Ok(())
    }

    /// Exactly as much as the header promised, filled up to whole blocks.
    fn content(&self, input: &mut Input, size: u64, path: &str) -> Result<(), String> {
        let mut left = size;
        let mut buffer = vec![0; 65536];
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let count = input.read(buffer.get_mut(..most).unwrap_or_default()).unwrap_or(0);
            if count == 0 {
                return Err(format!("short read from {path}"));
            }
            self.write(buffer.get(..count).unwrap_or_default())?;
            left -= count as u64;
        }
        let padding = usize::try_from(size.next_multiple_of(512) - size).unwrap_or(0);
        self.write([0; 512].get(..padding).unwrap_or_default())
    }
}

fn excluded(opts: &Opts, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    opts.values('X').any(|pattern| {
        let name = path.rsplit('/').next().unwrap_or(path);
        crate::util::glob::matches(pattern, path, false) || crate::util::glob::matches(pattern, name, false)
    })
}

fn read(opts: &Opts, mut input: Input, extract: bool) -> Result<i32, String> {
    let strip: usize = match opts.value('1') {
        None => 0,
        Some(text) => text.parse().map_err(|_| format!("invalid number '{text}'"))?,
    };
    let wanted: Vec<&str> = opts.args.iter().map(|arg| arg.trim_matches('/')).collect();
    let mut found = vec![false; wanted.len()];
    let mut out = Out::stdout();
    let mut code = 0;
    // Modes and times of directories are set when nothing is put into them any more.
    let mut directories = Vec::new();
    while let Some(header) = archive::next(&mut input)? {
        let plain = header.name.trim_matches('/');
        let mut chosen = wanted.is_empty() && !excluded(opts, &header.name);
        for (name, found) in wanted.iter().zip(&mut found) {
            if plain == *name || plain.strip_prefix(*name).is_some_and(|rest| rest.starts_with('/')) {
                (chosen, *found) = (!excluded(opts, &header.name), true);
            }
        }
        let parts: Vec<&str> = header
            .name
            .split('/')
            .filter(|part| !part.is_empty())
            .skip(strip)
            .collect();
        let path = parts.join("/");
        if !chosen || (strip > 0 && path.is_empty()) {
            archive::skip(&mut input, header.size)?;
            continue;
        }
        if opts.has('v') || !extract {
            let line = if opts.has('v') && !extract {
                long_line(&header)
            } else {
                header.name.clone()
            };
            out.line(&line);
        }
        if !extract {
            archive::skip(&mut input, header.size)?;
        } else if opts.has('O') {
            archive::copy(&mut input, header.size, |bytes| {
                out.bytes(bytes);
                Ok(())
            })?;
        } else {
            let path = if path.is_empty() { ".".to_owned() } else { path };
            // What leads out of the directory is not followed.
            if parts.contains(&"..") {
                complain!("tar", "name with '..' skipped: '{}'", header.name);
                archive::skip(&mut input, header.size)?;
                code = 1;
                continue;
            }
            if !unpack(opts, &mut input, &header, &path)? {
                code = 1;
            }
            if header.kind == Kind::Directory {
                directories.push((path, header));
            }
        }
    }
    for (path, header) in directories.iter().rev() {
        finish(opts, path, header);
    }
    for (name, _) in wanted.iter().zip(&found).filter(|(_, found)| !**found) {
        out.flush();
        complain!("tar", "{name}: not found in archive");
        code = 1;
    }
    Ok(out.finish("tar", code))
}

fn long_line(header: &Header) -> String {
    let kind = match &header.kind {
        Kind::Regular | Kind::Link(_) => FileType::Regular,
        Kind::Directory => FileType::Directory,
        Kind::Symlink(_) => FileType::Symlink,
        Kind::Fifo => FileType::Fifo,
        Kind::Char(..) => FileType::CharDevice,
        Kind::Block(..) => FileType::BlockDevice,
    };
    let owner = |name: &str, id: u32| {
        if name.is_empty() {
            id.to_string()
        } else {
            name.to_owned()
        }
    };
    let (user, group) = (owner(&header.user, header.uid), owner(&header.group, header.gid));
    let date = Date::from_seconds(i64::try_from(header.mtime).unwrap_or(0)).format("%Y-%m-%d %H:%M:%S");
    let target = match &header.kind {
        Kind::Symlink(target) | Kind::Link(target) => format!(" -> {target}"),
        _ => String::new(),
    };
    let mode = mode::to_text(kind, Mode(header.mode));
    format!("{mode} {user}/{group} {:9} {date} {}{target}", header.size, header.name)
}

/// Makes the file; `false` after a failure that has been told.
fn unpack(opts: &Opts, input: &mut Input, header: &Header, path: &str) -> Result<bool, String> {
    let parent = super::paths::parent(path);
    if parent != "." {
        // Archives may leave out directories.
        let ends = parent
            .char_indices()
            .filter(|(_, c)| *c == '/')
            .map(|(at, _)| at)
            .chain([parent.len()]);
        for end in ends {
            let _ = sys::mkdirat(Fd::CWD, parent.get(..end).unwrap_or(parent), Mode(0o777));
        }
    }
    if header.kind != Kind::Directory && lstat(path).is_ok() {
        if opts.has('k') {
            archive::skip(input, header.size)?;
            return Ok(true);
        }
        let _ = sys::unlinkat(Fd::CWD, path, false);
    }
    let mode = Mode(header.mode & 0o777);
    let device = |major, minor| podsim_sys::DeviceNumber { major, minor };
    let made = match &header.kind {
        Kind::Regular => {
            // EXCL: nobody's link is followed.
            let flags = OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::EXCL | OpenFlags::CLOEXEC;
            match sys::openat(Fd::CWD, path, flags, mode) {
                Ok(fd) => {
                    let copied = archive::copy(input, header.size, |bytes| write_all(fd, bytes));
                    let _ = sys::close(fd);
                    copied?;
                    Ok(())
                }
                Err(error) => {
                    archive::skip(input, header.size)?;
                    Err(error)
                }
            }
        }
        Kind::Directory => match sys::mkdirat(Fd::CWD, path, Mode(0o755)) {
            Err(Errno::EEXIST) if crate::util::files::is_dir(path) => Ok(()),
            other => other,
        },
        Kind::Symlink(target) => sys::symlinkat(target, Fd::CWD, path),
        Kind::Link(target) => sys::linkat(Fd::CWD, target.trim_start_matches('/'), Fd::CWD, path, false),
        Kind::Fifo => sys::mknodat(Fd::CWD, path, FileType::Fifo, mode, device(0, 0)),
        Kind::Char(major, minor) => sys::mknodat(Fd::CWD, path, FileType::CharDevice, mode, device(*major, *minor)),
        Kind::Block(major, minor) => sys::mknodat(Fd::CWD, path, FileType::BlockDevice, mode, device(*major, *minor)),
    };
    if let Err(error) = made {
        complain!("tar", "can't create '{path}': {error}");
        return Ok(false);
    }
    if header.kind != Kind::Directory && !matches!(header.kind, Kind::Link(_)) {
        finish(opts, path, header);
    }
    Ok(true)
}

/// Owner (for root), mode and time.
fn finish(opts: &Opts, path: &str, header: &Header) {
    if !opts.has('o') && sys::credentials().euid == 0 {
        let _ = sys::fchownat(Fd::CWD, path, Some(header.uid), Some(header.gid), false);
    }
    let symlink = matches!(header.kind, Kind::Symlink(_));
    if !symlink {
        let mask = sys::umask(Mode(0));
        sys::umask(mask);
        let mode = if opts.has('2') {
            header.mode & !mask.0
        } else {
            header.mode
        };
        let _ = sys::fchmodat(Fd::CWD, path, Mode(mode));
    }
    if !opts.has('m') {
        let time = SetTime::To(Duration::from_secs(header.mtime));
        let _ = sys::utimensat(Fd::CWD, path, time, time, false);
    }
}

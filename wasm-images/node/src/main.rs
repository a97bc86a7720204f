//! `ls` as GNU coreutils shows it: what people see on a node. (The containers have BusyBox's.)
//!
//! * [`quote`]: names on a terminal. * [`layout`]: columns and aligned long lines.

mod layout;
mod quote;

use busybox::util::clock::{Date, now};
use busybox::util::files::{lstat, read_dir_with_dots, read_link, stat};
use busybox::util::opts::{self, Opts};
use busybox::util::users::Users;
use busybox::util::{Out, join, mode, out::write_error};
use layout::{Cell, LongLine};
use podsim_sys::{Fd, FileType, Stat};

const LONGS: &[(&str, char)] = &[
    ("all", 'a'),
    ("almost-all", 'A'),
    ("directory", 'd'),
    ("human-readable", 'h'),
    ("inode", 'i'),
    ("numeric-uid-gid", 'n'),
    ("recursive", 'R'),
    ("reverse", 'r'),
    ("size", 's'),
    ("dereference", 'L'),
    ("classify", 'F'),
    ("full-time", '!'),
    ("literal", 'N'),
    ("color", '^'),
    ("help", '?'),
];

struct Entry {
    name: String,
    path: String,
    stat: Stat,
    target: Option<(String, Option<Stat>)>,
}

struct Ls {
    opts: Opts,
    users: Users,
    out: Out,
    tty: bool,
    long: bool,
    width: usize,
    now: i64,
    /// 1: a file in a directory could not be shown; 2: one of the command line.
    code: i32,
}

fn main() {
    podsim_guest::init();
    let args = podsim_guest::args();
    let code = match opts::read(
        args.get(1..).unwrap_or_default(),
        "1AaCcdFghiLlmnNopRrSstuUvxXw:!^::?",
        LONGS,
    ) {
        Ok(Some(opts)) if !opts.has('?') => Ls::new(opts).run(),
        Ok(_) => {
            let mut out = Out::stdout();
            out.text("Usage: ls [OPTION]... [FILE]...\nList information about the FILEs (the current directory by default).\n");
            out.text("Sort entries alphabetically if none of -ctuvSUX is specified.\n");
            out.finish("ls", 0)
        }
        Err(message) => {
            write_error(&format!("ls: {message}\nTry 'ls --help' for more information.\n"));
            2
        }
    };
    podsim_guest::exit(code);
}

impl Ls {
    fn new(opts: Opts) -> Self {
        let tty = podsim_guest::isatty(Fd::STDOUT).unwrap_or(false);
        let window = if tty {
            podsim_guest::get_winsize(Fd::STDOUT).map_or(0, |size| usize::from(size.cols))
        } else {
            0
        };
        let width = opts
            .value('w')
            .and_then(|w| w.parse().ok())
            .unwrap_or(if window > 0 { window } else { 80 });
        let long = matches!(opts.last_of("1Cxlgno!"), Some('l' | 'g' | 'n' | 'o' | '!'));
        Self {
            users: Users::load(),
            out: Out::stdout(),
            tty,
            long,
            width,
            now: now().seconds,
            code: 0,
            opts,
        }
    }

    fn run(mut self) -> i32 {
        let named = self.opts.args.clone();
        let names = if named.is_empty() { vec![".".to_owned()] } else { named };
        let several = names.len() > 1 || self.opts.has('R');
        let (mut files, mut dirs) = (Vec::new(), Vec::new());
        for name in names {
            let follow = self.opts.has('L') || !(self.long || self.opts.has('d') || self.opts.has('F'));
            let found = if follow || name.ends_with('/') {
                stat(&name).or_else(|_| lstat(&name))
            } else {
                lstat(&name)
            };
            match found {
                Ok(stat) => {
                    let entry = self.entry(name.clone(), name, stat);
                    let is_dir = entry.stat.file_type == FileType::Directory && !self.opts.has('d');
                    if is_dir { dirs.push(entry) } else { files.push(entry) }
                }
                Err(error) => {
                    self.out.flush();
                    write_error(&format!("ls: cannot access {}: {error}\n", quote::always(&name)));
                    self.code = 2;
                }
            }
        }
        let mut first = files.is_empty();
        if !files.is_empty() {
            self.sort(&mut files);
            self.show(&files);
        }
        self.sort(&mut dirs);
        for dir in dirs {
            self.directory(&dir.path, several || !first, &mut first, 2, 0);
        }
        self.out.finish("ls", self.code)
    }

    fn entry(&self, name: String, path: String, found: Stat) -> Entry {
        let wanted = found.file_type == FileType::Symlink && (self.long || self.opts.has('F'));
        let target = wanted.then(|| (read_link(&path).unwrap_or_default(), stat(&path).ok()));
        Entry {
            name,
            path,
            stat: found,
            target,
        }
    }

    fn directory(&mut self, path: &str, header: bool, first: &mut bool, severity: i32, depth: u32) {
        let found = match read_dir_with_dots(path) {
            Ok(found) => found,
            Err(error) => {
                self.out.flush();
                write_error(&format!("ls: cannot open directory {}: {error}\n", quote::always(path)));
                self.code = self.code.max(severity);
                return;
            }
        };
        if header {
            let shown = if self.quotes() {
                quote::where_needed(path).0
            } else {
                path.to_owned()
            };
            busybox::out!(self.out, "{}{shown}:\n", if *first { "" } else { "\n" });
        }
        *first = false;
        let mut entries = Vec::new();
        for item in found {
            let dots = item.name == "." || item.name == "..";
            let hidden = item.name.starts_with('.');
            if (dots && !self.opts.has('a')) || (hidden && !self.opts.has('a') && !self.opts.has('A')) {
                continue;
            }
            let full = join(path, &item.name);
            let result = if self.opts.has('L') { stat(&full) } else { lstat(&full) };
            match result {
                Ok(stat) => entries.push(self.entry(item.name, full, stat)),
                Err(error) => {
                    self.out.flush();
                    write_error(&format!("ls: cannot access {}: {error}\n", quote::always(&full)));
                    self.code = self.code.max(1);
                }
            }
        }
        self.sort(&mut entries);
        if self.long || self.opts.has('s') {
            let blocks: u64 = entries.iter().map(|entry| entry.stat.blocks).sum();
            let total = if self.opts.has('h') {
                gnu_size(blocks * 512)
            } else {
                (blocks / 2).to_string()
            };
            busybox::out!(self.out, "total {total}\n");
        }
        self.show(&entries);
        if self.opts.has('R') && depth < 200 {
            for entry in entries {
                if entry.stat.file_type == FileType::Directory && entry.name != "." && entry.name != ".." {
                    self.directory(&entry.path, true, first, 1, depth + 1);
                }
            }
        }
    }

    fn sort(&self, entries: &mut [Entry]) {
        if self.opts.has('U') {
            return;
        }
        let time = |entry: &Entry| match self.opts.last_of("cu") {
            Some('c') => entry.stat.ctime,
            Some('u') => entry.stat.atime,
            _ => entry.stat.mtime,
        };
        entries.sort_by(|a, b| {
            let order = match self.opts.last_of("StX") {
                Some('S') => b.stat.size.cmp(&a.stat.size),
                Some('t') => time(b).cmp(&time(a)),
                Some(_) => a
                    .name
                    .rsplit_once('.')
                    .map(|n| n.1)
                    .cmp(&b.name.rsplit_once('.').map(|n| n.1)),
                None => std::cmp::Ordering::Equal,
            };
            let order = order.then_with(|| a.name.cmp(&b.name));
            if self.opts.has('r') { order.reverse() } else { order }
        });
    }

    /// GNU ls quotes only for people.
    fn quotes(&self) -> bool {
        self.tty && !self.opts.has('N')
    }

    fn show(&mut self, entries: &[Entry]) {
        let names: Vec<(String, bool)> = entries
            .iter()
            .map(|entry| {
                if self.quotes() {
                    quote::where_needed(&entry.name)
                } else {
                    (entry.name.clone(), false)
                }
            })
            .collect();
        // Where one name has quotes, the others are moved by one so that the letters stand below each other.
        let pad = names.iter().any(|(_, quoted)| *quoted);
        let names: Vec<String> = names
            .into_iter()
            .map(|(name, quoted)| if pad && !quoted { format!(" {name}") } else { name })
            .collect();
        if self.long {
            let lines: Vec<LongLine> = entries
                .iter()
                .zip(names)
                .map(|(entry, name)| self.long_line(entry, name))
                .collect();
            self.out.text(&layout::long(&lines));
            return;
        }
        let cells: Vec<Cell> = entries
            .iter()
            .zip(names)
            .map(|(entry, name)| {
                let mut text = String::new();
                if self.opts.has('i') {
                    text.push_str(&format!("{} ", entry.stat.ino));
                }
                if self.opts.has('s') {
                    text.push_str(&format!("{} ", entry.stat.blocks / 2));
                }
                Cell::new(text + &name + self.indicator(&entry.stat))
            })
            .collect();
        let in_columns = match self.opts.last_of("1Cxm") {
            Some('1') => false,
            Some(_) => true,
            None => self.tty,
        };
        let text = if in_columns {
            layout::columns(&cells, self.width, self.opts.has('x'))
        } else {
            layout::columns(&cells, 1, false)
        };
        self.out.text(&text);
    }

    fn long_line(&self, entry: &Entry, mut name: String) -> LongLine {
        let stat = &entry.stat;
        match &entry.target {
            Some((target, of)) => {
                let target = if self.quotes() {
                    quote::where_needed(target).0
                } else {
                    target.clone()
                };
                name.push_str(&format!(
                    " -> {target}{}",
                    of.as_ref().map_or("", |stat| self.indicator(stat))
                ));
            }
            None => name.push_str(self.indicator(stat)),
        }
        let numeric = self.opts.has('n');
        let size = match stat.file_type {
            FileType::CharDevice | FileType::BlockDevice => format!("{}, {}", stat.rdev.major, stat.rdev.minor),
            _ if self.opts.has('h') => gnu_size(stat.size),
            _ => stat.size.to_string(),
        };
        let time = match self.opts.last_of("cu") {
            Some('c') => stat.ctime,
            Some('u') => stat.atime,
            _ => stat.mtime,
        };
        let date = Date::from_epoch(time);
        // Half of an average Gregorian year, as coreutils counts it.
        let recent = date.seconds <= self.now && self.now - date.seconds < 31_556_952 / 2;
        let when = if self.opts.has('!') {
            date.format("%Y-%m-%d %H:%M:%S.%N %z")
        } else {
            date.format(if recent { "%b %e %H:%M" } else { "%b %e  %Y" })
        };
        LongLine {
            inode: self.opts.has('i').then(|| stat.ino.to_string()),
            blocks: self.opts.has('s').then(|| (stat.blocks / 2).to_string()),
            mode: mode::to_text(stat.file_type, stat.mode),
            links: stat.nlink.to_string(),
            owner: (!self.opts.has('g')).then(|| {
                if numeric {
                    stat.uid.to_string()
                } else {
                    self.users.user_name(stat.uid)
                }
            }),
            group: (!self.opts.has('o')).then(|| {
                if numeric {
                    stat.gid.to_string()
                } else {
                    self.users.group_name(stat.gid)
                }
            }),
            size,
            when,
            name,
        }
    }

    fn indicator(&self, stat: &Stat) -> &'static str {
        let full = self.opts.has('F');
        match stat.file_type {
            FileType::Directory if full || self.opts.has('p') => "/",
            FileType::Symlink if full && !self.long => "@",
            FileType::Socket if full => "=",
            FileType::Fifo if full => "|",
            FileType::Regular if full && stat.mode.0 & 0o111 != 0 => "*",
            _ => "",
        }
    }
}

/// coreutils rounds up: `1.1K`, `12K`.
fn gnu_size(bytes: u64) -> String {
    if bytes < 1024 {
        return bytes.to_string();
    }
    let (mut unit, mut scale) = (0, 1024u64);
    while unit < 5 && bytes.div_ceil(scale) >= 1024 {
        scale = scale.saturating_mul(1024);
        unit += 1;
    }
    let suffix = ["K", "M", "G", "T", "P", "E"].get(unit).copied().unwrap_or("");
    let tenths = bytes.saturating_mul(10).div_ceil(scale);
    if tenths < 100 {
        format!("{}.{}{suffix}", tenths / 10, tenths % 10)
    } else {
        format!("{}{suffix}", bytes.div_ceil(scale))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_rounded_up() {
        for (bytes, want) in [
            (0, "0"),
            (1023, "1023"),
            (1024, "1.0K"),
            (1025, "1.1K"),
            (10_240, "10K"),
            (1_048_575, "1.0M"),
        ] {
            assert_eq!(super::gnu_size(bytes), want);
        }
    }
}

//! `ls`.

use crate::complain;
use crate::util::clock::{Date, now};
use crate::util::files::{lstat, read_dir_with_dots, read_link, stat};
use crate::util::{Opts, Out, human, join, mode, parse, users::Users};
use podsim_guest as sys;
use podsim_sys::{Fd, FileType, Stat};
use std::cmp::Ordering;

struct Entry {
    /// What is shown.
    name: String,
    path: String,
    stat: Stat,
    target: Option<(String, Option<Stat>)>,
}

struct Ls {
    opts: Opts,
    users: Users,
    out: Out,
    now: i64,
    width: usize,
    columns: Columns,
    color: bool,
    code: i32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Columns {
    Down,
    Across,
    One,
    Long,
}

/// `ls [-1AaCxdLHRFplinshrSXvctu] [-w WIDTH] [FILE]...`
pub fn main(args: &[String]) -> i32 {
    let longs = [
        ("full-time", '!'),
        ("group-directories-first", '%'),
        ("color", '^'),
        ("all", 'a'),
        ("almost-all", 'A'),
    ];
    let opts = match parse(args, "1AaCxdLHRFplginshrSXvctukw:!%^::", &longs) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let tty = sys::isatty(Fd::STDOUT).unwrap_or(false);
    let window = if tty {
        sys::get_winsize(Fd::STDOUT).map_or(0, |w| w.cols)
    } else {
        0
    };
    let width = match opts.value('w').map(str::parse) {
        Some(Ok(width)) => width,
        Some(Err(_)) => {
            complain!("ls", "invalid number '{}'", opts.value('w').unwrap_or(""));
            return 1;
        }
        None if window > 0 => usize::from(window),
        None => 80,
    };
    let columns = match opts.last_of("1Cxlgn!") {
        Some('l' | 'g' | 'n' | '!') => Columns::Long,
        Some('1') => Columns::One,
        Some('C') => Columns::Down,
        Some('x') => Columns::Across,
        _ if tty => Columns::Down,
        _ => Columns::One,
    };
    let color = opts.has('^')
        && matches!(
            (opts.value('^'), tty),
            (None | Some("always" | "yes" | "force"), _) | (Some("auto"), true)
        );
    let now = now().seconds;
    Ls {
        opts,
        users: Users::load(),
        out: Out::stdout(),
        now,
        width,
        columns,
        color,
        code: 0,
    }
    .run()
}

impl Ls {
    fn run(mut self) -> i32 {
        let names = if self.opts.args.is_empty() {
            vec![".".to_owned()]
        } else {
            self.opts.args.clone()
        };
        let several = names.len() > 1 || self.opts.has('R');
        let (mut files, mut dirs) = (Vec::new(), Vec::new());
        for name in names {
            // A link to a directory on the command line is followed, except where the link itself is asked for.
            let follow = self.opts.has('L')
                || self.opts.has('H')
                || !(self.columns == Columns::Long || self.opts.has('d') || self.opts.has('F'));
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
                    complain!("ls", "{name}: {error}");
                    self.code = 1;
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
            self.show_dir(&dir.path, several || !first, &mut first, 0);
        }
        self.out.finish("ls", self.code)
    }

    fn entry(&self, name: String, path: String, stat_of: Stat) -> Entry {
        let wants_target = self.columns == Columns::Long || self.color || self.opts.has('F') || self.opts.has('p');
        let target = (stat_of.file_type == FileType::Symlink && wants_target)
            .then(|| (read_link(&path).unwrap_or_default(), stat(&path).ok()));
        Entry {
            name,
            path,
            stat: stat_of,
            target,
        }
    }

    fn show_dir(&mut self, path: &str, header: bool, first: &mut bool, depth: u32) {
        let entries = match read_dir_with_dots(path) {
            Ok(entries) => entries,
            Err(error) => {
                self.out.flush();
                complain!("ls", "can't open '{path}': {error}");
                self.code = 1;
                return;
            }
        };
        if header {
            crate::out!(self.out, "{}{path}:\n", if *first { "" } else { "\n" });
        }
        *first = false;
        let mut shown = Vec::new();
        for found in entries {
            let dots = found.name == "." || found.name == "..";
            let visible = if dots {
                self.opts.has('a')
            } else {
                !found.name.starts_with('.') || self.opts.has('a') || self.opts.has('A')
            };
            if !visible {
                continue;
            }
            let full = join(path, &found.name);
            let result = if self.opts.has('L') {
                stat(&full).or_else(|_| lstat(&full))
            } else {
                lstat(&full)
            };
            match result {
                Ok(stat) => shown.push(self.entry(found.name, full, stat)),
                Err(error) => {
                    complain!("ls", "{full}: {error}");
                    self.code = 1;
                }
            }
        }
        self.sort(&mut shown);
        if self.columns == Columns::Long || self.opts.has('s') {
            let blocks: u64 = shown.iter().map(|entry| entry.stat.blocks).sum();
            if self.opts.has('h') {
                crate::out!(self.out, "total {}\n", human::short(blocks * 512));
            } else {
                crate::out!(self.out, "total {}\n", blocks / 2);
            }
        }
        self.show(&shown);
        // The kernel ends paths that are too long; the depth is only a guard for the stack.
        if self.opts.has('R') && depth < 200 {
            for entry in shown {
                if entry.stat.file_type == FileType::Directory && entry.name != "." && entry.name != ".." {
                    self.show_dir(&entry.path, true, first, depth + 1);
                }
            }
        }
    }

    fn sort(&self, entries: &mut [Entry]) {
        let time = |entry: &Entry| match self.opts.last_of("cu") {
            Some('c') => entry.stat.ctime,
            Some('u') => entry.stat.atime,
            _ => entry.stat.mtime,
        };
        let extension = |entry: &Entry| {
            entry
                .name
                .rsplit_once('.')
                .map_or(String::new(), |(_, ext)| ext.to_owned())
        };
        entries.sort_by(|a, b| {
            let order = match self.opts.last_of("StXv") {
                Some('S') => b.stat.size.cmp(&a.stat.size),
                Some('t') => time(b).cmp(&time(a)),
                Some('X') => extension(a).cmp(&extension(b)),
                Some('v') => version_order(&a.name, &b.name),
                _ => Ordering::Equal,
            };
            let order = order.then_with(|| a.name.cmp(&b.name));
            if self.opts.has('r') { order.reverse() } else { order }
        });
        if self.opts.has('%') {
            entries.sort_by_key(|entry| entry.stat.file_type != FileType::Directory);
        }
    }

    fn show(&mut self, entries: &[Entry]) {
        if matches!(self.columns, Columns::One | Columns::Long) {
            for entry in entries {
                let (line, _) = self.format(entry);
                self.out.line(&line);
            }
            return;
        }
        let cells: Vec<(String, usize)> = entries.iter().map(|entry| self.format(entry)).collect();
        let across = self.columns == Columns::Across;
        self.out.text(&in_columns(&cells, self.width, across));
    }

    /// An entry's line or cell, and how wide it is on the screen.
    fn format(&self, entry: &Entry) -> (String, usize) {
        let mut text = String::new();
        let has = |option| self.opts.has(option);
        if has('i') {
            text.push_str(&format!("{:7} ", entry.stat.ino));
        }
        if has('s') {
            text.push_str(&format!("{:6} ", entry.stat.blocks / 2));
        }
        if self.columns == Columns::Long {
            text.push_str(&self.long(entry));
        }
        let mut width = text.chars().count();
        let name = printable(&entry.name);
        width += name.chars().count();
        text.push_str(&self.colored(
            &name,
            &entry.stat,
            entry.target.as_ref().is_some_and(|(_, stat)| stat.is_none()),
        ));
        let mut indicated = Some(&entry.stat);
        if self.columns == Columns::Long
            && let Some((target, stat)) = &entry.target
        {
            text.push_str(" -> ");
            text.push_str(&printable(target));
            indicated = stat.as_ref();
        }
        if let Some(letter) = indicated.and_then(|stat| self.indicator(stat)) {
            text.push(letter);
            width += 1;
        }
        (text, width)
    }

    fn long(&self, entry: &Entry) -> String {
        let stat = &entry.stat;
        let names = !self.opts.has('n');
        let owner = if names {
            self.users.user_name(stat.uid)
        } else {
            stat.uid.to_string()
        };
        let group = if names {
            self.users.group_name(stat.gid)
        } else {
            stat.gid.to_string()
        };
        let ids = if self.opts.has('g') {
            format!("{group:<8.8} ")
        } else {
            format!("{owner:<8.8} {group:<8.8} ")
        };
        let size = match stat.file_type {
            FileType::CharDevice | FileType::BlockDevice => format!("{:4}, {:3} ", stat.rdev.major, stat.rdev.minor),
            _ if self.opts.has('h') => format!("{:>7} ", human::short(stat.size)),
            _ => format!("{:9} ", stat.size),
        };
        let time = match self.opts.last_of("cu") {
            Some('c') => stat.ctime,
            Some('u') => stat.atime,
            _ => stat.mtime,
        };
        let date = Date::from_epoch(time);
        let when = if self.opts.has('!') {
            date.format("%Y-%m-%d %H:%M:%S %z")
        } else {
            let age = self.now - date.seconds;
            let recent = (-15 * 60..=365 * 86400 / 2).contains(&age);
            date.format(if recent { "%b %e %H:%M" } else { "%b %e  %Y" })
        };
        format!(
            "{} {:4} {ids}{size}{when} ",
            mode::to_text(stat.file_type, stat.mode),
            stat.nlink
        )
    }

    fn indicator(&self, stat: &Stat) -> Option<char> {
        let full = self.opts.has('F');
        match stat.file_type {
            FileType::Directory if full || self.opts.has('p') => Some('/'),
            FileType::Symlink if full => Some('@'),
            FileType::Socket if full => Some('='),
            FileType::Fifo if full => Some('|'),
            FileType::Regular if full && stat.mode.0 & 0o111 != 0 => Some('*'),
            _ => None,
        }
    }

    fn colored(&self, name: &str, stat: &Stat, broken: bool) -> String {
        if !self.color {
            return name.to_owned();
        }
        let code = match stat.file_type {
            _ if broken => "1;31",
            FileType::Directory => "1;34",
            FileType::Symlink => "1;36",
            FileType::Fifo => "0;33",
            FileType::Socket => "1;35",
            FileType::CharDevice | FileType::BlockDevice => "1;33",
            FileType::Regular if stat.mode.0 & 0o111 != 0 => "1;32",
            FileType::Regular => "0",
        };
        format!("\x1b[{code}m{name}\x1b[m")
    }
}

/// Control characters would upset the terminal.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Lays cells out in columns that are as wide as the widest and two more.
#[must_use]
pub fn in_columns(cells: &[(String, usize)], width: usize, across: bool) -> String {
    let column = cells.iter().map(|(_, w)| *w).max().unwrap_or(0) + 2;
    let columns = (width / column).max(1);
    let mut rows = if columns > 1 {
        cells.len() / columns
    } else {
        cells.len()
    };
    if rows * columns < cells.len() {
        rows += 1;
    }
    let mut text = String::new();
    for row in 0..rows {
        let mut gap = 0;
        for place in 0..columns {
            let index = if across {
                row * columns + place
            } else {
                place * rows + row
            };
            if let Some((cell, cell_width)) = cells.get(index) {
                text.push_str(&" ".repeat(gap));
                text.push_str(cell);
                gap = column - cell_width;
            }
        }
        text.push('\n');
    }
    text
}

/// `strverscmp(3)` as far as people notice: runs of digits compare as numbers.
#[must_use]
pub fn version_order(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let (Some(x), Some(y)) = (a.first(), b.first()) else {
            return a.len().cmp(&b.len());
        };
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let run = |s: &[u8]| s.iter().take_while(|c| c.is_ascii_digit()).count();
            let (na, nb) = (run(a), run(b));
            let strip = |s: &[u8]| s.iter().copied().skip_while(|c| *c == b'0').collect::<Vec<_>>();
            let (da, db) = (
                strip(a.get(..na).unwrap_or_default()),
                strip(b.get(..nb).unwrap_or_default()),
            );
            let order = da.len().cmp(&db.len()).then_with(|| da.cmp(&db));
            if order != Ordering::Equal {
                return order;
            }
            a = a.get(na..).unwrap_or_default();
            b = b.get(nb..).unwrap_or_default();
        } else if x == y {
            a = a.get(1..).unwrap_or_default();
            b = b.get(1..).unwrap_or_default();
        } else {
            return x.cmp(y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fill_columns_downwards_or_across() {
        let cells: Vec<_> = ["a", "bb", "ccc", "d", "e"].map(|n| (n.to_owned(), n.len())).into();
        assert_eq!(in_columns(&cells, 15, false), "a    ccc  e\nbb   d\n");
        assert_eq!(in_columns(&cells, 15, true), "a    bb   ccc\nd    e\n");
        assert_eq!(in_columns(&cells, 3, false), "a\nbb\nccc\nd\ne\n");
    }

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        assert_eq!(version_order("v9", "v10"), Ordering::Less);
        assert_eq!(version_order("a1b", "a01b"), Ordering::Equal);
        assert_eq!(version_order("a", "ab"), Ordering::Less);
    }
}

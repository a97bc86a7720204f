//! `df`, `du`, `free` and `uptime`.

use super::mount::{Entry, mounts};
use crate::util::clock::now;
use crate::util::files::{lstat, read_dir, read_text, stat};
use crate::util::{Opts, Out, human, join, parse, procfs};
use crate::{complain, out};
use podsim_guest as sys;
use podsim_sys::FileType;
use std::collections::HashSet;

/// `df [-PkmhTai] [-B SIZE] [-t TYPE] [FILESYSTEM]...`
pub fn df(args: &[String]) -> i32 {
    let opts = match parse(args, "PkmhTaiB:t:", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let unit = match (opts.value('B').map(human::parse_size), opts.last_of("km")) {
        (Some(None | Some(0)), _) => {
            complain!("df", "invalid number '{}'", opts.value('B').unwrap_or(""));
            return 1;
        }
        (Some(Some(size)), _) => size,
        (None, Some('m')) => 1 << 20,
        _ => 1024,
    };
    let heading = match unit {
        _ if opts.has('i') => "Inodes".to_owned(),
        _ if opts.has('h') => "Size".to_owned(),
        1024 if opts.has('P') => "1024-blocks".to_owned(),
        1024 => "1K-blocks".to_owned(),
        0x10_0000 => "1M-blocks".to_owned(),
        size => format!("{size}-blocks"),
    };
    let mut out = Out::stdout();
    let percent = if opts.has('P') { "Capacity" } else { "Use%" };
    let kind = if opts.has('T') {
        format!(" {:<10}", "Type")
    } else {
        String::new()
    };
    let (used, free, percent) = if opts.has('i') {
        ("Used", "Available", "Use%")
    } else {
        ("Used", "Available", percent)
    };
    let width = if opts.has('h') { "      " } else { "" };
    out!(
        out,
        "Filesystem          {kind} {width}{heading:>9}{used:>10} {free:>9} {percent:>4} Mounted on\n"
    );
    let table = mounts();
    let mut code = 0;
    let mut chosen: Vec<Entry> = Vec::new();
    if opts.args.is_empty() {
        chosen = table;
    } else {
        for path in &opts.args {
            match mount_of(&table, path) {
                Some(entry) => chosen.push(entry),
                None => {
                    out.flush();
                    complain!("df", "{path}: can't find mount point");
                    code = 1;
                }
            }
        }
    }
    for entry in chosen {
        if opts
            .value('t')
            .is_some_and(|list| !list.split(',').any(|t| t == entry.fstype))
        {
            continue;
        }
        show(&mut out, &opts, &entry, unit);
    }
    out.finish("df", code)
}

fn mount_of(table: &[Entry], path: &str) -> Option<Entry> {
    let full = super::paths::canonical(path, false).ok()?;
    let above = |entry: &&Entry| {
        let target = entry.target.trim_end_matches('/');
        full == target || full.starts_with(&format!("{target}/"))
    };
    table
        .iter()
        .filter(above)
        .max_by_key(|entry| entry.target.len())
        .cloned()
}

fn show(out: &mut Out, opts: &Opts, entry: &Entry, unit: u64) {
    let Ok(stat) = sys::statfs(&entry.target) else { return };
    if stat.blocks == 0 && opts.args.is_empty() && !opts.has('a') {
        return;
    }
    let (total, free) = if opts.has('i') {
        (stat.files, stat.files_free)
    } else {
        (stat.blocks, stat.blocks_free)
    };
    let used = total.saturating_sub(free);
    let percent = match used + free {
        0 => 0,
        sum => (used.saturating_mul(100)).div_ceil(sum),
    };
    let number = |count: u64| match (opts.has('i'), opts.has('h')) {
        (true, _) => count.to_string(),
        (_, true) => human::short(count.saturating_mul(stat.block_size)),
        _ => (count.saturating_mul(stat.block_size) / unit).to_string(),
    };
    out!(out, "{:<20} ", entry.source);
    if opts.has('T') {
        out!(out, "{:<10} ", entry.fstype);
    }
    if entry.source.chars().count() > 20 && !opts.has('P') {
        out!(out, "\n{:21}", "");
    }
    out!(
        out,
        "{:>9} {:>9} {:>9} {percent:>3}% {}\n",
        number(total),
        number(used),
        number(free),
        entry.target
    );
}

/// `du [-aHLdclsxhmkb] [FILE]...`
pub fn du(args: &[String]) -> i32 {
    let opts = match parse(args, "aHLd:clsxhmkb", &[("max-depth", 'd'), ("summarize", 's')]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let depth = match opts.value('d').map(str::parse::<u32>) {
        None => u32::MAX,
        Some(Ok(depth)) => depth,
        Some(Err(_)) => {
            complain!("du", "invalid number '{}'", opts.value('d').unwrap_or(""));
            return 1;
        }
    };
    let names = if opts.args.is_empty() {
        vec![".".to_owned()]
    } else {
        opts.args.clone()
    };
    let mut usage = Usage {
        depth: if opts.has('s') { 0 } else { depth },
        opts,
        out: Out::stdout(),
        seen: HashSet::new(),
        code: 0,
    };
    let mut total = 0;
    for name in &names {
        let (bytes, _) = usage.measure(name, 0, None);
        total += bytes;
    }
    if usage.opts.has('c') {
        usage.line(total, "total");
    }
    let code = usage.code;
    usage.out.finish("du", code)
}

struct Usage {
    opts: Opts,
    depth: u32,
    out: Out,
    /// Files with several names count once.
    seen: HashSet<(u64, u64)>,
    code: i32,
}

impl Usage {
    fn line(&mut self, bytes: u64, name: &str) {
        let size = match self.opts.last_of("hmkb") {
            Some('h') => human::short(bytes),
            Some('m') => bytes.div_ceil(1 << 20).to_string(),
            Some('b') => bytes.to_string(),
            _ => bytes.div_ceil(1024).to_string(),
        };
        out!(self.out, "{size}\t{name}\n");
    }

    fn measure(&mut self, path: &str, level: u32, device: Option<u64>) -> (u64, bool) {
        let follow = self.opts.has('L') || (level == 0 && self.opts.has('H'));
        let found = match if follow { stat(path) } else { lstat(path) } {
            Ok(stat) => stat,
            Err(error) => {
                complain!("du", "{path}: {error}");
                self.code = 1;
                return (0, false);
            }
        };
        let dev = found.dev.to_u64();
        if self.opts.has('x') && device.is_some_and(|of| of != dev) {
            return (0, false);
        }
        if found.nlink > 1
            && found.file_type != FileType::Directory
            && !self.opts.has('l')
            && !self.seen.insert((dev, found.ino))
        {
            return (0, false);
        }
        let mut sum = if self.opts.has('b') {
            found.size
        } else {
            found.blocks * 512
        };
        let directory = found.file_type == FileType::Directory;
        if directory && level < 200 {
            match read_dir(path) {
                Ok(entries) => {
                    for entry in entries {
                        sum += self.measure(&join(path, &entry.name), level + 1, Some(dev)).0;
                    }
                }
                Err(error) => {
                    complain!("du", "can't open '{path}': {error}");
                    self.code = 1;
                }
            }
        }
        if level == 0 || (level <= self.depth && (directory || self.opts.has('a'))) {
            self.line(sum, path);
        }
        (sum, directory)
    }
}

/// `free [-bkmgh]`
pub fn free(args: &[String]) -> i32 {
    let opts = match parse(args, "bkmgh", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let text = read_text("/proc/meminfo").unwrap_or_default();
    let kib = |key: &str| procfs::meminfo(&text, key).unwrap_or(0);
    let number = |kib: u64| match opts.last_of("bkmgh") {
        Some('b') => (kib * 1024).to_string(),
        Some('m') => (kib / 1024).to_string(),
        Some('g') => (kib / (1024 * 1024)).to_string(),
        Some('h') => human::short(kib * 1024),
        _ => kib.to_string(),
    };
    let (total, free) = (kib("MemTotal"), kib("MemFree"));
    let cached = kib("Buffers") + kib("Cached") + kib("SReclaimable");
    let available = procfs::meminfo(&text, "MemAvailable").unwrap_or(free + cached);
    let used = total.saturating_sub(free + cached);
    let mut out = Out::stdout();
    let mut row = |label: &str, cells: &[String]| {
        out!(out, "{label}");
        cells.iter().for_each(|cell| out!(out, " {cell:>11}"));
        out!(out, "\n");
    };
    let headings = ["total", "used", "free", "shared", "buff/cache", "available"].map(str::to_owned);
    row("       ", &headings);
    row(
        "Mem:   ",
        &[total, used, free, kib("Shmem"), cached, available].map(number),
    );
    let (swap, swap_free) = (kib("SwapTotal"), kib("SwapFree"));
    row(
        "Swap:  ",
        &[swap, swap.saturating_sub(swap_free), swap_free].map(number),
    );
    out.finish("free", 0)
}

/// `uptime`
pub fn uptime(_args: &[String]) -> i32 {
    let text = read_text("/proc/uptime").unwrap_or_default();
    let seconds: u64 = text
        .split('.')
        .next()
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or(0);
    let load = read_text("/proc/loadavg").unwrap_or_default();
    let loads: Vec<&str> = load.split_whitespace().take(3).collect();
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    let mut line = format!(" {} up ", now().format("%H:%M:%S"));
    if days > 0 {
        line.push_str(&format!("{days} day{}, ", if days == 1 { "" } else { "s" }));
    }
    if hours > 0 {
        line.push_str(&format!("{hours:2}:{minutes:02}"));
    } else {
        line.push_str(&format!("{minutes} min"));
    }
    line.push_str(&format!(",  0 users,  load average: {}", loads.join(", ")));
    let mut out = Out::stdout();
    out.line(&line);
    out.finish("uptime", 0)
}

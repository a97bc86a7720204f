//! `ps`.

use crate::util::files::read_text;
use crate::util::procfs::{self, Process};
use crate::util::{Opts, Out, parse, users::Users};
use crate::{complain, out};
use podsim_guest as sys;
use podsim_sys::Fd;

/// A column: its name for `-o`, its heading and its width; negative is to the left.
struct Column {
    name: &'static str,
    heading: &'static str,
    width: i8,
    value: fn(&Process, &Context) -> String,
}

struct Context {
    users: Users,
    /// Seconds since boot.
    uptime: u64,
}

const COLUMNS: &[Column] = &[
    Column {
        name: "user",
        heading: "USER",
        width: -8,
        value: |p, c| c.users.user_name(p.euid),
    },
    Column {
        name: "group",
        heading: "GROUP",
        width: -8,
        value: |p, c| c.users.group_name(p.egid),
    },
    Column {
        name: "comm",
        heading: "COMMAND",
        width: -16,
        value: |p, _| p.comm.clone(),
    },
    Column {
        name: "args",
        heading: "COMMAND",
        width: -127,
        value: |p, _| p.command(),
    },
    Column {
        name: "pid",
        heading: "PID",
        width: 5,
        value: |p, _| p.pid.to_string(),
    },
    Column {
        name: "ppid",
        heading: "PPID",
        width: 5,
        value: |p, _| p.ppid.to_string(),
    },
    Column {
        name: "pgid",
        heading: "PGID",
        width: 5,
        value: |p, _| p.pgid.to_string(),
    },
    Column {
        name: "etime",
        heading: "ELAPSED",
        width: 7,
        value: |p, c| elapsed(c.uptime.saturating_sub(p.start / 100)),
    },
    Column {
        name: "nice",
        heading: "NI",
        width: 5,
        value: |p, _| p.nice.to_string(),
    },
    Column {
        name: "rgroup",
        heading: "RGROUP",
        width: -8,
        value: |p, c| c.users.group_name(p.rgid),
    },
    Column {
        name: "ruser",
        heading: "RUSER",
        width: -8,
        value: |p, c| c.users.user_name(p.ruid),
    },
    Column {
        name: "time",
        heading: "TIME",
        width: 5,
        value: |p, _| elapsed(p.cpu_seconds()),
    },
    Column {
        name: "tty",
        heading: "TT",
        width: -6,
        value: |p, _| p.tty_text(),
    },
    Column {
        name: "vsz",
        heading: "VSZ",
        width: 4,
        value: |p, _| four(p.vsize),
    },
    Column {
        name: "sid",
        heading: "SID",
        width: 5,
        value: |p, _| p.sid.to_string(),
    },
    Column {
        name: "stat",
        heading: "STAT",
        width: -4,
        value: |p, _| p.stat_text(),
    },
    Column {
        name: "rss",
        heading: "RSS",
        width: 4,
        value: |p, _| four(p.rss),
    },
];

/// `ps [-o COL1,COL2=HEADER]`: all processes. The options of other `ps` (`au`, `-ef`) are taken and change nothing.
pub fn main(args: &[String]) -> i32 {
    let opts = match parse(args, "o:aAdeflTxuw", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let columns = match chosen(&opts) {
        Ok(columns) => columns,
        Err(message) => {
            complain!("ps", "{message}");
            return 1;
        }
    };
    let uptime = read_text("/proc/uptime").unwrap_or_default();
    let uptime = uptime
        .split('.')
        .next()
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or(0);
    let context = Context {
        users: Users::load(),
        uptime,
    };
    let mut out = Out::stdout();
    let width = screen_width();
    if columns.iter().any(|(_, heading)| !heading.is_empty()) {
        let cells = columns
            .iter()
            .map(|(column, heading)| (heading.clone(), -column.width.abs()));
        out!(out, "{}\n", cut(&row(cells), width));
    }
    for process in procfs::all() {
        let cells = columns
            .iter()
            .map(|(column, _)| ((column.value)(&process, &context), column.width));
        out!(out, "{}\n", cut(&row(cells), width));
    }
    out.finish("ps", 0)
}

fn chosen(opts: &Opts) -> Result<Vec<(&'static Column, String)>, String> {
    let lists: Vec<&str> = opts.values('o').collect();
    let lists = if lists.is_empty() {
        vec!["pid,user,time,args"]
    } else {
        lists
    };
    let mut columns = Vec::new();
    for list in lists {
        let mut items = list.split([',', ' ']).filter(|item| !item.is_empty());
        // A heading may contain commas: it reaches to the end of its list.
        let mut taken = 0;
        for item in items.by_ref() {
            let (name, heading) = match item.split_once('=') {
                Some((name, _)) => {
                    let from = taken + name.len() + 1;
                    (name, Some(list.get(from..).unwrap_or("").to_owned()))
                }
                None => (item, None),
            };
            let Some(column) = COLUMNS.iter().find(|column| column.name == name) else {
                let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
                return Err(format!(
                    "bad -o argument '{name}', supported arguments: {}",
                    names.join(",")
                ));
            };
            let last = heading.is_some();
            columns.push((column, heading.unwrap_or_else(|| column.heading.to_owned())));
            taken += item.len() + 1;
            if last {
                break;
            }
        }
    }
    Ok(columns)
}

/// Cells with a space between; the last is not filled up to its width.
fn row(cells: impl ExactSizeIterator<Item = (String, i8)>) -> String {
    let last = cells.len().saturating_sub(1);
    let mut line = String::new();
    for (index, (cell, width)) in cells.enumerate() {
        let wide = usize::from(width.unsigned_abs());
        let text: String = if width < 0 {
            cell.chars().take(wide.max(8)).collect()
        } else {
            cell
        };
        match (index == last, width < 0) {
            (true, true) => line.push_str(&text),
            (_, true) => line.push_str(&format!("{text:<wide$} ")),
            (true, false) => line.push_str(&format!("{text:>wide$}")),
            (false, false) => line.push_str(&format!("{text:>wide$} ")),
        }
    }
    line
}

fn cut(line: &str, width: usize) -> String {
    line.chars().take(width).collect()
}

/// A terminal's lines are not broken; elsewhere they may be long.
fn screen_width() -> usize {
    if !sys::isatty(Fd::STDOUT).unwrap_or(false) {
        return 4096;
    }
    match sys::get_winsize(Fd::STDOUT).map_or(0, |size| size.cols) {
        0 => 79,
        columns => usize::from(columns) - 1,
    }
}

/// Minutes and seconds; hours and days where there are many.
fn elapsed(seconds: u64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    if minutes < 1000 {
        format!("{minutes}:{:02}", seconds % 60)
    } else if hours < 1000 {
        format!("{hours}h{:02}", minutes % 60)
    } else {
        format!("{}d{:02}", hours / 24, hours % 24)
    }
}

/// A size in four characters: KiB, then `10m`, `1.2g`.
#[must_use]
pub fn four(bytes: u64) -> String {
    let kib = bytes / 1024;
    match kib {
        0..=9999 => kib.to_string(),
        10_000..=1_023_999 => format!("{}m", kib / 1024),
        _ => {
            let tenths = kib * 10 / (1024 * 1024);
            if tenths < 100 {
                format!("{}.{}g", tenths / 10, tenths % 10)
            } else {
                format!("{}g", tenths / 10)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_columns_look_as_in_busybox() {
        let users = Users::from_text("root:x:0:0::/:\nverylongname:x:7:7::/:\n", "");
        let context = Context { users, uptime: 0 };
        let columns = chosen(&Opts::default()).expect("known columns");
        let heading = row(columns.iter().map(|(c, h)| (h.clone(), -c.width.abs())));
        assert_eq!(heading, "PID   USER     TIME  COMMAND");
        for (pid, uid, title, want) in [
            (1, 0, "/pause", "    1 root      0:00 /pause"),
            (
                39,
                101,
                "nginx: worker process",
                "   39 101       0:00 nginx: worker process",
            ),
            (1_234_567, 7, "sh", "1234567 verylong  0:00 sh"),
        ] {
            let argv = vec![title.to_owned()];
            let comm = title.trim_start_matches('/').chars().take(5).collect();
            let process = Process {
                pid,
                euid: uid,
                argv,
                comm,
                ..Process::default()
            };
            assert_eq!(
                row(columns.iter().map(|(c, _)| ((c.value)(&process, &context), c.width))),
                want
            );
        }
    }

    #[test]
    fn sizes_fit_in_four_characters() {
        for (kib, want) in [
            (0, "0"),
            (1304, "1304"),
            (73_812, "72m"),
            (1_333_000, "1.2g"),
            (20_000_000, "19g"),
        ] {
            assert_eq!(four(kib * 1024), want);
        }
    }
}

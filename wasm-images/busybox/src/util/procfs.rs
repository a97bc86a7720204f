//! The processes, as `/proc` shows them (`proc(5)`).

use super::files::{read_dir, read_text};
use podsim_sys::Pid;

/// What ps, top and kill want to know about a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of proc(5) say it")]
pub struct Process {
    pub pid: i32,
    pub ppid: i32,
    pub pgid: i32,
    pub sid: i32,
    pub tty: u32,
    pub state: char,
    pub comm: String,
    /// `cmdline`; empty for a zombie.
    pub argv: Vec<String>,
    pub ruid: u32,
    pub euid: u32,
    pub rgid: u32,
    pub egid: u32,
    /// In hundredths of a second.
    pub utime: u64,
    pub stime: u64,
    /// Since boot, in hundredths of a second.
    pub start: u64,
    pub nice: i32,
    pub threads: u32,
    /// In bytes.
    pub vsize: u64,
    /// In bytes.
    pub rss: u64,
    /// A session leader.
    pub leader: bool,
    /// In the terminal's foreground group.
    pub foreground: bool,
}

/// All processes, by pid. One that ends while it is looked at is left out.
#[must_use]
pub fn all() -> Vec<Process> {
    let mut pids: Vec<i32> = read_dir("/proc")
        .unwrap_or_default()
        .iter()
        .filter_map(|entry| entry.name.parse().ok())
        .collect();
    pids.sort_unstable();
    pids.into_iter().filter_map(|pid| one(Pid(pid))).collect()
}

/// One process.
#[must_use]
pub fn one(pid: Pid) -> Option<Process> {
    let stat = read_text(&format!("/proc/{pid}/stat")).ok()?;
    let status = read_text(&format!("/proc/{pid}/status")).ok()?;
    let cmdline = read_text(&format!("/proc/{pid}/cmdline")).unwrap_or_default();
    parse(&stat, &status, &cmdline)
}

/// From the content of the three files.
#[must_use]
pub fn parse(stat: &str, status: &str, cmdline: &str) -> Option<Process> {
    // The name may hold spaces and parentheses: the last parenthesis ends it.
    let (before, after) = stat.rsplit_once(')')?;
    let (pid, comm) = before.split_once(" (")?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let number = |index: usize| {
        fields
            .get(index)
            .and_then(|field| field.parse::<i64>().ok())
            .unwrap_or(0)
    };
    let unsigned = |index: usize| u64::try_from(number(index)).unwrap_or(0);
    let small = |index: usize| i32::try_from(number(index)).unwrap_or(0);
    let ids = |key: &str| -> Option<(u32, u32)> {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        let mut ids = line.split_whitespace().filter_map(|id| id.parse().ok());
        Some((ids.next()?, ids.next()?))
    };
    let (ruid, euid) = ids("Uid:").unwrap_or_default();
    let (rgid, egid) = ids("Gid:").unwrap_or_default();
    let pid = pid.trim().parse().ok()?;
    Some(Process {
        pid,
        comm: comm.to_owned(),
        state: fields.first().and_then(|field| field.chars().next()).unwrap_or('?'),
        ppid: small(1),
        pgid: small(2),
        sid: small(3),
        tty: u32::try_from(number(4)).unwrap_or(0),
        foreground: number(5) > 0 && number(5) == number(2),
        utime: unsigned(11),
        stime: unsigned(12),
        nice: small(16),
        threads: u32::try_from(number(17)).unwrap_or(1),
        start: unsigned(19),
        vsize: unsigned(20),
        rss: unsigned(21) * 4096,
        leader: small(3) == pid,
        argv: cmdline.split_terminator('\0').map(str::to_owned).collect(),
        ruid,
        euid,
        rgid,
        egid,
    })
}

impl Process {
    /// The command line as BusyBox shows it: `[comm]` without one, and `{comm} ` before one that hides the program (a script).
    #[must_use]
    pub fn command(&self) -> String {
        let line = self.argv.join(" ");
        let line = line.trim_end_matches(' ');
        if line.is_empty() {
            return format!("[{}]", self.comm);
        }
        let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let argv0 = line.split(' ').next().unwrap_or("");
        let base = argv0.rsplit('/').next().unwrap_or("");
        let base = base.strip_prefix('-').unwrap_or(base);
        if self.comm.is_empty() || base.starts_with(&self.comm) || line.starts_with(&self.comm) {
            line
        } else {
            format!("{{{}}} {line}", self.comm)
        }
    }

    /// The name that pidof and killall compare.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        let argv0 = self.argv.first().map_or("", String::as_str);
        let comm: String = name.chars().take(15).collect();
        self.comm == comm || argv0 == name || (!name.contains('/') && super::base_name(argv0) == name)
    }

    /// CPU time in seconds.
    #[must_use]
    pub fn cpu_seconds(&self) -> u64 {
        (self.utime + self.stime) / 100
    }

    /// The column STAT: the state, and BusyBox's letters beside it.
    #[must_use]
    pub fn stat_text(&self) -> String {
        let mut text = self.state.to_string();
        match self.nice {
            n if n < 0 => text.push('<'),
            n if n > 0 => text.push('N'),
            _ => text.push(' '),
        }
        text.trim_end().to_owned()
    }

    /// The terminal as `136,0`: ps shows the device number.
    #[must_use]
    pub fn tty_text(&self) -> String {
        if self.tty == 0 {
            return "?".to_owned();
        }
        let major = self.tty >> 8 & 0xfff;
        let minor = (self.tty & 0xff) | (self.tty >> 12 & 0xfff00);
        format!("{major},{minor}")
    }
}

/// A value of `/proc/meminfo` in KiB.
#[must_use]
pub fn meminfo(text: &str, key: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "12 (ngi) (nx) S 1 12 12 34816 12 4194560 0 0 0 0 105 20 0 0 20 0 1 0 4242 8192 3 0";

    #[test]
    fn a_process_is_read_from_its_three_files() {
        let process = parse(
            STAT,
            "Name:\tx\nUid:\t0\t101\t101\t101\nGid:\t0\t102\t0\t0\n",
            "a\0b c\0",
        )
        .expect("parses");
        assert_eq!((process.pid, process.ppid, process.comm.as_str()), (12, 1, "ngi) (nx"));
        assert_eq!((process.ruid, process.euid, process.egid), (0, 101, 102));
        assert_eq!((process.cpu_seconds(), process.start, process.rss), (1, 4242, 3 * 4096));
        assert_eq!(
            (process.tty_text().as_str(), process.leader, process.foreground),
            ("136,0", true, true)
        );
        assert_eq!(process.argv, ["a", "b c"]);
        assert_eq!(parse("garbage", "", ""), None);
    }

    #[test]
    fn command_lines_look_as_in_busyboxs_ps() {
        for (comm, argv, want) in [
            ("sh", "sh", "sh"),
            ("sh", "-sh", "-sh"),
            ("sleep", "/bin/sleep\x005", "/bin/sleep 5"),
            (
                "nginx",
                "nginx: master process nginx -g daemon off;",
                "nginx: master process nginx -g daemon off;",
            ),
            ("run.sh", "/bin/sh\0./run.sh", "{run.sh} /bin/sh ./run.sh"),
            ("zombie", "", "[zombie]"),
        ] {
            let argv = argv.split('\0').filter(|a| !a.is_empty()).map(str::to_owned).collect();
            let process = Process {
                comm: comm.to_owned(),
                argv,
                ..Process::default()
            };
            assert_eq!(process.command(), want);
        }
    }
}

//! `top`.

use super::ps::four;
use crate::util::files::read_text;
use crate::util::procfs::{self, Process, meminfo};
use crate::util::{Out, human, parse, users::Users};
use crate::{complain, out};
use podsim_guest as sys;
use podsim_sys::{Fd, LocalFlags, PollEvents, TcSet, Termios};
use std::collections::HashMap;
use std::time::Duration;

/// The numbers of the first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq.
#[derive(Clone, Copy, Default)]
struct Cpu([u64; 7]);

struct Top {
    users: Users,
    batch: bool,
    before: Cpu,
    /// CPU time of each process at the last look.
    times: HashMap<i32, u64>,
}

/// `top [-b] [-n COUNT] [-d SECONDS]`; `q` ends it.
pub fn main(args: &[String]) -> i32 {
    let opts = match parse(args, "bn:d:mHk", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let count = opts.value('n').map_or(Some(u64::MAX), |text| text.parse().ok());
    let pause = human::parse_duration(opts.value('d').unwrap_or("5"));
    let (Some(count), Some(pause)) = (count, pause) else {
        complain!("top", "invalid number");
        return 1;
    };
    let interactive = !opts.has('b') && sys::isatty(Fd::STDIN).unwrap_or(false);
    let saved = sys::tcgetattr(Fd::STDIN).ok().filter(|_| interactive);
    if let Some(termios) = saved {
        let mut raw: Termios = termios;
        raw.lflag.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        let _ = sys::tcsetattr(Fd::STDIN, TcSet::Now, raw);
    }
    let mut top = Top {
        users: Users::load(),
        batch: !interactive,
        before: Cpu::default(),
        times: HashMap::new(),
    };
    // A first look, so that the second can tell what happened between.
    top.look();
    super::sleep::sleep(Duration::from_millis(100));
    let mut code = 0;
    for round in 1..=count {
        let mut out = Out::stdout();
        top.show(&mut out);
        code = out.finish("top", 0);
        if code != 0 || round == count {
            break;
        }
        if interactive {
            if crate::util::dial::wait_for(Fd::STDIN, PollEvents::IN, Some(pause)).unwrap_or(false) {
                let mut key = [0];
                if sys::read(Fd::STDIN, &mut key).is_ok_and(|n| n == 0) || matches!(key[0], b'q' | b'Q' | 3) {
                    break;
                }
            }
        } else {
            super::sleep::sleep(pause);
        }
    }
    if let Some(termios) = saved {
        let _ = sys::tcsetattr(Fd::STDIN, TcSet::Now, termios);
    }
    code
}

impl Top {
    /// The processes and the CPU since the last look.
    fn look(&mut self) -> (Vec<(Process, u64)>, [u64; 7], u64) {
        let text = read_text("/proc/stat").unwrap_or_default();
        let mut now = Cpu::default();
        let numbers = text.lines().next().unwrap_or("").split_whitespace().skip(1);
        for (slot, number) in now.0.iter_mut().zip(numbers) {
            *slot = number.parse().unwrap_or(0);
        }
        let mut spent = [0; 7];
        for ((slot, new), old) in spent.iter_mut().zip(now.0).zip(self.before.0) {
            *slot = new.saturating_sub(old);
        }
        self.before = now;
        let total: u64 = spent.iter().sum();
        let mut processes = Vec::new();
        let mut times = HashMap::new();
        for process in procfs::all() {
            let time = process.utime + process.stime;
            let used = time - self.times.get(&process.pid).copied().unwrap_or(time).min(time);
            times.insert(process.pid, time);
            processes.push((process, used));
        }
        self.times = times;
        (processes, spent, total.max(1))
    }

    fn show(&mut self, out: &mut Out) {
        let (mut processes, spent, total) = self.look();
        processes.sort_by(|(a, used_a), (b, used_b)| {
            used_b
                .cmp(used_a)
                .then_with(|| b.cpu_seconds().cmp(&a.cpu_seconds()))
                .then_with(|| b.vsize.cmp(&a.vsize))
                .then_with(|| a.pid.cmp(&b.pid))
        });
        let size = sys::get_winsize(Fd::STDOUT).unwrap_or_default();
        let (rows, columns) = match (self.batch, size.rows, size.cols) {
            (true, ..) => (usize::MAX, 512),
            (_, 0, _) | (_, _, 0) => (24, 80),
            (_, rows, columns) => (usize::from(rows), usize::from(columns)),
        };
        let memory = read_text("/proc/meminfo").unwrap_or_default();
        let kib = |key: &str| meminfo(&memory, key).unwrap_or(0);
        let (all, free) = (kib("MemTotal"), kib("MemFree"));
        let load = read_text("/proc/loadavg").unwrap_or_default();
        let line = |text: String| text.chars().take(columns).collect::<String>();
        if !self.batch {
            out.text("\x1b[H\x1b[J");
        }
        let (shared, buffers, cached) = (kib("Shmem"), kib("Buffers"), kib("Cached"));
        let used = all.saturating_sub(free);
        out.line(&line(format!(
            "Mem: {used}K used, {free}K free, {shared}K shrd, {buffers}K buff, {cached}K cached"
        )));
        let percent = |index: usize| spent.get(index).copied().unwrap_or(0) * 100 / total;
        out.line(&line(format!(
            "CPU: {:3}% usr {:3}% sys {:3}% nic {:3}% idle {:3}% io {:3}% irq {:3}% sirq",
            percent(0),
            percent(2),
            percent(1),
            percent(3),
            percent(4),
            percent(5),
            percent(6)
        )));
        out.line(&line(format!(
            "Load average: {}",
            load.split_whitespace().take(5).collect::<Vec<_>>().join(" ")
        )));
        let heading = line("  PID  PPID USER     STAT   VSZ %VSZ %CPU COMMAND".to_owned());
        if self.batch {
            out.line(&heading)
        } else {
            out!(out, "\x1b[7m{heading}\x1b[m\n")
        }
        for (process, used) in processes.iter().take(rows.saturating_sub(5)) {
            let user: String = self.users.user_name(process.euid).chars().take(8).collect();
            let share = (process.vsize / 1024 * 100).checked_div(all).unwrap_or(0);
            let row = format!(
                "{:5} {:5} {user:<8} {:<4} {:>5} {share:3}% {:3}% {}",
                process.pid,
                process.ppid,
                process.stat_text(),
                four(process.vsize),
                used * 100 / total,
                process.command()
            );
            out.line(&line(row));
        }
    }
}

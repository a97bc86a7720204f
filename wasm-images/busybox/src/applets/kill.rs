//! `kill`, `killall` and `killall5`'s small relatives `pidof`, `pgrep` and `pkill`.

use crate::util::pattern::{self, Syntax};
use crate::util::procfs::{self, Process};
use crate::util::{Opts, Out, base_name, parse, show_usage, users::Users};
use crate::{complain, out};
use podsim_guest as sys;
use podsim_sys::{Pid, Signal};

enum Head {
    /// Send this (`None` is signal 0) to what comes from this argument on.
    Send(Option<Signal>, usize),
    /// Nothing more to do.
    Done(i32),
}

fn signal(name: &str) -> Option<Option<Signal>> {
    if name == "0" || name.eq_ignore_ascii_case("exit") {
        Some(None)
    } else {
        Signal::parse(name).map(Some)
    }
}

/// Reads `-l`, `-SIG`, `-s SIG` at the beginning.
fn head(applet: &str, args: &[String]) -> Head {
    let wrong = |name: &str| {
        complain!(applet, "bad signal name '{name}'");
        Head::Done(1)
    };
    match args.get(1).map(String::as_str) {
        Some("-l") => Head::Done(list(args.get(2..).unwrap_or_default())),
        Some("-s") => match args.get(2) {
            None => Head::Done(show_usage(applet)),
            Some(name) => signal(name).map_or_else(|| wrong(name), |s| Head::Send(s, 3)),
        },
        Some("--") | None => Head::Send(Some(Signal::TERM), 1),
        Some(option) => match option.strip_prefix('-').filter(|name| !name.is_empty()) {
            None => Head::Send(Some(Signal::TERM), 1),
            Some("q") if applet == "killall" => Head::Send(Some(Signal::TERM), 1),
            Some(name) => signal(name).map_or_else(|| wrong(name), |s| Head::Send(s, 2)),
        },
    }
}

/// `kill -l`: all, or the names of numbers and numbers of names.
fn list(args: &[String]) -> i32 {
    let mut out = Out::stdout();
    if args.is_empty() {
        for number in 1..=31 {
            if let Some(signal) = Signal::new(number) {
                out!(out, "{number:2}) {}\n", signal.name());
            }
        }
        out.text("32) RTMIN\n64) RTMAX\n");
    }
    for arg in args {
        match arg.parse::<u16>() {
            // 128 and more are exit codes.
            Ok(number) => match u8::try_from(number & 0x7f).ok().and_then(Signal::new) {
                Some(signal) => out!(out, "{}\n", signal.name()),
                None => out!(
                    out,
                    "{}\n",
                    if number == 0 {
                        "EXIT".to_owned()
                    } else {
                        number.to_string()
                    }
                ),
            },
            Err(_) => match Signal::parse(arg) {
                Some(signal) => out!(out, "{}\n", signal.number()),
                None => {
                    complain!("kill", "unknown signal '{arg}'");
                    return 1;
                }
            },
        }
    }
    out.finish("kill", 0)
}

/// `kill [-l] [-SIG] PID...`
pub fn main(args: &[String]) -> i32 {
    let (signal, mut first) = match head("kill", args) {
        Head::Send(signal, first) => (signal, first),
        Head::Done(code) => return code,
    };
    if args.get(first).is_some_and(|arg| arg == "--") {
        first += 1;
    }
    let pids = args.get(first..).unwrap_or_default();
    if pids.is_empty() {
        complain!("kill", "you need to specify whom to kill");
        return 1;
    }
    let mut failures = 0;
    for text in pids {
        let Ok(pid) = text.parse() else {
            complain!("kill", "invalid number '{text}'");
            failures += 1;
            continue;
        };
        if let Err(error) = sys::kill(Pid(pid), signal) {
            complain!("kill", "can't kill pid {pid}: {error}");
            failures += 1;
        }
    }
    failures.min(255)
}

/// `killall [-lq] [-SIG] PROCESS_NAME...`
pub fn killall(args: &[String]) -> i32 {
    let (signal, mut first) = match head("killall", args) {
        Head::Send(signal, first) => (signal, first),
        Head::Done(code) => return code,
    };
    let mut quiet = false;
    while args.get(first).is_some_and(|arg| arg == "-q") {
        quiet = true;
        first += 1;
    }
    let names = args.get(first..).unwrap_or_default();
    if names.is_empty() {
        complain!("killall", "you need to specify whom to kill");
        return 1;
    }
    let me = sys::getpid().0;
    let processes = procfs::all();
    let mut failures = 0;
    for name in names {
        let mut found = false;
        for process in processes.iter().filter(|p| p.pid != me && p.is_called(name)) {
            found = true;
            if let Err(error) = sys::kill(Pid(process.pid), signal) {
                complain!("killall", "can't kill pid {}: {error}", process.pid);
                failures += 1;
            }
        }
        if !found {
            failures += 1;
            if !quiet {
                complain!("killall", "{name}: no process killed");
            }
        }
    }
    failures.min(255)
}

/// `pidof [-s] [-o PID] NAME...`
pub fn pidof(args: &[String]) -> i32 {
    let opts = match parse(args, "so:", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let me = sys::getpid().0;
    let omitted: Vec<i32> = opts
        .values('o')
        .flat_map(|list| list.split(','))
        .filter_map(|pid| {
            if pid == "%PPID" {
                Some(sys::getppid().0)
            } else {
                pid.parse().ok()
            }
        })
        .collect();
    let processes = procfs::all();
    let named = |process: &&Process| opts.args.iter().any(|name| process.is_called(name));
    let found = processes
        .iter()
        .rev()
        .filter(|p| p.pid != me && !omitted.contains(&p.pid))
        .filter(named);
    let most = if opts.has('s') { 1 } else { usize::MAX };
    let pids: Vec<String> = found.take(most).map(|process| process.pid.to_string()).collect();
    if pids.is_empty() {
        return 1;
    }
    let mut out = Out::stdout();
    out.line(&pids.join(" "));
    out.finish("pidof", 0)
}

/// `pgrep [-flanovx] [-s SID] [-P PPID] [-u USER] [PATTERN]` and `pkill [-SIGNAL]` with the same.
pub fn pgrep(args: &[String]) -> i32 {
    let applet = base_name(args.first().map_or("", String::as_str)).to_owned();
    let kills = applet == "pkill";
    let mut args = args.to_vec();
    let mut sent = Some(Signal::TERM);
    if kills {
        let number = args.iter().position(|arg| {
            arg.strip_prefix('-')
                .is_some_and(|name| name.len() > 1 && signal(name).is_some())
        });
        if let Some(index) = number {
            sent = args.remove(index).strip_prefix('-').and_then(signal).flatten();
        }
        if args.get(1).is_some_and(|arg| arg == "-l") {
            return list(&[]);
        }
    }
    let opts = match parse(&args, "+vlafxones:P:u:", &[]) {
        Ok(opts) => opts,
        Err(code) => return if code == 0 { 0 } else { 2 },
    };
    if opts.args.len() > 1 || (opts.args.is_empty() && opts.last_of("sPu").is_none()) {
        show_usage(&applet);
        return 2;
    }
    let text = opts.args.first().map_or("", String::as_str);
    let regex = match pattern::compile(
        text,
        Syntax {
            extended: true,
            ..Syntax::default()
        },
    ) {
        Ok(regex) => regex,
        Err(error) => {
            complain!(applet, "bad regex '{text}': {error}");
            return 2;
        }
    };
    let me = sys::getpid().0;
    let users = Users::load();
    let mut found: Vec<Process> = procfs::all();
    found.retain(|process| {
        let subject = if opts.has('f') && !process.argv.is_empty() {
            process.argv.join(" ")
        } else {
            process.comm.clone()
        };
        let hit = regex
            .find(subject.as_bytes())
            .is_some_and(|m| !opts.has('x') || m.len() == subject.len());
        process.pid != me && hit != opts.has('v') && filtered(process, &opts, &users)
    });
    if opts.has('n') {
        found = found.pop().into_iter().collect();
    } else if opts.has('o') {
        found.truncate(1);
    }
    let mut out = Out::stdout();
    for process in &found {
        if kills {
            if let Err(error) = sys::kill(Pid(process.pid), sent) {
                complain!(applet, "can't kill pid {}: {error}", process.pid);
            }
        } else if opts.has('a') {
            out!(out, "{} {}\n", process.pid, process.argv.join(" "));
        } else if opts.has('l') {
            out!(out, "{} {}\n", process.pid, process.comm);
        } else {
            out!(out, "{}\n", process.pid);
        }
    }
    out.finish(&applet, i32::from(found.is_empty()))
}

fn filtered(process: &Process, opts: &Opts, users: &Users) -> bool {
    let number = |option: char| opts.value(option).and_then(|value| value.parse::<i32>().ok());
    (!opts.has('P') || number('P') == Some(process.ppid))
        && (!opts.has('s') || number('s') == Some(process.sid))
        && opts
            .value('u')
            .is_none_or(|user| users.parse_user(user) == Some(process.euid))
}

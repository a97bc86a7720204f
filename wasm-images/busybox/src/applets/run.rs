//! Applets that run another program in some way: `chroot`, `nice`, `nohup`, `setsid`, `time`, `timeout`, `watch`.

use crate::util::clock::now;
use crate::util::{Out, child, human, out::write_error, parse, show_usage};
use crate::{complain, out};
use podsim_guest as sys;
use podsim_sys::{Errno, Fd, Mode, OpenFlags, Pid, Signal, WaitOptions, WaitTarget};
use std::time::Duration;

/// `chroot NEWROOT [PROG ARGS]`
pub fn chroot(args: &[String]) -> i32 {
    let opts = match parse(args, "+", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let [root, program @ ..] = opts.args.as_slice() else {
        return show_usage("chroot");
    };
    if let Err(error) = sys::chroot(root).and_then(|()| sys::chdir("/")) {
        complain!("chroot", "can't change root directory to '{root}': {error}");
        return 1;
    }
    let shell = [
        child::variable("SHELL").unwrap_or_else(|| "/bin/sh".to_owned()),
        "-i".to_owned(),
    ];
    child::exec(
        "chroot",
        if program.is_empty() { &shell } else { program },
        child::environ(),
    )
}

/// `nice [-n ADJUST] [PROG ARGS]`
pub fn nice(args: &[String]) -> i32 {
    let opts = match parse(args, "+n:", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let current = sys::nice(None).unwrap_or(0);
    if opts.args.is_empty() {
        let mut out = Out::stdout();
        out!(out, "{current}\n");
        return out.finish("nice", 0);
    }
    let Ok(by) = opts.value('n').unwrap_or("10").parse::<i8>() else {
        complain!("nice", "invalid number '{}'", opts.value('n').unwrap_or(""));
        return 1;
    };
    if let Err(error) = sys::nice(Some(current.saturating_add(by).clamp(-20, 19))) {
        complain!("nice", "setpriority({by}): {error}");
    }
    child::exec("nice", &opts.args, child::environ())
}

/// `nohup PROG ARGS`
pub fn nohup(args: &[String]) -> i32 {
    let program = args.get(1..).unwrap_or_default();
    if program.is_empty() {
        return show_usage("nohup");
    }
    let tty = |fd| sys::isatty(fd).unwrap_or(false);
    if tty(Fd::STDOUT) {
        let flags = OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::APPEND;
        match sys::openat(Fd::CWD, "nohup.out", flags, Mode(0o600)).and_then(|fd| sys::dup2(fd, Fd::STDOUT, false)) {
            Ok(_) => complain!("nohup", "appending output to nohup.out"),
            Err(error) => {
                complain!("nohup", "can't open 'nohup.out': {error}");
                return 127;
            }
        }
    }
    if tty(Fd::STDERR) {
        let _ = sys::dup2(Fd::STDOUT, Fd::STDERR, false);
    }
    let _ = sys::ignore_signal(Signal::HUP);
    child::exec("nohup", program, child::environ())
}

/// `setsid [-c] PROG ARGS`
pub fn setsid(args: &[String]) -> i32 {
    let opts = match parse(args, "+cw", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    if opts.args.is_empty() {
        return show_usage("setsid");
    }
    // The leader of a group cannot begin a session: a child can.
    if sys::getpgid(Pid(0)).is_ok_and(|group| group == sys::getpid()) {
        let mut request = child::request(&opts.args, child::environ());
        request.new_session = true;
        request.controlling_tty = opts.has('c').then_some(Fd::STDIN);
        return match sys::spawn(request) {
            Ok(pid) if opts.has('w') => child::wait_for(pid).map_or(1, podsim_sys::WaitStatus::exit_code),
            Ok(_) => 0,
            Err(error) => {
                complain!(
                    "setsid",
                    "can't execute '{}': {error}",
                    opts.args.first().map_or("", String::as_str)
                );
                127
            }
        };
    }
    let begun = sys::setsid().map(drop).and_then(|()| {
        if opts.has('c') {
            sys::set_controlling_tty(Fd::STDIN)
        } else {
            Ok(())
        }
    });
    if let Err(error) = begun {
        complain!("setsid", "setsid: {error}");
        return 1;
    }
    child::exec("setsid", &opts.args, child::environ())
}

/// `time [-vpa] [-o FILE] PROG ARGS`
pub fn time(args: &[String]) -> i32 {
    let opts = match parse(args, "+vp", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    if opts.args.is_empty() {
        return show_usage("time");
    }
    let (start, before) = (sys::clock_monotonic(), sys::times());
    let code = child::run("time", &opts.args);
    let real = sys::clock_monotonic().saturating_sub(start);
    let after = sys::times();
    let user = after.children_user.saturating_sub(before.children_user);
    let system = after.children_system.saturating_sub(before.children_system);
    let mut text = String::new();
    for (label, time) in [("real", real), ("user", user), ("sys", system)] {
        let seconds = time.as_secs_f64();
        if opts.has('p') {
            text.push_str(&format!("{label} {seconds:.2}\n"));
        } else {
            let minutes = time.as_secs() / 60;
            text.push_str(&format!(
                "{label}\t{minutes}m {:.2}s\n",
                seconds - (minutes * 60) as f64
            ));
        }
    }
    write_error(&text);
    code
}

/// `timeout [-s SIG] [-k KILL_SECS] SECS PROG ARGS`: 143 when the time was up.
pub fn timeout(args: &[String]) -> i32 {
    let opts = match parse(args, "+s:k:", &[("signal", 's'), ("kill-after", 'k')]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let [limit, program @ ..] = opts.args.as_slice() else {
        return show_usage("timeout");
    };
    if program.is_empty() {
        return show_usage("timeout");
    }
    let signal = match opts.value('s').map(Signal::parse) {
        None => Signal::TERM,
        Some(Some(signal)) => signal,
        Some(None) => {
            complain!("timeout", "unknown signal '{}'", opts.value('s').unwrap_or(""));
            return 1;
        }
    };
    let times = (
        human::parse_duration(limit),
        opts.value('k').map_or(Some(Duration::ZERO), human::parse_duration),
    );
    let (Some(limit), Some(grace)) = times else {
        complain!("timeout", "invalid number '{limit}'");
        return 1;
    };
    let pid = match sys::spawn(child::request(program, child::environ())) {
        Ok(pid) => pid,
        Err(error) => {
            complain!(
                "timeout",
                "can't execute '{}': {error}",
                program.first().map_or("", String::as_str)
            );
            return if error == Errno::ENOENT { 127 } else { 126 };
        }
    };
    match wait_until(pid, limit) {
        Some(code) => code,
        None => {
            let _ = sys::kill(pid, Some(signal));
            if !grace.is_zero() && wait_until(pid, grace).is_none() {
                let _ = sys::kill(pid, Some(Signal::KILL));
            }
            let _ = child::wait_for(pid);
            128 + i32::from(signal.number())
        }
    }
}

/// Waits for a child, but not longer; the exit code, if it ended.
fn wait_until(pid: Pid, limit: Duration) -> Option<i32> {
    let _ = sys::on_signal(Signal::CHLD, Some(|_| {}), false);
    let deadline = sys::clock_monotonic().saturating_add(limit);
    loop {
        match sys::wait(WaitTarget::Pid(pid), WaitOptions::NOHANG) {
            Ok(Some((_, status))) => return Some(status.exit_code()),
            Ok(None) | Err(Errno::EINTR) => {}
            Err(_) => return Some(1),
        }
        let left = deadline.saturating_sub(sys::clock_monotonic());
        if left.is_zero() {
            return None;
        }
        // SIGCHLD ends the sleep; where it came just before, the next look is not far.
        let next = sys::clock_monotonic().saturating_add(left.min(Duration::from_millis(100)));
        let _ = sys::sleep_until(next);
    }
}

/// `watch [-n SEC] [-t] PROG ARGS`
pub fn watch(args: &[String]) -> i32 {
    let opts = match parse(args, "+n:t", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    if opts.args.is_empty() {
        return show_usage("watch");
    }
    let Some(period) = human::parse_duration(opts.value('n').unwrap_or("2")) else {
        complain!("watch", "invalid number '{}'", opts.value('n').unwrap_or(""));
        return 1;
    };
    let command = opts.args.join(" ");
    let shell = ["sh".to_owned(), "-c".to_owned(), command.clone()];
    loop {
        let mut out = Out::stdout();
        out.text("\x1b[H\x1b[J");
        if !opts.has('t') {
            let date = now().format("%Y-%m-%d %H:%M:%S");
            let title = format!("Every {:.1}s: {command}", period.as_secs_f64());
            out!(out, "{title:<59.59} {date}\n\n");
        }
        out.flush();
        if out.failed() {
            return 1;
        }
        drop(out);
        let _ = child::run("watch", &shell);
        super::sleep::sleep(period);
    }
}

//! `hostname` and `uname`.

use crate::util::files::read_text;
use crate::util::{Out, base_name, parse};
use crate::{complain, out};
use podsim_guest as sys;
use podsim_sys::Errno;

/// `hostname [-sidf] [HOSTNAME | -F FILE]`
pub fn main(args: &[String]) -> i32 {
    let opts = match parse(args, "sidfF:v", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let mut new = opts.args.first().cloned();
    if let Some(file) = opts.value('F') {
        match read_text(file) {
            Ok(text) => {
                let line = text
                    .lines()
                    .map(str::trim)
                    .find(|line| !line.is_empty() && !line.starts_with('#'));
                new = Some(line.unwrap_or("").to_owned());
            }
            Err(error) => {
                complain!("hostname", "can't open '{file}': {error}");
                return 1;
            }
        }
    }
    if let Some(name) = new {
        return match sys::sethostname(&name) {
            Ok(()) => 0,
            Err(Errno::EPERM) => {
                complain!("hostname", "you must be root to change the hostname");
                1
            }
            Err(error) => {
                complain!("hostname", "sethostname: {error}");
                1
            }
        };
    }
    let name = sys::uname().nodename;
    let mut out = Out::stdout();
    match opts.last_of("sidf") {
        None => out.line(&name),
        Some('s') => out.line(name.split('.').next().unwrap_or("")),
        Some('d') => out.line(full_name(&name).split_once('.').map_or("", |(_, domain)| domain)),
        Some('f') => out.line(&full_name(&name)),
        Some(_) => match sys::resolve(&name) {
            Ok(addresses) if !addresses.is_empty() => {
                addresses.iter().for_each(|address| out!(out, "{address} "));
                out.text("\n");
            }
            _ => {
                complain!("hostname", "{name}: Unknown host");
                return 1;
            }
        },
    }
    out.finish("hostname", 0)
}

/// The canonical name: the first on the line of `/etc/hosts` that has this one.
fn full_name(name: &str) -> String {
    let hosts = read_text("/etc/hosts").unwrap_or_default();
    let line = hosts
        .lines()
        .map(|line| {
            line.split('#')
                .next()
                .unwrap_or("")
                .split_whitespace()
                .skip(1)
                .collect::<Vec<_>>()
        })
        .find(|names| names.contains(&name));
    line.and_then(|names| names.first().map(|first| (*first).to_owned()))
        .unwrap_or_else(|| name.to_owned())
}

/// `uname [-amnrspvio]` and `arch`.
pub fn uname(args: &[String]) -> i32 {
    let applet = base_name(args.first().map_or("uname", String::as_str));
    let names = sys::uname();
    let mut out = Out::stdout();
    if applet == "arch" {
        out.line(&names.machine);
        return out.finish("arch", 0);
    }
    let longs = [
        ("all", 'a'),
        ("kernel-name", 's'),
        ("nodename", 'n'),
        ("kernel-release", 'r'),
        ("machine", 'm'),
    ];
    let opts = match parse(args, "amnrspvio", &longs) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let all = opts.has('a');
    let any = opts.iter().next().is_some();
    let wanted = |option: char| all || opts.has(option) || (option == 's' && !any);
    let mut parts: Vec<&str> = Vec::new();
    for (option, value) in [
        ('s', names.sysname.as_str()),
        ('n', &names.nodename),
        ('r', &names.release),
        ('v', &names.version),
        ('m', &names.machine),
    ] {
        if wanted(option) {
            parts.push(value);
        }
    }
    // Processor and platform are unknown here as in BusyBox: only shown when asked for by name.
    parts.extend(['p', 'i'].iter().filter(|option| opts.has(**option)).map(|_| "unknown"));
    if wanted('o') {
        parts.push("GNU/Linux");
    }
    out.line(&parts.join(" "));
    out.finish("uname", 0)
}

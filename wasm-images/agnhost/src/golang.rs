//! How Go prints and reads things: the tests of Kubernetes look for these texts.

use busybox::util::clock::Date;
use busybox::util::out::write_error;
use podsim_sys::{Errno, FileType, Mode, Stat};
use std::time::{Duration, SystemTime};

/// The time of day, by the way that also the unit tests, on the host, have.
pub(crate) fn now() -> Duration {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
}

/// `log.Printf` with the standard flags: a line on standard error with date and time.
pub(crate) fn log(text: &str) {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    write_error(&format!(
        "{} {text}{end}",
        Date::from_epoch(now()).format("%Y/%m/%d %H:%M:%S")
    ));
}

/// `log.Printf`.
macro_rules! logf {
    ($($arguments:tt)*) => { $crate::golang::log(&format!($($arguments)*)) };
}
pub(crate) use logf;

/// `log.Fatal`: the exit code after the message.
pub(crate) fn fatal(text: &str) -> i32 {
    log(text);
    1
}

/// `%q` and `strconv.Quote`.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A string as `json.Marshal` writes it: what HTML might trip over is escaped.
pub(crate) fn json(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A list of strings as JSON.
pub(crate) fn json_list(texts: &[String]) -> String {
    let items: Vec<String> = texts.iter().map(|text| json(text)).collect();
    format!("[{}]", items.join(","))
}

/// `syscall.Errno`'s text: Linux's words with a small letter at their head.
pub(crate) fn errno(error: Errno) -> String {
    let message = error.message();
    let mut letters = message.chars();
    letters.next().map_or(String::new(), |first| {
        format!("{}{}", first.to_ascii_lowercase(), letters.as_str())
    })
}

/// `fs.FileMode`'s text: `drwxr-xr-x`, `dtrwxrwxrwx`, `-rw-r--r--`.
pub(crate) fn file_mode(stat: &Stat) -> String {
    let special = |bit: u16| stat.mode.0 & bit != 0;
    let mut out = String::new();
    out.push_str(match stat.file_type {
        FileType::Directory => "d",
        FileType::Symlink => "L",
        FileType::BlockDevice => "D",
        FileType::CharDevice => "D",
        FileType::Fifo => "p",
        FileType::Socket => "S",
        FileType::Regular => "",
    });
    for (is, letter) in [
        (special(Mode::SETUID), 'u'),
        (special(Mode::SETGID), 'g'),
        (stat.file_type == FileType::CharDevice, 'c'),
        (special(Mode::STICKY), 't'),
    ] {
        if is {
            out.push(letter);
        }
    }
    if out.is_empty() {
        out.push('-');
    }
    out + &bits(stat.mode)
}

/// `fs.FileMode.Perm`'s text.
pub(crate) fn permissions(mode: Mode) -> String {
    format!("-{}", bits(mode))
}

fn bits(mode: Mode) -> String {
    let letter = |(index, letter): (usize, char)| if mode.0 & (0o400 >> index) == 0 { '-' } else { letter };
    "rwxrwxrwx".chars().enumerate().map(letter).collect()
}

/// `time.ParseDuration`; a negative time is refused here, as nothing can be done with one.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let invalid = || format!("time: invalid duration {}", quote(text));
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(|| format!("time: missing unit in duration {}", quote(text)))?;
        let (number, after) = rest.split_at(digits);
        let number: f64 = number.parse().map_err(|_| invalid())?;
        let end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => {
                return Err(format!(
                    "time: unknown unit {} in duration {}",
                    quote(unit),
                    quote(text)
                ));
            }
        };
        total += number * seconds;
        rest = after;
    }
    Duration::try_from_secs_f64(total).map_err(|_| invalid())
}

/// `time.Duration`'s text: `0s`, `1.5ms`, `2m0s`, `1h0m0.25s`.
pub(crate) fn duration(time: Duration) -> String {
    let nanos = time.as_nanos();
    let fraction = |value: u128, unit: u128, name: &str| {
        let rest = value % unit;
        let width = unit.ilog10() as usize;
        let digits = format!("{rest:0width$}");
        let digits = digits.trim_end_matches('0');
        let point = if rest == 0 { String::new() } else { format!(".{digits}") };
        format!("{}{point}{name}", value / unit)
    };
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => fraction(nanos, 1_000, "µs"),
        1_000_000..1_000_000_000 => fraction(nanos, 1_000_000, "ms"),
        _ => {
            let (minutes, seconds) = (nanos / 60_000_000_000, nanos % 60_000_000_000);
            let seconds = fraction(seconds, 1_000_000_000, "s");
            match minutes {
                0 => seconds,
                1..60 => format!("{minutes}m{seconds}"),
                _ => format!("{}h{}m{seconds}", minutes / 60, minutes % 60),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use podsim_sys::DeviceNumber;

    fn stat(file_type: FileType, mode: u16) -> Stat {
        let none = DeviceNumber { major: 0, minor: 0 };
        Stat {
            dev: none,
            ino: 1,
            file_type,
            mode: Mode(mode),
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: none,
            size: 0,
            blocks: 0,
            atime: Duration::ZERO,
            mtime: Duration::ZERO,
            ctime: Duration::ZERO,
        }
    }

    #[test]
    fn modes_are_printed_as_go_prints_them() {
        for (file_type, mode, whole, perm) in [
            (FileType::Regular, 0o644, "-rw-r--r--", "-rw-r--r--"),
            (FileType::Directory, 0o777, "drwxrwxrwx", "-rwxrwxrwx"),
            (FileType::Directory, 0o1777, "dtrwxrwxrwx", "-rwxrwxrwx"),
            (FileType::Directory, 0o2770, "dgrwxrwx---", "-rwxrwx---"),
            (FileType::Regular, 0o4755, "urwxr-xr-x", "-rwxr-xr-x"),
            (FileType::CharDevice, 0o666, "Dcrw-rw-rw-", "-rw-rw-rw-"),
        ] {
            let stat = stat(file_type, mode);
            assert_eq!(
                (file_mode(&stat), permissions(stat.mode)),
                (whole.to_owned(), perm.to_owned()),
                "{mode:o}"
            );
        }
    }

    #[test]
    fn durations_are_read_and_printed_as_go_does() {
        for (text, want) in [
            ("0", "0s"),
            ("5s", "5s"),
            ("1h15m30.5s", "1h15m30.5s"),
            ("90s", "1m30s"),
            ("1.5ms", "1.5ms"),
            ("250us", "250µs"),
            ("", "time: invalid duration \"\""),
            ("5", "time: missing unit in duration \"5\""),
            ("5x", "time: unknown unit \"x\" in duration \"5x\""),
            ("x", "time: invalid duration \"x\""),
        ] {
            let got = parse_duration(text).map_or_else(|why| why, duration);
            assert_eq!(got, want, "{text}");
        }
    }

    #[test]
    fn strings_are_quoted_as_go_quotes_them() {
        assert_eq!(quote("a\"b\n\u{1}"), r#""a\"b\n\x01""#);
        assert_eq!(json("a\"<b>&\n"), r#""a\"\u003cb\u003e\u0026\n""#);
        assert_eq!(json_list(&["a".into(), "b".into()]), r#"["a","b"]"#);
        assert_eq!(errno(Errno::ENOENT), "no such file or directory");
    }
}

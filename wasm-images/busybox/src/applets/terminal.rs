//! `clear`, `reset`, `tty`, `stty`, `sync` and `nproc`.

use crate::complain;
use crate::out;
use crate::util::files::read_text;
use crate::util::{Out, parse};
use podsim_guest as sys;
use podsim_sys::{Fd, InputFlags, LocalFlags, OutputFlags, TcSet, Termios, Winsize, cc};

/// `clear`
pub fn clear(_args: &[String]) -> i32 {
    let mut out = Out::stdout();
    out.text("\x1b[H\x1b[2J\x1b[3J");
    out.finish("clear", 0)
}

/// `reset`
pub fn reset(_args: &[String]) -> i32 {
    if sys::isatty(Fd::STDOUT).unwrap_or(false) {
        let _ = sys::tcsetattr(Fd::STDOUT, TcSet::Now, Termios::default());
        let mut out = Out::stdout();
        out.text("\x1bc\x1b(B\x1b[m\x1b[J\x1b[?25h");
        return out.finish("reset", 0);
    }
    0
}

/// `tty [-s]`
pub fn tty(args: &[String]) -> i32 {
    let opts = match parse(args, "s", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let name = sys::ttyname(Fd::STDIN);
    if !opts.has('s') {
        let mut out = Out::stdout();
        out.line(name.as_deref().unwrap_or("not a tty"));
        let _ = out.finish("tty", 0);
    }
    i32::from(name.is_err())
}

/// `sync`: nothing here is written later than at once.
pub fn sync(_args: &[String]) -> i32 {
    0
}

/// `nproc`
pub fn nproc(_args: &[String]) -> i32 {
    let text = read_text("/proc/cpuinfo").unwrap_or_default();
    let count = text.lines().filter(|line| line.starts_with("processor")).count().max(1);
    let mut out = Out::stdout();
    out!(out, "{count}\n");
    out.finish("nproc", 0)
}

enum Flag {
    In(InputFlags),
    Out(OutputFlags),
    Local(LocalFlags),
}

const FLAGS: &[(&str, Flag)] = &[
    ("ignbrk", Flag::In(InputFlags::IGNBRK)),
    ("brkint", Flag::In(InputFlags::BRKINT)),
    ("istrip", Flag::In(InputFlags::ISTRIP)),
    ("inlcr", Flag::In(InputFlags::INLCR)),
    ("igncr", Flag::In(InputFlags::IGNCR)),
    ("icrnl", Flag::In(InputFlags::ICRNL)),
    ("ixon", Flag::In(InputFlags::IXON)),
    ("ixany", Flag::In(InputFlags::IXANY)),
    ("imaxbel", Flag::In(InputFlags::IMAXBEL)),
    ("iutf8", Flag::In(InputFlags::IUTF8)),
    ("opost", Flag::Out(OutputFlags::OPOST)),
    ("ocrnl", Flag::Out(OutputFlags::OCRNL)),
    ("onlcr", Flag::Out(OutputFlags::ONLCR)),
    ("isig", Flag::Local(LocalFlags::ISIG)),
    ("icanon", Flag::Local(LocalFlags::ICANON)),
    ("iexten", Flag::Local(LocalFlags::IEXTEN)),
    ("echo", Flag::Local(LocalFlags::ECHO)),
    ("echoe", Flag::Local(LocalFlags::ECHOE)),
    ("echok", Flag::Local(LocalFlags::ECHOK)),
    ("echonl", Flag::Local(LocalFlags::ECHONL)),
    ("noflsh", Flag::Local(LocalFlags::NOFLSH)),
    ("tostop", Flag::Local(LocalFlags::TOSTOP)),
    ("echoctl", Flag::Local(LocalFlags::ECHOCTL)),
    ("echoke", Flag::Local(LocalFlags::ECHOKE)),
];

const CHARS: &[(&str, usize)] = &[
    ("intr", cc::VINTR),
    ("quit", cc::VQUIT),
    ("erase", cc::VERASE),
    ("kill", cc::VKILL),
    ("eof", cc::VEOF),
    ("eol", cc::VEOL),
    ("start", cc::VSTART),
    ("stop", cc::VSTOP),
    ("susp", cc::VSUSP),
    ("rprnt", cc::VREPRINT),
    ("werase", cc::VWERASE),
    ("lnext", cc::VLNEXT),
];

impl Flag {
    fn is_set(&self, termios: &Termios) -> bool {
        match self {
            Flag::In(bits) => termios.iflag.contains(*bits),
            Flag::Out(bits) => termios.oflag.contains(*bits),
            Flag::Local(bits) => termios.lflag.contains(*bits),
        }
    }

    fn set(&self, termios: &mut Termios, on: bool) {
        match self {
            Flag::In(bits) => termios.iflag.set(*bits, on),
            Flag::Out(bits) => termios.oflag.set(*bits, on),
            Flag::Local(bits) => termios.lflag.set(*bits, on),
        }
    }
}

/// `stty [-ag] [-F DEVICE] [SETTING]...`
pub fn stty(args: &[String]) -> i32 {
    let mut termios = match sys::tcgetattr(Fd::STDIN) {
        Ok(termios) => termios,
        Err(error) => {
            complain!("stty", "standard input: {error}");
            return 1;
        }
    };
    let size = sys::get_winsize(Fd::STDIN).unwrap_or_default();
    let settings = args.get(1..).unwrap_or_default();
    if settings.is_empty() || settings.first().is_some_and(|s| s == "-a") {
        return show(&termios, size, !settings.is_empty());
    }
    let mut out = Out::stdout();
    let mut words = settings.iter().map(String::as_str);
    let mut changed = false;
    while let Some(word) = words.next() {
        match word {
            "size" => out!(out, "{} {}\n", size.rows, size.cols),
            "speed" => out.line("38400"),
            "-g" => out.line(&save(&termios)),
            "sane" => termios = Termios::default(),
            "raw" | "-cooked" => {
                termios.iflag = InputFlags::empty();
                termios.oflag.remove(OutputFlags::OPOST);
                termios.lflag.remove(LocalFlags::ISIG | LocalFlags::ICANON);
                termios.cc[cc::VMIN] = 1;
                termios.cc[cc::VTIME] = 0;
            }
            "-raw" | "cooked" => {
                termios.iflag.insert(InputFlags::ICRNL | InputFlags::IXON);
                termios.oflag.insert(OutputFlags::OPOST);
                termios.lflag.insert(LocalFlags::ISIG | LocalFlags::ICANON);
            }
            "cols" | "columns" | "rows" => {
                let Some(number) = words.next().and_then(|number| number.parse().ok()) else {
                    complain!("stty", "invalid number '{word}'");
                    return 1;
                };
                let size = sys::get_winsize(Fd::STDIN).unwrap_or(size);
                let size = if word == "rows" {
                    Winsize { rows: number, ..size }
                } else {
                    Winsize { cols: number, ..size }
                };
                if let Err(error) = sys::set_winsize(Fd::STDIN, size) {
                    complain!("stty", "standard input: {error}");
                    return 1;
                }
                continue;
            }
            "min" | "time" => {
                let Some(number) = words.next().and_then(|number| number.parse().ok()) else {
                    complain!("stty", "invalid number '{word}'");
                    return 1;
                };
                termios.cc[if word == "min" { cc::VMIN } else { cc::VTIME }] = number;
            }
            _ => {
                let (on, name) = word.strip_prefix('-').map_or((true, word), |name| (false, name));
                if let Some((_, flag)) = FLAGS.iter().find(|(n, _)| *n == name) {
                    flag.set(&mut termios, on);
                } else if let Some((_, index)) = CHARS.iter().find(|(n, _)| *n == word) {
                    let Some(value) = words.next().and_then(control) else {
                        complain!("stty", "missing argument to '{word}'");
                        return 1;
                    };
                    if let Some(slot) = termios.cc.get_mut(*index) {
                        *slot = value;
                    }
                } else if let Some(saved) = restore(word, &termios) {
                    termios = saved;
                } else {
                    complain!("stty", "invalid argument '{word}'");
                    return 1;
                }
            }
        }
        changed |= !matches!(word, "size" | "speed" | "-g");
    }
    if changed && let Err(error) = sys::tcsetattr(Fd::STDIN, TcSet::Drain, termios) {
        complain!("stty", "standard input: {error}");
        return 1;
    }
    out.finish("stty", 0)
}

/// `^C`, `^?`, `undef`, a character or a number.
fn control(text: &str) -> Option<u8> {
    match text.as_bytes() {
        b"undef" | b"^-" => Some(0),
        b"^?" => Some(127),
        [b'^', letter] => Some(letter.to_ascii_uppercase() & 0x1f),
        [one] => Some(*one),
        _ => text.parse().ok(),
    }
}

fn shown(value: u8) -> String {
    match value {
        0 => "<undef>".to_owned(),
        127 => "^?".to_owned(),
        1..=31 => format!("^{}", char::from(value + 64)),
        printable => char::from(printable).to_string(),
    }
}

/// All modes as one word, for `stty "$(stty -g)"`.
fn save(termios: &Termios) -> String {
    let chars: Vec<String> = termios.cc.iter().map(|c| format!("{c:x}")).collect();
    let flags = (
        termios.iflag.bits(),
        termios.oflag.bits(),
        termios.cflag,
        termios.lflag.bits(),
    );
    format!(
        "{:x}:{:x}:{:x}:{:x}:{}",
        flags.0,
        flags.1,
        flags.2,
        flags.3,
        chars.join(":")
    )
}

fn restore(text: &str, current: &Termios) -> Option<Termios> {
    let numbers: Vec<u32> = text
        .split(':')
        .map(|n| u32::from_str_radix(n, 16))
        .collect::<Result<_, _>>()
        .ok()?;
    let [iflag, oflag, cflag, lflag, chars @ ..] = numbers.as_slice() else {
        return None;
    };
    let mut new = *current;
    if chars.len() != new.cc.len() {
        return None;
    }
    new.iflag = InputFlags::from_bits_retain(*iflag);
    new.oflag = OutputFlags::from_bits_retain(*oflag);
    new.lflag = LocalFlags::from_bits_retain(*lflag);
    new.cflag = *cflag;
    for (slot, value) in new.cc.iter_mut().zip(chars) {
        *slot = u8::try_from(*value).ok()?;
    }
    Some(new)
}

fn show(termios: &Termios, size: Winsize, all: bool) -> i32 {
    let sane = Termios::default();
    let mut out = Out::stdout();
    out!(out, "speed 38400 baud;");
    if all {
        out!(out, " rows {}; columns {};", size.rows, size.cols);
    }
    out.text(" line = 0;\n");
    let char_of = |termios: &Termios, index: usize| termios.cc.get(index).copied().unwrap_or(0);
    let chars: Vec<String> = CHARS
        .iter()
        .filter(|(_, index)| all || char_of(termios, *index) != char_of(&sane, *index))
        .map(|(name, index)| format!("{name} = {};", shown(char_of(termios, *index))))
        .collect();
    if !chars.is_empty() {
        out.line(&chars.join(" "));
    }
    let flags: Vec<String> = FLAGS
        .iter()
        .filter(|(_, flag)| all || flag.is_set(termios) != flag.is_set(&sane))
        .map(|(name, flag)| format!("{}{name}", if flag.is_set(termios) { "" } else { "-" }))
        .collect();
    if !flags.is_empty() {
        out.line(&flags.join(" "));
    }
    out.finish("stty", 0)
}

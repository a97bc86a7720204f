//! Subcommands and flags, as cobra and pflag read them.

use crate::golang;
use busybox::util::out::write_error;
use podsim_sys::Fd;
use std::time::Duration;

/// A subcommand.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) flags: &'static [Flag],
    /// Whether it takes words that are not flags.
    pub(crate) takes_args: bool,
    pub(crate) run: fn(&Flags) -> i32,
}

/// A flag: its name, perhaps its letter, the value without it, and what it is for.
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    pub(crate) letter: Option<char>,
    pub(crate) default: Value,
    pub(crate) about: &'static str,
}

/// A flag without a letter.
pub(crate) const fn flag(name: &'static str, default: Value, about: &'static str) -> Flag {
    Flag {
        name,
        letter: None,
        default,
        about,
    }
}

/// The value of a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Bool(bool),
    Int(i64),
    /// A static text is a default only.
    Default(&'static str),
    Text(String),
    Duration(Duration),
}

/// klog's flags, which every subcommand takes: there is no such log here to be changed by them.
const KLOG: &[(&str, bool)] = &[
    ("add_dir_header", true),
    ("alsologtostderr", true),
    ("log_backtrace_at", false),
    ("log_dir", false),
    ("log_file", false),
    ("log_file_max_size", false),
    ("logtostderr", true),
    ("one_output", true),
    ("skip_headers", true),
    ("skip_log_headers", true),
    ("stderrthreshold", false),
    ("v", false),
    ("vmodule", false),
];

/// The values of a call.
pub(crate) struct Flags {
    values: Vec<(&'static str, Value)>,
}

impl Flags {
    fn value(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    pub(crate) fn bool(&self, name: &str) -> bool {
        matches!(self.value(name), Some(Value::Bool(true)))
    }

    pub(crate) fn int(&self, name: &str) -> i64 {
        match self.value(name) {
            Some(Value::Int(number)) => *number,
            _ => 0,
        }
    }

    pub(crate) fn duration(&self, name: &str) -> Duration {
        match self.value(name) {
            Some(Value::Duration(time)) => *time,
            _ => Duration::ZERO,
        }
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        match self.value(name) {
            Some(Value::Text(text)) => text,
            Some(Value::Default(text)) => text,
            _ => "",
        }
    }

    fn set(&mut self, name: &'static str, value: Value) {
        for (known, old) in &mut self.values {
            if *known == name {
                *old = value.clone();
            }
        }
    }
}

/// What reading the flags came to.
#[derive(Debug, PartialEq, Eq)]
enum Ending {
    Help,
    Wrong(String),
}

/// Runs the subcommand that the first word names. The exit code is 1 for what is not understood, as `cli.Run` has it.
pub(crate) fn run(commands: &[&Command], words: &[String]) -> i32 {
    let Some(name) = words.iter().find(|word| !word.starts_with('-')) else {
        print(&overview(commands));
        return 0;
    };
    if name == "help" {
        print(&overview(commands));
        return 0;
    }
    let Some(command) = commands.iter().find(|command| command.name == name) else {
        write_error(&format!(
            "Error: unknown command {} for \"app\"\nRun 'app --help' for usage.\n",
            golang::quote(name)
        ));
        return 1;
    };
    let at = words.iter().position(|word| word == name).unwrap_or(0);
    let mut rest = words.to_vec();
    rest.remove(at);
    match read(command, &rest) {
        Ok(flags) => (command.run)(&flags),
        Err(Ending::Help) => {
            print(&format!("{}\n\n{}", command.about, usage(command)));
            0
        }
        Err(Ending::Wrong(message)) => {
            write_error(&format!("Error: {message}\n{}\n", usage(command)));
            1
        }
    }
}

fn print(text: &str) {
    // Whoever closed standard output does not want it.
    let _ = podsim_guest::write_all(Fd::STDOUT, text.as_bytes());
}

fn overview(commands: &[&Command]) -> String {
    let mut text = "Usage:\n  app [command]\n\nAvailable Commands:\n".to_owned();
    for command in commands {
        text.push_str(&format!("  {:<20} {}\n", command.name, command.about));
    }
    text.push_str("\nUse \"app [command] --help\" for more information about a command.\n");
    text
}

fn usage(command: &Command) -> String {
    let mut text = format!("Usage:\n  app {} [flags]\n", command.name);
    if !command.flags.is_empty() {
        text.push_str("\nFlags:\n");
    }
    for flag in command.flags {
        let letter = flag.letter.map_or("    ".to_owned(), |letter| format!("-{letter}, "));
        text.push_str(&format!("  {letter}--{:<28} {}\n", flag.name, flag.about));
    }
    text
}

fn read(command: &Command, words: &[String]) -> Result<Flags, Ending> {
    let defaults = command.flags.iter().map(|flag| (flag.name, flag.default.clone()));
    let mut flags = Flags {
        values: defaults.collect(),
    };
    let mut args: Vec<&String> = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if word == "--" {
            args.extend(rest);
            break;
        }
        let Some(body) = word.strip_prefix('-').filter(|body| !body.is_empty()) else {
            args.push(word);
            continue;
        };
        let (shown, flag, joined) = match body.strip_prefix('-') {
            Some(long) => {
                let (name, joined) = split(long);
                let flag = command.flags.iter().find(|flag| flag.name == name);
                (format!("--{name}"), Named::new(flag, name), joined)
            }
            None => short(command, body)?,
        };
        match flag {
            Named::Own(flag) => {
                let text = match (&flag.default, joined) {
                    (Value::Bool(_), None) => "true",
                    (_, Some(text)) => text,
                    (_, None) => rest
                        .next()
                        .ok_or_else(|| Ending::Wrong(format!("flag needs an argument: {shown}")))?,
                };
                let value = convert(&flag.default, text).map_err(|why| {
                    let letter = flag.letter.map_or(String::new(), |letter| format!("-{letter}, "));
                    Ending::Wrong(format!(
                        "invalid argument {} for \"{letter}--{}\" flag: {why}",
                        golang::quote(text),
                        flag.name
                    ))
                })?;
                flags.set(flag.name, value);
            }
            Named::Klog { is_bool } => {
                if !is_bool && joined.is_none() {
                    rest.next();
                }
            }
            Named::Help => return Err(Ending::Help),
            Named::Unknown => return Err(Ending::Wrong(format!("unknown flag: {shown}"))),
        }
    }
    if !command.takes_args
        && let Some(first) = args.first()
    {
        return Err(Ending::Wrong(format!(
            "unknown command {} for \"app {}\"",
            golang::quote(first),
            command.name
        )));
    }
    Ok(flags)
}

enum Named {
    Own(&'static Flag),
    Klog { is_bool: bool },
    Help,
    Unknown,
}

impl Named {
    fn new(flag: Option<&'static Flag>, name: &str) -> Self {
        let underscored = name.replace('-', "_");
        match (flag, KLOG.iter().find(|(known, _)| *known == underscored)) {
            (Some(flag), _) => Self::Own(flag),
            (None, Some((_, is_bool))) => Self::Klog { is_bool: *is_bool },
            (None, None) if name == "help" => Self::Help,
            (None, None) => Self::Unknown,
        }
    }
}

fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    }
}

/// `-t10`, `-t=10` and `-t`.
fn short<'a>(command: &Command, body: &'a str) -> Result<(String, Named, Option<&'a str>), Ending> {
    let mut letters = body.chars();
    let letter = letters.next().unwrap_or('-');
    let joined = Some(letters.as_str()).filter(|text| !text.is_empty());
    let joined = joined.map(|text| text.strip_prefix('=').unwrap_or(text));
    let named = match command.flags.iter().find(|flag| flag.letter == Some(letter)) {
        Some(flag) => Named::Own(flag),
        None if letter == 'v' => Named::Klog { is_bool: false },
        None if letter == 'h' => Named::Help,
        None => {
            return Err(Ending::Wrong(format!("unknown shorthand flag: '{letter}' in -{body}")));
        }
    };
    Ok((format!("'{letter}' in -{body}"), named, joined))
}

fn convert(like: &Value, text: &str) -> Result<Value, String> {
    let syntax = |function: &str| format!("strconv.{function}: parsing {}: invalid syntax", golang::quote(text));
    match like {
        Value::Bool(_) => match text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
            _ => Err(syntax("ParseBool")),
        },
        Value::Int(_) => text.parse().map(Value::Int).map_err(|_| syntax("ParseInt")),
        Value::Default(_) | Value::Text(_) => Ok(Value::Text(text.to_owned())),
        Value::Duration(_) => golang::parse_duration(text).map(Value::Duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static TESTED: Command = Command {
        name: "tested",
        about: "Is tested",
        flags: &[
            flag("port", Value::Int(80), "A port"),
            flag("text", Value::Default("none"), "A text"),
            Flag {
                name: "on",
                letter: Some('o'),
                default: Value::Bool(false),
                about: "A switch",
            },
        ],
        takes_args: false,
        run: |_| 0,
    };

    #[test]
    fn flags_are_read_as_pflag_reads_them() {
        for (line, want) in [
            ("", "80 none false"),
            ("--port=81 --text a", "81 a false"),
            ("--port 82 -o --v=5 --logtostderr", "82 none true"),
            ("--on=false -v 3", "80 none false"),
            ("--port", "flag needs an argument: --port"),
            ("--porto=1", "unknown flag: --porto"),
            ("-x", "unknown shorthand flag: 'x' in -x"),
            ("word", "unknown command \"word\" for \"app tested\""),
            (
                "--port=a",
                "invalid argument \"a\" for \"--port\" flag: strconv.ParseInt: parsing \"a\": invalid syntax",
            ),
            (
                "-o=maybe",
                "invalid argument \"maybe\" for \"-o, --on\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax",
            ),
            ("--help", "help"),
        ] {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let got = match read(&TESTED, &words) {
                Ok(flags) => format!("{} {} {}", flags.int("port"), flags.text("text"), flags.bool("on")),
                Err(Ending::Help) => "help".to_owned(),
                Err(Ending::Wrong(message)) => message,
            };
            assert_eq!(got, want, "{line}");
        }
    }
}

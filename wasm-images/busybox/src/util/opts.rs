//! Options, as `getopt_long(3)` reads them.

use super::out::write_error;
use crate::applets;

/// The options and operands of a call.
#[derive(Debug, Default)]
pub struct Opts {
    /// Options in their order, with their values.
    given: Vec<(char, Option<String>)>,
    /// What is not an option.
    pub args: Vec<String>,
}

impl Opts {
    /// Whether the option was given.
    #[must_use]
    pub fn has(&self, option: char) -> bool {
        self.given.iter().any(|(o, _)| *o == option)
    }

    /// How often it was given.
    #[must_use]
    pub fn count(&self, option: char) -> usize {
        self.given.iter().filter(|(o, _)| *o == option).count()
    }

    /// Its last value.
    #[must_use]
    pub fn value(&self, option: char) -> Option<&str> {
        self.given
            .iter()
            .rev()
            .find(|(o, _)| *o == option)
            .and_then(|(_, value)| value.as_deref())
    }

    /// All its values.
    pub fn values(&self, option: char) -> impl Iterator<Item = &str> {
        self.given
            .iter()
            .filter(move |(o, _)| *o == option)
            .filter_map(|(_, value)| value.as_deref())
    }

    /// Which of these options came last.
    #[must_use]
    pub fn last_of(&self, options: &str) -> Option<char> {
        self.given.iter().rev().map(|(o, _)| *o).find(|o| options.contains(*o))
    }

    /// The options in their order.
    pub fn iter(&self) -> impl Iterator<Item = (char, Option<&str>)> {
        self.given.iter().map(|(option, value)| (*option, value.as_deref()))
    }
}

/// Reads `args` (without the name at their head) by `spec`: letters, each followed by `:` where it takes a value, by `::`
/// where the value is optional and joined. A `+` at the beginning ends the options at the first operand. `longs` gives long
/// names to letters. An error or `--help` prints the usage of the applet `args[0]` and returns the exit code.
pub fn parse(args: &[String], spec: &str, longs: &[(&str, char)]) -> Result<Opts, i32> {
    let applet = super::base_name(args.first().map_or("", String::as_str));
    match read(args.get(1..).unwrap_or_default(), spec, longs) {
        Ok(Some(opts)) => Ok(opts),
        Ok(None) => {
            print_usage(applet);
            Err(0)
        }
        Err(message) => {
            write_error(&format!("{applet}: {message}\n"));
            print_usage(applet);
            Err(1)
        }
    }
}

/// Prints the applet's usage and returns 1: for a call with wrong operands.
pub fn show_usage(applet: &str) -> i32 {
    print_usage(super::base_name(applet));
    1
}

fn print_usage(name: &str) {
    let Some(applet) = applets::find(name.strip_prefix('-').unwrap_or(name)) else {
        return;
    };
    let space = if applet.usage.is_empty() { "" } else { " " };
    let banner = applets::busybox::BANNER;
    let (usage, about) = (applet.usage, applet.about);
    write_error(&format!(
        "{banner}\n\nUsage: {}{space}{usage}\n\n{about}\n",
        applet.name
    ));
}

/// Reads options without printing anything: `Ok(None)` is a call for help, an error is a message as `getopt(3)` has it.
pub fn read(args: &[String], spec: &str, longs: &[(&str, char)]) -> Result<Option<Opts>, String> {
    let (stop_early, spec) = match spec.strip_prefix('+') {
        Some(rest) => (true, rest),
        None => (false, spec),
    };
    let mut opts = Opts::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            opts.args.extend(rest.cloned());
            break;
        }
        if let Some(long) = arg.strip_prefix("--") {
            let (name, joined) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            let mut candidates = longs.iter().filter(|(l, _)| l.starts_with(name));
            let found = longs.iter().find(|(l, _)| *l == name).or_else(|| candidates.next());
            let Some((long_name, letter)) = found else {
                if name == "help" {
                    return Ok(None);
                }
                return Err(format!("unrecognized option '--{name}'"));
            };
            let takes = arity(spec, *letter);
            let value = match (takes, joined) {
                (0, Some(_)) => return Err(format!("option '--{long_name}' doesn't allow an argument")),
                (1, None) => Some(
                    rest.next()
                        .cloned()
                        .ok_or_else(|| format!("option '--{long_name}' requires an argument"))?,
                ),
                (_, joined) => joined,
            };
            opts.given.push((*letter, value));
            continue;
        }
        match arg.strip_prefix('-').filter(|cluster| !cluster.is_empty()) {
            None => {
                opts.args.push(arg.clone());
                if stop_early {
                    opts.args.extend(rest.cloned());
                    break;
                }
            }
            Some(cluster) => {
                let mut letters = cluster.chars();
                while let Some(letter) = letters.next() {
                    if letter == ':' || letter == '-' || !spec.contains(letter) {
                        return Err(format!("invalid option -- '{letter}'"));
                    }
                    let joined = letters.as_str();
                    let value = match arity(spec, letter) {
                        0 => None,
                        2 => Some(joined.to_owned()).filter(|v| !v.is_empty()),
                        _ if !joined.is_empty() => Some(joined.to_owned()),
                        _ => Some(
                            rest.next()
                                .cloned()
                                .ok_or_else(|| format!("option requires an argument -- '{letter}'"))?,
                        ),
                    };
                    let ends = arity(spec, letter) > 0;
                    opts.given.push((letter, value));
                    if ends {
                        break;
                    }
                }
            }
        }
    }
    Ok(Some(opts))
}

/// 0: takes no value, 1: needs one, 2: may have one.
fn arity(spec: &str, letter: char) -> usize {
    match spec.find(letter) {
        Some(at) => spec
            .get(at + letter.len_utf8()..)
            .unwrap_or("")
            .bytes()
            .take_while(|b| *b == b':')
            .take(2)
            .count(),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &str, spec: &str, want: &str) {
        let args: Vec<String> = args.split_whitespace().map(str::to_owned).collect();
        let got = match read(&args, spec, &[("quiet", 'q'), ("lines", 'n')]) {
            Ok(None) => "help".to_owned(),
            Ok(Some(opts)) => {
                let flags: Vec<String> = opts
                    .iter()
                    .map(|(o, v)| v.map_or(o.to_string(), |v| format!("{o}={v}")))
                    .collect();
                format!("{} | {}", flags.join(" "), opts.args.join(" "))
            }
            Err(message) => message,
        };
        assert_eq!(got, want);
    }

    #[test]
    fn options_are_read_as_getopt_does() {
        check("-ab x -n3 y", "abn:", "a b n=3 | x y");
        check("-a x -b", "+ab", "a | x -b");
        check("-n 3 -- -a", "an:", "n=3 | -a");
        check("--quiet --lines=4 - f", "qn:", "q n=4 | - f");
        check("--lin 4", "qn:", "n=4 | ");
        check("-z", "ab", "invalid option -- 'z'");
        check("-n", "n:", "option requires an argument -- 'n'");
        check("--quiet=1", "qn:", "option '--quiet' doesn't allow an argument");
        check("--nope", "q", "unrecognized option '--nope'");
        check("-i.bak -i f", "i::", "i=.bak i | f");
        check("--help", "q", "help");
    }
}

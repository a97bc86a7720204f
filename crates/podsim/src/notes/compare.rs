//! Compares the output that a document shows with what was really printed.
//!
//! What differs from run to run is a *variable*. Identities (pids, namespace inodes, container and image ids, addresses) bind at
//! first sight and then map one-to-one through the section (pids in a table of `ps`: through the table): the same value in the document must be the same value here,
//! and different ones different ones. So a claim such as "net is the same, pid differs" is really checked. Measures (counters,
//! dates, ages) only have to be there. A value that stands in a manifest of the section, pid 1, loopback addresses and netmasks
//! are no variables. Runs of blanks count as one, because the width of a column follows what is in it.

use regex::{Captures, Regex};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// What kind of thing a variable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// A pid that means the same in all commands: one of the node.
    Pid,
    /// A pid in a table of `ps`: which namespace numbers it so depends on where `ps` ran.
    Row,
    Inode,
    Id,
    Uid,
    Ip,
    Mac,
    /// A counter, a date, an age: no identity.
    Measure,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Text(String),
    Variable(Class, String),
}

/// The variables, by the name of their group. Where two could match, the first in the list wins.
static VARIABLES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?P<uid>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})",
        r"|(?P<mac>\b(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}\b)",
        r"|(?P<date>\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?",
        r"|\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d +(?:\d\d:\d\d|\d{4})\b)",
        r"|(?P<age>\b(?:Less than a second|About an? (?:minute|hour)|\d+ (?:seconds?|minutes?|hours?|days?|weeks?|months?))(?: ago)?\b",
        r"|\b(?:\d+[dhms]){1,2}\b)",
        r"|\[(?P<inode>40265\d{5})\]",
        r"|/proc/(?P<procpid>\d+)\b",
        r#"|"Pid": (?P<jsonpid>\d+)"#,
        r"|^ *(?P<pspid>\d+) +\S+ +(?P<pstime>\d+:\d\d) ",
        r"|\b(?:packets|bytes):(?P<counter>\d+)",
        r"|\((?P<human>\d+\.\d (?:B|KiB|MiB|GiB))\)",
        r"|\bkube-api-access-(?P<suffix>[a-z0-9]{5})\b",
        r"|(?P<id>\b(?:[0-9a-f]{64}|[0-9a-f]{12})\b)",
        r"|(?P<ip>\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b|\bfe80::[0-9a-f:]+)",
    ))
    .ok()
});

/// The groups of the expression with what they are.
const GROUPS: &[(&str, Class)] = &[
    ("uid", Class::Uid),
    ("mac", Class::Mac),
    ("date", Class::Measure),
    ("age", Class::Measure),
    ("inode", Class::Inode),
    ("procpid", Class::Pid),
    ("jsonpid", Class::Pid),
    ("pspid", Class::Row),
    ("pstime", Class::Measure),
    ("counter", Class::Measure),
    ("human", Class::Measure),
    ("suffix", Class::Id),
    ("id", Class::Id),
    ("ip", Class::Ip),
];

fn segments(line: &str) -> Vec<Segment> {
    let mut out = Vec::new();
    let mut done = 0;
    let text = |part: &str| Segment::Text(collapse(part));
    let Some(variables) = VARIABLES.as_ref() else {
        return vec![text(line)];
    };
    for captures in variables.captures_iter(line) {
        for (class, range) in groups(&captures) {
            let value = &line[range.clone()];
            if range.start < done || is_literal(class, value) {
                continue;
            }
            out.push(text(&line[done..range.start]));
            out.push(Segment::Variable(class, value.to_owned()));
            done = range.end;
        }
    }
    out.push(text(&line[done..]));
    // Blanks at the ends of the line follow the width of a column too.
    if let Some(Segment::Text(first)) = out.first_mut() {
        *first = first.trim_start_matches(' ').to_owned();
    }
    if let Some(Segment::Text(last)) = out.last_mut() {
        *last = last.trim_end().to_owned();
    }
    out
}

/// The groups of a match, in the order of the line.
fn groups(captures: &Captures<'_>) -> Vec<(Class, std::ops::Range<usize>)> {
    let mut found: Vec<_> = GROUPS
        .iter()
        .filter_map(|(name, class)| captures.name(name).map(|m| (*class, m.range())))
        .collect();
    found.sort_by_key(|(_, range)| range.start);
    found
}

/// Values that mean the same on every machine.
fn is_literal(class: Class, value: &str) -> bool {
    match class {
        Class::Pid | Class::Row => value == "1",
        Class::Ip => ["127.", "0.", "255."].iter().any(|prefix| value.starts_with(prefix)),
        _ => false,
    }
}

fn collapse(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if !(c == ' ' && out.ends_with(' ')) {
            out.push(c);
        }
    }
    out
}

/// What the variables of a section stand for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bindings {
    forward: BTreeMap<(Class, String), String>,
    backward: BTreeMap<(Class, String), String>,
    literals: BTreeSet<String>,
}

impl Bindings {
    /// Values of this manifest are no variables from now on.
    pub(crate) fn add_manifest(&mut self, text: &str) {
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_')));
        self.literals
            .extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
    }

    /// The text of a command with the document's values replaced by those of this run.
    pub(crate) fn substitute(&self, command: &str) -> String {
        let mut out = String::new();
        let mut word = String::new();
        let flush = |word: &mut String, out: &mut String| {
            let bound = [
                Class::Id,
                Class::Uid,
                Class::Pid,
                Class::Row,
                Class::Ip,
                Class::Inode,
                Class::Mac,
            ]
            .iter()
            .find_map(|class| self.forward.get(&(*class, word.clone())));
            out.push_str(bound.unwrap_or(word));
            word.clear();
        };
        for c in command.chars() {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_') {
                word.push(c);
            } else {
                flush(&mut word, &mut out);
                out.push(c);
            }
        }
        flush(&mut word, &mut out);
        out
    }

    /// Without the pids of earlier tables, which another table may number otherwise.
    fn without_rows(&self) -> Self {
        let mut new = self.clone();
        new.forward.retain(|(class, _), _| *class != Class::Row);
        new.backward.retain(|(class, _), _| *class != Class::Row);
        new
    }

    fn bind(&mut self, class: Class, expected: &str, actual: &str) -> Result<(), String> {
        if class == Class::Measure {
            return Ok(());
        }
        let key = |value: &str| {
            (
                class,
                if class == Class::Mac {
                    value.to_lowercase()
                } else {
                    value.to_owned()
                },
            )
        };
        if self.literals.contains(expected) || self.literals.contains(actual) {
            return if expected == actual {
                Ok(())
            } else {
                Err(format!("{expected} is not {actual} (the manifest says so)"))
            };
        }
        match (self.forward.get(&key(expected)), self.backward.get(&key(actual))) {
            (None, None) => {
                self.forward.insert(key(expected), actual.to_owned());
                self.backward.insert(key(actual), expected.to_owned());
                Ok(())
            }
            (Some(bound), Some(_)) if bound.eq_ignore_ascii_case(actual) => Ok(()),
            (Some(bound), _) => Err(format!("{expected} was {bound} before, and is {actual} here")),
            (None, Some(other)) => Err(format!(
                "{expected} and {other} are different in the document, and both {actual} here"
            )),
        }
    }

    fn match_line(&mut self, expected: &str, actual: &str) -> Result<(), String> {
        let (expected, actual) = (segments(expected), segments(actual));
        if expected.len() != actual.len() {
            return Err(String::new());
        }
        for (expected, actual) in expected.iter().zip(&actual) {
            match (expected, actual) {
                (Segment::Text(a), Segment::Text(b)) if a == b => {}
                (Segment::Variable(a, x), Segment::Variable(b, y)) if a == b => self.bind(*a, x, y)?,
                _ => return Err(String::new()),
            }
        }
        Ok(())
    }
}

/// What was printed, without the kinds of namespaces that the document's kernel did not have: `ls -l /proc/PID/ns` shows time
/// namespaces since Linux 5.6 (`time_namespaces(7)`). No Pod has one of its own.
pub(crate) fn known_to<'a>(expected: &[String], actual: &'a [String]) -> Cow<'a, [String]> {
    let is_time = |line: &&String| line.contains("time:[");
    let lists_namespaces = expected.iter().any(|line| line.contains("pid_for_children"));
    if !lists_namespaces || expected.iter().any(|line| is_time(&line)) || !actual.iter().any(|line| is_time(&line)) {
        return Cow::Borrowed(actual);
    }
    actual.iter().filter(|line| !is_time(line)).cloned().collect()
}

/// A line that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// Index of the document's line; its length if there were more lines than it shows.
    pub(crate) expected: usize,
    /// Index of the printed line; its length if there were fewer.
    pub(crate) actual: usize,
    /// Why, if it is not plain to see.
    pub(crate) why: String,
}

/// The line with the names of what they are in place of its variables: lines that say the same of different things are equal.
pub(crate) fn masked(line: &str) -> String {
    let part = |segment| match segment {
        Segment::Text(text) => text,
        Segment::Variable(class, _) => format!("<{class:?}>"),
    };
    segments(line).into_iter().map(part).collect()
}

/// Compares lines, and gives what was learned. A line `...` in the document matches any lines, also none.
///
/// # Errors
///
/// The first line that does not fit.
pub(crate) fn compare(expected: &[String], actual: &[String], bindings: &Bindings) -> Result<Bindings, Mismatch> {
    let bindings = &bindings.without_rows();
    let whole = run(expected, actual, 0, 0, bindings.clone());
    let Err(mismatch) = whole else { return whole };
    // A shell takes `# …` for a comment, and authors write them below the output.
    let comments = expected.iter().rev().take_while(|line| line.starts_with("# ")).count();
    let output = &expected[..expected.len() - comments];
    if comments > 0 && mismatch.expected >= output.len() {
        return run(output, actual, 0, 0, bindings.clone());
    }
    Err(mismatch)
}

fn run(
    expected: &[String],
    actual: &[String],
    e: usize,
    a: usize,
    mut bindings: Bindings,
) -> Result<Bindings, Mismatch> {
    let (mut e, mut a) = (e, a);
    loop {
        match (expected.get(e), actual.get(a)) {
            (None, None) => return Ok(bindings),
            (Some(line), _) if line.trim() == "..." => {
                let mut first = None;
                for skip in a..=actual.len() {
                    match run(expected, actual, e + 1, skip, bindings.clone()) {
                        Ok(bindings) => return Ok(bindings),
                        Err(mismatch) => first = first.or(Some(mismatch)),
                    }
                }
                return Err(first.unwrap_or(Mismatch {
                    expected: e,
                    actual: a,
                    why: String::new(),
                }));
            }
            (Some(x), Some(y)) => {
                bindings.match_line(x, y).map_err(|why| Mismatch {
                    expected: e,
                    actual: a,
                    why,
                })?;
                (e, a) = (e + 1, a + 1);
            }
            _ => {
                return Err(Mismatch {
                    expected: e,
                    actual: a,
                    why: String::new(),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    fn check(expected: &str, actual: &str) -> Result<(), String> {
        compare(&lines(expected), &lines(actual), &Bindings::default())
            .map(|_| ())
            .map_err(|m| m.why)
    }

    #[test]
    fn what_differs_from_run_to_run_fits() {
        for (expected, actual) in [
            (
                "PID   USER     TIME  COMMAND\n    1 root      0:00 sh\n    6 root      0:00 ps",
                "PID   USER     TIME  COMMAND\n    1 root      0:00 sh\n   12 root      0:00 ps",
            ),
            (
                "lrwxrwxrwx 1 root root 0 Jun 17 14:43 pid -> 'pid:[4026532723]'",
                "lrwxrwxrwx 1 root root 0 Nov  2 09:00 pid -> 'pid:[4026532201]'",
            ),
            ("172.172.1.41\tmy-first-test", "10.244.0.2\tmy-first-test"),
            (
                "          RX bytes:868 (868.0 B)  TX bytes:43824 (42.7 KiB)",
                "          RX bytes:0 (0.0 B)  TX bytes:1 (1.0 B)",
            ),
            (
                "ca8b6e6a1796        1c35c4412082  \"sh\"  About a minute ago   Up About a minute",
                "0123456789ab   ba9876543210   \"sh\"   2 seconds ago   Up 2 seconds",
            ),
            (
                "k8s_web_a_default_94884606-ea15-4038-9fa0-0e3b11ca4f31_0",
                "k8s_web_a_default_f5eff903-1eb2-453f-b1ec-d1fdc9c07ad8_0",
            ),
            ("            \"Pid\": 1561218,", "            \"Pid\": 7,"),
            ("a\n...\nz", "a\nb\nc\nz"),
            ("a\n...", "a"),
            ("out\n# a comment of the author", "out"),
        ] {
            assert_eq!(check(expected, actual), Ok(()), "{expected}");
        }
    }

    #[test]
    fn what_is_not_so_does_not_fit() {
        for (expected, actual) in [
            ("    1 root      0:00 /pause", "    1 root      0:00 sh"),
            ("    1 root      0:00 sh", "    2 root      0:00 sh"),
            ("   13 101       0:00 nginx", "   13 root      0:00 nginx"),
            ("a", "a\nb"),
            ("a\nb", "a"),
            ("# a heading\nx", "x"),
            ("127.0.0.1\tlocalhost", "127.0.0.2\tlocalhost"),
            ("a\tb", "a b"),
        ] {
            assert!(check(expected, actual).is_err(), "{expected}");
        }
    }

    #[test]
    fn identities_map_one_to_one() {
        let ns = |net: &str, pid: &str| format!("net:[{net}]\npid:[{pid}]");
        let document = format!("{}\n{}", ns("4026532628", "4026532723"), ns("4026532628", "4026532726"));
        let shared_net = format!("{}\n{}", ns("4026532201", "4026532202"), ns("4026532201", "4026532203"));
        let shared_both = format!("{}\n{}", ns("4026532201", "4026532202"), ns("4026532201", "4026532202"));
        let shared_none = format!("{}\n{}", ns("4026532201", "4026532202"), ns("4026532204", "4026532203"));
        assert_eq!(check(&document, &shared_net), Ok(()));
        assert!(check(&document, &shared_both).is_err_and(|why| why.contains("different in the document")));
        assert!(check(&document, &shared_none).is_err_and(|why| why.contains("was 4026532201 before")));
    }

    #[test]
    fn what_the_manifest_says_is_no_variable() {
        let mut bindings = Bindings::default();
        bindings.add_manifest("  - ip: \"10.9.8.7\"\n    hostnames: [\"a\"]");
        let hosts = |ip: &str| vec![format!("{ip}\ta")];
        assert!(compare(&hosts("10.9.8.7"), &hosts("10.9.8.7"), &bindings).is_ok());
        assert!(compare(&hosts("10.9.8.8"), &hosts("10.9.8.7"), &bindings).is_err());
    }

    #[test]
    fn commands_speak_of_what_was_bound() {
        let step = |text: &str, actual: &str, bindings: &Bindings| {
            compare(&lines(text), &lines(actual), bindings).expect("a match")
        };
        let bindings = step("ca8b6e6a1796        sh", "0123456789ab  sh", &Bindings::default());
        let bindings = step("            \"Pid\": 1561218,", "            \"Pid\": 31,", &bindings);
        assert_eq!(
            bindings.substitute("docker inspect ca8b6e6a1796 | grep x"),
            "docker inspect 0123456789ab | grep x"
        );
        assert_eq!(bindings.substitute("ls -l /proc/1561218/ns/"), "ls -l /proc/31/ns/");
    }

    #[test]
    fn a_newer_kernel_may_have_time_namespaces() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let old = lines("pid_for_children -> 'pid:[4026531836]'\nuser -> 'user:[4026531837]'");
        let new =
            lines("pid_for_children -> 'pid:[4026531836]'\ntime -> 'time:[4026531834]'\nuser -> 'user:[4026531837]'");
        assert_eq!(*known_to(&old, &new), old);
        assert_eq!(*known_to(&new, &new), new);
        assert_eq!(*known_to(&lines("total 0"), &new), new);
    }
}

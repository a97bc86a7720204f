//! Expansion against a shell that is only a table.

use crate::shell::arith::Variables;
use crate::shell::ast::Node;
use crate::shell::expand::{self, Host};
use crate::shell::flow::Flow;
use crate::shell::glob::Directory;
use crate::shell::lexer::{Aliases, Text};
use std::collections::BTreeMap;

struct Fake {
    variables: BTreeMap<String, String>,
    positional: Vec<String>,
    message: String,
    nounset: bool,
}

impl Directory for Fake {
    fn list(&mut self, path: &str) -> Option<Vec<String>> {
        let names: &[&str] = match path {
            "" | "./" => &[".", "..", ".hid", "a.c", "b.c", "dir", "x y"],
            "dir/" => &[".", "..", "one", "two"],
            _ => return None,
        };
        Some(names.iter().map(|n| (*n).to_owned()).collect())
    }
    fn exists(&mut self, path: &str) -> bool {
        matches!(path, "dir/one" | "dir/two" | "dir/" | "a.c")
    }
}

impl Variables for Fake {
    fn value(&mut self, name: &str) -> Result<Option<String>, String> {
        Ok(self.variables.get(name).cloned())
    }
    fn assign(&mut self, name: &str, value: i64) -> Result<(), String> {
        self.variables.insert(name.to_owned(), value.to_string());
        Ok(())
    }
}

impl Host for Fake {
    fn parameter(&mut self, name: &str) -> Option<String> {
        match name.parse::<usize>() {
            Ok(0) => Some("sh".into()),
            Ok(n) => self.positional.get(n - 1).cloned(),
            Err(_) if name == "#" => Some(self.positional.len().to_string()),
            Err(_) => self.variables.get(name).cloned(),
        }
    }
    fn positional(&self) -> Vec<String> {
        self.positional.clone()
    }
    fn set_parameter(&mut self, name: &str, value: &str) -> Result<(), Flow> {
        self.variables.insert(name.to_owned(), value.to_owned());
        Ok(())
    }
    fn substitute(&mut self, body: &Node) -> Result<String, Flow> {
        match body {
            Node::Simple { command } => Ok(expand::arguments(self, &command.words)?[1..].join(" ")),
            _ => Ok(String::new()),
        }
    }
    fn home(&mut self, user: &str) -> Option<String> {
        match user {
            "" => Some("/home/me".into()),
            "root" => Some("/root".into()),
            _ => None,
        }
    }
    fn fail(&mut self, message: &str) -> Flow {
        self.message = message.to_owned();
        Flow::Error(2)
    }
    fn nounset(&self) -> bool {
        self.nounset
    }
    fn noglob(&self) -> bool {
        false
    }
}

fn fake() -> Fake {
    let variables = [
        ("x", "abcabc"),
        ("e", ""),
        ("s", " a  b "),
        ("c", "a:b::c"),
        ("g", "*.c"),
        ("n", "3"),
    ];
    Fake {
        variables: variables.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        positional: vec!["1".into(), "2 3".into(), String::new()],
        message: String::new(),
        nounset: false,
    }
}

fn with(host: &mut Fake, words: &str) -> Result<Vec<String>, Flow> {
    let node = Text::whole(format!("echo {words}"), 1).next_command(&Aliases::new(), false);
    let Ok(Some(Node::Simple { command })) = node else {
        panic!("{words}: {node:?}")
    };
    expand::arguments(host, &command.words[1..])
}

#[track_caller]
fn check(words: &str, want: &[&str]) {
    assert_eq!(with(&mut fake(), words).expect(words), want, "{words}");
}

#[test]
fn quotes_and_parameters() {
    check("a 'b c' \"d $n\" \\$n e\\ f", &["a", "b c", "d 3", "$n", "e f"]);
    check("$s \"$s\" x$s", &["a", "b", " a  b ", "x", "a", "b"]);
    check("$e \"$e\" $u '' \"\"", &["", "", ""]);
    check("$e$e'' a$e", &["", "a"]);
    check("$'a\\tb\\x41' \"\\a\\\\\\\"\"", &["a\tbA", "\\a\\\""]);
    check("$1 ${2} \"$2\" $# ${#}", &["1", "2", "3", "2 3", "3", "3"]);
    check("$ $% \"$\"", &["$", "$%", "$"]);
}

#[test]
fn at_and_star() {
    check("\"$@\"", &["1", "2 3", ""]);
    check("\"a$@b\"", &["a1", "2 3", "b"]);
    check("$@", &["1", "2", "3"]);
    check("\"$*\"", &["1 2 3 "]);
    let mut none = fake();
    none.positional.clear();
    assert_eq!(with(&mut none, "\"$@\" $* $@"), Ok(vec![]));
    assert_eq!(with(&mut none, "\"$*\" \"x$@\""), Ok(vec![String::new(), "x".into()]));
    let mut colon = fake();
    colon.variables.insert("IFS".into(), ":".into());
    assert_eq!(with(&mut colon, "\"$*\""), Ok(vec!["1:2 3:".into()]));
}

#[test]
fn fields_are_split_at_ifs() {
    let mut host = fake();
    host.variables.insert("IFS".into(), ": ".into());
    host.variables.insert("d".into(), " a : b:c::d : ".into());
    assert_eq!(with(&mut host, "$c").expect("c"), ["a", "b", "", "c"]);
    assert_eq!(with(&mut host, "$d").expect("d"), ["a", "b", "c", "", "d"]);
    host.variables.insert("IFS".into(), String::new());
    assert_eq!(with(&mut host, "$s$c").expect("s"), [" a  b a:b::c"]);
}

#[test]
fn operators() {
    check(
        "${u-d} ${u:-\"q r\"} ${e-d} ${e:-d} ${x+y} ${u+y}",
        &["d", "q r", "d", "y"],
    );
    check("${u:-a b} \"${u:-a b}\" \"${u-'a'}\"", &["a", "b", "a b", "'a'"]);
    check("${u:=v} $u", &["v", "v"]);
    check("${x#*b} ${x##*b} ${x%b*} ${x%%b*}", &["cabc", "c", "abca", "a"]);
    check(
        "${x/b/X} ${x//b/X} ${x/b} \"${x//a/$n}\"",
        &["aXcabc", "aXcaXc", "acabc", "3bc3bc"],
    );
    check(
        "${x:2} ${x:1:3} ${x: -2} ${x:0:-1} ${x:$n} ${x:9}",
        &["cabc", "bca", "bc", "abcab", "abc"],
    );
    check("${#x} ${#e} ${#u} ${#@}", &["6", "0", "0", "3"]);
    check("\"${@:2}\" \"${@:1:1}\"", &["2 3", "", "1"]);
    check("${x#\"a\"} \"${x#'a'}\" ${x#'*'}", &["bcabc", "bcabc", "abcabc"]);
    check(
        "$((n+1)) $(echo a b) \"$(echo a b)\" `echo c`",
        &["4", "a", "b", "a b", "c"],
    );
    for (words, message) in [
        ("${u?}", "u: parameter not set"),
        ("${e:?}", "e: parameter not set or null"),
        ("${u?is $n}", "u: is 3"),
        ("$((1/0))", "divide by zero"),
    ] {
        let mut host = fake();
        assert_eq!(with(&mut host, words), Err(Flow::Error(2)));
        assert_eq!(host.message, message);
    }
    let mut host = Fake {
        nounset: true,
        ..fake()
    };
    assert!(with(&mut host, "${u-a} $@").is_ok());
    assert_eq!(with(&mut host, "$u"), Err(Flow::Error(2)));
    assert_eq!(host.message, "u: parameter not set");
}

#[test]
fn tildes() {
    check(
        "~ ~/x ~root/y ~nobody \"~\" a~ \\~ ~$n",
        &["/home/me", "/home/me/x", "/root/y", "~nobody", "~", "a~", "~", "~3"],
    );
    let node = Text::whole("a=~:~root:b~ x".into(), 1).next_command(&Aliases::new(), false);
    let Ok(Some(Node::Simple { command })) = node else {
        panic!()
    };
    assert_eq!(
        expand::assignment(&mut fake(), &command.assignments[0].value),
        Ok("/home/me:/root:b~".to_owned())
    );
}

#[test]
fn pathnames() {
    check(
        "*.c '*'.c \"*\" \\*.c $g \"$g\"",
        &["a.c", "b.c", "*.c", "*", "*.c", "a.c", "b.c", "*.c"],
    );
    check("*", &["a.c", "b.c", "dir", "x y"]);
    check(".*", &[".", "..", ".hid"]);
    check(
        "d*/[ot]* d*/three d*/one",
        &["dir/one", "dir/two", "d*/three", "dir/one"],
    );
    check("nothing* [!a-z]*", &["nothing*", "[!a-z]*"]);
    check("*/", &["dir/"]);
}

//! The parser: shapes of trees, and the messages of ash.

use crate::shell::ast::{Node, ParamOp, Part, RedirectKind};
use crate::shell::codec::{Codec, Input};
use crate::shell::lexer::{Aliases, ParseError, Text};

fn parse_all(script: &str, aliases: &Aliases) -> Result<Vec<Node>, ParseError> {
    let mut text = Text::whole(script.to_owned(), 1);
    let mut nodes = Vec::new();
    while let Some(node) = text.next_command(aliases, false)? {
        nodes.push(node);
    }
    Ok(nodes)
}

fn parse(script: &str) -> Vec<Node> {
    parse_all(script, &Aliases::new()).unwrap_or_else(|e| panic!("{script}: {e:?}"))
}

fn message(script: &str) -> String {
    match parse_all(script, &Aliases::new()) {
        Err(ParseError::Syntax { message, .. }) => message,
        other => format!("{other:?}"),
    }
}

#[test]
fn errors_are_worded_as_ash_words_them() {
    for (script, want) in [
        ("done", "unexpected \"done\""),
        ("if true", "unexpected end of file (expecting \"then\")"),
        ("if true; then a", "unexpected end of file (expecting \"fi\")"),
        ("echo \"abc", "unterminated quoted string"),
        ("echo 'abc", "unterminated quoted string"),
        ("echo $'abc", "unterminated quoted string"),
        ("echo $((", "missing '))'"),
        ("echo $(foo", "unexpected end of file (expecting \")\")"),
        ("echo `foo", "EOF in backquote substitution"),
        ("for 1a in x; do :; done", "bad for loop variable"),
        ("1a() { :; }", "bad function name"),
        ("echo ${x!y}", "bad substitution"),
        ("echo ${}", "bad substitution"),
        ("echo ${x", "missing '}'"),
        ("while", "unexpected end of file (expecting \"do\")"),
        ("case x in", "unexpected end of file (expecting \")\")"),
        ("a & & b", "unexpected \"&\""),
        (";;", "unexpected \";;\""),
        ("(", "unexpected end of file (expecting \")\")"),
        (")", "unexpected \")\""),
        ("{ echo", "unexpected end of file (expecting \"}\")"),
        ("}", "unexpected \"}\""),
        ("echo )", "unexpected \")\""),
        ("! ", "unexpected end of file"),
        ("| a", "unexpected \"|\""),
        ("a |", "unexpected end of file"),
        ("a || ; b", "unexpected \";\""),
        ("> ", "unexpected end of file"),
        ("for x in a b; echo", "unexpected word (expecting \"do\")"),
        ("if :; then :; done", "unexpected \"done\" (expecting \"fi\")"),
        ("cat <<< a", "unexpected redirection"),
        (")\n", "unexpected \")\""),
    ] {
        assert_eq!(message(script), want, "{script}");
    }
}

#[test]
fn deep_nesting_is_an_error_and_not_a_crash() {
    for (open, close) in [
        ("(", ")"),
        ("$(", ")"),
        ("{ ", "; }"),
        ("\"${x:-", "}\""),
        ("`", ""),
        ("if ", ""),
    ] {
        let script = format!("echo; {}:{}", open.repeat(5000), close.repeat(5000));
        let _ = message(&script);
    }
    assert_eq!(message(&"(".repeat(5000)), "nesting too deep");
    // Each level may be arithmetic or not: the second looks must not multiply.
    let _ = message(&format!("echo {}{}", "$(( ".repeat(60), ") ".repeat(120)));
}

#[test]
fn text_that_may_go_on_is_incomplete() {
    for (script, complete) in [
        ("if true\n", false),
        ("echo a\n", true),
        ("echo \"a\n", false),
        ("cat <<E\nabc\n", false),
        ("cat <<E\nabc\nE\n", true),
        ("a &&\n", false),
        ("a \\\n", false),
        ("f() {\n", false),
        ("echo $(\n", false),
        ("# only a comment\n", true),
        ("\n", true),
        ("echo $\n", true),
        ("a &\n", true),
    ] {
        let mut text = Text {
            text: script.to_owned(),
            more: true,
            ..Text::default()
        };
        let result = text.next_command(&Aliases::new(), false);
        assert_eq!(
            result != Err(ParseError::Incomplete),
            complete,
            "{script:?}: {result:?}"
        );
        assert_eq!(text.pos == 0, !complete);
    }
}

#[test]
fn here_documents_belong_to_their_redirections_in_order() {
    let nodes = parse("cat <<A <<'B' && x <<-C\n$a\nA\n$b\nB\n\t\tc\n\tC\nnext");
    assert_eq!(nodes.len(), 2);
    let Node::And { left, .. } = &nodes[0] else {
        panic!("{nodes:?}")
    };
    let Node::Simple { command } = &**left else {
        panic!("{left:?}")
    };
    let bodies: Vec<_> = command
        .redirects
        .iter()
        .map(|r| match &r.kind {
            RedirectKind::HereDoc { body } => body.get().expect("read").parts[0].clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(matches!(&bodies[0], Part::Double { parts } if matches!(parts[0], Part::Param { .. })));
    assert_eq!(bodies[1], Part::Quoted { text: "$b\n".into() });
}

#[test]
fn aliases_are_expanded_where_a_command_begins_and_not_again_in_themselves() {
    let aliases = Aliases::from([
        ("ls".into(), "ls -l".into()),
        ("sudo".into(), "command ".into()),
        ("x".into(), "echo a; ls".into()),
    ]);
    let words = |script: &str| -> Vec<String> {
        let nodes = parse_all(script, &aliases).expect("parses");
        fn collect(node: &Node, out: &mut Vec<String>) {
            match node {
                Node::Simple { command } => out.push(
                    command
                        .words
                        .iter()
                        .map(|w| w.as_literal().unwrap_or("?"))
                        .collect::<Vec<_>>()
                        .join(" "),
                ),
                Node::Sequence { items } => items.iter().for_each(|n| collect(n, out)),
                _ => out.push("?".into()),
            }
        }
        let mut out = Vec::new();
        nodes.iter().for_each(|n| collect(n, &mut out));
        out
    };
    assert_eq!(words("ls"), ["ls -l"]);
    assert_eq!(words("ls ls"), ["ls -l ls"]);
    assert_eq!(words("sudo ls x"), ["command ls -l x"]);
    assert_eq!(words("x; \\ls"), ["echo a", "ls -l", "?"]);
}

#[test]
fn arithmetic_that_is_none_is_a_command_substitution() {
    let nodes = parse("echo $((a) | b) $((1 + (2)))");
    let Node::Simple { command } = &nodes[0] else { panic!() };
    assert!(matches!(command.words[1].parts[0], Part::Command { .. }));
    assert!(matches!(command.words[2].parts[0], Part::Arith { .. }));
}

#[test]
fn parameter_operators_are_told_apart() {
    let op = |script: &str| match &parse(script)[0] {
        Node::Simple { command } => match &command.words[0].parts[0] {
            Part::Param { op, name } => (name.clone(), op.clone()),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    assert!(matches!(op("${#}"), (n, ParamOp::Plain {}) if n == "#"));
    assert!(matches!(op("${#x}"), (n, ParamOp::Length {}) if n == "x"));
    assert!(matches!(op("${#@}"), (n, ParamOp::Length {}) if n == "@"));
    assert!(matches!(op("${##a}"), (n, ParamOp::TrimPrefix { longest: false, .. }) if n == "#"));
    assert!(matches!(op("${x:-a}"), (_, ParamOp::Default { colon: true, .. })));
    assert!(matches!(op("${x:1:2}"), (_, ParamOp::Slice { length: Some(_), .. })));
    assert!(matches!(op("${x: -1}"), (_, ParamOp::Slice { length: None, .. })));
    assert!(matches!(op("${x//a/b}"), (_, ParamOp::Replace { all: true, .. })));
    assert!(matches!(op("${12}"), (n, ParamOp::Plain {}) if n == "12"));
    assert!(matches!(op("$12"), (n, ParamOp::Plain {}) if n == "1"));
}

#[test]
fn a_tree_survives_the_hand_over() {
    let script = "for i in a \"$b\" $(c | d); do if x; then y <<E; elif ! z; then { w; }; fi; done > out 2>&1 &\n\
                  body ${x:-$((1+2))}\nE\n\
                  case $x in a|b*) f() { g; };; *) (h);; esac; while :; do break; done; A=1 b &> c";
    let nodes = parse(script);
    let mut bytes = Vec::new();
    nodes.put(&mut bytes);
    assert_eq!(Vec::<Node>::get(&mut Input(&bytes)).expect("decodes"), nodes);
    for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        assert_eq!(Vec::<Node>::get(&mut Input(&bytes[..cut])), None);
    }
}

//! YAML as `kubectl -o yaml` prints it: two spaces, lists not indented under their key, keys in order.

use serde_json::Value;

/// The document, with a line feed at its end.
pub(crate) fn document(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => object(&mut out, value, 0),
        Value::Array(items) if !items.is_empty() => array(&mut out, value, 0),
        other => {
            out.push_str(&scalar(other, 0));
            out.push('\n');
        }
    }
    out
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n(' ', depth));
}

fn object(out: &mut String, value: &Value, depth: usize) {
    for (number, (key, value)) in value.as_object().into_iter().flatten().enumerate() {
        // The first key of an object in a list stands behind the dash.
        if number > 0 || !out.ends_with("- ") {
            indent(out, depth);
        }
        out.push_str(&plain_or_quoted(key));
        out.push(':');
        match value {
            Value::Object(map) if !map.is_empty() => {
                out.push('\n');
                object(out, value, depth + 2);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                array(out, value, depth);
            }
            other => {
                out.push(' ');
                out.push_str(&scalar(other, depth));
                out.push('\n');
            }
        }
    }
}

fn array(out: &mut String, value: &Value, depth: usize) {
    for item in value.as_array().into_iter().flatten() {
        if !out.ends_with("- ") {
            indent(out, depth);
        }
        out.push_str("- ");
        match item {
            Value::Object(map) if !map.is_empty() => object(out, item, depth + 2),
            Value::Array(items) if !items.is_empty() => array(out, item, depth + 2),
            other => {
                out.push_str(&scalar(other, depth));
                out.push('\n');
            }
        }
    }
}

fn scalar(value: &Value, depth: usize) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => string(text, depth),
        Value::Array(_) => "[]".into(),
        Value::Object(_) => "{}".into(),
    }
}

/// A string: a block where it has lines, else plain or quoted.
fn string(text: &str, depth: usize) -> String {
    let printable = text.chars().all(|c| c == '\n' || c == '\t' || !c.is_control());
    if !text.contains('\n') || !printable || text.starts_with([' ', '\n', '\t']) || text.contains(" \n") {
        return plain_or_quoted(text);
    }
    let (body, chomp) = match text.strip_suffix('\n') {
        Some(body) if body.ends_with('\n') => (body, "+"),
        Some(body) => (body, ""),
        None => (text, "-"),
    };
    let mut out = format!("|{chomp}");
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            indent(&mut out, depth + 2);
            out.push_str(line);
        }
    }
    out
}

fn plain_or_quoted(text: &str) -> String {
    if is_plain(text) {
        text.to_owned()
    } else if text.chars().any(|c| c.is_control()) {
        // JSON's escapes are a part of YAML's.
        Value::from(text).to_string()
    } else if (text.contains('\'') && !text.contains(['"', '\\'])) || looks_like_another_type(text) {
        format!("\"{text}\"")
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// What a YAML 1.1 reader would not take for a string: words, numbers, times.
fn looks_like_another_type(text: &str) -> bool {
    const WORDS: [&str; 11] = ["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    WORDS.contains(&text.to_ascii_lowercase().as_str()) || is_number(text) || is_time(text)
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text).replace('_', "");
    let of_base = |prefix: &str, base| {
        digits
            .strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_digit(base)))
    };
    let special = matches!(digits.to_ascii_lowercase().as_str(), ".inf" | ".nan");
    // Rust reads `inf`, `nan` and `infinity` too; YAML does not.
    let decimal = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') && digits.parse::<f64>().is_ok();
    special || decimal || of_base("0x", 16) || of_base("0o", 8) || of_base("0b", 2)
}

/// `2025-06-17`, `2025-06-17T14:41:00Z`.
fn is_time(text: &str) -> bool {
    let date = text.get(..10).unwrap_or(text);
    date.len() == 10
        && date.bytes().enumerate().all(|(at, byte)| {
            if at == 4 || at == 7 {
                byte == b'-'
            } else {
                byte.is_ascii_digit()
            }
        })
        && text
            .get(10..)
            .is_none_or(|rest| rest.is_empty() || rest.starts_with(['T', 't', ' ']))
}

fn is_plain(text: &str) -> bool {
    !looks_like_another_type(text)
        && !text.starts_with(|c: char| c.is_whitespace() || "-?:,[]{}#&*!|>'\"%@`=<".contains(c))
        && !text.ends_with(|c: char| c.is_whitespace() || c == ':')
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.chars().any(char::is_control)
        || (text.starts_with('-') && text.len() > 1 && plain_after_dash(text))
}

/// `-c` is plain, `- x` is not.
fn plain_after_dash(text: &str) -> bool {
    !text.starts_with("- ")
        && !looks_like_another_type(text)
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with([' ', ':'])
        && !text.chars().any(char::is_control)
        && text != "---"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_look_as_kubectl_prints_them() {
        let value = json!({
            "apiVersion": "v1",
            "metadata": {"creationTimestamp": "2025-06-17T14:41:00Z", "name": "x", "labels": {}},
            "spec": {"containers": [
                {"args": ["-c", "echo: hi", "10", "true", "10.0.0.1", "", "it's", "0e60c202-ddd2", "1e3"], "name": "a"},
                {"command": [["nested"]], "n": 3, "t": null},
            ]},
            "text": "two\nlines\n",
            "kept": "no end\nhere",
        });
        let expected = r#"apiVersion: v1
kept: |-
  no end
  here
metadata:
  creationTimestamp: "2025-06-17T14:41:00Z"
  labels: {}
  name: x
spec:
  containers:
  - args:
    - -c
    - 'echo: hi'
    - "10"
    - "true"
    - 10.0.0.1
    - ""
    - it's
    - 0e60c202-ddd2
    - "1e3"
    name: a
  - command:
    - - nested
    "n": 3
    t: null
text: |
  two
  lines
"#;
        assert_eq!(document(&value), expected);
    }
}

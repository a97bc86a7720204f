//! The part of JSONPath that `kubectl wait --for=jsonpath=` needs: `{.status.phase}`, `{.a.b[0].c}`, `{.a['key.with.dots']}`.

use serde_json::Value;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// A path to one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JsonPath(Vec<Step>);

impl JsonPath {
    /// Reads a path; braces, a `$` and the first dot may be left out.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("the JSONPath {text:?} cannot be used: {why}; write it like {{.status.phase}}");
        let inner = text.trim();
        let inner = inner
            .strip_prefix('{')
            .and_then(|t| t.strip_suffix('}'))
            .unwrap_or(inner);
        let mut rest = inner.strip_prefix('$').unwrap_or(inner);
        let mut steps = Vec::new();
        if !rest.starts_with(['.', '[']) {
            let (key, tail) = split_key(rest);
            steps.push(Step::Key(key.to_owned()));
            rest = tail;
        }
        while !rest.is_empty() {
            if let Some(tail) = rest.strip_prefix('.') {
                let (key, tail) = split_key(tail);
                steps.push(Step::Key(key.to_owned()));
                rest = tail;
            } else if let Some((inside, tail)) = rest.strip_prefix('[').and_then(|tail| tail.split_once(']')) {
                let quoted = inside
                    .strip_prefix(['\'', '"'])
                    .and_then(|t| t.strip_suffix(['\'', '"']));
                steps.push(match quoted {
                    Some(key) => Step::Key(key.to_owned()),
                    None => Step::Index(
                        inside
                            .parse()
                            .map_err(|_| wrong("only numbers and quoted keys are known in []"))?,
                    ),
                });
                rest = tail;
            } else {
                return Err(wrong("a step begins with . or ["));
            }
        }
        if steps
            .iter()
            .any(|step| matches!(step, Step::Key(key) if key.is_empty() || key == "*" || key.contains(['{', '}'])))
        {
            return Err(wrong("a key is empty, * or has braces in it"));
        }
        Ok(Self(steps))
    }

    /// The value there.
    pub(crate) fn find<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(value, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Index(index) => value.get(index),
        })
    }
}

fn split_key(text: &str) -> (&str, &str) {
    let end = text.find(['.', '[']).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_lead_to_values() {
        let value = json!({"status": {"phase": "Running", "c": [{"n": 1}]}, "m": {"a.b": "x"}});
        for (path, expected) in [
            ("{.status.phase}", Some(json!("Running"))),
            ("status.phase", Some(json!("Running"))),
            ("{.status.c[0].n}", Some(json!(1))),
            ("{.m['a.b']}", Some(json!("x"))),
            ("{.none}", None),
        ] {
            assert_eq!(JsonPath::parse(path).unwrap().find(&value), expected.as_ref(), "{path}");
        }
        for wrong in ["{.a..b}", "{.a[*]}", "{.a[?(@.x)]}", "{.a"] {
            assert!(JsonPath::parse(wrong).is_err(), "{wrong}");
        }
    }
}

//! Label and field selectors (`labels.Selector` and `fields.Selector` of apimachinery).

use crate::{Kind, StoreError};
use serde_json::Value;

/// What a list or a watch is narrowed to. The default selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selectors {
    labels: Vec<Requirement>,
    fields: Vec<(String, bool, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    Exists(String),
    NotExists(String),
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
}

impl Selectors {
    /// Parses `labelSelector` and `fieldSelector` as they stand in a URL (or after `-l` and `--field-selector`).
    pub fn parse(kind: &Kind, labels: &str, fields: &str) -> Result<Self, StoreError> {
        Ok(Self {
            labels: parse_labels(labels)
                .map_err(|e| StoreError::BadRequest(format!("unable to parse requirement: {e}")))?,
            fields: parse_fields(kind, fields)?,
        })
    }

    /// Selects the one object of this name.
    #[must_use]
    pub fn name(name: &str) -> Self {
        Self {
            labels: vec![],
            fields: vec![("metadata.name".to_owned(), true, name.to_owned())],
        }
    }

    /// Does it select this object?
    #[must_use]
    pub fn matches(&self, object: &Value) -> bool {
        let label = |key: &str| {
            object
                .pointer("/metadata/labels")
                .and_then(|l| l.get(key))
                .and_then(Value::as_str)
        };
        let labels = self.labels.iter().all(|requirement| match requirement {
            Requirement::Exists(key) => label(key).is_some(),
            Requirement::NotExists(key) => label(key).is_none(),
            Requirement::In(key, values) => label(key).is_some_and(|v| values.iter().any(|x| x == v)),
            Requirement::NotIn(key, values) => !label(key).is_some_and(|v| values.iter().any(|x| x == v)),
        });
        labels
            && self
                .fields
                .iter()
                .all(|(path, equal, value)| (field(object, path) == *value) == *equal)
    }
}

/// The text of a field; an unset one is empty, and an unset `hostNetwork` or the like is `false`.
fn field(object: &Value, path: &str) -> String {
    if path == "source" {
        return field(object, "source.component");
    }
    let found = path.split('.').try_fold(object, |value, key| value.get(key));
    match found {
        Some(Value::String(s)) => s.clone(),
        Some(Value::Null) | None if matches!(path, "spec.hostNetwork" | "spec.unschedulable") => "false".to_owned(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

fn parse_fields(kind: &Kind, text: &str) -> Result<Vec<(String, bool, String)>, StoreError> {
    let mut result = vec![];
    for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let split = |op: &str| {
            part.split_once(op)
                .map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned()))
        };
        let (equal, parsed) = match (split("!="), split("=="), split("=")) {
            (Some(p), _, _) => (false, p),
            (_, Some(p), _) | (_, _, Some(p)) => (true, p),
            _ => {
                let message = format!("invalid field selector: invalid selector: '{text}'; can't understand '{part}'");
                return Err(StoreError::BadRequest(message));
            }
        };
        let known = ["metadata.name", "metadata.namespace"].contains(&parsed.0.as_str())
            || kind.selectable.contains(&parsed.0.as_str());
        if !known {
            let message = format!("field label not supported: {}", parsed.0);
            return Err(StoreError::BadRequest(message));
        }
        result.push((parsed.0, equal, parsed.1));
    }
    Ok(result)
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, String> {
    split_outside_parentheses(text)
        .into_iter()
        .map(|part| parse_requirement(part.trim()))
        .collect()
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut parts = vec![];
    let (mut depth, mut start) = (0_i32, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.retain(|p| !p.trim().is_empty());
    parts
}

fn parse_requirement(part: &str) -> Result<Requirement, String> {
    let key_ok = |key: &str| {
        let ok = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
        if ok {
            Ok(key.to_owned())
        } else {
            Err(format!("found '{part}', expected: identifier"))
        }
    };
    if let Some(key) = part.strip_prefix('!') {
        return Ok(Requirement::NotExists(key_ok(key.trim())?));
    }
    if let Some((head, list)) = part.split_once('(') {
        let list = list
            .strip_suffix(')')
            .ok_or_else(|| format!("found '{part}', expected: ')'"))?;
        let values = list.split(',').map(|v| v.trim().to_owned()).collect();
        let words: Vec<_> = head.split_whitespace().collect();
        return match words.as_slice() {
            [key, "in"] => Ok(Requirement::In(key_ok(key)?, values)),
            [key, "notin"] => Ok(Requirement::NotIn(key_ok(key)?, values)),
            _ => Err(format!("found '{head}', expected: in, notin")),
        };
    }
    for (operator, is_equal) in [("!=", false), ("==", true), ("=", true)] {
        if let Some((key, value)) = part.split_once(operator) {
            let (key, values) = (key_ok(key.trim())?, vec![value.trim().to_owned()]);
            return Ok(if is_equal {
                Requirement::In(key, values)
            } else {
                Requirement::NotIn(key, values)
            });
        }
    }
    Ok(Requirement::Exists(key_ok(part)?))
}

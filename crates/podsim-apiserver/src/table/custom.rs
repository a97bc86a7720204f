//! The columns of custom kinds: name, what the definition says, age.

use super::{Columns, timestamp};
use crate::duration::age;
use crate::server::App;
use jiff::Timestamp;
use podsim_store::{Kind, kinds};
use serde_json::{Value, json};

pub(super) fn columns(app: &App, kind: &Kind) -> Columns {
    let mut columns = vec![(
        "Name".to_owned(),
        ".metadata.name".to_owned(),
        "string".to_owned(),
        false,
    )];
    let definition = app.store.get(&kinds::CUSTOM_RESOURCE_DEFINITION, "", &kind.resource());
    let versions = definition.as_ref().ok().and_then(|d| d["spec"]["versions"].as_array());
    let version = versions
        .into_iter()
        .flatten()
        .find(|version| version["name"] == kind.version);
    let more = version.and_then(|version| version["additionalPrinterColumns"].as_array());
    match more {
        None => columns.push((
            "Age".to_owned(),
            ".metadata.creationTimestamp".to_owned(),
            "date".to_owned(),
            false,
        )),
        Some(more) => columns.extend(more.iter().map(|column| {
            let text = |key: &str| column[key].as_str().unwrap_or_default().to_owned();
            (
                text("name"),
                text("jsonPath"),
                text("type"),
                column["priority"].as_i64().unwrap_or(0) > 0,
            )
        })),
    }
    Columns::Custom(columns)
}

/// The value at a simple JSONPath: `.spec.a`, `.spec.list[0].b`, `.status.conditions[?(@.type=="Ready")].status`.
pub(super) fn cell(object: &Value, path: &str, kind: &str, now: Timestamp) -> Value {
    let found = find(object, path);
    match (kind, &found) {
        (_, Value::Null) => Value::Null,
        ("date", found) => json!(age(timestamp(found), now)),
        (_, Value::Object(_) | Value::Array(_)) => json!(found.to_string()),
        _ => found,
    }
}

fn find(object: &Value, path: &str) -> Value {
    let mut value = object;
    let mut rest = path.trim_start_matches('$');
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let Some((index, after)) = inner.split_once(']') else {
                return Value::Null;
            };
            let next = match index.strip_prefix("?(@.").and_then(|filter| filter.strip_suffix(')')) {
                Some(filter) => {
                    let Some((key, wanted)) = filter.split_once("==") else {
                        return Value::Null;
                    };
                    let wanted = wanted.trim().trim_matches(['"', '\'']);
                    let mut items = value.as_array().into_iter().flatten();
                    items.find(|item| item[key.trim()] == wanted)
                }
                None => match index.parse::<usize>() {
                    Ok(index) => value.get(index),
                    Err(_) => value.get(index.trim_matches(['"', '\''])),
                },
            };
            let Some(next) = next else { return Value::Null };
            (value, rest) = (next, after);
            continue;
        }
        rest = rest.trim_start_matches('.');
        // `\.` is a dot within a key.
        let mut key = String::new();
        let mut chars = rest.char_indices();
        let mut end = rest.len();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => key.extend(chars.next().map(|(_, c)| c)),
                '.' | '[' => {
                    end = at;
                    break;
                }
                c => key.push(c),
            }
        }
        if key.is_empty() {
            return Value::Null;
        }
        let Some(next) = value.get(&key) else {
            return Value::Null;
        };
        value = next;
        rest = rest.get(end..).unwrap_or_default();
    }
    value.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_paths_are_followed() {
        let object = json!({"a": {"b.c": 1, "l": [{"t": "x", "v": 2}, {"t": "y", "v": 3}]}});
        for (path, expected) in [
            (".a.b\\.c", json!(1)),
            (".a.l[1].v", json!(3)),
            (".a.l[?(@.t==\"x\")].v", json!(2)),
            (".a.none.more", Value::Null),
            ("[", Value::Null),
            ("..", Value::Null),
        ] {
            assert_eq!(find(&object, path), expected, "{path}");
        }
    }
}

//! JSON patch (RFC 6902).

use crate::status::{ApiError, Result};
use serde_json::Value;

/// Applies the operations in order; all or nothing.
pub(super) fn apply(object: &Value, patch: &Value) -> Result<Value> {
    let operations = patch
        .as_array()
        .ok_or_else(|| ApiError::bad_request("a JSON patch is a list of operations"))?;
    if operations.len() > 10_000 {
        return Err(ApiError::too_large(10_000));
    }
    let mut result = object.clone();
    for operation in operations {
        one(&mut result, operation)?;
    }
    Ok(result)
}

fn one(root: &mut Value, operation: &Value) -> Result<()> {
    let text = |key: &str| operation[key].as_str();
    let wrong = |why: &str| ApiError::unprocessable(format!("the JSON patch cannot be applied: {why}: {operation}"));
    let path = text("path").ok_or_else(|| wrong("it has no path"))?;
    let from = || text("from").ok_or_else(|| wrong("it has no from"));
    let value = || operation.get("value").cloned().ok_or_else(|| wrong("it has no value"));
    let missing = || wrong("there is nothing at the path");
    match text("op") {
        Some("add") => add(root, path, value()?).ok_or_else(missing),
        Some("remove") => remove(root, path).map(drop).ok_or_else(missing),
        Some("replace") => {
            *root.pointer_mut(path).ok_or_else(missing)? = value()?;
            Ok(())
        }
        Some("move") => {
            let value = remove(root, from()?).ok_or_else(missing)?;
            add(root, path, value).ok_or_else(missing)
        }
        Some("copy") => {
            let value = root.pointer(from()?).cloned().ok_or_else(missing)?;
            add(root, path, value).ok_or_else(missing)
        }
        Some("test") => {
            let wanted = value()?;
            let same = root.pointer(path) == Some(&wanted);
            same.then_some(()).ok_or_else(|| wrong("the test failed"))
        }
        _ => Err(wrong("op is not add, remove, replace, move, copy or test")),
    }
}

/// The parent of a path's end and the last key, unescaped.
fn split<'a>(root: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let (parent, key) = path.rsplit_once('/')?;
    Some((root.pointer_mut(parent)?, key.replace("~1", "/").replace("~0", "~")))
}

fn add(root: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        *root = value;
        return Some(());
    }
    match split(root, path)? {
        (Value::Object(parent), key) => _ = parent.insert(key, value),
        (Value::Array(parent), key) if key == "-" => parent.push(value),
        (Value::Array(parent), key) => {
            let index: usize = key.parse().ok().filter(|index| *index <= parent.len())?;
            parent.insert(index, value);
        }
        _ => return None,
    }
    Some(())
}

fn remove(root: &mut Value, path: &str) -> Option<Value> {
    match split(root, path)? {
        (Value::Object(parent), key) => parent.remove(&key),
        (Value::Array(parent), key) => {
            let index: usize = key.parse().ok().filter(|index| *index < parent.len())?;
            Some(parent.remove(index))
        }
        _ => None,
    }
}

//! What an unknown field was probably meant to be.

use super::schema::{self, Struct};
use serde::de::DeserializeOwned;

/// A hint for the unknown field `field` in the struct at `parent` (a path with empty brackets, as `spec.containers[]`).
pub(crate) fn hint<T: DeserializeOwned>(parent: &str, field: &str) -> Option<String> {
    let all = schema::structs::<T>();
    let here = all.iter().find(|s| s.path == parent);
    let near = here.and_then(|s| closest(s.fields, field));
    if let Some((name, distance)) = near
        && distance <= 1
    {
        return Some(format!("did you mean \"{name}\"?"));
    }
    if let Some(place) = place_of(&all, parent, field) {
        let full = if place.path.is_empty() {
            field.to_owned()
        } else {
            format!("{}.{field}", place.path)
        };
        let (belongs, not) = (describe(&place.path), describe(parent));
        return Some(format!("{field} belongs to {belongs} ({full}), not to {not}"));
    }
    near.map(|(name, _)| format!("did you mean \"{name}\"?"))
}

/// The struct that has the field and is nearest: one that surrounds the wrong place, else one inside of it, else one of the
/// same name elsewhere (a Pod's and a container's securityContext).
fn place_of<'a>(all: &'a [Struct], parent: &str, field: &str) -> Option<&'a Struct> {
    let rank = |s: &Struct| {
        let inside = |inner: &str, outer: &str| {
            outer.is_empty()
                || inner
                    .strip_prefix(outer)
                    .is_some_and(|rest| rest.starts_with(['.', '[', '{']))
        };
        let depth = |path: &str| path.split('.').filter(|p| !p.is_empty()).count();
        let away = depth(&s.path).abs_diff(depth(parent));
        let last = |path: &str| {
            path.rsplit('.')
                .next()
                .unwrap_or_default()
                .trim_end_matches("[]")
                .to_owned()
        };
        if s.path.starts_with("status") || s.path.starts_with("metadata.managedFields") {
            None
        } else if inside(parent, &s.path) {
            Some((0, away))
        } else if inside(&s.path, parent) && away <= 2 {
            Some((1, away))
        } else if last(&s.path) == last(parent) {
            Some((2, away))
        } else {
            None
        }
    };
    let having = all.iter().filter(|s| s.path != parent && s.fields.contains(&field));
    having
        .filter_map(|s| rank(s).map(|r| (r, s)))
        .min_by_key(|(r, _)| *r)
        .map(|(_, s)| s)
}

fn describe(path: &str) -> String {
    match path {
        "" => "the top level".to_owned(),
        "spec" => "the Pod".to_owned(),
        "spec.securityContext" => "the Pod's securityContext".to_owned(),
        "metadata" => "the metadata".to_owned(),
        "spec.containers[]" => "a container".to_owned(),
        "spec.initContainers[]" => "an init container".to_owned(),
        other => match other.strip_prefix("spec.containers[].") {
            Some(rest) => format!("a container's {}", rest.replace("[]", "")),
            None => other.replace("[]", ""),
        },
    }
}

/// The name with the smallest edit distance, if it is small: 2, or 1 for a short word.
fn closest(names: &[&'static str], word: &str) -> Option<(&'static str, usize)> {
    let wrong = word.to_ascii_lowercase();
    let measured = names.iter().map(|n| (*n, distance(&n.to_ascii_lowercase(), &wrong)));
    let limit = if word.len() < 5 { 1 } else { 2 };
    measured.filter(|(_, d)| *d <= limit).min_by_key(|(_, d)| *d)
}

/// Levenshtein distance in characters, bounded in cost by the length of field names.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (cb, pair) in b.iter().zip(row.windows(2)) {
            let [diagonal, above] = pair else { continue };
            let left = next.last().copied().unwrap_or(0);
            next.push((diagonal + usize::from(ca != *cb)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

//! What podsim does with each field of a Pod: the table behind `podsim explain` and behind the warnings of `podsim run`.
//!
//! A row covers its field and all below it, unless a longer row covers those. A test asks the type itself for its fields and
//! fails on one that no row covers. "Enforced" is claimed only for what acts.

mod table;

use podsim_sys::NsKind;
pub use table::FIELDS;

/// How much a field does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It acts as in Kubernetes.
    Enforced,
    /// It is kept and shown, and does nothing.
    Recorded,
    /// A Pod that uses it is refused, with a message.
    Refused,
}

impl Support {
    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Enforced => "enforced",
            Self::Recorded => "recorded",
            Self::Refused => "refused",
        }
    }
}

/// Whose field it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Of any object.
    Object,
    /// Of the machine, so to speak: all containers have it in common.
    Pod,
    /// Of one container.
    Container,
}

impl Level {
    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Pod => "pod",
            Self::Container => "container",
        }
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Path, with `[]` for any item. What is said of `spec.containers[]` goes for `spec.initContainers[]` too.
    pub path: &'static str,
    /// Whose it is.
    pub level: Level,
    /// How much it does.
    pub support: Support,
    /// The kind of Linux namespace that it decides about.
    pub namespace: Option<NsKind>,
    /// What it does here, for people.
    pub note: &'static str,
}

const fn field(path: &'static str, level: Level, support: Support, note: &'static str) -> Field {
    Field {
        path,
        level,
        support,
        namespace: None,
        note,
    }
}

const fn enforced(path: &'static str, level: Level, note: &'static str) -> Field {
    field(path, level, Support::Enforced, note)
}

const fn recorded(path: &'static str, level: Level, note: &'static str) -> Field {
    field(path, level, Support::Recorded, note)
}

const fn refused(path: &'static str, level: Level, note: &'static str) -> Field {
    field(path, level, Support::Refused, note)
}

impl Field {
    const fn about(mut self, kind: NsKind) -> Self {
        self.namespace = Some(kind);
        self
    }
}

/// The row for a field, given its path with `[]` or with indices.
#[must_use]
pub fn lookup(path: &str) -> Option<&'static Field> {
    let plain = without_indices(path);
    let as_container = plain.replacen("spec.initContainers[]", "spec.containers[]", 1);
    longest(&plain)
        .into_iter()
        .chain(longest(&as_container))
        .max_by_key(|f| f.path.len())
}

/// How many fields of a Pod's spec are enforced, recorded and refused: those that hold a value, not those that only hold other fields.
#[must_use]
pub fn counts() -> [usize; 3] {
    let paths = podsim_store::manifest::schema::paths::<k8s_openapi::api::core::v1::Pod>();
    let holds_others = |path: &str| {
        let inside = |other: &String| {
            other
                .strip_prefix(path)
                .is_some_and(|rest| rest.starts_with(['.', '[', '{']))
        };
        paths.iter().any(inside)
    };
    let mut counts = [0; 3];
    for path in paths
        .iter()
        .filter(|path| path.starts_with("spec.") && !holds_others(path))
    {
        let Some(field) = lookup(path) else { continue };
        let [enforced, recorded, refused] = &mut counts;
        *match field.support {
            Support::Enforced => enforced,
            Support::Recorded => recorded,
            Support::Refused => refused,
        } += 1;
    }
    counts
}

/// Does the table say more of what is inside of this field?
pub(crate) fn has_rows_below(path: &str) -> bool {
    let plain = without_indices(path);
    let as_container = plain.replacen("spec.initContainers[]", "spec.containers[]", 1);
    let below = |outer: &str, row: &str| {
        outer.is_empty() || row.strip_prefix(outer).is_some_and(|rest| rest.starts_with(['.', '[']))
    };
    FIELDS
        .iter()
        .any(|f| below(&plain, f.path) || below(&as_container, f.path))
}

fn longest(path: &str) -> Option<&'static Field> {
    let covers = |field: &&Field| {
        path.strip_prefix(field.path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '{']))
    };
    FIELDS.iter().filter(covers).max_by_key(|f| f.path.len())
}

/// `spec.containers[0].name` → `spec.containers[].name`
pub(crate) fn without_indices(path: &str) -> String {
    let mut plain = String::new();
    let mut inside = false;
    for c in path.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            _ if inside => continue,
            _ => {}
        }
        plain.push(c);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Pod;
    use std::collections::BTreeSet;

    #[test]
    fn every_field_of_a_pod_is_in_the_table() {
        let paths = podsim_store::manifest::schema::paths::<Pod>();
        // `spec` and the lists' items are no claims of their own.
        let structure = |p: &String| ["spec"].contains(&p.as_str());
        let missing: Vec<_> = paths.iter().filter(|p| !structure(p) && lookup(p).is_none()).collect();
        assert!(missing.is_empty(), "{missing:#?}");
    }

    #[test]
    fn every_row_is_a_field_of_a_pod_and_is_there_once() {
        let paths: BTreeSet<_> = podsim_store::manifest::schema::paths::<Pod>().into_iter().collect();
        let mut seen = BTreeSet::new();
        for field in FIELDS {
            assert!(seen.insert(field.path), "{} is there twice", field.path);
            // Names of resources are keys of a map, which no type lists.
            let known = paths.contains(field.path)
                || field.path.contains(".resources.limits.")
                || ["apiVersion", "kind"].contains(&field.path);
            assert!(known, "{} is no field", field.path);
        }
    }

    #[test]
    fn the_longest_row_wins() {
        for (path, expected) in [
            (
                "spec.containers[0].lifecycle.preStop.exec.command",
                "spec.containers[].lifecycle.preStop",
            ),
            ("spec.initContainers[1].image", "spec.containers[].image"),
            (
                "spec.initContainers[1].restartPolicy",
                "spec.initContainers[].restartPolicy",
            ),
            ("spec.volumes[0].nfs.server", "spec.volumes"),
            ("spec.volumes[0].emptyDir.medium", "spec.volumes[].emptyDir"),
        ] {
            assert_eq!(lookup(path).map(|f| f.path), Some(expected), "{path}");
        }
    }
}

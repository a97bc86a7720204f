//! What a path means: `/api/v1/namespaces/default/pods/web/log` is the subresource `log` of the Pod `web` in `default`.

use crate::discovery::has_subresource;
use podsim_store::{Kind, Store};

/// The object, or the collection, that a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Which kind.
    pub(crate) kind: &'static Kind,
    /// The (Kubernetes) namespace; `None` is all of them, or a resource that has none.
    pub(crate) namespace: Option<String>,
    /// The object; `None` is the collection.
    pub(crate) name: Option<String>,
    /// `status`, `log`, …
    pub(crate) subresource: Option<String>,
}

impl Target {
    /// The namespace, empty for a kind that has none.
    pub(crate) fn namespace_or_none(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    /// Reads the part of the path behind `/api/v1/` or `/apis/GROUP/VERSION/`. `None`: there is no such resource.
    pub(crate) fn parse(store: &Store, group: &str, version: &str, segments: &[&str]) -> Option<Self> {
        let by_plural = |plural: &str| store.kind_by_plural(group, version, plural);
        // `/namespaces/X/pods` is in a namespace; `/namespaces/X` and `/namespaces/X/status` are about one.
        let (namespace, rest) = match segments {
            ["namespaces", namespace, resource, rest @ ..]
                if by_plural(resource).is_some_and(|kind| kind.namespaced) =>
            {
                (Some((*namespace).to_owned()), [&[*resource], rest].concat())
            }
            all => (None, all.to_vec()),
        };
        let (plural, name, subresource) = match rest.as_slice() {
            [plural] => (*plural, None, None),
            [plural, name] => (*plural, Some(*name), None),
            [plural, name, subresource] => (*plural, Some(*name), Some(*subresource)),
            _ => return None,
        };
        let kind = by_plural(plural)?;
        if subresource.is_some_and(|subresource| !has_subresource(kind, subresource)) {
            return None;
        }
        // An object of a namespaced kind needs its namespace.
        if kind.namespaced && name.is_some() && namespace.is_none() {
            return None;
        }
        Some(Self {
            kind,
            namespace,
            name: name.map(str::to_owned),
            subresource: subresource.map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(path: &str) -> String {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let clock = std::sync::Arc::new(podsim_sys::ManualClock::new(std::time::Duration::ZERO));
        match Target::parse(&Store::new(clock, || 0), "", "v1", &segments) {
            None => "-".into(),
            Some(t) => format!(
                "{} {} {} {}",
                t.kind.kind,
                t.namespace.as_deref().unwrap_or("*"),
                t.name.as_deref().unwrap_or("*"),
                t.subresource.as_deref().unwrap_or("-")
            ),
        }
    }

    #[test]
    fn paths_are_read_as_kubernetes_reads_them() {
        for (path, meaning) in [
            ("pods", "Pod * * -"),
            ("namespaces/x/pods", "Pod x * -"),
            ("namespaces/x/pods/p", "Pod x p -"),
            ("namespaces/x/pods/p/log", "Pod x p log"),
            ("namespaces", "Namespace * * -"),
            ("namespaces/x", "Namespace * x -"),
            ("namespaces/x/status", "Namespace * x status"),
            ("nodes/n/status", "Node * n status"),
            ("pods/p", "-"),
            ("namespaces/x/nodes", "-"),
            ("namespaces/x/pods/p/nope", "-"),
            ("widgets", "-"),
            ("", "-"),
            ("namespaces/x/pods/p/log/more", "-"),
        ] {
            assert_eq!(show(path), meaning, "{path}");
        }
    }
}

//! The life of a Kubernetes namespace: it takes new objects until it is deleted; then it is `Terminating` as long as something is in it, or
//! something holds it (`pkg/controller/namespace/deletion`).

use crate::pod::names;
use crate::state::{Key, State, has_finalizers, is_terminating, key, metadata, text};
use crate::store::{Deleted, Object};
use crate::{FieldError, Kind, StoreError, kinds, strategy, time};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What the namespace's own controller holds until it is empty. Here the store does its work.
const FINALIZER: &str = "kubernetes";

/// Type, reason and message of the conditions of a namespace that is being deleted, when there is nothing to tell.
const CONDITIONS: &[(&str, &str, &str)] = &[
    (
        "NamespaceDeletionDiscoveryFailure",
        "ResourcesDiscovered",
        "All resources successfully discovered",
    ),
    (
        "NamespaceDeletionGroupVersionParsingFailure",
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    (
        "NamespaceDeletionContentFailure",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    (
        "NamespaceContentRemaining",
        "ContentRemoved",
        "All content successfully removed",
    ),
    (
        "NamespaceFinalizersRemaining",
        "ContentRemoved",
        "All content successfully removed",
    ),
];

fn finalizers(object: &Value) -> impl Iterator<Item = &str> {
    let list = object.pointer("/spec/finalizers").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

/// Validation of a namespace whose `spec.finalizers` were changed.
pub(crate) fn prepare_to_finalize(object: &mut Value) -> Result<(), StoreError> {
    let mut errors = vec![];
    for (index, finalizer) in finalizers(object).enumerate() {
        let unknown = (finalizer != FINALIZER && !finalizer.contains('/'))
            .then(|| "name is neither a standard finalizer name nor is it fully qualified".to_owned());
        let wrong = names::qualified_name(finalizer).or(unknown);
        errors.extend(wrong.map(|wrong| FieldError::invalid(format!("spec.finalizers[{index}]"), finalizer, wrong)));
    }
    if !errors.is_empty() {
        return Err(StoreError::Invalid {
            kind: kinds::NAMESPACE.qualified(),
            name: text(object, "/metadata/name").to_owned(),
            errors,
        });
    }
    strategy::prepare_for_finalize(object)
}

impl State {
    /// An error if the namespace is not there or takes nothing new.
    pub(crate) fn check_namespace_accepts(&self, kind: &Kind, namespace: &str, name: &str) -> Result<(), StoreError> {
        let object = self.get(&kinds::NAMESPACE, "", namespace)?;
        if is_terminating(&object) {
            return Err(StoreError::Forbidden {
                resource: kind.resource(),
                name: name.to_owned(),
                detail: format!("unable to create new content in namespace {namespace} because it is being terminated"),
            });
        }
        Ok(())
    }

    /// Takes away a terminating namespace that is empty and that nobody holds; tells otherwise what is left.
    pub(crate) fn finish_namespace(&mut self, name: &str) -> Result<(), StoreError> {
        let Ok(old) = self.get(&kinds::NAMESPACE, "", name) else {
            return Ok(());
        };
        if !is_terminating(&old) {
            return Ok(());
        }
        let mut object = old.as_ref().clone();
        if !self.objects.keys().any(|key| key.2 == name) {
            let others: Vec<&str> = finalizers(&old).filter(|name| *name != FINALIZER).collect();
            if others.is_empty() && !has_finalizers(&old) {
                self.remove(&kinds::NAMESPACE, "", name)?;
                return Ok(());
            }
            object["spec"]["finalizers"] = json!(others);
        }
        // They are told first when everything has been asked to go; until then it is not worth counting.
        if object["status"]["conditions"].is_array() {
            self.tell_what_is_left(name, &mut object);
        }
        if object != *old {
            self.put(&kinds::NAMESPACE, key(&kinds::NAMESPACE, "", name), Some(old), object)?;
        }
        Ok(())
    }

    fn tell_what_is_left(&self, name: &str, object: &mut Value) {
        let (mut resources, mut holders) = (BTreeMap::new(), BTreeMap::new());
        for ((group, plural, ..), object) in self.inside(name) {
            *resources.entry(format!("{plural}.{group}")).or_insert(0) += 1;
            let list = object.pointer("/metadata/finalizers").and_then(Value::as_array);
            for holder in list.into_iter().flatten().filter_map(Value::as_str) {
                *holders.entry(holder.to_owned()).or_insert(0) += 1;
            }
        }
        let listed = |counts: BTreeMap<String, u64>, verb: &str| -> Vec<String> {
            let told = |(name, count)| format!("{name} {verb} {count} resource instances");
            counts.into_iter().map(told).collect()
        };
        let (resources, holders) = (listed(resources, "has"), listed(holders, "in"));
        let now = json!(time::now(self.clock.as_ref()));
        let conditions = object["status"]["conditions"].take();
        let old = |kind: &str| {
            conditions
                .as_array()?
                .iter()
                .find(|condition| condition["type"] == kind)
        };
        let told = CONDITIONS.iter().map(|(kind, reason, message)| {
            let (status, reason, message) = match *kind {
                "NamespaceContentRemaining" if !resources.is_empty() => {
                    let message = format!("Some resources are remaining: {}", resources.join(", "));
                    ("True", "SomeResourcesRemain", message)
                }
                "NamespaceFinalizersRemaining" if !holders.is_empty() => {
                    let message = format!("Some finalizers are remaining: {}", holders.join(", "));
                    ("True", "SomeFinalizerRemain", message)
                }
                _ => ("False", *reason, (*message).to_owned()),
            };
            let since = old(kind)
                .filter(|old| old["status"] == status)
                .map(|old| &old["lastTransitionTime"]);
            json!({
                "type": kind, "status": status, "reason": reason, "message": message,
                "lastTransitionTime": since.unwrap_or(&now),
            })
        });
        // What others have written there stays.
        let ours = |condition: &&Value| CONDITIONS.iter().any(|(kind, ..)| condition["type"] == *kind);
        let others = conditions
            .as_array()
            .into_iter()
            .flatten()
            .filter(|condition| !ours(condition));
        object["status"]["conditions"] = told.chain(others.cloned()).collect();
    }

    fn inside(&self, namespace: &str) -> impl Iterator<Item = (&Key, &Object)> {
        self.objects.iter().filter(move |(key, _)| key.2 == namespace)
    }

    /// Marks a namespace as terminating and deletes what is in it, each object in its own way.
    pub(crate) fn delete_namespace(&mut self, name: &str, old: &Object) -> Result<Deleted, StoreError> {
        if ["default", "kube-public", "kube-system"].contains(&name) {
            return Err(StoreError::Forbidden {
                resource: "namespaces".to_owned(),
                name: name.to_owned(),
                detail: "this namespace may not be deleted".to_owned(),
            });
        }
        if is_terminating(old) {
            return Ok(Deleted::Terminating(old.clone()));
        }
        let mut object = old.as_ref().clone();
        metadata(&mut object)?.insert("deletionTimestamp".to_owned(), json!(time::now(self.clock.as_ref())));
        object["status"] = json!({ "phase": "Terminating" });
        let namespace_key = key(&kinds::NAMESPACE, "", name);
        let object = self.put(&kinds::NAMESPACE, namespace_key.clone(), Some(old.clone()), object)?;
        if self.dry_run {
            return Ok(Deleted::Terminating(object));
        }
        let inside: Vec<_> = self
            .inside(name)
            .map(|(key, object)| (key.clone(), object.clone()))
            .collect();
        for ((group, plural, namespace, name), object) in inside {
            let kind = self.kinds().find(|k| k.group == group && k.plural == plural);
            if let Some(kind) = kind {
                let grace = strategy::deletion_grace(kind, &object, None);
                self.delete_gracefully(kind, &namespace, &name, &object, grace)?;
            }
        }
        self.finish_namespace(name)?;
        let Ok(left) = self.get(&kinds::NAMESPACE, "", name) else {
            return Ok(Deleted::Gone(object));
        };
        let mut told = left.as_ref().clone();
        self.tell_what_is_left(name, &mut told);
        self.put(&kinds::NAMESPACE, namespace_key, Some(left), told)
            .map(Deleted::Terminating)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DeleteOptions, Store};
    use podsim_sys::ManualClock;
    use std::sync::Arc;
    use std::time::Duration;

    const NAME: &str = "n";

    fn store() -> Store {
        let store = Store::new(Arc::new(ManualClock::new(Duration::ZERO)), || 0);
        let object = json!({"metadata": {"name": NAME}});
        store.create(&kinds::NAMESPACE, "", object).expect("a namespace");
        store
    }

    fn delete(store: &Store) {
        store
            .delete(&kinds::NAMESPACE, "", NAME, &DeleteOptions::default())
            .expect("deleted");
    }

    fn get(store: &Store) -> Option<Value> {
        store
            .get(&kinds::NAMESPACE, "", NAME)
            .ok()
            .map(|object| object.as_ref().clone())
    }

    /// The conditions that are true, and their messages.
    fn told(store: &Store) -> Vec<(String, String)> {
        let namespace = get(store).expect("a namespace");
        let conditions = namespace["status"]["conditions"].as_array().expect("conditions");
        assert_eq!(conditions.len(), CONDITIONS.len());
        let told = conditions.iter().filter(|condition| condition["status"] == "True");
        told.map(|condition| {
            (
                text(condition, "/reason").to_owned(),
                text(condition, "/message").to_owned(),
            )
        })
        .collect()
    }

    #[test]
    fn a_namespace_ends_when_nobody_holds_it() {
        let store = store();
        let mut object = get(&store).expect("a namespace");
        object["spec"]["finalizers"] = json!(["kubernetes", "example.com/held"]);
        // It is not the namespace's own update that writes them.
        let updated = store.update(&kinds::NAMESPACE, "", object.clone()).expect("updated");
        assert_eq!(updated["spec"]["finalizers"], json!(["kubernetes"]));
        store.finalize_namespace(object).expect("held");
        delete(&store);
        let held = get(&store).expect("held");
        assert_eq!(held["status"]["phase"], "Terminating");
        assert_eq!(held["spec"]["finalizers"], json!(["example.com/held"]));
        assert_eq!(told(&store), []);
        store
            .finalize_namespace(json!({"metadata": {"name": NAME}, "spec": {}}))
            .expect("freed");
        assert_eq!(get(&store), None);
    }

    #[test]
    fn what_is_left_is_told() {
        let store = store();
        for (name, finalizers) in [("gone", json!([])), ("held", json!(["example.com/a"]))] {
            let object = json!({"metadata": {"name": name, "finalizers": finalizers}});
            store.create(&kinds::CONFIG_MAP, NAME, object).expect("made");
        }
        delete(&store);
        let expected = [
            (
                "SomeResourcesRemain",
                "Some resources are remaining: configmaps. has 1 resource instances",
            ),
            (
                "SomeFinalizerRemain",
                "Some finalizers are remaining: example.com/a in 1 resource instances",
            ),
        ];
        assert_eq!(
            told(&store),
            expected.map(|(reason, message)| (reason.to_owned(), message.to_owned()))
        );
        let refused = store.create(&kinds::CONFIG_MAP, NAME, json!({"metadata": {"name": "late"}}));
        assert_eq!(refused.expect_err("refused").code(), 403);
        let free = |object: &mut Value| {
            object["metadata"]["finalizers"] = json!([]);
            Ok(())
        };
        store.modify(&kinds::CONFIG_MAP, NAME, "held", free).expect("freed");
        assert_eq!(get(&store), None);
    }

    #[test]
    fn finalizers_have_the_names_of_somebody() {
        let store = store();
        let object = json!({"metadata": {"name": NAME}, "spec": {"finalizers": ["kubernetes", "mine"]}});
        assert_eq!(
            store.finalize_namespace(object).expect_err("refused").to_string(),
            "Namespace \"n\" is invalid: spec.finalizers[1]: Invalid value: \"mine\": name is neither a standard finalizer name nor is it \
             fully qualified"
        );
    }
}

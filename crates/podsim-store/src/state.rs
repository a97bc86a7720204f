//! What the store holds, and the changes to it: all under one lock, which [`Store`](crate::Store) takes.

use crate::custom::Customs;
use crate::database::{Content, Database};
use crate::store::{Deleted, InNamespace, Object};
use crate::watch::{Change, Filter, Hub};
use crate::{FieldError, Kind, StoreError, certificate, custom, kinds, namespace, strategy, time};
use podsim_sys::Clock;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

pub(crate) type Key = (&'static str, &'static str, String, String);

pub(crate) struct State {
    pub(crate) objects: BTreeMap<Key, Object>,
    pub(crate) resource_version: u64,
    pub(crate) hub: Hub,
    pub(crate) entropy: Box<dyn FnMut() -> u64 + Send>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The kinds that CustomResourceDefinitions define.
    pub(crate) customs: Customs,
    /// Who names this uid among its owners. May name too many: looked at again when it is used.
    pub(crate) dependents: HashMap<String, BTreeSet<Key>>,
    /// What is written now is not to be kept.
    pub(crate) dry_run: bool,
    /// Where the objects are on disk.
    pub(crate) database: Option<Database>,
}

pub(crate) fn key(kind: &'static Kind, namespace: &str, name: &str) -> Key {
    let namespace = if kind.namespaced { namespace } else { "" };
    (kind.group, kind.plural, namespace.to_owned(), name.to_owned())
}

pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn metadata(object: &mut Value) -> Result<&mut Map<String, Value>, StoreError> {
    let Some(object) = object.as_object_mut() else {
        return Err(StoreError::BadRequest("an object must be a JSON object".to_owned()));
    };
    let metadata = object.entry("metadata").or_insert_with(|| json!({}));
    if metadata.is_null() {
        *metadata = json!({});
    }
    metadata
        .as_object_mut()
        .ok_or_else(|| StoreError::BadRequest("metadata must be a JSON object".to_owned()))
}

/// Which part of an object is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Spec,
    Status,
    /// `spec.ephemeralContainers` of a Pod.
    Ephemeral,
    /// `spec.containers[].resources` of a Pod, and those of its sidecars.
    Resize,
    /// `spec.finalizers` of a namespace.
    Finalize,
    /// `status.conditions` of a CertificateSigningRequest.
    Approval,
}

impl State {
    pub(crate) fn uid(&mut self) -> String {
        let (a, b) = ((self.entropy)(), (self.entropy)());
        // Version 4, variant 1 of RFC 9562.
        let (a, b) = ((a & !0xf000) | 0x4000, (b & !(0b11 << 62)) | (0b10 << 62));
        let (a, b) = (format!("{a:016x}"), format!("{b:016x}"));
        format!("{}-{}-{}-{}-{}", &a[..8], &a[8..12], &a[12..], &b[..4], &b[4..])
    }

    /// Appends five characters, as `names.SimpleNameGenerator` does: letters that make no words.
    pub(crate) fn generate_name(&mut self, base: &str) -> String {
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let mut random = (self.entropy)();
        let mut name: String = base.chars().take(58).collect();
        for _ in 0..5 {
            let at = usize::try_from(random % LETTERS.len() as u64).unwrap_or(0);
            name.push(LETTERS.get(at).copied().unwrap_or(b'x').into());
            random /= LETTERS.len() as u64;
        }
        name
    }

    pub(crate) fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Result<Object, StoreError> {
        self.objects
            .get(&key(kind, namespace, name))
            .cloned()
            .ok_or_else(|| StoreError::NotFound {
                resource: kind.resource(),
                name: name.to_owned(),
            })
    }

    pub(crate) fn select(&self, filter: &Filter) -> Vec<Object> {
        let namespace = filter.namespace.clone().unwrap_or_default();
        let first = key(filter.kind, &namespace, "");
        let of_kind = |(k, _): &(&Key, &Object)| {
            k.0 == filter.kind.group && k.1 == filter.kind.plural && (namespace.is_empty() || k.2 == namespace)
        };
        self.objects
            .range(first..)
            .take_while(of_kind)
            .map(|(_, o)| o)
            .filter(|o| filter.matches(o))
            .cloned()
            .collect()
    }

    /// Stores an object under a new resource version and tells the watchers.
    pub(crate) fn put(
        &mut self,
        kind: &'static Kind,
        key: Key,
        before: Option<Object>,
        mut object: Value,
    ) -> Result<Object, StoreError> {
        if self.dry_run {
            return Ok(Arc::new(strategy::with_type(kind, object)));
        }
        self.resource_version += 1;
        metadata(&mut object)?.insert("resourceVersion".to_owned(), self.resource_version.to_string().into());
        let object = Arc::new(strategy::with_type(kind, object));
        self.save(&key, Some(&object))?;
        self.depend(&key, &object);
        if *kind == kinds::CUSTOM_RESOURCE_DEFINITION {
            self.customs.define(&object);
        }
        self.objects.insert(key, object.clone());
        self.hub.publish(Change {
            resource_version: self.resource_version,
            kind,
            before,
            after: object.clone(),
            deleted: false,
        });
        Ok(object)
    }

    pub(crate) fn replace(
        &mut self,
        kind: &'static Kind,
        namespace: &str,
        mut object: Value,
        part: Part,
    ) -> Result<Object, StoreError> {
        let name = text(&object, "/metadata/name").to_owned();
        if name.is_empty() {
            let errors = vec![FieldError::required(
                "metadata.name",
                "name or generateName is required",
            )];
            return Err(StoreError::Invalid {
                kind: kind.qualified(),
                name,
                errors,
            });
        }
        let old = self.get(kind, namespace, &name)?;
        for (field, detail) in [
            (
                "/metadata/resourceVersion",
                "the object has been modified; please apply your changes to the latest version and try again"
                    .to_owned(),
            ),
            (
                "/metadata/uid",
                format!(
                    "Precondition failed: UID in precondition: {}, UID in object meta: {}",
                    text(&object, "/metadata/uid"),
                    text(&old, "/metadata/uid")
                ),
            ),
        ] {
            let wanted = text(&object, field);
            if !wanted.is_empty() && wanted != text(&old, field) {
                return Err(StoreError::Conflict {
                    resource: kind.resource(),
                    name,
                    detail,
                });
            }
        }
        let mut new = match part {
            Part::Spec | Part::Resize => {
                keep_system_metadata(&mut object, &old)?;
                if kind.has_status {
                    copy_field(&mut object, &old, "status");
                }
                object
            }
            Part::Approval | Part::Status if *kind == kinds::CERTIFICATE_SIGNING_REQUEST => {
                let now = time::now(self.clock.as_ref());
                certificate::decided(&old, &object, part == Part::Approval, &now)
            }
            Part::Status | Part::Approval => {
                let mut new = old.as_ref().clone();
                copy_field(&mut new, &object, "status");
                let custom = self.customs.schema(kind).is_some();
                for field in strategy::metadata_of_status(kind, custom) {
                    copy_field(&mut new["metadata"], &object["metadata"], field);
                }
                new
            }
            Part::Finalize => {
                let mut new = old.as_ref().clone();
                copy_field(&mut new["spec"], &object["spec"], "finalizers");
                new
            }
            Part::Ephemeral => {
                let mut new = old.as_ref().clone();
                let list = object.pointer("/spec/ephemeralContainers").cloned();
                new["spec"]["ephemeralContainers"] = list.unwrap_or_else(|| json!([]));
                new
            }
        };
        let schema = self.customs.schema(kind);
        match part {
            Part::Spec => strategy::prepare_for_update(kind, schema.as_deref(), &mut new, &old)?,
            Part::Status | Part::Approval => {
                strategy::prepare_for_status_update(kind, schema.as_deref(), &mut new, &old)?;
            }
            Part::Finalize => namespace::prepare_to_finalize(&mut new)?,
            Part::Ephemeral => strategy::prepare_for_ephemeral_update(&mut new, &old)?,
            Part::Resize => {
                let others = InNamespace {
                    state: self,
                    namespace,
                    token_volume: None,
                };
                strategy::prepare_for_resize(&mut new, &old, &others)?;
            }
        }
        if part == Part::Spec && *kind == kinds::CUSTOM_RESOURCE_DEFINITION {
            custom::accept(&mut new, &time::now(self.clock.as_ref()));
        }
        if strategy::has_generation(kind) && new.get("spec") != old.get("spec") {
            let generation = old.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(1);
            metadata(&mut new)?.insert("generation".to_owned(), (generation + 1).into());
        }
        if new == *old {
            return Ok(old);
        }
        let finished = is_terminating(&new) && !has_finalizers(&new) && has_finalizers(&old);
        let grace = new
            .pointer("/metadata/deletionGracePeriodSeconds")
            .and_then(Value::as_i64)
            .unwrap_or(0);
        let stored = self.put(kind, key(kind, namespace, &name), Some(old), new)?;
        if *kind == kinds::NAMESPACE {
            self.finish_namespace(&name)?;
        } else if finished && grace == 0 {
            self.remove(kind, namespace, &name)?;
        }
        Ok(stored)
    }

    pub(crate) fn delete_gracefully(
        &mut self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        old: &Object,
        grace: i64,
    ) -> Result<Deleted, StoreError> {
        if grace == 0 && !has_finalizers(old) {
            return match self.remove(kind, namespace, name)? {
                Some(object) => Ok(Deleted::Gone(object)),
                None => Ok(Deleted::Gone(old.clone())),
            };
        }
        let current = old
            .pointer("/metadata/deletionGracePeriodSeconds")
            .and_then(Value::as_i64);
        if is_terminating(old) && current.is_none_or(|c| grace >= c) {
            return Ok(Deleted::Terminating(old.clone()));
        }
        let mut object = old.as_ref().clone();
        let now = time::now(self.clock.as_ref());
        // A shorter grace counts from the moment of the first deletion's request, as in `rest.BeforeDelete`.
        let requested = match (
            old.pointer("/metadata/deletionTimestamp").and_then(Value::as_str),
            current,
        ) {
            (Some(at), Some(current)) => at.parse::<jiff::Timestamp>().ok().map(|t| t.as_second() - current),
            _ => None,
        };
        let at = requested.unwrap_or_else(|| now.0.as_second()) + grace;
        let at = jiff::Timestamp::from_second(at).unwrap_or(now.0);
        let at = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(if at < now.0 { now.0 } else { at });
        let meta = metadata(&mut object)?;
        meta.insert("deletionTimestamp".to_owned(), json!(at));
        meta.insert("deletionGracePeriodSeconds".to_owned(), grace.into());
        if strategy::has_generation(kind) {
            let generation = meta.get("generation").and_then(Value::as_i64).unwrap_or(1);
            meta.insert("generation".to_owned(), (generation + 1).into());
        }
        self.put(kind, key(kind, namespace, name), Some(old.clone()), object)
            .map(Deleted::Terminating)
    }

    /// Takes an object away, and with the last object of a terminating namespace the namespace.
    pub(crate) fn remove(
        &mut self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Object>, StoreError> {
        let key = key(kind, namespace, name);
        if self.dry_run {
            return Ok(self.objects.get(&key).cloned());
        }
        if !self.objects.contains_key(&key) {
            return Ok(None);
        }
        self.resource_version += 1;
        self.save(&key, None)?;
        let Some(old) = self.objects.remove(&key) else {
            return Ok(None);
        };
        for owner in owners(&old) {
            if let Some(set) = self.dependents.get_mut(owner) {
                set.remove(&key);
            }
        }
        let mut last = old.as_ref().clone();
        if let Ok(meta) = metadata(&mut last) {
            meta.insert("resourceVersion".to_owned(), self.resource_version.to_string().into());
        }
        let last = Arc::new(last);
        self.hub.publish(Change {
            resource_version: self.resource_version,
            kind,
            before: Some(old),
            after: last.clone(),
            deleted: true,
        });
        if *kind == kinds::CUSTOM_RESOURCE_DEFINITION {
            for kind in self.customs.forget(name) {
                for object in self.select(&Filter::all(kind)) {
                    self.remove(
                        kind,
                        text(&object, "/metadata/namespace"),
                        text(&object, "/metadata/name"),
                    )?;
                }
            }
        }
        self.collect_dependents(text(&last, "/metadata/uid"));
        if kind.namespaced {
            self.finish_namespace(namespace)?;
        }
        Ok(Some(last))
    }

    /// Takes up what a database holds, and finishes what was broken off: dependents whose owner is gone.
    pub(crate) fn fill(&mut self, content: Content) {
        self.resource_version = self.resource_version.max(content.resource_version);
        self.hub.forget_before(self.resource_version);
        for ([group, plural, namespace, name], object) in content.objects {
            let object = Arc::new(object);
            if object["kind"] == kinds::CUSTOM_RESOURCE_DEFINITION.kind
                && group == kinds::CUSTOM_RESOURCE_DEFINITION.group
            {
                self.customs.define(&object);
            }
            let key = (known(&group), known(&plural), namespace, name);
            self.depend(&key, &object);
            self.objects.insert(key, object);
        }
    }

    /// What the garbage collector does at its start: dependents whose owners are all gone go too.
    pub(crate) fn collect_orphans(&mut self) {
        let living: BTreeSet<String> = self
            .objects
            .values()
            .map(|o| text(o, "/metadata/uid").to_owned())
            .collect();
        let gone: Vec<String> = self
            .dependents
            .keys()
            .filter(|uid| !living.contains(*uid))
            .cloned()
            .collect();
        for uid in gone {
            self.collect_dependents(&uid);
        }
    }

    /// Remembers whose dependent an object is.
    fn depend(&mut self, key: &Key, object: &Value) {
        for owner in owners(object) {
            self.dependents.entry(owner.to_owned()).or_default().insert(key.clone());
        }
    }

    /// Has a change on the disk, if there is one, before anybody hears of it.
    fn save(&self, key: &Key, object: Option<&Value>) -> Result<(), StoreError> {
        let Some(database) = &self.database else { return Ok(()) };
        let saved = database.write(key, object, self.resource_version);
        saved.map_err(|error| StoreError::Internal(format!("the database cannot be written: {error}")))
    }

    /// The kinds that there are: the built-in ones and those of CustomResourceDefinitions.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &'static Kind> {
        kinds::ALL.iter().copied().chain(self.customs.kinds())
    }

    /// What depends on an object, with its kind.
    fn dependents_of(&self, uid: &str) -> Vec<(&'static Kind, Object)> {
        let keys = self.dependents.get(uid).into_iter().flatten();
        keys.filter_map(|key| {
            let object = self.objects.get(key)?;
            let kind = self.kinds().find(|k| k.group == key.0 && k.plural == key.1)?;
            owners(object).any(|owner| owner == uid).then(|| (kind, object.clone()))
        })
        .collect()
    }

    /// What the garbage collector of Kubernetes does when an owner is gone: what has no other owner goes too.
    fn collect_dependents(&mut self, uid: &str) {
        for (kind, object) in self.dependents_of(uid) {
            let others: Vec<&str> = owners(&object).filter(|owner| *owner != uid).collect();
            if others
                .iter()
                .any(|other| self.objects.values().any(|o| text(o, "/metadata/uid") == *other))
            {
                continue;
            }
            let grace = strategy::deletion_grace(kind, &object, None);
            let (namespace, name) = (text(&object, "/metadata/namespace"), text(&object, "/metadata/name"));
            // It may have gone with another by now.
            let _ = self.delete_gracefully(kind, namespace, name, &object, grace);
        }
        self.dependents.remove(uid);
    }

    /// Takes an owner out of its dependents, so that they outlive it (`propagationPolicy: Orphan`).
    pub(crate) fn orphan_dependents(&mut self, uid: &str) -> Result<(), StoreError> {
        for (kind, object) in self.dependents_of(uid) {
            let (namespace, name) = (text(&object, "/metadata/namespace"), text(&object, "/metadata/name"));
            let mut freed = object.as_ref().clone();
            if let Some(owners) = freed["metadata"]["ownerReferences"].as_array_mut() {
                owners.retain(|owner| owner["uid"] != uid);
            }
            let key = key(kind, namespace, name);
            self.put(kind, key, Some(object.clone()), freed)?;
        }
        Ok(())
    }
}

/// A name of a kind as the built-in rows have it, or kept for good: there are as many as definitions.
fn known(text: &str) -> &'static str {
    let built_in = kinds::ALL.iter().flat_map(|kind| [kind.group, kind.plural]);
    let found = built_in.into_iter().find(|known| *known == text);
    found.unwrap_or_else(|| Box::leak(text.to_owned().into_boxed_str()))
}

/// The uids of an object's owners.
fn owners(object: &Value) -> impl Iterator<Item = &str> {
    let list = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|owner| owner["uid"].as_str())
}

pub(crate) fn is_terminating(object: &Value) -> bool {
    object
        .pointer("/metadata/deletionTimestamp")
        .is_some_and(|t| !t.is_null())
}

pub(crate) fn has_finalizers(object: &Value) -> bool {
    object
        .pointer("/metadata/finalizers")
        .and_then(Value::as_array)
        .is_some_and(|f| !f.is_empty())
}

fn copy_field(to: &mut Value, from: &Value, field: &str) {
    let Some(to) = to.as_object_mut() else { return };
    match from.get(field) {
        Some(value) => to.insert(field.to_owned(), value.clone()),
        None => to.remove(field),
    };
}

/// Metadata that only the store writes.
fn keep_system_metadata(object: &mut Value, old: &Value) -> Result<(), StoreError> {
    let meta = metadata(object)?;
    for field in [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "generateName",
        "resourceVersion",
    ] {
        match old.pointer("/metadata").and_then(|m| m.get(field)) {
            Some(value) => meta.insert(field.to_owned(), value.clone()),
            None => meta.remove(field),
        };
    }
    Ok(())
}

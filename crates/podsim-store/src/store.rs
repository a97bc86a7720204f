//! [`Store`]: the objects.

use crate::watch::{Change, Filter, Hub};
use crate::{FieldError, Kind, Selectors, Since, StoreError, Watch, WatchEvent, WatchEventType, kinds, strategy, time};
use parking_lot::Mutex;
use podsim_sys::Clock;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An object as JSON. Shared: watchers and readers hold the same one.
pub type Object = Arc<Value>;

/// The result of a list.
#[derive(Clone, Debug)]
pub struct List {
    /// The store's resource version at the time: where a watch goes on.
    pub resource_version: u64,
    /// By namespace and name.
    pub items: Vec<Object>,
}

/// How to delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Seconds; `None`: the object's own. 0 is at once.
    pub grace_period_seconds: Option<i64>,
    /// Only this uid.
    pub uid: Option<String>,
    /// Only this resource version.
    pub resource_version: Option<String>,
}

/// What a deletion did.
#[derive(Clone, Debug)]
pub enum Deleted {
    /// The object is gone.
    Gone(Object),
    /// The object has a deletion timestamp now (or had one); its keeper (the kubelet, a finalizer's owner) will end it.
    Terminating(Object),
}

impl Deleted {
    /// The object.
    #[must_use]
    pub fn object(&self) -> &Object {
        match self {
            Self::Gone(object) | Self::Terminating(object) => object,
        }
    }
}

/// An in-memory object store. Clones share the objects.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

type Key = (&'static str, &'static str, String, String);

struct State {
    objects: BTreeMap<Key, Object>,
    resource_version: u64,
    hub: Hub,
    entropy: Box<dyn FnMut() -> u64 + Send>,
}

fn key(kind: &'static Kind, namespace: &str, name: &str) -> Key {
    let namespace = if kind.namespaced { namespace } else { "" };
    (kind.group, kind.plural, namespace.to_owned(), name.to_owned())
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn metadata(object: &mut Value) -> Result<&mut Map<String, Value>, StoreError> {
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

impl Store {
    /// An empty store but for the namespaces `default`, `kube-system`, `kube-public` and `kube-node-lease`. uids and
    /// generated names are made from `entropy`.
    pub fn new(clock: Arc<dyn Clock>, entropy: impl FnMut() -> u64 + Send + 'static) -> Self {
        let state = State {
            objects: BTreeMap::new(),
            resource_version: 1,
            hub: Hub::default(),
            entropy: Box::new(entropy),
        };
        let inner = Inner {
            clock,
            state: Mutex::new(state),
        };
        let store = Self { inner: Arc::new(inner) };
        for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            let object = json!({ "metadata": { "name": name } });
            // Cannot fail: the store is empty and the names are good.
            store.create(&kinds::NAMESPACE, "", object).ok();
        }
        store
    }

    /// The clock that the store takes its time from.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// The resource version of the last change.
    #[must_use]
    pub fn resource_version(&self) -> u64 {
        self.inner.state.lock().resource_version
    }

    /// Creates an object: sets defaults, validates, gives it a uid, a time and a resource version. `generateName` is
    /// honoured. The namespace of the object, if any, must be `namespace`.
    pub fn create(&self, kind: &'static Kind, namespace: &str, mut object: Value) -> Result<Object, StoreError> {
        let mut state = self.inner.state.lock();
        let meta = metadata(&mut object)?;
        check_namespace(kind, namespace, meta)?;
        let base = meta
            .get("generateName")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let name = meta.get("name").and_then(Value::as_str).unwrap_or_default();
        if name.is_empty() && !base.is_empty() {
            let generated = state.generate_name(&base);
            meta.insert("name".to_owned(), generated.into());
        }
        let given = meta.get("resourceVersion").and_then(Value::as_str).unwrap_or_default();
        if !given.is_empty() {
            return Err(StoreError::BadRequest(
                "resourceVersion should not be set on objects to be created".to_owned(),
            ));
        }
        for field in [
            "uid",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
        ] {
            meta.remove(field);
        }
        strategy::prepare_for_create(kind, &mut object)?;
        let name = text(&object, "/metadata/name").to_owned();
        if kind.namespaced {
            state.check_namespace_accepts(kind, namespace, &name)?;
        }
        let key = key(kind, namespace, &name);
        if state.objects.contains_key(&key) {
            return Err(StoreError::AlreadyExists {
                resource: kind.resource(),
                name,
            });
        }
        let uid = state.uid();
        let now = time::now(self.inner.clock.as_ref());
        let meta = metadata(&mut object)?;
        meta.insert("uid".to_owned(), uid.into());
        meta.insert("creationTimestamp".to_owned(), json!(now));
        if strategy::has_generation(kind) {
            meta.insert("generation".to_owned(), 1.into());
        }
        state.put(kind, key, None, object)
    }

    /// An object.
    pub fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Result<Object, StoreError> {
        self.inner.state.lock().get(kind, namespace, name)
    }

    /// Objects of one namespace, or of all.
    pub fn list(&self, kind: &'static Kind, namespace: Option<&str>, selectors: &Selectors) -> List {
        let state = self.inner.state.lock();
        let filter = Filter {
            kind,
            namespace: namespace.map(str::to_owned),
            selectors: selectors.clone(),
        };
        List {
            resource_version: state.resource_version,
            items: state.select(&filter),
        }
    }

    /// Replaces all of an object but its status (if its kind has one apart). A `resourceVersion` in it must be the current.
    pub fn update(&self, kind: &'static Kind, namespace: &str, object: Value) -> Result<Object, StoreError> {
        self.replace(kind, namespace, object, Part::Spec)
    }

    /// Replaces the status of an object; the rest of `object` but its name and `resourceVersion` is ignored.
    pub fn update_status(&self, kind: &'static Kind, namespace: &str, object: Value) -> Result<Object, StoreError> {
        self.replace(kind, namespace, object, Part::Status)
    }

    /// Changes an object in one step, nothing coming between; as [`Store::update`].
    pub fn modify(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value) -> Result<(), StoreError>,
    ) -> Result<Object, StoreError> {
        self.modify_part(kind, namespace, name, Part::Spec, change)
    }

    /// Changes the status of an object in one step, nothing coming between; as [`Store::update_status`].
    pub fn modify_status(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value) -> Result<(), StoreError>,
    ) -> Result<Object, StoreError> {
        self.modify_part(kind, namespace, name, Part::Status, change)
    }

    fn modify_part(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        part: Part,
        change: impl FnOnce(&mut Value) -> Result<(), StoreError>,
    ) -> Result<Object, StoreError> {
        let mut state = self.inner.state.lock();
        let mut object = state.get(kind, namespace, name)?.as_ref().clone();
        change(&mut object)?;
        state.replace(kind, namespace, object, part)
    }

    fn replace(
        &self,
        kind: &'static Kind,
        namespace: &str,
        mut object: Value,
        part: Part,
    ) -> Result<Object, StoreError> {
        let mut state = self.inner.state.lock();
        check_namespace(kind, namespace, metadata(&mut object)?)?;
        state.replace(kind, namespace, object, part)
    }

    /// Gives a Pod to a node (the `binding` subresource). A Pod that has one already is a conflict.
    pub fn bind(&self, namespace: &str, name: &str, node: &str) -> Result<Object, StoreError> {
        let mut state = self.inner.state.lock();
        let kind = &kinds::POD;
        let old = state.get(kind, namespace, name)?;
        let bound = text(&old, "/spec/nodeName");
        let conflict = |detail: String| StoreError::Conflict {
            resource: "pods/binding".to_owned(),
            name: name.to_owned(),
            detail,
        };
        if !bound.is_empty() {
            return Err(conflict(format!("pod {name} is already assigned to node \"{bound}\"")));
        }
        if is_terminating(&old) {
            return Err(conflict(format!(
                "pod {name} is being deleted, cannot be assigned to a host"
            )));
        }
        let mut object = old.as_ref().clone();
        object["spec"]["nodeName"] = node.into();
        state.put(kind, key(kind, namespace, name), Some(old), object)
    }

    /// Deletes an object, or marks it for deletion: a Pod that a kubelet has, or an object with finalizers.
    pub fn delete(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Deleted, StoreError> {
        let mut state = self.inner.state.lock();
        let old = state.get(kind, namespace, name)?;
        let (uid, version) = (text(&old, "/metadata/uid"), text(&old, "/metadata/resourceVersion"));
        let conflict = |what: &str, wanted: &str, has: &str| StoreError::Conflict {
            resource: kind.resource(),
            name: name.to_owned(),
            detail: format!(
                "the {what} in the precondition ({wanted}) does not match the {what} in record ({has}). The object might have been deleted and then recreated"
            ),
        };
        if let Some(wanted) = options.uid.as_deref().filter(|w| *w != uid) {
            return Err(conflict("UID", wanted, uid));
        }
        if let Some(wanted) = options.resource_version.as_deref().filter(|w| *w != version) {
            return Err(conflict("ResourceVersion", wanted, version));
        }
        if *kind == kinds::NAMESPACE {
            return state.delete_namespace(self.inner.clock.as_ref(), name, &old);
        }
        let clock = self.inner.clock.as_ref();
        let grace = strategy::deletion_grace(kind, &old, options.grace_period_seconds);
        state.delete_gracefully(clock, kind, namespace, name, &old, grace)
    }

    /// What changes in one namespace, or in all.
    pub fn watch(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        selectors: &Selectors,
        since: Since,
    ) -> Result<Watch, StoreError> {
        let mut state = self.inner.state.lock();
        let filter = Filter {
            kind,
            namespace: namespace.map(str::to_owned),
            selectors: selectors.clone(),
        };
        let initial = if since == Since::Start {
            state.select(&filter)
        } else {
            vec![]
        };
        let added = |object| WatchEvent {
            kind: WatchEventType::Added,
            object,
        };
        let initial = initial.into_iter().map(added).collect();
        let since = match since {
            Since::ResourceVersion(version) => Some(version),
            Since::Start | Since::Now => None,
        };
        state.hub.subscribe(filter, initial, since)
    }
}

/// Which part of an object is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Spec,
    Status,
}

fn check_namespace(kind: &Kind, namespace: &str, meta: &mut Map<String, Value>) -> Result<(), StoreError> {
    if !kind.namespaced {
        meta.remove("namespace");
        return Ok(());
    }
    match meta.get("namespace").and_then(Value::as_str).filter(|n| !n.is_empty()) {
        Some(given) if given != namespace => Err(StoreError::BadRequest(
            "the namespace of the provided object does not match the namespace sent on the request".to_owned(),
        )),
        _ => {
            meta.insert("namespace".to_owned(), namespace.into());
            Ok(())
        }
    }
}

impl State {
    fn uid(&mut self) -> String {
        let (a, b) = ((self.entropy)(), (self.entropy)());
        // Version 4, variant 1 of RFC 9562.
        let (a, b) = ((a & !0xf000) | 0x4000, (b & !(0b11 << 62)) | (0b10 << 62));
        let (a, b) = (format!("{a:016x}"), format!("{b:016x}"));
        format!("{}-{}-{}-{}-{}", &a[..8], &a[8..12], &a[12..], &b[..4], &b[4..])
    }

    /// Appends five characters, as `names.SimpleNameGenerator` does: letters that make no words.
    fn generate_name(&mut self, base: &str) -> String {
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

    fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Result<Object, StoreError> {
        self.objects
            .get(&key(kind, namespace, name))
            .cloned()
            .ok_or_else(|| StoreError::NotFound {
                resource: kind.resource(),
                name: name.to_owned(),
            })
    }

    fn select(&self, filter: &Filter) -> Vec<Object> {
        let of_kind = |(k, _): &(&Key, &Object)| k.0 == filter.kind.group && k.1 == filter.kind.plural;
        self.objects
            .iter()
            .filter(of_kind)
            .map(|(_, o)| o)
            .filter(|o| filter.matches(o))
            .cloned()
            .collect()
    }

    fn check_namespace_accepts(&self, kind: &Kind, namespace: &str, name: &str) -> Result<(), StoreError> {
        let object = self.get(&kinds::NAMESPACE, "", namespace)?;
        if text(&object, "/status/phase") == "Terminating" {
            return Err(StoreError::Forbidden {
                resource: kind.resource(),
                name: name.to_owned(),
                detail: format!("unable to create new content in namespace {namespace} because it is being terminated"),
            });
        }
        Ok(())
    }

    /// Stores an object under a new resource version and tells the watchers.
    fn put(
        &mut self,
        kind: &'static Kind,
        key: Key,
        before: Option<Object>,
        mut object: Value,
    ) -> Result<Object, StoreError> {
        self.resource_version += 1;
        metadata(&mut object)?.insert("resourceVersion".to_owned(), self.resource_version.to_string().into());
        let object = Arc::new(strategy::with_type(kind, object));
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

    fn replace(
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
            Part::Spec => {
                keep_system_metadata(&mut object, &old)?;
                if kind.has_status {
                    copy_field(&mut object, &old, "status");
                }
                object
            }
            Part::Status => {
                let mut new = old.as_ref().clone();
                copy_field(&mut new, &object, "status");
                new
            }
        };
        match part {
            Part::Spec => strategy::prepare_for_update(kind, &mut new, &old)?,
            Part::Status => strategy::prepare_for_status_update(kind, &mut new)?,
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
        if finished && grace == 0 {
            self.remove(kind, namespace, &name);
        }
        Ok(stored)
    }

    fn delete_gracefully(
        &mut self,
        clock: &dyn Clock,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        old: &Object,
        grace: i64,
    ) -> Result<Deleted, StoreError> {
        if grace == 0 && !has_finalizers(old) {
            return match self.remove(kind, namespace, name) {
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
        let now = time::now(clock);
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
    fn remove(&mut self, kind: &'static Kind, namespace: &str, name: &str) -> Option<Object> {
        let old = self.objects.remove(&key(kind, namespace, name))?;
        self.resource_version += 1;
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
        if kind.namespaced {
            self.finish_namespace(namespace);
        }
        Some(last)
    }

    fn finish_namespace(&mut self, namespace: &str) {
        let empty = !self.objects.keys().any(|k| k.2 == namespace);
        let terminating = self
            .get(&kinds::NAMESPACE, "", namespace)
            .is_ok_and(|o| text(&o, "/status/phase") == "Terminating");
        if empty && terminating {
            self.remove(&kinds::NAMESPACE, "", namespace);
        }
    }

    /// Marks a namespace as terminating and deletes what is in it, each object in its own way.
    fn delete_namespace(&mut self, clock: &dyn Clock, name: &str, old: &Object) -> Result<Deleted, StoreError> {
        if ["default", "kube-public", "kube-system"].contains(&name) {
            return Err(StoreError::Forbidden {
                resource: "namespaces".to_owned(),
                name: name.to_owned(),
                detail: "this namespace may not be deleted".to_owned(),
            });
        }
        let mut object = old.as_ref().clone();
        metadata(&mut object)?
            .entry("deletionTimestamp")
            .or_insert_with(|| json!(time::now(clock)));
        object["status"] = json!({ "phase": "Terminating" });
        let object = self.put(
            &kinds::NAMESPACE,
            key(&kinds::NAMESPACE, "", name),
            Some(old.clone()),
            object,
        )?;
        let inside: Vec<_> = self
            .objects
            .iter()
            .filter(|(k, _)| k.2 == name)
            .map(|(k, o)| (k.clone(), o.clone()))
            .collect();
        for ((group, plural, namespace, name), object) in inside {
            if let Some(kind) = kinds::ALL.into_iter().find(|k| k.group == group && k.plural == plural) {
                let grace = strategy::deletion_grace(kind, &object, None);
                self.delete_gracefully(clock, kind, &namespace, &name, &object, grace)?;
            }
        }
        self.finish_namespace(name);
        match self.get(&kinds::NAMESPACE, "", name) {
            Ok(object) => Ok(Deleted::Terminating(object)),
            Err(_) => Ok(Deleted::Gone(object)),
        }
    }
}

fn is_terminating(object: &Value) -> bool {
    object
        .pointer("/metadata/deletionTimestamp")
        .is_some_and(|t| !t.is_null())
}

fn has_finalizers(object: &Value) -> bool {
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

//! [`Store`]: the objects.

use crate::custom::{self, Customs};
use crate::pod::admission::Objects;
use crate::state::{Part, State, is_terminating, key, metadata, text};
use crate::token::TokenSigner;
use crate::watch::{Filter, Hub, Observer};
use crate::{
    Database, DatabaseError, Kind, Selectors, Since, StoreError, Watch, WatchEvent, WatchEventType, defaults, kinds,
    strategy, time,
};
use parking_lot::{Mutex, MutexGuard};
use podsim_sys::Clock;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
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
    /// What becomes of the dependents.
    pub propagation: Propagation,
    /// Seconds; `None`: the object's own. 0 is at once.
    pub grace_period_seconds: Option<i64>,
    /// Only this uid.
    pub uid: Option<String>,
    /// Only this resource version.
    pub resource_version: Option<String>,
}

/// What becomes of the objects that name a deleted one as their owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They are deleted after it. (`Foreground` is taken as this: the owner does not wait for them.)
    #[default]
    Background,
    /// They stay.
    Orphan,
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

/// An object store, in memory and, if it was opened with a [`Database`], on disk. Clones share the objects.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    /// Writes are checked and answered, and not kept.
    dry_run: bool,
}

struct Inner {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Never held together with the state.
    signer: Mutex<Option<Arc<TokenSigner>>>,
    /// What each namespace has. Never held together with the state.
    gifts: Mutex<Vec<(&'static Kind, Value)>>,
}

impl Store {
    /// An empty store but for the namespaces `default`, `kube-system`, `kube-public` and `kube-node-lease`. uids and
    /// generated names are made from `entropy`.
    pub fn new(clock: Arc<dyn Clock>, entropy: impl FnMut() -> u64 + Send + 'static) -> Self {
        let store = Self::empty(clock, entropy);
        store.make_namespaces();
        store
    }

    /// As [`Store::new`], with the objects that are in the database; what is written goes there first.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub fn open(
        clock: Arc<dyn Clock>,
        entropy: impl FnMut() -> u64 + Send + 'static,
        database: Database,
    ) -> Result<Self, DatabaseError> {
        let store = Self::empty(clock, entropy);
        let content = database.load()?;
        let mut state = store.inner.state.lock();
        state.fill(content);
        state.database = Some(database);
        state.collect_orphans();
        drop(state);
        store.make_namespaces();
        Ok(store)
    }

    fn empty(clock: Arc<dyn Clock>, entropy: impl FnMut() -> u64 + Send + 'static) -> Self {
        let state = State {
            database: None,
            objects: BTreeMap::new(),
            resource_version: 1,
            hub: Hub::default(),
            entropy: Box::new(entropy),
            clock: clock.clone(),
            customs: Customs::default(),
            dependents: HashMap::new(),
            dry_run: false,
        };
        let inner = Inner {
            clock,
            state: Mutex::new(state),
            signer: Mutex::new(None),
            gifts: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
            dry_run: false,
        }
    }

    /// The namespaces that are there from the start, as far as they are not there already.
    fn make_namespaces(&self) {
        for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            let object = json!({ "metadata": { "name": name } });
            // It may be there.
            self.create(&kinds::NAMESPACE, "", object).ok();
        }
    }

    /// Has every change from now on told to `observer`, in place of an earlier one.
    pub fn observe(&self, observer: Observer) {
        self.inner.state.lock().hub.observe(observer);
    }

    /// How many watch.
    #[must_use]
    pub fn watches(&self) -> usize {
        self.inner.state.lock().hub.watches()
    }

    /// The clock that the store takes its time from.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// The same store, but nothing that is written through this one is kept (`dryRun=All`).
    #[must_use]
    pub fn dry_run(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            dry_run: true,
        }
    }

    pub(crate) fn signer(&self) -> &Mutex<Option<Arc<TokenSigner>>> {
        &self.inner.signer
    }

    /// A new uid, as objects get.
    pub(crate) fn uid(&self) -> String {
        self.inner.state.lock().uid()
    }

    fn write(&self) -> MutexGuard<'_, State> {
        let mut state = self.inner.state.lock();
        state.dry_run = self.dry_run;
        state
    }

    /// All kinds: the built-in ones and those that CustomResourceDefinitions define.
    #[must_use]
    pub fn kinds(&self) -> Vec<&'static Kind> {
        self.inner.state.lock().kinds().collect()
    }

    /// The kind of a plural in URLs.
    #[must_use]
    pub fn kind_by_plural(&self, group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
        kinds::by_plural(group, version, plural).or_else(|| {
            let state = self.inner.state.lock();
            let mut customs = state.customs.kinds();
            customs.find(|k| k.plural == plural && k.group == group && k.version == version)
        })
    }

    /// The OpenAPI schema of a kind that a CustomResourceDefinition defines.
    #[must_use]
    pub fn custom_schema(&self, kind: &Kind) -> Option<Arc<Value>> {
        self.inner.state.lock().customs.schema(kind)
    }

    /// The resource version of the last change.
    #[must_use]
    pub fn resource_version(&self) -> u64 {
        self.inner.state.lock().resource_version
    }

    /// Creates an object: sets defaults, validates, gives it a uid, a time and a resource version. `generateName` is
    /// honoured. The namespace of the object, if any, must be `namespace`.
    pub fn create(&self, kind: &'static Kind, namespace: &str, mut object: Value) -> Result<Object, StoreError> {
        let signs = *kind == kinds::POD && self.inner.signer.lock().is_some();
        let mut state = self.write();
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
        let schema = state.customs.schema(kind);
        let token_volume = signs.then(|| state.generate_name(crate::pod::TOKEN_VOLUME_PREFIX));
        let others = InNamespace {
            state: &state,
            namespace,
            token_volume,
        };
        strategy::prepare_for_create(kind, schema.as_deref(), &mut object, &others)?;
        if *kind == kinds::CUSTOM_RESOURCE_DEFINITION {
            custom::accept(&mut object, &time::now(self.inner.clock.as_ref()));
        }
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
        if *kind == kinds::JOB {
            defaults::number_job(&mut object);
        }
        let made = state.put(kind, key, None, object)?;
        drop(state);
        if *kind == kinds::NAMESPACE && !self.dry_run {
            self.furnish(&name);
        }
        Ok(made)
    }

    /// Gives every namespace, now and later, this object; one of the same name that it has already stays as it is.
    pub fn give_each_namespace(&self, kind: &'static Kind, object: Value) {
        let mut gifts = self.inner.gifts.lock();
        let name = text(&object, "/metadata/name").to_owned();
        gifts.retain(|(known, gift)| known != &kind || text(gift, "/metadata/name") != name);
        gifts.push((kind, object));
        drop(gifts);
        for namespace in self.list(&kinds::NAMESPACE, None, &Selectors::default()).items {
            self.furnish(text(&namespace, "/metadata/name"));
        }
    }

    /// Makes what each namespace has.
    fn furnish(&self, namespace: &str) {
        let gifts = self.inner.gifts.lock().clone();
        for (kind, object) in gifts {
            // It may be there, or the namespace may be on its way out.
            self.create(kind, namespace, object).ok();
        }
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

    /// Adds ephemeral containers to a Pod (the `ephemeralcontainers` subresource): the list in `object` takes the place of the
    /// old one, which has to be in it. The rest of `object` but its name and `resourceVersion` is ignored.
    pub fn update_ephemeral_containers(&self, namespace: &str, object: Value) -> Result<Object, StoreError> {
        self.replace(&kinds::POD, namespace, object, Part::Ephemeral)
    }

    /// Changes the CPU and memory of a Pod's containers (the `resize` subresource); all else of `object` but its name and
    /// `resourceVersion` is ignored.
    pub fn resize_pod(&self, namespace: &str, object: Value) -> Result<Object, StoreError> {
        self.replace(&kinds::POD, namespace, object, Part::Resize)
    }

    /// Approves or denies a CertificateSigningRequest (the `approval` subresource): of `object` only `status.conditions`, its name and
    /// its `resourceVersion` count.
    pub fn update_approval(&self, object: Value) -> Result<Object, StoreError> {
        self.replace(&kinds::CERTIFICATE_SIGNING_REQUEST, "", object, Part::Approval)
    }

    /// Replaces `spec.finalizers` of a namespace (the `finalize` subresource); the rest of `object` but its name and `resourceVersion` is
    /// ignored. A namespace that is being deleted ends when it is empty and nothing but `kubernetes` is in the list.
    pub fn finalize_namespace(&self, object: Value) -> Result<Object, StoreError> {
        self.replace(&kinds::NAMESPACE, "", object, Part::Finalize)
    }

    /// As [`Store::update_ephemeral_containers`], in one step, nothing coming between.
    pub fn modify_ephemeral_containers(
        &self,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value) -> Result<(), StoreError>,
    ) -> Result<Object, StoreError> {
        self.modify_part(&kinds::POD, namespace, name, Part::Ephemeral, change)
    }

    fn modify_part(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        part: Part,
        change: impl FnOnce(&mut Value) -> Result<(), StoreError>,
    ) -> Result<Object, StoreError> {
        let mut state = self.write();
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
        let mut state = self.write();
        check_namespace(kind, namespace, metadata(&mut object)?)?;
        state.replace(kind, namespace, object, part)
    }

    /// Gives a Pod to a node (the `binding` subresource). A Pod that has one already is a conflict.
    pub fn bind(&self, namespace: &str, name: &str, node: &str) -> Result<Object, StoreError> {
        let mut state = self.write();
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
        let mut state = self.write();
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
            return state.delete_namespace(name, &old);
        }
        if options.propagation == Propagation::Orphan {
            state.orphan_dependents(uid)?;
        }
        let grace = strategy::deletion_grace(kind, &old, options.grace_period_seconds);
        state.delete_gracefully(kind, namespace, name, &old, grace)
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
        let resource_version = state.resource_version;
        let mut watch = state.hub.subscribe(filter, initial, since)?;
        watch.resource_version = resource_version;
        Ok(watch)
    }
}

/// What the admission of an object may look at.
pub(crate) struct InNamespace<'a> {
    pub(crate) state: &'a State,
    pub(crate) namespace: &'a str,
    /// The name that a volume with a token would get.
    pub(crate) token_volume: Option<String>,
}

impl Objects for InNamespace<'_> {
    fn get(&self, api_version: &str, kind: &str, name: &str) -> Option<Value> {
        let kind = kinds::by_kind(api_version, kind)?;
        let found = self.state.get(kind, self.namespace, name).ok()?;
        Some(found.as_ref().clone())
    }

    fn list(&self, api_version: &str, kind: &str) -> Vec<Value> {
        let Some(kind) = kinds::by_kind(api_version, kind) else {
            return vec![];
        };
        let filter = Filter {
            kind,
            namespace: kind.namespaced.then(|| self.namespace.to_owned()),
            selectors: Selectors::default(),
        };
        self.state.select(&filter).iter().map(|o| o.as_ref().clone()).collect()
    }

    fn cluster_ips(&self) -> BTreeSet<String> {
        let filter = Filter {
            kind: &kinds::SERVICE,
            namespace: None,
            selectors: Selectors::default(),
        };
        let services = self.state.select(&filter);
        services.iter().map(|s| text(s, "/spec/clusterIP").to_owned()).collect()
    }

    fn token_volume(&self) -> Option<&str> {
        self.token_volume.as_deref()
    }
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

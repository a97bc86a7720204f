//! [`Api`]: the store as seen by one `k8s_openapi` type.

use crate::{DeleteOptions, Deleted, Kind, Selectors, Since, Store, StoreError, Watch, WatchEventType, kinds};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{
    ConfigMap, Event, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::node::v1::RuntimeClass;
use k8s_openapi::api::storage::v1::StorageClass;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::marker::PhantomData;

/// A type whose objects the store keeps.
pub trait Stored: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its kind.
    fn kind() -> &'static Kind;
}

macro_rules! stored {
    ($($type:ty => $kind:ident),* $(,)?) => {
        $(impl Stored for $type {
            fn kind() -> &'static Kind {
                &kinds::$kind
            }
        })*
    };
}

stored! {
    Pod => POD, Node => NODE, Namespace => NAMESPACE, Event => EVENT, ConfigMap => CONFIG_MAP, Secret => SECRET,
    Service => SERVICE, ServiceAccount => SERVICE_ACCOUNT, Lease => LEASE, RuntimeClass => RUNTIME_CLASS,
    StorageClass => STORAGE_CLASS, PersistentVolume => PERSISTENT_VOLUME, PersistentVolumeClaim => PERSISTENT_VOLUME_CLAIM,
}

/// The objects of type `K`.
pub struct Api<'a, K> {
    store: &'a Store,
    of: PhantomData<K>,
}

impl Store {
    /// The objects of type `K`.
    #[must_use]
    pub fn api<K: Stored>(&self) -> Api<'_, K> {
        Api {
            store: self,
            of: PhantomData,
        }
    }
}

/// Writes a typed object as JSON.
pub(crate) fn to_value<K: Serialize>(object: &K) -> Result<Value, StoreError> {
    serde_json::to_value(object).map_err(|e| StoreError::BadRequest(e.to_string()))
}

/// Reads a typed object out of the store's JSON.
pub(crate) fn from_value<K: DeserializeOwned>(object: &Value) -> Result<K, StoreError> {
    K::deserialize(object).map_err(|e| StoreError::BadRequest(e.to_string()))
}

impl<K: Stored> Api<'_, K> {
    /// As [`Store::create`].
    pub fn create(&self, namespace: &str, object: &K) -> Result<K, StoreError> {
        from_value(&*self.store.create(K::kind(), namespace, to_value(object)?)?)
    }

    /// As [`Store::get`].
    pub fn get(&self, namespace: &str, name: &str) -> Result<K, StoreError> {
        from_value(&*self.store.get(K::kind(), namespace, name)?)
    }

    /// As [`Store::list`].
    pub fn list(&self, namespace: Option<&str>, selectors: &Selectors) -> Result<Vec<K>, StoreError> {
        self.store
            .list(K::kind(), namespace, selectors)
            .items
            .iter()
            .map(|o| from_value(o))
            .collect()
    }

    /// As [`Store::update`].
    pub fn update(&self, namespace: &str, object: &K) -> Result<K, StoreError> {
        from_value(&*self.store.update(K::kind(), namespace, to_value(object)?)?)
    }

    /// As [`Store::update_status`].
    pub fn update_status(&self, namespace: &str, object: &K) -> Result<K, StoreError> {
        from_value(&*self.store.update_status(K::kind(), namespace, to_value(object)?)?)
    }

    /// As [`Store::modify`].
    pub fn modify(&self, namespace: &str, name: &str, change: impl FnOnce(&mut K)) -> Result<K, StoreError> {
        let stored = self
            .store
            .modify(K::kind(), namespace, name, |value| apply(value, change))?;
        from_value(&stored)
    }

    /// As [`Store::modify_status`].
    pub fn modify_status(&self, namespace: &str, name: &str, change: impl FnOnce(&mut K)) -> Result<K, StoreError> {
        let stored = self
            .store
            .modify_status(K::kind(), namespace, name, |value| apply(value, change))?;
        from_value(&stored)
    }

    /// As [`Store::delete`].
    pub fn delete(&self, namespace: &str, name: &str, options: &DeleteOptions) -> Result<Deleted, StoreError> {
        self.store.delete(K::kind(), namespace, name, options)
    }

    /// As [`Store::watch`].
    pub fn watch(
        &self,
        namespace: Option<&str>,
        selectors: &Selectors,
        since: Since,
    ) -> Result<TypedWatch<K>, StoreError> {
        Ok(TypedWatch {
            watch: self.store.watch(K::kind(), namespace, selectors, since)?,
            of: PhantomData,
        })
    }
}

fn apply<K: Stored>(value: &mut Value, change: impl FnOnce(&mut K)) -> Result<(), StoreError> {
    let mut object = from_value::<K>(value)?;
    change(&mut object);
    *value = to_value(&object)?;
    Ok(())
}

/// A [`Watch`] of typed objects.
pub struct TypedWatch<K> {
    watch: Watch,
    of: PhantomData<fn() -> K>,
}

impl<K: Stored> TypedWatch<K> {
    /// The next event; `None` at the end. An object that is not of the type is left out (the store has checked it).
    pub async fn next(&mut self) -> Option<(WatchEventType, K)> {
        loop {
            let event = self.watch.next().await?;
            if let Ok(object) = from_value(&event.object) {
                return Some((event.kind, object));
            }
        }
    }
}

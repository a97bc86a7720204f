//! [`Database`]: the objects on disk, for a store that outlives its process (`podsim serve --data`).
//!
//! An embedded database (redb) with one table of objects and one of numbers. A change is on the disk before anybody hears of it,
//! so what was acknowledged survives a SIGKILL at any moment.

use crate::state::Key;
use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use serde_json::Value;
use std::path::Path;

/// Group, plural, namespace and name, each ended by a zero, which none of them can hold.
const OBJECTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("objects");
const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");
const RESOURCE_VERSION: &str = "resourceVersion";

/// The database cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DatabaseError(String);

impl<E: Into<redb::Error>> From<E> for DatabaseError {
    fn from(error: E) -> Self {
        Self(error.into().to_string())
    }
}

/// The objects on disk. One process has it at a time.
#[derive(Debug)]
pub struct Database(redb::Database);

/// What a database held when it was opened.
pub(crate) struct Content {
    pub(crate) resource_version: u64,
    /// By group, plural, namespace and name.
    pub(crate) objects: Vec<([String; 4], Value)>,
}

impl Database {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    ///
    /// Another process has it, or it is not a database.
    pub fn open(file: &Path) -> Result<Self, DatabaseError> {
        Ok(Self(redb::Database::create(file)?))
    }

    pub(crate) fn load(&self) -> Result<Content, DatabaseError> {
        // So that the tables are there.
        let begin = self.0.begin_write()?;
        begin.open_table(OBJECTS)?;
        begin.open_table(NUMBERS)?;
        begin.commit()?;
        let read = self.0.begin_read()?;
        let version = read.open_table(NUMBERS)?.get(RESOURCE_VERSION)?;
        let mut objects = Vec::new();
        for row in read.open_table(OBJECTS)?.iter()? {
            let (key, value) = row?;
            let parts: Vec<String> = key.value().split('\0').map(str::to_owned).collect();
            let object = serde_json::from_slice(value.value())
                .map_err(|error| DatabaseError(format!("the object {:?}: {error}", key.value())))?;
            let key = <[String; 4]>::try_from(parts).map_err(|parts| DatabaseError(format!("the key {parts:?}")))?;
            objects.push((key, object));
        }
        Ok(Content {
            resource_version: version.map_or(0, |version| version.value()),
            objects,
        })
    }

    /// Writes an object, or takes it away, under a new resource version. It is on the disk when this returns.
    pub(crate) fn write(&self, key: &Key, object: Option<&Value>, resource_version: u64) -> Result<(), DatabaseError> {
        let key = [key.0, key.1, &key.2, &key.3].join("\0");
        let change = self.0.begin_write()?;
        {
            let mut objects = change.open_table(OBJECTS)?;
            match object {
                Some(object) => objects.insert(key.as_str(), object.to_string().as_bytes())?,
                None => objects.remove(key.as_str())?,
            };
            change.open_table(NUMBERS)?.insert(RESOURCE_VERSION, resource_version)?;
        }
        change.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DeleteOptions, Selectors, Since, Store, kinds};
    use podsim_sys::ManualClock;
    use serde_json::json;
    use std::sync::Arc;
    use std::time::Duration;

    fn open(file: &Path, seed: u64) -> Store {
        let mut entropy = seed;
        let entropy = move || {
            entropy += 1;
            entropy
        };
        let clock = Arc::new(ManualClock::new(Duration::from_secs(9)));
        Store::open(clock, entropy, Database::open(file).unwrap()).unwrap()
    }

    #[test]
    fn what_was_written_is_there_again() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("store");
        let store = open(&file, 0);
        let map = |name: &str| json!({"metadata": {"name": name}, "data": {"a": name}});
        for name in ["stays", "goes"] {
            store.create(&kinds::CONFIG_MAP, "default", map(name)).unwrap();
        }
        let crd = json!({
            "metadata": {"name": "widgets.example.com"},
            "spec": {
                "group": "example.com", "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
                "versions": [{"name": "v1", "served": true, "storage": true}],
            },
        });
        store.create(&kinds::CUSTOM_RESOURCE_DEFINITION, "", crd).unwrap();
        let widget = store.kind_by_plural("example.com", "v1", "widgets").unwrap();
        let owner = store.get(&kinds::CONFIG_MAP, "default", "stays").unwrap()["metadata"]["uid"].clone();
        let owned = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "stays", "uid": owner}]);
        let object = json!({"metadata": {"name": "w", "ownerReferences": owned}});
        store.create(widget, "default", object).unwrap();
        store
            .delete(&kinds::CONFIG_MAP, "default", "goes", &DeleteOptions::default())
            .unwrap();
        store
            .dry_run()
            .create(&kinds::CONFIG_MAP, "default", map("never"))
            .unwrap();
        let everything = |store: &Store| -> Vec<String> {
            let kinds = store.kinds().into_iter();
            let objects = kinds.flat_map(|kind| store.list(kind, None, &Selectors::default()).items);
            objects.map(|object| object.to_string()).collect()
        };
        let (before, version) = (everything(&store), store.resource_version());
        // Another process cannot have it meanwhile.
        assert!(Database::open(&file).is_err());
        drop(store);
        let store = open(&file, 1000);
        assert_eq!((everything(&store), store.resource_version()), (before, version));
        assert!(
            store
                .watch(
                    &kinds::CONFIG_MAP,
                    None,
                    &Selectors::default(),
                    Since::ResourceVersion(1)
                )
                .is_err()
        );
        // What belongs together still does.
        store
            .delete(&kinds::CONFIG_MAP, "default", "stays", &DeleteOptions::default())
            .unwrap();
        let widget = store.kind_by_plural("example.com", "v1", "widgets").unwrap();
        assert!(store.get(widget, "default", "w").is_err());
    }
}

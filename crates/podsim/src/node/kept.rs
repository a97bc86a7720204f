//! [`KeptData`]: what of a node outlives its process (`podsim serve --data DIR`): its objects, what is in its persistent volumes, the
//! key of its tokens, its certificates.

use anyhow::{Context, Result};
use podsim_apiserver::controllers::VOLUMES;
use podsim_cri::backend::LentFolder;
use podsim_store::token::TokenSigner;
use podsim_store::{Database, Store};
use podsim_sys::Clock;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The directory. Nobody but its owner may read it: keys are in there.
#[derive(Clone, Debug)]
pub(crate) struct KeptData {
    directory: PathBuf,
}

impl KeptData {
    /// Uses the directory, which is made if it is not there.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        let place = || format!("--data {}", directory.display());
        fs::create_dir_all(directory).with_context(place)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).with_context(place)?;
        }
        Ok(Self {
            directory: directory.to_owned(),
        })
    }

    /// The store with the objects that are there, and the key that signs tokens.
    pub(super) fn open_store(
        &self,
        clock: Arc<dyn Clock>,
        entropy: impl FnMut() -> u64 + Send + 'static,
    ) -> Result<Store> {
        let file = self.directory.join("objects.redb");
        let place = || {
            format!(
                "{}: the objects cannot be read (does another podsim serve use the directory?)",
                file.display()
            )
        };
        let store = Store::open(clock, entropy, Database::open(&file).with_context(place)?).with_context(place)?;
        let key = match self.read("tokens.key")? {
            Some(key) => key,
            None => {
                let key = TokenSigner::generate()?;
                self.write("tokens.key", &key)?;
                key
            }
        };
        let place = || self.directory.join("tokens.key").display().to_string();
        store.install_signer(Arc::new(TokenSigner::from_pkcs8(&key).with_context(place)?));
        Ok(store)
    }

    /// The folder with what is in persistent volumes.
    pub(super) fn volumes(&self) -> Result<LentFolder> {
        let folder = self.directory.join("volumes");
        let place = || folder.display().to_string();
        fs::create_dir_all(&folder).with_context(place)?;
        Ok(LentFolder {
            host: fs::canonicalize(&folder).with_context(place)?,
            node: VOLUMES.to_owned(),
            readonly: false,
            owners: Some(self.directory.join("volumes.owners")),
        })
    }

    /// A file of the directory, if it is there.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let file = self.directory.join(name);
        match fs::read(&file) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| file.display().to_string()),
        }
    }

    /// Writes a file, whole or not at all.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        let file = self.directory.join(name);
        let place = || file.display().to_string();
        let mut fresh = tempfile::NamedTempFile::new_in(&self.directory).with_context(place)?;
        fresh.write_all(content).with_context(place)?;
        fresh.as_file().sync_all().with_context(place)?;
        fresh.persist(&file).map_err(|error| error.error).with_context(place)?;
        Ok(())
    }
}

//! The images on disk: an OCI image layout (`oci-layout`, `index.json`, `blobs/`) whose layers are not compressed.
//!
//! Several processes may use it. `index.json` is replaced as a whole, under `.index.lock`. Who adds blobs has a shared lock of
//! `.blobs.lock` until the index names them; who removes blobs has it alone.

use crate::blobs::{Blob, Blobs};
use crate::compression::decompress;
use crate::error::{IoContext, StoreError};
use crate::image::{Image, Layer};
use crate::oci::{self, Descriptor, Index, Manifest};
use crate::reference::Reference;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

const OCI_LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

/// The layout in a directory, which need not be there yet.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    directory: PathBuf,
    blobs: Blobs,
}

/// Tells whether the index is still the one that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

/// For as long as blobs are added: they are not removed as unused.
pub(crate) struct Adding<'a> {
    layout: &'a Layout,
    _blobs: File,
}

/// What makes an image.
pub(crate) struct NewImage<'a> {
    pub(crate) config: &'a [u8],
    pub(crate) layers: &'a [Blob],
    pub(crate) references: &'a [Reference],
    /// The digest of the manifest that it came with.
    pub(crate) source_digest: Option<&'a str>,
}

impl Layout {
    /// In this directory.
    pub(crate) fn at(directory: PathBuf) -> Self {
        Self {
            blobs: Blobs::of(&directory),
            directory,
        }
    }

    /// Where it is.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The index' present state; `None` if there is none.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        let metadata = std::fs::metadata(self.index_path()).ok()?;
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Some(Stamp {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            inode,
        })
    }

    /// The images, in the order in which they came, and what is wrong with others. Those of `known` are not read again.
    pub(crate) fn images(&self, known: &[Arc<Image>]) -> Result<(Vec<Arc<Image>>, Vec<String>), StoreError> {
        let index = self.index()?;
        let (mut images, mut problems): (Vec<Arc<Image>>, Vec<String>) = (Vec::new(), Vec::new());
        let mut seen: Vec<&str> = Vec::new();
        for descriptor in &index.manifests {
            if seen.contains(&descriptor.digest.as_str()) {
                continue;
            }
            seen.push(&descriptor.digest);
            let same: Vec<&Descriptor> = index
                .manifests
                .iter()
                .filter(|d| d.digest == descriptor.digest)
                .collect();
            match self.image(&same, known) {
                Ok(image) => images.push(image),
                Err(error) => problems.push(format!("image {}: {error}", descriptor.digest)),
            }
        }
        Ok((images, problems))
    }

    /// The image of descriptors that differ in their names only.
    fn image(&self, descriptors: &[&Descriptor], known: &[Arc<Image>]) -> Result<Arc<Image>, StoreError> {
        let Some(first) = descriptors.first() else {
            return Err(StoreError::Invalid("no descriptor".to_owned()));
        };
        let references: Vec<String> = descriptors
            .iter()
            .filter_map(|d| name_of(d))
            .map(str::to_owned)
            .collect();
        let source = first.annotations.get(oci::SOURCE_DIGEST);
        let digest = source.unwrap_or(&first.digest);
        let manifest: Manifest = json(&self.blobs.document(&first.digest)?)?;
        let id = &manifest.config.digest;
        if let Some(same) = known.iter().find(|image| image.id == *id && image.digest == *digest) {
            return Ok(Arc::new(Image {
                references,
                ..Image::clone(same)
            }));
        }
        let layer = |descriptor: &Descriptor| {
            if descriptor.media_type != oci::LAYER {
                let message = format!("a layer of type {:?}: `podsim image load` it", descriptor.media_type);
                return Err(StoreError::Invalid(message));
            }
            Ok(Layer {
                digest: descriptor.digest.clone(),
                data: self.blobs.map(&descriptor.digest, descriptor.size)?,
            })
        };
        Ok(Arc::new(Image {
            id: id.clone(),
            digest: digest.clone(),
            references,
            internal: false,
            config: oci::config(&self.blobs.document(id)?).map_err(unreadable)?,
            layers: manifest.layers.iter().map(layer).collect::<Result<_, _>>()?,
        }))
    }

    /// Begins to add blobs. Waits for others who remove some.
    pub(crate) fn adding(&self) -> Result<Adding<'_>, StoreError> {
        self.create()?;
        let path = self.directory.join(".blobs.lock");
        let lock = open_lock(&path)?;
        lock.lock_shared().at(&path)?;
        Ok(Adding {
            layout: self,
            _blobs: lock,
        })
    }

    /// Changes the index; the change may refuse.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut Index) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.create()?;
        let path = self.directory.join(".index.lock");
        let lock = open_lock(&path)?;
        lock.lock().at(&path)?;
        let mut index = self.index()?;
        let result = change(&mut index)?;
        self.replace("oci-layout", OCI_LAYOUT.as_bytes())?;
        let mut json = serde_json::to_vec(&index).map_err(unreadable)?;
        json.push(b'\n');
        self.replace("index.json", &json)?;
        Ok(result)
    }

    /// Removes the blobs that the index does not lead to, unless somebody is adding some.
    pub(crate) fn sweep(&self) -> Result<(), StoreError> {
        if !self.directory.is_dir() {
            return Ok(());
        }
        let path = self.directory.join(".blobs.lock");
        let lock = open_lock(&path)?;
        if lock.try_lock().is_err() {
            return Ok(());
        }
        let mut used = BTreeSet::new();
        for descriptor in self.index()?.manifests {
            // Where one cannot be read nobody knows what it needs.
            let document = self.blobs.document(&descriptor.digest);
            let Some(manifest) = document.ok().and_then(|bytes| json::<Manifest>(&bytes).ok()) else {
                return Ok(());
            };
            used.insert(descriptor.digest);
            used.insert(manifest.config.digest);
            used.extend(manifest.layers.into_iter().map(|layer| layer.digest));
        }
        self.blobs.retain(|digest| used.contains(digest))
    }

    /// Makes the directory, for its owner alone.
    fn create(&self) -> Result<(), StoreError> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.directory).at(&self.directory)
    }

    fn index_path(&self) -> PathBuf {
        self.directory.join("index.json")
    }

    fn index(&self) -> Result<Index, StoreError> {
        let path = self.index_path();
        match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Index {
                schema_version: 2,
                media_type: oci::INDEX.to_owned(),
                manifests: Vec::new(),
            }),
            bytes => {
                let index = serde_json::from_slice(&bytes.at(&path)?);
                index.map_err(|error| StoreError::Invalid(format!("{}: {error}", path.display())))
            }
        }
    }

    /// Replaces a file as a whole.
    fn replace(&self, name: &str, content: &[u8]) -> Result<(), StoreError> {
        let path = self.directory.join(name);
        let mut file = tempfile::Builder::new()
            .prefix(crate::blobs::UNFINISHED)
            .tempfile_in(&self.directory)
            .at(&self.directory)?;
        file.write_all(content).at(&path)?;
        file.as_file().sync_data().at(&path)?;
        file.persist(&path).map_err(|error| error.error).at(&path)?;
        Ok(())
    }
}

impl Adding<'_> {
    /// Where to.
    pub(crate) fn blobs(&self) -> &Blobs {
        &self.layout.blobs
    }

    /// Adds a layer, compressed or not, and looks whether it can be read. Gives the names that cannot be used, too.
    pub(crate) fn layer(&self, content: &[u8], diff_id: Option<&str>) -> Result<(Blob, Vec<String>), StoreError> {
        let unreadable = |error| StoreError::Invalid(format!("a layer cannot be read: {error}"));
        let blob = match diff_id.and_then(|diff_id| self.blobs().find(diff_id)) {
            Some(blob) => blob,
            None => self.blobs().write(decompress(content).map_err(unreadable)?, diff_id)?,
        };
        let contents = crate::layer::read(&self.blobs().map(&blob.digest, blob.size)?);
        Ok((blob, contents.map_err(unreadable)?.skipped))
    }

    /// Names an image whose layers were added. A name that another image had is that one's no more.
    pub(crate) fn commit(&self, new: &NewImage<'_>) -> Result<String, StoreError> {
        let config = self.blobs().write(new.config, None)?;
        let descriptor = |media_type: &str, blob: &Blob| Descriptor {
            media_type: media_type.to_owned(),
            digest: blob.digest.clone(),
            size: blob.size,
            ..Descriptor::default()
        };
        let manifest = Manifest {
            schema_version: 2,
            media_type: oci::MANIFEST.to_owned(),
            config: descriptor(oci::CONFIG, &config),
            layers: new.layers.iter().map(|layer| descriptor(oci::LAYER, layer)).collect(),
        };
        let manifest = serde_json::to_vec(&manifest).map_err(unreadable)?;
        let mut entry = descriptor(oci::MANIFEST, &self.blobs().write(manifest.as_slice(), None)?);
        if let Some(digest) = new.source_digest.filter(|digest| **digest != entry.digest) {
            entry
                .annotations
                .insert(oci::SOURCE_DIGEST.to_owned(), digest.to_owned());
        }
        self.layout.update(|index| {
            for reference in new.references {
                set_name(index, &entry, reference);
            }
            if !index.manifests.iter().any(|other| other.digest == entry.digest) {
                index.manifests.push(entry);
            }
            Ok(())
        })?;
        Ok(config.digest)
    }
}

/// Gives an image a name.
pub(crate) fn set_name(index: &mut Index, image: &Descriptor, reference: &Reference) {
    remove_name(index, &reference.to_string());
    // A descriptor without a name stands for an image without one.
    index
        .manifests
        .retain(|other| other.digest != image.digest || name_of(other).is_some());
    let mut named = image.clone();
    for key in [oci::IMAGE_NAME, oci::REF_NAME] {
        named.annotations.insert(key.to_owned(), reference.to_string());
    }
    index.manifests.push(named);
}

/// Takes a name from its image, which stays, if need be without one. Gives the image.
pub(crate) fn remove_name(index: &mut Index, reference: &str) -> Option<Descriptor> {
    let at = index
        .manifests
        .iter()
        .position(|image| name_of(image) == Some(reference))?;
    let mut image = index.manifests.remove(at);
    for key in [oci::IMAGE_NAME, oci::REF_NAME] {
        image.annotations.remove(key);
    }
    if !index.manifests.iter().any(|other| other.digest == image.digest) {
        index.manifests.push(image.clone());
    }
    Some(image)
}

/// The reference in a descriptor of this store.
pub(crate) fn name_of(descriptor: &Descriptor) -> Option<&str> {
    let name = descriptor.annotations.get(oci::IMAGE_NAME);
    name.or_else(|| descriptor.annotations.get(oci::REF_NAME))
        .map(String::as_str)
}

pub(crate) fn json<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(unreadable)
}

fn unreadable(error: serde_json::Error) -> StoreError {
    StoreError::Invalid(error.to_string())
}

fn open_lock(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    options.open(path).at(path)
}

//! The images of a node, found by reference, by id and by digest: the built-in ones, and those on disk.

use crate::blobs::Blob;
use crate::error::StoreError;
use crate::import::{self, ImportOptions, Imported};
use crate::layout::{self, Layout, NewImage, Stamp};
use crate::load::{self, Loaded};
use crate::oci::{self, Descriptor, Index, Platform};
use crate::registry::{self, Pulled, Registries};
use crate::{Image, Reference, builtin};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The images of a node. Cheap to clone. What other processes change on disk is seen at the next call.
///
/// A name that is given to an image on disk is that image's, also if a built-in one has it.
#[derive(Clone)]
pub struct ImageStore(Arc<Inner>);

struct Inner {
    builtin: Vec<Arc<Image>>,
    layout: Option<Layout>,
    /// What was read from disk last.
    disk: Mutex<Disk>,
}

#[derive(Default)]
struct Disk {
    stamp: Option<Stamp>,
    images: Vec<Arc<Image>>,
    problems: Vec<String>,
}

/// What [`ImageStore::remove`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Names that are gone, as they are familiar.
    pub untagged: Vec<String>,
    /// The id of the image, if it is gone too.
    pub deleted: Option<String>,
}

impl ImageStore {
    /// The built-in images, and nowhere to put others.
    #[must_use]
    pub fn with_builtin_images() -> Self {
        Self::new(None)
    }

    /// The built-in images, and those in podsim's data directory, which need not be there yet.
    #[must_use]
    pub fn open(data: &Path) -> Self {
        Self::new(Some(data.join("images")))
    }

    fn new(directory: Option<PathBuf>) -> Self {
        Self(Arc::new(Inner {
            builtin: builtin::images().into_iter().map(Arc::new).collect(),
            layout: directory.map(Layout::at),
            disk: Mutex::default(),
        }))
    }

    /// The images for containers.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Image>> {
        let disk = self.disk().images.clone();
        let taken: BTreeSet<String> = disk.iter().flat_map(|image| image.references.iter().cloned()).collect();
        let is_free = |name: &String| Reference::parse(name).is_ok_and(|name| !taken.contains(&name.to_string()));
        let builtin = self.0.builtin.iter().filter(|image| !image.internal).map(|image| {
            if image.references.iter().all(is_free) {
                return image.clone();
            }
            let references = image.references.iter().filter(|name| is_free(name)).cloned().collect();
            Arc::new(Image {
                references,
                ..Image::clone(image)
            })
        });
        builtin.chain(disk).collect()
    }

    /// The image of the node itself.
    #[must_use]
    pub fn node_image(&self) -> Option<Arc<Image>> {
        self.0.builtin.iter().find(|image| image.internal).cloned()
    }

    /// Finds an image by reference (`busybox`, `docker.io/library/busybox:1.36`, `nginx@sha256:…`) or by id, whole or its
    /// first 12 digits or more.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Arc<Image>> {
        let images = self.list();
        let by_reference = || {
            let wanted = Reference::parse(name).ok()?;
            images.iter().find(|image| {
                image
                    .references
                    .iter()
                    .filter_map(|known| Reference::parse(known).ok())
                    .any(|known| {
                        known.domain == wanted.domain
                            && known.path == wanted.path
                            && match (&wanted.digest, &wanted.tag) {
                                (Some(digest), _) => *digest == image.digest,
                                (None, tag) => *tag == known.tag,
                            }
                    })
            })
        };
        let by_id = || images.iter().find(|image| has_id(image, name));
        by_reference().or_else(by_id).cloned()
    }

    /// Whether it is built in.
    #[must_use]
    pub fn is_builtin(&self, image: &Image) -> bool {
        self.0.builtin.iter().any(|builtin| builtin.id == image.id)
            && !self.disk().images.iter().any(|other| other.id == image.id)
    }

    /// What is wrong with images on disk, which are not listed then.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.disk().problems.clone()
    }

    /// The ChainIDs of all images' layers: those that `LayerStore::collect` has to keep.
    #[must_use]
    pub fn chain_ids(&self) -> BTreeSet<String> {
        let disk = self.disk().images.clone();
        self.0
            .builtin
            .iter()
            .chain(&disk)
            .flat_map(|image| image.chain_ids())
            .collect()
    }

    /// Loads the images of an archive (`docker save`, OCI) or of a directory with an OCI image layout. Of images for several
    /// platforms the one is taken that is asked for, or else what this host runs. Blocks.
    ///
    /// # Errors
    ///
    /// [`StoreError`]
    pub fn load(&self, path: &Path, platform: Option<&Platform>) -> Result<Loaded, StoreError> {
        load::load(self.layout()?, path, platform)
    }

    /// Makes an image of a directory, or of a tar archive of one. Blocks.
    ///
    /// # Errors
    ///
    /// [`StoreError`]
    pub fn import_rootfs(&self, path: &Path, options: &ImportOptions) -> Result<Imported, StoreError> {
        import::import(self.layout()?, path, options)
    }

    /// Pulls an image from its registry, which the user must have allowed. `tell` hears of the progress. Blocks.
    ///
    /// # Errors
    ///
    /// [`StoreError`]
    pub fn pull(
        &self,
        reference: &Reference,
        platform: Option<&Platform>,
        tell: &mut dyn FnMut(String),
    ) -> Result<Pulled, StoreError> {
        registry::pull(self.layout()?, reference, platform, tell)
    }

    /// What `PullImage` of CRI does: gives the id of an image, which is pulled if its registry may be asked. A built-in image is
    /// there already. Blocks.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; what is neither here nor may be asked for is [`StoreError::NotAllowed`].
    pub fn ensure(&self, name: &str, registries: &Registries) -> Result<String, StoreError> {
        let reference = parse(name)?;
        let allowed = registries.allow(&reference.domain);
        match self.find(name) {
            Some(image) if !allowed || self.is_builtin(&image) => Ok(image.id.clone()),
            _ if allowed => Ok(self.pull(&reference, None, &mut |_| {})?.id),
            _ => Err(StoreError::NotAllowed(reference.to_string())),
        }
    }

    /// Gives an image one more name.
    ///
    /// # Errors
    ///
    /// [`StoreError`]
    pub fn tag(&self, source: &str, target: &str) -> Result<(), StoreError> {
        let layout = self.layout()?;
        let reference = parse(target)?;
        if reference.digest.is_some() {
            return Err(StoreError::Invalid(
                "refusing to create a tag with a digest reference".to_owned(),
            ));
        }
        let image = self.find(source).ok_or_else(|| not_found(source))?;
        let named = layout.update(|index| {
            let descriptor = descriptor_of(index, &image).cloned();
            if let Some(descriptor) = &descriptor {
                layout::set_name(index, descriptor, &reference);
            }
            Ok(descriptor.is_some())
        })?;
        if named {
            return Ok(());
        }
        // A built-in one, which is not on disk yet.
        let adding = layout.adding()?;
        let blob = |layer: &crate::image::Layer| -> Result<Blob, StoreError> {
            Ok(adding.layer(&layer.data, Some(&layer.digest))?.0)
        };
        let layers: Vec<Blob> = image.layers.iter().map(blob).collect::<Result<_, _>>()?;
        let config = serde_json::to_vec(&image.config).map_err(|error| StoreError::Invalid(error.to_string()))?;
        adding.commit(&NewImage {
            config: &config,
            layers: &layers,
            references: &[reference],
            source_digest: Some(&image.digest),
        })?;
        Ok(())
    }

    /// Takes a name from an image, and removes the image with its last name; by its id it is removed with its only name, or
    /// with all of them if forced.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], [`StoreError::Conflict`] for built-in images and for an id with several names.
    pub fn remove(&self, name: &str, force: bool) -> Result<Removed, StoreError> {
        let image = self.find(name).ok_or_else(|| not_found(name))?;
        if self.is_builtin(&image) {
            let message = format!("conflict: unable to delete {name}: a built-in image cannot be removed");
            return Err(StoreError::Conflict(message));
        }
        let layout = self.layout()?;
        let by_name = Reference::parse(name).ok().map(|reference| reference.to_string());
        let removed = layout.update(|index| {
            let descriptor = descriptor_of(index, &image).cloned().ok_or_else(|| not_found(name))?;
            let named = |other: &Descriptor| other.digest == descriptor.digest;
            let names: Vec<String> = index
                .manifests
                .iter()
                .filter(|other| named(other))
                .filter_map(layout::name_of)
                .map(str::to_owned)
                .collect();
            let one = by_name.as_ref().filter(|name| names.contains(name));
            if let (Some(one), true) = (one, names.len() > 1) {
                layout::remove_name(index, one);
                return Ok(Removed {
                    untagged: vec![familiar(one)],
                    deleted: None,
                });
            }
            if one.is_none() && names.len() > 1 && !force {
                return Err(StoreError::Conflict(format!(
                    "conflict: unable to delete {} (must be forced) - image is referenced in multiple repositories",
                    image
                        .id
                        .get("sha256:".len()..)
                        .and_then(|id| id.get(..12))
                        .unwrap_or(&image.id)
                )));
            }
            index.manifests.retain(|other| !named(other));
            Ok(Removed {
                untagged: names.iter().map(|name| familiar(name)).collect(),
                deleted: Some(image.id.clone()),
            })
        })?;
        if removed.deleted.is_some() {
            // What is mapped in this process must not be kept from being removed.
            drop(image);
            *self.locked() = Disk::default();
            layout.sweep()?;
        }
        Ok(removed)
    }

    /// Removes what processes left behind that died while they added an image.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn sweep(&self) -> Result<(), StoreError> {
        self.0.layout.as_ref().map_or(Ok(()), Layout::sweep)
    }

    fn layout(&self) -> Result<&Layout, StoreError> {
        self.0.layout.as_ref().ok_or(StoreError::NoDirectory)
    }

    fn locked(&self) -> MutexGuard<'_, Disk> {
        self.0.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is on disk, read again if it has changed.
    fn disk(&self) -> MutexGuard<'_, Disk> {
        let mut disk = self.locked();
        let Some(layout) = &self.0.layout else { return disk };
        // Before the reading: what changes meanwhile is seen the next time.
        let stamp = layout.stamp();
        if stamp != disk.stamp {
            (disk.images, disk.problems) = match layout.images(&disk.images) {
                Ok(read) => read,
                Err(error) => (Vec::new(), vec![error.to_string()]),
            };
            disk.stamp = stamp;
        }
        disk
    }
}

fn has_id(image: &Image, name: &str) -> bool {
    let hex = name.strip_prefix("sha256:").unwrap_or(name);
    let id = image.id.strip_prefix("sha256:").unwrap_or(&image.id);
    hex.len() >= 12 && hex.bytes().all(|b| b.is_ascii_hexdigit()) && id.starts_with(hex)
}

fn descriptor_of<'a>(index: &'a Index, image: &Image) -> Option<&'a Descriptor> {
    index.manifests.iter().find(|descriptor| {
        let source = descriptor.annotations.get(oci::SOURCE_DIGEST);
        source.unwrap_or(&descriptor.digest) == &image.digest
    })
}

fn parse(name: &str) -> Result<Reference, StoreError> {
    Reference::parse(name).map_err(|error| StoreError::Reference(name.to_owned(), error))
}

/// As docker names what it does not find: with a tag.
fn not_found(name: &str) -> StoreError {
    StoreError::NotFound(familiar(name))
}

fn familiar(name: &str) -> String {
    Reference::parse(name).map_or_else(|_| name.to_owned(), |reference| reference.familiar())
}

#[cfg(test)]
mod tests;

//! [`NodeImages`]: the images of a node, as CRI has them; the same for every backend.

use crate::{ImageStore, Registries, StoreError};
use async_trait::async_trait;
use podsim_cri::{Error, FilesystemUsage, Image, ImageService, Result};

/// The images of a node, and the registries that it may ask for others.
#[derive(Clone)]
pub struct NodeImages {
    store: ImageStore,
    registries: Registries,
}

impl NodeImages {
    /// With these.
    #[must_use]
    pub fn new(store: ImageStore, registries: Registries) -> Self {
        Self { store, registries }
    }
}

#[async_trait]
impl ImageService for NodeImages {
    async fn list_images(&self) -> Result<Vec<Image>> {
        Ok(self.store.list().iter().map(|image| Image::from(&**image)).collect())
    }

    async fn image_status(&self, reference: &str) -> Result<Option<Image>> {
        Ok(self.store.find(reference).map(|image| Image::from(&*image)))
    }

    async fn pull_image(&self, reference: &str) -> Result<String> {
        let (images, name) = (self.clone(), reference.to_owned());
        let pull = move || images.store.ensure(&name, &images.registries);
        // Without a registry it is refused at once; under virtual time another thread's work would last until the next timer.
        let pulled = if self.registries.is_empty() {
            pull()
        } else {
            let pulled = tokio::task::spawn_blocking(pull).await;
            pulled.map_err(|error| Error::Internal(error.to_string()))?
        };
        pulled.map_err(|error| match error {
            StoreError::Reference(_, error) => {
                Error::InvalidArgument(format!("failed to parse image reference {reference:?}: {error}"))
            }
            error => Error::ImageNotFound(format!("failed to pull image {reference:?}: {error}")),
        })
    }

    async fn remove_image(&self, reference: &str) -> Result<()> {
        match self.store.remove(reference, true) {
            Ok(_) | Err(StoreError::NotFound(_)) => Ok(()),
            Err(error) => Err(Error::FailedPrecondition(error.to_string())),
        }
    }

    async fn image_fs_info(&self) -> Result<FilesystemUsage> {
        Ok(FilesystemUsage {
            mountpoint: "/var/lib/podsim/images".to_owned(),
            used_bytes: self.store.list().iter().map(|image| image.size()).sum(),
            inodes_used: 0,
        })
    }
}

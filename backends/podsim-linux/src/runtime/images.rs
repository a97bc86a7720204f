//! The images of a Linux node, as CRI has them.

use crate::runtime::service::LinuxRuntime;
use async_trait::async_trait;
use podsim_cri::{Error, FilesystemUsage, Image, ImageService, Result};

#[async_trait]
impl ImageService for LinuxRuntime {
    async fn list_images(&self) -> Result<Vec<Image>> {
        Ok(self.images().list().iter().map(|image| Image::from(&**image)).collect())
    }

    async fn image_status(&self, reference: &str) -> Result<Option<Image>> {
        Ok(self.images().find(reference).map(|image| Image::from(&*image)))
    }

    async fn pull_image(&self, reference: &str) -> Result<String> {
        if let Some(image) = self.images().find(reference) {
            return Ok(image.id.clone());
        }
        Err(Error::ImageNotFound(format!("failed to pull image {reference:?}")))
    }

    async fn remove_image(&self, _reference: &str) -> Result<()> {
        Ok(())
    }

    async fn image_fs_info(&self) -> Result<FilesystemUsage> {
        Ok(FilesystemUsage::default())
    }
}

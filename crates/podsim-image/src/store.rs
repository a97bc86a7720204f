//! The images of a node, found by reference, by id and by digest.

use crate::{Image, Reference, builtin};
use std::sync::Arc;

/// The images of a node.
#[derive(Clone, Default)]
pub struct ImageStore {
    images: Vec<Arc<Image>>,
}

impl ImageStore {
    /// A store with the built-in images.
    #[must_use]
    pub fn with_builtin_images() -> Self {
        Self {
            images: builtin::images().into_iter().map(Arc::new).collect(),
        }
    }

    /// The images for containers.
    pub fn list(&self) -> impl Iterator<Item = &Arc<Image>> {
        self.images.iter().filter(|image| !image.internal)
    }

    /// The image of the node itself.
    #[must_use]
    pub fn node_image(&self) -> Option<&Arc<Image>> {
        self.images.iter().find(|image| image.internal)
    }

    /// Finds an image by reference (`busybox`, `docker.io/library/busybox:1.36`, `nginx@sha256:…`) or by id, whole or its
    /// first 12 digits or more.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Arc<Image>> {
        let by_id = || {
            let hex = name.strip_prefix("sha256:").unwrap_or(name);
            let is_id = hex.len() >= 12 && hex.bytes().all(|b| b.is_ascii_hexdigit());
            is_id
                .then(|| self.list().find(|image| image.id["sha256:".len()..].starts_with(hex)))
                .flatten()
        };
        let by_reference = || {
            let wanted = Reference::parse(name).ok()?;
            self.list().find(|image| {
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
        by_reference().or_else(by_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_images_are_found_by_all_their_names() {
        let store = ImageStore::with_builtin_images();
        let busybox = store.find("busybox").expect("busybox");
        for name in [
            "busybox:latest",
            "docker.io/library/busybox:1.36",
            &busybox.id,
            &busybox.id[7..19],
        ] {
            assert_eq!(store.find(name).map(|image| &image.id), Some(&busybox.id), "{name}");
        }
        let by_digest = format!("busybox@{}", busybox.digest);
        assert!(store.find(&by_digest).is_some());
        for name in ["busybox:9.9", "quay.io/busybox", "busyboxx", "node", ""] {
            assert!(store.find(name).is_none(), "{name}");
        }
    }

    #[test]
    fn every_layer_can_be_read_and_its_digest_is_right() {
        for image in ImageStore::with_builtin_images().list() {
            assert_eq!(image.layers.len(), image.config.rootfs.diff_ids.len());
            for layer in &image.layers {
                assert_eq!(layer.digest, crate::image::sha256(&layer.data));
                assert!(!crate::layer::entries(&layer.data).expect("a readable layer").is_empty());
            }
        }
    }
}

//! Why something cannot be done with the store of images.

use crate::reference::ReferenceError;
use std::io;
use std::path::{Path, PathBuf};

/// Why something cannot be done with the store of images. The words are docker's where docker has some.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What should be an image is none, or a broken one.
    #[error("{0}")]
    Invalid(String),
    /// There is no such image.
    #[error("No such image: {0}")]
    NotFound(String),
    /// It must not be done.
    #[error("{0}")]
    Conflict(String),
    /// It is no reference.
    #[error("{0:?}: {1}")]
    Reference(String, ReferenceError),
    /// A registry does not do what it should: its host, and what it does.
    #[error("{0}: {1}")]
    Registry(String, String),
    /// It is not here, and its registry may not be asked.
    #[error(
        "{0}: not found: podsim asks no registry that is not allowed (PODSIM_REGISTRIES, or `registries` of the node configuration); `podsim image ls` shows the images that are here"
    )]
    NotAllowed(String),
    /// There is nowhere to put images.
    #[error("this node has no directory for images")]
    NoDirectory,
}

/// Says which file it was.
pub(crate) trait IoContext<T> {
    fn at(self, path: &Path) -> Result<T, StoreError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Io {
            path: path.to_owned(),
            source,
        })
    }
}

//! Overlay: a container's root filesystem, private changes over shared image layers (`fs/overlayfs`).
//!
//! Linux keeps two inodes, one in a lower filesystem and one in the upper, and copies a file up at its first change. Here the
//! layers are merged once into a [`LayerTree`], and the overlay is a [`TmpFs`](super::tmpfs::TmpFs) whose inodes *begin* as
//! references into that tree: a file takes over its content at its first write, a directory keeps the changes to its names. What
//! can be seen is the same: lower names are hidden by whiteouts, inode numbers and `st_dev` are stable, a directory that comes
//! from the layers cannot be renamed (EXDEV), and a merged directory has one link. (One difference: a hard link inside the
//! layers stays one file when it is written to, as with Linux's `index=on`.)

use super::layer::LayerTree;
use super::super_block::{SuperBlock, Vfs};
use super::tmpfs::{Limits, TmpFs};
use std::sync::Arc;

/// Makes root filesystems of containers.
pub struct Overlay;

impl Overlay {
    /// A new overlay: the layers, the lowest first, under an empty upper layer with these limits.
    ///
    /// To start many containers from one image, merge its layers once ([`LayerTree::merge`]) and pass the result: a single merged
    /// tree is used as it is.
    #[must_use]
    pub fn mount(vfs: &Arc<Vfs>, layers: &[Arc<LayerTree>], limits: Limits) -> Arc<SuperBlock> {
        TmpFs::over(vfs, LayerTree::merge(layers), limits)
    }
}

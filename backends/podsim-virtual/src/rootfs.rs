//! The filesystem of a container: its image's layers under a private one, `/proc`, `/dev`, `/sys`, and what is mounted.

use crate::node::Node;
use crate::stdio::describe;
use parking_lot::Mutex;
use podsim_cri::{Error, MountPropagation, Result, SecurityContext};
use podsim_image::layer::{self, EntryKind};
use podsim_image::{Image, ImageStore};
use podsim_kernel::NsProxy;
use podsim_kernel::fs::layer::{LayerEntry, LayerKind};
use podsim_kernel::fs::overlay::Overlay;
use podsim_kernel::fs::system_mounts::{MASKED_PATHS, READONLY_PATHS, SystemMounts};
use podsim_kernel::fs::tmpfs;
use podsim_kernel::fs::{LayerTree, MountNamespace, PathRef, SuperBlock};
use podsim_kernel::process::Cgroup;
use podsim_kernel::tty::PtyRegistry;
use podsim_sys::{DeviceNumber, Errno, FileType, Mode, MountFlags};
use std::collections::HashMap;
use std::sync::Arc;

/// The trees of the images, made once.
#[derive(Default)]
pub(crate) struct LayerCache {
    trees: Mutex<HashMap<String, Arc<LayerTree>>>,
}

impl LayerCache {
    /// The merged tree of an image.
    pub(crate) fn tree(&self, image: &Image) -> Result<Arc<LayerTree>> {
        if let Some(tree) = self.trees.lock().get(&image.id) {
            return Ok(tree.clone());
        }
        let layers = image
            .layers
            .iter()
            .map(|layer| self.layer(&layer.digest, &layer.data))
            .collect::<Result<Vec<_>>>()?;
        let tree = LayerTree::merge(&layers);
        self.trees.lock().insert(image.id.clone(), tree.clone());
        Ok(tree)
    }

    fn layer(&self, digest: &str, data: &bytes::Bytes) -> Result<Arc<LayerTree>> {
        if let Some(tree) = self.trees.lock().get(digest) {
            return Ok(tree.clone());
        }
        let broken = |error: &dyn std::fmt::Display| Error::Internal(format!("layer {digest}: {error}"));
        let mut builder = LayerTree::builder();
        for entry in layer::entries(data).map_err(|error| broken(&error))? {
            let device = |major, minor| DeviceNumber { major, minor };
            let kind = match entry.kind {
                EntryKind::File(content) => LayerKind::Regular(content),
                EntryKind::Directory => LayerKind::Directory,
                EntryKind::Symlink(target) => LayerKind::Symlink(target),
                EntryKind::HardLink(path) => LayerKind::HardLink(path),
                EntryKind::CharDevice(major, minor) => LayerKind::Special(FileType::CharDevice, device(major, minor)),
                EntryKind::BlockDevice(major, minor) => LayerKind::Special(FileType::BlockDevice, device(major, minor)),
                EntryKind::Fifo => LayerKind::Special(FileType::Fifo, device(0, 0)),
            };
            let entry = LayerEntry {
                path: entry.path,
                kind,
                mode: Mode(entry.mode),
                uid: entry.uid,
                gid: entry.gid,
                mtime: entry.mtime,
            };
            builder.add(entry).map_err(|error| broken(&error))?;
        }
        let tree = Arc::new(builder.finish());
        self.trees.lock().insert(digest.to_owned(), tree.clone());
        Ok(tree)
    }
}

/// What a container's root filesystem is made from.
pub(crate) struct RootfsRequest<'a> {
    pub(crate) image: &'a Image,
    /// The other namespaces that the container's processes will be in; `mnt` is replaced by the result.
    pub(crate) namespaces: &'a NsProxy,
    pub(crate) cgroup: &'a Arc<Cgroup>,
    pub(crate) shm: &'a Arc<SuperBlock>,
    pub(crate) security: &'a SecurityContext,
    /// Files and directories to show, in order.
    pub(crate) binds: Vec<Bind>,
}

/// A file or a directory that is shown in a container.
pub(crate) struct Bind {
    pub(crate) path: String,
    pub(crate) what: PathRef,
    pub(crate) readonly: bool,
    /// What is mounted below is read-only too.
    pub(crate) recursive_readonly: bool,
    pub(crate) propagation: MountPropagation,
}

impl Bind {
    /// One file of the Pod's own.
    pub(crate) fn file(path: &str, what: &PathRef) -> Self {
        Self {
            path: path.to_owned(),
            what: what.clone(),
            readonly: false,
            recursive_readonly: false,
            propagation: MountPropagation::Private,
        }
    }

    fn show(&self, mounts: &Arc<MountNamespace>) -> podsim_sys::Result<()> {
        let source = &self.what.mount;
        let kind = match self.propagation {
            MountPropagation::Private => MountFlags::PRIVATE,
            MountPropagation::HostToContainer => MountFlags::SLAVE,
            MountPropagation::Bidirectional => MountFlags::SHARED,
        };
        if let Some(ns) = source.namespace().filter(|_| kind != MountFlags::PRIVATE) {
            ns.set_propagation(source, MountFlags::SHARED, true);
        }
        // What is read-only, or cannot be run, on the node is so here.
        let mut flags = source.flags() & (MountFlags::RDONLY | MountFlags::NOEXEC);
        if self.readonly {
            flags |= MountFlags::RDONLY;
        }
        let mount = mounts.bind_at(&self.path, &self.what, flags)?;
        if self.recursive_readonly {
            mounts.make_tree_readonly(&mount);
        }
        mounts.set_propagation(&mount, kind, true);
        Ok(())
    }
}

/// A mount namespace, and the terminals of its `/dev/pts`.
pub(crate) struct Rootfs {
    pub(crate) mounts: Arc<MountNamespace>,
    pub(crate) ptys: Arc<PtyRegistry>,
}

/// Builds the mount namespace of a container.
pub(crate) fn build(node: &Node, request: &RootfsRequest<'_>) -> Result<Rootfs> {
    let tree = node.layers.tree(request.image)?;
    let fail = |what: &'static str| move |errno: Errno| describe(what, errno);
    let root = Overlay::mount(node.vfs(), &[tree], tmpfs::Limits::default());
    let inode = node.kernel.allocate_ns_inode();
    let mounts = MountNamespace::new(node.vfs(), inode, &root, "overlay", MountFlags::RELATIME);
    let ptys = PtyRegistry::new(Arc::downgrade(&node.kernel));
    let system = SystemMounts {
        namespaces: request.namespaces,
        cgroup: request.cgroup,
        ptys: &ptys,
        shm: request.shm,
        sys_readonly: !request.security.privileged,
    };
    system
        .mount(&node.kernel, &mounts)
        .map_err(fail("cannot mount /proc, /dev or /sys"))?;
    for bind in &request.binds {
        bind.show(&mounts)
            .map_err(|errno| describe(&format!("cannot mount {}", bind.path), errno))?;
    }
    restrict(&mounts, request.security).map_err(fail("cannot mask paths"))?;
    Ok(Rootfs { mounts, ptys })
}

fn restrict(mounts: &Arc<MountNamespace>, security: &SecurityContext) -> podsim_sys::Result<()> {
    let defaults = |list: &[&str]| list.iter().map(|&path| path.to_owned()).collect::<Vec<_>>();
    if !security.privileged {
        for path in security.masked_paths.clone().unwrap_or_else(|| defaults(&MASKED_PATHS)) {
            mounts.mask(&path)?;
        }
        for path in security
            .readonly_paths
            .clone()
            .unwrap_or_else(|| defaults(&READONLY_PATHS))
        {
            mounts.make_readonly(&path)?;
        }
    }
    if security.readonly_rootfs {
        let root = mounts.root().mount;
        root.remount(root.flags() | MountFlags::RDONLY);
    }
    Ok(())
}

/// The image that a reference means.
pub(crate) fn find_image(images: &ImageStore, reference: &str) -> Result<Arc<Image>> {
    let missing = || Error::ImageNotFound(format!("image {reference:?} is not present on this node"));
    images.find(reference).ok_or_else(missing)
}

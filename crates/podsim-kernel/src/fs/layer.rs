//! [`LayerTree`]: an immutable tree of files, shared read-only by all containers of an image.
//!
//! A tree is built from the entries of an image layer, OCI whiteouts included (`.wh.NAME` hides a name of the layers below,
//! `.wh..wh..opq` all of them), and layers are merged into one tree. File contents are [`Bytes`]: never copied.

use bytes::Bytes;
use podsim_sys::{DeviceNumber, FileType, Mode};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What an entry of a layer is.
#[derive(Clone, Debug)]
pub enum LayerKind {
    /// A directory.
    Directory,
    /// A regular file and its content.
    Regular(Bytes),
    /// A symbolic link and its target.
    Symlink(String),
    /// Another name for an earlier entry: its path.
    HardLink(String),
    /// A device or a FIFO.
    Special(FileType, DeviceNumber),
}

/// One entry of a layer, as in a tar file.
#[derive(Clone, Debug)]
pub struct LayerEntry {
    /// Its path; a leading `/` or `./` does not matter.
    pub path: String,
    /// What it is.
    pub kind: LayerKind,
    /// Permissions.
    pub mode: Mode,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of the last change, since the epoch.
    pub mtime: Duration,
}

/// Why an entry does not fit into a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerError {
    /// The entry's path.
    pub path: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl fmt::Display for LayerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

impl std::error::Error for LayerError {}

/// An object of a tree.
#[derive(Clone, Debug)]
pub struct LayerNode {
    /// What it is.
    pub body: LayerBody,
    /// Permissions.
    pub mode: Mode,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of the last change, since the epoch.
    pub mtime: Duration,
    /// Names it has; for a directory 2 and one for each directory in it.
    pub nlink: u32,
}

/// What an object of a tree is.
#[derive(Clone, Debug)]
pub enum LayerBody {
    /// A directory: its names in order, with the indices of what they name.
    Directory(Vec<(Box<str>, u32)>),
    /// A regular file.
    Regular(Bytes),
    /// A symbolic link.
    Symlink(Box<str>),
    /// A device or a FIFO.
    Special(FileType, DeviceNumber),
}

impl LayerNode {
    /// Its type.
    #[must_use]
    pub fn file_type(&self) -> FileType {
        match &self.body {
            LayerBody::Directory(_) => FileType::Directory,
            LayerBody::Regular(_) => FileType::Regular,
            LayerBody::Symlink(_) => FileType::Symlink,
            LayerBody::Special(file_type, _) => *file_type,
        }
    }

    /// The names of a directory; none for others.
    #[must_use]
    pub fn names(&self) -> &[(Box<str>, u32)] {
        match &self.body {
            LayerBody::Directory(names) => names,
            _ => &[],
        }
    }
}

/// An immutable tree of files.
pub struct LayerTree {
    /// The root directory first: there is always one.
    nodes: Vec<LayerNode>,
    /// What this layer hides of the ones below; only until it is merged.
    hides: HashMap<u32, Hides>,
    /// Directories that the layer has files in but does not describe: they look as in the layers below.
    implicit: BTreeSet<u32>,
}

#[derive(Clone, Default)]
struct Hides {
    opaque: bool,
    names: BTreeSet<Box<str>>,
}

impl LayerTree {
    /// Begins a tree with an empty root directory.
    #[must_use]
    pub fn builder() -> LayerBuilder {
        LayerBuilder::new()
    }

    /// The layers of an image as one tree, the lowest first.
    #[must_use]
    pub fn merge(layers: &[Arc<LayerTree>]) -> Arc<LayerTree> {
        if let [only] = layers
            && only.hides.is_empty()
        {
            return only.clone();
        }
        let mut merged = LayerBuilder::new();
        for layer in layers {
            let mut copied = HashMap::new();
            merged.overlay(0, layer, 0, &mut copied);
        }
        merged.hides.clear();
        merged.implicit.clear();
        Arc::new(merged.finish())
    }

    /// An object by its index; 0 is the root directory.
    #[must_use]
    pub fn node(&self, index: u32) -> Option<&LayerNode> {
        self.nodes.get(index as usize)
    }

    /// The root directory.
    #[must_use]
    pub fn root(&self) -> &LayerNode {
        &self.nodes[0]
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is nothing but the root directory.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.len() <= 1
    }

    /// Finds an object by a path without symbolic links.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&LayerNode> {
        let mut at = self.root();
        for name in path.split('/').filter(|name| !name.is_empty() && *name != ".") {
            let names = at.names();
            let found = names.binary_search_by(|(other, _)| (**other).cmp(name)).ok()?;
            at = self.node(names.get(found)?.1)?;
        }
        Some(at)
    }
}

/// Builds a [`LayerTree`].
pub struct LayerBuilder {
    nodes: Vec<Building>,
    hides: HashMap<u32, Hides>,
    implicit: BTreeSet<u32>,
}

struct Building {
    node: LayerNode,
    names: BTreeMap<Box<str>, u32>,
}

impl Building {
    fn new(node: LayerNode) -> Self {
        Self {
            node,
            names: BTreeMap::new(),
        }
    }

    fn directory() -> Self {
        Self::new(LayerNode {
            body: LayerBody::Directory(Vec::new()),
            mode: Mode(0o755),
            uid: 0,
            gid: 0,
            mtime: Duration::ZERO,
            nlink: 2,
        })
    }

    fn is_directory(&self) -> bool {
        matches!(self.node.body, LayerBody::Directory(_))
    }
}

impl LayerBuilder {
    fn new() -> Self {
        Self {
            nodes: vec![Building::directory()],
            hides: HashMap::new(),
            implicit: BTreeSet::from([0]),
        }
    }

    /// Adds an entry; a later one of the same path replaces an earlier one, directories that are not there are made.
    pub fn add(&mut self, entry: LayerEntry) -> Result<(), LayerError> {
        let error = |reason| LayerError {
            path: entry.path.clone(),
            reason,
        };
        if entry.path.len() >= super::namei::PATH_MAX {
            return Err(error("the path is too long"));
        }
        let mut names: Vec<&str> = entry.path.split('/').filter(|n| !n.is_empty() && *n != ".").collect();
        if names
            .iter()
            .any(|n| *n == ".." || n.len() > super::namei::NAME_MAX || n.contains('\0'))
        {
            return Err(error("not a path inside the layer"));
        }
        let Some(name) = names.pop() else {
            if !matches!(entry.kind, LayerKind::Directory) {
                return Err(error("the root is a directory"));
            }
            self.set_attributes(0, &entry);
            return Ok(());
        };
        let parent = self
            .directories(&names)
            .ok_or_else(|| error("its parent is not a directory"))?;
        if name == ".wh..wh..opq" {
            self.hides.entry(parent).or_default().opaque = true;
            return Ok(());
        }
        if let Some(hidden) = name.strip_prefix(".wh.") {
            if hidden.is_empty() {
                return Err(error("a whiteout without a name"));
            }
            self.hides.entry(parent).or_default().names.insert(hidden.into());
            return Ok(());
        }
        let body = match &entry.kind {
            LayerKind::Directory => {
                let there = self.child(parent, name).filter(|index| self.is_directory(*index));
                let index = there.unwrap_or_else(|| self.put(parent, name, Building::directory()));
                self.set_attributes(index, &entry);
                return Ok(());
            }
            LayerKind::HardLink(target) => {
                let index = self
                    .find(target)
                    .ok_or_else(|| error("the target of the hard link is not in the layer"))?;
                if self.is_directory(index) {
                    return Err(error("a hard link to a directory"));
                }
                self.put_index(parent, name, index);
                return Ok(());
            }
            LayerKind::Regular(content) => LayerBody::Regular(content.clone()),
            LayerKind::Symlink(target) => LayerBody::Symlink(target.as_str().into()),
            LayerKind::Special(file_type, device) => LayerBody::Special(*file_type, *device),
        };
        let node = LayerNode {
            body,
            mode: Mode(entry.mode.0 & 0o7777),
            uid: entry.uid,
            gid: entry.gid,
            mtime: entry.mtime,
            nlink: 1,
        };
        self.put(parent, name, Building::new(node));
        Ok(())
    }

    fn set_attributes(&mut self, index: u32, entry: &LayerEntry) {
        self.implicit.remove(&index);
        if let Some(building) = self.nodes.get_mut(index as usize) {
            building.node.mode = Mode(entry.mode.0 & 0o7777);
            building.node.uid = entry.uid;
            building.node.gid = entry.gid;
            building.node.mtime = entry.mtime;
        }
    }

    fn is_directory(&self, index: u32) -> bool {
        self.nodes.get(index as usize).is_some_and(Building::is_directory)
    }

    fn child(&self, parent: u32, name: &str) -> Option<u32> {
        self.nodes.get(parent as usize)?.names.get(name).copied()
    }

    fn find(&self, path: &str) -> Option<u32> {
        let mut names = path.split('/').filter(|n| !n.is_empty() && *n != ".");
        names.try_fold(0, |at, name| self.child(at, name))
    }

    /// The directory of these names, made where it is not there.
    fn directories(&mut self, names: &[&str]) -> Option<u32> {
        let mut at = 0;
        for name in names {
            at = match self.child(at, name) {
                Some(index) if self.is_directory(index) => index,
                Some(_) => return None,
                None => {
                    let made = self.put(at, name, Building::directory());
                    self.implicit.insert(made);
                    made
                }
            };
        }
        Some(at)
    }

    fn put(&mut self, parent: u32, name: &str, node: Building) -> u32 {
        // Far below 2^32: an image of that many files would not fit into memory.
        let index = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.nodes.push(node);
        self.put_index(parent, name, index);
        index
    }

    fn put_index(&mut self, parent: u32, name: &str, index: u32) {
        if let Some(parent) = self.nodes.get_mut(parent as usize) {
            parent.names.insert(name.into(), index);
        }
    }

    /// Lays a directory of a layer over a directory of this tree.
    fn overlay(&mut self, onto: u32, layer: &LayerTree, directory: u32, copied: &mut HashMap<u32, u32>) {
        let Some(node) = layer.node(directory) else { return };
        if let Some(target) = self.nodes.get_mut(onto as usize) {
            if let Some(hides) = layer.hides.get(&directory) {
                if hides.opaque {
                    target.names.clear();
                }
                target.names.retain(|name, _| !hides.names.contains(name));
            }
            if !layer.implicit.contains(&directory) {
                target.node.mode = node.mode;
                target.node.uid = node.uid;
                target.node.gid = node.gid;
                target.node.mtime = node.mtime;
            }
        }
        for (name, index) in node.names() {
            let Some(child) = layer.node(*index) else { continue };
            if matches!(child.body, LayerBody::Directory(_)) {
                let there = self.child(onto, name).filter(|index| self.is_directory(*index));
                let target = there.unwrap_or_else(|| self.put(onto, name, Building::directory()));
                self.overlay(target, layer, *index, copied);
            } else if let Some(same) = copied.get(index) {
                self.put_index(onto, name, *same);
            } else {
                let new = self.put(onto, name, Building::new(child.clone()));
                copied.insert(*index, new);
            }
        }
    }

    /// The tree. What was replaced on the way is dropped, so indices are dense.
    #[must_use]
    pub fn finish(self) -> LayerTree {
        let mut order: Vec<u32> = vec![0];
        let mut new_index = HashMap::from([(0, 0)]);
        let mut nodes = Vec::new();
        let mut next = 0;
        while let Some(&old) = order.get(next) {
            next += 1;
            let Some(building) = self.nodes.get(old as usize) else {
                continue;
            };
            let mut node = building.node.clone();
            if building.is_directory() {
                let mut names = Vec::with_capacity(building.names.len());
                for (name, child) in &building.names {
                    let fresh = u32::try_from(order.len()).unwrap_or(u32::MAX);
                    let index = *new_index.entry(*child).or_insert(fresh);
                    if index == fresh {
                        order.push(*child);
                    }
                    names.push((name.clone(), index));
                }
                let subdirectories = building
                    .names
                    .values()
                    .filter(|child| self.is_directory(**child))
                    .count();
                node.nlink = 2 + u32::try_from(subdirectories).unwrap_or(u32::MAX - 2);
                node.body = LayerBody::Directory(names);
            } else {
                node.nlink = 0;
            }
            nodes.push(node);
        }
        let named: Vec<u32> = nodes
            .iter()
            .flat_map(|n| n.names().iter().map(|(_, index)| *index))
            .collect();
        for index in named {
            if let Some(node) = nodes.get_mut(index as usize)
                && !matches!(node.body, LayerBody::Directory(_))
            {
                node.nlink += 1;
            }
        }
        let hides = self
            .hides
            .into_iter()
            .filter_map(|(old, hides)| Some((*new_index.get(&old)?, hides)))
            .collect();
        let implicit = self
            .implicit
            .iter()
            .filter_map(|old| new_index.get(old).copied())
            .collect();
        LayerTree { nodes, hides, implicit }
    }
}

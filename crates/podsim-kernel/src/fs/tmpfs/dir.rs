//! The names of a directory: its own, over those of an image layer.

use super::node::Node;
use crate::fs::layer::LayerTree;
use parking_lot::Mutex;
use podsim_sys::{DirEntry, FileType};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// The first position of an entry; 0 and 1 are `.` and `..`.
const FIRST: u64 = 2;

/// The names of a directory.
///
/// Each name has a position that it keeps, so that a reader who goes on at a position misses nothing that was there all the
/// time, whatever is added or removed meanwhile: names of the layer first, in order, then new ones as they came.
pub(super) struct Dir {
    lower: Option<Lower>,
    /// Names of the layer that were removed or replaced (whiteouts).
    hidden: HashSet<Box<str>>,
    /// Inodes by name: those that were made here, and those of the layer that somebody has looked up.
    entries: BTreeMap<Box<str>, Entry>,
    /// Names that were made here, by position.
    order: BTreeMap<u64, Box<str>>,
    next: u64,
    /// The directory itself was removed: nothing can be added.
    pub(super) dead: bool,
    /// Its names or attributes are not those of the layer any more.
    pub(super) changed: bool,
}

/// A directory of an image layer.
#[derive(Clone)]
pub(super) struct Lower {
    pub(super) tree: Arc<LayerTree>,
    pub(super) index: u32,
    /// The inodes of layer objects that have several names, for all directories of the filesystem. (Only directories hold this, and
    /// none is in it: nothing keeps itself alive.)
    pub(super) links: Arc<Mutex<HashMap<u32, Arc<Node>>>>,
}

struct Entry {
    inode: Arc<Node>,
    /// `None` for a name of the layer.
    position: Option<u64>,
}

/// What a name is.
pub(super) enum Found {
    Inode(Arc<Node>),
    /// An object of the layer that has no inode yet.
    Lower(Lower),
}

impl Dir {
    pub(super) fn new(lower: Option<Lower>) -> Self {
        let mut dir = Self {
            lower,
            hidden: HashSet::new(),
            entries: BTreeMap::new(),
            order: BTreeMap::new(),
            next: 0,
            dead: false,
            changed: false,
        };
        dir.next = FIRST + dir.lower_names().len() as u64;
        dir
    }

    pub(super) fn has_lower(&self) -> bool {
        self.lower.is_some()
    }

    fn lower_names(&self) -> &[(Box<str>, u32)] {
        let node = self.lower.as_ref().and_then(|lower| lower.tree.node(lower.index));
        node.map_or(&[], |node| node.names())
    }

    fn lower_index(&self, name: &str) -> Option<u32> {
        let names = self.lower_names();
        let found = names.binary_search_by(|(other, _)| (**other).cmp(name)).ok()?;
        names.get(found).map(|(_, index)| *index)
    }

    pub(super) fn find(&self, name: &str) -> Option<Found> {
        if let Some(entry) = self.entries.get(name) {
            return Some(Found::Inode(entry.inode.clone()));
        }
        let index = self.lower_index(name)?;
        if self.hidden.contains(name) {
            return None;
        }
        self.lower.clone().map(|lower| Found::Lower(Lower { index, ..lower }))
    }

    /// Records the inode that was made for a name of the layer.
    pub(super) fn remember_lower(&mut self, name: &str, inode: Arc<Node>) {
        self.entries.insert(name.into(), Entry { inode, position: None });
    }

    /// Adds a name that is not there.
    pub(super) fn insert(&mut self, name: &str, inode: Arc<Node>) {
        let position = self.next;
        self.next += 1;
        self.order.insert(position, name.into());
        let entry = Entry {
            inode,
            position: Some(position),
        };
        self.entries.insert(name.into(), entry);
        self.changed = true;
    }

    /// Takes a name away.
    pub(super) fn remove(&mut self, name: &str) {
        if let Some(position) = self.entries.remove(name).and_then(|entry| entry.position) {
            self.order.remove(&position);
        }
        if self.lower_index(name).is_some() {
            self.hidden.insert(name.into());
        }
        self.changed = true;
    }

    /// Takes all inodes out: for the end of the directory.
    pub(super) fn take_entries(&mut self) -> Vec<Arc<Node>> {
        std::mem::take(&mut self.entries)
            .into_values()
            .map(|entry| entry.inode)
            .collect()
    }

    pub(super) fn len(&self) -> usize {
        self.lower_names().len() - self.hidden.len() + self.order.len()
    }

    /// How many directories are in it.
    pub(super) fn subdirectories(&self) -> usize {
        let own = self.order.values().filter_map(|name| self.entries.get(name));
        let own = own.filter(|entry| entry.inode.file_type == FileType::Directory).count();
        let Some(Lower { tree, .. }) = &self.lower else {
            return own;
        };
        let is_dir = |index| {
            tree.node(index)
                .is_some_and(|node| node.file_type() == FileType::Directory)
        };
        let visible = self
            .lower_names()
            .iter()
            .filter(|(name, _)| !self.hidden.contains(name));
        own + visible.filter(|(_, index)| is_dir(*index)).count()
    }

    /// Entries from a position on.
    pub(super) fn list(&self, start: u64, max: usize) -> Vec<DirEntry> {
        let skip = usize::try_from(start.saturating_sub(FIRST)).unwrap_or(usize::MAX);
        let lower = self.lower_names().iter().enumerate().skip(skip);
        let lower = lower
            .filter(|(_, (name, _))| !self.hidden.contains(name))
            .filter_map(|(i, (name, index))| {
                let tree = &self.lower.as_ref()?.tree;
                Some(DirEntry {
                    ino: lower_ino(*index),
                    file_type: tree.node(*index)?.file_type(),
                    name: name.to_string(),
                    next: FIRST + i as u64 + 1,
                })
            });
        let own = self.order.range(start..).filter_map(|(position, name)| {
            let inode = &self.entries.get(name)?.inode;
            Some(DirEntry {
                ino: inode.ino,
                file_type: inode.file_type,
                name: name.to_string(),
                next: position + 1,
            })
        });
        lower.chain(own).take(max).collect()
    }
}

/// The inode number of an object of the layer; new objects are numbered after them.
pub(super) fn lower_ino(index: u32) -> u64 {
    u64::from(index) + 1
}

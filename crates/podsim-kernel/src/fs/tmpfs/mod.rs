//! tmpfs: files in memory (`tmpfs(5)`), with a limit on bytes and on inodes; also the upper half of [`overlay`](super::overlay).

mod data;
mod dir;
mod node;
pub(crate) mod quota;

use super::inode::NewInode;
use super::layer::LayerTree;
use super::super_block::{FileSystem, SuperBlock, Vfs};
use data::Pages;
use dir::Lower;
use node::Node;
use parking_lot::Mutex;
use podsim_sys::{DeviceNumber, Errno, FileType, Mode, Result, StatFs};
use quota::{PAGE, Quota};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How much a filesystem may hold; `None` is the node's default (half of its memory; an inode for each page of that).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes, rounded up to pages.
    pub size: Option<u64>,
    /// Inodes.
    pub inodes: Option<u64>,
}

/// Options of a tmpfs, as `mount -o` gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// `size=`, `nr_inodes=`.
    pub limits: Limits,
    /// `mode=`: of the root directory.
    pub mode: Mode,
    /// `uid=`.
    pub uid: u32,
    /// `gid=`.
    pub gid: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            mode: Mode(0o1777),
            uid: 0,
            gid: 0,
        }
    }
}

impl Options {
    /// Reads `size=64m,mode=755`; EINVAL for what tmpfs does not know. `memory` is what percentages are of.
    pub fn parse(data: &str, memory: u64) -> Result<Self> {
        let mut options = Self::default();
        for option in data.split(',').filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').ok_or(Errno::EINVAL)?;
            let id = || value.parse().map_err(|_| Errno::EINVAL);
            match key {
                "size" => options.limits.size = nonzero(parse_size(value, memory)?),
                "nr_blocks" => options.limits.size = nonzero(parse_size(value, memory)?.saturating_mul(PAGE)),
                "nr_inodes" => options.limits.inodes = nonzero(parse_size(value, memory)?),
                "mode" => {
                    let bits = u16::from_str_radix(value, 8).map_err(|_| Errno::EINVAL)?;
                    options.mode = Mode(bits & 0o7777);
                }
                "uid" => options.uid = id()?,
                "gid" => options.gid = id()?,
                _ => return Err(Errno::EINVAL),
            }
        }
        Ok(options)
    }
}

/// 0 means "no limit" to tmpfs; here that is the default.
fn nonzero(value: u64) -> Option<u64> {
    (value != 0).then_some(value)
}

/// A number with `k`, `m`, `g` or `%`.
fn parse_size(text: &str, memory: u64) -> Result<u64> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, unit)) if !unit.is_ascii_digit() => (text.get(..at).unwrap_or_default(), Some(unit)),
        _ => (text, None),
    };
    let number: u64 = number.parse().map_err(|_| Errno::EINVAL)?;
    let factor = match unit.map(|unit| unit.to_ascii_lowercase()) {
        None => 1,
        Some('k') => 1 << 10,
        Some('m') => 1 << 20,
        Some('g') => 1 << 30,
        Some('%') => return Ok(memory / 100 * number.min(100)),
        Some(_) => return Err(Errno::EINVAL),
    };
    number.checked_mul(factor).ok_or(Errno::EINVAL)
}

/// A filesystem in memory.
pub struct TmpFs {
    vfs: Arc<Vfs>,
    dev: DeviceNumber,
    quota: Arc<Quota>,
    next_ino: AtomicU64,
    /// It lies over image layers.
    overlay: bool,
    /// Options that `/proc/mounts` shows, as they were given.
    shown: Mutex<String>,
}

impl TmpFs {
    /// A new, empty tmpfs.
    #[must_use]
    pub fn mount(vfs: &Arc<Vfs>, options: &Options) -> Arc<SuperBlock> {
        let fs = Self::new(vfs, options.limits, None);
        *fs.shown.lock() = show(options);
        let root = NewInode {
            file_type: FileType::Directory,
            mode: options.mode,
            uid: options.uid,
            gid: options.gid,
            rdev: DeviceNumber::default(),
            target: String::new(),
        };
        let root = Node::root(&fs, &root);
        let dev = fs.dev;
        SuperBlock::new(fs, dev, root)
    }

    /// An overlay over a tree of image layers.
    pub(super) fn over(vfs: &Arc<Vfs>, lower: Arc<LayerTree>, limits: Limits) -> Arc<SuperBlock> {
        let fs = Self::new(vfs, limits, Some(&lower));
        let root = Lower {
            tree: lower.clone(),
            index: 0,
            links: Arc::default(),
        };
        let root = Node::lower(&fs, &root, lower.root());
        let dev = fs.dev;
        SuperBlock::new(fs, dev, root)
    }

    fn new(vfs: &Arc<Vfs>, limits: Limits, lower: Option<&Arc<LayerTree>>) -> Arc<Self> {
        let pages = limits.size.unwrap_or_else(|| vfs.default_size()).div_ceil(PAGE);
        let inodes = limits.inodes.unwrap_or_else(|| vfs.default_size() / PAGE);
        let first = lower.map_or(0, |tree| tree.len() as u64) + 1;
        Arc::new(Self {
            vfs: vfs.clone(),
            dev: vfs.new_device(),
            quota: Arc::new(Quota::new(vfs, pages, inodes)),
            next_ino: AtomicU64::new(first),
            overlay: lower.is_some(),
            shown: Mutex::default(),
        })
    }

    fn is_overlay(&self) -> bool {
        self.overlay
    }

    fn now(&self) -> Duration {
        self.vfs.clock().realtime()
    }

    fn new_ino(&self) -> u64 {
        self.next_ino.fetch_add(1, Ordering::Relaxed)
    }
}

fn show(options: &Options) -> String {
    let mut shown = Vec::new();
    if let Some(size) = options.limits.size {
        shown.push(format!("size={}k", size.div_ceil(PAGE) * (PAGE / 1024)));
    }
    if let Some(inodes) = options.limits.inodes {
        shown.push(format!("nr_inodes={inodes}"));
    }
    if options.mode != Mode(0o1777) {
        shown.push(format!("mode={:o}", options.mode.0));
    }
    if options.uid != 0 {
        shown.push(format!("uid={}", options.uid));
    }
    if options.gid != 0 {
        shown.push(format!("gid={}", options.gid));
    }
    shown.join(",")
}

impl FileSystem for TmpFs {
    fn name(&self) -> &'static str {
        if self.is_overlay() { "overlay" } else { "tmpfs" }
    }

    fn statfs(&self) -> StatFs {
        let (blocks, used) = (
            self.quota.max_pages.load(Ordering::Relaxed),
            self.quota.pages.load(Ordering::Relaxed),
        );
        let (files, used_files) = (
            self.quota.max_inodes.load(Ordering::Relaxed),
            self.quota.inodes.load(Ordering::Relaxed),
        );
        StatFs {
            // OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC
            magic: if self.is_overlay() { 0x794c_7630 } else { 0x0102_1994 },
            block_size: PAGE,
            blocks,
            blocks_free: blocks.saturating_sub(used),
            files,
            files_free: files.saturating_sub(used_files),
        }
    }

    fn options(&self) -> String {
        self.shown.lock().clone()
    }

    fn remount(&self, data: &str) -> Result<()> {
        if data.is_empty() {
            return Ok(());
        }
        let options = Options::parse(data, self.vfs.default_size().saturating_mul(2))?;
        // A limit cannot go below what is in use (shmem_reconfigure).
        if let Some(size) = options.limits.size {
            let pages = size.div_ceil(PAGE);
            if pages < self.quota.pages.load(Ordering::Relaxed) {
                return Err(Errno::EINVAL);
            }
            self.quota.max_pages.store(pages, Ordering::Relaxed);
        }
        if let Some(inodes) = options.limits.inodes {
            if inodes < self.quota.inodes.load(Ordering::Relaxed) {
                return Err(Errno::EINVAL);
            }
            self.quota.max_inodes.store(inodes, Ordering::Relaxed);
        }
        *self.shown.lock() = show(&options);
        Ok(())
    }
}

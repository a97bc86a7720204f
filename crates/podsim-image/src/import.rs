//! Makes an image of a root filesystem: a directory, or a tar archive of one (`docker export`).

use crate::blobs::{self, Blob, BlobWriter};
use crate::error::{IoContext, StoreError};
use crate::image::{ConfigFile, ImageConfig, RootFs};
use crate::layout::{Layout, NewImage};
use crate::load::note_skipped;
use crate::oci::Platform;
use crate::reference::Reference;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tar::{Builder, EntryType, Header};

/// What the image is to be.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// Its name.
    pub reference: Reference,
    /// How containers of it run.
    pub config: ImageConfig,
    /// When it is made, RFC 3339.
    pub created: String,
    /// What it runs on; this host if `None`.
    pub platform: Option<Platform>,
    /// The owner of all files of a directory, in place of their own.
    pub owner: Option<(u32, u32)>,
}

/// What was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// The image's id.
    pub id: String,
    /// What else there is to say.
    pub notes: Vec<String>,
}

/// Makes an image of a directory or an archive.
pub(crate) fn import(layout: &Layout, path: &Path, options: &ImportOptions) -> Result<Imported, StoreError> {
    let adding = layout.adding()?;
    let mut notes = Vec::new();
    let (layer, skipped) = if std::fs::metadata(path).at(path)?.is_dir() {
        let blob = pack(adding.blobs().writer()?, path, options.owner, &mut notes)?;
        (blob, Vec::new())
    } else if options.owner.is_some() {
        let message = "an owner can be given to the files of a directory only, not of an archive";
        return Err(StoreError::Invalid(message.to_owned()));
    } else {
        let archive = blobs::map(path)?;
        let named = |error| match error {
            StoreError::Invalid(message) => StoreError::Invalid(format!("{}: {message}", path.display())),
            error => error,
        };
        adding.layer(&archive, None).map_err(named)?
    };
    note_skipped(&mut notes, &skipped);
    let platform = options.platform.clone().unwrap_or_else(Platform::host);
    let config = ConfigFile {
        created: Some(options.created.clone()),
        architecture: platform.architecture,
        os: platform.os,
        config: options.config.clone(),
        rootfs: RootFs {
            kind: "layers".to_owned(),
            diff_ids: vec![layer.digest.clone()],
        },
    };
    let config = serde_json::to_vec(&config).map_err(|error| StoreError::Invalid(error.to_string()))?;
    let id = adding.commit(&NewImage {
        config: &config,
        layers: &[layer],
        references: std::slice::from_ref(&options.reference),
        source_digest: None,
    })?;
    Ok(Imported { id, notes })
}

/// Packs a directory.
fn pack(
    writer: BlobWriter,
    root: &Path,
    owner: Option<(u32, u32)>,
    notes: &mut Vec<String>,
) -> Result<Blob, StoreError> {
    let mut packer = Packer {
        root,
        owner,
        tar: Builder::new(writer),
        #[cfg(unix)]
        links: std::collections::HashMap::new(),
        left_out: Vec::new(),
    };
    // The directory itself: the mode of the root.
    let metadata = std::fs::metadata(root).at(root)?;
    let mut header = packer.header(&metadata);
    header.set_entry_type(EntryType::Directory);
    packer.tar.append_data(&mut header, "./", io::empty()).at(root)?;
    let mut todo = vec![root.to_owned()];
    while let Some(directory) = todo.pop() {
        for path in sorted(&directory)? {
            if packer.add(&path)? {
                todo.push(path);
            }
        }
    }
    if !packer.left_out.is_empty() {
        notes.push(format!("left out: {}", packer.left_out.join(", ")));
    }
    packer.tar.into_inner().at(root)?.finish(None)
}

fn sorted(directory: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut paths = Vec::new();
    for entry in directory.read_dir().at(directory)? {
        paths.push(entry.at(directory)?.path());
    }
    paths.sort();
    Ok(paths)
}

struct Packer<'a> {
    root: &'a Path,
    owner: Option<(u32, u32)>,
    tar: Builder<BlobWriter>,
    /// Files with several names, by device and inode: their first name.
    #[cfg(unix)]
    links: std::collections::HashMap<(u64, u64), String>,
    left_out: Vec<String>,
}

impl Packer<'_> {
    /// Adds a file; gives whether it is a directory.
    fn add(&mut self, path: &Path) -> Result<bool, StoreError> {
        let inside = path.strip_prefix(self.root).unwrap_or(path);
        let Some(name) = inside.to_str().map(|name| name.replace(std::path::MAIN_SEPARATOR, "/")) else {
            self.left_out
                .push(format!("{} (its name is not UTF-8)", inside.display()));
            return Ok(false);
        };
        let metadata = std::fs::symlink_metadata(path).at(path)?;
        let file_type = metadata.file_type();
        let mut header = self.header(&metadata);
        if let Some(first) = self.first_name(&metadata, &name) {
            header.set_entry_type(EntryType::Link);
            self.tar.append_link(&mut header, &name, &first).at(path)?;
        } else if file_type.is_dir() {
            header.set_entry_type(EntryType::Directory);
            self.tar
                .append_data(&mut header, format!("{name}/"), io::empty())
                .at(path)?;
        } else if file_type.is_symlink() {
            header.set_entry_type(EntryType::Symlink);
            let target = std::fs::read_link(path).at(path)?;
            self.tar.append_link(&mut header, &name, target).at(path)?;
        } else if file_type.is_file() {
            let size = metadata.len();
            header.set_entry_type(EntryType::Regular);
            header.set_size(size);
            // A file that changes meanwhile must not break the archive.
            let content = File::open(path).at(path)?.take(size).chain(io::repeat(0)).take(size);
            self.tar.append_data(&mut header, &name, content).at(path)?;
        } else if special(&mut header, &metadata) {
            self.tar.append_data(&mut header, &name, io::empty()).at(path)?;
        } else {
            self.left_out.push(format!("{name} (a socket)"));
        }
        Ok(file_type.is_dir())
    }

    fn header(&self, metadata: &Metadata) -> Header {
        let mut header = Header::new_gnu();
        header.set_size(0);
        describe(&mut header, metadata);
        if let Some((uid, gid)) = self.owner {
            header.set_uid(uid.into());
            header.set_gid(gid.into());
        }
        header
    }

    #[cfg(unix)]
    fn first_name(&mut self, metadata: &Metadata, name: &str) -> Option<String> {
        use std::os::unix::fs::MetadataExt;
        if metadata.is_dir() || metadata.nlink() < 2 {
            return None;
        }
        let known = self.links.entry((metadata.dev(), metadata.ino()));
        match known {
            std::collections::hash_map::Entry::Occupied(first) => Some(first.get().clone()),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(name.to_owned());
                None
            }
        }
    }

    #[cfg(not(unix))]
    fn first_name(&mut self, _metadata: &Metadata, _name: &str) -> Option<String> {
        None
    }
}

#[cfg(unix)]
fn describe(header: &mut Header, metadata: &Metadata) {
    use std::os::unix::fs::MetadataExt;
    header.set_mode(metadata.mode() & 0o7777);
    header.set_uid(metadata.uid().into());
    header.set_gid(metadata.gid().into());
    header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or(0));
}

/// Windows knows no modes: everything belongs to root and can be run.
#[cfg(not(unix))]
fn describe(header: &mut Header, metadata: &Metadata) {
    header.set_mode(0o755);
    header.set_uid(0);
    header.set_gid(0);
    let changed = metadata.modified().ok();
    let since = changed.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    header.set_mtime(since.unwrap_or_default().as_secs());
}

/// Devices and pipes; gives whether it is one.
#[cfg(unix)]
fn special(header: &mut Header, metadata: &Metadata) -> bool {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let file_type = metadata.file_type();
    if file_type.is_fifo() {
        header.set_entry_type(EntryType::Fifo);
        return true;
    }
    if !file_type.is_char_device() && !file_type.is_block_device() {
        return false;
    }
    header.set_entry_type(if file_type.is_char_device() {
        EntryType::Char
    } else {
        EntryType::Block
    });
    // As Linux' `makedev(3)` packs them.
    let device = metadata.rdev();
    let major = ((device >> 8) & 0xfff) | ((device >> 32) & !0xfff);
    let minor = (device & 0xff) | ((device >> 12) & !0xff);
    let set = |number: u64| u32::try_from(number & 0xffff_ffff).unwrap_or(0);
    header
        .set_device_major(set(major))
        .and(header.set_device_minor(set(minor)))
        .is_ok()
}

#[cfg(not(unix))]
fn special(_header: &mut Header, _metadata: &Metadata) -> bool {
    false
}

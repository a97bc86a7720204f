//! Reading a layer: the entries of its tar archive, with contents that share the archive's memory.

use bytes::Bytes;
use std::io::{self, Cursor};
use std::time::Duration;

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file with its content: a slice of the archive.
    File(Bytes),
    /// A directory.
    Directory,
    /// A symbolic link with its target.
    Symlink(String),
    /// Another name of the file at this path.
    HardLink(String),
    /// A character device: major, minor.
    CharDevice(u32, u32),
    /// A block device: major, minor.
    BlockDevice(u32, u32),
    /// A named pipe.
    Fifo,
}

/// An entry of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path from the root, without `/` at the beginning or the end, without `.` and `..`.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits, `0o7777`.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of the last change, since the epoch.
    pub mtime: Duration,
}

/// Reads all entries of a layer's archive.
///
/// # Errors
///
/// `InvalidData` for what is not a tar archive, for names that are not UTF-8 or that lead out of the root.
pub fn entries(archive: &Bytes) -> io::Result<Vec<Entry>> {
    let mut tar = tar::Archive::new(Cursor::new(archive));
    let mut out = Vec::new();
    for entry in tar.entries_with_seek()? {
        let entry = entry?;
        let header = entry.header();
        let path = normalise(&entry.path_bytes())?;
        let link = || -> io::Result<String> {
            let bytes = entry
                .link_name_bytes()
                .ok_or_else(|| invalid("a link without a target"))?;
            String::from_utf8(bytes.into_owned()).map_err(|_| invalid("a link target that is not UTF-8"))
        };
        let device = || -> io::Result<(u32, u32)> {
            Ok((header.device_major()?.unwrap_or(0), header.device_minor()?.unwrap_or(0)))
        };
        let kind = match header.entry_type() {
            tar::EntryType::Regular | tar::EntryType::Continuous => {
                let start =
                    usize::try_from(entry.raw_file_position()).map_err(|_| invalid("an offset out of range"))?;
                let length = usize::try_from(entry.size()).map_err(|_| invalid("a size out of range"))?;
                let end = start.checked_add(length).filter(|end| *end <= archive.len());
                EntryKind::File(archive.slice(start..end.ok_or_else(|| invalid("a file that is cut off"))?))
            }
            tar::EntryType::Directory => EntryKind::Directory,
            tar::EntryType::Symlink => EntryKind::Symlink(link()?),
            tar::EntryType::Link => EntryKind::HardLink(normalise(link()?.as_bytes())?),
            tar::EntryType::Char => device().map(|(major, minor)| EntryKind::CharDevice(major, minor))?,
            tar::EntryType::Block => device().map(|(major, minor)| EntryKind::BlockDevice(major, minor))?,
            tar::EntryType::Fifo => EntryKind::Fifo,
            other => return Err(invalid(&format!("an entry of type {other:?}"))),
        };
        out.push(Entry {
            path,
            kind,
            mode: (header.mode()? & 0o7777) as u16,
            uid: u32::try_from(header.uid()?).map_err(|_| invalid("a user id out of range"))?,
            gid: u32::try_from(header.gid()?).map_err(|_| invalid("a group id out of range"))?,
            mtime: Duration::from_secs(header.mtime()?),
        });
    }
    Ok(out)
}

fn normalise(path: &[u8]) -> io::Result<String> {
    let path = std::str::from_utf8(path).map_err(|_| invalid("a name that is not UTF-8"))?;
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err(invalid("a name with `..`")),
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the layer contains {what}"))
}

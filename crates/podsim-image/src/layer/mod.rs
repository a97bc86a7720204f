//! Reading a layer: the entries of its tar archive, with contents that share the archive's memory.

mod tar;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use std::io;
use std::time::Duration;
use tar::{Member, Members, of_member};

/// `PATH_MAX` and `NAME_MAX` of Linux (limits.h).
const PATH_MAX: usize = 4096;
const NAME_MAX: usize = 255;

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

/// What an archive holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// What can be used, in order.
    pub entries: Vec<Entry>,
    /// What cannot: names that are not UTF-8, as readable as they can be made.
    pub skipped: Vec<String>,
}

/// What an entry's name says about the layers below (OCI Image Format Specification, "Whiteouts").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whiteout<'a> {
    /// `.wh.NAME`: they have no such name in this directory.
    Name(&'a str),
    /// `.wh..wh..opq`: they have nothing in this directory.
    Opaque,
}

impl Entry {
    /// The directory that it lies in, empty for the root.
    #[must_use]
    pub fn parent(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(parent, _)| parent)
    }

    /// Its name in that directory, empty for the root itself.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit_once('/').map_or(&self.path, |(_, name)| name)
    }

    /// Whether it is no file but a word about the layers below.
    #[must_use]
    pub fn whiteout(&self) -> Option<Whiteout<'_>> {
        match self.name().strip_prefix(".wh.")? {
            ".wh..opq" => Some(Whiteout::Opaque),
            hidden => Some(Whiteout::Name(hidden)),
        }
    }
}

/// Reads all entries of a layer's archive that have names in UTF-8.
///
/// # Errors
///
/// As [`read`].
pub fn entries(archive: &Bytes) -> io::Result<Vec<Entry>> {
    Ok(read(archive)?.entries)
}

/// Reads a layer's archive.
///
/// # Errors
///
/// `InvalidData` for what is not a tar archive, and for names that lead out of the root.
pub fn read(archive: &Bytes) -> io::Result<Contents> {
    let mut contents = Contents::default();
    let mut members = Members::new(archive);
    while let Some(member) = members.next()? {
        let is_link = matches!(member.kind, b'1' | b'2');
        if std::str::from_utf8(&member.name).is_err() || (is_link && std::str::from_utf8(&member.link).is_err()) {
            contents.skipped.push(member.name.escape_ascii().to_string());
            continue;
        }
        let entry = entry(archive, &member)?;
        // What AUFS noted for itself (`.wh..wh.plnk`, …) is no file of the image.
        let of_aufs = |name: &str| name.starts_with(".wh..wh.") && name != ".wh..wh..opq";
        if !entry.path.split('/').any(of_aufs) {
            contents.entries.push(entry);
        }
    }
    Ok(contents)
}

fn entry(archive: &Bytes, member: &Member) -> io::Result<Entry> {
    let error = |what: &str| of_member(&member.name, what);
    let path = normalise(&member.name).map_err(error)?;
    let kind = match member.kind {
        b'0' | b'7' | 0 => EntryKind::File(archive.slice(member.content.clone())),
        b'1' => EntryKind::HardLink(
            normalise(&member.link).map_err(|what| error(&format!("a hard link whose target is {what}")))?,
        ),
        b'2' => EntryKind::Symlink(symlink_target(&member.link).map_err(error)?),
        b'3' => EntryKind::CharDevice(member.device.0, member.device.1),
        b'4' => EntryKind::BlockDevice(member.device.0, member.device.1),
        b'5' => EntryKind::Directory,
        b'6' => EntryKind::Fifo,
        other => return Err(error(&format!("an entry of type {:?}", char::from(other)))),
    };
    if path.is_empty() && kind != EntryKind::Directory {
        return Err(error("the root is not a directory"));
    }
    let entry = Entry {
        path,
        kind,
        mode: member.mode,
        uid: u32::try_from(member.uid).map_err(|_| error("its user id is out of range"))?,
        gid: u32::try_from(member.gid).map_err(|_| error("its group id is out of range"))?,
        mtime: member.mtime,
    };
    if let Some(Whiteout::Name("" | "." | "..")) = entry.whiteout() {
        return Err(error("a whiteout without a name"));
    }
    Ok(entry)
}

/// A path without empty parts and `.`; the error says what is wrong with it.
fn normalise(path: &[u8]) -> Result<String, &'static str> {
    let path = std::str::from_utf8(path).map_err(|_| "a name that is not UTF-8")?;
    if path.len() >= PATH_MAX {
        return Err("a name that is too long");
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err("a name that leads out of the root (`..`)"),
            part if part.len() > NAME_MAX => return Err("a name that is too long"),
            part if part.contains('\0') => return Err("a name with a zero byte"),
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

fn symlink_target(target: &[u8]) -> Result<String, &'static str> {
    match std::str::from_utf8(target) {
        Ok("") => Err("a symbolic link without a target"),
        Ok(target) if target.len() >= PATH_MAX || target.contains('\0') => Err("a symbolic link to what is no path"),
        Ok(target) => Ok(target.to_owned()),
        Err(_) => Err("a symbolic link to what is not UTF-8"),
    }
}

//! Packs a recipe's files into a layer: a tar archive, the same bytes for the same input.

use crate::Result;
use crate::recipe::{File, Recipe};
use std::fs;
use std::path::Path;
use tar::{Builder, EntryType, Header};

/// A packed layer.
pub(crate) struct Packed {
    /// The archive.
    pub(crate) tar: Vec<u8>,
    /// The wasm programs in it.
    pub(crate) programs: Vec<Program>,
}

/// A wasm program in the archive.
pub(crate) struct Program {
    /// Where its bytes begin.
    pub(crate) offset: usize,
    /// Its bytes.
    pub(crate) wasm: Vec<u8>,
}

/// Packs the recipe in `folder`; `wasm` is the folder with the compiled guests.
pub(crate) fn pack(folder: &Path, wasm: &Path, recipe: &Recipe, mtime: u64) -> Result<Packed> {
    let mut tar = Builder::new(Vec::new());
    let mut programs = Vec::new();
    for file in &recipe.file {
        let place = |error: &dyn std::fmt::Display| format!("{}: {}: {error}", folder.display(), file.path);
        let content = match (&file.wasm, &file.from, &file.content) {
            (Some(name), None, None) => Some(fs::read(wasm.join(format!("{name}.wasm"))).map_err(|e| place(&e))?),
            (None, Some(from), None) => Some(fs::read(folder.join(from)).map_err(|e| place(&e))?),
            (None, None, Some(content)) => Some(content.clone().into_bytes()),
            (None, None, None) => None,
            _ => return Err(place(&"more than one of wasm, from, content").into()),
        };
        let mut header = header(file, mtime);
        match (content, &file.symlink, &file.hardlink, file.dir, file.remove) {
            (Some(content), None, None, false, false) => {
                header.set_entry_type(EntryType::Regular);
                header.set_size(content.len() as u64);
                append(&mut tar, &mut header, &file.path, &content)?;
                if file.wasm.is_some() {
                    let padding = content.len().next_multiple_of(512);
                    programs.push(Program {
                        offset: tar.get_ref().len() - padding,
                        wasm: content,
                    });
                }
            }
            (None, Some(target), None, false, false) => {
                link(&mut tar, &mut header, EntryType::Symlink, &file.path, target)?
            }
            (None, None, Some(target), false, false) => {
                link(&mut tar, &mut header, EntryType::Link, &file.path, relative(target))?
            }
            (None, None, None, true, false) => {
                header.set_entry_type(EntryType::Directory);
                header.set_size(0);
                append(&mut tar, &mut header, &format!("{}/", file.path), &[])?;
            }
            (None, None, None, false, true) => {
                let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
                header.set_entry_type(EntryType::Regular);
                header.set_size(0);
                append(&mut tar, &mut header, &format!("{folder}/.wh.{name}"), &[])?;
            }
            _ => {
                return Err(
                    place(&"exactly one of wasm, from, content, dir, symlink, hardlink, remove is needed").into(),
                );
            }
        }
    }
    for links in &recipe.links {
        for name in &links.names {
            let path = format!("{}/{name}", links.dir);
            let mut header = Header::new_gnu();
            header.set_mtime(mtime);
            header.set_mode(0o755);
            header.set_uid(0);
            header.set_gid(0);
            link(&mut tar, &mut header, EntryType::Link, &path, relative(&links.to))?;
        }
    }
    Ok(Packed {
        tar: tar.into_inner()?,
        programs,
    })
}

fn header(file: &File, mtime: u64) -> Header {
    let default_mode = if file.dir || file.wasm.is_some() { 0o755 } else { 0o644 };
    let mut header = Header::new_gnu();
    header.set_mtime(mtime);
    header.set_mode(file.mode.unwrap_or(default_mode));
    header.set_uid(file.uid);
    header.set_gid(file.gid);
    header
}

fn append(tar: &mut Builder<Vec<u8>>, header: &mut Header, path: &str, content: &[u8]) -> Result<()> {
    Ok(tar.append_data(header, relative(path), content)?)
}

fn link(tar: &mut Builder<Vec<u8>>, header: &mut Header, kind: EntryType, path: &str, target: &str) -> Result<()> {
    header.set_entry_type(kind);
    header.set_size(0);
    Ok(tar.append_link(header, relative(path), target)?)
}

fn relative(path: &str) -> &str {
    path.trim_start_matches('/')
}

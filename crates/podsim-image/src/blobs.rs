//! Files by the digest of their content: `blobs/sha256/HEX` of an OCI image layout.
//!
//! A blob is written under another name, and gets its own when it is whole and its digest is known. It never changes after
//! that, so it can be mapped into memory.

use crate::error::{IoContext, StoreError};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// What names of unfinished files begin with.
pub(crate) const UNFINISHED: &str = ".unfinished-";

/// The blobs of a layout.
#[derive(Clone, Debug)]
pub(crate) struct Blobs {
    directory: PathBuf,
}

/// A blob that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    /// `sha256:…`
    pub(crate) digest: String,
    pub(crate) size: u64,
}

impl Blobs {
    /// Those of the layout in this directory.
    pub(crate) fn of(layout: &Path) -> Self {
        Self {
            directory: layout.join("blobs").join("sha256"),
        }
    }

    /// Begins a blob.
    pub(crate) fn writer(&self) -> Result<BlobWriter, StoreError> {
        std::fs::create_dir_all(&self.directory).at(&self.directory)?;
        let file = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempfile_in(&self.directory)
            .at(&self.directory)?;
        Ok(BlobWriter {
            blobs: self.clone(),
            file,
            hash: Sha256::new(),
            size: 0,
        })
    }

    /// Writes a blob. Where a digest is expected, no other content gets a name.
    pub(crate) fn write(&self, mut content: impl Read, expected: Option<&str>) -> Result<Blob, StoreError> {
        let mut writer = self.writer()?;
        let mut buffer = vec![0; 1 << 18];
        loop {
            match content.read(&mut buffer) {
                Ok(0) => return writer.finish(expected),
                Ok(read) => writer.write_all(&buffer[..read]).at(&self.directory)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(StoreError::Invalid(format!("a layer cannot be read: {error}"))),
            }
        }
    }

    /// Writes a content that is needed for a moment only. The file is gone when the result is dropped.
    pub(crate) fn fetch(&self, mut content: impl Read, expected: &str) -> Result<NamedTempFile, StoreError> {
        let mut writer = self.writer()?;
        io::copy(&mut content, &mut writer).at(&self.directory)?;
        let (file, digest, _) = writer.end();
        check(&digest, Some(expected))?;
        Ok(file)
    }

    /// A blob that is there already.
    pub(crate) fn find(&self, digest: &str) -> Option<Blob> {
        let metadata = std::fs::metadata(self.path(digest).ok()?).ok()?;
        Some(Blob {
            digest: digest.to_owned(),
            size: metadata.len(),
        })
    }

    /// A blob as memory, without reading it.
    pub(crate) fn map(&self, digest: &str, size: u64) -> Result<Bytes, StoreError> {
        let path = self.path(digest)?;
        let bytes = map(&path)?;
        if bytes.len() as u64 != size {
            let length = bytes.len();
            return Err(StoreError::Invalid(format!(
                "{}: it has {length} bytes, but should have {size}",
                path.display()
            )));
        }
        Ok(bytes)
    }

    /// A small blob, whose digest is looked at.
    pub(crate) fn document(&self, digest: &str) -> Result<Vec<u8>, StoreError> {
        let path = self.path(digest)?;
        let mut bytes = Vec::new();
        let file = File::open(&path).at(&path)?;
        file.take(crate::oci::MAX_DOCUMENT).read_to_end(&mut bytes).at(&path)?;
        if crate::image::sha256(&bytes) != digest {
            return Err(StoreError::Invalid(format!("{}: it was changed", path.display())));
        }
        Ok(bytes)
    }

    /// Removes all blobs but these, and what was never finished. Nobody may be writing.
    pub(crate) fn retain(&self, keep: impl Fn(&str) -> bool) -> Result<(), StoreError> {
        let entries = match self.directory.read_dir() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.at(&self.directory)?,
        };
        for entry in entries {
            let entry = entry.at(&self.directory)?;
            let name = entry.file_name();
            if !name.to_str().is_some_and(|name| keep(&format!("sha256:{name}"))) {
                // On some systems a file that is mapped cannot be removed; the next time, then.
                let _ = std::fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    /// Where it is; a digest comes from anywhere and must not lead elsewhere.
    fn path(&self, digest: &str) -> Result<PathBuf, StoreError> {
        match digest.strip_prefix("sha256:") {
            Some(hex) if hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) => {
                Ok(self.directory.join(hex))
            }
            _ => Err(StoreError::Invalid(format!(
                "{digest:?} is not a digest that podsim knows (sha256)"
            ))),
        }
    }
}

/// A blob on the way to its name.
pub(crate) struct BlobWriter {
    blobs: Blobs,
    file: NamedTempFile,
    hash: Sha256,
    size: u64,
}

impl BlobWriter {
    /// Gives it its name.
    pub(crate) fn finish(self, expected: Option<&str>) -> Result<Blob, StoreError> {
        let blobs = self.blobs.clone();
        let (file, digest, size) = self.end();
        check(&digest, expected)?;
        let path = blobs.path(&digest)?;
        if blobs.find(&digest).is_none_or(|blob| blob.size != size) {
            file.as_file().sync_data().at(&path)?;
            file.persist(&path).map_err(|error| error.error).at(&path)?;
        }
        Ok(Blob { digest, size })
    }

    fn end(self) -> (NamedTempFile, String, u64) {
        (self.file, hex(self.hash), self.size)
    }
}

fn check(digest: &str, expected: Option<&str>) -> Result<(), StoreError> {
    match expected {
        Some(expected) if expected != digest => Err(StoreError::Invalid(format!(
            "a content has the digest {digest}, but should have {expected}"
        ))),
        _ => Ok(()),
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A file as memory.
pub(crate) fn map(path: &Path) -> Result<Bytes, StoreError> {
    let file = File::open(path).at(path)?;
    if file.metadata().at(path)?.len() == 0 {
        return Ok(Bytes::new());
    }
    #[expect(
        unsafe_code,
        reason = "a layer of hundreds of megabytes must not be read into memory"
    )]
    // SAFETY: the file is only read. It is a blob, which nobody writes to once it has its name, or an archive that the user names
    // for the time of one command.
    let map = unsafe { memmap2::Mmap::map(&file) }.at(path)?;
    Ok(Bytes::from_owner(map))
}

fn hex(hash: Sha256) -> String {
    let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

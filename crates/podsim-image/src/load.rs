//! Loads images from files: archives of `docker save`, and OCI image layouts, as archives or directories.

use crate::blobs::{self, Blob};
use crate::compression::{decompress, is_compressed};
use crate::error::{IoContext, StoreError};
use crate::image::sha256;
use crate::layer::{self, EntryKind};
use crate::layout::{Adding, Layout, NewImage, json};
use crate::oci::{self, Descriptor, Index, Manifest, Platform};
use crate::reference::Reference;
use bytes::Bytes;
use serde::Deserialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// How deep indices may lie in indices.
const MAX_DEPTH: usize = 3;
/// How many links lead to a file in an archive at most.
const MAX_LINKS: usize = 8;

/// What was loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The images: id, and names as they are familiar.
    pub images: Vec<(String, Vec<String>)>,
    /// What else there is to say.
    pub notes: Vec<String>,
}

/// Of `manifest.json`, in archives of `docker save`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SavedImage {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// Loads all images of a file or directory.
pub(crate) fn load(layout: &Layout, path: &Path, platform: Option<&Platform>) -> Result<Loaded, StoreError> {
    let adding = layout.adding()?;
    let source = Source::open(layout, path)?;
    let mut loading = Loading {
        adding,
        source,
        platform,
        loaded: Loaded::default(),
    };
    if let Some(manifest) = loading.source.find("manifest.json")? {
        loading.saved(&json::<Vec<SavedImage>>(&manifest)?)?;
    } else if let Some(index) = loading.source.find("index.json")? {
        let index: Index = json(&index)?;
        for descriptor in &index.manifests {
            loading.described(descriptor, name_of(descriptor), platform, 0)?;
        }
    } else {
        return Err(StoreError::Invalid(format!(
            "{}: it has neither manifest.json (docker save) nor index.json (OCI image layout); \
             `podsim image import-rootfs` makes an image of a root filesystem",
            path.display()
        )));
    }
    Ok(loading.loaded)
}

struct Loading<'a> {
    adding: Adding<'a>,
    source: Source,
    platform: Option<&'a Platform>,
    loaded: Loaded,
}

impl Loading<'_> {
    fn saved(&mut self, images: &[SavedImage]) -> Result<(), StoreError> {
        for image in images {
            let config = self.source.get(&image.config)?;
            let layers: Vec<Bytes> = image
                .layers
                .iter()
                .map(|path| self.source.get(path))
                .collect::<Result<_, _>>()?;
            let tags = image.repo_tags.clone().unwrap_or_default();
            self.add(&config, &layers, &tags, None)?;
        }
        Ok(())
    }

    fn described(
        &mut self,
        descriptor: &Descriptor,
        name: Option<&str>,
        platform: Option<&Platform>,
        depth: usize,
    ) -> Result<(), StoreError> {
        let document = self.blob(&descriptor.digest)?;
        if document.len() as u64 > oci::MAX_DOCUMENT || sha256(&document) != descriptor.digest {
            return Err(StoreError::Invalid(format!("{} was changed", descriptor.digest)));
        }
        if matches!(descriptor.media_type.as_str(), oci::INDEX | oci::DOCKER_INDEX) {
            let index: Index = json(&document)?;
            let chosen = oci::choose(&index.manifests, platform).filter(|_| depth < MAX_DEPTH);
            let chosen = chosen.ok_or_else(|| no_platform(&index, platform))?;
            return self.described(chosen, name, platform, depth + 1);
        }
        if !matches!(descriptor.media_type.as_str(), oci::MANIFEST | oci::DOCKER_MANIFEST) {
            let (digest, kind) = (&descriptor.digest, &descriptor.media_type);
            self.loaded
                .notes
                .push(format!("{digest} was left out: it is no image but {kind:?}"));
            return Ok(());
        }
        let manifest: Manifest = json(&document)?;
        let config = self.blob(&manifest.config.digest)?;
        if sha256(&config) != manifest.config.digest {
            return Err(StoreError::Invalid(format!("{} was changed", manifest.config.digest)));
        }
        let layers: Vec<Bytes> = manifest
            .layers
            .iter()
            .map(|layer| self.blob(&layer.digest))
            .collect::<Result<_, _>>()?;
        let names: Vec<String> = name.into_iter().map(str::to_owned).collect();
        self.add(&config, &layers, &names, Some(&descriptor.digest))
    }

    fn add(
        &mut self,
        config: &[u8],
        layers: &[Bytes],
        names: &[String],
        source_digest: Option<&str>,
    ) -> Result<(), StoreError> {
        let diff_ids = read_config(config, layers.len(), self.platform, &mut self.loaded.notes)?;
        let mut added: Vec<Blob> = Vec::new();
        for (layer, diff_id) in layers.iter().zip(&diff_ids) {
            let (blob, skipped) = self.adding.layer(layer, Some(diff_id))?;
            added.push(blob);
            note_skipped(&mut self.loaded.notes, &skipped);
        }
        let mut references = Vec::new();
        for name in names {
            match Reference::parse(name) {
                Ok(reference) => references.push(reference),
                Err(error) => self
                    .loaded
                    .notes
                    .push(format!("the name {name:?} was left out: {error}")),
            }
        }
        let id = self.adding.commit(&NewImage {
            config,
            layers: &added,
            references: &references,
            source_digest,
        })?;
        let familiar = references.iter().map(Reference::familiar).collect();
        self.loaded.images.push((id, familiar));
        Ok(())
    }

    fn blob(&self, digest: &str) -> Result<Bytes, StoreError> {
        self.source.get(&format!("blobs/{}", digest.replacen(':', "/", 1)))
    }
}

/// Looks at a configuration; gives the digests that its layers must have.
pub(crate) fn read_config(
    config: &[u8],
    layers: usize,
    wanted: Option<&Platform>,
    notes: &mut Vec<String>,
) -> Result<Vec<String>, StoreError> {
    let config = oci::config(config).map_err(|error| StoreError::Invalid(format!("the configuration: {error}")))?;
    let diff_ids = config.rootfs.diff_ids;
    if diff_ids.len() != layers {
        let told = diff_ids.len();
        return Err(StoreError::Invalid(format!(
            "the configuration tells of {told} layers, but there are {layers}"
        )));
    }
    let platform = Platform {
        os: config.os,
        architecture: config.architecture,
        variant: None,
    };
    let host = Platform::host();
    if platform != host && !platform.is_wasm() && wanted.is_none() {
        notes.push(format!("the image is for {platform}, and this host is {host}"));
    }
    Ok(diff_ids)
}

pub(crate) fn note_skipped(notes: &mut Vec<String>, skipped: &[String]) {
    if !skipped.is_empty() {
        notes.push(format!(
            "left out, because the names are not UTF-8: {}",
            skipped.join(", ")
        ));
    }
}

pub(crate) fn no_platform(index: &Index, wanted: Option<&Platform>) -> StoreError {
    let wanted = wanted.cloned().unwrap_or_else(Platform::host);
    let there = oci::platforms(&index.manifests);
    StoreError::Invalid(format!(
        "no matching manifest for {wanted} in the manifest list entries: there is {there}"
    ))
}

/// The name in a descriptor. A bare tag, as some tools write it, names no image.
fn name_of(descriptor: &Descriptor) -> Option<&str> {
    let full = descriptor.annotations.get(oci::IMAGE_NAME);
    let other = descriptor.annotations.get(oci::REF_NAME);
    full.or(other.filter(|name| name.contains([':', '/'])))
        .map(String::as_str)
}

/// Files by their paths, from a directory or an archive.
enum Source {
    Directory(PathBuf),
    Archive {
        path: PathBuf,
        files: HashMap<String, EntryKind>,
        /// An archive that came compressed lies here as long as it is needed.
        _unpacked: Option<NamedTempFile>,
    },
}

impl Source {
    fn open(layout: &Layout, path: &Path) -> Result<Self, StoreError> {
        if std::fs::metadata(path).at(path)?.is_dir() {
            return Ok(Self::Directory(path.to_owned()));
        }
        let invalid = |error: std::io::Error| StoreError::Invalid(format!("{}: {error}", path.display()));
        let mut bytes = blobs::map(path)?;
        let mut unpacked = None;
        if is_compressed(&bytes) {
            let mut file = tempfile::Builder::new()
                .prefix(blobs::UNFINISHED)
                .tempfile_in(layout.directory())
                .at(layout.directory())?;
            std::io::copy(&mut decompress(&bytes).map_err(invalid)?, &mut file).map_err(invalid)?;
            bytes = blobs::map(file.path())?;
            unpacked = Some(file);
        }
        let entries = layer::entries(&bytes).map_err(invalid)?;
        Ok(Self::Archive {
            path: path.to_owned(),
            files: entries.into_iter().map(|entry| (entry.path, entry.kind)).collect(),
            _unpacked: unpacked,
        })
    }

    fn get(&self, path: &str) -> Result<Bytes, StoreError> {
        let at = match self {
            Self::Directory(at) | Self::Archive { path: at, .. } => at,
        };
        let missing = || StoreError::Invalid(format!("{}: {path} is missing", at.display()));
        self.find(path)?.ok_or_else(missing)
    }

    fn find(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        match self {
            Self::Directory(directory) => {
                let Some(path) = relative("", path) else {
                    return Ok(None);
                };
                let path = directory.join(path);
                if path.is_file() {
                    blobs::map(&path).map(Some)
                } else {
                    Ok(None)
                }
            }
            Self::Archive { files, .. } => {
                let mut at = relative("", path);
                for _ in 0..MAX_LINKS {
                    let Some(path) = at else { return Ok(None) };
                    // Old archives of Docker have links between layers that are equal.
                    at = match files.get(&path) {
                        Some(EntryKind::File(content)) => return Ok(Some(content.clone())),
                        Some(EntryKind::HardLink(target)) => Some(target.clone()),
                        Some(EntryKind::Symlink(target)) => {
                            let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
                            relative(parent, target)
                        }
                        _ => None,
                    };
                }
                Ok(None)
            }
        }
    }
}

/// A path from a directory of the archive, without `.` and `..`; `None` if it leads out.
fn relative(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = if path.starts_with('/') {
        Vec::new()
    } else {
        from.split('/').filter(|part| !part.is_empty()).collect()
    };
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part if part.contains(['\\', ':']) && cfg!(windows) => return None,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

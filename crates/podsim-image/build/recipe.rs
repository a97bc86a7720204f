//! `image.toml`: what an image consists of.

use crate::Result;
use crate::image::ImageConfig;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// One `image.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe {
    /// The repository, such as `busybox`.
    pub(crate) name: String,
    /// Its tags.
    pub(crate) tags: Vec<String>,
    /// Further full references.
    #[serde(default)]
    pub(crate) aliases: Vec<String>,
    /// The image whose layers lie below.
    pub(crate) base: Option<String>,
    /// Part of the node: not for containers.
    #[serde(default)]
    pub(crate) internal: bool,
    /// The OCI configuration.
    #[serde(default)]
    pub(crate) config: Config,
    /// What the layer holds, in order.
    #[serde(default)]
    pub(crate) file: Vec<File>,
    /// Hard links by the dozen.
    #[serde(default)]
    pub(crate) links: Vec<Links>,
    /// The folder it was found in.
    #[serde(skip)]
    pub(crate) folder: PathBuf,
}

/// The OCI configuration in the recipe's words.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    entrypoint: Vec<String>,
    cmd: Vec<String>,
    env: Vec<String>,
    user: String,
    workdir: String,
    ports: Vec<String>,
    stop_signal: Option<String>,
    labels: BTreeMap<String, String>,
}

impl From<Config> for ImageConfig {
    fn from(config: Config) -> Self {
        let port = |port: String| (port, serde_json::json!({}));
        ImageConfig {
            user: config.user,
            exposed_ports: config.ports.into_iter().map(port).collect(),
            env: config.env,
            entrypoint: config.entrypoint,
            cmd: config.cmd,
            working_dir: config.workdir,
            stop_signal: config.stop_signal,
            labels: config.labels,
        }
    }
}

/// One file, directory or link.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// Where it goes.
    pub(crate) path: String,
    /// A program of the guests' workspace.
    pub(crate) wasm: Option<String>,
    /// A file beside the recipe.
    pub(crate) from: Option<String>,
    /// The content itself.
    pub(crate) content: Option<String>,
    /// A directory.
    #[serde(default)]
    pub(crate) dir: bool,
    /// The target of a symbolic link.
    pub(crate) symlink: Option<String>,
    /// The other name of a hard link.
    pub(crate) hardlink: Option<String>,
    /// Takes a file of the base away (an OCI whiteout).
    #[serde(default)]
    pub(crate) remove: bool,
    /// Permissions; 0755 for programs and directories, 0644 for files.
    pub(crate) mode: Option<u32>,
    /// Owner.
    #[serde(default)]
    pub(crate) uid: u64,
    /// Group.
    #[serde(default)]
    pub(crate) gid: u64,
}

/// Hard links to one file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Links {
    /// The file.
    pub(crate) to: String,
    /// Where the links are made.
    pub(crate) dir: String,
    /// Their names.
    pub(crate) names: Vec<String>,
}

/// Reads all recipes below the guests' workspace, in the order of their names.
pub(crate) fn read_all(root: &Path) -> Result<Vec<Recipe>> {
    let mut recipes = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let path = entry.path().join("image.toml");
        if !path.is_file() {
            continue;
        }
        let mut recipe: Recipe =
            toml::from_str(&fs::read_to_string(&path)?).map_err(|error| format!("{}: {error}", path.display()))?;
        recipe.folder = entry.file_name().into();
        recipes.push(recipe);
    }
    recipes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(recipes)
}

//! An OCI image in memory (OCI Image Format Specification 1.1).

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// `application/vnd.oci.image.config.v1+json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigFile {
    /// When it was made, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The processor: `wasm` for the built-in images.
    #[serde(default)]
    pub architecture: String,
    /// The system: `wasip1` for the built-in images.
    #[serde(default)]
    pub os: String,
    /// How containers of the image run.
    #[serde(default)]
    pub config: ImageConfig,
    /// The layers' content.
    #[serde(default)]
    pub rootfs: RootFs,
}

/// The layers of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Digests of the uncompressed layers, the lowest first.
    #[serde(default)]
    pub diff_ids: Vec<String>,
}

/// How containers of an image run, unless the Pod says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageConfig {
    /// `user[:group]`, names or numbers; empty is root.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Ports that the program listens on, such as `80/tcp`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, serde_json::Value>,
    /// Environment, `NAME=value`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The program and its first arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// Further arguments, or the program where there is no entrypoint.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// Directory to start in; empty is `/`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// The signal that asks the program to end; SIGTERM if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// A layer: an uncompressed tar archive.
#[derive(Clone, Debug)]
pub struct Layer {
    /// `sha256:…` of the archive.
    pub digest: String,
    /// The archive.
    pub data: Bytes,
}

/// An image.
#[derive(Clone, Debug)]
pub struct Image {
    /// `sha256:…` of the configuration: the image's id.
    pub id: String,
    /// `sha256:…` of the manifest: what a reference by digest names.
    pub digest: String,
    /// Full references that name it, the familiar one first.
    pub references: Vec<String>,
    /// Part of the node itself: not for containers, not listed.
    pub internal: bool,
    /// The configuration.
    pub config: ConfigFile,
    /// The layers, the lowest first.
    pub layers: Vec<Layer>,
}

impl Image {
    /// Bytes of all layers.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.data.len() as u64).sum()
    }

    /// The ChainIDs of the layers, the lowest first: each names a layer together with all below it
    /// (OCI Image Format Specification, "Layer ChainID").
    #[must_use]
    pub fn chain_ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = Vec::new();
        for layer in &self.layers {
            ids.push(match ids.last() {
                Some(below) => sha256(format!("{below} {}", layer.digest).as_bytes()),
                None => layer.digest.clone(),
            });
        }
        ids
    }
}

/// `sha256:` and the digest in hexadecimal.
#[must_use]
pub fn sha256(data: &[u8]) -> String {
    let hex: String = Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

//! The documents of OCI images: index, manifest, descriptor, platform (OCI Image Format Specification 1.1), and Docker's of
//! the same shape.

use crate::image::ConfigFile;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Of an index.
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Of a manifest.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Of a configuration.
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Of a layer that is not compressed.
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// Docker's manifest.
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's index.
pub(crate) const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Annotation of a descriptor: the full reference (containerd's).
pub(crate) const IMAGE_NAME: &str = "io.containerd.image.name";
/// Annotation of a descriptor: a reference, or only a tag.
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Annotation of a descriptor: the digest of the manifest as it came, before podsim had the layers uncompressed.
pub(crate) const SOURCE_DIGEST: &str = "io.podsim.source-digest";

/// The largest document that is read: what registries accept, too.
pub(crate) const MAX_DOCUMENT: u64 = 4 << 20;

/// What another document is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<Platform>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// Images, or the platforms of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Index {
    pub(crate) schema_version: u32,
    #[serde(default)]
    pub(crate) media_type: String,
    #[serde(default)]
    pub(crate) manifests: Vec<Descriptor>,
}

/// An image for one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) schema_version: u32,
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
}

/// A system and a processor, as in `linux/amd64`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// The system: `linux`, `wasip1`.
    #[serde(default)]
    pub os: String,
    /// The processor, as Go calls it: `amd64`, `wasm`.
    #[serde(default)]
    pub architecture: String,
    /// Its variant: `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// Linux on this processor.
    #[must_use]
    pub fn host() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
            other => other,
        };
        Self {
            os: "linux".to_owned(),
            architecture: architecture.to_owned(),
            variant: None,
        }
    }

    /// Reads `OS/ARCHITECTURE[/VARIANT]`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/').map(str::to_owned);
        let platform = Self {
            os: parts.next()?,
            architecture: parts.next()?,
            variant: parts.next(),
        };
        let named = !platform.os.is_empty() && !platform.architecture.is_empty();
        (named && parts.next().is_none()).then_some(platform)
    }

    /// Whether podsim runs its programs on every host.
    #[must_use]
    pub fn is_wasm(&self) -> bool {
        matches!(self.architecture.as_str(), "wasm" | "wasm32")
            && matches!(self.os.as_str(), "wasip1" | "wasi" | "wasip2")
    }

    fn accepts(&self, other: &Self) -> bool {
        self.os == other.os
            && self.architecture == other.architecture
            && (self.variant.is_none() || self.variant == other.variant)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

/// Of several platforms the one that is wanted; or else what this host runs, and WebAssembly, which every host runs.
pub(crate) fn choose<'a>(manifests: &'a [Descriptor], wanted: Option<&Platform>) -> Option<&'a Descriptor> {
    let of = |accepts: &dyn Fn(&Platform) -> bool| {
        manifests
            .iter()
            .find(|manifest| manifest.platform.as_ref().is_some_and(accepts))
    };
    if let Some(wanted) = wanted {
        return of(&|platform| wanted.accepts(platform));
    }
    let host = Platform::host();
    let native = || of(&|platform| host.accepts(platform));
    let wasm = || of(&Platform::is_wasm);
    if cfg!(target_os = "linux") {
        native().or_else(wasm)
    } else {
        wasm().or_else(native)
    }
}

/// The platforms of an index, for messages.
pub(crate) fn platforms(manifests: &[Descriptor]) -> String {
    let names: Vec<String> = manifests
        .iter()
        .filter_map(|manifest| manifest.platform.as_ref())
        // `unknown/unknown` are attestations.
        .filter(|platform| platform.os != "unknown")
        .map(Platform::to_string)
        .collect();
    names.join(", ")
}

/// Reads a configuration. Docker writes `null` where it has nothing.
pub(crate) fn config(json: &[u8]) -> serde_json::Result<ConfigFile> {
    let mut value: serde_json::Value = serde_json::from_slice(json)?;
    without_nulls(&mut value);
    serde_json::from_value(value)
}

fn without_nulls(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platform_is_what_this_host_runs() {
        let index = |platforms: &[&str]| -> Vec<Descriptor> {
            let descriptor = |platform: &&str| Descriptor {
                digest: (*platform).to_owned(),
                platform: Platform::parse(platform),
                ..Descriptor::default()
            };
            platforms.iter().map(descriptor).collect()
        };
        let host = Platform::host().to_string();
        let all = index(&["unknown/unknown", "windows/amd64", "wasip1/wasm", &host, "linux/m68k"]);
        let chosen = |wanted: Option<&str>| {
            let wanted = wanted.and_then(Platform::parse);
            choose(&all, wanted.as_ref()).map(|chosen| chosen.digest.as_str())
        };
        let expected = if cfg!(target_os = "linux") {
            host.as_str()
        } else {
            "wasip1/wasm"
        };
        assert_eq!(chosen(None), Some(expected));
        assert_eq!(chosen(Some("linux/m68k")), Some("linux/m68k"));
        assert_eq!(chosen(Some("linux/none")), None);
        assert_eq!(
            choose(&index(&["linux/m68k", "wasi/wasm32"]), None).map(|chosen| chosen.digest.as_str()),
            Some("wasi/wasm32")
        );
        assert_eq!(choose(&index(&["linux/m68k"]), None), None);
        for bad in ["", "linux", "linux/", "/amd64", "a/b/c/d"] {
            assert_eq!(Platform::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn dockers_nulls_are_nothing() {
        let read = config(br#"{"os":"linux","config":{"Cmd":null,"Env":["A=1"],"ExposedPorts":null,"Labels":null}}"#);
        let read = read.unwrap();
        assert_eq!((read.config.env, read.config.cmd), (vec!["A=1".to_owned()], vec![]));
    }
}

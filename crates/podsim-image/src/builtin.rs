//! The images that are built into podsim, as the build script made them: layers, configuration, precompiled code.

use crate::Image;
use crate::image::{ConfigFile, Layer};
use bytes::Bytes;

/// An image as the build script writes it down.
struct Raw {
    references: &'static [&'static str],
    internal: bool,
    config: &'static str,
    digest: &'static str,
    id: &'static str,
    layers: &'static [RawLayer],
}

/// A layer as the build script writes it down.
#[derive(Clone, Copy)]
struct RawLayer {
    digest: &'static str,
    data: &'static [u8],
}

/// A wasm program inside a layer, and what Cranelift made of it at build time.
struct RawProgram {
    layer: RawLayer,
    offset: usize,
    length: usize,
    artifact: &'static [u8],
}

/// Bytes that begin where a page of memory does, so that code among them can be run where it is.
#[cfg_attr(target_arch = "x86_64", repr(C, align(4096)))]
#[cfg_attr(not(target_arch = "x86_64"), repr(C, align(65536)))]
struct Paged<const LEN: usize>([u8; LEN]);

/// The bytes of a file, from the beginning of a page.
macro_rules! paged {
    ($path:literal) => {{
        static BYTES: Paged<{ include_bytes!($path).len() }> = Paged(*include_bytes!($path));
        &BYTES.0
    }};
}

include!(concat!(env!("OUT_DIR"), "/images.rs"));

/// A wasm program of a built-in image.
pub struct Precompiled {
    /// The module: the very bytes that the image's file holds (same address).
    pub wasm: Bytes,
    /// The code for this host, for `wasmtime::Module::deserialize`.
    pub artifact: &'static [u8],
}

/// The programs of the built-in images with their precompiled code.
pub fn precompiled() -> impl Iterator<Item = Precompiled> {
    PROGRAMS.iter().map(|program| Precompiled {
        wasm: Bytes::from_static(&program.layer.data[program.offset..program.offset + program.length]),
        artifact: program.artifact,
    })
}

/// The built-in images.
pub(crate) fn images() -> Vec<Image> {
    IMAGES.iter().map(image).collect()
}

fn image(raw: &Raw) -> Image {
    let layer = |layer: &RawLayer| Layer {
        digest: layer.digest.to_owned(),
        data: Bytes::from_static(layer.data),
    };
    let config: ConfigFile = serde_json::from_str(raw.config).unwrap_or_default();
    Image {
        id: raw.id.to_owned(),
        digest: raw.digest.to_owned(),
        references: raw.references.iter().map(|&reference| reference.to_owned()).collect(),
        internal: raw.internal,
        config,
        layers: raw.layers.iter().map(layer).collect(),
    }
}

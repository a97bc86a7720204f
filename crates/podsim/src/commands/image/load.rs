//! `podsim image load`.

use super::{failure, notes, open, platform, warn_of_shadow};
use crate::context::Context;
use crate::errors::Failure;
use crate::terminal::Stream;
use anyhow::{Context as _, Result};
use clap::Args;
use podsim_image::{Platform, Reference};
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Load images from an archive of `docker save`, or from an OCI image layout
///
/// Archives may be compressed with gzip or zstd. Of an image for several platforms the one for this host is taken, or WebAssembly.
#[derive(Args, Debug)]
pub(crate) struct LoadArgs {
    /// The archive, or the directory of a layout; - or nothing is the input
    #[arg(value_name = "FILE|DIR", conflicts_with = "input")]
    file: Option<PathBuf>,
    /// The same, as docker has it
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Take this platform of an image for several, as linux/arm64 or wasip1/wasm
    #[arg(long, value_parser = platform, value_name = "OS/ARCH")]
    platform: Option<Platform>,
}

pub(super) async fn run(context: &Context, args: &LoadArgs) -> Result<i32> {
    let store = open(context).await?;
    let file = args.file.as_deref().or(args.input.as_deref());
    let spooled;
    let path = match file {
        Some(path) if path != Path::new("-") => path,
        _ => {
            spooled = spool(context).await?;
            spooled.path()
        }
    };
    let loaded = store.load(path, args.platform.as_ref()).map_err(failure)?;
    notes(context, &loaded.notes).await?;
    for (id, names) in &loaded.images {
        if names.is_empty() {
            context.printer.line(format!("Loaded image ID: {id}")).await?;
        }
        for name in names {
            context.printer.line(format!("Loaded image: {name}")).await?;
            if let Ok(reference) = Reference::parse(name) {
                warn_of_shadow(context, &reference).await?;
            }
        }
    }
    Ok(0)
}

/// The input as a file.
async fn spool(context: &Context) -> Result<NamedTempFile> {
    if context.terminal.is_tty(Stream::Stdin) {
        return Err(Failure::new("requested load from stdin, but stdin is empty").into());
    }
    let mut file = NamedTempFile::new().context("cannot make a temporary file")?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match context.terminal.read(&mut buffer).await? {
            0 => return Ok(file),
            read => file.write_all(&buffer[..read])?,
        }
    }
}

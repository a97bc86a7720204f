//! `podsim image pull`.

use super::{failure, notes, open, platform, reference, warn_of_shadow};
use crate::context::Context;
use anyhow::Result;
use clap::Args;
use podsim_image::{Platform, Reference};
use tokio::sync::mpsc;

/// Download an image from a registry
///
/// Without a login, over HTTPS; over plain HTTP from a registry on this machine (localhost:5000/app). Nodes themselves pull only from
/// registries that PODSIM_REGISTRIES or `registries` of the node configuration names.
#[derive(Args, Debug)]
pub(crate) struct PullArgs {
    /// The image
    #[arg(value_parser = reference, value_name = "NAME[:TAG|@DIGEST]")]
    name: Reference,
    /// Take this platform of an image for several, as linux/arm64 or wasip1/wasm
    #[arg(long, value_parser = platform, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// Print only the image's full name
    #[arg(short, long)]
    quiet: bool,
}

pub(super) async fn run(context: &Context, args: &PullArgs) -> Result<i32> {
    let store = open(context).await?;
    let (printer, name) = (&context.printer, args.name.familiar());
    let before = store
        .find(&name)
        .map(|image| (image.id.clone(), store.is_builtin(&image)));
    let talks = !args.quiet;
    if talks {
        let tag = args.name.tag.as_ref().or(args.name.digest.as_ref());
        let tag = tag.map_or("latest", String::as_str);
        printer.line(format!("{tag}: Pulling from {}", args.name.path)).await?;
    }
    let (tell, mut told) = mpsc::unbounded_channel();
    let (reference, platform) = (args.name.clone(), args.platform.clone());
    let pulling = tokio::task::spawn_blocking(move || {
        // Nobody listens any more: the command was interrupted.
        store.pull(&reference, platform.as_ref(), &mut |line| drop(tell.send(line)))
    });
    while let Some(line) = told.recv().await {
        if talks {
            printer.line(line).await?;
        }
    }
    let pulled = pulling.await?.map_err(failure)?;
    notes(context, &pulled.notes).await?;
    if talks {
        let is_new = before.is_none_or(|(id, is_builtin)| id != pulled.id || is_builtin);
        let status = if is_new {
            "Downloaded newer image"
        } else {
            "Image is up to date"
        };
        printer.line(format!("Digest: {}", pulled.digest)).await?;
        printer.line(format!("Status: {status} for {name}")).await?;
    }
    printer.line(args.name.to_string()).await?;
    warn_of_shadow(context, &args.name).await?;
    Ok(0)
}

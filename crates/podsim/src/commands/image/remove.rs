//! `podsim image rm`.

use super::{failure, open};
use crate::context::Context;
use crate::errors::report;
use anyhow::Result;
use clap::Args;

/// Remove names of images, and with its last name an image
///
/// Built-in images cannot be removed. A container goes on running when its image is gone.
#[derive(Args, Debug)]
pub(crate) struct RemoveArgs {
    /// Remove an image that is named by its id with all its names
    #[arg(short, long)]
    force: bool,
    /// Names or ids
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

pub(super) async fn run(context: &Context, args: &RemoveArgs) -> Result<i32> {
    let store = open(context).await?;
    let mut failed = false;
    for name in &args.images {
        match store.remove(name, args.force) {
            Ok(removed) => {
                for name in removed.untagged {
                    context.printer.line(format!("Untagged: {name}")).await?;
                }
                if let Some(id) = removed.deleted {
                    context.printer.line(format!("Deleted: {id}")).await?;
                }
            }
            Err(error) => {
                failed = true;
                context.printer.talk(report(&failure(error)).0).await?;
            }
        }
    }
    #[cfg(target_os = "linux")]
    if let Some(data) = crate::data::directory() {
        podsim_image::layer_store::collect(&data, &store.chain_ids())?;
    }
    Ok(i32::from(failed))
}

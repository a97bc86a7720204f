//! `podsim image tag`.

use super::{failure, open, reference, warn_of_shadow};
use crate::context::Context;
use anyhow::Result;
use clap::Args;
use podsim_image::Reference;

/// Give an image one more name
#[derive(Args, Debug)]
pub(crate) struct TagArgs {
    /// The image: a name or an id
    #[arg(value_name = "IMAGE")]
    image: String,
    /// The new name
    #[arg(value_parser = reference, value_name = "NAME[:TAG]")]
    name: Reference,
}

pub(super) async fn run(context: &Context, args: &TagArgs) -> Result<i32> {
    let store = open(context).await?;
    store.tag(&args.image, &args.name.to_string()).map_err(failure)?;
    warn_of_shadow(context, &args.name).await?;
    Ok(0)
}

//! `podsim image inspect`.

use super::{failure, open};
use crate::context::Context;
use crate::errors::{Failure, report};
use crate::output::docker::template;
use crate::output::json::pretty;
use anyhow::Result;
use clap::Args;
use podsim_image::{Image, ImageConfig, Reference, StoreError};
use serde::Serialize;

/// Show all about images, as JSON
#[derive(Args, Debug)]
pub(crate) struct InspectArgs {
    /// Print only this, as '{{.Config.Cmd}}'
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Names or ids
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

/// As docker shows an image.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Inspect {
    id: String,
    repo_tags: Vec<String>,
    repo_digests: Vec<String>,
    created: Option<String>,
    config: ImageConfig,
    architecture: String,
    os: String,
    size: u64,
    #[serde(rename = "RootFS")]
    root_fs: RootFs,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RootFs {
    r#type: &'static str,
    layers: Vec<String>,
}

impl Inspect {
    fn new(image: &Image) -> Self {
        let names = || image.references.iter().filter_map(|name| Reference::parse(name).ok());
        let mut digests: Vec<String> = names()
            .map(|name| format!("{}@{}", name.familiar_name(), image.digest))
            .collect();
        digests.dedup();
        Self {
            id: image.id.clone(),
            repo_tags: names()
                .filter(|name| name.tag.is_some())
                .map(|name| name.familiar())
                .collect(),
            repo_digests: digests,
            created: image.config.created.clone(),
            config: image.config.config.clone(),
            architecture: image.config.architecture.clone(),
            os: image.config.os.clone(),
            size: image.size(),
            root_fs: RootFs {
                r#type: "layers",
                layers: image.config.rootfs.diff_ids.clone(),
            },
        }
    }
}

pub(super) async fn run(context: &Context, args: &InspectArgs) -> Result<i32> {
    let store = open(context).await?;
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for name in &args.images {
        match store.find(name) {
            Some(image) => found.push(Inspect::new(&image)),
            None => errors.push(report(&failure(StoreError::NotFound(name.clone()))).0),
        }
    }
    match &args.format {
        None => context.printer.line(pretty(&found)).await?,
        Some(format) => {
            for inspect in &found {
                let value = serde_json::to_value(inspect)?;
                let text = template(format, &value).map_err(|why| Failure::new(format!("error: {why}")))?;
                context.printer.line(text).await?;
            }
        }
    }
    for error in &errors {
        context.printer.talk(error).await?;
    }
    Ok(i32::from(!errors.is_empty()))
}

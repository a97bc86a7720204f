//! `podsim create`, `kubectl create -f`.

use crate::client::while_doing;
use crate::context::Context;
use crate::errors::{Failure, report};
use crate::manifests;
use anyhow::Result;
use clap::Args;

/// Create the objects in a file
#[derive(Args, Debug)]
pub(crate) struct CreateArgs {
    /// The file, YAML or JSON (- is the input)
    #[arg(short, long, value_name = "FILE", required = true)]
    filename: Vec<String>,
    /// `client`: only say what would be done
    #[arg(long, value_name = "WHERE", num_args = 0..=1, default_missing_value = "client")]
    dry_run: Option<String>,
}

/// Whether `--dry-run` was asked for; a server cannot do it.
pub(crate) fn dry_run(value: Option<&str>) -> Result<bool> {
    match value {
        None | Some("none") => Ok(false),
        Some("client") => Ok(true),
        Some(other) => Err(Failure::new(format!("error: --dry-run={other} is not known here: use client")).into()),
    }
}

pub(crate) async fn run(context: &Context, args: &CreateArgs) -> Result<i32> {
    let dry_run = dry_run(args.dry_run.as_deref())?;
    let client = context.client()?;
    let mut code = 0;
    for file in &args.filename {
        for document in manifests::read_checked(context, file).await? {
            let (kind, namespace) = (document.kind(), document.namespace().unwrap_or(&context.namespace));
            if dry_run {
                context
                    .printer
                    .line(format!("{}/{} created (dry run)", kind.singular, document.name()))
                    .await?;
                continue;
            }
            match client.create(kind, namespace, document.value()).await {
                Ok(object) => {
                    let name = object["metadata"]["name"].as_str().unwrap_or_default();
                    context
                        .printer
                        .line(format!("{}/{name} created", kind.singular))
                        .await?;
                }
                Err(error) => {
                    let error = while_doing(error, format!("error when creating \"{file}\""));
                    context.printer.talk(report(&error).0).await?;
                    code = 1;
                }
            }
        }
    }
    Ok(code)
}

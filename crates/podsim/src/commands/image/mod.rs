//! `podsim image`: the images that containers are made from. The store is a directory, so no node needs to run.

mod import;
mod inspect;
mod load;
mod ls;
mod pull;
mod remove;
mod tag;

pub(crate) use ls::{run_as_crictl, run_as_docker};

use crate::context::Context;
use crate::data;
use crate::errors::Failure;
use anyhow::Result;
use clap::{Args, Subcommand};
use podsim_image::{ImageStore, Platform, Reference, StoreError};

/// Images that containers can be made from: those built in, and those that you add
///
/// Nodes that run see a change at once. Images with WebAssembly programs run everywhere; those with Linux programs need the Linux backend.
#[derive(Args, Debug)]
pub(crate) struct ImageArgs {
    #[command(subcommand)]
    command: ImageCommand,
}

#[derive(Subcommand, Debug)]
enum ImageCommand {
    #[command(visible_alias = "list")]
    Ls(ls::LsArgs),
    Load(load::LoadArgs),
    ImportRootfs(Box<import::ImportArgs>),
    Pull(pull::PullArgs),
    Tag(tag::TagArgs),
    #[command(visible_alias = "remove")]
    Rm(remove::RemoveArgs),
    Inspect(inspect::InspectArgs),
}

pub(crate) async fn run(context: &Context, args: &ImageArgs) -> Result<i32> {
    match &args.command {
        ImageCommand::Ls(args) => ls::run(context, args).await,
        ImageCommand::Load(args) => load::run(context, args).await,
        ImageCommand::ImportRootfs(args) => import::run(context, args).await,
        ImageCommand::Pull(args) => pull::run(context, args).await,
        ImageCommand::Tag(args) => tag::run(context, args).await,
        ImageCommand::Rm(args) => remove::run(context, args).await,
        ImageCommand::Inspect(args) => inspect::run(context, args).await,
    }
}

/// The store; what is wrong with images in it is said.
async fn open(context: &Context) -> Result<ImageStore> {
    let store = data::images();
    for problem in store.problems() {
        context.printer.talk(format!("warning: {problem}")).await?;
    }
    Ok(store)
}

/// Docker's words stand as docker prints them.
fn failure(error: StoreError) -> anyhow::Error {
    match error {
        error @ (StoreError::NotFound(_) | StoreError::Conflict(_)) => Failure::new(format!("Error: {error}")),
        error => Failure::new(format!("error: {error}")),
    }
    .into()
}

async fn notes(context: &Context, notes: &[String]) -> Result<()> {
    for note in notes {
        context.printer.talk(format!("note: {note}")).await?;
    }
    Ok(())
}

/// Says that a name of a built-in image means another one from now on.
async fn warn_of_shadow(context: &Context, reference: &Reference) -> Result<()> {
    let name = reference.familiar();
    if ImageStore::with_builtin_images().find(&name).is_some() {
        let note = format!(
            "note: {name} was the name of a built-in image; `podsim image rm {name}` gives it back to that one"
        );
        context.printer.talk(note).await?;
    }
    Ok(())
}

fn reference(text: &str) -> Result<Reference, String> {
    Reference::parse(text).map_err(|error| error.to_string())
}

fn platform(text: &str) -> Result<Platform, String> {
    Platform::parse(text).ok_or_else(|| "expected OS/ARCHITECTURE, as linux/arm64".to_owned())
}

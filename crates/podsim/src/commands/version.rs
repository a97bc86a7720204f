//! `podsim version`, `kubectl version`.

use crate::client::Body;
use crate::context::{Context, Target};
use anyhow::Result;
use clap::Args;
use podsim_apiserver::KUBERNETES_VERSION;
use serde_json::Value;

/// Print the versions of podsim and of the running node
#[derive(Args, Debug)]
pub(crate) struct VersionArgs {
    /// Only podsim's own; does not ask the node
    #[arg(long)]
    client: bool,
}

pub(crate) async fn run(context: &Context, args: &VersionArgs) -> Result<i32> {
    let inside = matches!(context.target, Target::Known(_));
    let name = if inside { "Client Version" } else { "podsim" };
    let version = if inside {
        KUBERNETES_VERSION.to_owned()
    } else {
        env!("CARGO_PKG_VERSION").to_owned()
    };
    context.printer.line(format!("{name}: {version}")).await?;
    if args.client {
        return Ok(0);
    }
    // No running node is nothing wrong here.
    let Ok(client) = context.client() else {
        context
            .printer
            .line(format!("Kubernetes API: {KUBERNETES_VERSION} (no node is running)"))
            .await?;
        return Ok(0);
    };
    let answer: Value = client.json("GET", "/version", Body::None).await?;
    let version = answer["gitVersion"].as_str().unwrap_or("unknown");
    context.printer.line(format!("Server Version: {version}")).await?;
    Ok(0)
}

//! `podsim attach`, `kubectl attach`.

use crate::client::{Query, object_path};
use crate::context::Context;
use crate::errors::Failure;
use crate::pods::{choose_container, phase, pod_name};
use crate::remote::{self, Streams};
use anyhow::Result;
use clap::Args;
use podsim_store::kinds;

/// Connect to the first process of a running container
///
/// Shows what the process prints from now on; with -it also types into its terminal.
#[derive(Args, Debug)]
pub(crate) struct AttachArgs {
    /// Pass your input on to the process (its container must have `stdin: true`)
    #[arg(short = 'i', long)]
    stdin: bool,
    /// Use the container's terminal (it must have `tty: true`)
    #[arg(short, long)]
    tty: bool,
    /// The container; by default the first of the Pod
    #[arg(short, long, value_name = "NAME")]
    container: Option<String>,
    /// Do not print notes of podsim's own
    #[arg(short, long)]
    quiet: bool,
    /// The Pod
    pod: String,
}

pub(crate) async fn run(context: &Context, args: &AttachArgs) -> Result<i32> {
    let name = pod_name(&args.pod)?;
    let client = context.client()?;
    let pod = client.pod(&context.namespace, name).await?;
    if matches!(phase(&pod), "Succeeded" | "Failed") {
        let phase = phase(&pod);
        let message = format!("error: cannot attach a container in a completed pod; current phase is {phase}");
        return Err(Failure::new(message).into());
    }
    let container = choose_container(context, &pod, args.container.as_deref()).await?;
    let has = |key: &str| {
        let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
        containers
            .filter(|spec| spec["name"] == *container)
            .any(|spec| spec[key] == true)
    };
    if args.stdin && !has("stdin") {
        let message = format!("error: container {container} has no stdin: its manifest needs `stdin: true`");
        return Err(Failure::new(message).into());
    }
    if args.tty && !has("tty") {
        let message = format!("Unable to use a TTY - container {container} did not allocate one");
        context.printer.talk(message).await?;
    }
    let streams = Streams::choose(context, args.stdin, args.tty && has("tty")).await?;
    if streams.tty && !args.quiet {
        context
            .printer
            .talk("If you don't see a command prompt, try pressing enter.")
            .await?;
    }
    let mut query = Query::default();
    query.add("container", container);
    streams.query(context.terminal.as_ref(), &mut query);
    let path = format!(
        "{}/attach{}",
        object_path(&kinds::POD, &context.namespace, name),
        query.text()
    );
    remote::run(context, client.connect(&path).await?, streams).await
}

//! `podsim exec`, `kubectl exec`.

use crate::client::{Query, object_path};
use crate::context::Context;
use crate::errors::Failure;
use crate::pods::{choose_container, phase, pod_name};
use crate::remote::{self, Streams};
use anyhow::Result;
use clap::Args;
use podsim_store::kinds;

/// Run a command in a container of a running Pod
///
/// Output and exit code are those of the command. For a shell: `podsim exec -it POD -- sh`.
#[derive(Args, Debug)]
pub(crate) struct ExecArgs {
    /// Pass your input on to the command
    #[arg(short = 'i', long)]
    pub(crate) stdin: bool,
    /// Give the command a terminal (together with -i)
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// The container; by default the first of the Pod
    #[arg(short, long, value_name = "NAME")]
    pub(crate) container: Option<String>,
    /// Do not print notes of podsim's own
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// The Pod
    pub(crate) pod: String,
    /// The command and its arguments; put `--` before it
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

pub(crate) async fn run(context: &Context, args: &ExecArgs) -> Result<i32> {
    if args.command.is_empty() {
        return Err(Failure::new("error: you must specify at least one command for the container").into());
    }
    let name = pod_name(&args.pod)?;
    let client = context.client()?;
    let pod = client.pod(&context.namespace, name).await?;
    if matches!(phase(&pod), "Succeeded" | "Failed") {
        let phase = phase(&pod);
        let message = format!("error: cannot exec into a container in a completed pod; current phase is {phase}");
        return Err(Failure::new(message).into());
    }
    let container = choose_container(context, &pod, args.container.as_deref()).await?;
    let streams = Streams::choose(context, args.stdin, args.tty).await?;
    let mut query = Query::default();
    query.add("container", container);
    for word in &args.command {
        query.add("command", word);
    }
    streams.query(context.terminal.as_ref(), &mut query);
    let path = format!(
        "{}/exec{}",
        object_path(&kinds::POD, &context.namespace, name),
        query.text()
    );
    let code = remote::run(context, client.connect(&path).await?, streams).await?;
    if code != 0 && !args.quiet {
        context
            .printer
            .talk(format!("command terminated with exit code {code}"))
            .await?;
    }
    Ok(code)
}

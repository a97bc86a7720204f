//! `docker` in the node shell: the view of the container engine that the kubelet drives.

use crate::commands::{exec, image, inspect, logs, ps};
use crate::context::Context;
use crate::errors::Failure;
use crate::node_view::{Entry, NodeView};
use anyhow::Result;
use clap::{Args, Parser, Subcommand};

/// The container engine's view of this node
#[derive(Parser, Debug)]
#[command(name = "docker", max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Docker {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List containers
    Ps(ps::PsArgs),
    /// Show all about containers, as JSON
    Inspect(inspect::InspectArgs),
    /// Print what a container has written
    Logs(LogsArgs),
    /// Run a command in a running container
    Exec(ExecArgs),
    /// List images
    Images,
}

/// Options of `docker logs` and `crictl logs`.
#[derive(Args, Debug)]
pub(super) struct LogsArgs {
    /// Go on until the container ends
    #[arg(short, long)]
    follow: bool,
    /// Only this many lines from the end
    #[arg(short = 'n', long, default_value = "all")]
    tail: String,
    /// Only what is newer than this: 10s, 5m
    #[arg(long)]
    since: Option<String>,
    /// Put the time before each line
    #[arg(short, long)]
    timestamps: bool,
    /// The container
    container: String,
}

/// Options of `docker exec` and `crictl exec`.
#[derive(Args, Debug)]
pub(super) struct ExecArgs {
    /// Pass your input on to the command
    #[arg(short, long)]
    interactive: bool,
    /// Give the command a terminal
    #[arg(short, long)]
    tty: bool,
    /// The container
    container: String,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true)]
    command: Vec<String>,
}

pub(crate) async fn run(context: &Context, line: &Docker) -> Result<i32> {
    match &line.command {
        Command::Ps(args) => ps::run_as_docker(context, args).await,
        Command::Inspect(args) => inspect::run(context, args).await,
        Command::Logs(args) => run_logs(context, args).await,
        Command::Exec(args) => run_exec(context, args).await,
        Command::Images => image::run_as_docker(context).await,
    }
}

/// The container that an id means: its Pod's namespace and name, and its name in the Pod.
async fn find(context: &Context, id: &str) -> Result<(String, String, String)> {
    let view = NodeView::fetch(&context.client()?).await?;
    let missing = || Failure::new(format!("Error: No such container: {id}"));
    match view.find(id).map_err(|_| missing())? {
        Entry::Container(container, Some(sandbox)) => {
            Ok((sandbox.namespace.clone(), sandbox.pod.clone(), container.name.clone()))
        }
        Entry::Container(_, None) => Err(missing().into()),
        Entry::Sandbox(_) => {
            let message =
                format!("Error: {id} is a sandbox: its pause has no log and nothing to run; choose a container");
            Err(Failure::new(message).into())
        }
    }
}

pub(super) async fn run_logs(context: &Context, args: &LogsArgs) -> Result<i32> {
    let tail = match args.tail.as_str() {
        "all" => -1,
        text => text
            .parse()
            .map_err(|_| Failure::new(format!("error: --tail: {text:?} is neither a number nor all")))?,
    };
    let (namespace, pod, container) = find(context, &args.container).await?;
    let arguments = logs::LogsArgs {
        follow: args.follow,
        tail,
        since: args.since.clone(),
        timestamps: args.timestamps,
        container: Some(container),
        pod,
        ..logs::LogsArgs::default()
    };
    logs::run(
        &Context {
            namespace,
            ..context.clone()
        },
        &arguments,
    )
    .await
}

pub(super) async fn run_exec(context: &Context, args: &ExecArgs) -> Result<i32> {
    let (namespace, pod, container) = find(context, &args.container).await?;
    let arguments = exec::ExecArgs {
        stdin: args.interactive,
        tty: args.tty,
        container: Some(container),
        // Docker does not say the exit code.
        quiet: true,
        pod,
        command: args.command.clone(),
    };
    exec::run(
        &Context {
            namespace,
            ..context.clone()
        },
        &arguments,
    )
    .await
}

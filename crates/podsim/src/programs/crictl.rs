//! `crictl` in the node shell: the CRI's own view.

use super::docker::{ExecArgs, LogsArgs, run_exec, run_logs};
use crate::commands::{image, inspect};
use crate::context::Context;
use crate::node_view::{Entry, NodeView};
use crate::output::tabwriter;
use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use jiff::Timestamp;
use podsim_apiserver::duration::docker_duration;

/// The container runtime interface's view of this node
#[derive(Parser, Debug)]
#[command(name = "crictl", max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Crictl {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List containers
    Ps(ListArgs),
    /// List pod sandboxes
    Pods(ListArgs),
    /// Show all about containers, as JSON
    Inspect(inspect::InspectArgs),
    /// Show all about pod sandboxes, as JSON
    Inspectp(inspect::InspectArgs),
    /// Print what a container has written
    Logs(LogsArgs),
    /// Run a command in a running container
    Exec(ExecArgs),
    /// List images
    #[command(visible_alias = "img")]
    Images,
}

#[derive(Args, Debug)]
struct ListArgs {
    /// Also containers that have ended
    #[arg(short, long)]
    all: bool,
    /// Only the ids
    #[arg(short, long)]
    quiet: bool,
    /// Do not shorten ids
    #[arg(long)]
    no_trunc: bool,
}

pub(crate) async fn run(context: &Context, line: &Crictl) -> Result<i32> {
    match &line.command {
        Command::Ps(args) => list(context, args, false).await,
        Command::Pods(args) => list(context, args, true).await,
        Command::Inspect(args) | Command::Inspectp(args) => inspect::run(context, args).await,
        Command::Logs(args) => run_logs(context, args).await,
        Command::Exec(args) => run_exec(context, args).await,
        Command::Images => image::run_as_crictl(context).await,
    }
}

async fn list(context: &Context, args: &ListArgs, sandboxes: bool) -> Result<i32> {
    let view = NodeView::fetch(&context.client()?).await?;
    let rows = if sandboxes {
        pods(&view, args, context.terminal.now())
    } else {
        containers(&view, args, context.terminal.now())
    };
    let text = if args.quiet {
        rows.iter()
            .skip(1)
            .filter_map(|row| row.first())
            .map(|id| format!("{id}\n"))
            .collect()
    } else {
        tabwriter::table(&rows, 20, 3)
    };
    context.printer.data(text).await?;
    Ok(0)
}

/// crictl shows thirteen digits.
fn short(id: &str, args: &ListArgs) -> String {
    let digits = id.strip_prefix("sha256:").unwrap_or(id);
    if args.no_trunc {
        id.to_owned()
    } else {
        digits.get(..13).unwrap_or(digits).to_owned()
    }
}

fn containers(view: &NodeView, args: &ListArgs, now: Timestamp) -> Vec<Vec<String>> {
    let header = [
        "CONTAINER",
        "IMAGE",
        "CREATED",
        "STATE",
        "NAME",
        "ATTEMPT",
        "POD ID",
        "POD",
        "NAMESPACE",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for entry in view.entries().iter().filter(|entry| args.all || entry.running()) {
        let Entry::Container(container, sandbox) = entry else {
            continue;
        };
        let (pod, namespace) = sandbox
            .map(|s| (s.pod.clone(), s.namespace.clone()))
            .unwrap_or_default();
        rows.push(vec![
            short(&container.id, args),
            short(&container.image_id, args),
            format!(
                "{} ago",
                docker_duration(now.as_second() - container.created_at.as_second())
            ),
            capitalised(&container.state),
            container.name.clone(),
            container.attempt.to_string(),
            short(&container.sandbox, args),
            pod,
            namespace,
        ]);
    }
    rows
}

fn pods(view: &NodeView, args: &ListArgs, now: Timestamp) -> Vec<Vec<String>> {
    let header = ["POD ID", "CREATED", "STATE", "NAME", "NAMESPACE", "ATTEMPT", "RUNTIME"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for entry in view.entries() {
        let Entry::Sandbox(sandbox) = entry else { continue };
        rows.push(vec![
            short(&sandbox.id, args),
            format!(
                "{} ago",
                docker_duration(now.as_second() - sandbox.created_at.as_second())
            ),
            if sandbox.ready { "Ready" } else { "NotReady" }.to_owned(),
            sandbox.pod.clone(),
            sandbox.namespace.clone(),
            sandbox.attempt.to_string(),
            "(default)".to_owned(),
        ]);
    }
    rows
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

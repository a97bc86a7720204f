//! `podsim ps`, `docker ps`.

use crate::context::Context;
use crate::errors::Failure;
use crate::node_view::{Entry, NodeView};
use crate::output::docker::{PsLine, ps_table, template};
use anyhow::Result;
use clap::Args;

/// List what runs on the node: containers, and the sandboxes (pause) that hold the Pods' namespaces
///
/// The node's own view, as `docker ps` shows it: ids, process ids, age.
#[derive(Args, Debug, Default)]
pub(crate) struct PsArgs {
    /// Also what has ended
    #[arg(short, long)]
    all: bool,
    /// Only the ids
    #[arg(short, long)]
    quiet: bool,
    /// Do not shorten ids and commands
    #[arg(long)]
    no_trunc: bool,
    /// Print this for each, as '{{.ID}} {{.Names}}'
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
}

/// Tells of processes that nodes of the Linux backend have left behind when they were killed.
#[cfg(target_os = "linux")]
async fn tell_of_orphans(context: &Context) -> Result<()> {
    for left in podsim_linux::prune::list(&podsim_linux::Places::find()?.run)? {
        let node = &left.node;
        for (pid, name) in &left.processes {
            let talk = format!("orphan: process {pid} ({name}) of the dead node {node:?}: `podsim node prune` ends it");
            context.printer.talk(talk).await?;
        }
        if left.processes.is_empty() {
            let talk = format!("The dead node {node:?} has left files behind: `podsim node prune` removes them");
            context.printer.talk(talk).await?;
        }
    }
    Ok(())
}

/// `podsim ps`: with process ids and readable images.
pub(crate) async fn run(context: &Context, args: &PsArgs) -> Result<i32> {
    #[cfg(target_os = "linux")]
    tell_of_orphans(context).await?;
    let view = NodeView::fetch(&context.client()?).await?;
    if args.quiet || args.format.is_some() {
        return print(context, args, &view).await;
    }
    let mut rows = vec![
        ["CONTAINER ID", "IMAGE", "COMMAND", "STATUS", "PID", "POD", "CONTAINER"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for entry in view.entries().iter().filter(|entry| args.all || entry.running()) {
        let line = PsLine::new(entry, !args.no_trunc, context.terminal.now());
        let (image, pod, name) = match entry {
            Entry::Sandbox(sandbox) => (
                &sandbox.image,
                format!("{}/{}", sandbox.namespace, sandbox.pod),
                "(sandbox)",
            ),
            Entry::Container(container, sandbox) => {
                let pod = sandbox.map(|sandbox| format!("{}/{}", sandbox.namespace, sandbox.pod));
                (&container.image, pod.unwrap_or_default(), container.name.as_str())
            }
        };
        let pid = line.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        rows.push(vec![
            line.id,
            image.clone(),
            line.command,
            line.status,
            pid,
            pod,
            name.to_owned(),
        ]);
    }
    context.printer.table(&rows).await?;
    Ok(0)
}

/// `docker ps`: exactly as Docker.
pub(crate) async fn run_as_docker(context: &Context, args: &PsArgs) -> Result<i32> {
    let view = NodeView::fetch(&context.client()?).await?;
    print(context, args, &view).await
}

async fn print(context: &Context, args: &PsArgs, view: &NodeView) -> Result<i32> {
    let entries = view.entries();
    let shown = entries.iter().filter(|entry| args.all || entry.running());
    let lines: Vec<PsLine> = shown
        .map(|entry| PsLine::new(entry, !args.no_trunc, context.terminal.now()))
        .collect();
    let text = if args.quiet {
        lines.iter().map(|line| format!("{}\n", line.id)).collect()
    } else if let Some(format) = &args.format {
        let mut text = String::new();
        for line in &lines {
            let value = serde_json::to_value(line)?;
            text.push_str(&template(format, &value).map_err(|why| Failure::new(format!("error: {why}")))?);
            text.push('\n');
        }
        text
    } else {
        ps_table(&lines)
    };
    context.printer.data(text).await?;
    Ok(0)
}

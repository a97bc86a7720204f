//! `podsim node`: the node itself.

use crate::client::{Body, Client, Query};
use crate::cluster::Registry;
use crate::context::Context;
use crate::errors::{Failure, report};
use crate::remote::{self, Streams};
use crate::terminal::Stream;
use anyhow::Result;
use clap::{Args, Subcommand};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;

/// Look at the node itself: a shell on it, its connection to the API server
#[derive(Args, Debug)]
pub(crate) struct NodeArgs {
    #[command(subcommand)]
    command: NodeCommand,
}

#[derive(Subcommand, Debug)]
enum NodeCommand {
    /// A shell in the node's own namespaces: ps shows every process; kubectl, docker ps and crictl work
    Shell(ShellArgs),
    /// Cut the node off from the API server: its Pods become Unknown
    Partition,
    /// Connect the node with the API server again
    Heal,
    /// List the nodes that run
    Ls,
    /// Stop a node and all that runs on it, and wait until it is gone
    Stop(StopArgs),
    /// Remove what nodes of --backend=linux that were killed have left behind: processes, links, cgroups, directories
    Prune,
}

#[derive(Args, Debug)]
struct StopArgs {
    /// All nodes that run; none is no error
    #[arg(long)]
    all: bool,
}

#[derive(Args, Debug)]
struct ShellArgs {
    /// A command to run in place of the shell; put `--` before it
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl NodeArgs {
    /// What has to be done while there is one thread: an ordinary user removes files of other ids from within a user namespace.
    pub(crate) fn prepare(&self) -> Result<()> {
        match self.command {
            #[cfg(target_os = "linux")]
            NodeCommand::Prune => crate::node::Backend::Linux.prepare().map(drop),
            _ => Ok(()),
        }
    }
}

pub(crate) async fn run(context: &Context, args: &NodeArgs) -> Result<i32> {
    match &args.command {
        NodeCommand::Shell(args) => shell(context, &args.command).await,
        NodeCommand::Partition => partition(context, true).await,
        NodeCommand::Heal => partition(context, false).await,
        NodeCommand::Ls => list(context).await,
        NodeCommand::Stop(args) => stop(context, args.all).await,
        NodeCommand::Prune => prune(context).await,
    }
}

#[cfg(target_os = "linux")]
async fn prune(context: &Context) -> Result<i32> {
    // Looking is enough for the registrations.
    Registry::open()?.running()?;
    let pruned = podsim_linux::prune::prune(&podsim_linux::Places::find()?.run)?;
    if pruned.is_empty() {
        context.printer.talk("There is nothing to remove.").await?;
    }
    for left in pruned {
        let line = format!(
            "node {:?}: removed {} processes, {} links, {} cgroups and {}",
            left.node,
            left.processes.len(),
            left.links.len(),
            left.cgroups.len(),
            left.directory.display()
        );
        context.printer.line(line).await?;
    }
    Ok(0)
}

#[cfg(not(target_os = "linux"))]
async fn prune(context: &Context) -> Result<i32> {
    let talk = "There is nothing to remove: only --backend=linux makes anything outside of podsim's process.";
    context.printer.talk(talk).await?;
    Ok(0)
}

async fn shell(context: &Context, command: &[String]) -> Result<i32> {
    let client = context.client()?;
    let streams = Streams {
        stdin: true,
        tty: context.terminal.is_tty(Stream::Stdin) && context.terminal.is_tty(Stream::Stdout),
    };
    let mut query = Query::default();
    for word in command {
        query.add("command", word);
    }
    streams.query(context.terminal.as_ref(), &mut query);
    let connection = client.connect(&format!("/podsim/v1/exec{}", query.text())).await?;
    remote::run(context, connection, streams).await
}

/// How long a node may take to end.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

async fn stop(context: &Context, all: bool) -> Result<i32> {
    let clients: Vec<Client> = if all {
        Registry::open()?
            .running()?
            .into_iter()
            .map(Client::new)
            .collect::<Result<_>>()?
    } else {
        vec![context.client()?]
    };
    let ends = join_all(clients.iter().map(stop_one)).await;
    let mut errors = Vec::new();
    for (client, end) in clients.iter().zip(ends) {
        match end {
            Ok(()) => {
                let line = format!("node {:?} stopped", client.endpoint().name);
                context.printer.line(line).await?;
            }
            Err(error) => errors.push(report(&error).0),
        }
    }
    match errors.is_empty() {
        true => Ok(0),
        false => Err(Failure::new(errors.join("\n")).into()),
    }
}

async fn stop_one(client: &Client) -> Result<()> {
    let endpoint = client.endpoint();
    let runs = || anyhow::Ok(Registry::open()?.running()?.contains(endpoint));
    let asked = client.json::<Value>("POST", "/podsim/v1/shutdown", Body::None).await;
    // One that has ended by itself meanwhile is as good.
    if let Err(error) = asked
        && runs()?
    {
        return Err(error);
    }
    // Its name is free again when the process has ended.
    let gone = async {
        while runs()? {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(STOP_PATIENCE, gone).await.unwrap_or_else(|_| {
        let text = format!(
            "error: node {:?} does not end; end its process by force: kill -9 {}",
            endpoint.name, endpoint.pid
        );
        Err(Failure::new(text).into())
    })
}

async fn partition(context: &Context, partitioned: bool) -> Result<i32> {
    let client = context.client()?;
    let body = json!({"partitioned": partitioned});
    client
        .json::<Value>("PUT", "/podsim/v1/partition", Body::Json(&body))
        .await?;
    let words = if partitioned {
        "is cut off from the API server"
    } else {
        "is connected with the API server"
    };
    context
        .printer
        .line(format!("node {:?} {words}", client.endpoint().name))
        .await?;
    Ok(0)
}

async fn list(context: &Context) -> Result<i32> {
    let mut rows = vec![["NAME", "ADDRESS", "PID"].map(str::to_owned).to_vec()];
    for node in Registry::open()?.running()? {
        rows.push(vec![node.name, node.address.to_string(), node.pid.to_string()]);
    }
    if rows.len() == 1 {
        context.printer.talk("No podsim node is running.").await?;
    } else {
        context.printer.table(&rows).await?;
    }
    Ok(0)
}

//! The command line of `podsim`.

use crate::commands::{
    apply, attach, completion, create, delete, describe, exec, explain, get, image, inspect, logs, namespaces, node,
    ps, run, serve, version, wait,
};
use crate::context::{Context, GlobalArgs, Target};
use crate::node::VirtualClock;
use crate::notes;
use crate::terminal::{Stream, Terminal};
use anyhow::Result;
use clap::{Parser, Subcommand};
use std::sync::Arc;

/// Runs Kubernetes Pods on this machine: no root, no container engine, no cluster
///
/// Containers are WebAssembly programs on a small virtual Linux kernel inside this process. Begin with
/// `podsim run pod.yaml`, and from a second terminal `podsim get pods` and `podsim exec -it POD -- sh`.
#[derive(Parser, Debug)]
#[command(
    name = "podsim",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    /// The running node that is meant, if there are several (or PODSIM_NODE)
    #[arg(long, global = true, value_name = "NAME")]
    node: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Run(run::RunArgs),
    Serve(serve::ServeArgs),
    Get(get::GetArgs),
    Describe(describe::DescribeArgs),
    Exec(exec::ExecArgs),
    Attach(attach::AttachArgs),
    Logs(logs::LogsArgs),
    Delete(delete::DeleteArgs),
    Apply(apply::ApplyArgs),
    Create(create::CreateArgs),
    Wait(wait::WaitArgs),
    Ps(ps::PsArgs),
    Inspect(inspect::InspectArgs),
    #[command(visible_alias = "ns")]
    Namespaces(namespaces::NamespacesArgs),
    Explain(explain::ExplainArgs),
    Node(node::NodeArgs),
    Image(image::ImageArgs),
    Test(notes::command::TestArgs),
    DiffBackends(notes::differences::DifferencesArgs),
    Completion(completion::CompletionArgs),
    Version(version::VersionArgs),
}

impl Cli {
    /// Whether a node runs in this process: then it needs all threads, a client needs one.
    pub(crate) fn runs_a_node(&self) -> bool {
        matches!(
            self.command,
            Command::Run(_) | Command::Serve(_) | Command::Test(_) | Command::DiffBackends(_)
        )
    }

    /// Whether the node's time is virtual: then there is one thread, whose idleness is what time waits for.
    pub(crate) fn is_virtual_time(&self) -> bool {
        matches!(&self.command, Command::Run(args) if args.is_virtual_time())
    }

    /// What has to be done while there is one thread. Tells what a node will have to do without, as sentences.
    pub(crate) fn prepare(&self) -> Result<Vec<String>> {
        match &self.command {
            Command::Run(args) => args.prepare(),
            Command::Serve(args) => args.prepare(),
            Command::Test(args) => args.prepare(),
            Command::DiffBackends(args) => args.prepare(),
            Command::Node(args) => args.prepare().map(|()| Vec::new()),
            _ => Ok(Vec::new()),
        }
    }

    /// Does it.
    pub(crate) async fn run(&self, terminal: Arc<dyn Terminal>, clock: Option<Arc<VirtualClock>>) -> Result<i32> {
        let node = self
            .node
            .clone()
            .or_else(|| terminal.env("PODSIM_NODE").filter(|name| !name.is_empty()));
        let context = &Context::new(terminal, Target::Running(node), &self.global);
        match &self.command {
            Command::Run(args) => run::run(context, args, clock).await,
            Command::Serve(args) => serve::run(context, args).await,
            Command::Get(args) => get::run(context, args).await,
            Command::Describe(args) => describe::run(context, args).await,
            Command::Exec(args) => exec::run(context, args).await,
            Command::Attach(args) => attach::run(context, args).await,
            Command::Logs(args) => logs::run(context, args).await,
            Command::Delete(args) => delete::run(context, args).await,
            Command::Apply(args) => apply::run(context, args).await,
            Command::Create(args) => create::run(context, args).await,
            Command::Wait(args) => wait::run(context, args).await,
            Command::Ps(args) => ps::run(context, args).await,
            Command::Inspect(args) => inspect::run(context, args).await,
            Command::Namespaces(args) => namespaces::run(context, args).await,
            Command::Explain(args) => explain::run(context, args).await,
            Command::Node(args) => node::run(context, args).await,
            Command::Image(args) => image::run(context, args).await,
            Command::Test(args) => notes::command::run(context, args).await,
            Command::DiffBackends(args) => notes::differences::run(context, args).await,
            Command::Completion(args) => completion::run(context, args).await,
            Command::Version(args) => version::run(context, args).await,
        }
    }
}

/// Prints clap's help or complaint and gives the exit code.
pub(crate) async fn complain(error: &clap::Error, terminal: &dyn Terminal) -> i32 {
    let stream = if error.use_stderr() {
        Stream::Stderr
    } else {
        Stream::Stdout
    };
    let text = error.render();
    let text = if terminal.is_tty(stream) {
        text.ansi().to_string()
    } else {
        text.to_string()
    };
    // Nobody listens: the exit code says it.
    let _ = terminal.write(stream, text.as_bytes()).await;
    error.exit_code()
}

#[cfg(test)]
mod tests;

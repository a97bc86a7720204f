//! The command line of `podsim test`.

use super::report::{Report, junit};
use super::run;
use crate::context::Context;
use crate::node::{BackendArgs, Node, NodeConfig};
use anyhow::{Context as _, Result};
use clap::Args;
use std::path::PathBuf;

/// Check notes: apply the manifests of a Markdown document, run its commands, compare the output
///
/// Each document runs on a node of its own. Manifests are the fences that hold one; commands are the lines of a fence
/// behind a prompt (`$ `, `# `, or the prompt of a shell in a container, such as `/ # `), and what follows a command is what
/// it has to print. `...` stands for any lines.
///
/// What differs from run to run may differ: pids, namespace inodes, ids, addresses (the same value in the document must then be
/// the same value here), and counters, dates and ages. The commands run in the node's shell: kubectl, docker, crictl, ls,
/// ps, nsenter and the like.
#[derive(Args, Clone, Debug)]
pub(crate) struct TestArgs {
    /// Documents: Markdown, whatever the ending
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How the nodes look: name, addresses, Pod CIDR, interfaces
    #[arg(long, value_name = "FILE")]
    node_config: Option<PathBuf>,
    #[command(flatten)]
    backend: BackendArgs,
    /// Write the results as JUnit XML too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Replace the outputs in the documents by what was printed
    #[arg(long)]
    update: bool,
}

impl TestArgs {
    /// Prepares the process for the nodes.
    pub(crate) fn prepare(&self) -> Result<Vec<String>> {
        self.backend.backend.prepare()
    }
}

/// Runs the documents one after the other.
pub(crate) async fn run(context: &Context, args: &TestArgs) -> Result<i32> {
    let config = match &args.node_config {
        Some(file) => NodeConfig::read(file)?,
        None => NodeConfig::default(),
    };
    let mut reports = Vec::new();
    for file in &args.files {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let node = Node::start(&config, args.backend.backend, true, None).await?;
        let result = run::run(file, &text, &node).await;
        node.shutdown().await;
        let (report, edits) = result.with_context(|| file.display().to_string())?;
        context.printer.line(report.text().trim_end()).await?;
        if args.update && !edits.is_empty() {
            std::fs::write(file, run::apply(&text, edits))
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        reports.push(report);
    }
    if let Some(file) = &args.junit {
        std::fs::write(file, junit(&reports)).with_context(|| format!("cannot write {}", file.display()))?;
    }
    context.printer.line(Report::summary(&reports)).await?;
    // A document in which nothing could be run shows nothing.
    let nothing = reports.iter().all(|report| report.cases.is_empty());
    if nothing {
        context
            .printer
            .talk("error: there is no manifest and no command in these documents")
            .await?;
    }
    let failed = reports.iter().any(|report| report.failed() > 0);
    Ok(i32::from(failed || nothing))
}

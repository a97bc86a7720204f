//! `podsim run -d`: the node in the background.
//!
//! A process cannot be split in two once it has threads, so podsim starts itself again with the same arguments. The child reads the
//! files, starts the node, creates the Pods, and tells the parent with one line on its stdout what came of it.

use super::{RunArgs, create, node_option, read, wait_all};
use crate::context::{Context, Target};
use crate::errors::{Failure, report};
use crate::local::LocalNode;
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// What the child tells.
#[derive(Serialize, Deserialize)]
enum Answer {
    Started { node: String, pid: u32, pods: Vec<String> },
    Failed { message: String, code: i32 },
}

/// The parent: starts the child and waits for its word.
pub(super) async fn spawn(context: &Context, args: &RunArgs) -> Result<i32> {
    let program = std::env::current_exe().context("cannot find podsim's own program")?;
    let mut command = Command::new(program);
    command
        .arg("run")
        .arg("--background")
        .arg(format!("--namespace={}", context.namespace));
    if let Some(file) = &args.node_config {
        command.arg("--node-config").arg(file);
    }
    command.arg("--backend").arg(args.backend.backend.name());
    if args.wait {
        command.arg("--background-wait");
    }
    command.arg("--").args(&args.files);
    let from_input = args.files.iter().any(|file| file == "-");
    if from_input {
        let message = "error: -d cannot read the manifest from the input: write it into a file";
        return Err(Failure::new(message).into());
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    // In a process group of its own, Ctrl-C in this terminal does not reach it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    // CREATE_NEW_PROCESS_GROUP: the same there.
    #[cfg(windows)]
    std::os::windows::process::CommandExt::creation_flags(&mut command, 0x200);
    let mut child = command.spawn().context("cannot start the background process")?;
    let stdout = child.stdout.take().context("the background process has no output")?;
    let first_line = move || {
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).map(|_| line)
    };
    let line = tokio::task::spawn_blocking(first_line).await??;
    let answer: Answer = serde_json::from_str(&line).map_err(|_| {
        Failure::new("error: the background process ended before the node was ready: try without -d to see why")
    })?;
    match answer {
        Answer::Started { node, pid, pods } => {
            for pod in pods {
                context.printer.line(format!("pod/{pod} created")).await?;
            }
            let option = node_option(&node);
            let talk = format!(
                "The node {node:?} runs in the background (process {pid}).\n\
                 See it with `podsim{option} get pods`, stop it with `podsim{option} node stop`."
            );
            context.printer.talk(talk).await?;
            Ok(0)
        }
        Answer::Failed { message, code } => Err(Failure { message, code }.into()),
    }
}

/// The child: runs the node until it is told to stop.
pub(super) async fn background(context: &Context, args: &RunArgs) -> Result<i32> {
    let started = start(context, args).await;
    let answer = match &started {
        Ok((node, pods)) => {
            let endpoint = node.endpoint();
            Answer::Started {
                node: endpoint.name.clone(),
                pid: endpoint.pid,
                pods: pods.clone(),
            }
        }
        Err(error) => {
            let (message, code) = report(error);
            Answer::Failed { message, code }
        }
    };
    // A parent that is gone has nothing to hear; the node runs all the same.
    let _ = context.printer.line(serde_json::to_string(&answer)?).await;
    let Ok((node, _)) = started else { return Ok(1) };
    tokio::select! {
        () = node.shutdown_requested() => {}
        () = context.terminal.interrupted() => {}
    }
    node.shutdown().await;
    Ok(0)
}

async fn start(context: &Context, args: &RunArgs) -> Result<(LocalNode, Vec<String>)> {
    let sources = read(context, args).await?;
    let node = LocalNode::start(args.node_config.as_deref(), args.backend.backend, None).await?;
    // Its talk is told by the parent.
    let context = Context {
        target: Target::Known(node.endpoint().clone()),
        ..context.clone()
    };
    let created = async {
        let client = context.client()?;
        let pods = create(&context, &client, &sources).await?;
        if args.background_wait {
            wait_all(&context, &client, &sources, &pods).await?;
        }
        Ok(pods.into_iter().map(|pod| pod.name).collect())
    };
    match created.await {
        Ok(pods) => Ok((node, pods)),
        Err(error) => {
            node.shutdown().await;
            Err(error)
        }
    }
}

//! `podsim run`: Pods from files, on a node of their own or on a running one.
//!
//! * [`follow`]: the life of one Pod: its logs, what keeps it from running, its end.
//! * [`detach`]: `-d`, the node in the background.
//! * [`virtual_time`]: `--clock=virtual`; [`trace`]: what is written of that.

mod detach;
mod follow;
mod trace;
mod virtual_time;

use crate::client::{Body, Client, is_not_found, while_doing};
use crate::cluster::{Endpoint, Registry};
use crate::context::{Context, Target};
use crate::errors::{Failure, report};
use crate::local::LocalNode;
use crate::manifests;
use crate::node::{Backend, BackendArgs, VirtualClock};
use crate::terminal::Stream;
use anyhow::Result;
use clap::Args;
use follow::{Follower, Identity};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use podsim_kubelet::unsupported_fields;
use podsim_store::kinds;
use podsim_store::manifest::{Diagnostic, Document, Position};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use virtual_time::ClockArgs;

/// Run the Pods in manifest files: create them, follow their logs, and exit as they do
///
/// Starts a node in this process; other terminals reach it (`podsim get pods`, `podsim exec …`). Ctrl-C deletes the Pods gracefully,
/// a second Ctrl-C at once. The exit code is 0 if all Pods succeeded or were deleted, else that of the failed container.
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// Leave the node running in the background
    #[arg(short, long)]
    detach: bool,
    /// With -d: return when every container runs, not before
    #[arg(long, requires = "detach")]
    wait: bool,
    /// The node's name, addresses, interfaces and Pod range
    #[arg(long, value_name = "FILE")]
    node_config: Option<PathBuf>,
    #[command(flatten)]
    backend: BackendArgs,
    #[command(flatten)]
    clock: ClockArgs,
    /// Manifests, YAML or JSON (- is the input)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// The background process itself: it tells its parent what came of it.
    #[arg(long, hide = true, conflicts_with = "detach")]
    background: bool,
    /// `--wait` for it.
    #[arg(long, hide = true)]
    background_wait: bool,
}

impl RunArgs {
    /// Is time virtual?
    pub(crate) fn is_virtual_time(&self) -> bool {
        self.clock.is_virtual()
    }

    /// Prepares the process for the node that it is going to run; looks whether another process can, with `-d`.
    pub(crate) fn prepare(&self) -> Result<Vec<String>> {
        self.clock.check()?;
        if self.clock.is_virtual() {
            if self.detach {
                return Err(
                    Failure::new("error: --clock=virtual is over before anybody could look: leave -d out").into(),
                );
            }
            if self.backend.backend != Backend::Virtual {
                return Err(Failure::new("error: --clock=virtual needs --backend=virtual").into());
            }
        }
        if self.detach {
            self.backend.backend.preflight()
        } else {
            self.backend.backend.prepare()
        }
    }
}

/// A manifest and the file that it is from.
pub(crate) struct Source {
    pub(crate) file: String,
    pub(crate) document: Document,
}

pub(crate) async fn run(context: &Context, args: &RunArgs, clock: Option<Arc<VirtualClock>>) -> Result<i32> {
    if let Some(clock) = clock {
        if matches!(context.target, Target::Running(Some(_))) {
            let message = "error: --clock=virtual is for a new node; the one that --node names runs already";
            return Err(Failure::new(message).into());
        }
        return virtual_time::run(context, args, clock).await;
    }
    if args.background {
        return detach::background(context, args).await;
    }
    // All complaints about the files come before anything is started.
    let sources = read(context, args).await?;
    if let Target::Running(Some(_)) = &context.target {
        if args.node_config.is_some() {
            let message = "error: --node-config is for a new node; the one that --node names runs already";
            return Err(Failure::new(message).into());
        }
        let client = context.client()?;
        let pods = create(context, &client, &sources).await?;
        return match (args.detach, args.wait) {
            (false, _) => follow_all(context, &client, &sources, pods).await,
            (true, true) => wait_all(context, &client, &sources, &pods).await.map(|()| 0),
            (true, false) => Ok(0),
        };
    }
    if args.detach {
        return detach::spawn(context, args).await;
    }
    let node = LocalNode::start(args.node_config.as_deref(), args.backend.backend, None).await?;
    let context = Context {
        target: Target::Known(node.endpoint().clone()),
        ..context.clone()
    };
    let result = async {
        let client = context.client()?;
        let pods = create(&context, &client, &sources).await?;
        hint(&context, node.endpoint(), &pods).await?;
        tokio::select! {
            code = follow_all(&context, &client, &sources, pods) => code,
            // `podsim node stop` in another terminal.
            () = node.shutdown_requested() => Ok(0),
        }
    }
    .await;
    node.shutdown().await;
    result
}

/// What other verbs need to find this node among several.
fn node_option(name: &str) -> String {
    let several = Registry::open()
        .and_then(|registry| registry.running())
        .is_ok_and(|nodes| nodes.len() > 1);
    if several {
        format!(" --node={name}")
    } else {
        String::new()
    }
}

/// Tells a person at a terminal what can be done now.
async fn hint(context: &Context, endpoint: &Endpoint, pods: &[Identity]) -> Result<()> {
    let Some(pod) = pods.first().filter(|_| context.terminal.is_tty(Stream::Stderr)) else {
        return Ok(());
    };
    let node = node_option(&endpoint.name);
    let talk = format!(
        "In another terminal: podsim{node} get pods, podsim{node} exec -it {} -- sh. Ctrl-C here deletes the Pod.",
        pod.name
    );
    context.printer.talk(talk).await?;
    Ok(())
}

async fn read(context: &Context, args: &RunArgs) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for file in &args.files {
        let documents = manifests::read_checked(context, file).await?;
        sources.extend(documents.into_iter().map(|document| Source {
            file: file.clone(),
            document,
        }));
    }
    refuse_duplicates(&sources)?;
    warn(context, &sources).await?;
    // What Pods may refer to comes first.
    sources.sort_by_key(|source| match source.document.kind() {
        kind if *kind == kinds::NAMESPACE => 0,
        kind if *kind == kinds::POD => 2,
        _ => 1,
    });
    Ok(sources)
}

/// Says which wishes of the manifests will not be fulfilled.
async fn warn(context: &Context, sources: &[Source]) -> Result<()> {
    for Source { file, document } in sources {
        for warning in document.pod().iter().flat_map(unsupported_fields) {
            let line = document.position(&warning.path).line;
            context
                .printer
                .talk(format!("warning: {file}:{line}: {warning}"))
                .await?;
        }
    }
    Ok(())
}

/// Creates the objects and gives the Pods among them. If one is refused, those that were created are removed again.
/// Two objects of one name would be found only when the first is there already.
fn refuse_duplicates(sources: &[Source]) -> Result<()> {
    let mut seen = BTreeMap::new();
    for source in sources {
        let document = &source.document;
        let key = (document.kind().singular, document.namespace(), document.name());
        if document.name().is_empty() {
            continue; // generateName
        }
        let position = document.position("metadata.name");
        if let Some((file, line)) = seen.insert(key, (&source.file, position.line)) {
            let message = format!(
                "metadata.name: Duplicate value: {:?} (first in {file}, line {line})",
                document.name()
            );
            return Err(complaint(source, position, message));
        }
    }
    Ok(())
}

/// A Pod that asks for a node that is not there would wait for ever.
async fn check_node_names(client: &Client, sources: &[Source]) -> Result<()> {
    let wanted = |source: &Source| source.document.value()["spec"]["nodeName"].as_str().map(str::to_owned);
    if !sources.iter().any(|source| wanted(source).is_some()) {
        return Ok(());
    }
    let mut names = BTreeSet::new();
    // A node that was just started registers itself in a moment.
    for _ in 0..100 {
        let nodes: Value = client.json("GET", "/api/v1/nodes", Body::None).await?;
        names = nodes["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|n| n["metadata"]["name"].as_str())
            .map(str::to_owned)
            .collect();
        if !names.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for source in sources {
        if let Some(name) = wanted(source).filter(|name| !names.contains(name)) {
            let there = names
                .iter()
                .map(|name| format!("{name:?}"))
                .collect::<Vec<_>>()
                .join(", ");
            let message = format!("spec.nodeName: there is no node {name:?} (there is {there})");
            return Err(complaint(source, source.document.position("spec.nodeName"), message));
        }
    }
    Ok(())
}

fn complaint(source: &Source, position: Position, message: String) -> anyhow::Error {
    let diagnostic = Diagnostic {
        file: source.file.clone(),
        position: Some(position),
        message,
        hint: None,
    };
    Failure::new(format!("error: {diagnostic}")).into()
}

async fn create(context: &Context, client: &Client, sources: &[Source]) -> Result<Vec<Identity>> {
    check_node_names(client, sources).await?;
    let (mut created, mut pods) = (Vec::new(), Vec::new());
    for (index, source) in sources.iter().enumerate() {
        let kind = source.document.kind();
        let namespace = source.document.namespace().unwrap_or(&context.namespace).to_owned();
        match client.create(kind, &namespace, source.document.value()).await {
            Ok(object) => {
                let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
                context
                    .printer
                    .talk(format!("{}/{} created", kind.singular, text("name")))
                    .await?;
                created.push((kind, namespace.clone(), text("name")));
                if *kind == kinds::POD {
                    let version = text("resourceVersion");
                    pods.push(Identity {
                        namespace,
                        name: text("name"),
                        uid: text("uid"),
                        version,
                        source: index,
                    });
                }
            }
            Err(error) => {
                for (kind, namespace, name) in created.iter().rev() {
                    match client.delete(kind, namespace, name, Some(0)).await {
                        Err(error) if !is_not_found(&error) => context.printer.talk(report(&error).0).await?,
                        _ => {}
                    }
                }
                return Err(while_doing(error, format!("error when creating \"{}\"", source.file)));
            }
        }
    }
    Ok(pods)
}

/// Follows all Pods to their end. Ctrl-C deletes them.
async fn follow_all(context: &Context, client: &Client, sources: &[Source], pods: Vec<Identity>) -> Result<i32> {
    if pods.is_empty() {
        context
            .printer
            .talk("There is no Pod in it; the node runs until Ctrl-C.")
            .await?;
        context.terminal.interrupted().await;
        return Ok(0);
    }
    let several = pods.len() > 1;
    let followers: Vec<Follower<'_>> = pods
        .iter()
        .enumerate()
        .map(|(index, pod)| Follower::new(context, client, sources.get(pod.source), pod, several, index))
        .collect();
    // A Pod that cannot run is told of at once; the others go on.
    let ends = followers
        .iter()
        .map(async |follower: &Follower<'_>| match follower.run().await {
            Ok(code) => Ok(code),
            Err(error) => {
                let (message, code) = report(&error);
                context.printer.talk(message).await.map(|()| code)
            }
        });
    let ends = ends.collect::<FuturesUnordered<_>>().collect::<Vec<_>>();
    let interrupts = async {
        context.terminal.interrupted().await;
        let names: Vec<String> = pods.iter().map(|pod| format!("pod/{}", pod.name)).collect();
        let talk = format!("\nDeleting {}; Ctrl-C again kills at once", names.join(", "));
        context.printer.talk(talk).await?;
        delete(client, &pods, None).await?;
        context.terminal.interrupted().await;
        delete(client, &pods, Some(0)).await?;
        // The followers see the end.
        std::future::pending::<Result<Infallible>>().await
    };
    let ends = tokio::select! {
        ends = ends => ends,
        error = interrupts => match error? {},
    };
    // The first exit code that is not 0.
    let mut code = 0;
    for end in ends {
        let end = end?;
        if code == 0 {
            code = end;
        }
    }
    Ok(code)
}

/// Waits until every container of the Pods runs (or has run).
async fn wait_all(context: &Context, client: &Client, sources: &[Source], pods: &[Identity]) -> Result<()> {
    for (index, pod) in pods.iter().enumerate() {
        Follower::new(context, client, sources.get(pod.source), pod, true, index)
            .until_running()
            .await?;
    }
    Ok(())
}

async fn delete(client: &Client, pods: &[Identity], grace: Option<i64>) -> Result<()> {
    for pod in pods {
        match client.delete(&kinds::POD, &pod.namespace, &pod.name, grace).await {
            Err(error) if !is_not_found(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

//! `podsim delete`, `kubectl delete`.

use crate::client::{Client, Query, collection_path, is_not_found};
use crate::commands::logs::parse_seconds;
use crate::context::Context;
use crate::errors::{Failure, report};
use crate::manifests;
use crate::selection::{Selection, parse};
use anyhow::Result;
use clap::Args;
use futures_util::{AsyncBufReadExt, StreamExt};
use podsim_store::{Kind, kinds};
use serde_json::Value;
use std::time::Duration;

/// Delete objects; a Pod is stopped gracefully: preStop, SIGTERM, and SIGKILL when its time is over
#[derive(Args, Debug, Default)]
pub(crate) struct DeleteArgs {
    /// The objects in this file (- is the input)
    #[arg(short, long, value_name = "FILE")]
    filename: Vec<String>,
    /// Seconds that a Pod has to end; by default what its manifest says (30)
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    grace_period: Option<i64>,
    /// At once, without waiting for the node's word (with --grace-period=0)
    #[arg(long)]
    force: bool,
    /// Quickly: a grace period of one second
    #[arg(long, conflicts_with = "force")]
    now: bool,
    /// Wait until the objects are gone
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set, hide_default_value = true)]
    wait: bool,
    /// How long to wait at most, as 30s; 0 is for ever
    #[arg(long, value_name = "DURATION", default_value = "0s", hide_default_value = true)]
    timeout: String,
    /// All objects of the kind
    #[arg(long)]
    all: bool,
    /// Objects with these labels
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// What is not there is no error
    #[arg(long)]
    ignore_not_found: bool,
    /// What: `pod NAME…` or `pod/NAME…`
    #[arg(value_name = "TYPE NAME")]
    what: Vec<String>,
}

struct Doomed {
    kind: &'static Kind,
    namespace: String,
    name: String,
    uid: String,
}

pub(crate) async fn run(context: &Context, args: &DeleteArgs) -> Result<i32> {
    let grace = match (args.force, args.now, args.grace_period) {
        (_, true, _) => Some(1),
        (true, _, None) => Some(0),
        (_, _, grace) => grace.filter(|grace| *grace >= 0),
    };
    // As kubectl: without --force, 0 becomes 1, so that nothing is lost by accident.
    let grace = if grace == Some(0) && !args.force {
        Some(1)
    } else {
        grace
    };
    let timeout = Some(parse_seconds(&args.timeout)?)
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs);
    let client = context.client()?;
    let mut errors = Vec::new();
    let objects = find(context, &client, args, &mut errors).await?;
    if args.force && !objects.is_empty() {
        let talk = "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.";
        context.printer.talk(talk).await?;
    }
    let mut doomed = Vec::new();
    for (kind, namespace, name) in objects {
        match client.delete(kind, &namespace, &name, grace).await {
            Ok(answer) => {
                let force = if args.force { " force" } else { "" };
                context
                    .printer
                    .line(format!("{} \"{name}\"{force} deleted", kind.singular))
                    .await?;
                let uid = answer["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
                doomed.push(Doomed {
                    kind,
                    namespace,
                    name,
                    uid,
                });
            }
            Err(error) if args.ignore_not_found && is_not_found(&error) => {}
            Err(error) => errors.push(report(&error).0),
        }
    }
    if args.wait && !args.force {
        for one in &doomed {
            let gone = until_gone(&client, one);
            let waited = match timeout {
                Some(timeout) => tokio::time::timeout(timeout, gone).await,
                None => Ok(gone.await),
            };
            match waited {
                Ok(result) => result?,
                Err(_) => {
                    let what = format!("{}/{}", one.kind.plural, one.name);
                    errors.push(format!("error: timed out waiting for the condition on {what}"));
                }
            }
        }
    }
    for error in &errors {
        context.printer.talk(error).await?;
    }
    Ok(i32::from(!errors.is_empty()))
}

/// What is to be deleted, by kind, namespace and name.
async fn find(
    context: &Context,
    client: &Client,
    args: &DeleteArgs,
    errors: &mut Vec<String>,
) -> Result<Vec<(&'static Kind, String, String)>> {
    let mut found = Vec::new();
    for file in &args.filename {
        for manifest in manifests::read(context, file).await? {
            let namespace = manifest.namespace().unwrap_or(&context.namespace).to_owned();
            found.push((manifest.kind(), namespace, manifest.name().to_owned()));
        }
    }
    if args.what.is_empty() && !args.filename.is_empty() {
        return Ok(found);
    }
    for Selection { kind, names } in parse(&args.what)? {
        if !names.is_empty() {
            found.extend(names.into_iter().map(|name| (kind, context.namespace.clone(), name)));
            continue;
        }
        if !args.all && args.selector.is_none() {
            let message = "error: resource(s) were provided, but no name was specified: give names, -l or --all";
            return Err(Failure::new(message).into());
        }
        let mut query = Query::default();
        if let Some(labels) = &args.selector {
            query.add("labelSelector", labels);
        }
        let objects = client.list(kind, Some(&context.namespace), &query).await?;
        if objects.is_empty() && !args.ignore_not_found {
            errors.push("No resources found".to_owned());
        }
        let text = |object: &Value, key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
        found.extend(
            objects
                .iter()
                .map(|object| (kind, text(object, "namespace"), text(object, "name"))),
        );
    }
    Ok(found)
}

/// Waits until the object is gone, or is another one of the same name.
async fn until_gone(client: &Client, one: &Doomed) -> Result<()> {
    // Namespaces and the like are gone when the answer comes; one look tells.
    loop {
        let Some(object) = client.find(one.kind, &one.namespace, &one.name).await? else {
            return Ok(());
        };
        let metadata = &object["metadata"];
        if !one.uid.is_empty() && metadata["uid"] != *one.uid {
            return Ok(());
        }
        let mut query = Query::default();
        query.add("watch", true);
        query.add("fieldSelector", format!("metadata.name={}", one.name));
        query.add("resourceVersion", metadata["resourceVersion"].as_str().unwrap_or("0"));
        let path = format!("{}{}", collection_path(one.kind, Some(&one.namespace)), query.text());
        let mut events = client.stream(&path, "application/json").await?.lines();
        while let Some(line) = events.next().await {
            let event: Value = serde_json::from_str(&line?)?;
            if event["type"] == "DELETED" || event["type"] == "ERROR" {
                break;
            }
        }
    }
}

/// Deletes a Pod and waits until it is gone: the end of `podsim run`.
pub(crate) async fn delete_pod(client: &Client, namespace: &str, name: &str, uid: &str) -> Result<()> {
    match client.delete(&kinds::POD, namespace, name, None).await {
        Ok(_) => {}
        Err(error) if is_not_found(&error) => return Ok(()),
        Err(error) => return Err(error),
    }
    let one = Doomed {
        kind: &kinds::POD,
        namespace: namespace.into(),
        name: name.into(),
        uid: uid.into(),
    };
    until_gone(client, &one).await
}

//! `podsim describe`, `kubectl describe`.

use crate::client::{Client, Query};
use crate::context::Context;
use crate::errors::{Failure, report};
use crate::output::describe;
use crate::output::yaml;
use crate::selection::parse;
use anyhow::Result;
use clap::Args;
use podsim_store::{Kind, kinds};
use serde_json::Value;

/// Show all about a Pod or a node, with its events
#[derive(Args, Debug)]
pub(crate) struct DescribeArgs {
    /// Objects with these labels
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// Which: `pod NAME`, `pod/NAME`, `node NAME`
    #[arg(required = true, value_name = "TYPE [NAME]")]
    what: Vec<String>,
}

pub(crate) async fn run(context: &Context, args: &DescribeArgs) -> Result<i32> {
    let client = context.client()?;
    let (mut printed, mut errors) = (false, Vec::new());
    for selection in parse(&args.what)? {
        let mut objects = Vec::new();
        for name in &selection.names {
            match find(&client, context, selection.kind, name).await {
                Ok(found) => objects.extend(found),
                Err(error) => errors.push(report(&error).0),
            }
        }
        if selection.names.is_empty() {
            let mut query = Query::default();
            if let Some(labels) = &args.selector {
                query.add("labelSelector", labels);
            }
            objects = client.list(selection.kind, Some(&context.namespace), &query).await?;
        }
        for object in &objects {
            if printed {
                context.printer.data("\n\n").await?;
            }
            context
                .printer
                .data(text(&client, context, selection.kind, object).await?)
                .await?;
            printed = true;
        }
    }
    for error in &errors {
        context.printer.talk(error).await?;
    }
    if !printed && errors.is_empty() {
        context
            .printer
            .talk(format!("No resources found in {} namespace.", context.namespace))
            .await?;
    }
    Ok(i32::from(!errors.is_empty()))
}

/// The object of this name, or those whose names begin with it, as kubectl.
async fn find(client: &Client, context: &Context, kind: &'static Kind, name: &str) -> Result<Vec<Value>> {
    match client.get(kind, &context.namespace, name).await {
        Ok(object) => Ok(vec![object]),
        Err(error) if crate::client::is_not_found(&error) => {
            let all = client.list(kind, Some(&context.namespace), &Query::default()).await?;
            let begins = |object: &Value| object["metadata"]["name"].as_str().is_some_and(|n| n.starts_with(name));
            let found: Vec<Value> = all.into_iter().filter(begins).collect();
            if found.is_empty() { Err(error) } else { Ok(found) }
        }
        Err(error) => Err(error),
    }
}

async fn text(client: &Client, context: &Context, kind: &'static Kind, object: &Value) -> Result<String> {
    let now = context.terminal.now();
    match kind.kind {
        "Pod" => {
            let events = events(client, object).await?;
            Ok(describe::pod(object, &events, now))
        }
        "Node" => {
            let mut query = Query::default();
            query.add(
                "fieldSelector",
                format!(
                    "spec.nodeName={}",
                    object["metadata"]["name"].as_str().unwrap_or_default()
                ),
            );
            let pods = client.list(&kinds::POD, None, &query).await?;
            let events = events(client, object).await?;
            Ok(describe::node(object, &pods, &events, now))
        }
        "Event" => Ok(yaml::document(object)),
        _ if kind.kind == "Secret" => {
            Err(Failure::new("error: describing secrets is not supported: use `get secret NAME -o yaml`").into())
        }
        _ => Ok(describe::other(object)),
    }
}

async fn events(client: &Client, object: &Value) -> Result<Vec<Value>> {
    let metadata = &object["metadata"];
    let mut fields = format!("involvedObject.name={}", metadata["name"].as_str().unwrap_or_default());
    if let Some(namespace) = metadata["namespace"].as_str() {
        fields.push_str(&format!(",involvedObject.namespace={namespace}"));
    }
    // Events of a node carry its name as uid, so only Pods are told apart by it.
    if object["kind"] == "Pod" {
        fields.push_str(&format!(
            ",involvedObject.uid={}",
            metadata["uid"].as_str().unwrap_or_default()
        ));
    }
    let mut query = Query::default();
    query.add("fieldSelector", fields);
    let mut events = client
        .list(&kinds::EVENT, metadata["namespace"].as_str(), &query)
        .await?;
    let time = |event: &Value| {
        event["lastTimestamp"]
            .as_str()
            .or(event["eventTime"].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    events.sort_by_key(time);
    Ok(events)
}

//! `podsim wait`, `kubectl wait`.

use crate::client::{Client, Query, collection_path};
use crate::commands::logs::parse_seconds;
use crate::context::Context;
use crate::errors::Failure;
use crate::output::jsonpath::JsonPath;
use crate::selection::parse;
use anyhow::Result;
use clap::Args;
use futures_util::{AsyncBufReadExt, StreamExt};
use podsim_store::Kind;
use serde_json::Value;
use std::time::Duration;

/// Wait until an object is as it should be
///
/// `podsim wait --for=condition=Ready pod/web`, `--for=delete`, `--for=jsonpath='{.status.phase}'=Succeeded`.
#[derive(Args, Debug)]
pub(crate) struct WaitArgs {
    /// condition=NAME[=VALUE], delete, create, or jsonpath='{.path}'[=VALUE]
    #[arg(long = "for", value_name = "WHAT")]
    condition: String,
    /// How long to wait at most
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    timeout: String,
    /// All objects of the kind
    #[arg(long)]
    all: bool,
    /// Objects with these labels
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// Which: `pod/NAME…` or `pod NAME…`
    #[arg(required = true, value_name = "TYPE/NAME")]
    what: Vec<String>,
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq)]
enum Condition {
    Status { name: String, status: String },
    Path { path: JsonPath, value: Option<String> },
    Delete,
    Create,
}

impl Condition {
    fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            let message = format!(
                "error: unrecognized condition: {text:?}: write condition=Ready, delete, create or jsonpath='{{.status.phase}}'=Running"
            );
            Failure::new(message)
        };
        match text.split_once('=') {
            None if text == "delete" => Ok(Self::Delete),
            None if text == "create" => Ok(Self::Create),
            Some(("condition", rest)) if !rest.is_empty() => {
                let (name, status) = rest.split_once('=').unwrap_or((rest, "True"));
                Ok(Self::Status {
                    name: name.to_lowercase(),
                    status: status.to_lowercase(),
                })
            }
            Some(("jsonpath", rest)) => {
                // The value follows the braces; without braces, the first `=`.
                let (path, value) = match rest.rfind('}').map(|end| rest.split_at(end + 1)) {
                    Some((path, tail)) => (path, tail.strip_prefix('=')),
                    None => rest
                        .split_once('=')
                        .map_or((rest, None), |(path, value)| (path, Some(value))),
                };
                let path = JsonPath::parse(path).map_err(|why| Failure::new(format!("error: {why}")))?;
                Ok(Self::Path {
                    path,
                    value: value.map(str::to_owned),
                })
            }
            _ => Err(wrong().into()),
        }
    }

    /// Whether an object that is there is as it should be.
    fn holds(&self, object: &Value) -> bool {
        match self {
            Self::Delete => false,
            Self::Create => true,
            Self::Status { name, status } => {
                object["status"]["conditions"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|condition| {
                        let text = |key: &str| condition[key].as_str().unwrap_or_default().to_lowercase();
                        text("type") == *name && text("status") == *status
                    })
            }
            Self::Path { path, value } => match (path.find(object), value) {
                (None, _) => false,
                (Some(_), None) => true,
                (Some(Value::String(text)), Some(value)) => text == value,
                (Some(found), Some(value)) => {
                    let text = found.to_string();
                    text == *value
                }
            },
        }
    }
}

pub(crate) async fn run(context: &Context, args: &WaitArgs) -> Result<i32> {
    let condition = Condition::parse(&args.condition)?;
    let timeout = Duration::from_secs(parse_seconds(&args.timeout)?);
    let client = context.client()?;
    let mut objects = Vec::new();
    for selection in parse(&args.what)? {
        let mut names = selection.names;
        if names.is_empty() {
            if !args.all && args.selector.is_none() {
                return Err(Failure::new("error: give names, -l or --all").into());
            }
            let mut query = Query::default();
            if let Some(labels) = &args.selector {
                query.add("labelSelector", labels);
            }
            let found = client.list(selection.kind, Some(&context.namespace), &query).await?;
            names = found
                .iter()
                .filter_map(|object| object["metadata"]["name"].as_str().map(str::to_owned))
                .collect();
            if names.is_empty() && condition != Condition::Delete {
                return Err(Failure::new("error: no matching resources found").into());
            }
        }
        objects.extend(names.into_iter().map(|name| (selection.kind, name)));
    }
    for (kind, name) in objects {
        let met = wait_for(&client, kind, &context.namespace, &name, &condition);
        match tokio::time::timeout(timeout, met).await {
            Ok(result) => result?,
            Err(_) => {
                let what = format!("{}/{name}", kind.plural);
                return Err(Failure::new(format!("error: timed out waiting for the condition on {what}")).into());
            }
        }
        let words = if condition == Condition::Delete {
            "deleted"
        } else {
            "condition met"
        };
        context
            .printer
            .line(format!("{}/{name} {words}", kind.singular))
            .await?;
    }
    Ok(0)
}

async fn wait_for(
    client: &Client,
    kind: &'static Kind,
    namespace: &str,
    name: &str,
    condition: &Condition,
) -> Result<()> {
    let mut first = true;
    loop {
        let mut query = Query::default();
        query.add("watch", true);
        query.add("fieldSelector", format!("metadata.name={name}"));
        match client.find(kind, namespace, name).await? {
            None if *condition == Condition::Delete => return Ok(()),
            // As kubectl: what is not there cannot be waited for.
            None if *condition != Condition::Create && first => drop(client.get(kind, namespace, name).await?),
            None => {}
            Some(object) if condition.holds(&object) => return Ok(()),
            // From this version on, so that nothing is missed in between.
            Some(object) => query.add(
                "resourceVersion",
                object["metadata"]["resourceVersion"].as_str().unwrap_or("0"),
            ),
        }
        first = false;
        let path = format!("{}{}", collection_path(kind, Some(namespace)), query.text());
        let mut events = client.stream(&path, "application/json").await?.lines();
        while let Some(line) = events.next().await {
            let event: Value = serde_json::from_str(&line?)?;
            match event["type"].as_str() {
                Some("DELETED") if *condition == Condition::Delete => return Ok(()),
                Some("ADDED" | "MODIFIED") if condition.holds(&event["object"]) => return Ok(()),
                Some("ERROR") => break,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn conditions_hold_as_kubectl_says() {
        let pod = json!({"status": {
            "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}, {"type": "X", "status": "False"}],
        }});
        for (text, holds) in [
            ("condition=Ready", true),
            ("condition=ready=true", true),
            ("condition=X", false),
            ("condition=X=False", true),
            ("jsonpath={.status.phase}=Running", true),
            ("jsonpath={.status.phase}=Failed", false),
            ("jsonpath={.status.phase}", true),
            ("jsonpath=.status.conditions[0].type=Ready", true),
            ("delete", false),
        ] {
            assert_eq!(Condition::parse(text).unwrap().holds(&pod), holds, "{text}");
        }
        assert!(Condition::parse("ready").is_err());
    }
}

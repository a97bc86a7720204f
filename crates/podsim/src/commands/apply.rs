//! `podsim apply`, `kubectl apply -f`.
//!
//! As kubectl's client-side apply: what was applied is kept in an annotation, and the next apply sends the difference.

use crate::client::{Body, Client, object_path, while_doing};
use crate::commands::create::dry_run;
use crate::context::Context;
use crate::errors::report;
use crate::manifests;
use anyhow::Result;
use clap::Args;
use podsim_store::manifest::Document;
use serde_json::{Map, Value, json};

/// Create the objects in a file, or change them to what the file says
#[derive(Args, Debug)]
pub(crate) struct ApplyArgs {
    /// The file, YAML or JSON (- is the input)
    #[arg(short, long, value_name = "FILE", required = true)]
    filename: Vec<String>,
    /// `client`: only say what would be done
    #[arg(long, value_name = "WHERE", num_args = 0..=1, default_missing_value = "client")]
    dry_run: Option<String>,
}

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

pub(crate) async fn run(context: &Context, args: &ApplyArgs) -> Result<i32> {
    let dry_run = dry_run(args.dry_run.as_deref())?;
    let client = context.client()?;
    let mut code = 0;
    for file in &args.filename {
        for document in manifests::read_checked(context, file).await? {
            match apply(&client, &context.namespace, &document, dry_run).await {
                Ok(what) => {
                    let what = if dry_run {
                        format!("{what} (dry run)")
                    } else {
                        what.to_owned()
                    };
                    let singular = document.kind().singular;
                    context
                        .printer
                        .line(format!("{singular}/{} {what}", document.name()))
                        .await?;
                }
                Err(error) => {
                    let error = while_doing(error, format!("error when applying \"{file}\""));
                    context.printer.talk(report(&error).0).await?;
                    code = 1;
                }
            }
        }
    }
    Ok(code)
}

/// Applies one object and says what that did.
async fn apply(client: &Client, namespace: &str, document: &Document, dry_run: bool) -> Result<&'static str> {
    let (kind, namespace) = (document.kind(), document.namespace().unwrap_or(namespace));
    let wanted = with_annotation(document.value(), namespace, kind.namespaced);
    let Some(current) = client.find(kind, namespace, document.name()).await? else {
        if !dry_run {
            client.create(kind, namespace, &wanted).await?;
        }
        return Ok("created");
    };
    let last = current["metadata"]["annotations"][LAST_APPLIED].as_str();
    let last: Value = last
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let mut patch = wanted.clone();
    remove_dropped(&mut patch, &last);
    if dry_run {
        return Ok("configured");
    }
    let path = object_path(kind, namespace, document.name());
    let changed: Value = client.json("PATCH", &path, Body::StrategicPatch(&patch)).await?;
    let same = changed["metadata"]["resourceVersion"] == current["metadata"]["resourceVersion"];
    Ok(if same { "unchanged" } else { "configured" })
}

/// The object with itself in the annotation, in kubectl's form: with its namespace, and a line feed at the end.
fn with_annotation(object: &Value, namespace: &str, namespaced: bool) -> Value {
    let mut object = object.clone();
    object["metadata"]["annotations"] = match object["metadata"]["annotations"].take() {
        Value::Object(annotations) => Value::Object(annotations),
        _ => Value::Object(Map::new()),
    };
    if namespaced {
        object["metadata"]["namespace"] = json!(namespace);
    }
    if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
        annotations.remove(LAST_APPLIED);
    }
    let text = format!("{object}\n");
    object["metadata"]["annotations"][LAST_APPLIED] = json!(text);
    object
}

/// What the last apply had and this one has not is to be removed: null in a patch.
fn remove_dropped(patch: &mut Value, last: &Value) {
    let (Value::Object(patch), Value::Object(last)) = (patch, last) else {
        return;
    };
    for (key, old) in last {
        match patch.get_mut(key) {
            Some(new) => remove_dropped(new, old),
            None => _ = patch.insert(key.clone(), Value::Null),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_last_apply_had_and_this_one_has_not_is_removed() {
        let mut patch = json!({"metadata": {"labels": {"a": "1"}}});
        remove_dropped(
            &mut patch,
            &json!({"metadata": {"labels": {"a": "0", "b": "2"}}, "spec": {"x": 1}}),
        );
        assert_eq!(
            patch,
            json!({"metadata": {"labels": {"a": "1", "b": null}}, "spec": null})
        );
    }
}

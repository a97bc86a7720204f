//! `podsim explain`: what acts on the Pod, what on a container, and what podsim does with it.

use crate::commands::explain_fields;
use crate::context::Context;
use crate::errors::Failure;
use crate::manifests;
use crate::output::tabwriter;
use anyhow::Result;
use clap::Args;
use podsim_cri::UtsNamespace;
use podsim_kubelet::explain::{Explained, explain};
use podsim_kubelet::fields::{Level, Support};
use podsim_kubelet::namespaces::decisions;
use podsim_store::manifest::Document;
use serde_json::{Value, json};

/// Explain a manifest: which fields belong to the Pod, which to a container, and what each does here
///
/// Reads the files only; no node is needed.
#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// All fields that there are, and whether each is enforced, recorded or refused
    #[arg(long, conflicts_with = "files")]
    fields: bool,
    /// table or json; for --fields also markdown
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: String,
    /// Manifests, YAML or JSON (- is the input)
    #[arg(required_unless_present = "fields", value_name = "FILE")]
    files: Vec<String>,
}

pub(crate) async fn run(context: &Context, args: &ExplainArgs) -> Result<i32> {
    if args.fields {
        let text = explain_fields::text(&args.output)?;
        context.printer.data(text).await?;
        return Ok(0);
    }
    let (mut text, mut all) = (String::new(), Vec::new());
    for file in &args.files {
        for document in manifests::read_checked(context, file).await? {
            match args.output.as_str() {
                "json" => all.push(as_json(file, &document)),
                "table" => {
                    if !text.is_empty() {
                        text.push('\n');
                    }
                    text.push_str(&as_table(file, &document));
                }
                other => return Err(Failure::new(format!("error: the format {other:?} is not table or json")).into()),
            }
        }
    }
    if args.output == "json" {
        text = crate::output::json::pretty(&all) + "\n";
    }
    context.printer.data(text).await?;
    Ok(0)
}

/// What podsim does with the field.
fn does(explained: &Explained) -> String {
    match explained.field.support {
        Support::Enforced => explained.field.note.to_owned(),
        other => format!("({}) {}", other.name(), explained.field.note),
    }
}

fn as_table(file: &str, document: &Document) -> String {
    let mut out = format!("{}/{} ({file})\n", document.kind().singular, document.name());
    let Some(pod) = document.pod() else {
        out.push_str("  is kept by the API server; Pods can refer to it\n");
        return out;
    };
    let mut fields = explain(document.value());
    // In the order of the file.
    fields.sort_by_key(|explained| document.position(&explained.path).line);
    for (level, title) in [
        (Level::Object, "Of any object"),
        (Level::Pod, "Pod level: one setting for all containers"),
        (Level::Container, "Container level"),
    ] {
        let mut rows = vec![vec![format!("\n{title}")]];
        for explained in fields.iter().filter(|explained| explained.field.level == level) {
            let line = document.position(&explained.path).line;
            let namespace = explained
                .field
                .namespace
                .map(|kind| format!(" [{} namespace]", kind.name()));
            let does = does(explained) + &namespace.unwrap_or_default();
            rows.push(vec![format!("  {}", explained.path), format!("line {line}"), does]);
        }
        if rows.len() > 1 {
            out.push_str(&tabwriter::table(&rows, 0, 2));
        }
    }
    let mut rows = vec![vec!["\nNamespaces".to_owned()]];
    for decision in decisions(&pod.spec.unwrap_or_default(), UtsNamespace::default()) {
        let whose = decision.sharing.name();
        rows.push(vec![
            format!("  {}", decision.kind.name()),
            whose.to_owned(),
            decision.decided_by.to_owned(),
        ]);
    }
    out + &tabwriter::table(&rows, 0, 2)
}

fn as_json(file: &str, document: &Document) -> Value {
    let fields: Vec<Value> = explain(document.value())
        .iter()
        .map(|explained| {
            json!({
                "path": explained.path,
                "line": document.position(&explained.path).line,
                "level": explained.field.level.name(),
                "support": explained.field.support.name(),
                "namespace": explained.field.namespace.map(|kind| kind.name()),
                "note": explained.field.note,
            })
        })
        .collect();
    json!({"file": file, "kind": document.kind().kind, "name": document.name(), "fields": fields})
}

//! `podsim get`, `kubectl get`.
//!
//! The columns are the server's: it is asked for a `Table`, as kubectl does, and only laid out here.

use crate::client::{Body, Client, Query, collection_path, object_path};
use crate::context::Context;
use crate::errors::{Failure, report};
use crate::output::{json, yaml};
use crate::selection::{Selection, parse};
use anyhow::Result;
use clap::Args;
use futures_util::{AsyncBufReadExt, StreamExt};
use serde_json::{Value, json};

/// List objects: Pods, nodes, events, …
///
/// `podsim get pods`, `podsim get pod NAME -o yaml`, `podsim get pods -w`, `podsim get events`.
#[derive(Args, Debug, Default)]
pub(crate) struct GetArgs {
    /// How to print: wide, name, json or yaml
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<String>,
    /// Go on and print what changes
    #[arg(short, long)]
    watch: bool,
    /// Only what changes from now on
    #[arg(long)]
    watch_only: bool,
    /// Objects of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only objects with these labels, as app=web,tier!=db
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// Only objects with these fields, as status.phase=Running
    #[arg(long, value_name = "FIELDS")]
    field_selector: Option<String>,
    /// No line with the columns' names
    #[arg(long)]
    no_headers: bool,
    /// A column with the labels
    #[arg(long)]
    show_labels: bool,
    /// Nothing is no error
    #[arg(long)]
    ignore_not_found: bool,
    /// What: pods, nodes, namespaces, events, configmaps, secrets, serviceaccounts, services; or TYPE/NAME
    #[arg(value_name = "TYPE [NAME]")]
    what: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Table { wide: bool },
    Name,
    Json,
    Yaml,
}

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

pub(crate) async fn run(context: &Context, args: &GetArgs) -> Result<i32> {
    let format = parse_format(args.output.as_deref())?;
    let selections = parse(&args.what)?;
    let client = context.client()?;
    if args.watch || args.watch_only {
        let [selection] = selections.as_slice() else {
            return Err(Failure::new("error: you may only watch one kind at a time").into());
        };
        return watch(context, &client, args, format, selection).await;
    }
    match format {
        Format::Table { wide } => tables(context, &client, args, wide, &selections).await,
        _ => objects(context, &client, args, format, &selections).await,
    }
}

fn parse_format(output: Option<&str>) -> Result<Format> {
    match output {
        None | Some("") => Ok(Format::Table { wide: false }),
        Some("wide") => Ok(Format::Table { wide: true }),
        Some("name") => Ok(Format::Name),
        Some("json") => Ok(Format::Json),
        Some("yaml") => Ok(Format::Yaml),
        Some(other) => {
            let message = format!(
                "error: unable to match a printer suitable for the output format {other:?}, allowed formats are: json,name,wide,yaml"
            );
            Err(Failure::new(message).into())
        }
    }
}

impl GetArgs {
    fn query(&self) -> Query {
        let mut query = Query::default();
        if let Some(labels) = &self.selector {
            query.add("labelSelector", labels);
        }
        if let Some(fields) = &self.field_selector {
            query.add("fieldSelector", fields);
        }
        query
    }

    fn namespace<'a>(&self, context: &'a Context) -> Option<&'a str> {
        (!self.all_namespaces).then_some(context.namespace.as_str())
    }

    /// The paths of what is asked for, one for each name.
    fn paths(&self, context: &Context, selection: &Selection) -> Vec<String> {
        if selection.names.is_empty() {
            return vec![format!(
                "{}{}",
                collection_path(selection.kind, self.namespace(context)),
                self.query().text()
            )];
        }
        selection
            .names
            .iter()
            .map(|name| object_path(selection.kind, &context.namespace, name))
            .collect()
    }
}

async fn tables(
    context: &Context,
    client: &Client,
    args: &GetArgs,
    wide: bool,
    selections: &[Selection],
) -> Result<i32> {
    let (mut printed, mut errors) = (false, Vec::new());
    for selection in selections {
        let mut rows = Vec::new();
        for path in args.paths(context, selection) {
            let table: Result<Value> = async {
                Ok(serde_json::from_str(
                    &client.text("GET", &path, Body::None, TABLE).await?,
                )?)
            }
            .await;
            match table {
                Ok(table) => {
                    let layout = Layout::new(args, selection, wide, selections.len() > 1);
                    let new = layout.rows(&table, rows.is_empty() && !args.no_headers);
                    rows.extend(new);
                }
                Err(error) if args.ignore_not_found && crate::client::is_not_found(&error) => {}
                Err(error) => errors.push(report(&error).0),
            }
        }
        // A header alone is an empty list.
        if rows.len() > usize::from(!args.no_headers) {
            if printed {
                context.printer.line("").await?;
            }
            context.printer.table(&rows).await?;
            printed = true;
        }
    }
    for error in &errors {
        context.printer.talk(error).await?;
    }
    if !printed && errors.is_empty() && !args.ignore_not_found {
        let everywhere = args.all_namespaces || selections.iter().all(|selection| !selection.kind.namespaced);
        let place = if everywhere {
            String::new()
        } else {
            format!(" in {} namespace", context.namespace)
        };
        let end = if everywhere { "" } else { "." };
        context.printer.talk(format!("No resources found{place}{end}")).await?;
    }
    Ok(i32::from(!errors.is_empty()))
}

/// Which cells of a table are shown.
struct Layout {
    wide: bool,
    namespace: bool,
    labels: bool,
    prefix: String,
}

impl Layout {
    fn new(args: &GetArgs, selection: &Selection, wide: bool, several: bool) -> Self {
        Self {
            wide,
            namespace: args.all_namespaces && selection.kind.namespaced,
            labels: args.show_labels,
            prefix: if several {
                format!("{}/", selection.kind.singular)
            } else {
                String::new()
            },
        }
    }

    fn rows(&self, table: &Value, header: bool) -> Vec<Vec<String>> {
        let columns = table["columnDefinitions"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        self.rows_with(table, columns, header)
    }

    fn rows_with(&self, table: &Value, columns: &[Value], header: bool) -> Vec<Vec<String>> {
        let shown: Vec<bool> = columns
            .iter()
            .map(|column| self.wide || column["priority"] == 0)
            .collect();
        let mut rows = Vec::new();
        if header {
            let mut row: Vec<String> = self.namespace.then(|| "NAMESPACE".to_owned()).into_iter().collect();
            let names = columns.iter().zip(&shown).filter(|(_, shown)| **shown);
            row.extend(names.map(|(column, _)| cell(&column["name"]).to_uppercase()));
            row.extend(self.labels.then(|| "LABELS".to_owned()));
            rows.push(row);
        }
        for line in table["rows"].as_array().into_iter().flatten() {
            let metadata = &line["object"]["metadata"];
            let mut row: Vec<String> = self
                .namespace
                .then(|| cell(&metadata["namespace"]))
                .into_iter()
                .collect();
            let first = row.len();
            let cells = line["cells"]
                .as_array()
                .into_iter()
                .flatten()
                .zip(&shown)
                .filter(|(_, shown)| **shown);
            row.extend(cells.map(|(value, _)| cell(value)));
            if let Some(name) = row.get_mut(first) {
                name.insert_str(0, &self.prefix);
            }
            row.extend(self.labels.then(|| labels(&metadata["labels"])));
            rows.push(row);
        }
        rows
    }
}

fn cell(value: &Value) -> String {
    match value {
        // A cell is one line.
        Value::String(text) => text.split('\n').next().unwrap_or_default().to_owned(),
        Value::Null => "<none>".to_owned(),
        other => other.to_string(),
    }
}

/// `a=b,c=d` or `<none>`.
pub(crate) fn labels(labels: &Value) -> String {
    let all: Vec<String> = labels
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    if all.is_empty() {
        "<none>".to_owned()
    } else {
        all.join(",")
    }
}

async fn objects(
    context: &Context,
    client: &Client,
    args: &GetArgs,
    format: Format,
    selections: &[Selection],
) -> Result<i32> {
    let (mut found, mut errors, mut list) = (Vec::new(), Vec::new(), selections.len() > 1);
    for selection in selections {
        list |= selection.names.len() != 1;
        for path in args.paths(context, selection) {
            match client.json::<Value>("GET", &path, Body::None).await {
                Ok(mut answer) if selection.names.is_empty() => {
                    if let Value::Array(items) = answer["items"].take() {
                        found.extend(items);
                    }
                }
                Ok(object) => found.push(object),
                Err(error) if args.ignore_not_found && crate::client::is_not_found(&error) => {}
                Err(error) => errors.push(report(&error).0),
            }
        }
    }
    let text = match format {
        Format::Name => found.iter().map(|object| format!("{}\n", reference(object))).collect(),
        _ if list && (errors.is_empty() || !found.is_empty()) => {
            let list = json!({"apiVersion": "v1", "items": found, "kind": "List", "metadata": {"resourceVersion": ""}});
            written(format, &list)
        }
        _ => found.iter().map(|object| written(format, object)).collect(),
    };
    context.printer.data(text).await?;
    for error in &errors {
        context.printer.talk(error).await?;
    }
    Ok(i32::from(!errors.is_empty()))
}

fn written(format: Format, object: &Value) -> String {
    match format {
        Format::Yaml => yaml::document(object),
        Format::Name => format!("{}\n", reference(object)),
        Format::Json | Format::Table { .. } => json::pretty(object) + "\n",
    }
}

/// `pod/x`.
pub(crate) fn reference(object: &Value) -> String {
    let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
    format!("{kind}/{}", object["metadata"]["name"].as_str().unwrap_or_default())
}

async fn watch(
    context: &Context,
    client: &Client,
    args: &GetArgs,
    format: Format,
    selection: &Selection,
) -> Result<i32> {
    let mut query = args.query();
    match selection.names.as_slice() {
        [] => {}
        [name] => {
            // Not found is an error at once, not an endless watch.
            client.get(selection.kind, &context.namespace, name).await?;
            query.add("fieldSelector", format!("metadata.name={name}"));
        }
        _ => return Err(Failure::new("error: you may only watch a single object or all of a kind").into()),
    }
    let collection = collection_path(selection.kind, args.namespace(context));
    let (wide, accept) = match format {
        Format::Table { wide } => (wide, TABLE),
        _ => (false, "application/json"),
    };
    let layout = Layout::new(args, selection, wide, false);
    let (mut columns, mut widths): (Vec<Value>, Vec<usize>) = (Vec::new(), Vec::new());
    if args.watch_only || matches!(format, Format::Table { .. }) {
        // What is there now, in columns that fit all of it; then what changes after it.
        let path = format!("{collection}{}", query.text());
        let now: Value = serde_json::from_str(&client.text("GET", &path, Body::None, accept).await?)?;
        query.add(
            "resourceVersion",
            now["metadata"]["resourceVersion"].as_str().unwrap_or("0"),
        );
        if let (false, Some(definitions)) = (args.watch_only, now["columnDefinitions"].as_array()) {
            columns.clone_from(definitions);
            let rows = layout.rows(&now, !args.no_headers);
            if rows.len() > usize::from(!args.no_headers) {
                rows.iter().for_each(|row| drop(padded(row, &mut widths)));
                let text: String = rows.iter().map(|row| padded(row, &mut widths)).collect();
                context.printer.data(text).await?;
            } else {
                columns.clear();
            }
        }
    }
    query.add("watch", true);
    let path = format!("{collection}{}", query.text());
    let mut lines = client.stream(&path, accept).await?.lines();
    while let Some(line) = lines.next().await {
        let event: Value = serde_json::from_str(&line?)?;
        let object = &event["object"];
        if event["type"] == "ERROR" {
            return Err(Failure::new(format!("error: {}", crate::errors::status_message(object))).into());
        }
        let text = match format {
            Format::Table { .. } => {
                let header = columns.is_empty();
                if let (true, Some(definitions)) = (header, object["columnDefinitions"].as_array()) {
                    columns.clone_from(definitions);
                }
                let rows = layout.rows_with(object, &columns, header && !args.no_headers);
                rows.iter().map(|row| padded(row, &mut widths)).collect()
            }
            Format::Yaml => format!("---\n{}", yaml::document(object)),
            other => written(other, object),
        };
        context.printer.data(text).await?;
    }
    Ok(0)
}

/// A row in columns that only ever grow: what is printed cannot be moved any more.
fn padded(row: &[String], widths: &mut Vec<usize>) -> String {
    let mut out = String::new();
    for (index, cell) in row.iter().enumerate() {
        let length = cell.chars().count();
        if widths.len() <= index {
            widths.push(6);
        }
        out.push_str(cell);
        if let Some(width) = widths.get_mut(index).filter(|_| index + 1 < row.len()) {
            *width = (length + 3).max(*width);
            out.extend(std::iter::repeat_n(' ', *width - length));
        }
    }
    out.push('\n');
    out
}

//! Objects as tables (`Accept: application/json;as=Table`): the columns that `kubectl get` prints are made by the server.
//!
//! One file a kind whose cells need thought; the simple ones are here. The words follow `pkg/printers/internalversion`.

mod event;
mod node;
mod pod;

use crate::duration::age;
use jiff::Timestamp;
use podsim_store::{Kind, Object};
use serde_json::{Value, json};

/// A column: its name, and whether only `-o wide` shows it.
struct Column(&'static str, bool);

const fn col(name: &'static str) -> Column {
    Column(name, false)
}

const fn wide(name: &'static str) -> Column {
    Column(name, true)
}

/// The columns of a kind and how the cells are made.
type Printer = (&'static [Column], fn(&Value, Timestamp) -> Vec<Value>);

fn printer(kind: &Kind) -> Printer {
    match kind.kind {
        "Pod" => (pod::COLUMNS, pod::cells),
        "Node" => (node::COLUMNS, node::cells),
        "Event" => (event::COLUMNS, event::cells),
        "Namespace" => (NAMESPACE_COLUMNS, |object, now| {
            vec![
                name(object),
                json!(object["status"]["phase"].as_str().unwrap_or("Active")),
                created(object, now),
            ]
        }),
        "ConfigMap" => (CONFIG_MAP_COLUMNS, |object, now| {
            let count = length(&object["data"]) + length(&object["binaryData"]);
            vec![name(object), json!(count), created(object, now)]
        }),
        "Secret" => (SECRET_COLUMNS, |object, now| {
            let kind = object["type"].as_str().unwrap_or("Opaque");
            vec![
                name(object),
                json!(kind),
                json!(length(&object["data"])),
                created(object, now),
            ]
        }),
        "ServiceAccount" => (SERVICE_ACCOUNT_COLUMNS, |object, now| {
            vec![name(object), json!(length(&object["secrets"])), created(object, now)]
        }),
        "Service" => (SERVICE_COLUMNS, service_cells),
        _ => (PLAIN_COLUMNS, |object, now| vec![name(object), created(object, now)]),
    }
}

const NAMESPACE_COLUMNS: &[Column] = &[col("Name"), col("Status"), col("Age")];
const CONFIG_MAP_COLUMNS: &[Column] = &[col("Name"), col("Data"), col("Age")];
const SECRET_COLUMNS: &[Column] = &[col("Name"), col("Type"), col("Data"), col("Age")];
const SERVICE_ACCOUNT_COLUMNS: &[Column] = &[col("Name"), col("Secrets"), col("Age")];
const PLAIN_COLUMNS: &[Column] = &[col("Name"), col("Age")];
const SERVICE_COLUMNS: &[Column] = &[
    col("Name"),
    col("Type"),
    col("Cluster-IP"),
    col("External-IP"),
    col("Port(s)"),
    col("Age"),
    wide("Selector"),
];

fn service_cells(object: &Value, now: Timestamp) -> Vec<Value> {
    let spec = &object["spec"];
    let ports: Vec<String> = spec["ports"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|port| format!("{}/{}", port["port"], port["protocol"].as_str().unwrap_or("TCP")))
        .collect();
    let selector: Vec<String> = spec["selector"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    vec![
        name(object),
        json!(spec["type"].as_str().unwrap_or("ClusterIP")),
        or_none(spec["clusterIP"].as_str().unwrap_or_default()),
        json!("<none>"),
        or_none(&ports.join(",")),
        created(object, now),
        or_none(&selector.join(",")),
    ]
}

/// A table of these objects. `metadata` is that of the list; `headings` is false for all but the first event of a watch.
pub(crate) fn table(
    kind: &Kind,
    objects: &[Object],
    metadata: Value,
    include: IncludeObject,
    headings: bool,
    now: Timestamp,
) -> Value {
    let (columns, cells) = printer(kind);
    let definitions: Vec<Value> = columns
        .iter()
        .filter(|_| headings)
        .map(|Column(column, wide)| {
            json!({
                "name": column,
                "type": if matches!(*column, "Data" | "Secrets" | "Count") { "integer" } else { "string" },
                "format": if *column == "Name" { "name" } else { "" },
                "description": "",
                "priority": i32::from(*wide),
            })
        })
        .collect();
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let mut row = json!({"cells": cells(object, now)});
            if let (Some(object), Some(row)) = (include.apply(object), row.as_object_mut()) {
                row.insert("object".into(), object);
            }
            row
        })
        .collect();
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions,
        "rows": rows,
    })
}

/// What of the object goes with its row (`includeObject=`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum IncludeObject {
    /// Nothing.
    None,
    /// Its metadata.
    #[default]
    Metadata,
    /// All of it.
    Object,
}

impl IncludeObject {
    fn apply(self, object: &Value) -> Option<Value> {
        match self {
            Self::None => None,
            Self::Metadata => Some(json!({
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": object["metadata"],
            })),
            Self::Object => Some(object.clone()),
        }
    }
}

fn name(object: &Value) -> Value {
    object["metadata"]["name"].clone()
}

fn created(object: &Value, now: Timestamp) -> Value {
    json!(age(timestamp(&object["metadata"]["creationTimestamp"]), now))
}

fn timestamp(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

fn length(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.len(),
        Value::Object(items) => items.len(),
        _ => 0,
    }
}

fn or_none(text: &str) -> Value {
    json!(if text.is_empty() { "<none>" } else { text })
}

#[cfg(test)]
mod tests;

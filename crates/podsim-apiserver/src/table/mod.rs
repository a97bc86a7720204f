//! Objects as tables (`Accept: application/json;as=Table`): the columns that `kubectl get` prints are made by the server.
//!
//! One file a kind whose cells need thought; the others are told cell by cell in [`told`], with [`cells`]. The words follow `pkg/printers/internalversion`.

mod cells;
mod custom;
mod event;
mod kept;
mod node;
mod pod;
mod told;

use crate::duration::age;
use crate::server::App;
use jiff::Timestamp;
use podsim_store::{Kind, Object, kinds};
use serde_json::{Value, json};
use told::Cell;

/// A column: its name, and whether only `-o wide` shows it.
#[derive(Clone)]
pub(crate) struct Column(&'static str, bool);

const fn col(name: &'static str) -> Column {
    Column(name, false)
}

const fn wide(name: &'static str) -> Column {
    Column(name, true)
}

/// The columns of a kind and how the cells are made.
#[derive(Clone)]
pub(crate) enum Columns {
    /// Kinds that need thought.
    Own(&'static [Column], fn(&Value, Timestamp) -> Vec<Value>),
    /// Kinds that are told cell by cell.
    Told(&'static [(Column, Cell)]),
    /// What a CustomResourceDefinition says (`additionalPrinterColumns`): name, JSONPath, type, wide.
    Custom(Vec<(String, String, String, bool)>),
}

/// The columns of a kind.
pub(crate) fn columns(app: &App, kind: &Kind) -> Columns {
    if !kinds::ALL.contains(&kind) {
        return custom::columns(app, kind);
    }
    match kind.kind {
        "Pod" => Columns::Own(pod::COLUMNS, pod::cells),
        "Node" => Columns::Own(node::COLUMNS, node::cells),
        "Event" => Columns::Own(event::COLUMNS, event::cells),
        _ => Columns::Told(told::columns(kind)),
    }
}

/// What of an object is its metadata.
pub(crate) fn only_metadata(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

/// A table of these objects. `metadata` is that of the list; `headings` is false for all but the first event of a watch.
pub(crate) fn table(
    columns: &Columns,
    objects: &[Object],
    metadata: Value,
    include: IncludeObject,
    headings: bool,
    now: Timestamp,
) -> Value {
    let definition = |column: &str, wide: bool, kind: &str| {
        json!({
            "name": column,
            "type": kind,
            "format": if column == "Name" { "name" } else { "" },
            "description": "",
            "priority": i32::from(wide),
        })
    };
    let number = |column: &str| {
        if matches!(column, "Data" | "Secrets" | "Count") {
            "integer"
        } else {
            "string"
        }
    };
    let definitions: Vec<Value> = match columns {
        _ if !headings => Vec::new(),
        Columns::Own(columns, _) => columns
            .iter()
            .map(|Column(name, wide)| definition(name, *wide, number(name)))
            .collect(),
        Columns::Told(columns) => columns
            .iter()
            .map(|(Column(name, wide), _)| definition(name, *wide, number(name)))
            .collect(),
        Columns::Custom(columns) => columns
            .iter()
            .map(|(name, _, kind, wide)| definition(name, *wide, kind))
            .collect(),
    };
    let cells = |object: &Value| match columns {
        Columns::Own(_, cells) => cells(object, now),
        Columns::Told(columns) => columns.iter().map(|(_, cell)| cell.of(object, now)).collect(),
        Columns::Custom(columns) => columns
            .iter()
            .map(|(_, path, kind, _)| custom::cell(object, path, kind, now))
            .collect(),
    };
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let mut row = json!({"cells": cells(object)});
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
            Self::Metadata => Some(only_metadata(object)),
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

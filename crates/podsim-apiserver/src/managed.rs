//! `metadata.managedFields`: who has set which field last.

use crate::fields::Fields;
use crate::query::Query;
use crate::server::App;
use crate::target::Target;
use axum::http::{HeaderMap, header};
use podsim_store::{Kind, schema, time};
use serde_json::{Value, json};
use std::sync::Arc;

/// Who writes: the entry's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manager {
    pub(crate) name: String,
    /// `Update` or `Apply`.
    pub(crate) operation: &'static str,
    pub(crate) subresource: String,
}

impl Manager {
    /// From `fieldManager=`, or the program's name in `User-Agent`.
    pub(crate) fn of(query: &Query, headers: &HeaderMap, target: &Target) -> Self {
        let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        let program = agent.and_then(|agent| agent.split('/').next()).unwrap_or("unknown");
        Self {
            name: query.get("fieldManager").unwrap_or(program).to_owned(),
            operation: "Update",
            subresource: target.subresource.clone().unwrap_or_default(),
        }
    }
}

/// An entry of the list.
pub(crate) struct Entry {
    pub(crate) manager: Manager,
    pub(crate) api_version: String,
    pub(crate) fields: Fields,
    time: Value,
}

/// The entries of an object.
pub(crate) fn entries(object: &Value) -> Vec<Entry> {
    let list = object["metadata"]["managedFields"].as_array();
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    list.into_iter()
        .flatten()
        .map(|entry| Entry {
            manager: Manager {
                name: text(entry, "manager"),
                operation: if entry["operation"] == "Apply" {
                    "Apply"
                } else {
                    "Update"
                },
                subresource: text(entry, "subresource"),
            },
            api_version: text(entry, "apiVersion"),
            fields: Fields::from_json(&entry["fieldsV1"]),
            time: entry["time"].clone(),
        })
        .collect()
}

/// Writes the entries into the object; empty ones go.
pub(crate) fn set(object: &mut Value, entries: &[Entry]) {
    let list: Vec<Value> = entries
        .iter()
        .filter(|entry| !entry.fields.is_empty())
        .map(|entry| {
            let mut value = json!({
                "manager": entry.manager.name, "operation": entry.manager.operation, "apiVersion": entry.api_version,
                "time": entry.time, "fieldsType": "FieldsV1", "fieldsV1": entry.fields.to_json(),
            });
            if !entry.manager.subresource.is_empty() {
                value["subresource"] = entry.manager.subresource.as_str().into();
            }
            value
        })
        .collect();
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    object["metadata"]["managedFields"] = list.into();
}

/// Gives fields to a manager: they are added to its entry, or are its entry (for `Apply`).
pub(crate) fn give(app: &App, entries: &mut Vec<Entry>, kind: &Kind, manager: &Manager, fields: Fields) {
    let time = json!(time::now(app.store.clock().as_ref()));
    match entries.iter_mut().find(|entry| entry.manager == *manager) {
        Some(entry) => {
            entry.fields = match manager.operation {
                "Apply" => fields,
                _ => std::mem::take(&mut entry.fields).union(&fields),
            };
            entry.time = time;
        }
        None => entries.push(Entry {
            manager: manager.clone(),
            api_version: kind.api_version(),
            fields,
            time,
        }),
    }
}

/// The schema by which a kind's fields are told apart.
pub(crate) fn schema_of(app: &App, kind: &Kind) -> Arc<Value> {
    let custom = app.store.custom_schema(kind);
    custom.unwrap_or_else(|| Arc::new(schema::builtin().of(kind).cloned().unwrap_or_default()))
}

/// A new object: its creator manages all that he has set.
pub(crate) fn created(app: &App, kind: &Kind, object: &mut Value, manager: &Manager) {
    let fields = Fields::of(&schema_of(app, kind), object);
    let mut entries = Vec::new();
    give(app, &mut entries, kind, manager, fields);
    set(object, &entries);
}

/// A changed object: what differs is the writer's from now on.
pub(crate) fn updated(app: &App, kind: &Kind, old: &Value, new: &mut Value, manager: &Manager) {
    let schema = schema_of(app, kind);
    let mut entries = entries(old);
    let (before, after) = (Fields::of(&schema, old), Fields::of(&schema, new));
    let mut changed = after.differing(&schema, old, new);
    // What is only there to hold other fields is not given away with them.
    let status = ["status", "approval"].contains(&manager.subresource.as_str());
    changed = changed.only_part(status);
    let gone = before.minus(&after).only_part(status);
    if changed.is_empty() && gone.is_empty() {
        new["metadata"]["managedFields"] = old["metadata"]["managedFields"].clone();
        return;
    }
    for entry in &mut entries {
        entry.fields = entry.fields.minus(&gone);
        if entry.manager != *manager {
            entry.fields = entry.fields.minus(&changed);
        }
    }
    give(app, &mut entries, kind, manager, changed);
    set(new, &entries);
}

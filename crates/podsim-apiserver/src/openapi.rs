//! `/openapi/v3` and `/openapi/v2`: the schemas of the kinds, and of the paths as much as clients look at.
//!
//! kubectl reads v3: for `explain`, and to learn from the parameters of PATCH that the server validates fields.

use crate::discovery::{self, KUBERNETES_VERSION};
use podsim_store::schema::{self, REFERENCE};
use podsim_store::{Kind, Store};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

fn root(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("api/{version}")
    } else {
        format!("apis/{group}/{version}")
    }
}

/// `/openapi/v3`: where the documents are. The hash lets clients keep what they have.
pub(crate) fn index(store: &Store) -> Value {
    let mut paths = Map::new();
    for (group, versions) in discovery::groups(store) {
        for version in versions {
            let root = root(group, version);
            let document = document(store, group, version).unwrap_or_default().to_string();
            let mut hasher = DefaultHasher::new();
            document.hash(&mut hasher);
            let url = format!("/openapi/v3/{root}?hash={:016X}", hasher.finish());
            paths.insert(root, json!({"serverRelativeURL": url}));
        }
    }
    json!({"paths": paths})
}

/// `/openapi/v3/apis/GROUP/VERSION`.
pub(crate) fn document(store: &Store, group: &str, version: &str) -> Option<Value> {
    let kinds = store.kinds();
    let kinds: Vec<&Kind> = kinds
        .into_iter()
        .filter(|k| k.group == group && k.version == version)
        .collect();
    if kinds.is_empty()
        && !discovery::groups(store)
            .iter()
            .any(|(g, versions)| *g == group && versions.contains(&version))
    {
        return None;
    }
    let mut schemas = Map::new();
    let mut paths = Map::new();
    for kind in kinds {
        add_kind(store, kind, &mut schemas);
        add_paths(kind, &mut paths);
    }
    Some(json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": KUBERNETES_VERSION},
        "paths": paths,
        "components": {"schemas": schemas},
    }))
}

/// `/openapi/v2`: all in one, in the words of Swagger.
pub(crate) fn v2(store: &Store) -> Value {
    let (mut schemas, mut paths) = (Map::new(), Map::new());
    for kind in store.kinds() {
        add_kind(store, kind, &mut schemas);
        add_paths(kind, &mut paths);
    }
    let text = json!({"definitions": schemas, "paths": paths}).to_string();
    let text = text.replace(REFERENCE, "#/definitions/");
    let mut document: Value = serde_json::from_str(&text).unwrap_or_default();
    document["swagger"] = "2.0".into();
    document["info"] = json!({"title": "Kubernetes", "version": KUBERNETES_VERSION});
    document
}

/// The media type of v2 in protobuf, which kubectl asks for where v3 does not know a kind.
pub(crate) const V2_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

/// v2 in protobuf: a document without definitions. It is asked for what v3 does not have, and v2 does not have that either.
pub(crate) fn v2_protobuf() -> Vec<u8> {
    let field = |number: u8, bytes: &[u8]| {
        let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap_or(0)];
        out.extend(bytes);
        out
    };
    let info = [field(1, b"Kubernetes"), field(2, KUBERNETES_VERSION.as_bytes())].concat();
    [field(1, b"2.0"), field(2, &info)].concat()
}

fn definition_name(kind: &Kind) -> String {
    if let Some(name) = schema::builtin().name_of(kind) {
        return name.to_owned();
    }
    let mut parts: Vec<&str> = kind.group.split('.').collect();
    parts.reverse();
    format!("{}.{}.{}", parts.join("."), kind.version, kind.kind)
}

fn gvk(kind: &Kind) -> Value {
    json!({"group": kind.group, "version": kind.version, "kind": kind.kind})
}

fn add_kind(store: &Store, kind: &Kind, schemas: &mut Map<String, Value>) {
    let name = definition_name(kind);
    let found = schema::builtin().of(kind).cloned();
    let Some(mut schema) = found.or_else(|| store.custom_schema(kind).map(|s| s.as_ref().clone())) else {
        return;
    };
    let mut wanted = BTreeSet::new();
    references(&schema, &mut wanted);
    schema["x-kubernetes-group-version-kind"] = json!([gvk(kind)]);
    let list = json!({
        "type": "object",
        "description": format!("{0}List is a list of {0} objects.", kind.kind),
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"}, "kind": {"type": "string"},
            "items": {"type": "array", "items": {"$ref": format!("{REFERENCE}{name}")}},
        },
        "x-kubernetes-group-version-kind": [{"group": kind.group, "version": kind.version, "kind": format!("{}List", kind.kind)}],
    });
    schemas.insert(format!("{name}List"), list);
    schemas.insert(name, schema);
    while let Some(next) = wanted.pop_first() {
        if !schemas.contains_key(&next)
            && let Some(schema) = schema::builtin().definitions().get(&next)
        {
            references(schema, &mut wanted);
            schemas.insert(next, schema.clone());
        }
    }
}

/// The definitions that a schema points at.
fn references(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            let target = object.get("$ref").and_then(Value::as_str);
            found.extend(target.and_then(|t| t.strip_prefix(REFERENCE)).map(str::to_owned));
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn add_paths(kind: &Kind, paths: &mut Map<String, Value>) {
    let parameter = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string"}});
    let operation = |action: &str, names: &[&str]| {
        json!({
            "parameters": names.iter().map(|name| parameter(name)).collect::<Vec<_>>(),
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": gvk(kind),
        })
    };
    let writing: &[&str] = &["dryRun", "fieldManager", "fieldValidation"];
    let listing: &[&str] = &[
        "continue",
        "fieldSelector",
        "labelSelector",
        "limit",
        "resourceVersion",
        "watch",
    ];
    let root = root(kind.group, kind.version);
    let collection = if kind.namespaced {
        let all = format!("/{root}/{}", kind.plural);
        paths.insert(all, json!({"get": operation("list", listing)}));
        format!("/{root}/namespaces/{{namespace}}/{}", kind.plural)
    } else {
        format!("/{root}/{}", kind.plural)
    };
    paths.insert(
        format!("{collection}/{{name}}"),
        json!({
            "get": operation("get", &[]),
            "put": operation("put", writing),
            "patch": operation("patch", &["dryRun", "fieldManager", "fieldValidation", "force"]),
            "delete": operation("delete", &["dryRun", "gracePeriodSeconds", "propagationPolicy"]),
        }),
    );
    paths.insert(
        collection,
        json!({
            "get": operation("list", listing),
            "post": operation("post", writing),
            "delete": operation("deletecollection", listing),
        }),
    );
}

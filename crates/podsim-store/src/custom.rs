//! CustomResourceDefinitions: kinds that are defined while the store runs, and the checks that their schemas ask for.

use crate::state::text;
use crate::{FieldError, Kind};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};
use std::sync::Arc;

/// The kinds that are defined now.
#[derive(Default)]
pub(crate) struct Customs {
    kinds: Vec<Custom>,
    /// Every row that was ever made: a kind that comes back gets the old one, so that memory is not lost each time.
    rows: Vec<&'static Kind>,
}

struct Custom {
    definition: String,
    kind: &'static Kind,
    schema: Arc<Value>,
}

impl Customs {
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &'static Kind> {
        self.kinds.iter().map(|custom| custom.kind)
    }

    pub(crate) fn schema(&self, kind: &Kind) -> Option<Arc<Value>> {
        let found = self.kinds.iter().find(|custom| custom.kind == kind);
        found.map(|custom| custom.schema.clone())
    }

    /// Takes up what a definition says, in place of what it said before.
    pub(crate) fn define(&mut self, definition: &Value) {
        let name = text(definition, "/metadata/name").to_owned();
        self.kinds.retain(|custom| custom.definition != name);
        for version in definition["spec"]["versions"].as_array().into_iter().flatten() {
            if version["served"] == true {
                let kind = self.row(definition, version);
                let mut schema = version["schema"]["openAPIV3Schema"].clone();
                if !schema.is_object() {
                    schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
                }
                // Every object has these, whatever its schema says.
                schema["properties"]["apiVersion"] = json!({"type": "string"});
                schema["properties"]["kind"] = json!({"type": "string"});
                schema["properties"]["metadata"] =
                    json!({"$ref": format!("{}{OBJECT_META}", crate::schema::REFERENCE)});
                self.kinds.push(Custom {
                    definition: name.clone(),
                    kind,
                    schema: Arc::new(schema),
                });
            }
        }
    }

    /// Forgets a definition; its kinds are given back.
    pub(crate) fn forget(&mut self, definition: &str) -> Vec<&'static Kind> {
        let gone = self.kinds.iter().filter(|custom| custom.definition == definition);
        let gone = gone.map(|custom| custom.kind).collect();
        self.kinds.retain(|custom| custom.definition != definition);
        gone
    }

    fn row(&mut self, definition: &Value, version: &Value) -> &'static Kind {
        let spec = &definition["spec"];
        let known = |text: &Value| leak(text.as_str().unwrap_or_default());
        let all = |list: &Value, of: &dyn Fn(&Value) -> &'static str| -> &'static [&'static str] {
            Box::leak(list.as_array().into_iter().flatten().map(of).collect())
        };
        // Compared before it is kept; what a definition leaks is as much as its names, once.
        let same = self.rows.iter().find(|kind| {
            kind.group == spec["group"]
                && kind.version == version["name"]
                && kind.kind == spec["names"]["kind"]
                && kind.plural == spec["names"]["plural"]
                && kind.singular == spec["names"]["singular"]
                && kind.namespaced == (spec["scope"] == "Namespaced")
                && kind.has_status == version["subresources"]["status"].is_object()
                && kind.scalable == version["subresources"]["scale"].is_object()
                && json!(kind.short_names) == *or_empty(&spec["names"]["shortNames"])
                && json!(kind.categories) == *or_empty(&spec["names"]["categories"])
        });
        if let Some(same) = same {
            return same;
        }
        let row: &'static Kind = Box::leak(Box::new(Kind {
            group: known(&spec["group"]),
            version: known(&version["name"]),
            kind: known(&spec["names"]["kind"]),
            plural: known(&spec["names"]["plural"]),
            singular: known(&spec["names"]["singular"]),
            short_names: all(&spec["names"]["shortNames"], &known),
            namespaced: spec["scope"] == "Namespaced",
            has_status: version["subresources"]["status"].is_object(),
            selectable: all(&version["selectableFields"], &|field| {
                leak(text(field, "/jsonPath").trim_start_matches('.'))
            }),
            categories: all(&spec["names"]["categories"], &known),
            scalable: version["subresources"]["scale"].is_object(),
        }));
        self.rows.push(row);
        row
    }
}

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn or_empty(list: &Value) -> &Value {
    const EMPTY: &Value = &Value::Array(Vec::new());
    if list.is_null() { EMPTY } else { list }
}

/// The status that a definition gets: its names are accepted and its kinds are served.
pub(crate) fn accept(definition: &mut Value, now: &Time) {
    let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now});
    let versions = definition["spec"]["versions"].as_array().into_iter().flatten();
    let stored: Vec<Value> = versions
        .filter(|v| v["storage"] == true)
        .map(|v| v["name"].clone())
        .collect();
    if definition["status"]["conditions"].is_array()
        && definition["status"]["acceptedNames"] == definition["spec"]["names"]
    {
        return;
    }
    definition["status"] = json!({
        "acceptedNames": definition["spec"]["names"],
        "storedVersions": stored,
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
    });
}

/// Puts in what the schema says for fields that are not there.
pub(crate) fn set_defaults(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
                if let Some(default) = schema.get("default")
                    && !object.contains_key(field)
                {
                    object.insert(field.clone(), default.clone());
                }
                if let Some(value) = object.get_mut(field) {
                    set_defaults(schema, value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| set_defaults(&schema["items"], item)),
        _ => {}
    }
}

/// What of an object is against its structural schema. (Rules in CEL are kept and not evaluated.)
pub(crate) fn validate(schema: &Value, object: &Value) -> Vec<FieldError> {
    let mut errors = vec![];
    check(schema, object, "", &mut errors, 0);
    errors
}

fn check(schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>, depth: usize) {
    if depth > 64 || errors.len() > 100 {
        return;
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        let allowed: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
        errors.push(FieldError::not_supported(
            path,
            value.as_str().unwrap_or(&value.to_string()),
            &allowed,
        ));
    }
    let join = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    let limit = |name: &str| schema[name].as_u64().and_then(|n| usize::try_from(n).ok());
    let mut wrong =
        |detail: String| errors.push(FieldError::invalid_raw(path, value, format!("{path} in body {detail}")));
    match value {
        Value::String(text) => {
            let length = text.chars().count();
            if let Some(most) = limit("maxLength").filter(|most| length > *most) {
                wrong(format!("should be at most {most} chars long"));
            }
            if let Some(least) = limit("minLength").filter(|least| length < *least) {
                wrong(format!("should be at least {least} chars long"));
            }
        }
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            if let Some(most) = schema["maximum"].as_f64().filter(|most| number > *most) {
                wrong(format!("should be less than or equal to {most}"));
            }
            if let Some(least) = schema["minimum"].as_f64().filter(|least| number < *least) {
                wrong(format!("should be greater than or equal to {least}"));
            }
        }
        Value::Array(items) => {
            if let Some(most) = limit("maxItems").filter(|most| items.len() > *most) {
                wrong(format!("should have at most {most} items"));
            }
            if let Some(least) = limit("minItems").filter(|least| items.len() < *least) {
                wrong(format!("should have at least {least} items"));
            }
            for (index, item) in items.iter().enumerate() {
                check(&schema["items"], item, &format!("{path}[{index}]"), errors, depth + 1);
            }
        }
        Value::Object(object) => {
            for field in schema["required"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
            {
                if object.get(field).is_none_or(Value::is_null) {
                    errors.push(FieldError::required(join(field), ""));
                }
            }
            for (key, value) in object {
                let below = schema["properties"].get(key).unwrap_or(&schema["additionalProperties"]);
                if below.is_object() {
                    check(below, value, &join(key), errors, depth + 1);
                }
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

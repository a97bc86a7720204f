//! [`Fields`]: a set of fields of an object, as `managedFields` keep it (`FieldsV1`, structured-merge-diff).
//!
//! An element of a path is `f:NAME` for a field, `k:{"name":"a"}` for an item of a list with keys, `v:VALUE` for one of a set.
//! `.` says that the item itself is meant. How a list is to be taken, its schema says.

use podsim_store::schema;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A tree of path elements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    /// This node itself is in the set.
    here: bool,
    below: BTreeMap<String, Fields>,
}

impl Fields {
    fn leaf() -> Self {
        Self {
            here: true,
            below: BTreeMap::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.here && self.below.values().all(Fields::is_empty)
    }

    /// From `fieldsV1`.
    pub(crate) fn from_json(json: &Value) -> Self {
        let object = json.as_object();
        let below: BTreeMap<String, Fields> = object
            .into_iter()
            .flatten()
            .filter(|(key, _)| *key != ".")
            .map(|(key, value)| (key.clone(), Self::from_json(value)))
            .collect();
        Self {
            here: below.is_empty() || json.get(".").is_some(),
            below,
        }
    }

    /// As `fieldsV1`.
    pub(crate) fn to_json(&self) -> Value {
        let mut object: Map<String, Value> = self
            .below
            .iter()
            .map(|(key, below)| (key.clone(), below.to_json()))
            .collect();
        if self.here && !object.is_empty() {
            object.insert(".".into(), json!({}));
        }
        Value::Object(object)
    }

    /// All fields that are set in an object; not those that say which object it is or that the server writes.
    pub(crate) fn of(schema: &Value, object: &Value) -> Self {
        let mut fields = walk(schema, object);
        for key in ["f:apiVersion", "f:kind"] {
            fields.below.remove(key);
        }
        if let Some(metadata) = fields.below.get_mut("f:metadata") {
            for key in [
                "name",
                "namespace",
                "uid",
                "creationTimestamp",
                "resourceVersion",
                "generation",
                "managedFields",
                "selfLink",
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
                "generateName",
            ] {
                metadata.below.remove(&format!("f:{key}"));
            }
            metadata.here = false;
            if metadata.is_empty() {
                fields.below.remove("f:metadata");
            }
        }
        fields.here = false;
        fields
    }

    pub(crate) fn union(mut self, other: &Self) -> Self {
        self.here |= other.here;
        for (key, below) in &other.below {
            let own = self.below.remove(key).unwrap_or_default();
            self.below.insert(key.clone(), own.union(below));
        }
        self
    }

    pub(crate) fn minus(&self, other: &Self) -> Self {
        let below = self.below.iter().filter_map(|(key, own)| {
            let rest = match other.below.get(key) {
                Some(gone) => own.minus(gone),
                None => own.clone(),
            };
            (!rest.is_empty()).then(|| (key.clone(), rest))
        });
        Self {
            here: self.here && !other.here,
            below: below.collect(),
        }
    }

    pub(crate) fn common(&self, other: &Self) -> Self {
        self.minus(&self.minus(other))
    }

    /// Those of the fields at which the two objects differ, or that only one has.
    pub(crate) fn differing(&self, schema: &Value, one: &Value, other: &Value) -> Self {
        if one == other {
            return Self::default();
        }
        let below = self.below.iter().filter_map(|(key, below)| {
            let rest = below.differing(
                child_schema(schema, key),
                child(schema, one, key),
                child(schema, other, key),
            );
            (!rest.is_empty()).then(|| (key.clone(), rest))
        });
        let below: BTreeMap<_, _> = below.collect();
        // A node that only holds others differs only by being there or not.
        let here = self.here && (self.below.is_empty() || one.is_null() != other.is_null());
        Self { here, below }
    }

    /// The status only, or all but the status: what a write can change.
    pub(crate) fn only_part(mut self, status: bool) -> Self {
        self.below.retain(|key, _| (key == "f:status") == status);
        self
    }

    /// Takes the fields out of the object.
    pub(crate) fn remove_from(&self, schema: &Value, object: &mut Value) {
        let schema = schema::builtin().resolve(schema);
        for (key, below) in &self.below {
            let inner = child_schema(schema, key);
            if below.below.is_empty()
                || (below.here && below.below.values().all(|b| b.below.is_empty()) && key.starts_with("k:"))
            {
                match (&mut *object, key.strip_prefix("f:")) {
                    (Value::Object(map), Some(field)) => {
                        map.remove(field);
                    }
                    (Value::Array(items), None) => items.retain(|item| element(schema, item).as_deref() != Some(key)),
                    _ => {}
                }
            } else if let Some(value) = child_mut(schema, object, key) {
                below.remove_from(inner, value);
                let empty = value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty);
                if empty && let (Value::Object(map), Some(field)) = (&mut *object, key.strip_prefix("f:")) {
                    map.remove(field);
                }
            }
        }
    }

    /// The paths as messages show them: `.spec.containers[name="a"].image`.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut all = Vec::new();
        self.collect_paths("", &mut all);
        all
    }

    fn collect_paths(&self, path: &str, all: &mut Vec<String>) {
        if self.here && self.below.is_empty() {
            all.push(path.to_owned());
        }
        for (key, below) in &self.below {
            let step = match key.split_once(':') {
                Some(("f", field)) => format!(".{field}"),
                Some(("k", keys)) => {
                    let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
                    let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                    format!("[{}]", keys.join(","))
                }
                Some((_, value)) => format!("[={value}]"),
                None => String::new(),
            };
            below.collect_paths(&format!("{path}{step}"), all);
        }
    }
}

fn walk(schema: &Value, value: &Value) -> Fields {
    let schema = schema::builtin().resolve(schema);
    match value {
        Value::Object(object) if !object.is_empty() && schema["x-kubernetes-map-type"] != "atomic" => {
            let below = object.iter().map(|(field, value)| {
                let key = format!("f:{field}");
                let fields = walk(child_schema(schema, &key), value);
                (key, fields)
            });
            Fields {
                here: false,
                below: below.collect(),
            }
        }
        Value::Array(items) if matches!(schema["x-kubernetes-list-type"].as_str(), Some("map" | "set")) => {
            let below = items.iter().filter_map(|item| {
                let key = element(schema, item)?;
                let mut fields = walk(&schema["items"], item);
                fields.here = true;
                Some((key, fields))
            });
            let below: BTreeMap<_, _> = below.collect();
            Fields {
                here: below.is_empty(),
                below,
            }
        }
        _ => Fields::leaf(),
    }
}

/// The path element of a list's item; `None` if it has not its keys.
fn element(schema: &Value, item: &Value) -> Option<String> {
    if schema["x-kubernetes-list-type"] == "set" {
        return Some(format!("v:{item}"));
    }
    let mut keys = Map::new();
    for key in schema["x-kubernetes-list-map-keys"]
        .as_array()?
        .iter()
        .filter_map(Value::as_str)
    {
        let value = match item.get(key) {
            Some(value) => value.clone(),
            // The only key with a default in what is served here.
            None if key == "protocol" => "TCP".into(),
            None => return None,
        };
        keys.insert(key.to_owned(), value);
    }
    Some(format!("k:{}", Value::Object(keys)))
}

fn child_schema<'a>(schema: &'a Value, key: &str) -> &'a Value {
    let schema = schema::builtin().resolve(schema);
    match key.strip_prefix("f:") {
        Some(field) => schema["properties"]
            .get(field)
            .unwrap_or(&schema["additionalProperties"]),
        None => &schema["items"],
    }
}

fn child<'a>(schema: &Value, value: &'a Value, key: &str) -> &'a Value {
    const NOTHING: &Value = &Value::Null;
    let schema = schema::builtin().resolve(schema);
    match (value, key.strip_prefix("f:")) {
        (Value::Object(object), Some(field)) => object.get(field).unwrap_or(NOTHING),
        (Value::Array(items), None) => {
            let found = items.iter().find(|item| element(schema, item).as_deref() == Some(key));
            found.unwrap_or(NOTHING)
        }
        _ => NOTHING,
    }
}

fn child_mut<'a>(schema: &Value, value: &'a mut Value, key: &str) -> Option<&'a mut Value> {
    let schema = schema::builtin().resolve(schema);
    match (value, key.strip_prefix("f:")) {
        (Value::Object(object), Some(field)) => object.get_mut(field),
        (Value::Array(items), None) => items
            .iter_mut()
            .find(|item| element(schema, item).as_deref() == Some(key)),
        _ => None,
    }
}

/// Lays what is applied over what is there.
pub(crate) fn merge(schema: &Value, live: &Value, applied: &Value) -> Value {
    let schema = schema::builtin().resolve(schema);
    match (live, applied) {
        (Value::Object(live), Value::Object(applied)) if schema["x-kubernetes-map-type"] != "atomic" => {
            let mut merged = live.clone();
            for (field, value) in applied {
                let old = live.get(field).unwrap_or(&Value::Null);
                let inner = child_schema(schema, &format!("f:{field}"));
                merged.insert(field.clone(), merge(inner, old, value));
            }
            Value::Object(merged)
        }
        (Value::Array(live), Value::Array(applied))
            if matches!(schema["x-kubernetes-list-type"].as_str(), Some("map" | "set")) =>
        {
            let mut merged = live.clone();
            for item in applied {
                let key = element(schema, item);
                match merged
                    .iter_mut()
                    .find(|old| key.is_some() && element(schema, old) == key)
                {
                    Some(old) => *old = merge(&schema["items"], old, item),
                    None => merged.push(item.clone()),
                }
            }
            Value::Array(merged)
        }
        _ => applied.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use podsim_store::kinds;

    fn deployment() -> &'static Value {
        schema::builtin().of(&kinds::DEPLOYMENT).unwrap()
    }

    fn object(replicas: i64, image: &str) -> Value {
        json!({"kind": "Deployment", "metadata": {"name": "d", "labels": {"a": "1"}}, "spec": {"replicas": replicas,
            "template": {"spec": {"containers": [{"name": "c", "image": image}]}}}})
    }

    #[test]
    fn fields_are_written_as_kubernetes_writes_them_and_read_back() {
        let fields = Fields::of(deployment(), &object(1, "x"));
        let expected = json!({
            "f:metadata": {"f:labels": {"f:a": {}}},
            "f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {
                "k:{\"name\":\"c\"}": {".": {}, "f:image": {}, "f:name": {}}}}}},
        });
        assert_eq!(fields.to_json(), expected);
        assert_eq!(Fields::from_json(&expected), fields);
    }

    #[test]
    fn differences_and_removals_go_by_keys() {
        let (one, other) = (object(1, "x"), object(1, "y"));
        let fields = Fields::of(deployment(), &one);
        let differing = fields.differing(deployment(), &one, &other);
        assert_eq!(differing.paths(), [".spec.template.spec.containers[name=\"c\"].image"]);
        let mut left = one.clone();
        differing.remove_from(deployment(), &mut left);
        assert_eq!(left["spec"]["template"]["spec"]["containers"], json!([{"name": "c"}]));
        fields.remove_from(deployment(), &mut left);
        assert_eq!(left, json!({"kind": "Deployment", "metadata": {"name": "d"}}));
    }

    #[test]
    fn applied_items_are_merged_by_their_keys() {
        let live = object(3, "x");
        let applied =
            json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "tty": true}, {"name": "d"}]}}}});
        let merged = merge(deployment(), &live, &applied);
        assert_eq!(merged["spec"]["replicas"], 3);
        let containers = &merged["spec"]["template"]["spec"]["containers"];
        assert_eq!(
            *containers,
            json!([{"name": "c", "image": "x", "tty": true}, {"name": "d"}])
        );
    }
}

//! Strategic merge patch: a merge patch that merges lists of objects by a key of theirs
//! (`patchMergeKey` in `k8s.io/api`, documented in `sig-api-machinery/strategic-merge-patch.md`).

use crate::status::{ApiError, Result};
use serde_json::{Map, Value};

/// Lists of objects that are merged, with the field that tells their items apart. Other lists are replaced.
const MERGE_KEYS: &[(&str, &str)] = &[
    ("containers", "name"),
    ("initContainers", "name"),
    ("ephemeralContainers", "name"),
    ("env", "name"),
    ("volumes", "name"),
    ("volumeMounts", "mountPath"),
    ("volumeDevices", "devicePath"),
    ("imagePullSecrets", "name"),
    ("hostAliases", "ip"),
    ("topologySpreadConstraints", "topologyKey"),
    ("schedulingGates", "name"),
    ("resourceClaims", "name"),
    ("conditions", "type"),
    ("addresses", "type"),
    ("podIPs", "ip"),
    ("hostIPs", "ip"),
    ("ownerReferences", "uid"),
    ("secrets", "name"),
];

/// Lists of plain values to which a patch adds.
const MERGED_SETS: &[&str] = &["finalizers", "podCIDRs"];

/// `ports` of a container are told apart by `containerPort`, those of a Service by `port`.
fn merge_key(field: &str, items: &[Value]) -> Option<&'static str> {
    if field == "ports" {
        let of_container = items.iter().any(|port| port.get("containerPort").is_some());
        return Some(if of_container { "containerPort" } else { "port" });
    }
    MERGE_KEYS.iter().find(|(name, _)| *name == field).map(|(_, key)| *key)
}

/// Applies the patch in place.
pub(super) fn apply(target: &mut Value, patch: &Value) -> Result<()> {
    match (&mut *target, patch) {
        (Value::Object(target), Value::Object(patch)) => apply_object(target, patch),
        (_, Value::Object(_)) => {
            *target = Value::Object(Map::new());
            apply(target, patch)
        }
        _ => {
            *target = patch.clone();
            Ok(())
        }
    }
}

fn apply_object(target: &mut Map<String, Value>, patch: &Map<String, Value>) -> Result<()> {
    match patch.get("$patch").and_then(Value::as_str) {
        Some("replace") => {
            *target = patch
                .iter()
                .filter(|(key, _)| *key != "$patch")
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
            return Ok(());
        }
        Some("delete") => {
            target.clear();
            return Ok(());
        }
        Some("merge") | None => {}
        Some(other) => return Err(ApiError::bad_request(format!("$patch: {other:?} is not known"))),
    }
    if let Some(keys) = patch.get("$retainKeys").and_then(Value::as_array) {
        target.retain(|key, _| keys.iter().any(|kept| kept == key));
    }
    for (key, value) in patch {
        if let Some(list) = key.strip_prefix("$deleteFromPrimitiveList/") {
            if let (Some(Value::Array(target)), Some(gone)) = (target.get_mut(list), value.as_array()) {
                target.retain(|item| !gone.contains(item));
            }
        } else if key.starts_with('$') {
            // `$setElementOrder/…` is handled with its list below; the others were handled above.
        } else if value.is_null() {
            target.remove(key);
        } else if let Value::Array(items) = value {
            let order = patch.get(&format!("$setElementOrder/{key}")).and_then(Value::as_array);
            let old = match target.remove(key) {
                Some(Value::Array(old)) => old,
                _ => Vec::new(),
            };
            target.insert(key.clone(), Value::Array(apply_list(key, old, items, order)?));
        } else {
            apply(target.entry(key.clone()).or_insert(Value::Null), value)?;
        }
    }
    Ok(())
}

fn apply_list(field: &str, mut old: Vec<Value>, patch: &[Value], order: Option<&Vec<Value>>) -> Result<Vec<Value>> {
    if MERGED_SETS.contains(&field) {
        old.extend(
            patch
                .iter()
                .filter(|item| !old.contains(item))
                .cloned()
                .collect::<Vec<_>>(),
        );
        return Ok(old);
    }
    let Some(key) = merge_key(field, patch) else {
        return Ok(patch.to_vec());
    };
    if patch
        .iter()
        .any(|item| item.get("$patch").is_some_and(|directive| directive == "replace"))
    {
        return Ok(patch
            .iter()
            .filter(|item| item.get("$patch").is_none())
            .cloned()
            .collect());
    }
    let mut added = 0;
    for item in patch {
        let id = item.get(key).ok_or_else(|| {
            ApiError::bad_request(format!(
                "map: {item} does not contain declared merge key: {key} (in {field})"
            ))
        })?;
        let position = old.iter().position(|existing| existing.get(key) == Some(id));
        if item.get("$patch").is_some_and(|directive| directive == "delete") {
            position.map(|at| old.remove(at));
        } else if let Some(existing) = position.and_then(|at| old.get_mut(at)) {
            apply(existing, item)?;
        } else {
            let mut fresh = Value::Null;
            apply(&mut fresh, item)?;
            // New items come first, in the order of the patch, as in Kubernetes.
            old.insert(added, fresh);
            added += 1;
        }
    }
    if let Some(order) = order {
        let rank = |item: &Value| order.iter().position(|wanted| wanted.get(key) == item.get(key));
        // Stable: items that the order does not name keep their places behind the named ones.
        old.sort_by_key(|item| rank(item).unwrap_or(usize::MAX));
    }
    Ok(old)
}

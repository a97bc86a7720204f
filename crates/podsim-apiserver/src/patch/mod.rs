//! PATCH: the three kinds of patches that clients send, each a pure function on JSON values.
//!
//! * [`merge`]: JSON merge patch (RFC 7386).
//! * [`json`]: JSON patch (RFC 6902).
//! * [`strategic`]: Kubernetes' strategic merge patch, which knows that containers are told apart by name.

mod json;
mod strategic;

use crate::status::{ApiError, Result};
use serde_json::Value;

/// The patches, by content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatchKind {
    Merge,
    Json,
    Strategic,
}

impl PatchKind {
    /// By the content type of the request.
    pub(crate) fn of(content_type: &str) -> Result<Self> {
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/json-patch+json" => Ok(Self::Json),
            "application/strategic-merge-patch+json" => Ok(Self::Strategic),
            other => Err(ApiError::unsupported_media_type(format!(
                "the body of the request was in an unknown format ({other}) - accepted media types include: \
                 application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json"
            ))),
        }
    }

    /// The patched object.
    pub(crate) fn apply(self, object: &Value, patch: &Value) -> Result<Value> {
        match self {
            Self::Merge => {
                let mut result = object.clone();
                merge(&mut result, patch);
                Ok(result)
            }
            Self::Json => json::apply(object, patch),
            Self::Strategic => {
                let mut result = object.clone();
                strategic::apply(&mut result, patch)?;
                Ok(result)
            }
        }
    }
}

/// RFC 7386: null removes, objects merge, everything else replaces.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests;

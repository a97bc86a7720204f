//! What goes wrong in the store, with the reasons, codes and words of Kubernetes' API (`metav1.Status`).

use serde_json::{Value, json};
use std::fmt;

/// Why a field is wrong (`field.ErrorType` of apimachinery).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldErrorKind {
    /// It must be there.
    Required,
    /// Its value is malformed.
    Invalid,
    /// It must be unique.
    Duplicate,
    /// It is none of the values that may be.
    NotSupported,
    /// It may not be set here.
    Forbidden,
    /// It refers to something that is not there.
    NotFound,
    /// It is longer than it may be.
    TooLong,
}

/// A complaint about one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Why.
    pub kind: FieldErrorKind,
    /// Path, as `spec.containers[0].name`.
    pub field: String,
    /// The value as Kubernetes prints it (strings quoted); empty where it is not shown.
    pub value: String,
    /// More words; may be empty.
    pub detail: String,
}

/// Writes a string as Go's `%q` does, near enough for field values.
pub(crate) fn quote(text: &str) -> String {
    Value::from(text).to_string()
}

impl FieldError {
    fn new(kind: FieldErrorKind, field: impl Into<String>, value: String, detail: impl Into<String>) -> Self {
        Self {
            kind,
            field: field.into(),
            value,
            detail: detail.into(),
        }
    }

    /// `Required value`.
    pub fn required(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(FieldErrorKind::Required, field, String::new(), detail)
    }

    /// `Invalid value: "x": …` for a string.
    pub fn invalid(field: impl Into<String>, value: &str, detail: impl Into<String>) -> Self {
        Self::new(FieldErrorKind::Invalid, field, quote(value), detail)
    }

    /// `Invalid value: 1: …` for anything that prints as itself.
    pub fn invalid_raw(field: impl Into<String>, value: impl fmt::Display, detail: impl Into<String>) -> Self {
        Self::new(FieldErrorKind::Invalid, field, value.to_string(), detail)
    }

    /// `Duplicate value: "x"`.
    pub fn duplicate(field: impl Into<String>, value: &str) -> Self {
        Self::new(FieldErrorKind::Duplicate, field, quote(value), "")
    }

    /// `Unsupported value: "x": supported values: "a", "b"`.
    pub fn not_supported(field: impl Into<String>, value: &str, supported: &[&str]) -> Self {
        let mut supported: Vec<_> = supported.iter().map(|s| quote(s)).collect();
        supported.sort();
        let detail = format!("supported values: {}", supported.join(", "));
        Self::new(FieldErrorKind::NotSupported, field, quote(value), detail)
    }

    /// `Forbidden: …`.
    pub fn forbidden(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(FieldErrorKind::Forbidden, field, String::new(), detail)
    }

    /// `Not found: "x"`.
    pub fn not_found(field: impl Into<String>, value: &str) -> Self {
        Self::new(FieldErrorKind::NotFound, field, quote(value), "")
    }

    /// `Too long: may not be more than N bytes`.
    pub fn too_long(field: impl Into<String>, limit: usize) -> Self {
        Self::new(
            FieldErrorKind::TooLong,
            field,
            String::new(),
            format!("may not be more than {limit} bytes"),
        )
    }

    /// The complaint without the field's path.
    #[must_use]
    pub fn body(&self) -> String {
        let name = match self.kind {
            FieldErrorKind::Required => "Required value",
            FieldErrorKind::Invalid => "Invalid value",
            FieldErrorKind::Duplicate => "Duplicate value",
            FieldErrorKind::NotSupported => "Unsupported value",
            FieldErrorKind::Forbidden => "Forbidden",
            FieldErrorKind::NotFound => "Not found",
            FieldErrorKind::TooLong => "Too long",
        };
        [name, &self.value, &self.detail]
            .into_iter()
            .filter(|s| !s.is_empty())
            .collect::<Vec<_>>()
            .join(": ")
    }

    fn reason(&self) -> &'static str {
        match self.kind {
            FieldErrorKind::Required => "FieldValueRequired",
            FieldErrorKind::Invalid => "FieldValueInvalid",
            FieldErrorKind::Duplicate => "FieldValueDuplicate",
            FieldErrorKind::NotSupported => "FieldValueNotSupported",
            FieldErrorKind::Forbidden => "FieldValueForbidden",
            FieldErrorKind::NotFound => "FieldValueNotFound",
            FieldErrorKind::TooLong => "FieldValueTooLong",
        }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.body())
    }
}

/// Why the store refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// 404.
    #[error("{resource} \"{name}\" not found")]
    NotFound {
        /// Plural, as `pods`.
        resource: String,
        /// The object's name.
        name: String,
    },
    /// 409: the name is taken.
    #[error("{resource} \"{name}\" already exists")]
    AlreadyExists {
        /// Plural.
        resource: String,
        /// The object's name.
        name: String,
    },
    /// 409: somebody else changed the object, or a precondition does not hold.
    #[error("Operation cannot be fulfilled on {resource} \"{name}\": {detail}")]
    Conflict {
        /// Plural.
        resource: String,
        /// The object's name.
        name: String,
        /// What is in conflict.
        detail: String,
    },
    /// 422: all complaints at once.
    #[error("{kind} \"{name}\" is invalid: {}", join(.errors))]
    Invalid {
        /// Kind, as `Pod`.
        kind: String,
        /// The object's name.
        name: String,
        /// At least one.
        errors: Vec<FieldError>,
    },
    /// 410: the history does not reach back that far; list again.
    #[error("too old resource version: {asked} ({oldest})")]
    Expired {
        /// What the watch asked for.
        asked: u64,
        /// The oldest that there is.
        oldest: u64,
    },
    /// 403.
    #[error("{resource} \"{name}\" is forbidden: {detail}")]
    Forbidden {
        /// Plural.
        resource: String,
        /// The object's name.
        name: String,
        /// Why.
        detail: String,
    },
    /// 400.
    #[error("{0}")]
    BadRequest(String),
    /// 500: the disk is full, or the like. Nothing was changed.
    #[error("Internal error occurred: {0}")]
    Internal(String),
}

fn join(errors: &[FieldError]) -> String {
    match errors {
        [one] => one.to_string(),
        many => format!(
            "[{}]",
            many.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        ),
    }
}

impl StoreError {
    /// The HTTP status code.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::NotFound { .. } => 404,
            Self::AlreadyExists { .. } | Self::Conflict { .. } => 409,
            Self::Invalid { .. } => 422,
            Self::Expired { .. } => 410,
            Self::Forbidden { .. } => 403,
            Self::BadRequest(_) => 400,
            Self::Internal(_) => 500,
        }
    }

    /// The reason of `metav1.Status`.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "NotFound",
            Self::AlreadyExists { .. } => "AlreadyExists",
            Self::Conflict { .. } => "Conflict",
            Self::Invalid { .. } => "Invalid",
            Self::Expired { .. } => "Expired",
            Self::Forbidden { .. } => "Forbidden",
            Self::BadRequest(_) => "BadRequest",
            Self::Internal(_) => "InternalError",
        }
    }

    /// The `metav1.Status` object that the API answers with.
    #[must_use]
    pub fn to_status(&self) -> Value {
        let details = match self {
            Self::NotFound { resource, name }
            | Self::AlreadyExists { resource, name }
            | Self::Conflict { resource, name, .. }
            | Self::Forbidden { resource, name, .. } => json!({ "name": name, "kind": resource }),
            Self::Invalid { kind, name, errors } => {
                let cause = |e: &FieldError| json!({ "reason": e.reason(), "message": e.body(), "field": e.field });
                let causes: Vec<_> = errors.iter().map(cause).collect();
                json!({ "name": name, "kind": kind, "causes": causes })
            }
            Self::Expired { .. } | Self::BadRequest(_) | Self::Internal(_) => Value::Null,
        };
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.to_string(), "reason": self.reason(), "code": self.code(),
        });
        if !details.is_null() {
            status["details"] = details;
        }
        status
    }

    /// The message as kubectl prints it: several complaints one below the other.
    #[must_use]
    pub fn for_people(&self) -> String {
        match self {
            Self::Invalid { kind, name, errors } => {
                let mut text = format!("The {kind} \"{name}\" is invalid:");
                match errors.as_slice() {
                    [one] => text.push_str(&format!(" {one}")),
                    many => many.iter().for_each(|e| text.push_str(&format!("\n* {e}"))),
                }
                text
            }
            other => format!("Error from server ({}): {other}", other.reason()),
        }
    }
}

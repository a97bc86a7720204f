//! Server-side apply: PATCH with `application/apply-patch+yaml`.
//!
//! The applier says how its fields are to be. Fields of others that it would change are conflicts, unless it forces them; fields that
//! it applied before and no longer names go, unless others have them too.

use crate::body::read_text;
use crate::fields::{Fields, merge};
use crate::managed::{self, Manager};
use crate::objects::{answer, check_type, validate_fields, with_warnings, write};
use crate::query::Query;
use crate::server::App;
use crate::status::{ApiError, Result};
use crate::target::Target;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use podsim_store::{Store, StoreError};
use serde_json::{Value, json};

/// How often an apply that met somebody else's change is tried again.
const ATTEMPTS: usize = 5;

pub(crate) async fn apply(
    app: &App,
    store: &Store,
    target: &Target,
    name: &str,
    query: &Query,
    request: Request,
) -> Result<Response> {
    let headers = request.headers().clone();
    if query.get("fieldManager").is_none() {
        return Err(ApiError::unprocessable(
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
        ));
    }
    let manager = Manager {
        operation: "Apply",
        ..Manager::of(query, &headers, target)
    };
    let force = query.flag("force")?;
    let text = read_text(request).await?;
    let applied = podsim_store::manifest::settings("the applied object", &text)
        .map_err(|error| ApiError::bad_request(format!("error decoding YAML: {error}")))?;
    if !applied.is_object() {
        return Err(ApiError::bad_request("the applied configuration is not an object"));
    }
    check_type(target.kind, &applied)?;
    if applied["metadata"]
        .get("managedFields")
        .is_some_and(|fields| !fields.is_null())
    {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    let warnings = validate_fields(app, target.kind, &applied, query)?;
    let mut attempt = 1;
    loop {
        let (result, code) = match store.get(target.kind, target.namespace_or_none(), name) {
            Ok(live) => {
                let new = plan(app, target, &manager, force, &live, &applied)?;
                (write(store, target, new), StatusCode::OK)
            }
            Err(StoreError::NotFound { .. }) if target.subresource.is_none() => {
                let mut object = applied.clone();
                if object["metadata"]["name"].as_str().unwrap_or_default() != name {
                    object["metadata"]["name"] = name.into();
                }
                managed::created(app, target.kind, &mut object, &manager);
                (
                    store.create(target.kind, target.namespace_or_none(), object),
                    StatusCode::CREATED,
                )
            }
            Err(error) => return Err(error.into()),
        };
        match result {
            Err(StoreError::Conflict { .. } | StoreError::AlreadyExists { .. })
                if attempt < ATTEMPTS && applied["metadata"]["resourceVersion"].is_null() =>
            {
                attempt += 1;
            }
            result => {
                let answer = answer(app, target.kind, &result?, query, &headers, code)?;
                return Ok(with_warnings(answer, &warnings));
            }
        }
    }
}

/// What the object becomes.
fn plan(app: &App, target: &Target, manager: &Manager, force: bool, live: &Value, applied: &Value) -> Result<Value> {
    let schema = managed::schema_of(app, target.kind);
    let mut entries = managed::entries(live);
    let wanted = Fields::of(&schema, applied);
    let differing = wanted.differing(&schema, live, applied);
    let mut causes = Vec::new();
    for entry in entries.iter_mut().filter(|entry| entry.manager != *manager) {
        let conflict = entry.fields.common(&differing);
        if conflict.is_empty() {
            continue;
        }
        if force {
            entry.fields = entry.fields.minus(&conflict);
            continue;
        }
        for field in conflict.paths() {
            let message = format!("conflict with \"{}\" using {}", entry.manager.name, entry.api_version);
            causes.push(json!({"reason": "FieldManagerConflict", "message": message, "field": field}));
        }
    }
    if !causes.is_empty() {
        return Err(conflict(target, causes));
    }
    let mut new = merge(&schema, live, applied);
    let before = entries.iter().find(|entry| entry.manager == *manager);
    if let Some(before) = before {
        let mut gone = before.fields.minus(&wanted);
        for other in entries.iter().filter(|entry| entry.manager != *manager) {
            gone = gone.minus(&other.fields);
        }
        gone.remove_from(&schema, &mut new);
    }
    let unchanged = before.is_some_and(|before| before.fields == wanted) && new == *live;
    if !unchanged {
        managed::give(app, &mut entries, target.kind, manager, wanted);
        managed::set(&mut new, &entries);
    }
    Ok(new)
}

fn conflict(target: &Target, causes: Vec<Value>) -> ApiError {
    let shown: Vec<String> = causes
        .iter()
        .map(|cause| {
            let text = |key: &str| cause[key].as_str().unwrap_or_default();
            format!("{}: {}", text("message"), text("field"))
        })
        .collect();
    let (count, what) = (causes.len(), if causes.len() == 1 { "conflict" } else { "conflicts" });
    let message = match shown.as_slice() {
        [one] => format!("Apply failed with 1 conflict: {one}"),
        many => format!("Apply failed with {count} {what}: {}", many.join("\n")),
    };
    let mut error = ApiError::conflict(message);
    error.details = Some(json!({"kind": target.kind.plural, "causes": causes}));
    error
}

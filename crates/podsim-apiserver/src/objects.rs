//! Reading and writing objects: get, list, create, update, patch, delete.

use crate::body::{content_type, read_json, read_object, read_optional};
use crate::negotiate::{Form, form, include_object};
use crate::patch::PatchKind;
use crate::query::Query;
use crate::server::{App, json_response};
use crate::status::{ApiError, Result};
use crate::table::table;
use crate::target::Target;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use k8s_openapi::api::core::v1::Pod;
use podsim_kubelet::unsupported_fields;
use podsim_store::manifest::decode;
use podsim_store::{DeleteOptions, Deleted, Kind, Object, Selectors, StoreError, kinds};
use serde::Deserialize;
use serde_json::{Value, json};

/// How often a patch that met somebody else's change is tried again.
const PATCH_ATTEMPTS: usize = 5;

/// GET of one object.
pub(crate) fn get(app: &App, target: &Target, name: &str, query: &Query, headers: &HeaderMap) -> Result<Response> {
    let object = app.store.get(target.kind, target.namespace_or_none(), name)?;
    answer(app, target.kind, &object, query, headers, StatusCode::OK)
}

/// GET of a collection.
pub(crate) fn list(app: &App, target: &Target, query: &Query, headers: &HeaderMap) -> Result<Response> {
    let selectors = selectors(target, query)?;
    let list = app.store.list(target.kind, target.namespace.as_deref(), &selectors);
    let metadata = json!({"resourceVersion": list.resource_version.to_string()});
    let body = match form(headers)? {
        Form::Table => {
            let include = include_object(query.get("includeObject"))?;
            table(target.kind, &list.items, metadata, include, true, app.now()).to_string()
        }
        Form::Object => {
            // Written out by hand: the objects are shared and need not be copied into one large value.
            let items: Vec<String> = list.items.iter().map(|item| item.to_string()).collect();
            format!(
                r#"{{"kind":"{}List","apiVersion":"{}","metadata":{metadata},"items":[{}]}}"#,
                target.kind.kind,
                target.kind.api_version(),
                items.join(",")
            )
        }
    };
    Ok(json_response(StatusCode::OK, body))
}

/// POST to a collection.
pub(crate) async fn create(app: &App, target: &Target, query: &Query, request: Request) -> Result<Response> {
    let namespace = writable_namespace(target)?;
    refuse_dry_run(query)?;
    let headers = request.headers().clone();
    let object = read_object(request).await?;
    check_type(target.kind, &object)?;
    let mut warnings = validate_fields(target.kind, &object, query)?;
    warnings.extend(unsupported(target.kind, &object));
    let object = app.store.create(target.kind, namespace, object)?;
    let answer = answer(app, target.kind, &object, query, &headers, StatusCode::CREATED)?;
    Ok(with_warnings(answer, &warnings))
}

/// PUT of an object or of its status.
pub(crate) async fn update(
    app: &App,
    target: &Target,
    name: &str,
    query: &Query,
    request: Request,
) -> Result<Response> {
    refuse_dry_run(query)?;
    let headers = request.headers().clone();
    let object = read_object(request).await?;
    check_type(target.kind, &object)?;
    let given = object["metadata"]["name"].as_str().unwrap_or_default();
    if given != name {
        let message = format!("the name of the object ({given}) does not match the name on the URL ({name})");
        return Err(ApiError::bad_request(message));
    }
    let warnings = validate_fields(target.kind, &object, query)?;
    let object = write(app, target, object)?;
    let answer = answer(app, target.kind, &object, query, &headers, StatusCode::OK)?;
    Ok(with_warnings(answer, &warnings))
}

/// `fieldValidation=`: unknown fields are refused (`Strict`) or warned of (`Warn`, the default).
fn validate_fields(kind: &Kind, object: &Value, query: &Query) -> Result<Vec<String>> {
    let mode = query.get("fieldValidation").unwrap_or("Warn");
    let typed = object["kind"].is_string() && object["apiVersion"].is_string();
    let complaints = match mode {
        "Ignore" => return Ok(Vec::new()),
        "Warn" | "Strict" if typed => decode("the object", &object.to_string()).err(),
        "Warn" | "Strict" => None,
        other => {
            return Err(ApiError::bad_request(format!(
                "fieldValidation: {other:?} is not Ignore, Warn or Strict"
            )));
        }
    };
    // What else is wrong with the object, the store says in Kubernetes' words.
    let complaints = complaints
        .into_iter()
        .flat_map(|complaints| complaints.0)
        .map(|complaint| complaint.message);
    let unknown: Vec<String> = complaints
        .filter(|message| message.starts_with("unknown field"))
        .collect();
    if mode == "Strict" && !unknown.is_empty() {
        return Err(ApiError::bad_request(format!(
            "{0} in version \"{1}\" cannot be handled as a {0}: strict decoding error: {2}",
            kind.kind,
            kind.version,
            unknown.join(", ")
        )));
    }
    Ok(unknown)
}

/// What of a new Pod will not be done.
fn unsupported(kind: &Kind, object: &Value) -> Vec<String> {
    match Pod::deserialize(object) {
        Ok(pod) if *kind == kinds::POD => unsupported_fields(&pod).iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}

/// Warnings go into headers (RFC 9111, 5.5), which kubectl prints.
fn with_warnings(mut answer: Response, warnings: &[String]) -> Response {
    for warning in warnings {
        let text: String = warning.chars().filter(|c| c.is_ascii() && !c.is_control()).collect();
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{text}\"")) {
            answer.headers_mut().append(header::WARNING, value);
        }
    }
    answer
}

/// PATCH of an object or of its status.
pub(crate) async fn patch(app: &App, target: &Target, name: &str, query: &Query, request: Request) -> Result<Response> {
    refuse_dry_run(query)?;
    let headers = request.headers().clone();
    let kind = PatchKind::of(content_type(&headers))?;
    let patch = read_json(request).await?;
    let mut attempt = 1;
    loop {
        let old = app.store.get(target.kind, target.namespace_or_none(), name)?;
        let new = kind.apply(&old, &patch)?;
        if new["metadata"]["name"] != old["metadata"]["name"] || new["kind"] != old["kind"] {
            return Err(ApiError::bad_request(
                "a patch may not change the kind or the name of the object",
            ));
        }
        // A resource version in the patch itself is a wish of the client; a conflict with it stays one.
        let wished = new["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"];
        match write(app, target, new) {
            Err(StoreError::Conflict { .. }) if !wished && attempt < PATCH_ATTEMPTS => attempt += 1,
            result => return answer(app, target.kind, &result?, query, &headers, StatusCode::OK),
        }
    }
}

fn write(app: &App, target: &Target, object: Value) -> std::result::Result<Object, StoreError> {
    let namespace = target.namespace_or_none();
    match target.subresource.as_deref() {
        Some("status") => app.store.update_status(target.kind, namespace, object),
        Some("ephemeralcontainers") => app.store.update_ephemeral_containers(namespace, object),
        _ => app.store.update(target.kind, namespace, object),
    }
}

/// DELETE of an object. The object if it lives on for a while, else a `Status`, as in Kubernetes.
pub(crate) async fn delete(
    app: &App,
    target: &Target,
    name: &str,
    query: &Query,
    request: Request,
) -> Result<Response> {
    let options = delete_options(query, request).await?;
    let deleted = app
        .store
        .delete(target.kind, target.namespace_or_none(), name, &options)?;
    let body = match &deleted {
        Deleted::Terminating(object) => object.to_string(),
        Deleted::Gone(object) if target.kind.kind == "Pod" => object.to_string(),
        Deleted::Gone(object) => {
            let details = json!({"name": name, "kind": target.kind.plural, "uid": object["metadata"]["uid"]});
            success(details).to_string()
        }
    };
    Ok(json_response(StatusCode::OK, body))
}

/// DELETE of a collection.
pub(crate) async fn delete_collection(app: &App, target: &Target, query: &Query, request: Request) -> Result<Response> {
    let options = delete_options(query, request).await?;
    let selectors = selectors(target, query)?;
    let list = app.store.list(target.kind, target.namespace.as_deref(), &selectors);
    for object in &list.items {
        let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
        match app.store.delete(target.kind, text("namespace"), text("name"), &options) {
            Ok(_) | Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(json_response(
        StatusCode::OK,
        success(json!({"kind": target.kind.plural})).to_string(),
    ))
}

/// A `Status` of success.
pub(crate) fn success(details: Value) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}

/// `DeleteOptions` from the body, or from the query. How dependents are treated (`propagationPolicy`) has no effect:
/// nothing that podsim keeps has dependents.
async fn delete_options(query: &Query, request: Request) -> Result<DeleteOptions> {
    refuse_dry_run(query)?;
    let body = read_optional(request).await?.unwrap_or_default();
    if body["dryRun"].as_array().is_some_and(|values| !values.is_empty()) {
        return Err(dry_run_refused());
    }
    let in_query = query.get("gracePeriodSeconds").map(str::parse::<i64>).transpose();
    let in_query = in_query.map_err(|_| ApiError::bad_request("gracePeriodSeconds is not a number"))?;
    let text = |key: &str| body["preconditions"][key].as_str().map(str::to_owned);
    Ok(DeleteOptions {
        grace_period_seconds: body["gracePeriodSeconds"].as_i64().or(in_query),
        uid: text("uid"),
        resource_version: text("resourceVersion"),
    })
}

/// Nothing may be written when the client asked for a dry run.
fn refuse_dry_run(query: &Query) -> Result<()> {
    if query.get("dryRun").is_some() {
        Err(dry_run_refused())
    } else {
        Ok(())
    }
}

fn dry_run_refused() -> ApiError {
    ApiError::bad_request("dryRun is not supported here yet: nothing was changed; use --dry-run=client")
}

/// The selectors of a list or a watch.
pub(crate) fn selectors(target: &Target, query: &Query) -> Result<Selectors> {
    let text = |key: &str| query.get(key).unwrap_or_default();
    Ok(Selectors::parse(
        target.kind,
        text("labelSelector"),
        text("fieldSelector"),
    )?)
}

/// Objects of a namespaced kind are created in a namespace.
fn writable_namespace(target: &Target) -> Result<&str> {
    match &target.namespace {
        None if target.kind.namespaced => Err(ApiError::method_not_allowed()),
        namespace => Ok(namespace.as_deref().unwrap_or_default()),
    }
}

/// The body must be of the kind that the path says.
fn check_type(kind: &Kind, object: &Value) -> Result<()> {
    let given = (
        object["apiVersion"].as_str().unwrap_or_default(),
        object["kind"].as_str().unwrap_or_default(),
    );
    let right = (given.1.is_empty() || given.1 == kind.kind) && (given.0.is_empty() || given.0 == kind.api_version());
    if right {
        return Ok(());
    }
    Err(ApiError::bad_request(format!(
        "the API version in the data ({}, Kind={}) does not match the expected API version ({}, Kind={})",
        given.0,
        given.1,
        kind.api_version(),
        kind.kind
    )))
}

/// An object in the form that the client wants.
pub(crate) fn answer(
    app: &App,
    kind: &'static Kind,
    object: &Object,
    query: &Query,
    headers: &HeaderMap,
    code: StatusCode,
) -> Result<Response> {
    let body = match form(headers)? {
        Form::Object => object.to_string(),
        Form::Table => {
            let metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
            let include = include_object(query.get("includeObject"))?;
            table(kind, std::slice::from_ref(object), metadata, include, true, app.now()).to_string()
        }
    };
    Ok(json_response(code, body))
}

//! Reading and writing objects: get, list, create, update, patch, delete.

use crate::body::{content_type, read_json, read_object, read_optional};
use crate::managed::{self, Manager};
use crate::negotiate::{Form, form, include_object};
use crate::patch::PatchKind;
use crate::query::Query;
use crate::server::{App, json_response};
use crate::status::{ApiError, Result};
use crate::table::{columns, only_metadata, table};
use crate::target::Target;
use crate::user::User;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use k8s_openapi::api::core::v1::Pod;
use podsim_kubelet::unsupported_fields;
use podsim_store::{DeleteOptions, Deleted, Kind, Object, Propagation, Selectors, Store, StoreError, kinds, schema};
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
    check_version(app, query)?;
    let page = Page::from_query(query)?;
    let list = app.store.list(target.kind, target.namespace.as_deref(), &selectors);
    let (items, metadata) = page.cut(list.items, list.resource_version, query);
    let body = match form(headers)? {
        Form::Table => {
            let include = include_object(query.get("includeObject"))?;
            table(&columns(app, target.kind), &items, metadata, include, true, app.now()).to_string()
        }
        Form::Metadata => {
            let items: Vec<Value> = items.iter().map(|item| only_metadata(item)).collect();
            json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "items": items})
                .to_string()
        }
        Form::Object => {
            // Written out by hand: the objects are shared and need not be copied into one large value.
            let items: Vec<String> = items.iter().map(|item| item.to_string()).collect();
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

/// What `resourceVersion=` of a list asks for must be there: the newest state is given, whatever older one is asked for.
fn check_version(app: &App, query: &Query) -> Result<()> {
    let Some(version) = query.get("resourceVersion") else {
        return Ok(());
    };
    let wanted: u64 = version.parse().map_err(|_| {
        ApiError::bad_request(format!(
            "resourceVersion: Invalid value: {version:?}: it is not a number"
        ))
    })?;
    let now = app.store.resource_version();
    if wanted > now {
        let mut error = ApiError::timeout(format!("Too large resource version: {wanted}, current: {now}"));
        error.details = Some(json!({
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        }));
        return Err(error);
    }
    if query.get("resourceVersionMatch") == Some("Exact") && wanted != now {
        return Err(StoreError::Expired {
            asked: wanted,
            oldest: now,
        }
        .into());
    }
    Ok(())
}

/// `limit` and `continue`. The token is the version of the first page and the last object given. What changes meanwhile
/// shows in later pages; the version lets a watch that follows see it too.
struct Page {
    limit: Option<usize>,
    after: Option<(u64, String, String)>,
}

impl Page {
    fn from_query(query: &Query) -> Result<Self> {
        let limit = query.number("limit")?.and_then(|n| usize::try_from(n).ok());
        let parse = |token: &str| -> Option<(u64, String, String)> {
            let (version, rest) = token.split_once(':')?;
            let (namespace, name) = rest.split_once('/')?;
            Some((version.parse().ok()?, namespace.to_owned(), name.to_owned()))
        };
        let wrong = || ApiError::bad_request("continue key is not valid: it is not one that this server gave");
        let after = query
            .get("continue")
            .map(|token| parse(token).ok_or_else(wrong))
            .transpose()?;
        Ok(Self {
            limit: limit.filter(|limit| *limit > 0),
            after,
        })
    }

    fn cut(self, mut items: Vec<Object>, version: u64, query: &Query) -> (Vec<Object>, Value) {
        let key = |object: &Value| {
            let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
            (text("namespace"), text("name"))
        };
        let mut version = version;
        if let Some((first, namespace, name)) = self.after {
            version = first;
            let after = (namespace, name);
            items.retain(|item| key(item) > after);
        }
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if let Some(limit) = self.limit
            && items.len() > limit
        {
            let rest = items.len() - limit;
            items.truncate(limit);
            let (namespace, name) = items.last().map(|item| key(item)).unwrap_or_default();
            metadata["continue"] = format!("{version}:{namespace}/{name}").into();
            // With a selector Kubernetes does not count what is left.
            if query.get("labelSelector").is_none() && query.get("fieldSelector").is_none() {
                metadata["remainingItemCount"] = rest.into();
            }
        }
        (items, metadata)
    }
}

/// POST to a collection.
pub(crate) async fn create(app: &App, target: &Target, query: &Query, request: Request) -> Result<Response> {
    let namespace = writable_namespace(target)?;
    let store = writable_store(app, query)?;
    let headers = request.headers().clone();
    let user = request.extensions().get::<User>().cloned().unwrap_or_default();
    let mut object = read_object(request).await?;
    check_type(target.kind, &object)?;
    if *target.kind == kinds::CERTIFICATE_SIGNING_REQUEST {
        user.sign(&mut object["spec"]);
    }
    let mut warnings = validate_fields(app, target.kind, &object, query)?;
    warnings.extend(unsupported(target.kind, &object));
    managed::created(app, target.kind, &mut object, &Manager::of(query, &headers, target));
    let object = store.create(target.kind, namespace, object)?;
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
    let store = writable_store(app, query)?;
    let headers = request.headers().clone();
    let mut object = read_object(request).await?;
    check_type(target.kind, &object)?;
    let given = object["metadata"]["name"].as_str().unwrap_or_default();
    if given != name {
        let message = format!("the name of the object ({given}) does not match the name on the URL ({name})");
        return Err(ApiError::bad_request(message));
    }
    let warnings = validate_fields(app, target.kind, &object, query)?;
    if let Ok(old) = store.get(target.kind, target.namespace_or_none(), name) {
        managed::updated(
            app,
            target.kind,
            &old,
            &mut object,
            &Manager::of(query, &headers, target),
        );
    }
    let object = write(&store, target, object)?;
    let answer = answer(app, target.kind, &object, query, &headers, StatusCode::OK)?;
    Ok(with_warnings(answer, &warnings))
}

/// `fieldValidation=`: unknown fields are refused (`Strict`) or warned of (`Warn`, the default).
pub(crate) fn validate_fields(app: &App, kind: &Kind, object: &Value, query: &Query) -> Result<Vec<String>> {
    let mode = query.get("fieldValidation").unwrap_or("Warn");
    if mode == "Ignore" {
        return Ok(Vec::new());
    }
    if !matches!(mode, "Warn" | "Strict") {
        return Err(ApiError::bad_request(format!(
            "fieldValidation: {mode:?} is not Ignore, Warn or Strict"
        )));
    }
    let custom = app.store.custom_schema(kind);
    let Some(schema) = custom.as_deref().or_else(|| schema::builtin().of(kind)) else {
        return Ok(Vec::new());
    };
    // What else is wrong with the object, the store says in Kubernetes' words.
    let report = schema::builtin().prune(schema, &mut object.clone());
    let unknown: Vec<String> = report
        .unknown
        .iter()
        .take(100)
        .map(|path| format!("unknown field \"{path}\""))
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

/// What of a new object will not be done.
fn unsupported(kind: &Kind, object: &Value) -> Vec<String> {
    let nobody = |does: &str| vec![format!("podsim keeps this {} and {does}", kind.kind)];
    match kind.group {
        "networking.k8s.io" => return nobody("routes or forbids nothing by it"),
        "rbac.authorization.k8s.io" => return nobody("does not evaluate it: whoever is let in may do everything"),
        "admissionregistration.k8s.io" => return nobody("calls no webhooks"),
        "autoscaling" => return nobody("scales nothing by it"),
        "certificates.k8s.io" => return nobody("signs nothing"),
        "flowcontrol.apiserver.k8s.io" => return nobody("holds no request back by it"),
        "apiregistration.k8s.io" => return nobody("forwards no requests to other API servers"),
        _ => {}
    }
    match Pod::deserialize(object) {
        Ok(pod) if *kind == kinds::POD => unsupported_fields(&pod).iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}

/// Warnings go into headers (RFC 9111, 5.5), which kubectl prints.
pub(crate) fn with_warnings(mut answer: Response, warnings: &[String]) -> Response {
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
    let store = writable_store(app, query)?;
    let headers = request.headers().clone();
    let manager = Manager::of(query, &headers, target);
    if content_type(&headers) == "application/apply-patch+yaml" {
        return crate::apply::apply(app, &store, target, name, query, request).await;
    }
    let kind = PatchKind::of(content_type(&headers))?;
    let patch = read_json(request).await?;
    let mut attempt = 1;
    loop {
        let old = store.get(target.kind, target.namespace_or_none(), name)?;
        let mut new = kind.apply(&old, &patch)?;
        if new["metadata"]["name"] != old["metadata"]["name"] || new["kind"] != old["kind"] {
            return Err(ApiError::bad_request(
                "a patch may not change the kind or the name of the object",
            ));
        }
        let warnings = validate_fields(app, target.kind, &new, query)?;
        // A resource version in the patch itself is a wish of the client; a conflict with it stays one.
        let wished = new["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"];
        managed::updated(app, target.kind, &old, &mut new, &manager);
        match write(&store, target, new) {
            Err(StoreError::Conflict { .. }) if !wished && attempt < PATCH_ATTEMPTS => attempt += 1,
            result => {
                let answer = answer(app, target.kind, &result?, query, &headers, StatusCode::OK)?;
                return Ok(with_warnings(answer, &warnings));
            }
        }
    }
}

pub(crate) fn write(store: &Store, target: &Target, object: Value) -> std::result::Result<Object, StoreError> {
    let namespace = target.namespace_or_none();
    match target.subresource.as_deref() {
        Some("status") => store.update_status(target.kind, namespace, object),
        Some("ephemeralcontainers") => store.update_ephemeral_containers(namespace, object),
        Some("resize") => store.resize_pod(namespace, object),
        Some("approval") => store.update_approval(object),
        Some("finalize") => store.finalize_namespace(object),
        _ => store.update(target.kind, namespace, object),
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
    let (store, options) = delete_options(app, query, request).await?;
    let deleted = store.delete(target.kind, target.namespace_or_none(), name, &options)?;
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
    let (store, options) = delete_options(app, query, request).await?;
    let selectors = selectors(target, query)?;
    let list = app.store.list(target.kind, target.namespace.as_deref(), &selectors);
    for object in &list.items {
        let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
        match store.delete(target.kind, text("namespace"), text("name"), &options) {
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

/// `DeleteOptions` from the body, or from the query, and the store to delete from.
pub(crate) async fn delete_options(app: &App, query: &Query, request: Request) -> Result<(Store, DeleteOptions)> {
    let body = read_optional(request).await?.unwrap_or_default();
    delete_options_of(app, query, &body)
}

/// The same from a body that was read.
pub(crate) fn delete_options_of(app: &App, query: &Query, body: &Value) -> Result<(Store, DeleteOptions)> {
    let mut store = writable_store(app, query)?;
    if body["dryRun"].as_array().is_some_and(|values| !values.is_empty()) {
        store = app.store.dry_run();
    }
    let in_query = query.get("gracePeriodSeconds").map(str::parse::<i64>).transpose();
    let in_query = in_query.map_err(|_| ApiError::bad_request("gracePeriodSeconds is not a number"))?;
    let text = |key: &str| body["preconditions"][key].as_str().map(str::to_owned);
    let policy = body["propagationPolicy"].as_str().or(query.get("propagationPolicy"));
    let orphan = body["orphanDependents"] == true || query.flag("orphanDependents")?;
    let propagation = match policy {
        Some("Orphan") => Propagation::Orphan,
        Some("Background" | "Foreground") => Propagation::Background,
        None if orphan => Propagation::Orphan,
        None => Propagation::Background,
        Some(other) => {
            return Err(ApiError::unprocessable(format!(
                "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: {other:?}: supported values: \
                 \"Background\", \"Foreground\", \"Orphan\""
            )));
        }
    };
    let options = DeleteOptions {
        propagation,
        grace_period_seconds: body["gracePeriodSeconds"].as_i64().or(in_query),
        uid: text("uid"),
        resource_version: text("resourceVersion"),
    };
    Ok((store, options))
}

/// Where to write: with `dryRun=All` nothing is kept.
pub(crate) fn writable_store(app: &App, query: &Query) -> Result<Store> {
    match query.get("dryRun") {
        None => Ok(app.store.clone()),
        Some("All") => Ok(app.store.dry_run()),
        Some(other) => Err(ApiError::unprocessable(format!(
            "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: {other:?}: supported values: \"All\""
        ))),
    }
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
pub(crate) fn writable_namespace(target: &Target) -> Result<&str> {
    match &target.namespace {
        None if target.kind.namespaced => Err(ApiError::method_not_allowed()),
        namespace => Ok(namespace.as_deref().unwrap_or_default()),
    }
}

/// The body must be of the kind that the path says.
pub(crate) fn check_type(kind: &Kind, object: &Value) -> Result<()> {
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
            let columns = columns(app, kind);
            table(
                &columns,
                std::slice::from_ref(object),
                metadata,
                include,
                true,
                app.now(),
            )
            .to_string()
        }
        Form::Metadata => only_metadata(object).to_string(),
    };
    Ok(json_response(code, body))
}

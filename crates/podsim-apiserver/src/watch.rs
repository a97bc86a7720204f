//! `watch=true`: changes as one JSON object a line, until the client or the time is gone.
//!
//! The stream is pulled by the connection. A client that does not read fills its own queue in the store, which then ends
//! its watch; nobody else notices.

use crate::negotiate::{Form, form, include_object};
use crate::objects::selectors;
use crate::query::Query;
use crate::server::App;
use crate::status::{ApiError, Result};
use crate::table::table;
use crate::target::Target;
use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use podsim_store::{Since, StoreError, WatchEvent};
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// GET of a collection with `watch=true`.
pub(crate) fn watch(app: &Arc<App>, target: &Target, query: &Query, headers: &HeaderMap) -> Result<Response> {
    let selectors = selectors(target, query)?;
    if query.get("sendInitialEvents").is_some() {
        // What a server without this feature says; clients then list and watch.
        return Err(ApiError::unprocessable(
            "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch \
             unless the WatchList feature gate is enabled",
        ));
    }
    let since = match query.get("resourceVersion") {
        None | Some("0") => Since::Start,
        Some(version) => Since::ResourceVersion(version.parse().map_err(|_| {
            ApiError::bad_request(format!(
                "resourceVersion: Invalid value: {version:?}: it is not a number"
            ))
        })?),
    };
    let form = form(headers)?;
    let include = include_object(query.get("includeObject"))?;
    let events: BoxStream<'static, WatchEvent> =
        match app
            .store
            .watch(target.kind, target.namespace.as_deref(), &selectors, since)
        {
            Ok(watch) => watch.boxed(),
            // Too old: told inside the stream, as Kubernetes' watch cache does; clients list again.
            Err(error @ StoreError::Expired { .. }) => {
                let line = json!({"type": "ERROR", "object": error.to_status()});
                return Ok(lines(stream::iter([Bytes::from(format!("{line}\n"))]).boxed()));
            }
            Err(error) => return Err(error.into()),
        };
    let (app, kind, mut first) = (app.clone(), target.kind, true);
    let text = events.map(move |event| {
        let (what, object) = (event.kind.name(), event.object);
        let line = match form {
            Form::Object => format!("{{\"type\":\"{what}\",\"object\":{object}}}\n"),
            Form::Table => {
                let metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
                let table = table(
                    kind,
                    &[object],
                    metadata,
                    include,
                    std::mem::take(&mut first),
                    app.now(),
                );
                format!("{{\"type\":\"{what}\",\"object\":{table}}}\n")
            }
        };
        Bytes::from(line)
    });
    Ok(match query.seconds("timeoutSeconds")? {
        // Host time: it is about the connection.
        Some(timeout) if timeout > Duration::ZERO => lines(text.take_until(tokio::time::sleep(timeout)).boxed()),
        _ => lines(text.boxed()),
    })
}

fn lines(lines: BoxStream<'static, Bytes>) -> Response {
    let body = Body::from_stream(lines.map(Ok::<_, Infallible>));
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

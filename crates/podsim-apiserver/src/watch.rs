//! `watch=true`: changes as one JSON object a line, until the client or the time is gone.
//!
//! The stream is pulled by the connection. A client that does not read fills its own queue in the store, which then ends
//! its watch; nobody else notices.

use crate::negotiate::{Form, form, include_object};
use crate::objects::selectors;
use crate::query::Query;
use crate::server::App;
use crate::status::{ApiError, Result};
use crate::table::{Columns, IncludeObject, columns, only_metadata, table};
use crate::target::Target;
use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use podsim_store::{Kind, Object, Since, StoreError, Watch};
use serde_json::json;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

/// How often a watcher that wants bookmarks gets one. Host time: about as often as from Kubernetes.
const BOOKMARKS: Duration = Duration::from_secs(60);

/// GET of a collection with `watch=true`.
pub(crate) fn watch(app: &Arc<App>, target: &Target, query: &Query, headers: &HeaderMap) -> Result<Response> {
    let selectors = selectors(target, query)?;
    let initial_events = match query.get("sendInitialEvents") {
        None => None,
        Some(_) if query.get("resourceVersionMatch") != Some("NotOlderThan") => {
            return Err(ApiError::unprocessable(
                "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting \
                 resourceVersionMatch to NotOlderThan",
            ));
        }
        Some(_) => Some(query.flag("sendInitialEvents")?),
    };
    let since = match (query.get("resourceVersion"), initial_events) {
        (_, Some(true)) => Since::Start,
        (None | Some("0"), Some(false)) => Since::Now,
        (None | Some("0"), None) => Since::Start,
        (Some(version), _) => Since::ResourceVersion(version.parse().map_err(|_| {
            ApiError::bad_request(format!(
                "resourceVersion: Invalid value: {version:?}: it is not a number"
            ))
        })?),
    };
    let form = form(headers)?;
    let include = include_object(query.get("includeObject"))?;
    let watch = match app
        .store
        .watch(target.kind, target.namespace.as_deref(), &selectors, since)
    {
        Ok(watch) => watch,
        // Too old: told inside the stream, as Kubernetes' watch cache does; clients list again.
        Err(error @ StoreError::Expired { .. }) => {
            let line = json!({"type": "ERROR", "object": error.to_status()});
            return Ok(lines(stream::iter([Bytes::from(format!("{line}\n"))]).boxed()));
        }
        Err(error) => return Err(error.into()),
    };
    let writer = Writer {
        columns: columns(app, target.kind),
        app: app.clone(),
        kind: target.kind,
        form,
        include,
        first: true,
        initial_left: (initial_events == Some(true)).then(|| watch.initial()),
        initial_version: watch.resource_version,
        bookmarks: query.flag("allowWatchBookmarks")?,
        ticks: tokio::time::interval_at(tokio::time::Instant::now() + BOOKMARKS, BOOKMARKS),
        due: None,
        sent: None,
    };
    let text = stream::unfold((watch, writer), async |(mut watch, mut writer)| {
        let piece = writer.piece(&mut watch).await?;
        Some((piece, (watch, writer)))
    });
    Ok(match query.seconds("timeoutSeconds")? {
        // Host time: it is about the connection.
        Some(timeout) if timeout > Duration::ZERO => lines(text.take_until(tokio::time::sleep(timeout)).boxed()),
        _ => lines(text.boxed()),
    })
}

/// Makes lines of events.
struct Writer {
    app: Arc<App>,
    kind: &'static Kind,
    columns: Columns,
    form: Form,
    include: IncludeObject,
    first: bool,
    /// How many of the first objects are to come before the bookmark that ends them.
    initial_left: Option<usize>,
    initial_version: u64,
    bookmarks: bool,
    ticks: tokio::time::Interval,
    /// A bookmark for this version is due as soon as nothing of before waits any more.
    due: Option<u64>,
    /// When the last piece went out.
    sent: Option<tokio::time::Instant>,
}

/// How long a watch gathers events for each other watch that there is, once it has sent some: with a thousand of them 10 ms, with a
/// few nothing that could be noticed. A system call for each event and watch would leave no time for anything else.
const GATHER: Duration = Duration::from_micros(10);
/// The most that is gathered, in bytes.
const PIECE: usize = 64 << 10;
/// How many lines are remembered for the other watches of the same objects.
const REMEMBERED: usize = 64;

/// Lines that were made lately: a thousand watches of an object need its text once.
#[derive(Default)]
pub(crate) struct Lines(Mutex<VecDeque<(Object, &'static str, Bytes)>>);

impl Lines {
    fn of(&self, what: &'static str, object: &Object) -> Bytes {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lines
            .iter()
            .find(|(of, kind, _)| Arc::ptr_eq(of, object) && *kind == what);
        if let Some((_, _, line)) = known {
            return line.clone();
        }
        let line = Bytes::from(format!("{{\"type\":\"{what}\",\"object\":{object}}}\n"));
        lines.push_front((object.clone(), what, line.clone()));
        lines.truncate(REMEMBERED);
        line
    }
}

impl Writer {
    /// The next event; those that come soon after the last are gathered.
    async fn piece(&mut self, watch: &mut Watch) -> Option<Bytes> {
        let first = self.next(watch).await?;
        let watches = u32::try_from(self.app.store.watches()).unwrap_or(u32::MAX);
        if let Some(sent) = self.sent {
            tokio::time::sleep_until(sent + GATHER.saturating_mul(watches)).await;
        }
        let mut piece = BytesMut::from(first);
        while piece.len() < PIECE
            && let Poll::Ready(Some(line)) = futures_util::poll!(pin!(self.next(watch)))
        {
            piece.extend_from_slice(&line);
        }
        self.sent = Some(tokio::time::Instant::now());
        Some(piece.freeze())
    }

    async fn next(&mut self, watch: &mut Watch) -> Option<Bytes> {
        if self.initial_left == Some(0) {
            self.initial_left = None;
            return Some(self.bookmark(self.initial_version, true));
        }
        loop {
            let due = self.due;
            tokio::select! {
                // What has happened comes before the bookmark that says that it has come.
                biased;
                event = watch.next() => {
                    let event = event?;
                    if let Some(left) = &mut self.initial_left {
                        *left -= 1;
                    }
                    return Some(self.line(event.kind.name(), event.object));
                }
                () = std::future::ready(()), if due.is_some() => {
                    self.due = None;
                    return Some(self.bookmark(due.unwrap_or_default(), false));
                }
                _ = self.ticks.tick(), if self.bookmarks => self.due = Some(self.app.store.resource_version()),
            }
        }
    }

    fn line(&mut self, what: &'static str, object: Object) -> Bytes {
        let line = match self.form {
            Form::Object => return self.app.lines.of(what, &object),
            Form::Metadata => format!("{{\"type\":\"{what}\",\"object\":{}}}\n", only_metadata(&object)),
            Form::Table => {
                let metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
                let headings = std::mem::take(&mut self.first);
                let table = table(
                    &self.columns,
                    &[object],
                    metadata,
                    self.include,
                    headings,
                    self.app.now(),
                );
                format!("{{\"type\":\"{what}\",\"object\":{table}}}\n")
            }
        };
        Bytes::from(line)
    }

    fn bookmark(&self, version: u64, initial_end: bool) -> Bytes {
        let mut metadata = json!({"resourceVersion": version.to_string(), "creationTimestamp": null});
        if initial_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let (kind, api_version) = match self.form {
            Form::Object => (self.kind.kind, self.kind.api_version()),
            Form::Metadata => ("PartialObjectMetadata", "meta.k8s.io/v1".to_owned()),
            Form::Table => ("Table", "meta.k8s.io/v1".to_owned()),
        };
        let object = json!({"kind": kind, "apiVersion": api_version, "metadata": metadata});
        Bytes::from(format!("{{\"type\":\"BOOKMARK\",\"object\":{object}}}\n"))
    }
}

fn lines(lines: BoxStream<'static, Bytes>) -> Response {
    let body = Body::from_stream(lines.map(Ok::<_, Infallible>));
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

//! Streaming calls over WebSockets: exec, attach, port-forward, and exec on the node; and over SPDY for older clients.
//!
//! The wire format is that of `apimachinery/pkg/util/remotecommand` and `…/httpstream/wsstream`: binary messages whose
//! first byte is the channel. `v4.channel.k8s.io` has stdin 0, stdout 1, stderr 2, error 3, resize 4, and ends with a `Status` on
//! the error channel; `v5.channel.k8s.io` adds the message `[255, channel]`, the end of a stream of the client. [`dialect`] has the others.

mod dialect;
pub(crate) mod forward;
mod portforward;
pub(crate) mod remote_command;
pub(crate) mod session;
pub(crate) mod spdy;

pub(crate) use dialect::Dialect;
pub(crate) use portforward::{MAX_PORTS, port_forward};
pub(crate) use session::run_session;

use crate::query::Query;
use crate::status::{ApiError, Result};
use axum::body::Body;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{FromRequestParts, Request};
use axum::http::{StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use podsim_sys::Winsize;
use std::convert::Infallible;

/// The largest message from a client: kubectl sends at most 32 KiB.
const MAX_MESSAGE: usize = 1 << 20;

/// Which streams the client asked for (`PodExecOptions`, `PodAttachOptions`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamOptions {
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
    pub(crate) tty: bool,
    /// The first size of the terminal; an addition of podsim's own client, others send it as the first resize message.
    pub(crate) winsize: Option<Winsize>,
}

impl StreamOptions {
    /// From the query. As in Kubernetes a terminal has no separate stderr, and something has to be asked for.
    pub(crate) fn from_query(query: &Query) -> Result<Self> {
        let tty = query.flag("tty")?;
        let side = |key: &str| -> Result<Option<u16>> {
            Ok(query
                .number(key)?
                .and_then(|n| u16::try_from(n).ok())
                .filter(|n| *n > 0))
        };
        let winsize = match (side("width")?, side("height")?) {
            (Some(cols), Some(rows)) if tty => Some(Winsize { rows, cols }),
            _ => None,
        };
        let options = Self {
            stdin: query.flag("stdin")?,
            stdout: query.flag("stdout")?,
            stderr: query.flag("stderr")? && !tty,
            tty,
            winsize,
        };
        if !options.stdin && !options.stdout && !options.stderr {
            return Err(ApiError::bad_request(
                "you must specify at least one of stdin, stdout, stderr",
            ));
        }
        Ok(options)
    }
}

/// Begins the upgrade of a request to a WebSocket of one of the protocols.
pub(crate) async fn upgrade(request: Request) -> Result<(WebSocketUpgrade, Dialect)> {
    let named = request.headers().contains_key(header::SEC_WEBSOCKET_PROTOCOL);
    let upgrade = upgrade_to(request, &dialect::NAMES).await?;
    let selected = upgrade.selected_protocol().and_then(|name| name.to_str().ok());
    let dialect = Dialect::named(selected).filter(|_| selected.is_some() || !named);
    let dialect = dialect.ok_or_else(|| {
        ApiError::bad_request(format!(
            "unable to upgrade: the subprotocols are {}",
            dialect::NAMES.join(", ")
        ))
    })?;
    Ok((upgrade, dialect))
}

/// The same for these protocols; whether one was chosen is to be looked at.
pub(crate) async fn upgrade_to(request: Request, protocols: &'static [&'static str]) -> Result<WebSocketUpgrade> {
    let (mut parts, _) = request.into_parts();
    Ok(WebSocketUpgrade::from_request_parts(&mut parts, &())
        .await
        .map_err(|error| ApiError::bad_request(format!("Upgrade request required: {error}")))?
        .max_message_size(MAX_MESSAGE)
        .protocols(protocols.iter().copied()))
}

/// Upgrades to SPDY, if that is what the client asks for: `session` gets the connection. One of the protocols must be among those
/// that the client names.
pub(crate) fn upgrade_to_spdy<F>(
    request: &mut Request,
    protocols: &[&str],
    session: impl FnOnce(TokioIo<Upgraded>) -> F + Send + 'static,
) -> Option<Result<Response>>
where
    F: Future<Output = ()> + Send + 'static,
{
    let headers = request.headers();
    let wanted = headers.get(header::UPGRADE)?.to_str().ok()?;
    if !wanted.to_ascii_lowercase().starts_with("spdy/3.1") {
        return None;
    }
    let offered: Vec<&str> = headers
        .get_all("X-Stream-Protocol-Version")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let Some(protocol) = protocols.iter().find(|protocol| offered.contains(protocol)) else {
        let message = format!(
            "unable to upgrade: unable to negotiate protocol: client supports {offered:?}, server accepts {protocols:?}"
        );
        return Some(Err(ApiError::plain(403, message)));
    };
    let upgraded = hyper::upgrade::on(request);
    tokio::spawn(async move {
        match upgraded.await {
            Ok(io) => session(TokioIo::new(io)).await,
            Err(error) => tracing::debug!("SPDY: {error}"),
        }
    });
    let answer = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "SPDY/3.1")
        .header("X-Stream-Protocol-Version", *protocol)
        .body(Body::empty());
    Some(answer.map_err(ApiError::internal))
}

/// The protocols of exec and attach over SPDY.
pub(crate) const SPDY_EXEC: &[&str] = &["v4.channel.k8s.io"];
/// That of port-forward.
pub(crate) const SPDY_FORWARD: &[&str] = &["portforward.k8s.io"];

/// Sends bytes over a WebSocket, a message for what comes at once (`wsstream.Reader`).
pub(crate) async fn send_bytes(
    request: Request,
    bytes: impl Stream<Item = std::result::Result<Bytes, Infallible>> + Send + 'static,
) -> Result<Response> {
    const BASE64: &str = "base64.binary.k8s.io";
    let upgrade = upgrade_to(request, &["binary.k8s.io", BASE64]).await?;
    let base64 = upgrade.selected_protocol().is_some_and(|name| name == BASE64);
    Ok(upgrade.on_upgrade(async move |mut socket| {
        let mut bytes = Box::pin(bytes);
        while let Some(Ok(bytes)) = bytes.next().await {
            let message = match base64 {
                true => Message::Text(STANDARD.encode(&bytes).into()),
                false => Message::Binary(bytes),
            };
            if socket.send(message).await.is_err() {
                return;
            }
        }
        let _ = socket.send(Message::Close(None)).await;
    }))
}

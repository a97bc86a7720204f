//! [`ApiServer`]: connections, authentication, and the way of a request to its handler.

use crate::node_view::{self, NodeAccess};
use crate::proxy::Proxied;
use crate::query::Query;
use crate::status::{ApiError, Result};
use crate::target::Target;
use crate::{
    authorize, autoscaling, discovery, events, gzip, metrics, negotiate, objects, openapi, pods, proxy, review,
    subresource, user, watch,
};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use podsim_cri::{ImageService, RuntimeService};
use podsim_store::{Store, time};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// What the server needs.
pub struct Config {
    /// The objects. Its clock is the server's.
    pub store: Store,
    /// For logs, exec, attach, port-forward and the node's view.
    pub runtime: Arc<dyn RuntimeService>,
    /// The same of the cluster's other nodes, by their names.
    pub others: BTreeMap<String, Arc<dyn RuntimeService>>,
    /// For the node's view.
    pub images: Arc<dyn ImageService>,
    /// The node itself.
    pub node: Arc<dyn NodeAccess>,
    /// The bearer token that clients must show.
    pub token: String,
}

/// Serves the API. Clones share everything, so that one API may have several listeners.
#[derive(Clone)]
pub struct ApiServer {
    app: Arc<App>,
}

pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) runtime: Arc<dyn RuntimeService>,
    others: BTreeMap<String, Arc<dyn RuntimeService>>,
    pub(crate) images: Arc<dyn ImageService>,
    pub(crate) node: Arc<dyn NodeAccess>,
    token: String,
    /// What watches have told lately.
    pub(crate) lines: watch::Lines,
}

impl App {
    /// The runtime of the node that a Pod is on.
    pub(crate) fn runtime_of(&self, pod: &Value) -> &Arc<dyn RuntimeService> {
        let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
        self.others.get(node).unwrap_or(&self.runtime)
    }

    /// The time of the node.
    pub(crate) fn now(&self) -> Timestamp {
        time::timestamp(self.store.clock().as_ref())
    }

    /// Whether it is the token. Compared in constant time, so that its beginning cannot be found by timing.
    pub(crate) fn is_token(&self, shown: &[u8]) -> bool {
        let wanted = self.token.as_bytes();
        let different = shown
            .iter()
            .zip(wanted)
            .fold(0, |different, (a, b)| different | (a ^ b));
        !wanted.is_empty() && shown.len() == wanted.len() && std::hint::black_box(different) == 0
    }
}

/// What a request's handler knows of its connection.
#[derive(Clone)]
struct Front {
    app: Arc<App>,
    /// Where the server listens.
    address: Arc<str>,
    /// The client has shown a certificate that our own authority has signed.
    certified: bool,
}

/// How many connections there may be at a time; more wait to be accepted.
const CONNECTIONS: usize = 4096;
/// How long a client may take to send the head of a request. Host time: this is about the connection.
const HEADER_PATIENCE: Duration = Duration::from_secs(30);
/// How long a client may take for TLS' handshake. Host time.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);

impl ApiServer {
    /// A server over these.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let Config {
            store,
            runtime,
            others,
            images,
            node,
            token,
        } = config;
        let app = App {
            store,
            runtime,
            others,
            images,
            node,
            token,
            lines: watch::Lines::default(),
        };
        Self { app: Arc::new(app) }
    }

    /// Serves until `shutdown` is ready; then every connection is cut.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()> + Send) -> io::Result<()> {
        self.accept(listener, None, shutdown).await
    }

    /// The same over TLS. A client with a certificate that `tls` accepts needs no token.
    pub async fn serve_tls(
        self,
        listener: TcpListener,
        tls: Arc<ServerConfig>,
        shutdown: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        self.accept(listener, Some(TlsAcceptor::from(tls)), shutdown).await
    }

    async fn accept(
        self,
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        shutdown: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        let front = Front {
            app: self.app,
            address: listener.local_addr()?.to_string().into(),
            certified: false,
        };
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            let accept = async {
                let slot = slots.clone().acquire_owned().await;
                (slot, listener.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                () = &mut shutdown => return Ok(()),
                Some(_) = connections.join_next() => continue,
                accepted = accept => accepted,
            };
            let stream = match accepted {
                Ok((stream, SocketAddr::V4(_) | SocketAddr::V6(_))) => stream,
                Err(error) => {
                    // Usually no descriptors are left; they come back when connections end.
                    tracing::warn!("accept: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            // Small messages matter here: keys of an interactive exec.
            let _ = stream.set_nodelay(true);
            let (front, tls) = (front.clone(), tls.clone());
            connections.spawn(async move {
                match tls {
                    None => talk(front, stream).await,
                    Some(tls) => match tokio::time::timeout(HANDSHAKE_PATIENCE, tls.accept(stream)).await {
                        Ok(Ok(stream)) => {
                            let certified = stream.get_ref().1.peer_certificates().is_some();
                            talk(Front { certified, ..front }, stream).await;
                        }
                        Ok(Err(error)) => tracing::debug!("TLS: {error}"),
                        Err(_) => tracing::debug!("TLS: the handshake took too long"),
                    },
                }
                drop(slot);
            });
        }
    }
}

async fn talk(front: Front, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let service = TowerToHyperService::new(Router::new().fallback(handle).with_state(front));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    // A client that goes away in the middle is nobody's fault.
    if let Err(error) = connection.await {
        tracing::debug!("connection: {error}");
    }
}

async fn handle(State(front): State<Front>, request: Request) -> Response {
    let gzip = gzip::wanted(request.headers());
    let answer = route(&front, request).await.unwrap_or_else(IntoResponse::into_response);
    if gzip { gzip::compress(answer).await } else { answer }
}

async fn route(front: &Front, mut request: Request) -> Result<Response> {
    let app = &front.app;
    let path = percent_decode(request.uri().path()).ok_or_else(ApiError::no_such_path)?;
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    // Health is for everybody, as in Kubernetes.
    if let ["healthz" | "livez" | "readyz", ..] = segments.as_slice() {
        return Ok((StatusCode::OK, "ok").into_response());
    }
    let user = user::authenticate(app, request.headers(), front.certified)?;
    let query = Query::parse(request.uri().query())?;
    let action = authorize::action(request.method(), &path, &segments, query.get("watch").is_some());
    authorize::check(&app.store, &user, &action)?;
    // For what notes who has made it.
    request.extensions_mut().insert(user.clone());
    let aggregated = negotiate::wants_aggregated(request.headers());
    let document = match segments.as_slice() {
        [] => Some(discovery::paths(&app.store)),
        ["version"] => Some(discovery::version()),
        ["api"] if aggregated => return Ok(aggregated_discovery(app, true)),
        ["apis"] if aggregated => return Ok(aggregated_discovery(app, false)),
        ["api"] => Some(discovery::api_versions(&front.address)),
        ["apis"] => Some(discovery::api_groups(&app.store)),
        ["apis", group] => discovery::api_group(&app.store, group),
        ["api", version] => discovery::api_resources(&app.store, "", version),
        ["apis", group, version] => discovery::api_resources(&app.store, group, version),
        ["api", "v1", rest @ ..] if let Some(to) = Proxied::parse(rest) => return proxy::proxy(app, to, request).await,
        ["api", version, rest @ ..] => return resource(app, "", version, rest, &query, request).await,
        ["apis", "metrics.k8s.io", "v1beta1", rest @ ..] => {
            return metrics::metrics(app, rest, query.get("labelSelector").unwrap_or_default()).await;
        }
        [
            "apis",
            group @ ("authentication.k8s.io" | "authorization.k8s.io"),
            "v1",
            rest @ ..,
        ] => {
            negotiate::accepts_objects(request.headers())?;
            let review = review::review(app, &user, group, rest, request).await;
            return review.unwrap_or_else(|| Err(ApiError::no_such_path()));
        }
        ["apis", events::GROUP, "v1", rest @ ..] => {
            let request = events::to_core(request, rest).await?;
            let query = Query::parse(request.uri().query())?;
            let answer = resource(app, "", "v1", rest, &query, request).await?;
            return events::from_core(answer).await;
        }
        ["apis", autoscaling::GROUP, "v1", rest @ ..] => {
            let target = Target::parse(&app.store, autoscaling::GROUP, "v2", rest);
            let target = target.ok_or_else(ApiError::no_such_path)?;
            let request = autoscaling::to_v2(app, request, &target, rest).await?;
            let answer = resource(app, autoscaling::GROUP, "v2", rest, &query, request).await?;
            return autoscaling::from_v2(answer).await;
        }
        ["apis", group, version, rest @ ..] => return resource(app, group, version, rest, &query, request).await,
        ["openapi", "v2"] if negotiate::accepts(request.headers(), openapi::V2_PROTOBUF) => {
            // An @ is not for types that are given, only for those that are asked for: Go does not parse it.
            let content_type = [(header::CONTENT_TYPE, openapi::V2_PROTOBUF.replace('@', "."))];
            return Ok((StatusCode::OK, content_type, openapi::v2_protobuf()).into_response());
        }
        ["openapi", "v2"] => {
            negotiate::accepts_json(request.headers())?;
            Some(openapi::v2(&app.store))
        }
        ["openapi", "v3"] => Some(openapi::index(&app.store)),
        ["openapi", "v3", "api", version] => openapi::document(&app.store, "", version),
        ["openapi", "v3", "apis", group, version] => openapi::document(&app.store, group, version),
        [".well-known", "openid-configuration"] => Some(discovery::openid(&front.address)),
        ["openid", "v1", "jwks"] => Some(app.store.token_keys()),
        ["metrics"] => return Ok(metrics::prometheus(app)),
        ["podsim", "v1", rest @ ..] => return node_view::handle(app, rest, &query, request).await,
        _ => None,
    };
    let document = document.ok_or_else(ApiError::no_such_path)?;
    if request.method() != Method::GET {
        return Err(ApiError::method_not_allowed());
    }
    Ok(json_response(StatusCode::OK, document.to_string()))
}

fn aggregated_discovery(app: &App, core: bool) -> Response {
    let body = discovery::aggregated(&app.store, core).to_string();
    (StatusCode::OK, [(header::CONTENT_TYPE, discovery::AGGREGATED)], body).into_response()
}

async fn resource(
    app: &Arc<App>,
    group: &str,
    version: &str,
    segments: &[&str],
    query: &Query,
    request: Request,
) -> Result<Response> {
    let target = Target::parse(&app.store, group, version, segments).ok_or_else(ApiError::no_such_path)?;
    let method = request.method().clone();
    let Some(name) = target.name.as_deref() else {
        return match method {
            Method::GET if query.flag("watch")? => watch::watch(app, &target, query, request.headers()),
            Method::GET => objects::list(app, &target, query, request.headers()),
            Method::POST => objects::create(app, &target, query, request).await,
            Method::DELETE => objects::delete_collection(app, &target, query, request).await,
            _ => Err(ApiError::method_not_allowed()),
        };
    };
    let namespace = target.namespace_or_none();
    match (method, target.subresource.as_deref()) {
        (Method::GET, None | Some("status" | "ephemeralcontainers" | "resize" | "approval")) => {
            objects::get(app, &target, name, query, request.headers())
        }
        (Method::PUT, None | Some("status" | "ephemeralcontainers" | "resize" | "approval" | "finalize")) => {
            objects::update(app, &target, name, query, request).await
        }
        (Method::PATCH, None | Some("status" | "ephemeralcontainers" | "resize" | "approval")) => {
            objects::patch(app, &target, name, query, request).await
        }
        (Method::DELETE, None) => objects::delete(app, &target, name, query, request).await,
        (Method::GET, Some("log")) => pods::log(app, namespace, name, query, request).await,
        (Method::GET | Method::POST, Some("exec")) => pods::exec(app, namespace, name, query, request).await,
        (Method::GET | Method::POST, Some("attach")) => pods::attach(app, namespace, name, query, request).await,
        (Method::GET | Method::POST, Some("portforward")) => {
            pods::portforward(app, namespace, name, query, request).await
        }
        (Method::POST, Some("token")) => review::request_token(app, namespace, name, request).await,
        (Method::POST, Some("binding")) => pods::bind(app, namespace, name, request).await,
        (method, Some(_)) => subresource::handle(app, &target, name, query, method, request).await,
        _ => Err(ApiError::method_not_allowed()),
    }
}

/// `%2F` and the like. `None` if it is not UTF-8.
fn percent_decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                digit(high)
                    .zip(digit(low))
                    .and_then(|(high, low)| u8::try_from(high * 16 + low).ok())
            }
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() {
            tail.get(2..).unwrap_or_default()
        } else {
            tail
        };
    }
    String::from_utf8(bytes).ok()
}

/// JSON that is already text.
pub(crate) fn json_response(code: StatusCode, body: String) -> Response {
    (code, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

//! [`ApiServer`]: connections, authentication, and the way of a request to its handler.

use crate::node_view::{self, NodeAccess};
use crate::query::Query;
use crate::status::{ApiError, Result};
use crate::target::Target;
use crate::{discovery, objects, pods, watch};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use podsim_cri::{ImageService, RuntimeService};
use podsim_store::{Store, time};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What the server needs.
pub struct Config {
    /// The objects. Its clock is the server's.
    pub store: Store,
    /// For logs, exec, attach, port-forward and the node's view.
    pub runtime: Arc<dyn RuntimeService>,
    /// For the node's view.
    pub images: Arc<dyn ImageService>,
    /// The node itself.
    pub node: Arc<dyn NodeAccess>,
    /// The bearer token that clients must show.
    pub token: String,
}

/// Serves the API.
pub struct ApiServer {
    app: App,
}

pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) runtime: Arc<dyn RuntimeService>,
    pub(crate) images: Arc<dyn ImageService>,
    pub(crate) node: Arc<dyn NodeAccess>,
    token: String,
    address: String,
}

impl App {
    /// The time of the node.
    pub(crate) fn now(&self) -> Timestamp {
        time::timestamp(self.store.clock().as_ref())
    }
}

/// How many connections there may be at a time; more wait to be accepted.
const CONNECTIONS: usize = 1024;
/// How long a client may take to send the head of a request. Host time: this is about the connection.
const HEADER_PATIENCE: Duration = Duration::from_secs(30);

impl ApiServer {
    /// A server over these.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let Config {
            store,
            runtime,
            images,
            node,
            token,
        } = config;
        Self {
            app: App {
                store,
                runtime,
                images,
                node,
                token,
                address: String::new(),
            },
        }
    }

    /// Serves until `shutdown` is ready; then every connection is cut.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()> + Send) -> io::Result<()> {
        let router = router(App {
            address: listener.local_addr()?.to_string(),
            ..self.app
        });
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
            let service = TowerToHyperService::new(router.clone());
            connections.spawn(async move {
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADER_PATIENCE)
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades();
                // A client that goes away in the middle is nobody's fault.
                if let Err(error) = connection.await {
                    tracing::debug!("connection: {error}");
                }
                drop(slot);
            });
        }
    }
}

fn router(app: App) -> Router {
    Router::new().fallback(handle).with_state(Arc::new(app))
}

async fn handle(State(app): State<Arc<App>>, request: Request) -> Response {
    route(&app, request).await.unwrap_or_else(IntoResponse::into_response)
}

async fn route(app: &Arc<App>, request: Request) -> Result<Response> {
    let path = percent_decode(request.uri().path()).ok_or_else(ApiError::no_such_path)?;
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    // Health is for everybody, as in Kubernetes.
    if let ["healthz" | "livez" | "readyz", ..] = segments.as_slice() {
        return Ok((StatusCode::OK, "ok").into_response());
    }
    authenticate(app, request.headers())?;
    let query = Query::parse(request.uri().query())?;
    let document = match segments.as_slice() {
        ["version"] => Some(discovery::version()),
        ["api"] => Some(discovery::api_versions(&app.address)),
        ["apis"] => Some(discovery::api_groups()),
        ["apis", group] => discovery::api_group(group),
        ["api", version] => discovery::api_resources("", version),
        ["apis", group, version] => discovery::api_resources(group, version),
        ["api", version, rest @ ..] => return resource(app, Target::parse("", version, rest), &query, request).await,
        ["apis", group, version, rest @ ..] => {
            return resource(app, Target::parse(group, version, rest), &query, request).await;
        }
        ["podsim", "v1", rest @ ..] => return node_view::handle(app, rest, &query, request).await,
        _ => None,
    };
    let document = document.ok_or_else(ApiError::no_such_path)?;
    if request.method() != Method::GET {
        return Err(ApiError::method_not_allowed());
    }
    Ok(json_response(StatusCode::OK, document.to_string()))
}

async fn resource(app: &Arc<App>, target: Option<Target>, query: &Query, request: Request) -> Result<Response> {
    let target = target.ok_or_else(ApiError::no_such_path)?;
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
        (Method::GET, None | Some("status")) => objects::get(app, &target, name, query, request.headers()),
        (Method::PUT, None | Some("status")) => objects::update(app, &target, name, query, request).await,
        (Method::PATCH, None | Some("status")) => objects::patch(app, &target, name, query, request).await,
        (Method::DELETE, None) => objects::delete(app, &target, name, query, request).await,
        (Method::GET, Some("log")) => pods::log(app, namespace, name, query).await,
        (Method::GET | Method::POST, Some("exec")) => pods::exec(app, namespace, name, query, request).await,
        (Method::GET | Method::POST, Some("attach")) => pods::attach(app, namespace, name, query, request).await,
        (Method::GET | Method::POST, Some("portforward")) => {
            pods::portforward(app, namespace, name, query, request).await
        }
        (Method::POST, Some("binding")) => pods::bind(app, namespace, name, request).await,
        _ => Err(ApiError::method_not_allowed()),
    }
}

/// The client must show the token. Compared in constant time, so that its beginning cannot be found by timing.
fn authenticate(app: &App, headers: &HeaderMap) -> Result<()> {
    let shown = headers
        .get(header::AUTHORIZATION)
        .map(|value| value.as_bytes())
        .unwrap_or_default();
    let shown = shown.strip_prefix(b"Bearer ").unwrap_or_default();
    let wanted = app.token.as_bytes();
    let different = shown
        .iter()
        .zip(wanted)
        .fold(0, |different, (a, b)| different | (a ^ b));
    if !wanted.is_empty() && shown.len() == wanted.len() && std::hint::black_box(different) == 0 {
        Ok(())
    } else {
        Err(ApiError::unauthorized())
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

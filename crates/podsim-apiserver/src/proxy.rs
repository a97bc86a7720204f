//! `pods/proxy`, `services/proxy`, `nodes/proxy`: HTTP to what runs behind the API server (`pkg/registry/core/pod/rest/subresources.go`,
//! `apimachinery/pkg/util/proxy`). The connection is made from the node, as its kubelet's probes are.
//!
//! Pages are passed on as they are; Kubernetes rewrites the links in HTML.

use crate::server::{App, json_response};
use crate::status::{ApiError, Result};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use podsim_store::{Selectors, kinds};
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};

/// Headers that are about one connection and not passed on (RFC 9110, 7.6.1); an upgrade is, with its `Connection`.
const OF_ONE_CONNECTION: &[HeaderName] = &[
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
];

/// What a path below `/api/v1/` proxies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proxied<'a> {
    kind: &'a str,
    namespace: &'a str,
    /// `[scheme:]name[:port]`.
    name: &'a str,
}

impl<'a> Proxied<'a> {
    /// Reads the segments behind `/api/v1/`; `None`: it is about something else.
    pub(crate) fn parse(segments: &[&'a str]) -> Option<Self> {
        match segments {
            ["namespaces", namespace, kind @ ("pods" | "services"), name, "proxy", ..] => {
                Some(Self { kind, namespace, name })
            }
            ["nodes", name, "proxy", ..] => Some(Self {
                kind: "nodes",
                namespace: "",
                name,
            }),
            _ => None,
        }
    }

    /// What of the raw path is for the one behind, without its first slash; `None` where not even that slash is.
    fn rest<'p>(&self, path: &'p str) -> Option<&'p str> {
        // `/api/v1/namespaces/X/pods/NAME/proxy/…` and `/api/v1/nodes/NAME/proxy/…`.
        let before = if self.namespace.is_empty() { 6 } else { 8 };
        path.splitn(before + 1, '/').nth(before)
    }
}

/// The parts of `[scheme:]name[:port]` (`SplitSchemeNamePort`).
fn split_name(id: &str) -> Option<(bool, &str, &str)> {
    match id.split(':').collect::<Vec<_>>().as_slice() {
        [name] => Some((false, name, "")),
        [name, port] => Some((false, name, port)),
        ["http" | "", name, port] => Some((false, name, port)),
        ["https", name, port] => Some((true, name, port)),
        _ => None,
    }
}

/// Passes a request on.
pub(crate) async fn proxy(app: &App, to: Proxied<'_>, request: Request) -> Result<Response> {
    let uri = request.uri().clone();
    let rest = to.rest(uri.path());
    if rest.is_none() && [Method::GET, Method::HEAD].contains(request.method()) {
        // Relative links of a page need the slash.
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let location = format!("{}/{query}", uri.path());
        return Ok((StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, location)]).into_response());
    }
    let rest = rest.unwrap_or_default();
    let wrong = || {
        ApiError::bad_request(format!(
            "invalid {} request {:?}",
            to.kind.trim_end_matches('s'),
            to.name
        ))
    };
    let (secure, name, port) = split_name(to.name).ok_or_else(wrong)?;
    let address = match to.kind {
        "pods" => pod_address(app, to.namespace, name, port)?,
        "services" => service_address(app, to.namespace, name, port)?,
        _ => {
            let node = app.store.get(&kinds::NODE, "", name)?;
            if port.is_empty() {
                return kubelet(app, name, rest);
            }
            let addresses = node["status"]["addresses"].as_array();
            let found = addresses
                .into_iter()
                .flatten()
                .find(|address| address["type"] == "InternalIP");
            socket(&found.cloned().unwrap_or_default()["address"], number(port)?)?
        }
    };
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let target = format!("/{rest}{query}").parse().map_err(|_| wrong())?;
    pass_on(app, address, secure, target, request).await
}

fn number(port: &str) -> Result<u16> {
    port.parse()
        .map_err(|_| ApiError::bad_request(format!("{port:?} is not a port")))
}

fn socket(ip: &Value, port: u16) -> Result<SocketAddr> {
    let ip = ip.as_str().and_then(|ip| ip.parse::<IpAddr>().ok());
    let ip = ip.ok_or_else(|| ApiError::bad_request("address not allowed"))?;
    Ok(SocketAddr::new(ip, port))
}

fn pod_address(app: &App, namespace: &str, name: &str, port: &str) -> Result<SocketAddr> {
    let pod = app.store.get(&kinds::POD, namespace, name)?;
    let port = if port.is_empty() {
        let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
        let mut ports = containers.filter_map(|container| container["ports"][0]["containerPort"].as_u64());
        ports.next().and_then(|port| u16::try_from(port).ok()).unwrap_or(80)
    } else {
        number(port)?
    };
    socket(&pod["status"]["podIP"], port)
}

/// One of the Service's ready endpoints: the first, so that it is always the same.
fn service_address(app: &App, namespace: &str, name: &str, port: &str) -> Result<SocketAddr> {
    let service = app.store.get(&kinds::SERVICE, namespace, name)?;
    let ports = service["spec"]["ports"].as_array().cloned().unwrap_or_default();
    let wanted = match ports.as_slice() {
        [only] if port.is_empty() => Some(only),
        ports => ports
            .iter()
            .find(|of| of["name"] == port || port.parse().is_ok_and(|number: u64| of["port"] == number)),
    };
    let unavailable = |message: String| ApiError::unavailable(message);
    let wanted = wanted.ok_or_else(|| unavailable(format!("no service port {port:?} found for service {name:?}")))?;
    let none = || unavailable(format!("no endpoints available for service {name:?}"));
    let endpoints = app.store.get(&kinds::ENDPOINTS, namespace, name).map_err(|_| none())?;
    for subset in endpoints["subsets"].as_array().into_iter().flatten() {
        let ports = subset["ports"].as_array().into_iter().flatten();
        let number = ports
            .filter(|of| of["name"] == wanted["name"])
            .find_map(|of| of["port"].as_u64());
        if let (Some(number), ip @ Value::String(_)) = (number, &subset["addresses"][0]["ip"]) {
            return socket(ip, u16::try_from(number).map_err(|_| none())?);
        }
    }
    Err(none())
}

/// The little of the kubelet's own API that is not in the API server's.
fn kubelet(app: &App, node: &str, path: &str) -> Result<Response> {
    match path.trim_end_matches('/') {
        "healthz" => Ok((StatusCode::OK, "ok").into_response()),
        "pods" => {
            let selectors = Selectors::parse(&kinds::POD, "", &format!("spec.nodeName={node}"))?;
            let pods = app.store.list(&kinds::POD, None, &selectors).items;
            let pods: Vec<&Value> = pods.iter().map(AsRef::as_ref).collect();
            let list = json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": pods});
            Ok(json_response(StatusCode::OK, list.to_string()))
        }
        _ => Ok((StatusCode::NOT_FOUND, "404 page not found\n").into_response()),
    }
}

async fn pass_on(app: &App, address: SocketAddr, secure: bool, target: Uri, mut request: Request) -> Result<Response> {
    let unreachable =
        |what: &dyn std::fmt::Display| ApiError::unavailable(format!("error trying to reach service: {what}"));
    let connection = app.runtime.dial(address).await;
    let mut connection =
        connection.map_err(|error| unreachable(&format!("dial tcp {address}: connect: {}", without_code(&error))))?;
    if secure {
        let host = address.ip().to_string();
        let spoken = podsim_kubelet::tls::connect(connection, &host).await;
        connection = spoken.map_err(|error| unreachable(&error))?;
    }
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(connection))
        .await
        .map_err(|error| unreachable(&error))?;
    tokio::spawn(async move {
        // Its end is told to the one who waits for the answer.
        let _ = connection.with_upgrades().await;
    });
    let (client, original) = (hyper::upgrade::on(&mut request), request.uri().clone());
    *request.uri_mut() = target;
    set_headers(request.headers_mut(), address, &original);
    let mut answer = sender
        .send_request(request)
        .await
        .map_err(|error| unreachable(&error))?;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        let server = hyper::upgrade::on(&mut answer);
        tokio::spawn(async move {
            if let (Ok(client), Ok(server)) = (client.await, server.await) {
                let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(server)).await;
            }
        });
    }
    for name in OF_ONE_CONNECTION {
        answer.headers_mut().remove(name);
    }
    Ok(answer.map(Body::new))
}

/// What the one behind is told. Who asks and by which token is none of its business.
fn set_headers(headers: &mut HeaderMap, address: SocketAddr, original: &Uri) {
    for name in OF_ONE_CONNECTION.iter().chain(&[header::AUTHORIZATION]) {
        headers.remove(name);
    }
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set("host", &address.to_string());
    set("x-forwarded-uri", original.path());
}

/// `connection refused`, without the number that Rust adds.
fn without_code(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_behind_the_proxy_is_what_is_left() {
        for (path, found) in [
            (
                "/api/v1/namespaces/x/pods/p:80/proxy/a%20b/c",
                "pods x p:80 Some(\"a%20b/c\")",
            ),
            ("/api/v1/namespaces/x/services/s/proxy/", "services x s Some(\"\")"),
            ("/api/v1/namespaces/x/services/s/proxy", "services x s None"),
            ("/api/v1/nodes/n/proxy/healthz", "nodes  n Some(\"healthz\")"),
            ("/api/v1/namespaces/x/pods/p/log", "-"),
        ] {
            let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).skip(2).collect();
            let shown = Proxied::parse(&segments).map_or("-".into(), |to| {
                format!("{} {} {} {:?}", to.kind, to.namespace, to.name, to.rest(path))
            });
            assert_eq!(shown, found, "{path}");
        }
    }

    #[test]
    fn names_have_schemes_and_ports() {
        for (id, parts) in [
            ("p", Some((false, "p", ""))),
            ("p:80", Some((false, "p", "80"))),
            ("http:p:80", Some((false, "p", "80"))),
            ("https:p:80", Some((true, "p", "80"))),
            ("a:b:c:d", None),
        ] {
            assert_eq!(split_name(id), parts, "{id}");
        }
    }
}

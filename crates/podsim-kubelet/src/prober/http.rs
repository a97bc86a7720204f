//! A small HTTP/1.1 client: one GET, one answer, as much as probes and hooks need (`pkg/probe/http`).

use super::dial::{Dialer, join_host_port, resolve_port};
use crate::tls;
use k8s_openapi::api::core::v1::{Container, HTTPGetAction, HTTPHeader};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// More of an answer than this is not read.
const MAX_BODY: usize = 10 << 10;
/// More header than this is no answer to a probe.
const MAX_HEADER: usize = 64 << 10;
/// After so many redirects Go's client gives up.
const MAX_REDIRECTS: usize = 10;

/// Where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    /// `http` or `https`.
    pub(crate) scheme: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Path and query, with its slash.
    pub(crate) path: String,
    /// Was the port written? A redirect may leave it out.
    explicit_port: bool,
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority(), self.path)
    }
}

impl Url {
    /// The URL of a handler. `Err`: its port cannot be resolved.
    pub(crate) fn of(action: &HTTPGetAction, container: &Container, dialer: &Dialer) -> Result<Self, String> {
        let path = action.path.as_deref().unwrap_or_default();
        Ok(Self {
            scheme: action.scheme.as_deref().unwrap_or("HTTP").to_lowercase(),
            host: dialer.host(action.host.as_deref()).to_owned(),
            port: resolve_port(&action.port, container)?,
            path: with_slash(path),
            explicit_port: true,
        })
    }

    /// The same place in the clear.
    pub(crate) fn without_tls(&self) -> Self {
        Self {
            scheme: "http".to_owned(),
            ..self.clone()
        }
    }

    pub(crate) fn authority(&self) -> String {
        if self.explicit_port {
            join_host_port(&self.host, self.port)
        } else {
            self.host.clone()
        }
    }

    /// What a `Location` means, seen from here.
    fn join(&self, location: &str) -> Option<Self> {
        let Some((scheme, rest)) = location.split_once("://") else {
            let path = if location.starts_with('/') {
                location.to_owned()
            } else {
                let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
                format!("{folder}/{location}")
            };
            return Some(Self { path, ..self.clone() });
        };
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port.parse().ok()?)),
            _ => (authority, None),
        };
        let default = if scheme == "https" { 443 } else { 80 };
        Some(Self {
            scheme: scheme.to_owned(),
            host: host.trim_matches(['[', ']']).to_owned(),
            port: port.unwrap_or(default),
            path: with_slash(path),
            explicit_port: port.is_some(),
        })
    }
}

fn with_slash(path: &str) -> String {
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) body: String,
}

/// What came of a request with redirects.
pub(crate) enum Outcome {
    /// The last answer.
    Answered(Response),
    /// The server sends the client to another host, where it does not go.
    Redirected(Response),
}

/// GETs, and follows redirects on the same host. The error is worded as Go's `net/http` does.
pub(crate) async fn get_following(
    dialer: &Dialer,
    url: &Url,
    headers: &[HTTPHeader],
    purpose: &str,
) -> Result<Outcome, String> {
    let mut at = url.clone();
    for _ in 0..=MAX_REDIRECTS {
        let response = get(dialer, &at, headers, purpose).await?;
        let moved = matches!(response.status, 301 | 302 | 303 | 307 | 308);
        let Some(location) = response.location.as_deref().filter(|_| moved) else {
            return Ok(Outcome::Answered(response));
        };
        let Some(next) = at.join(location) else {
            return Err(failed(&at, &format!("failed to parse Location header \"{location}\"")));
        };
        if next.host != url.host {
            return Ok(Outcome::Redirected(response));
        }
        at = next;
    }
    Err(failed(&at, "stopped after 10 redirects"))
}

fn failed(url: &Url, why: &str) -> String {
    format!("Get \"{url}\": {why}")
}

/// The error of a request that took too long.
pub(crate) fn timed_out(url: &Url) -> String {
    failed(
        url,
        "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
    )
}

/// Does this error say that HTTP was spoken where TLS was expected?
pub(crate) fn is_http_to_https(error: &str) -> bool {
    error.ends_with(tls::HTTP_INSTEAD)
}

/// One request.
pub(crate) async fn get(dialer: &Dialer, url: &Url, headers: &[HTTPHeader], purpose: &str) -> Result<Response, String> {
    let wrong = |why: String| failed(url, &why);
    let mut stream = dialer.connect(&url.host, url.port).await.map_err(wrong)?;
    if url.scheme == "https" {
        stream = tls::connect(stream, &url.host).await.map_err(wrong)?;
    }
    let talk = async {
        stream.write_all(request(url, headers, purpose).as_bytes()).await?;
        let mut raw = Vec::new();
        let mut chunk = [0; 4096];
        while !complete(&raw) && raw.len() < MAX_HEADER + MAX_BODY {
            match stream.read(&mut chunk).await {
                Ok(0) => break,
                Ok(n) => raw.extend_from_slice(chunk.get(..n).unwrap_or_default()),
                // A reset after the answer takes nothing away from it.
                Err(_) if header_end(&raw).is_some() => break,
                Err(error) => return Err(error),
            }
        }
        std::io::Result::Ok(raw)
    };
    let raw = talk.await.map_err(|error| failed(url, &error.to_string()))?;
    parse(&raw).map_err(wrong)
}

fn request(url: &Url, headers: &[HTTPHeader], purpose: &str) -> String {
    let set = |name: &str| headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
    let host = set("Host").map_or_else(|| url.authority(), |h| h.value.clone());
    let mut text = format!("GET {} HTTP/1.1\r\nHost: {host}\r\n", url.path);
    if set("User-Agent").is_none() {
        text.push_str(&format!("User-Agent: kube-{purpose}/1.34\r\n"));
    }
    if set("Accept").is_none() {
        text.push_str("Accept: */*\r\n");
    }
    for header in headers {
        let special = header.name.eq_ignore_ascii_case("Host")
            || header.value.is_empty()
                && (header.name.eq_ignore_ascii_case("Accept") || header.name.eq_ignore_ascii_case("User-Agent"));
        if !special {
            text.push_str(&format!("{}: {}\r\n", header.name, header.value));
        }
    }
    text + "Connection: close\r\n\r\n"
}

fn header_end(raw: &[u8]) -> Option<usize> {
    raw.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4)
}

/// The lines of the header after the first.
fn fields(header: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = header.lines().skip(1).filter_map(|l| l.split_once(':'));
    lines.map(|(name, value)| (name.trim(), value.trim()))
}

fn field<'a>(header: &'a str, wanted: &str) -> Option<&'a str> {
    let found = fields(header).find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    found.map(|(_, value)| value)
}

/// Has the whole answer come, as far as it says itself how long it is?
fn complete(raw: &[u8]) -> bool {
    let Some(end) = header_end(raw) else {
        // What does not begin as HTTP will not become HTTP.
        return raw.len() >= 5 && !raw.starts_with(b"HTTP/");
    };
    let body = raw.get(end..).unwrap_or_default();
    let header = String::from_utf8_lossy(raw.get(..end).unwrap_or_default());
    let no_body = ["204", "304"].iter().any(|s| header.split(' ').nth(1) == Some(s));
    let by_length = field(&header, "Content-Length").and_then(|l| l.parse::<usize>().ok());
    let chunked = field(&header, "Transfer-Encoding").is_some_and(|t| t.eq_ignore_ascii_case("chunked"));
    no_body
        || body.len() >= MAX_BODY
        || by_length.is_some_and(|l| body.len() >= l)
        || chunked && body.ends_with(b"0\r\n\r\n")
}

fn parse(raw: &[u8]) -> Result<Response, String> {
    if raw.is_empty() {
        return Err("EOF".to_owned());
    }
    let end = header_end(raw).unwrap_or(raw.len());
    let header = String::from_utf8_lossy(raw.get(..end).unwrap_or_default());
    let first = header.lines().next().unwrap_or_default();
    let malformed = || format!("net/http: HTTP/1.x transport connection broken: malformed HTTP response {first:?}");
    let mut words = first.split(' ');
    if !words.next().unwrap_or_default().starts_with("HTTP/") {
        return Err(malformed());
    }
    let status = words.next().and_then(|w| w.parse().ok()).ok_or_else(malformed)?;
    if header_end(raw).is_none() {
        return Err("unexpected EOF".to_owned());
    }
    let body = raw.get(end..).unwrap_or_default();
    let body = if field(&header, "Transfer-Encoding").is_some_and(|t| t.eq_ignore_ascii_case("chunked")) {
        dechunk(body)
    } else {
        body.to_vec()
    };
    let body = body.get(..MAX_BODY.min(body.len())).unwrap_or_default();
    Ok(Response {
        status,
        location: field(&header, "Location").map(str::to_owned),
        body: String::from_utf8_lossy(body).into_owned(),
    })
}

fn dechunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = vec![];
    while let Some(at) = rest.windows(2).position(|w| w == b"\r\n") {
        let line = String::from_utf8_lossy(rest.get(..at).unwrap_or_default());
        let size = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16).unwrap_or(0);
        let data = rest.get(at + 2..).unwrap_or_default();
        if size == 0 {
            break;
        }
        body.extend_from_slice(data.get(..size.min(data.len())).unwrap_or_default());
        rest = data.get(size.saturating_add(2)..).unwrap_or_default();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(path: &str) -> Url {
        Url {
            scheme: "http".to_owned(),
            host: "10.0.0.1".to_owned(),
            port: 8080,
            path: path.to_owned(),
            explicit_port: true,
        }
    }

    #[test]
    fn a_location_is_read_as_browsers_do() {
        for (location, expected) in [
            ("/b", "http://10.0.0.1:8080/b"),
            ("b", "http://10.0.0.1:8080/a/b"),
            ("http://10.0.0.1/b?c", "http://10.0.0.1/b?c"),
            ("http://other:81", "http://other:81/"),
            ("https://[::1]:444/x", "https://[::1]:444/x"),
        ] {
            let joined = url("/a/x").join(location).map(|u| u.to_string());
            assert_eq!(joined.as_deref(), Some(expected), "{location}");
        }
    }

    #[test]
    fn a_request_has_the_headers_of_the_kubelet_and_those_that_are_asked_for() {
        let header = |name: &str, value: &str| HTTPHeader {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        assert_eq!(
            request(&url("/healthz"), &[], "probe"),
            "GET /healthz HTTP/1.1\r\nHost: 10.0.0.1:8080\r\nUser-Agent: kube-probe/1.34\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        );
        let own = [header("host", "me"), header("X-A", "1"), header("Accept", "")];
        assert_eq!(
            request(&url("/"), &own, "lifecycle"),
            "GET / HTTP/1.1\r\nHost: me\r\nUser-Agent: kube-lifecycle/1.34\r\nX-A: 1\r\nConnection: close\r\n\r\n"
        );
    }

    #[test]
    fn answers_are_read_to_their_own_end() {
        for (raw, status, body) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok"),
            ("HTTP/1.0 503 no\r\n\r\nbusy", 503, "busy"),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
                200,
                "abc",
            ),
        ] {
            let response = parse(raw.as_bytes()).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!((response.status, response.body.as_str()), (status, body));
        }
        assert!(complete(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
        assert!(!complete(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok"));
        assert_eq!(parse(b"").unwrap_err(), "EOF");
        assert!(
            parse(b"SSH-2.0-x\r\n")
                .unwrap_err()
                .contains("malformed HTTP response \"SSH-2.0-x\"")
        );
    }
}

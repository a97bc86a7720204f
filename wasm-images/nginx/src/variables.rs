//! Variables such as `$uri`, in log formats, `return` and `add_header`.

use crate::request::Request;
use busybox::util::clock;
use podsim_guest as sys;
use std::net::SocketAddr;

/// What the variables are about.
pub(crate) struct Facts<'a> {
    pub(crate) request: &'a Request,
    pub(crate) client: SocketAddr,
    pub(crate) local: SocketAddr,
    /// The path after redirects from inside.
    pub(crate) path: &'a str,
    pub(crate) server_name: &'a str,
    pub(crate) root: &'a str,
    pub(crate) status: u16,
    pub(crate) body_bytes: u64,
    pub(crate) all_bytes: u64,
    pub(crate) connection: u64,
    /// Seconds that the request took.
    pub(crate) time: f64,
}

/// Puts values in the place of variables. `log`: for a log line, where nothing is `-` and odd bytes are `\xXX`.
pub(crate) fn expand(text: &str, facts: &Facts<'_>, log: bool) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(rest.get(..at).unwrap_or(""));
        let tail = rest.get(at + 1..).unwrap_or("");
        let (name, after) = match tail.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some(split) => split,
            None => {
                let end = tail
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .unwrap_or(tail.len());
                tail.split_at(end)
            }
        };
        rest = after;
        if name.is_empty() {
            out.push('$');
            continue;
        }
        let value = value(name, facts);
        match (log, value) {
            (true, None) => out.push('-'),
            (true, Some(value)) if value.is_empty() => out.push('-'),
            (true, Some(value)) => escape(&value, &mut out),
            (false, value) => out.push_str(&value.unwrap_or_default()),
        }
    }
    out.push_str(rest);
    out
}

fn escape(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '"' | '\\' => out.push_str(&format!("\\x{:02X}", u32::from(c))),
            c if c.is_control() || (!c.is_ascii() && u32::from(c) < 0x100) => {
                out.push_str(&format!("\\x{:02X}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
}

/// The value of a variable; `None` where there is none (or no such variable).
fn value(name: &str, facts: &Facts<'_>) -> Option<String> {
    let request = facts.request;
    if let Some(header) = name.strip_prefix("http_") {
        return request.header(&header.replace('_', "-")).map(str::to_owned);
    }
    if let Some(argument) = name.strip_prefix("arg_") {
        let pairs = request.query.as_deref().unwrap_or("").split('&');
        let mut values = pairs
            .filter_map(|pair| pair.split_once('='))
            .filter(|(key, _)| *key == argument);
        return values.next().map(|(_, value)| value.to_owned());
    }
    let now = || clock::now();
    Some(match name {
        "remote_addr" => facts.client.ip().to_string(),
        "remote_port" => facts.client.port().to_string(),
        "remote_user" => return None,
        "server_addr" => facts.local.ip().to_string(),
        "server_port" => facts.local.port().to_string(),
        "server_name" => facts.server_name.to_owned(),
        "server_protocol" => format!("HTTP/1.{}", request.minor),
        "host" => request.host.clone().unwrap_or_else(|| facts.server_name.to_owned()),
        "hostname" => sys::uname().nodename,
        "scheme" => "http".to_owned(),
        "uri" | "document_uri" => facts.path.to_owned(),
        "request_uri" => request.target.clone(),
        "request_method" => request.method.clone(),
        "request" => request.line.clone(),
        "args" | "query_string" => request.query.clone().unwrap_or_default(),
        "is_args" => (if request.query.as_deref().unwrap_or("").is_empty() {
            ""
        } else {
            "?"
        })
        .to_owned(),
        "document_root" => facts.root.to_owned(),
        "request_filename" => format!("{}{}", facts.root, facts.path),
        "content_type" => return request.header("content-type").map(str::to_owned),
        "content_length" => return request.header("content-length").map(str::to_owned),
        "status" => format!("{:03}", facts.status),
        "body_bytes_sent" => facts.body_bytes.to_string(),
        "bytes_sent" => facts.all_bytes.to_string(),
        "connection" => facts.connection.to_string(),
        "request_time" => format!("{:.3}", facts.time),
        "time_local" => now().format("%d/%b/%Y:%H:%M:%S +0000"),
        "time_iso8601" => now().format("%Y-%m-%dT%H:%M:%S+00:00"),
        "msec" => {
            let now = now();
            format!("{}.{:03}", now.seconds, now.nanos / 1_000_000)
        }
        "pid" => sys::getpid().to_string(),
        "nginx_version" => crate::response::VERSION.to_owned(),
        "pipe" => ".".to_owned(),
        _ => return None,
    })
}

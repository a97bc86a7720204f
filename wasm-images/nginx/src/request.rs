//! Requests: HTTP/1.x heads, and URIs as nginx normalises them (RFC 9112).

/// The head of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    /// The first line as it came, for the log.
    pub(crate) line: String,
    pub(crate) method: String,
    /// As it came, with the query.
    pub(crate) target: String,
    /// Decoded and without dots.
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    /// 0 or 1.
    pub(crate) minor: u8,
    pub(crate) headers: Vec<(String, String)>,
    /// The host asked for, in lower case and without the port.
    pub(crate) host: Option<String>,
}

/// What reading the head came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// More bytes are needed.
    Incomplete,
    /// The head, and its length in bytes.
    Complete(Box<Request>, usize),
    /// The status of the answer, the first line for the log, and what the error log says.
    Bad(u16, String, &'static str),
}

/// nginx's large_client_header_buffers: 4 of 8 KiB.
const MOST_HEAD: usize = 32 * 1024;
const MOST_LINE: usize = 8 * 1024;

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether the client wants to go on with this connection.
    pub(crate) fn keep_alive(&self) -> bool {
        let connection = self.header("connection").unwrap_or("").to_ascii_lowercase();
        if self.minor == 0 {
            connection.contains("keep-alive")
        } else {
            !connection.contains("close")
        }
    }
}

/// Reads the head of a request from the beginning of what has arrived.
pub(crate) fn parse(bytes: &[u8]) -> Parsed {
    // Empty lines before a request are skipped (RFC 9112, section 2.2).
    let skipped = bytes
        .iter()
        .take_while(|b| matches!(b, b'\r' | b'\n'))
        .count()
        .min(bytes.len());
    let bytes = bytes.get(skipped..).unwrap_or_default();
    let first = match bytes.iter().position(|b| *b == b'\n') {
        Some(end) => bytes.get(..end).unwrap_or_default(),
        None if bytes.len() > MOST_LINE => return Parsed::Bad(414, shown(bytes), "client sent too long URI"),
        // What cannot be a method is refused at once.
        None if bytes
            .first()
            .is_some_and(|b| !b.is_ascii_uppercase() && *b != b'_' && *b != b'-') =>
        {
            return Parsed::Bad(400, shown(bytes), "client sent invalid method");
        }
        None => return Parsed::Incomplete,
    };
    let line = shown(first);
    if first.len() > MOST_LINE {
        return Parsed::Bad(414, line, "client sent too long URI");
    }
    let mut request = match request_line(first) {
        Ok(request) => request,
        Err((status, reason)) => return Parsed::Bad(status, line, reason),
    };
    request.line = line.clone();
    let mut at = first.len() + 1;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(end) = rest.iter().position(|b| *b == b'\n') else {
            if bytes.len() > MOST_HEAD {
                return Parsed::Bad(400, line, "client sent too large request");
            }
            return Parsed::Incomplete;
        };
        at += end + 1;
        let text = rest.get(..end).unwrap_or_default();
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.is_empty() {
            break;
        }
        if at > MOST_HEAD || text.len() > MOST_LINE || request.headers.len() >= 200 {
            return Parsed::Bad(400, line, "client sent too large request");
        }
        match header(text) {
            Some((name, _)) if name.eq_ignore_ascii_case("host") && request.header("host").is_some() => {
                return Parsed::Bad(400, line, "client sent duplicate host header");
            }
            Some(header) => request.headers.push(header),
            None => return Parsed::Bad(400, line, "client sent invalid header line"),
        }
    }
    match request.header("host") {
        None if request.minor >= 1 => {
            return Parsed::Bad(400, line, "client sent HTTP/1.1 request without \"Host\" header");
        }
        None => {}
        Some(host) => match valid_host(host) {
            None => return Parsed::Bad(400, line, "client sent invalid host header"),
            Some(valid) => request.host = request.host.clone().or(Some(valid)),
        },
    }
    let (length, chunked) = (request.header("content-length"), request.header("transfer-encoding"));
    if length.is_some_and(|value| value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit())) {
        return Parsed::Bad(400, line, "client sent invalid \"Content-Length\" header");
    }
    if length.is_some() && chunked.is_some() {
        return Parsed::Bad(
            400,
            line,
            "client sent \"Content-Length\" and \"Transfer-Encoding\" headers at the same time",
        );
    }
    Parsed::Complete(Box::new(request), skipped + at)
}

/// The beginning of a line, for the log: control characters and bytes that are not ASCII as `\x00`.
fn shown(bytes: &[u8]) -> String {
    let line = bytes.split(|b| *b == b'\n' || *b == b'\r').next().unwrap_or_default();
    line.iter().take(2048).map(|b| char::from(*b)).collect()
}

fn request_line(line: &[u8]) -> Result<Request, (u16, &'static str)> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let invalid = (400, "client sent invalid request");
    let text = std::str::from_utf8(line).map_err(|_| invalid)?;
    let (method, rest) = text.split_once(' ').ok_or(invalid)?;
    if method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase() || b == b'_' || b == b'-') {
        return Err((400, "client sent invalid method"));
    }
    let (target, version) = rest.trim_start_matches(' ').rsplit_once(' ').ok_or(invalid)?;
    let target = target.trim_end_matches(' ');
    let version = version
        .strip_prefix("HTTP/")
        .ok_or((400, "client sent invalid version"))?;
    let minor = match version.split_once('.') {
        Some(("1", "0")) => 0,
        Some(("1", minor)) if !minor.is_empty() && minor.bytes().all(|b| b.is_ascii_digit()) => 1,
        Some((major, _)) if major.bytes().all(|b| b.is_ascii_digit()) && major != "0" && !major.is_empty() => {
            return Err((505, "client sent unsupported version"));
        }
        _ => return Err((400, "client sent invalid version")),
    };
    let mut request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        minor,
        ..Request::default()
    };
    // The absolute form names the host itself (RFC 9112, section 3.2.2).
    let mut path = target;
    if let Some(rest) = target.strip_prefix("http://") {
        let (authority, tail) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        request.host = Some(valid_host(authority).ok_or((400, "client sent invalid host in request line"))?);
        path = tail;
    }
    if !path.starts_with('/') || path.contains(' ') {
        return Err(invalid);
    }
    let path = path.split('#').next().unwrap_or("");
    let (path, query) = path
        .split_once('?')
        .map_or((path, None), |(path, query)| (path, Some(query)));
    request.path = normalize(path).ok_or((400, "client sent invalid URI"))?;
    request.query = query.map(str::to_owned);
    Ok(request)
}

/// Decodes `%xx`, merges slashes and resolves `.` and `..`; `None` for what leads out of the root or holds NUL.
pub(crate) fn normalize(path: &str) -> Option<String> {
    let bytes = path.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'%' {
            let digit = |offset: usize| bytes.get(at + offset).and_then(|b| char::from(*b).to_digit(16));
            let value = digit(1)? * 16 + digit(2)?;
            decoded.push(u8::try_from(value).ok().filter(|b| *b != 0)?);
            at += 3;
        } else if byte < 0x20 || byte == 0x7f {
            return None;
        } else {
            decoded.push(byte);
            at += 1;
        }
    }
    // File names here are UTF-8; what is not cannot exist.
    let text = String::from_utf8_lossy(&decoded);
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    let directory = text.ends_with('/') || text.ends_with("/.") || text.ends_with("/..");
    let mut normal = String::from("/");
    normal.push_str(&parts.join("/"));
    if directory && !parts.is_empty() {
        normal.push('/');
    }
    Some(normal)
}

fn header(line: &[u8]) -> Option<(String, String)> {
    let colon = line.iter().position(|b| *b == b':')?;
    let (name, value) = line.split_at(colon);
    let token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    if name.is_empty() || !name.iter().all(token) {
        return None;
    }
    let value = value.get(1..)?;
    if value.iter().any(|b| (*b < 0x20 && *b != b'\t') || *b == 0x7f) {
        return None;
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Some((text(name), text(value)))
}

fn valid_host(host: &str) -> Option<String> {
    let bad = |c: char| c.is_control() || c.is_whitespace() || c == '/' || c == '\\' || c == '"' || c == '<';
    if host.chars().any(bad) || host.contains("..") || host.len() > 255 {
        return None;
    }
    let name = if let Some(end) = host.find(']') {
        host.get(..=end)?
    } else {
        host.split(':').next()?
    };
    Some(name.trim_end_matches('.').to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: &str) {
        let got = match parse(text.as_bytes()) {
            Parsed::Incomplete => "incomplete".to_owned(),
            Parsed::Bad(status, line, _) => format!("{status} [{line}]"),
            Parsed::Complete(r, length) => {
                let host = r.host.as_deref().unwrap_or("-");
                format!(
                    "{} {} ?{} {host} {length}",
                    r.method,
                    r.path,
                    r.query.as_deref().unwrap_or("-")
                )
            }
        };
        assert_eq!(got, want, "{text:?}");
    }

    #[test]
    fn good_requests_are_read() {
        check("GET / HTTP/1.1\r\nHost: A.b:80\r\n\r\nrest", "GET / ?- a.b 32");
        check("\r\nGET /a%20b/../c?x=1#y HTTP/1.0\n\n", "GET /c ?x=1 - 34");
        check("HEAD http://h:8/p HTTP/1.1\r\nhost: other\r\n\r\n", "HEAD /p ?- h 43");
        check("GET / HTTP/1.1\r\nHost: a", "incomplete");
        check("GE", "incomplete");
        check("", "incomplete");
    }

    #[test]
    fn garbage_is_refused() {
        check("\x16\x03\x01\x02", "400 [\x16\x03\x01\x02]");
        check("hello\r\n", "400 [hello]");
        check("GET /\r\n", "400 [GET /]");
        check("GET / HTTP/2.0\r\n\r\n", "505 [GET / HTTP/2.0]");
        check("GET / HTTP/1.1\r\n\r\n", "400 [GET / HTTP/1.1]");
        check(
            "GET /../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
            "400 [GET /../etc/passwd HTTP/1.1]",
        );
        check("GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", "400 [GET /%00 HTTP/1.1]");
        check("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 [GET / HTTP/1.1]");
        check(
            "GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n",
            "400 [GET / HTTP/1.1]",
        );
        check(
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
            "400 [GET / HTTP/1.1]",
        );
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(9000));
        assert!(matches!(parse(long.as_bytes()), Parsed::Bad(414, ..)));
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}", "A: b\r\n".repeat(300));
        assert!(matches!(parse(many.as_bytes()), Parsed::Bad(400, ..)));
    }

    #[test]
    fn paths_are_made_plain() {
        for (path, want) in [
            ("/", Some("/")),
            ("//a///b/", Some("/a/b/")),
            ("/a/./b/..", Some("/a/")),
            ("/%2e%2e/x", None),
            ("/a%2", None),
            ("/%41", Some("/A")),
            ("/a/..", Some("/")),
        ] {
            assert_eq!(normalize(path).as_deref(), want, "{path}");
        }
    }
}

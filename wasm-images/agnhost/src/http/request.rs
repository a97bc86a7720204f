//! Requests: head, body, query and forms.

use std::net::SocketAddr;

/// A whole request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Decoded.
    pub(crate) path: String,
    /// As it came.
    pub(crate) query: String,
    /// 0 or 1.
    pub(crate) minor: u8,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The client; `None` for a request that the program made up itself.
    pub(crate) peer: Option<SocketAddr>,
}

/// What reading came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// More bytes are needed; `true`: the client waits for a `100 Continue` before it sends them.
    Incomplete(bool),
    /// A request, and its length in bytes.
    Complete(Box<Request>, usize),
    /// Not one: the status to answer with.
    Bad(u16),
}

const MOST_HEAD: usize = 1 << 20;
const MOST_BODY: usize = 64 << 20;

impl Request {
    /// One that GETs this path and query, from nobody.
    pub(crate) fn get(target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method: "GET".to_owned(),
            path: decode(path, false).unwrap_or_else(|| path.to_owned()),
            query: query.to_owned(),
            minor: 1,
            headers: Vec::new(),
            body: Vec::new(),
            peer: None,
        }
    }

    /// The first header of the name.
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

    /// `URL.Query().Get`.
    pub(crate) fn query(&self, name: &str) -> String {
        field(&self.query, name).unwrap_or_default()
    }

    /// `FormValue`: fields of the body come before those of the query.
    pub(crate) fn form(&self, name: &str) -> String {
        let has_form = matches!(self.method.as_str(), "POST" | "PUT" | "PATCH");
        let kind = self.header("content-type").unwrap_or("").to_ascii_lowercase();
        let mut found = None;
        if has_form && kind.starts_with("application/x-www-form-urlencoded") {
            found = field(&String::from_utf8_lossy(&self.body), name);
        } else if has_form && kind.starts_with("multipart/form-data") {
            let part = self.part(name).filter(|(_, is_file)| !is_file);
            found = part.map(|(bytes, _)| String::from_utf8_lossy(bytes).into_owned());
        }
        found.or_else(|| field(&self.query, name)).unwrap_or_default()
    }

    /// `FormFile`: a file of a `multipart/form-data` body.
    pub(crate) fn file(&self, name: &str) -> Result<&[u8], &'static str> {
        let kind = self.header("content-type").unwrap_or("").to_ascii_lowercase();
        if !kind.starts_with("multipart/form-data") {
            return Err("request Content-Type isn't multipart/form-data");
        }
        let part = self.part(name).filter(|(_, is_file)| *is_file);
        part.map(|(bytes, _)| bytes).ok_or("http: no such file")
    }

    /// A part of a multipart body (RFC 7578), and whether it has a file name.
    fn part(&self, name: &str) -> Option<(&[u8], bool)> {
        let kind = self.header("content-type")?;
        let boundary = kind
            .split_once("boundary=")?
            .1
            .split(';')
            .next()?
            .trim()
            .trim_matches('"');
        let delimiter = format!("\r\n--{boundary}");
        // The first one has no line before it.
        let mut rest = self.body.strip_prefix(delimiter.get(2..)?.as_bytes())?;
        loop {
            let rest_of_line = rest.strip_prefix(b"\r\n")?;
            let end = find(rest_of_line, delimiter.as_bytes())?;
            let part = rest_of_line.get(..end)?;
            let head_end = find(part, b"\r\n\r\n")?;
            let head = String::from_utf8_lossy(part.get(..head_end)?).into_owned();
            if head.contains(&format!("name=\"{name}\"")) {
                return Some((part.get(head_end + 4..)?, head.contains("filename=")));
            }
            rest = rest_of_line.get(end + delimiter.len()..)?;
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// The first value of a name in `a=b&c=d`.
fn field(text: &str, name: &str) -> Option<String> {
    text.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key, true)? == name).then(|| decode(value, true))?
    })
}

/// Decodes `%xx`, and in queries `+`; `None` where digits are missing.
pub(crate) fn decode(text: &str, query: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16));
                u8::try_from(digit(rest.next())? * 16 + digit(rest.next())?).ok()?
            }
            b'+' if query => b' ',
            byte => byte,
        });
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads a request from the beginning of what has arrived.
pub(crate) fn parse(bytes: &[u8], peer: SocketAddr) -> Parsed {
    let Some(end) = find(bytes, b"\r\n\r\n") else {
        // A first line that is none (a client that speaks TLS, say) is answered at once.
        if let Some(line) = find(bytes, b"\n") {
            let line = String::from_utf8_lossy(bytes.get(..line).unwrap_or_default());
            if request_line(line.trim_end_matches('\r')).is_none() {
                return Parsed::Bad(400);
            }
        }
        return if bytes.len() > MOST_HEAD {
            Parsed::Bad(431)
        } else {
            Parsed::Incomplete(false)
        };
    };
    let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned();
    let mut lines = head.split("\r\n");
    let Some((method, target, minor)) = request_line(lines.next().unwrap_or("")) else {
        return Parsed::Bad(400);
    };
    let mut headers = Vec::new();
    for line in lines {
        match line.split_once(':') {
            Some((name, value)) if !name.is_empty() && !name.contains(char::is_whitespace) => {
                headers.push((name.to_owned(), value.trim().to_owned()));
            }
            _ => return Parsed::Bad(400),
        }
    }
    let mut request = Request {
        method: method.to_owned(),
        minor,
        headers,
        peer: Some(peer),
        ..Request::get(target)
    };
    if find(target.as_bytes(), b"%").is_some() && decode(target.split('?').next().unwrap_or(""), false).is_none() {
        return Parsed::Bad(400);
    }
    let rest = bytes.get(end + 4..).unwrap_or_default();
    let body = match request.header("transfer-encoding") {
        Some(coding) if coding.eq_ignore_ascii_case("chunked") => chunks(rest),
        Some(_) => return Parsed::Bad(501),
        None => match request.header("content-length").map(str::parse::<usize>) {
            None => Body::Complete(Vec::new(), 0),
            Some(Ok(length)) if length > MOST_BODY => return Parsed::Bad(413),
            Some(Ok(length)) => match rest.get(..length) {
                Some(body) => Body::Complete(body.to_vec(), length),
                None => Body::Incomplete,
            },
            Some(Err(_)) => return Parsed::Bad(400),
        },
    };
    match body {
        Body::Complete(body, length) => {
            request.body = body;
            Parsed::Complete(Box::new(request), end + 4 + length)
        }
        Body::Incomplete if bytes.len() > MOST_BODY + end => Parsed::Bad(413),
        Body::Incomplete => {
            let waits = request
                .header("expect")
                .is_some_and(|e| e.eq_ignore_ascii_case("100-continue"));
            Parsed::Incomplete(waits && rest.is_empty())
        }
        Body::Bad => Parsed::Bad(400),
    }
}

/// `GET /path?query HTTP/1.1`, also with a whole URL, as a proxy would be asked.
fn request_line(line: &str) -> Option<(&str, &str, u8)> {
    let mut words = line.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let minor = match version {
        "HTTP/1.0" => 0,
        "HTTP/1.1" => 1,
        _ => return None,
    };
    let is_token = !method.is_empty() && method.bytes().all(|b| b.is_ascii_graphic());
    let target = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => target,
    };
    let is_target = target.starts_with('/') || target == "*";
    (is_token && is_target && words.next().is_none()).then_some((method, target, minor))
}

enum Body {
    /// The content, and its length as it was sent.
    Complete(Vec<u8>, usize),
    Incomplete,
    Bad,
}

fn chunks(bytes: &[u8]) -> Body {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(end) = find(rest, b"\r\n") else {
            return Body::Incomplete;
        };
        let line = String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned();
        let digits = line.split(';').next().unwrap_or("").trim();
        let Ok(size) = usize::from_str_radix(digits, 16) else {
            return Body::Bad;
        };
        if size > MOST_BODY {
            return Body::Bad;
        }
        let start = end + 2;
        let Some(chunk) = rest.get(start..start + size) else {
            return Body::Incomplete;
        };
        match rest.get(start + size..start + size + 2) {
            Some(b"\r\n") => {}
            Some(_) => return Body::Bad,
            None => return Body::Incomplete,
        }
        body.extend_from_slice(chunk);
        at += start + size + 2;
        if size == 0 {
            return Body::Complete(body, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Parsed {
        parse(text.as_bytes(), ([127, 0, 0, 1], 1).into())
    }

    fn complete(text: &str) -> Request {
        match read(text) {
            Parsed::Complete(request, length) => {
                assert_eq!(length, text.len(), "{text}");
                *request
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn requests_are_taken_apart() {
        let request = complete("GET /a%20b?x=1&y=a%2Bb+c&x=2 HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!((request.path.as_str(), request.keep_alive()), ("/a b", true));
        assert_eq!(
            [request.query("x"), request.query("y"), request.query("z")],
            ["1", "a+b c", ""]
        );
        let request = complete(
            "POST /?a=query HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 6\r\n\r\na=body",
        );
        assert_eq!((request.form("a").as_str(), request.keep_alive()), ("body", false));
        let request =
            complete("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n");
        assert_eq!(request.body, b"abcde");
    }

    #[test]
    fn what_is_unfinished_or_wrong_is_told_apart() {
        for (text, want) in [
            ("GET / HTTP/1.1\r\n", Parsed::Incomplete(false)),
            (
                "POST / HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
                Parsed::Incomplete(true),
            ),
            (
                "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc",
                Parsed::Incomplete(false),
            ),
            ("GET / HTTP/2.0\r\n\r\n", Parsed::Bad(400)),
            ("GET nowhere HTTP/1.1\r\n\r\n", Parsed::Bad(400)),
            ("GET /%zz HTTP/1.1\r\n\r\n", Parsed::Bad(400)),
            ("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", Parsed::Bad(400)),
            (
                "POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
                Parsed::Bad(413),
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                Parsed::Bad(400),
            ),
        ] {
            assert_eq!(read(text), want, "{text}");
        }
    }

    #[test]
    fn files_of_forms_are_found() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nwords\r\n--b\r\nContent-Disposition: form-data; \
                    name=\"file\"; filename=\"f\"\r\n\r\n#!/bin/sh\r\n\r\n--b--\r\n";
        let head = "POST /upload HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ";
        let request = complete(&format!("{head}{}\r\n\r\n{body}", body.len()));
        assert_eq!(request.file("file"), Ok(b"#!/bin/sh\r\n".as_slice()));
        assert_eq!(request.file("text"), Err("http: no such file"));
        assert_eq!(request.form("text"), "words");
        assert_eq!(
            Request::get("/").file("file"),
            Err("request Content-Type isn't multipart/form-data")
        );
    }
}
